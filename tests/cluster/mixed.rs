//! Clusters of midge and official servers, which have their default settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::client::{Client, Message, unique};
use super::membership::free_address;
use super::node::Kind::{self, Midge, Official};
use super::node::{Folder, Node, has_official, wait_mesh};

/// Who is in a cluster of three. The first one is the only one that the others are told of.
const MIXES: [[Kind; 3]; 6] = [
    [Midge, Midge, Official],
    [Official, Midge, Midge],
    [Midge, Official, Midge],
    [Official, Official, Midge],
    [Midge, Official, Official],
    [Official, Midge, Official],
];

/// Starts a cluster, and waits until all know each other.
fn start(kinds: &[Kind]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for (at, &kind) in kinds.iter().enumerate() {
        let seeds: Vec<SocketAddr> = nodes.first().map(|first| first.routes).into_iter().collect();
        nodes.push(Node::start(kind, &format!("node{at}"), &seeds));
    }
    wait_mesh(&nodes.iter().collect::<Vec<_>>());
    nodes
}

/// Each ordered pair.
fn pairs(nodes: &[Node]) -> impl Iterator<Item = (&Node, &Node)> {
    let other = |from: usize, to: usize| (from != to).then(|| (&nodes[from], &nodes[to]));
    (0..nodes.len()).flat_map(move |from| (0..nodes.len()).filter_map(move |to| other(from, to)))
}

/// All that clients of two servers may want of each other.
fn exchange(from: &Node, to: &Node) {
    let name = format!("exchange.{}", unique());
    let (mut publisher, mut subscriber) = (from.client(), to.client());
    for subject in [".plain", ".*.two", ".deep.>", ".work group"] {
        subscriber.subscribe(&format!("{name}{subject}"));
    }
    subscriber.known_to(&mut publisher);

    publisher.publish(&format!("{name}.plain"), "1");
    subscriber.expect(&format!("{name}.plain"), "1");
    publisher.publish(&format!("{name}.one.two"), "2");
    subscriber.expect(&format!("{name}.one.two"), "2");
    publisher.publish(&format!("{name}.deep.er.and.deeper"), "");
    subscriber.expect(&format!("{name}.deep.er.and.deeper"), "");
    publisher.request(&format!("{name}.work"), "answer.to", "3");
    assert_eq!(subscriber.expect(&format!("{name}.work"), "3").reply, "answer.to");
    // Both subscriptions get it, and each once.
    publisher.publish(&format!("{name}.deep.two"), "4");
    let both = [subscriber.message(), subscriber.message()];
    assert!(both.iter().all(|message| message.payload == "4") && both[0].sid != both[1].sid, "{both:?}");

    publisher.send(format!("HPUB {name}.plain 20 23\r\nNATS/1.0\r\nKey: v\r\n\r\nabc\r\n"));
    assert_eq!(subscriber.expect(&format!("{name}.plain"), "abc").headers, "NATS/1.0\r\nKey: v");
    publisher.send(format!("HPUB {name}.work re.ply 20 20\r\nNATS/1.0\r\nKey: v\r\n\r\n\r\n"));
    assert_eq!(subscriber.expect(&format!("{name}.work"), "").headers, "NATS/1.0\r\nKey: v");

    let large = "x".repeat(1 << 20);
    publisher.publish(&format!("{name}.plain"), &large);
    subscriber.expect(&format!("{name}.plain"), &large);
    few(&name, &mut publisher, &mut subscriber);
    request(&name, &mut publisher, &mut subscriber);
    publisher.publish(&format!("{name}.unknown"), "x");
    publisher.flush();
    subscriber.expect_nothing();
}

/// A subscription that ends by itself.
fn few(name: &str, publisher: &mut Client, subscriber: &mut Client) {
    let subject = format!("{name}.few");
    subscriber.send(format!("SUB {subject} few\r\nUNSUB few 3\r\n"));
    subscriber.known_to(publisher);
    for number in 0..5 {
        publisher.publish(&subject, &number.to_string());
    }
    (0..3).for_each(|number| drop(subscriber.expect(&subject, &number.to_string())));
    publisher.wait_unwanted(&subject);
    subscriber.expect_nothing();
}

/// Requests with one and with many answers, and with none.
fn request(name: &str, requester: &mut Client, responder: &mut Client) {
    let (service, inbox) = (format!("{name}.work"), format!("_INBOX.{name}"));
    requester.subscribe(&format!("{inbox}.*"));
    for round in 0..3 {
        requester.request(&service, &format!("{inbox}.{round}"), "?");
        let asked = responder.expect(&service, "?");
        for answer in 0..=round {
            // Interest in the inbox came before the request, so nothing is lost.
            responder.publish(&asked.reply, &format!("answer {answer}"));
        }
        for answer in 0..=round {
            requester.expect(&format!("{inbox}.{round}"), &format!("answer {answer}"));
        }
    }
    responder.unsubscribe(&format!("{service}/group"));
    requester.wait_unwanted(&service);
    requester.request(&service, &format!("{inbox}.late"), "?");
    let refusal = requester.message();
    assert!(refusal.is_no_responders() && refusal.subject == format!("{inbox}.late"), "{refusal:?}");
}

