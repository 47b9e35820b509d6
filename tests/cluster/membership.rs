//! How servers come to know each other, and what their clients are told of that.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::Client;
use super::node::Kind::Midge;
use super::node::{Node, wait_mesh};
use super::peer::RoutePeer;
use super::proxy::Proxy;
use super::support::process::Process;

/// An address that nobody has just now.
pub fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// What one publishes comes to the other.
fn expect_link(from: &Node, to: &Node) {
    let (mut publisher, mut subscriber) = (from.client(), to.client());
    subscriber.subscribe("link.*");
    subscriber.known_to(&mut publisher);
    publisher.publish("link.there", "1");
    subscriber.expect("link.there", "1");
}

#[test]
fn two_command_lines_make_one_system() {
    let [first, second] = [free_address(), free_address()].map(|address| format!("nats://{address}"));
    let a = Process::start(&["-m", "-1", "-cluster", &first]);
    let b = Process::start(&["-p", "-1", "-m", "-1", "-cluster", &second, "-routes", &first]);
    let (mut a, mut b) = (Client::connect(a.address()), Client::connect(b.address()));
    a.subscribe("from.*");
    b.subscribe("from.*");
    a.known_to(&mut b);
    b.known_to(&mut a);
    a.publish("from.a", "1");
    b.expect("from.a", "1");
    a.expect("from.a", "1");
    b.publish("from.b", "2");
    a.expect("from.b", "2");
    b.expect("from.b", "2");
    assert_eq!(a.info["cluster"], b.info["cluster"], "one of the generated names");
}

#[test]
fn servers_that_know_one_address_make_a_full_mesh() {
    let first = Node::midge("n0", &[]);
    let nodes: Vec<Node> = (1..5).map(|at| Node::midge(&format!("n{at}"), &[first.routes])).collect();
    let nodes: Vec<&Node> = [&first].into_iter().chain(&nodes).collect();
    wait_mesh(&nodes);
    for from in &nodes {
        for to in &nodes {
            expect_link(from, to);
        }
    }
    nodes.iter().for_each(|node| node.expect_no_complaints());
}

#[test]
fn a_chain_of_addresses_makes_a_full_mesh() {
    let mut nodes = vec![Node::midge("n0", &[])];
    for at in 1..5 {
        let last = nodes[at - 1].routes;
        nodes.push(Node::midge(&format!("n{at}"), &[last]));
    }
    wait_mesh(&nodes.iter().collect::<Vec<_>>());
    expect_link(&nodes[0], &nodes[4]);
    expect_link(&nodes[4], &nodes[1]);
}

#[test]
fn clients_are_told_of_servers_that_come_and_go() {
    let a = Node::midge("a", &[]);
    let mut client = a.client();
    assert_eq!(client.urls(), [""; 0]);
    let b = Node::midge("b", &[a.routes]);
    let (a_url, b_url) = (a.process.address().to_string(), b.process.address().to_string());
    client.wait_info("with b", |info| super::client::urls(info) == [a_url.clone(), b_url.clone()]);
    assert_eq!(client.info["client_ip"], "127.0.0.1");
    drop(b);
    client.wait_info("without b", |info| super::client::urls(info) == [a_url.clone()]);
}

#[test]
fn what_a_server_advertises_is_what_clients_of_others_are_told() {
    let a = Node::midge("a", &[]);
    let b = Node::start_with(Midge, "b", &[a.routes], &["--client_advertise", "public.example:4333"]);
    let mut client = a.client();
    client.wait_info("advertised", |info| {
        super::client::urls(info) == [a.process.address().to_string(), "public.example:4333".to_owned()]
    });
    let mut client = b.client();
    client.wait_info("its own, too", |info| {
        super::client::urls(info) == ["public.example:4333".to_owned(), a.process.address().to_string()]
    });
}

#[test]
fn a_server_that_does_not_advertise_tells_nobody_and_is_told_of_to_nobody() {
    let a = Node::midge("a", &[]);
    let quiet = Node::start_with(Midge, "quiet", &[a.routes], &["--no_advertise"]);
    let c = Node::midge("c", &[a.routes]);
    expect_link(&quiet, &c);
    let mut client = a.client();
    let known = [a.process.address().to_string(), c.process.address().to_string()];
    client.wait_info("c alone", |info| super::client::urls(info) == known);
    assert_eq!(quiet.client().urls(), [""; 0]);
}

