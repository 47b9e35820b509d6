//! What a user may do, and what one gets who may not get everything.

use super::login::{connect, say_first, world};
use super::world::World;

/// A world with a user `u` who may do this, and `all` who may do everything.
fn with(permissions: &str) -> World {
    world(&format!("authorization {{ users: [{{user: u, permissions: {{{permissions}}}}}, {{user: all}}] }}"))
}

/// A client that is this user, on the given worker, and takes 503s.
fn user(world: &mut World, worker: usize, name: &str) -> usize {
    let peer = world.accept(worker);
    world.say(peer, &connect(&format!(",\"user\":\"{name}\",\"headers\":true,\"no_responders\":true")));
    assert!(world.hear(peer).contains("PONG\r\nINFO "));
    peer
}

fn publish_error(subject: &str) -> String {
    format!("-ERR 'Permissions Violation for Publish to \"{subject}\"'\r\n")
}

fn subscribe_error(subject: &str) -> String {
    format!("-ERR 'Permissions Violation for Subscription to \"{subject}\"'\r\n")
}

#[test]
fn a_refused_message_is_read_and_the_next_one_is_served() {
    let mut world = with("publish: { allow: [foo, 'a.>'], deny: a.no }");
    let reader = user(&mut world, 1, "all");
    world.say(reader, "SUB > 1\r\n");
    let peer = user(&mut world, 0, "u");
    let refused = "PUB bar 2\r\nhi\r\nPUB a.no 2\r\nhi\r\nPUB a 2\r\nhi\r\n";
    world.say(peer, &format!("PUB foo 1\r\n1\r\n{refused}PUB foo 1\r\n2\r\nPUB a.b r 1\r\n3\r\n{refused}PING\r\n"));
    let errors: String = ["bar", "a.no", "a", "bar", "a.no", "a"].map(publish_error).concat();
    assert_eq!(world.hear(peer), errors + "PONG\r\n");
    assert_eq!(world.hear(reader), "MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\nMSG a.b 1 r 1\r\n3\r\n");
    let traffic = world.brokers[0].client(world.peers[peer].key).unwrap().traffic;
    assert_eq!((traffic.in_messages, traffic.in_bytes), (9, 15), "what is refused counts too");
}

#[test]
fn a_verbose_client_gets_no_okay_for_what_is_refused() {
    let mut world = with("publish: foo, subscribe: foo");
    let (peer, _) = say_first(&mut world, "CONNECT {\"user\":\"u\"}\r\n");
    world.say(peer, "PUB bar 0\r\n\r\nPUB foo 0\r\n\r\nSUB bar 1\r\nSUB foo 1\r\n");
    assert_eq!(world.hear(peer), publish_error("bar") + "+OK\r\n" + &subscribe_error("bar") + "+OK\r\n");
}

#[test]
fn one_user_does_not_pay_for_what_another_may() {
    let mut world = with("publish: foo");
    let (all, peer) = (user(&mut world, 0, "all"), user(&mut world, 0, "u"));
    for _ in 0..3 {
        world.say(all, "PUB bar 0\r\n\r\nPUB foo 0\r\n\r\n");
        world.say(peer, "PUB bar 0\r\n\r\nPUB foo 0\r\n\r\n");
        assert_eq!(world.hear(peer), publish_error("bar"));
        assert_eq!(world.hear(all), "");
    }
}

#[test]
fn runs_of_messages_to_many_are_looked_at_too() {
    let mut world = with("publish: foo");
    let readers: Vec<usize> = (0..6).map(|_| user(&mut world, 0, "all")).collect();
    readers.iter().for_each(|&reader| world.say(reader, "SUB * 1\r\n"));
    let peer = user(&mut world, 0, "u");
    world.say(peer, &"PUB foo 1\r\nx\r\nPUB foo 1\r\ny\r\nPUB bar 1\r\nz\r\n".repeat(2));
    assert_eq!(world.hear(peer), publish_error("bar").repeat(2));
    for reader in readers {
        assert_eq!(world.hear(reader), "MSG foo 1 1\r\nx\r\nMSG foo 1 1\r\ny\r\n".repeat(2));
    }
}

#[test]
fn a_refused_subscription_leaves_its_sid_free() {
    let mut world = with("subscribe: { allow: ['foo.*', 'q v1.*'], deny: foo.no }");
    let peer = user(&mut world, 0, "u");
    world.say(peer, "SUB foo.> 1\r\nSUB foo.no 1\r\nSUB q 1\r\nSUB q v2.a 1\r\nSUB foo.a 1\r\nPUB foo.a 0\r\n\r\n");
    let queue = "-ERR 'Permissions Violation for Subscription to \"q\" using queue \"v2.a\"'\r\n";
    let errors = ["foo.>", "foo.no", "q"].map(subscribe_error).concat() + queue;
    assert_eq!(world.hear(peer), errors + "MSG foo.a 1 0\r\n\r\n");
    world.say(peer, "SUB q v1.a 2\r\nPUB q 0\r\n\r\n");
    assert_eq!(world.hear(peer), "MSG q 2 0\r\n\r\n");
}

