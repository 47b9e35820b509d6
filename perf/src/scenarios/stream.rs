//! Flat-out publishing: to nobody, to one, to many, to groups, over many subjects and subscriptions.

use std::io;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use super::Setup;
use crate::clients::{Client, PATIENCE};
use crate::flow::{Flow, Moved, Publisher, Sharing};
use crate::outcome::Outcome;
use crate::proc::Process;
use crate::random::Random;
use crate::script::{Script, delivery, publication};

/// Bytes of deliveries under way. Even one subscriber alone with all of it stays below the limit of 64 MiB at which a
/// server cuts it off, and below the 48 MiB from which the official one slows the publisher down.
const WINDOW_BYTES: u64 = 16 << 20;

/// One client publishes to a subject without subscribers.
pub fn publish_only(setup: &Setup, size: usize) -> io::Result<Outcome> {
    let script = Script::repeated(&publication("bench.00", "", size, false), 0, u64::MAX);
    let publishers = vec![Publisher { client: Client::connect(setup.addr)?, script: &script }];
    let flow =
        Flow { publishers, subscribers: Vec::new(), sharing: Sharing::Pool, line_bytes: 0, window_bytes: WINDOW_BYTES };
    measure(setup, flow)
}

/// One publisher, one subscriber.
pub fn one_to_one(setup: &Setup, size: usize, headers: bool) -> io::Result<Outcome> {
    let line = delivery("bench.00", "1", "", size, headers);
    let script = Script::repeated(&publication("bench.00", "", size, headers), 1, slice_max(&line));
    let mut publisher = Client::connect(setup.addr)?;
    let mut subscriber = subscribed(setup, "SUB bench.00 1\r\n")?;
    publisher.send(&publication("bench.00", "", size, headers))?;
    subscriber.expect(&line)?;
    let publishers = vec![Publisher { client: publisher, script: &script }];
    let subscribers = vec![subscriber];
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Everyone, line_bytes, window_bytes: WINDOW_BYTES })
}

/// One publisher on one server, one subscriber on another one that has a route to it.
pub fn over_a_route(setup: &Setup, size: usize) -> io::Result<Outcome> {
    let Some((peer, _)) = setup.peer else { return Err(io::Error::other("it needs a pair of servers: see `compare`")) };
    let line = delivery("bench.00", "1", "", size, false);
    let publication = publication("bench.00", "", size, false);
    let script = Script::repeated(&publication, 1, slice_max(&line));
    let mut publisher = Client::connect(setup.addr)?;
    let mut subscriber = Client::connect(peer)?;
    subscriber.send(b"SUB bench.00 1\r\n")?;
    subscriber.barrier()?;
    await_interest(setup.addr, peer)?;
    publisher.send(&publication)?;
    subscriber.expect(&line)?;
    let publishers = vec![Publisher { client: publisher, script: &script }];
    let subscribers = vec![subscriber];
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Everyone, line_bytes, window_bytes: WINDOW_BYTES })
}

/// Waits until a server knows what is subscribed to at another one by now.
fn await_interest(here: SocketAddrV4, there: SocketAddrV4) -> io::Result<()> {
    let (mut asks, mut answers) = (Client::connect(here)?, Client::connect(there)?);
    answers.send(b"SUB probe 1\r\n")?;
    answers.barrier()?;
    answers.stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    let end = Instant::now() + PATIENCE;
    loop {
        asks.send(b"PUB probe 0\r\n\r\n")?;
        match answers.expect(b"MSG probe 1 0\r\n\r\n") {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {}
            outcome => return outcome,
        }
    }
}

/// `pairs` publishers, each with a subscriber and a subject of its own.
pub fn pairs(setup: &Setup, pairs: usize, size: usize) -> io::Result<Outcome> {
    let line = delivery("bench.00", "1", "", size, false);
    let mut subscribers = Vec::new();
    let mut clients = Vec::new();
    let mut scripts = Vec::new();
    for i in 0..pairs {
        let subject = format!("bench.{i:02}");
        subscribers.push(subscribed(setup, &format!("SUB {subject} 1\r\n"))?);
        clients.push(Client::connect(setup.addr)?);
        scripts.push(Script::repeated(&publication(&subject, "", size, false), 1, slice_max(&line)));
    }
    let publishers = clients.into_iter().zip(&scripts).map(|(client, script)| Publisher { client, script }).collect();
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Pairs, line_bytes, window_bytes: WINDOW_BYTES })
}

/// One publisher, `width` subscribers on its subject.
pub fn fan_out(setup: &Setup, width: usize, size: usize) -> io::Result<Outcome> {
    let line = delivery("bench.00", "1", "", size, false);
    let publication = publication("bench.00", "", size, false);
    let script = Script::repeated(&publication, width as u64, slice_max(&line));
    let mut client = Client::connect(setup.addr)?;
    let mut subscribers: Vec<_> =
        (0..width).map(|_| subscribed(setup, "SUB bench.00 1\r\n")).collect::<io::Result<_>>()?;
    client.send(&publication)?;
    for subscriber in &mut subscribers {
        subscriber.expect(&line)?;
    }
    let publishers = vec![Publisher { client, script: &script }];
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Everyone, line_bytes, window_bytes: WINDOW_BYTES })
}

/// `publishers` clients publish to one subject on which `members` clients form a queue group.
pub fn queue(setup: &Setup, publishers: usize, members: usize, size: usize) -> io::Result<Outcome> {
    let line = delivery("bench.00", "1", "", size, false);
    let script = Script::repeated(&publication("bench.00", "", size, false), 1, slice_max(&line));
    let subscribers = (0..members).map(|_| subscribed(setup, "SUB bench.00 group 1\r\n")).collect::<io::Result<_>>()?;
    let publishers = (0..publishers)
        .map(|_| Ok(Publisher { client: Client::connect(setup.addr)?, script: &script }))
        .collect::<io::Result<_>>()?;
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Pool, line_bytes, window_bytes: WINDOW_BYTES })
}