#[test]
fn others_dial_the_advertised_address() {
    let a = Node::midge("a", &[]);
    let c = Node::midge("c", &[a.routes]);
    wait_mesh(&[&a, &c]);
    let address = free_address();
    let proxy = Proxy::to(address);
    let there = format!("nats://{address}");
    let advertised = proxy.address.to_string();
    let b = Node::start_with(Midge, "b", &[a.routes], &["--cluster", &there, "--cluster_advertise", &advertised]);
    // It is told of to c, which dials it.
    expect_link(&c, &b);
    expect_link(&b, &c);
    assert_eq!(proxy.accepted(), 1);
    wait_mesh(&[&a, &b, &c]);
}

#[test]
fn a_route_to_oneself_is_dropped_and_not_tried_again() {
    let own = free_address();
    let address = format!("nats://{own}");
    let a = Node::start_with(Midge, "a", &[own], &["--cluster", &address, "-D"]);
    a.process.wait_log_times("Router connection closed: Duplicate Route", 2);
    // A peer comes and goes meanwhile, and the route is tried no more.
    let b = Node::midge("b", &[a.routes]);
    expect_link(&a, &b);
    drop(b);
    a.process.wait_log("Client Closed");
    let dialled = a.process.log().matches("Trying to connect to route").count();
    assert_eq!(dialled, 1, "{}", a.process.log());
    a.expect_no_complaints();
}

#[test]
fn a_second_server_of_the_same_name_is_refused() {
    let a = Node::midge("same", &[]);
    let b = Node::midge("same", &[a.routes]);
    a.process.wait_log("duplicate name");
    a.process.wait_log("Duplicate Server Name");
    let mut client = a.client();
    assert_eq!(client.urls(), [""; 0]);
    b.client().subscribe("here");
    assert!(!client.is_wanted("here"));
}

#[test]
fn a_server_of_another_cluster_is_refused_until_it_is_of_ours() {
    let a = Node::midge("a", &[]);
    let b = Node::start_with(Midge, "b", &[a.routes], &["--cluster_name", "C2"]);
    for node in [&a, &b] {
        node.process.wait_log("does not match");
    }
    a.process.wait_log("Cluster Name Conflict");
    let mut client = a.client();
    b.client().subscribe("here");
    assert!(!client.is_wanted("here"));
    let b = Node::midge("b", &[a.routes]);
    expect_link(&a, &b);
}

#[test]
fn a_client_that_comes_to_the_port_of_routes_is_told_so() {
    let a = Node::midge("a", &[]);
    let mut client = RoutePeer::dial(a.routes);
    client.send("CONNECT {\"verbose\":false,\"lang\":\"rust\",\"version\":\"1.0\"}\r\nPING\r\n");
    let said = client.rest();
    assert!(said.contains(&"-ERR 'attempted to connect to route port'".to_owned()), "{said:?}");
    a.process.wait_log("Incorrect Port");
}

#[test]
fn a_name_of_a_route_is_looked_up_at_each_try_until_somebody_is_there() {
    let address = free_address();
    let routes = format!("nats://localhost:{}", address.port());
    let a = Node::start_with(Midge, "a", &[], &["--routes", &routes, "-D"]);
    a.process.wait_log_times("Error trying to connect to route", 2);
    let mut client = a.client();
    let there = format!("nats://{address}");
    let b = Node::start_with(Midge, "b", &[], &["--cluster", &there]);
    let came = Instant::now();
    client.wait_info("with b", |info| super::client::urls(info).contains(&b.process.address().to_string()));
    assert!(came.elapsed() < Duration::from_secs(5), "{:?}", came.elapsed());
    expect_link(&a, &b);
}

#[test]
fn what_is_said_of_a_lame_duck_reaches_clients_of_others_before_it_ends() {
    let a = Node::midge("a", &[]);
    let mut b = Node::midge("b", &[a.routes]);
    let mut client = a.wait_servers(2);
    b.process.signal("USR2");
    client.wait_info("a alone", |info| super::client::urls(info) == [a.process.address().to_string()]);
    // It still carries messages.
    let mut staying = a.client();
    staying.flush();
    b.process.signal("TERM");
    b.process.wait_end();
}
