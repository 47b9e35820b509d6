//! Which interest servers tell each other of.

use super::client::Client;
use super::members::{Member, Raw, pairs, routes, until};
use super::node::Kind;

const SUBJECTS: [&str; 4] = ["imp.a", "imp.no", "both.x", "exp.a"];

fn permissions(import: &str, export: &str) -> String {
    format!("permissions {{ import: {import}, export: {export} }}\n")
}

/// The usual ones.
fn limits() -> String {
    permissions("{ allow: [\"imp.>\", \"both.>\"], deny: \"imp.no\" }", "{ allow: [\"exp.>\", \"both.>\"] }")
}

/// A client that wants all subjects, and a word that is known when they are.
fn subscriber(member: &Member) -> Client {
    let mut client = member.node.client();
    for subject in SUBJECTS {
        client.subscribe(subject);
    }
    client.subscribe("both.last");
    client
}

/// Which of the subjects somebody wants, as a client sees it.
fn wanted(client: &mut Client) -> Vec<&'static str> {
    SUBJECTS.into_iter().filter(|subject| client.is_wanted(subject)).collect()
}

/// Waits until just these are.
fn wait_wanted(member: &Member, subjects: &[&str]) {
    let mut client = member.node.client();
    until(&format!("{subjects:?} and no others"), || wanted(&mut client) == subjects);
}

#[test]
fn interest_is_announced_and_taken_in_what_is_permitted() {
    for (dialling, dialled) in pairs() {
        let is_limited = |kind| if kind == Kind::Midge { limits() } else { String::new() };
        // Where both are midge, the one that dials has no limits.
        let there = Member::start(dialled, "there", &is_limited(dialled));
        let of_here = if dialled == Kind::Midge { String::new() } else { limits() };
        let here = Member::start(dialling, "here", &(of_here.clone() + &routes(&[there.url()])));
        here.wait_servers(2);
        let (limited, free) = if of_here.is_empty() { (&there, &here) } else { (&here, &there) };
        let mut of_limited = subscriber(limited);
        let mut of_free = free.node.client();
        of_free.wait_wanted("both.last");
        assert_eq!(wanted(&mut of_free), ["imp.a", "both.x"]);
        // Messages are none of its business: what both can have passes.
        of_free.publish("both.x", "hello");
        // What asked whether it is wanted came, too.
        while of_limited.message().payload != "hello" {}
        drop(of_limited);
        wait_wanted(free, &[]);
        let _subscriber = subscriber(free);
        wait_wanted(limited, &["both.x", "exp.a"]);
    }
}

#[test]
fn permissions_are_told_and_messages_are_none_of_their_business() {
    let here = Member::start(Kind::Midge, "here", &limits());
    let mut client = here.node.client();
    client.subscribe("imp.no");
    client.subscribe("imp.a");
    let mut raw = Raw::dial(here.node.routes);
    raw.introduce("");
    raw.line_with("RS+ $G imp.a");
    raw.send("RS+ $G other\r\nRS+ $G exp.a\r\nRMSG $G imp.no 2\r\nhi\r\n");
    client.expect("imp.no", "hi");
    client.wait_wanted("exp.a");
    assert!(!client.is_wanted("other"));
    here.wait_log("Can not export \"other\", ignoring remote subscription request");
    let mut other = Raw::dial(here.node.routes);
    let info = other.line_with("INFO ");
    let told = "\"import\":{\"allow\":[\"imp.>\",\"both.>\"],\"deny\":[\"imp.no\"]},\"export\":{\"allow\":[\"exp.>\",\"both.>\"]}";
    assert!(info.contains(told), "{info}");
}

#[test]
fn a_reload_of_permissions_takes_and_gives_interest() {
    for (dialling, dialled) in pairs() {
        let mut there = Member::start(dialled, "there", "");
        let at = routes(&[there.url()]);
        let mut here = Member::start(dialling, "here", &at);
        here.wait_servers(2);
        // The one that is limited is midge.
        let (limited, free, more) = match dialled {
            Kind::Midge => (&mut there, &here, String::new()),
            Kind::Official => (&mut here, &there, at.clone()),
        };
        let of_free = subscriber(free);
        wait_wanted(limited, &SUBJECTS);
        limited.reload(&(limits() + &more));
        wait_wanted(limited, &["both.x", "exp.a"]);
        limited.reload(&(permissions("\">\"", "\"imp.>\"") + &more));
        wait_wanted(limited, &["imp.a", "imp.no"]);
        limited.reload(&more);
        wait_wanted(limited, &SUBJECTS);
        drop(of_free);
        wait_wanted(limited, &[]);
        let _of_limited = subscriber(limited);
        wait_wanted(free, &SUBJECTS);
        limited.reload(&(limits() + &more));
        wait_wanted(free, &["imp.a", "both.x"]);
        limited.reload(&(permissions("\"exp.>\"", "\">\"") + &more));
        wait_wanted(free, &["exp.a"]);
        limited.reload(&more);
        wait_wanted(free, &SUBJECTS);
        // An official server tries a second connection, which ends by itself.
        if dialling == dialled {
            assert_eq!(limited.count("Router connection closed"), 0);
        }
    }
}
