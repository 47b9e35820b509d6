//! What accounts have to do with each other, and what the server itself answers.

use super::login::world;
use super::world::World;
use crate::broker::system::{Answer, Kind};
use std::sync::Arc;
use std::time::Duration;

const ACCOUNTS: &str = "accounts {
  E { users: [{user: e}, {user: mute, permissions: {publish: other, allow_responses: true}}]
      exports: [{stream: 's.>'}, {service: 'q.*', threshold: 1s}, {service: 'many.*', response: stream}]
      imports: [{service: {account: F, subject: deep}, to: 'q.chain'}] }
  F { users: [{user: f}], exports: [{service: deep}] }
  I { users: [{user: i}]
      imports: [{stream: {account: E, subject: 's.>'}, prefix: p}, {service: {account: E, subject: 'q.*'}}
                {service: {account: S, subject: '$SYS.REQ.SERVER.PING.IDZ'}, to: who}
                {service: {account: E, subject: 'many.*'}}, {service: {account: E, subject: 'q.*'}, to: 'shared.*', share: true}] }
  S { users: [{user: s}], exports: [{service: '$SYS.REQ.SERVER.PING.IDZ', accounts: [I]}] }
}
system_account: S";

fn user(world: &mut World, worker: usize, name: &str) -> usize {
    world.client(worker, &format!(",\"headers\":true,\"no_responders\":true,\"user\":\"{name}\""))
}

/// The reply subject of the request that came.
fn reply_of(heard: &str) -> String {
    let reply = heard.split_whitespace().nth(3).unwrap_or_default();
    assert!(heard.starts_with("HMSG ") && reply.starts_with("_R_.") && reply.len() == 17, "{heard}");
    reply.to_owned()
}

/// Every pair of workers.
const PLACES: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

#[test]
fn a_stream_is_heard_by_importers_on_every_worker() {
    for (publisher, importer) in PLACES {
        let mut world = world(ACCOUNTS);
        let (e, i) = (user(&mut world, publisher, "e"), user(&mut world, importer, "i"));
        world.say(i, "SUB p.s.* 1\r\n");
        world.say(e, "SUB s.a 1\r\nPUB s.a r 1\r\nx\r\n");
        assert_eq!(world.hear(i), "MSG p.s.a 1 r 1\r\nx\r\n");
        assert_eq!(world.hear(e), "MSG s.a 1 r 1\r\nx\r\n");
        world.say(i, "UNSUB 1\r\n");
        world.say(e, "PUB s.a 1\r\nx\r\n");
        assert_eq!((world.hear(i), world.hear(e)), (String::new(), "MSG s.a 1 1\r\nx\r\n".to_owned()));
    }
}

#[test]
fn one_member_of_a_group_in_two_accounts_gets_a_message() {
    for (publisher, importer) in PLACES {
        let mut world = world(ACCOUNTS);
        let (e, i) = (user(&mut world, publisher, "e"), user(&mut world, importer, "i"));
        world.say(i, "SUB p.s.a g 1\r\n");
        world.say(e, "SUB s.a g 1\r\n");
        world.say(e, &"PUB s.a 0\r\n\r\n".repeat(100));
        let (own, other) =
            (world.hear(e).matches("MSG s.a 1 0").count(), world.hear(i).matches("MSG p.s.a 1 0").count());
        assert_eq!(own + other, 100);
        assert!(own > 20 && other > 20, "{own} {other}");
    }
}

#[test]
fn a_request_is_answered_from_another_account_once() {
    for (asker, service) in PLACES {
        let mut world = world(ACCOUNTS);
        let (i, e) = (user(&mut world, asker, "i"), user(&mut world, service, "e"));
        world.say(e, "SUB q.* 1\r\n");
        world.say(i, "SUB r 1\r\nPUB q.a r 2\r\nhi\r\n");
        let heard = world.hear(e);
        assert!(
            heard.contains("\r\nNats-Request-Info: {\"acc\":\"I\"") && heard.ends_with("\r\n\r\nhi\r\n"),
            "{heard}"
        );
        let reply = reply_of(&heard);
        world.say(e, &format!("PUB {reply} 3\r\nyes\r\nPUB {reply} 2\r\nno\r\n"));
        assert_eq!((world.hear(i), world.hear(e)), ("MSG r 1 3\r\nyes\r\n".to_owned(), String::new()));
    }
}

#[test]
fn several_answers_come_until_the_empty_one_and_the_asker_is_there() {
    for (asker, service) in PLACES {
        let mut world = world(ACCOUNTS);
        let (i, e) = (user(&mut world, asker, "i"), user(&mut world, service, "e"));
        world.say(e, "SUB many.* 1\r\n");
        let ask = |world: &mut World| {
            world.say(i, "SUB r 1\r\nPUB many.a r 0\r\n\r\n");
            reply_of(&world.hear(e))
        };
        let reply = ask(&mut world);
        let answer = |text: &str| format!("PUB {reply} {}\r\n{text}\r\n", text.len());
        world.say(e, &["1", "2", "", "3"].map(answer).concat());
        assert_eq!(world.hear(i), "MSG r 1 1\r\n1\r\nMSG r 1 1\r\n2\r\nMSG r 1 0\r\n\r\n");
        let reply = ask(&mut world);
        world.end(i);
        world.say(e, &format!("SUB r 9\r\nPUB {reply} r 1\r\nx\r\n"));
        assert!(asker != service || world.hear(e).contains("503"), "nobody waits any more");
    }
}