/// One publisher goes through `subjects` subjects in a fixed random order; one wildcard subscriber gets all.
pub fn many_subjects(setup: &Setup, subjects: usize, size: usize) -> io::Result<Outcome> {
    let line = delivery("bench.00000", "1", "", size, false);
    let mut order: Vec<usize> = (0..subjects).collect();
    Random::new(10_007).shuffle(&mut order);
    let script = Script::listed(order.iter().map(|i| (publication(&format!("bench.{i:05}"), "", size, false), 1)));
    let subscribers = vec![subscribed(setup, "SUB bench.* 1\r\n")?];
    let publishers = vec![Publisher { client: Client::connect(setup.addr)?, script: &script }];
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Everyone, line_bytes, window_bytes: WINDOW_BYTES })
}

/// `count` (at most a million) subscriptions over ten connections, a tenth of them wildcards, and one publisher that hits the subjects at
/// random: nine tenths of its messages match one literal subscription, a tenth none, and a tenth of all a wildcard.
pub fn many_subscriptions(setup: &Setup, count: usize, size: usize) -> io::Result<Outcome> {
    /// A script shorter than this would be written in small pieces.
    const PUBLICATIONS_MIN: usize = 100_000;
    let connections = count.clamp(1, 10);
    let line = delivery("bench.000000.x", "000000", "", size, false);
    let mut subscribers = Vec::new();
    for connection in 0..connections {
        let mut client = Client::connect(setup.addr)?;
        let mine = (connection..count).step_by(connections);
        let lines: String = mine.map(|i| format!("SUB {} {i:06}\r\n", subscription_subject(i, count))).collect();
        client.send(lines.as_bytes())?;
        client.barrier()?;
        subscribers.push(client);
    }
    let mut random = Random::new(100_003);
    let script = Script::listed((0..count.max(PUBLICATIONS_MIN)).map(|_| {
        let i = random.below(count);
        (publication(&format!("bench.{i:06}.x"), "", size, false), matches(i, count))
    }));
    let publishers = vec![Publisher { client: Client::connect(setup.addr)?, script: &script }];
    let line_bytes = line.len() as u64;
    measure(setup, Flow { publishers, subscribers, sharing: Sharing::Pool, line_bytes, window_bytes: WINDOW_BYTES })
}

/// The subject of subscription `i` of `count`: the last tenth are wildcards, each over one subject number in ten, in
/// three shapes.
fn subscription_subject(i: usize, count: usize) -> String {
    let literals = count - count / 10;
    match i.checked_sub(literals) {
        None => format!("bench.{i:06}.x"),
        Some(w) if w % 3 == 0 => format!("bench.{:06}.*", w * 10),
        Some(w) if w % 3 == 1 => format!("bench.{:06}.>", w * 10),
        Some(w) => format!("*.{:06}.x", w * 10),
    }
}

/// How many of the `count` subscriptions match subject number `i`.
fn matches(i: usize, count: usize) -> u64 {
    let wildcards = count / 10;
    u64::from(i < count - wildcards) + u64::from(i.is_multiple_of(10) && i / 10 < wildcards)
}

/// A connection whose subscriptions are in force.
fn subscribed(setup: &Setup, lines: &str) -> io::Result<Client> {
    let mut client = Client::connect(setup.addr)?;
    client.send(lines.as_bytes())?;
    client.barrier()?;
    Ok(client)
}

/// Most deliveries of one write: an eighth of the window.
fn slice_max(line: &[u8]) -> u64 {
    WINDOW_BYTES / 8 / line.len() as u64
}

fn measure(setup: &Setup, mut flow: Flow) -> io::Result<Outcome> {
    let servers: Vec<Process> = [setup.server].into_iter().chain(setup.peer.map(|peer| peer.1)).collect();
    let warm_up = flow.run(setup.warm_up, &servers)?;
    let moved = flow.run(setup.time, &servers)?;
    Ok(outcome(moved, warm_up, !flow.subscribers.is_empty()))
}

/// Rates count deliveries, or publications where there are no subscribers. A loss in the warm-up is a loss.
fn outcome(moved: Moved, warm_up: Moved, delivers: bool) -> Outcome {
    Outcome {
        unit: "messages",
        count: if delivers { moved.delivered } else { moved.published },
        moved: moved.published + moved.delivered,
        elapsed: moved.elapsed,
        server_cpu: moved.server_cpu,
        own_cpu: moved.own_cpu,
        lost: moved.lost + warm_up.lost,
        trouble: moved.trouble.or(warm_up.trouble),
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_agree_with_the_subjects() {
        let count = 1000;
        let all: Vec<String> = (0..count).map(|i| subscription_subject(i, count)).collect();
        for i in 0..count {
            let subject = format!("bench.{i:06}.x");
            let naive = all.iter().filter(|pattern| {
                pattern.split('.').zip(subject.split('.')).all(|(p, s)| p == s || p == "*" || p == ">")
            });
            assert_eq!(naive.count() as u64, matches(i, count), "{subject}");
        }
        assert_eq!(all.iter().filter(|s| s.contains(['*', '>'])).count(), 100);
    }

    #[test]
    fn deliveries_have_one_width() {
        let width = delivery("bench.000000.x", "000000", "", 16, false).len();
        assert_eq!(delivery("bench.099999.x", "099999", "", 16, false).len(), width);
    }
}
