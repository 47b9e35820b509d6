//! Many connections, and no descriptors left for more.

use std::thread;
use std::time::Duration;

use midge::sys::limits;

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::support::process::Process;
use super::with_each_worker_count;

/// Connections that begin an operation and do not end it.
const HALVES: usize = 10_000;

/// Descriptors that the server and the other tests of this program may need beside them.
const FILES_BESIDE: usize = 1500;

/// What a connection with half an operation may cost, in bytes: its record, the first buffer of a partial operation, and
/// what tables and the allocator add.
const HALF_BYTES: usize = 4096;

/// What may remain in use when all are gone, in bytes: tables that grew.
const REMAINDER_BYTES: usize = 8 * 1024 * 1024;

/// The beginnings. One states a size that nobody may set aside memory for before it comes.
const BEGINNINGS: &[&str] = &[
    "",
    "P",
    "PUB",
    "PUB a.b",
    "PUB a.b 10",
    "PUB a.b 10\r",
    "PUB a.b 10\r\n",
    "PUB a.b 10\r\n01234",
    "PUB a.b 10\r\n0123456789",
    "PUB a.b 1048576\r\nx",
    "CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB a.b 18 1048576\r\nNATS/1.0\r\nA: ",
    "CONNECT {\"verbose\":false,\"name\":\"half",
    "SUB a.* ",
    "SUB a.* 1\r\nUNSUB",
    "PIN",
];

#[test]
fn ten_thousand_half_written_operations_cost_little_and_leave_nothing() {
    let limit = usize::try_from(limits::raise_open_files().expect("a limit")).unwrap_or(usize::MAX);
    let count = HALVES.min(limit.saturating_sub(FILES_BESIDE));
    if count < HALVES {
        println!("only {count} connections: the limit of open files is {limit}");
    }
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        let (files, memory) = (server.files(), server.memory());
        let halves: Vec<Peer> = BEGINNINGS
            .iter()
            .cycle()
            .take(count)
            .map(|beginning| {
                let mut peer = Peer::open(server.address());
                peer.send(beginning);
                peer
            })
            .collect();
        assert_eq!(server.files(), files + count);
        let bystanders = bystanders.stop().keep_busy();
        let used = server.memory_peak().saturating_sub(memory);
        assert!(used < count * HALF_BYTES, "{} bytes for each", used / count);
        halves.into_iter().for_each(Peer::reset);
        server.wait_down("descriptors", files, Process::files);
        bystanders.stop();
        server.wait_down("memory", memory + REMAINDER_BYTES, Process::memory);
    });
}

#[test]
fn a_server_without_descriptors_waits_quietly_and_goes_on_when_it_has_some() {
    const FILES: usize = 64;
    const CALLERS: usize = 100;
    const IDLE: Duration = Duration::from_millis(500);
    with_each_worker_count(|workers| {
        let server = Process::with_files(FILES, workers);
        let mut bystanders = Bystanders::connect(server.address());
        let room = FILES - server.files();
        let mut callers: Vec<Peer> = (0..CALLERS).map(|_| Peer::dial(server.address())).collect();
        callers[..room].iter_mut().for_each(Peer::expect_info);
        server.wait_log("Accept Error");
        bystanders.exchange();
        // It tries again with growing pauses instead of all the time.
        server.wait_log("sleeping 1000ms");
        let before = server.cpu();
        thread::sleep(IDLE);
        let used = server.cpu() - before;
        assert!(used < IDLE / 5, "{used:?} of processor time for {IDLE:?} of waiting");
        bystanders.exchange();
        // Those that were waiting get the places of those that leave, in whatever way they leave.
        let mut waiting = callers.split_off(room);
        for (number, caller) in callers.into_iter().enumerate() {
            if number % 2 == 0 { caller.reset() } else { drop(caller) }
        }
        let taken = room.min(waiting.len());
        waiting[..taken].iter_mut().for_each(Peer::expect_info);
        waiting.drain(..taken);
        drop(waiting);
        bystanders.exchange();
    });
}

#[test]
fn a_refused_connection_leaves_its_place_to_the_next() {
    use super::support::{Midge, Settings};
    const PLACES: usize = 10;
    with_each_worker_count(|workers| {
        let settings = Settings::parse(&format!("max_connections={PLACES}")).unwrap();
        let server = Midge::start(workers, &settings).unwrap();
        let mut bystanders = Bystanders::connect(server.address());
        let mut callers: Vec<Peer> = (2..PLACES).map(|_| Peer::connect(server.address())).collect();
        for _ in 0..50 {
            let mut refused = Peer::open(server.address());
            refused.expect_line("-ERR 'maximum connections exceeded'");
            assert_eq!(refused.rest(), b"");
            // Others are refused without looking at the answer.
            Peer::dial(server.address()).reset();
        }
        bystanders.exchange();
        for caller in &mut callers {
            caller.round_trip();
        }
        callers.pop().expect("a caller").reset();
        server.wait_connections(PLACES - 1);
        callers.push(Peer::connect(server.address()));
        bystanders.exchange();
    });
}
