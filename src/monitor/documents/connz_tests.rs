use super::*;
use crate::broker::Traffic;
use std::net::{Ipv4Addr, SocketAddr};

fn entry(cid: u64) -> Entry {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 5));
    let row = Row {
        key: 0,
        cid,
        peer,
        opened_us: 0,
        active_at: 0,
        round_trip_us: 0,
        stalls: 0,
        pending: 0,
        traffic: Traffic::default(),
        subs: 0,
        account: GLOBAL_ACCOUNT,
        user: None,
        tls: None,
        tls_first: false,
    };
    Entry { row, end: End::Open(0) }
}

fn closed(cid: u64, stop_us: u64, reason: &'static str) -> Entry {
    Entry { end: End::Closed { stop_us, reason, record: 0 }, ..entry(cid) }
}

fn order(mut entries: Vec<Entry>, by: Sort) -> Vec<u64> {
    sort(&mut entries, by, 100_000);
    entries.iter().map(|entry| entry.row.cid).collect()
}

#[test]
fn each_order_is_by_its_figure_and_then_by_number() {
    type Change = fn(&mut Row, u64);
    let table: [(Sort, Change, [u64; 4]); 11] = [
        (Sort::Cid, |_, _| {}, [1, 2, 3, 4]),
        (Sort::Subs, |row, rank| row.subs = rank as usize, [3, 1, 4, 2]),
        (Sort::Pending, |row, rank| row.pending = rank as usize, [3, 1, 4, 2]),
        (Sort::MessagesTo, |row, rank| row.traffic.out_messages = rank, [3, 1, 4, 2]),
        (Sort::MessagesFrom, |row, rank| row.traffic.in_messages = rank, [3, 1, 4, 2]),
        (Sort::BytesTo, |row, rank| row.traffic.out_bytes = rank, [3, 1, 4, 2]),
        (Sort::BytesFrom, |row, rank| row.traffic.in_bytes = rank, [3, 1, 4, 2]),
        (Sort::Last, |row, rank| row.active_at = rank, [3, 1, 4, 2]),
        (Sort::Idle, |row, rank| row.active_at = rank, [2, 1, 4, 3]),
        (Sort::Uptime, |row, rank| row.opened_us = rank, [3, 1, 4, 2]),
        (Sort::RoundTrip, |row, rank| row.round_trip_us = rank as u32, [3, 1, 4, 2]),
    ];
    for (by, change, expected) in table {
        let ranked = [(4, 5), (2, 1), (3, 9), (1, 5)].map(|(cid, rank)| {
            let mut entry = entry(cid);
            change(&mut entry.row, rank);
            entry
        });
        assert_eq!(order(ranked.to_vec(), by), expected, "{by:?}");
    }
}

#[test]
fn closed_connections_go_by_when_and_why_they_ended() {
    let entries = vec![closed(1, 30, "b"), closed(2, 10, "a"), closed(3, 20, "c"), closed(4, 10, "b")];
    assert_eq!(order(entries.clone(), Sort::Stop), [1, 3, 2, 4]);
    assert_eq!(order(entries.clone(), Sort::Reason), [2, 1, 4, 3]);
    // Their times ended with them.
    assert_eq!(order([entries, vec![entry(5)]].concat(), Sort::Uptime), [2, 4, 3, 1, 5]);
}

#[test]
fn a_query_is_read_as_the_official_server_reads_it() {
    let read = |query: &str| Wanted::read(&Query::parse(query));
    let pages = [
        ("", (0, LIMIT)),
        ("limit=7&offset=3", (3, 7)),
        ("limit=0&offset=-3", (0, LIMIT)),
        ("limit=-7", (0, LIMIT)),
        ("limit=7&cid=4", (0, 1)),
        ("cid=0&limit=2", (0, 2)),
    ];
    for (query, page) in pages {
        let wanted = read(query).unwrap();
        assert_eq!((wanted.offset, wanted.limit), page, "{query}");
    }
    for (query, subs, state) in [
        ("", Subs::No, State::Open),
        ("subs=1&state=OPEN", Subs::Subjects, State::Open),
        ("subs=true&state=closed", Subs::Subjects, State::Closed),
        ("subs=detail&state=Any", Subs::Detail, State::Any),
        ("subs=0&state=all", Subs::No, State::Any),
    ] {
        let wanted = read(query).unwrap();
        assert_eq!((wanted.subs, wanted.state), (subs, state), "{query}");
    }
    for (name, by) in SORTS {
        let wanted = read(&format!("state=closed&sort={name}")).unwrap();
        assert_eq!(wanted.sort, by, "{name}");
        let is_late = matches!(by, Sort::Stop | Sort::Reason);
        assert_eq!(read(&format!("sort={name}")).is_err(), is_late, "{name}");
    }
    for (query, text) in [
        ("sort=x", "invalid sorting option: x"),
        ("sort=stop&state=any", "sort by stop only valid on closed connections"),
        ("state=x", "Error decoding state for x"),
    ] {
        assert_eq!(read(query).unwrap_err(), text);
    }
}
