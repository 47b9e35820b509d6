//! What peers must say to come in.

use super::members::{Member, Raw, exchange, pairs, routes};
use super::node::Kind;

const PASSWORD: &str = "route-s3cret";
/// The same as a hash.
const HASH: &str = "$2a$04$abcdefghijklmnopqrstuut.2lz3eslyf.i1DmXOZy4Emfnm5Hqx2";

fn lock(password: &str) -> String {
    format!("authorization {{ user: ruth, password: \"{password}\", timeout: 1 }}\n")
}

#[test]
fn a_peer_with_the_right_password_comes_in() {
    for (dialling, dialled) in pairs() {
        for password in [PASSWORD, HASH] {
            let there = Member::start(dialled, "there", &lock(password));
            let urls = [there.url_as(&format!("ruth:{PASSWORD}"))];
            let here = Member::start(dialling, "here", &routes(&urls));
            here.wait_servers(2);
            exchange(&here.node, &there.node);
            if dialling == Kind::Midge {
                here.expect_no_secret(PASSWORD);
            }
            if dialled == Kind::Midge {
                there.expect_no_secret(PASSWORD);
                there.expect_no_secret(password);
            }
        }
    }
}

#[test]
fn a_peer_with_another_password_is_refused() {
    for (dialling, dialled) in pairs() {
        for password in [PASSWORD, HASH] {
            let mut there = Member::start(dialled, "there", &lock(password));
            let wrong = [there.url_as("ruth:another-s3cret")];
            let here = Member::start(dialling, "here", &routes(&wrong));
            there.wait_log("authentication error");
            here.wait_log("Route Error 'Authorization Violation'");
            assert_eq!(there.count("another-s3cret") + here.count("another-s3cret"), 0);
            // It keeps trying, and comes in when it is right.
            there.reload(&lock("another-s3cret"));
            here.wait_servers(2);
        }
    }
}

#[test]
fn who_says_something_else_first_or_nothing_is_refused() {
    let there = Member::start(Kind::Midge, "there", &lock(HASH));
    let refused = "-ERR 'Authorization Violation'\r\n";
    for first in ["PING\r\n", "INFO {\"server_id\":\"RAW\"}\r\n", "RS+ $G a\r\n"] {
        let mut raw = Raw::dial(there.node.routes);
        assert!(raw.line_with("INFO ").contains("\"auth_required\":true"));
        raw.send(first);
        assert_eq!(raw.rest(), refused, "{first}");
    }
    for given in ["", ",\"user\":\"ruth\"", ",\"user\":\"ruth\",\"pass\":\"\"", ",\"pass\":\"route-s3cret\""] {
        let mut raw = Raw::dial(there.node.routes);
        raw.introduce(given);
        assert_eq!(raw.rest(), refused, "{given}");
    }
    let given = format!(",\"user\":\"ruth\",\"pass\":\"{HASH}\"");
    let mut raw = Raw::dial(there.node.routes);
    raw.introduce(&given);
    assert_eq!(raw.rest(), refused, "the hash itself");
    let mut silent = Raw::dial(there.node.routes);
    silent.line_with("INFO ");
    assert!(silent.rest().ends_with("-ERR 'Authentication Timeout'\r\n"));
    there.wait_log("Router connection closed: Authentication Timeout");
    let mut right = Raw::dial(there.node.routes);
    right.introduce(&format!(",\"user\":\"ruth\",\"pass\":\"{PASSWORD}\""));
    let mut client = there.node.client();
    client.subscribe("wanted");
    right.line_with("RS+ $G wanted");
    there.expect_no_secret(PASSWORD);
}

#[test]
fn servers_that_were_told_of_are_given_the_password_too() {
    for (seed, third) in pairs() {
        for password in [PASSWORD, HASH] {
            let seed = Member::start(seed, "seed", &lock(password));
            let known = routes(&[seed.url_as(&format!("ruth:{PASSWORD}"))]);
            let second = Member::start(Kind::Midge, "second", &(lock(password) + &known));
            second.wait_servers(2);
            // Of its own password an official server has only what it is configured with.
            let of_third = if third == Kind::Official { PASSWORD } else { password };
            let third = Member::start(third, "third", &(lock(of_third) + &known));
            for member in [&seed, &second, &third] {
                member.wait_servers(3);
            }
            exchange(&second.node, &third.node);
            second.expect_no_secret(PASSWORD);
            second.expect_no_secret(password);
        }
    }
}