#[test]
fn official_and_midge_servers_carry_everything_between_all_of_three() {
    if !has_official() {
        return;
    }
    for kinds in MIXES {
        println!("{kinds:?}");
        let nodes = start(&kinds);
        for (from, to) in pairs(&nodes) {
            exchange(from, to);
        }
        nodes.iter().for_each(Node::expect_no_complaints);
    }
}

/// Publishes to a group from each server in turn; returns what each member got.
fn shares(nodes: &[Node], members: &mut [Client], messages: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for from in nodes {
        let mut publisher = from.client();
        for member in members.iter_mut() {
            member.known_to(&mut publisher);
        }
        let subject = "work.now";
        for number in 0..messages {
            publisher.publish(subject, &number.to_string());
        }
        publisher.flush();
        let end = format!("end.{}", unique());
        members.iter_mut().for_each(|member| member.subscribe(&end));
        members.iter_mut().for_each(|member| member.known_to(&mut publisher));
        publisher.publish(&end, "");
        let mut seen = BTreeMap::new();
        let mut counts = Vec::new();
        for member in members.iter_mut() {
            let mut last = None;
            let mut count = 0;
            loop {
                let Message { subject: got, payload, .. } = member.message();
                if got == end {
                    break;
                }
                let number: usize = payload.parse().expect("a number");
                assert!(last < Some(number), "{number} after {last:?}");
                last = Some(number);
                *seen.entry(number).or_insert(0) += 1;
                count += 1;
            }
            counts.push(count);
        }
        assert!(seen.len() == messages && seen.values().all(|&times| times == 1), "each message once");
        all.push(counts);
    }
    all
}

#[test]
fn official_and_midge_servers_share_out_the_messages_of_a_group() {
    if !has_official() {
        return;
    }
    for kinds in [[Midge, Midge, Official], [Midge, Official, Official], [Midge, Midge, Midge]] {
        let nodes = start(&kinds);
        let mut members: Vec<Client> = nodes.iter().map(Node::client).collect();
        members.iter_mut().for_each(|member| member.subscribe("work.* group"));
        let shares = shares(&nodes, &mut members, 3000);
        println!("{kinds:?}: {shares:?}");
        // A third each, with six times the deviation to be expected.
        let is_fair = |&count: &usize| (845..=1155).contains(&count);
        assert!(shares.iter().flatten().all(is_fair), "{kinds:?}: {shares:?}");
    }
}

#[test]
fn official_and_midge_servers_share_out_by_the_number_of_members() {
    if !has_official() {
        return;
    }
    check_shares_of_members(&[[Midge, Official], [Official, Midge]]);
}

#[test]
fn a_message_from_another_server_is_as_likely_for_each_of_the_members_here() {
    check_shares_of_members(&[[Midge, Midge]]);
}

fn check_shares_of_members(mixes: &[[Kind; 2]]) {
    for kinds in mixes {
        let nodes = start(kinds);
        let mut members: Vec<Client> = [0, 1, 1, 1].map(|at| nodes[at].client()).into();
        members.iter_mut().for_each(|member| member.subscribe("work.* group"));
        let shares = shares(&nodes, &mut members, 2000);
        println!("{kinds:?}: {shares:?}");
        let is_fair = |&count: &usize| (384..=616).contains(&count);
        assert!(shares.iter().flatten().all(is_fair), "{kinds:?}: {shares:?}");
    }
}

#[test]
fn official_and_midge_servers_keep_accounts_apart() {
    if !has_official() {
        return;
    }
    let folder = Folder::new();
    let file = folder.write(
        "accounts.conf",
        "accounts { A { users: [{user: a, password: a}] }, B { users: [{user: b, password: b}] } }\n",
    );
    for kinds in [[Midge, Official, Official], [Official, Midge, Midge]] {
        let mut nodes: Vec<Node> = Vec::new();
        for (at, &kind) in kinds.iter().enumerate() {
            let seeds: Vec<SocketAddr> = nodes.first().map(|first| first.routes).into_iter().collect();
            nodes.push(Node::start_with(kind, &format!("node{at}"), &seeds, &["-c", &file]));
        }
        let user = |node: &Node, name: &str| {
            Client::connect_with(node.process.address(), &format!(",\"user\":\"{name}\",\"pass\":\"{name}\""))
        };
        for (from, to) in pairs(&nodes) {
            let (mut a, mut b) = (user(to, "a"), user(to, "b"));
            let (mut from_a, mut from_b) = (user(from, "a"), user(from, "b"));
            a.subscribe("same");
            b.subscribe("same");
            b.subscribe("only.b");
            a.known_to(&mut from_a);
            b.known_to(&mut from_b);
            from_a.publish("same", "of a");
            from_b.publish("same", "of b");
            a.expect("same", "of a");
            b.expect("same", "of b");
            assert!(!from_a.is_wanted("only.b"));
            a.expect_nothing();
            b.expect_nothing();
        }
        nodes.iter().for_each(Node::expect_no_complaints);
    }
}