#[test]
fn denied_messages_are_withheld_from_wider_subscriptions() {
    for publisher_worker in [0, 1] {
        let mut world = with("subscribe: { deny: ['no.>', 'foo dq'] }");
        let peer = user(&mut world, 0, "u");
        let publisher = user(&mut world, publisher_worker, "all");
        world.say(peer, "SUB > 1\r\nSUB > dq 2\r\nSUB a 3\r\n");
        world.say(publisher, "SUB r 9\r\nPUB no.x r 0\r\n\r\nPUB no 0\r\n\r\nPUB foo 0\r\n\r\nPUB a 0\r\n\r\n");
        let heard = world.hear(peer);
        let mut lines: Vec<&str> = heard.split("\r\n\r\n").filter(|line| !line.is_empty()).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["MSG a 1 0", "MSG a 2 0", "MSG a 3 0", "MSG foo 1 0", "MSG no 1 0", "MSG no 2 0"]);
        if publisher_worker == 0 {
            let answer = world.hear(publisher);
            assert!(answer.starts_with("HMSG r 9 36 36\r\nNATS/1.0 503\r\n"), "withheld is not delivered: {answer}");
        }
    }
}

#[test]
fn of_a_group_another_member_gets_what_is_withheld_from_one() {
    let mut world = with("subscribe: { deny: no.x }");
    let (peer, other) = (user(&mut world, 0, "u"), user(&mut world, 0, "all"));
    world.say(peer, "SUB no.* g 1\r\n");
    world.say(other, "SUB no.* g 1\r\n");
    world.say(other, &"PUB no.x 0\r\n\r\n".repeat(20));
    assert_eq!(world.hear(other), "MSG no.x 1 0\r\n\r\n".repeat(20));
    assert_eq!(world.hear(peer), "");
}

#[test]
fn a_reply_may_be_published_as_often_and_as_long_as_was_granted() {
    let mut world =
        with("subscribe: svc, publish: { allow: ok, deny: '_INBOX.>' }, allow_responses: { max: 2, ttl: '1s' }");
    let (service, client) = (user(&mut world, 0, "u"), user(&mut world, 1, "all"));
    world.say(service, "SUB svc 1\r\nPUB _INBOX.1 0\r\n\r\nPUB ok 0\r\n\r\n");
    assert_eq!(world.hear(service), publish_error("_INBOX.1"));
    world.say(client, "SUB _INBOX.> 1\r\nPUB svc _INBOX.1 0\r\n\r\nPUB svc ok 0\r\n\r\n");
    world.hear(service);
    world.say(service, &"PUB _INBOX.1 1\r\nx\r\n".repeat(3));
    assert_eq!(world.hear(service), publish_error("_INBOX.1"));
    assert_eq!(world.hear(client), "MSG _INBOX.1 1 1\r\nx\r\n".repeat(2));
    // Once used up, a new request grants anew; time ends it too.
    world.say(client, "PUB svc _INBOX.1 0\r\n\r\nPUB svc _INBOX.2 0\r\n\r\n");
    world.hear(service);
    world.pass(999);
    world.say(service, "PUB _INBOX.1 1\r\ny\r\n");
    world.pass(1);
    world.say(service, "PUB _INBOX.1 1\r\ny\r\nPUB _INBOX.2 1\r\ny\r\n");
    let heard = world.hear(service).replace("PING\r\n", "");
    assert_eq!(heard, publish_error("_INBOX.1") + &publish_error("_INBOX.2"));
    assert_eq!(world.hear(client).replace("PING\r\n", ""), "MSG _INBOX.1 1 1\r\ny\r\n");
}

/// The official server lets a second request with the same reply use up one of the replies.
#[test]
fn a_repeated_request_uses_nothing_up() {
    let mut world = with("allow_responses: { max: 3 }");
    let (service, client) = (user(&mut world, 0, "u"), user(&mut world, 0, "all"));
    world.say(service, "SUB svc 1\r\n");
    world.say(client, "SUB r 1\r\nPUB svc r 0\r\n\r\nPUB svc r 0\r\n\r\n");
    world.hear(service);
    world.say(service, &"PUB r 0\r\n\r\n".repeat(4));
    assert_eq!(world.hear(service), publish_error("r"));
    assert_eq!(world.hear(client), "MSG r 1 0\r\n\r\n".repeat(3));
}

#[test]
fn a_reader_that_is_watched_slows_its_publishers_like_any_other() {
    let mut world = world(
        "max_payload: 1000, max_pending: 100000\nauthorization { users: [{user: u, permissions: {sub: {deny: no.x}}}, {user: all}] }",
    );
    let (reader, publisher) = (user(&mut world, 0, "u"), user(&mut world, 0, "all"));
    world.say(reader, "SUB > 1\r\n");
    world.make_room(reader, 0);
    let message = format!("PUB x 1000\r\n{}\r\n", "m".repeat(1000));
    world.say(publisher, &message.repeat(80));
    let key = world.peers[publisher].key;
    assert!(!world.brokers[0].wants_input(key), "it is held back");
    assert!(world.brokers[0].client(world.peers[reader].key).is_some());
}
