//! The only `unsafe` here: system calls that std does not offer.
//!
//! Every function is a thin, checked wrapper; errors are the `errno` of the call.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// An epoll instance: level triggered, readable events only.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// An instance that reports at most `batch` ready descriptors at a time.
    pub fn new(batch: usize) -> io::Result<Epoll> {
        // SAFETY: no pointers; the returned descriptor is owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Epoll { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; batch] })
    }

    /// Reports `key` from now on when `fd` is readable or closed by its peer.
    pub fn add(&self, fd: RawFd, key: usize) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key as u64 };
        // SAFETY: `event` outlives the call.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) })?;
        Ok(())
    }

    /// Stops reporting `fd`.
    pub fn remove(&self, fd: RawFd) -> io::Result<()> {
        // SAFETY: the event pointer is ignored for a removal.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) })?;
        Ok(())
    }

    /// Waits for ready descriptors and returns how many keys can be read with `key`; 0 means that `timeout` passed.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        let millis = timeout.as_millis().min(i32::MAX as u128) as i32;
        loop {
            // SAFETY: the pointer and length describe `self.events`.
            let ready = check(unsafe {
                libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), self.events.len() as i32, millis)
            });
            match ready {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => return other.map(|n| n as usize),
            }
        }
    }

    /// The key of the ready descriptor at `index` of the last `wait`.
    pub fn key(&self, index: usize) -> usize {
        self.events[index].u64 as usize
    }
}

/// Takes up to `bytes_max` received bytes off a TCP socket without copying them anywhere and returns how many
/// (0 at the end of the stream); `WouldBlock` when nothing has arrived. Linux only (`MSG_TRUNC` of tcp(7)).
pub fn recv_discard(stream: &TcpStream, bytes_max: usize) -> io::Result<usize> {
    let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
    // SAFETY: with MSG_TRUNC a TCP socket writes nothing through the pointer.
    let n = unsafe { libc::recv(stream.as_raw_fd(), std::ptr::null_mut(), bytes_max, flags) };
    if n < 0 { Err(io::Error::last_os_error()) } else { Ok(n as usize) }
}

/// Lets `stream` count as readable only with `bytes` received (or closed). Lowering it wakes whoever waits in vain.
pub fn set_receive_low_water(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    set_option(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes as i32)
}

/// Connects to `to` from the loopback address `from`, whose port the kernel picks at connect time, so that each
/// source address brings its own range of ports.
pub fn connect_from(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the descriptor is owned by nobody else.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    set_option(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
    // SAFETY: the addresses outlive the calls.
    unsafe {
        let (source, target) = (socket_address(SocketAddrV4::new(from, 0)), socket_address(to));
        let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        check(libc::bind(fd, (&raw const source).cast(), size))?;
        check(libc::connect(fd, (&raw const target).cast(), size))?;
    }
    Ok(stream)
}

/// Raises the limit of open descriptors to at least `wanted`, the hard limit too where that is allowed.
/// Children inherit it. Returns the limit now in force.
pub fn raise_open_files(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the calls.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        if limit.rlim_cur < wanted {
            let higher = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max.max(wanted) };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &higher) != 0 {
                let soft_only = libc::rlimit { rlim_cur: limit.rlim_max.min(wanted), rlim_max: limit.rlim_max };
                check(libc::setrlimit(libc::RLIMIT_NOFILE, &soft_only))?;
            }
            check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        }
    }
    Ok(limit.rlim_cur)
}

/// Time on a CPU of all threads of process `pid` since its start, those that ended included: the scheduler's own
/// account (what the `schedstat` files show per living thread), in nanoseconds rather than clock ticks.
pub fn process_cpu(pid: u32) -> io::Result<Duration> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both pointers outlive their calls.
    unsafe {
        let error = libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock);
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        check(libc::clock_gettime(clock, &mut time))?;
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Makes the child of `command` receive SIGKILL when the thread that starts it ends, so that no server outlives
/// an interrupted measurement.
pub fn end_with_parent(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe and touches nothing of the parent.
    unsafe {
        command.pre_exec(|| {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            Ok(())
        });
    }
}

fn set_option(fd: RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let size = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` outlives the call.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size) })?;
    Ok(())
}

fn socket_address(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
