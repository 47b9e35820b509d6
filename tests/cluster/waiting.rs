//! Clients that come before the cluster is whole.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use super::membership::free_address;
use super::node::{Folder, Kind, Node};

#[test]
fn a_server_that_waits_for_its_routes_takes_clients_when_their_interest_is_known() {
    let there = free_address();
    let folder = Folder::new();
    let text = format!("cluster {{ wait_for_routes: true, routes: [\"nats://{there}\"] }}\n");
    let file = folder.write("waits.conf", &text);
    let waits = Node::start_with(Kind::Midge, "waits", &[], &["-c", &file]);
    let mut early = TcpStream::connect(waits.process.address()).expect("the system takes the connection");
    early.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(early.read(&mut [0]).is_err(), "it was greeted before there was a cluster");
    let url = format!("nats://{there}");
    let other = Node::start_with(Kind::Midge, "other", &[], &["--cluster", &url]);
    waits.process.wait_log("All routes have synced, clients are taken");
    early.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(early.read(&mut [0]).expect("now it is greeted"), 1);
    let mut responder = other.client();
    responder.subscribe("service");
    responder.flush();
    waits.client().wait_wanted("service");
}
