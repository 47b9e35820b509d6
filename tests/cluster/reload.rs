//! Other options of a cluster while it runs.

use super::members::{Member, exchange, file, pairs, routes, until};
use super::node::Kind;

#[test]
fn routes_are_added_and_removed() {
    for (_, dialled) in pairs().into_iter().filter(|(dialling, _)| *dialling == Kind::Midge) {
        let (first, second) = (Member::start(dialled, "first", ""), Member::start(dialled, "second", ""));
        let mut here = Member::start(Kind::Midge, "here", &routes(&[first.url()]));
        here.wait_servers(2);
        here.reload(&routes(&[first.url(), second.url()]));
        here.wait_log("Reloaded: cluster routes");
        here.wait_servers(3);
        exchange(&here.node, &second.node);
        // What remains configured is not disturbed; the two others know each other by now.
        first.wait_servers(3);
        let before = here.count("Router connection closed: Route Removed");
        here.reload(&routes(&[second.url()]));
        until("one is closed", || here.count("Router connection closed: Route Removed") == before + 1);
        exchange(&here.node, &second.node);
    }
}

#[test]
fn a_removed_route_that_leads_nowhere_is_dialled_no_more() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("nats://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let mut here = Member::start(Kind::Midge, "here", &routes(std::slice::from_ref(&url)));
    here.wait_log("Error trying to connect to route");
    here.reload("");
    let before = here.count("Trying to connect to route");
    let there = Member::start(Kind::Midge, "there", &routes(&[here.url()]));
    here.wait_servers(2);
    exchange(&here.node, &there.node);
    // Longer than the pause between two dials.
    std::thread::sleep(std::time::Duration::from_millis(1300));
    assert_eq!(here.count("Trying to connect to route"), before);
}

#[test]
fn other_credentials_have_to_be_given_by_those_who_are_there() {
    for (dialling, dialled) in pairs().into_iter().filter(|(_, dialled)| *dialled == Kind::Midge) {
        let lock = |password: &str| format!("authorization {{ user: ruth, password: {password} }}\n");
        let mut there = Member::start(dialled, "there", "");
        let mut here = Member::start(dialling, "here", &routes(&[there.url_as("ruth:first-s3cret")]));
        here.wait_servers(2);
        // What was given already is not asked for again, as far as that is known.
        there.reload(&lock("first-s3cret"));
        there.wait_log("Reloaded: cluster authorization");
        there.wait_log("Router connection closed: Authentication Failure");
        until("it is back", || there.node.client().urls().len() == 2);
        exchange(&here.node, &there.node);
        there.reload(&lock("second-s3cret"));
        there.wait_log("authentication error");
        until("it is gone", || there.node.client().urls().len() < 2);
        here.reload(&routes(&[there.url_as("ruth:second-s3cret")]));
        here.wait_servers(2);
        exchange(&here.node, &there.node);
        there.expect_no_secret("s3cret");
        if dialling == Kind::Midge {
            here.expect_no_secret("s3cret");
        }
    }
}

#[test]
fn clients_hear_of_others_while_they_are_advertised() {
    let there = Member::start(Kind::Midge, "there", "");
    let at = routes(&[there.url()]);
    let mut here = Member::start(Kind::Midge, "here", &at);
    let mut client = here.node.wait_servers(2);
    here.reload(&(at.clone() + "no_advertise: true"));
    client.wait_info("nobody", |info| super::client::urls(info).is_empty());
    here.reload(&at);
    client.wait_info("both", |info| super::client::urls(info).len() == 2);
    exchange(&here.node, &there.node);
}

#[test]
fn a_cluster_gets_another_name() {
    for (_, other) in pairs().into_iter().filter(|(dialling, _)| *dialling == Kind::Midge) {
        let mut there = Member::start(other, "there", "");
        let mut here = Member::start(Kind::Midge, "here", &routes(&[there.url()]));
        here.wait_servers(2);
        let renamed = |name, text: &str| file(name, text).replace("name: C1", "name: C2");
        here.reload_whole(&renamed("here", &routes(&[there.url()])));
        here.wait_log("Cluster name updated to C2");
        here.wait_log("Router connection closed: Cluster Name Conflict");
        here.wait_log("does not match");
        there.reload_whole(&renamed("there", ""));
        here.wait_servers(2);
        exchange(&here.node, &there.node);
    }
}

#[test]
fn what_cannot_change_is_refused_and_all_stays() {
    let there = Member::start(Kind::Midge, "there", "");
    let at = routes(&[there.url()]);
    let here = Member::start(Kind::Midge, "here", &at);
    here.wait_servers(2);
    here.write(&file("here", &at).replace("listen: \"127.0.0.1:-1\"", "listen: \"127.0.0.1:7\""));
    here.node.process.signal("HUP");
    here.wait_log("Failed to reload server configuration: config reload not supported for cluster port");
    exchange(&here.node, &there.node);
    assert_eq!(here.count("Router connection closed"), 0);
}