#[test]
fn an_answer_that_is_late_or_made_up_reaches_nobody() {
    let mut world = world(ACCOUNTS);
    let (i, e, f) = (user(&mut world, 0, "i"), user(&mut world, 0, "e"), user(&mut world, 0, "f"));
    world.say(e, "SUB q.* 1\r\nSUB x 2\r\n");
    world.say(i, "SUB r 1\r\nPUB q.a r 0\r\n\r\n");
    let reply = reply_of(&world.hear(e));
    for forged in [&reply[..16], "_R_.abcdef.ghijkl", &format!("{}zz{}", &reply[..4], &reply[6..])] {
        world.say(e, &format!("PUB {forged} 1\r\nx\r\n"));
    }
    world.say(f, &format!("PUB {reply} 1\r\nx\r\n"));
    assert_eq!(world.hear(i), "", "not theirs to answer");
    world.set_now(world.now + Duration::from_secs(2).as_millis() as u64);
    world.say(e, &format!("PUB {reply} 1\r\nx\r\n"));
    assert_eq!(world.hear(i).replace("PING\r\n", ""), "", "too late");
}

#[test]
fn a_service_may_ask_another_one() {
    let mut world = world(ACCOUNTS);
    let (i, f) = (user(&mut world, 0, "i"), user(&mut world, 1, "f"));
    world.say(f, "SUB deep 1\r\n");
    world.say(i, "SUB r 1\r\nPUB q.chain r 0\r\n\r\n");
    let heard = world.hear(f);
    assert!(heard.contains("{\"acc\":\"I\",\"svc\":\"E\""), "{heard}");
    world.say(f, &format!("PUB {} 2\r\nok\r\n", reply_of(&heard)));
    assert_eq!(world.hear(i), "MSG r 1 2\r\nok\r\n");
}

#[test]
fn who_answers_is_told_who_asks_if_that_is_shared_and_nobody_else_says_so() {
    let mut world = world(ACCOUNTS);
    let (i, e) = (user(&mut world, 0, "i"), user(&mut world, 0, "e"));
    world.say(e, "SUB q.* 1\r\n");
    world.say(i, "HPUB shared.a 44 44\r\nNATS/1.0\r\nNats-Request-Info: {\"acc\":\"X\"}\r\n\r\n\r\n");
    let heard = world.hear(e);
    assert!(heard.contains("\"acc\":\"I\",\"user\":\"i\"") && heard.contains("\"kind\":\"Client\""), "{heard}");
    assert!(!heard.contains("\"X\""), "{heard}");
}

#[test]
fn answers_are_granted_like_other_replies() {
    let mut world = world(ACCOUNTS);
    let (i, e) = (user(&mut world, 0, "i"), user(&mut world, 1, "mute"));
    world.say(e, "SUB q.* 1\r\n");
    world.say(i, "SUB r 1\r\nPUB q.a r 0\r\n\r\n");
    let reply = reply_of(&world.hear(e));
    world.say(e, &format!("PUB {reply} 1\r\n1\r\nPUB {reply} 1\r\n2\r\n"));
    assert_eq!(world.hear(e), format!("-ERR 'Permissions Violation for Publish to \"{reply}\"'\r\n"));
    assert_eq!(world.hear(i), "MSG r 1 1\r\n1\r\n");
}

#[test]
fn a_reload_changes_what_is_imported_and_mapped() {
    let mut world = world(ACCOUNTS);
    let (e, i) = (user(&mut world, 0, "e"), user(&mut world, 1, "i"));
    world.say(i, "SUB > 1\r\n");
    world.say(e, "SUB q.* 1\r\nPUB s.a 0\r\n\r\n");
    assert_eq!(world.hear(i), "MSG p.s.a 1 0\r\n\r\n");
    let text = "accounts { E { users: [{user: e}], exports: [{service: 'q.*'}], mappings { 's.*': 'q.$1' } }
        I { users: [{user: i}], imports: [{service: {account: E, subject: 'q.*'}, to: 'new.*'}] } }
        system_account: S";
    let options = Arc::new(super::login::options(text));
    for worker in 0..2 {
        world.order(worker, |broker| broker.adopt(Arc::clone(&options)));
    }
    world.say(e, "PUB s.a 0\r\n\r\n");
    assert_eq!((world.hear(i), world.hear(e)), (String::new(), "MSG q.a 1 0\r\n\r\n".to_owned()));
    world.say(i, "PUB q.a 0\r\n\r\nPUB new.b 0\r\n\r\n");
    assert!(world.hear(e).starts_with("HMSG q.b 1 "));
}

