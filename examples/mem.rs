use midge::interest::{GLOBAL_ACCOUNT, Interest, Remote};
use midge::wire::route;
fn rss() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
fn main() {
    for (queue, subject_of) in [("", 0usize), ("q", 0), ("", 1), ("", 2)] {
        let interest = Interest::new(1);
        let mut remote = Remote::new(interest.open_route(0).unwrap(), true, 10_000_000);
        let before = rss();
        let start = std::time::Instant::now();
        let n = 1_000_000;
        for i in 0..n {
            let subject = match subject_of {
                0 => format!("orders.eu.{i}"),
                1 => format!("_INBOX.abcdefghijklmnopqrstuv.{i}"),
                _ => format!("_INBOX.{i}.*"),
            };
            let w = route::Interest {
                origin: b"",
                account: b"$G",
                subject: subject.as_bytes(),
                queue: queue.as_bytes(),
                weight: 3,
            };
            remote.subscribe(&interest, GLOBAL_ACCOUNT, &w).unwrap();
        }
        let took = start.elapsed();
        println!("queue {queue:?} kind {subject_of}: {} bytes each, {:?} for a million", (rss() - before) / n, took);
        let mut sweep = remote.close(&interest);
        let start = std::time::Instant::now();
        let mut worst = std::time::Duration::ZERO;
        loop {
            let s = std::time::Instant::now();
            let more = sweep.step(&interest, 1, 4096);
            worst = worst.max(s.elapsed());
            if !more {
                break;
            }
        }
        println!("  swept in {:?}, longest part {:?}", start.elapsed(), worst);
    }
}
