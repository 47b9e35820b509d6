//! Request/reply: requesters with one request under way each, and one responder.
//!
//! Each request carries a fresh inbox below the requester's wildcard subscription, as clients do it. All requesters
//! share one epoll loop; the responder is one blocking thread that answers whatever each read brought with one write.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use super::Setup;
use crate::clients::{Client, Frames, PATIENCE};
use crate::outcome::Outcome;
use crate::proc::Process;
use crate::script::{delivery, publication};
use crate::stats::Latencies;
use crate::sys::Epoll;

const SIZE: usize = 16;
const INBOX: &str = "_INBOX.perf00.00000000";
/// Digits of the serial number that end every inbox.
const SERIAL_DIGITS: usize = 8;

/// `requesters` clients ask as fast as the answers come.
pub fn run(setup: &Setup, requesters: usize) -> io::Result<Outcome> {
    let mut responder = Client::connect(setup.addr)?;
    responder.send(b"SUB service.echo 1\r\n")?;
    responder.barrier()?;
    let handle = responder.stream.try_clone()?;
    let answering = thread::spawn(move || answer(responder.stream));
    let mut asking = Asking::new(setup, requesters)?;
    asking.ask(setup.warm_up)?;

    let (server_cpu, own_cpu, start) = (setup.server.cpu()?, Process::own().cpu()?, Instant::now());
    let (latencies, lost) = asking.ask(setup.time)?;
    let outcome = Outcome {
        unit: "requests",
        count: latencies.len() as u64,
        // The request in and out, the reply in and out.
        moved: 4 * latencies.len() as u64,
        elapsed: start.elapsed(),
        server_cpu: setup.server.cpu()?.saturating_sub(server_cpu),
        own_cpu: Process::own().cpu()?.saturating_sub(own_cpu),
        lost,
        latency: latencies.summary(),
        ..Outcome::default()
    };
    handle.shutdown(Shutdown::Both)?;
    answering.join().expect("the responder panicked");
    Ok(outcome)
}

/// Answers requests until the connection ends.
fn answer(mut stream: TcpStream) {
    let request = delivery("service.echo", "1", INBOX, SIZE, false);
    let reply = publication(INBOX, "", SIZE, false);
    let inbox_in = "MSG service.echo 1 ".len()..;
    let inbox_out = "PUB ".len()..;
    let mut frames = Frames::new(64 * 1024);
    let mut out = Vec::new();
    while frames.fill(&mut stream).is_ok() {
        out.clear();
        while let Some(frame) = frames.next(request.len()) {
            let at = out.len() + inbox_out.start;
            out.extend_from_slice(&reply);
            out[at..at + INBOX.len()].copy_from_slice(&frame[inbox_in.start..inbox_in.start + INBOX.len()]);
        }
        if stream.write_all(&out).is_err() {
            return;
        }
    }
}

/// The requesters' side.
struct Asking {
    requesters: Vec<Requester>,
    epoll: Epoll,
    serial: u64,
}

struct Requester {
    stream: TcpStream,
    frames: Frames,
    /// The request, whose serial number is overwritten each time.
    request: Vec<u8>,
    /// What must come back, with the same serial number.
    reply: Vec<u8>,
    asked: Instant,
}

impl Asking {
    fn new(setup: &Setup, count: usize) -> io::Result<Asking> {
        let epoll = Epoll::new(64)?;
        let mut requesters = Vec::new();
        for i in 0..count {
            let mut client = Client::connect(setup.addr)?;
            client.send(format!("SUB _INBOX.perf{i:02}.* 1\r\n").as_bytes())?;
            client.barrier()?;
            let inbox = format!("_INBOX.perf{i:02}.{}", "0".repeat(SERIAL_DIGITS));
            epoll.add(client.stream.as_raw_fd(), i)?;
            requesters.push(Requester {
                stream: client.stream,
                frames: Frames::new(4096),
                request: publication("service.echo", &inbox, SIZE, false),
                reply: delivery(&inbox, "1", "", SIZE, false),
                asked: Instant::now(),
            });
        }
        Ok(Asking { requesters, epoll, serial: 0 })
    }

    /// Keeps one request per requester under way for `time`, then waits for the last answers. Returns the latencies and
    /// the number of requests that stayed without an answer.
    fn ask(&mut self, time: Duration) -> io::Result<(Latencies, u64)> {
        let until = Instant::now() + time;
        let mut latencies = Latencies::with_room(2_000_000);
        for requester in &mut self.requesters {
            self.serial += 1;
            requester.send(self.serial)?;
        }
        let mut under_way = self.requesters.len();
        while under_way > 0 {
            let ready = self.epoll.wait(PATIENCE)?;
            if ready == 0 {
                break;
            }
            for index in 0..ready {
                let requester = &mut self.requesters[self.epoll.key(index)];
                if !requester.receive()? {
                    continue;
                }
                let now = Instant::now();
                latencies.add((now - requester.asked).as_nanos() as u64);
                if now < until {
                    self.serial += 1;
                    requester.send(self.serial)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        Ok((latencies, under_way as u64))
    }
}

impl Requester {
    fn send(&mut self, serial: u64) -> io::Result<()> {
        let digits = format!("{:0SERIAL_DIGITS$}", serial % 10u64.pow(SERIAL_DIGITS as u32));
        put_serial(&mut self.request, "PUB service.echo ".len(), &digits);
        put_serial(&mut self.reply, "MSG ".len(), &digits);
        self.asked = Instant::now();
        self.stream.write_all(&self.request)
    }

    /// Reads what is there; `true` when the answer is complete. Any other answer is an error.
    fn receive(&mut self) -> io::Result<bool> {
        self.frames.fill(&mut self.stream)?;
        match self.frames.next(self.reply.len()) {
            Some(frame) if frame == self.reply => Ok(true),
            Some(frame) => Err(io::Error::other(format!("not the reply: {:?}", String::from_utf8_lossy(frame)))),
            None => Ok(false),
        }
    }
}

fn put_serial(line: &mut [u8], inbox_at: usize, digits: &str) {
    let end = inbox_at + INBOX.len();
    line[end - SERIAL_DIGITS..end].copy_from_slice(digits.as_bytes());
}
