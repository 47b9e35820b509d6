//! The network between two servers, where something can be wrong with it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Bytes that are taken at once. As little as this is under way where nothing flows.
const BUFFER_BYTES: usize = 16 * 1024;

/// How one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Bytes pass.
    Open,
    /// Nothing passes; nothing is lost either, like on a network that will be whole again.
    Held,
    /// So many bytes pass in a second.
    Slow(usize),
}

/// A link to one server: whoever dials `address` comes to it.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    link: Arc<Link>,
}

#[derive(Debug)]
struct Link {
    /// From who dials, and back to it.
    flows: Mutex<[Flow; 2]>,
    changed: Condvar,
    streams: Mutex<Vec<TcpStream>>,
    accepted: AtomicUsize,
}

impl Proxy {
    /// A link to this address on which everything flows.
    pub fn to(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let link = Arc::new(Link {
            flows: Mutex::new([Flow::Open; 2]),
            changed: Condvar::new(),
            streams: Mutex::default(),
            accepted: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&link);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                if let Ok(far) = TcpStream::connect(target) {
                    shared.join(near, far);
                }
            }
        });
        Proxy { address, link }
    }

    /// Changes what flows from who dials, and what flows back.
    pub fn set(&self, there: Flow, back: Flow) {
        *self.link.flows.lock().unwrap() = [there, back];
        self.link.changed.notify_all();
    }

    /// Ends all connections with what is under way on them.
    pub fn cut(&self) {
        for stream in self.link.streams.lock().unwrap().drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.link.changed.notify_all();
    }

    /// Connections that came so far.
    pub fn accepted(&self) -> usize {
        self.link.accepted.load(Ordering::Relaxed)
    }
}

impl Link {
    fn join(self: &Arc<Self>, near: TcpStream, far: TcpStream) {
        for stream in [&near, &far] {
            stream.set_nodelay(true).expect("no delay");
            self.streams.lock().unwrap().push(stream.try_clone().expect("a descriptor"));
        }
        let (near_too, far_too) = (near.try_clone().expect("a descriptor"), far.try_clone().expect("a descriptor"));
        for (direction, from, to) in [(0, near, far_too), (1, far, near_too)] {
            let link = Arc::clone(self);
            thread::spawn(move || link.pass(direction, from, to));
        }
    }

    /// Passes bytes on in one direction, up to the end of one of the connections.
    fn pass(&self, direction: usize, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let most = match self.wait_open(direction) {
                Flow::Slow(rate) => (rate / 50).clamp(1, BUFFER_BYTES),
                _ => BUFFER_BYTES,
            };
            let Ok(count @ 1..) = from.read(&mut buffer[..most]) else { break };
            // What came while it was held must not pass before it is open again.
            if let Flow::Slow(_) = self.wait_open(direction) {
                thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        for stream in [from, to] {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn wait_open(&self, direction: usize) -> Flow {
        let mut flows = self.flows.lock().unwrap();
        while flows[direction] == Flow::Held {
            flows = self.changed.wait(flows).unwrap();
        }
        flows[direction]
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Flow::Open, Flow::Open);
        self.cut();
    }
}