#[test]
fn a_client_is_told_who_it_is() {
    let mut world = world(ACCOUNTS);
    let e = user(&mut world, 1, "mute");
    world.say(e, "SUB r 1\r\nSUB other 2\r\nPUB $SYS.REQ.USER.INFO r 0\r\n\r\n");
    assert!(world.hear(e).contains("Permissions Violation"), "only who may publish there may ask");
    let i = user(&mut world, 1, "i");
    world.say(i, "SUB r 1\r\nPUB $SYS.REQ.USER.INFO r 0\r\n\r\n");
    let heard = world.hear(i);
    let data = "\"data\":{\"user\":\"i\",\"account\":\"I\",\"account_name\":\"I\"}}\r\n";
    assert!(heard.starts_with("MSG r 1 ") && heard.ends_with(data), "{heard}");
    world.say(i, "UNSUB 1\r\nPUB $SYS.REQ.USER.INFO 0\r\n\r\nPUB $SYS.REQ.USER.INFO r 0\r\n\r\n");
    assert_eq!(world.hear(i), "");
}

#[test]
fn a_document_is_asked_for_and_comes_back() {
    for worker in [0, 1] {
        let mut world = world(ACCOUNTS);
        let (s, i) = (user(&mut world, worker, "s"), user(&mut world, worker, "i"));
        world.say(s, "SUB r 1\r\nPUB $SYS.REQ.SERVER.PING.VARZ r 2\r\n{}\r\nPUB $SYS.REQ.SERVER.PING.VARZ 2\r\n{}\r\n");
        world.say(i, "SUB r 1\r\nPUB $SYS.REQ.SERVER.PING.VARZ r 0\r\n\r\n");
        assert!(world.hear(i).contains("503"), "not in an ordinary account");
        let [(at, request)] = &world.requests[..] else { panic!("{:?}", world.requests) };
        assert_eq!((*at, request.kind, &request.body[..]), (worker, Kind::Page("/varz"), &b"{}"[..]));
        let (account, reply) = (request.account, request.reply.clone());
        let document = b"doc".to_vec();
        world.order(worker, |broker| broker.answered(Answer { account, reply, document }));
        assert_eq!((world.hear(s), world.hear(i)), ("MSG r 1 3\r\ndoc\r\n".to_owned(), String::new()));
        world.requests.clear();
        world.say(i, "PUB $SYS.REQ.ACCOUNT.PING.CONNZ r 0\r\n\r\n");
        assert_eq!(world.requests[0].1.of.as_deref(), Some("I"));
    }
}

#[test]
fn what_the_server_answers_can_be_imported_like_other_services() {
    let mut world = world(ACCOUNTS);
    let i = user(&mut world, 1, "i");
    world.say(i, "SUB r 1\r\nPUB who r 0\r\n\r\n");
    let [(1, request)] = &world.requests[..] else { panic!("{:?}", world.requests) };
    let (account, reply) = (request.account, request.reply.clone());
    assert!(request.kind == Kind::Idz && reply.starts_with(b"_R_."));
    for document in [b"doc".to_vec(), b"again".to_vec()] {
        let answer = Answer { account, reply: reply.clone(), document };
        world.order(1, |broker| broker.answered(answer));
    }
    assert_eq!(world.hear(i), "MSG r 1 3\r\ndoc\r\n");
}

#[test]
fn the_system_account_hears_of_comings_and_goings() {
    for (listener, client) in PLACES {
        let mut world = world(ACCOUNTS);
        let s = user(&mut world, listener, "s");
        world.say(
            s,
            "SUB $SYS.ACCOUNT.*.CONNECT 1\r\nSUB $SYS.ACCOUNT.I.DISCONNECT 2\r\nSUB $SYS.SERVER.*.CLIENT.> 3\r\n",
        );
        let i = user(&mut world, client, "i");
        let heard = world.hear(s);
        assert!(
            heard.starts_with("MSG $SYS.ACCOUNT.I.CONNECT 1 ") && heard.contains("\"acc\":\"I\",\"user\":\"i\""),
            "{heard}"
        );
        world.say(i, "PUB x 3\r\nabc\r\n");
        world.end(i);
        let heard = world.hear(s);
        assert!(heard.starts_with("MSG $SYS.ACCOUNT.I.DISCONNECT 2 "), "{heard}");
        let end =
            "\"sent\":{\"msgs\":1,\"bytes\":3},\"received\":{\"msgs\":0,\"bytes\":0},\"reason\":\"Client Closed\"}\r\n";
        assert!(heard.ends_with(end), "{heard}");
        let bad = world.accept(client);
        world.say(bad, "CONNECT {\"user\":\"nobody\"}\r\n");
        let heard = world.hear(s);
        assert!(heard.starts_with("MSG $SYS.SERVER.NID.CLIENT.AUTH.ERR 3 "), "{heard}");
        assert!(heard.contains("\"reason\":\"Authentication Failure\""), "{heard}");
    }
}