#[test]
fn official_and_midge_servers_find_each_other_again_after_a_kill() {
    if !has_official() {
        return;
    }
    for kinds in [[Midge, Official, Official], [Official, Midge, Midge], [Midge, Midge, Official]] {
        let mut nodes = start(&kinds);
        for at in 0..nodes.len() {
            println!("{kinds:?}: {at}");
            nodes[at..].rotate_left(1);
            let killed = nodes.pop().expect("a node");
            let restarted = killed.restart();
            nodes.insert(at, restarted);
            wait_mesh(&nodes.iter().collect::<Vec<_>>());
            for (from, to) in pairs(&nodes) {
                exchange(from, to);
            }
        }
    }
}

#[test]
fn official_and_midge_servers_tell_their_clients_of_a_lame_duck() {
    if !has_official() {
        return;
    }
    for kinds in [[Midge, Official], [Official, Midge], [Midge, Midge]] {
        let nodes = start(&kinds);
        let ducks_address = nodes[1].process.address().to_string();
        let others_address = nodes[0].process.address().to_string();
        let mut client = nodes[0].wait_servers(2);
        let mut ducks_client = nodes[1].wait_servers(2);
        nodes[1].process.signal("USR2");
        client.wait_info("without the lame duck", |info| !super::client::urls(info).contains(&ducks_address));
        assert_eq!(client.urls(), std::slice::from_ref(&others_address));
        ducks_client.wait_info("lame duck", |info| info["ldm"] == true);
        if kinds[1] == Midge {
            assert_eq!(ducks_client.urls(), [others_address], "where to go");
        }
    }
}

/// A server of the kind that has streams, with its own folder for them.
fn start_keeper(name: &str, folder: &Folder, cluster: &str, routes: &[SocketAddr]) -> Node {
    let urls: Vec<String> = routes.iter().map(|address| format!("nats://{address}")).collect();
    let place = folder.path(name);
    let args =
        ["-n", name, "-js", "-sd", &place, "--cluster_name", "C1", "--cluster", cluster, "--routes", &urls.join(",")];
    Node::run(Official, &args)
}

#[test]
fn official_servers_with_streams_stay_healthy_and_acknowledge_what_a_client_of_midge_publishes() {
    if !has_official() {
        return;
    }
    let folder = Folder::new();
    // The size of such a cluster is what its members' routes say: midge is in the middle, and in nobody's list.
    let ports: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
    let keepers: Vec<Node> = (0..3)
        .map(|at| start_keeper(&format!("keeper{at}"), &folder, &format!("nats://{}", ports[at]), &ports))
        .collect();
    let midge = Node::midge("midge", &[ports[1]]);
    let nodes: Vec<&Node> = keepers.iter().chain([&midge]).collect();
    wait_mesh(&nodes);
    keepers.iter().for_each(|keeper| drop(keeper.process.wait_log("metadata leader")));

    let mut admin = keepers[0].client();
    admin.subscribe("admin.*");
    let stream = r#"{"name":"ORDERS","subjects":["orders.>"],"num_replicas":3,"storage":"file","retention":"limits"}"#;
    // A leader that is new does not know yet who is there.
    let mut created = ask(&mut admin, "$JS.API.STREAM.CREATE.ORDERS", stream);
    for _ in 0..100 {
        if !created.contains("no suitable peers") {
            break;
        }
        thread::sleep(Duration::from_millis(100));
        created = ask(&mut admin, "$JS.API.STREAM.CREATE.ORDERS", stream);
    }
    assert!(created.contains("\"num_replicas\":3") && !created.contains("\"error\""), "{created}");

    let mut client = midge.client();
    client.subscribe("_INBOX.mine.*");
    client.wait_wanted("orders.first");
    for number in 0..20 {
        client.request("orders.new", &format!("_INBOX.mine.{number}"), "an order");
        let acknowledged = client.take(&format!("_INBOX.mine.{number}"));
        assert!(acknowledged.payload.contains("\"stream\":\"ORDERS\""), "{acknowledged:?}");
        assert!(acknowledged.payload.contains("\"seq\":"), "{acknowledged:?}");
    }
    let known = ask(&mut admin, "$JS.API.STREAM.INFO.ORDERS", "");
    let known: serde_json::Value = serde_json::from_str(&known).expect("JSON");
    assert!(known["state"]["messages"].as_u64() >= Some(20), "{known}");
    let replicas = known["cluster"]["replicas"].as_array().expect("replicas");
    assert!(replicas.len() == 2 && replicas.iter().all(|replica| replica["offline"] != true), "{known}");
    midge.expect_no_complaints();
}

/// Asks the API of streams until it is there to answer.
fn ask(client: &mut Client, subject: &str, document: &str) -> String {
    client.wait_wanted(subject);
    let inbox = format!("admin.{}", unique());
    loop {
        client.request(subject, &inbox, document);
        let answer = client.message();
        if answer.subject == inbox {
            return answer.payload;
        }
    }
}
