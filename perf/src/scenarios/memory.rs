//! Server memory: per idle connection, per subscription, and what is left of it afterwards.

use std::io;
use std::time::{Duration, Instant};

use super::{Setup, churn, stream};
use crate::clients::{CONNECT, Client};
use crate::outcome::Outcome;

/// Connections that are set up side by side.
const BATCH: usize = 64;
/// Longest wait for memory to stop moving while a load stands.
const SETTLE: Duration = Duration::from_secs(2);
/// Time to give memory back once the load is gone.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// `count` idle connections with one subscription each.
pub fn connections(setup: &Setup, count: usize) -> io::Result<Outcome> {
    let start = setup.server.resident_settled(SETTLE)?;
    let (cpu, began) = (setup.server.cpu()?, Instant::now());
    let clients = open_idle(setup, count)?;
    let elapsed = began.elapsed();
    let server_cpu = setup.server.cpu()?.saturating_sub(cpu);
    let open = setup.server.resident_settled(SETTLE)?;
    drop(clients);
    Ok(Outcome {
        unit: "connections",
        count: count as u64,
        moved: count as u64,
        elapsed,
        server_cpu,
        bytes_each: Some(open.saturating_sub(start) as f64 / count as f64),
        steps: vec![("start", start), ("open", open)],
        ..Outcome::default()
    })
}

/// `count` subscriptions to different subjects on one connection.
pub fn subscriptions(setup: &Setup, count: usize) -> io::Result<Outcome> {
    let mut client = Client::connect(setup.addr)?;
    let start = setup.server.resident_settled(SETTLE)?;
    let lines: String = (0..count).map(|i| format!("SUB device.{i:07} {i}\r\n")).collect();
    let (cpu, began) = (setup.server.cpu()?, Instant::now());
    client.send(lines.as_bytes())?;
    client.barrier()?;
    let elapsed = began.elapsed();
    let server_cpu = setup.server.cpu()?.saturating_sub(cpu);
    let open = setup.server.resident_settled(SETTLE)?;
    Ok(Outcome {
        unit: "subscriptions",
        count: count as u64,
        moved: count as u64,
        elapsed,
        server_cpu,
        bytes_each: Some(open.saturating_sub(start) as f64 / count as f64),
        steps: vec![("start", start), ("open", open)],
        ..Outcome::default()
    })
}

/// Resident memory at the start, after a flood, after connection churn, with `count` idle connections, and some time
/// after the last has closed.
pub fn given_back(setup: &Setup, count: usize) -> io::Result<Outcome> {
    let began = Instant::now();
    let start = setup.server.resident_settled(SETTLE)?;
    let mut steps = vec![("start", start)];
    let flood = stream::fan_out(setup, 100, 128)?;
    steps.push(("flood", setup.server.resident()?));
    let churned = churn::connections(setup)?;
    steps.push(("churn", setup.server.resident()?));
    let clients = open_idle(setup, count)?;
    steps.push(("idle", setup.server.resident_settled(SETTLE)?));
    drop(clients);
    steps.push(("end", setup.server.resident_down_to(start, GIVE_BACK)?));
    Ok(Outcome {
        unit: "connections",
        count: churned.count + count as u64,
        moved: churned.count + count as u64,
        elapsed: began.elapsed(),
        lost: flood.lost,
        trouble: flood.trouble,
        steps,
        ..Outcome::default()
    })
}

/// `count` connections with one subscription each, all in force.
fn open_idle(setup: &Setup, count: usize) -> io::Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let first = clients.len();
        let end = (first + BATCH).min(count);
        for n in first..end {
            clients.push(Client::open_from(n, setup.addr)?);
        }
        for (n, client) in clients.iter_mut().enumerate().skip(first) {
            client.read_info()?;
            client.send(format!("{CONNECT}SUB idle.{n:06} 1\r\nPING\r\n").as_bytes())?;
        }
        for client in &mut clients[first..] {
            client.read_pong()?;
        }
    }
    Ok(clients)
}
