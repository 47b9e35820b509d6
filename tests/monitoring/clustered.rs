//! What monitoring tells of a cluster.

use serde_json::Value;

use super::http::Monitored;
use super::official::{Fault, compare};
use super::peer::Peer;
use super::support::process::Process;
use super::support::reference_path;

/// Fields of the official server that midge does not have.
const MISSING: [&str; 1] = ["/varz cluster.pool_size"];

/// The same without a pool of routes, so that there is one between two servers.
const NO_POOL: &str = "cluster { port: -1, name: C1, pool_size: -1, permissions { import: \"in.>\", export: { allow: [\"in.>\", \"out\"], deny: \"in.secret\" } }";

/// Two servers of a cluster, of which the second dials the first.
struct Pair {
    first: Monitored,
    second: Monitored,
    _folder: Folder,
}

struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Pair {
    fn start(kind: &str, start: impl Fn(&[&str]) -> Process) -> Self {
        let folder = std::env::temp_dir().join(format!("midge-clustered-{kind}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let folder = Folder(folder);
        let server = |name: &str, routes: &str| {
            let file = folder.0.join(name);
            std::fs::write(&file, format!("{NO_POOL}, {routes} }}\n")).unwrap();
            Monitored::of(start(&["-m", "-1", "-n", name, "-c", file.to_str().unwrap()]))
        };
        let first = server("first", "");
        first.process.wait_log("Listening for route connections on");
        let port = route_port(&first);
        let second = server("second", &format!("routes: [\"nats://127.0.0.1:{port}\"]"));
        for one in [&first, &second] {
            one.wait_json("/routez", |routez| routez["num_routes"] == 1);
        }
        Pair { first, second, _folder: folder }
    }

    /// A message goes from a client of one to a client of the other.
    fn populate(&self) -> [Peer; 2] {
        let open = |server: &Monitored| {
            let mut peer = Peer::open(server.process.address());
            peer.send("CONNECT {\"verbose\":false}\r\n");
            peer
        };
        let mut reader = open(&self.first);
        reader.subscribe("in.a");
        let mut queue = open(&self.first);
        queue.send("SUB in.b workers 7\r\n");
        queue.round_trip();
        self.second.wait_json("/routez", |routez| routez["routes"][0]["subscriptions"].as_u64() >= Some(2));
        let mut writer = open(&self.second);
        writer.publish("in.a", b"12345");
        writer.round_trip();
        reader.message();
        [reader, queue]
    }
}

fn route_port(server: &Monitored) -> u64 {
    server.json("/varz")["cluster"]["cluster_port"].as_u64().unwrap()
}

#[test]
fn routes_are_shown_with_their_figures() {
    let pair = Pair::start("ours", Process::start);
    let _peers = pair.populate();
    let routez = pair.second.json("/routez?subs=1");
    let route = &routez["routes"][0];
    assert_eq!(route["remote_name"], "first");
    assert_eq!((&route["did_solicit"], &route["is_configured"]), (&Value::from(true), &Value::from(true)));
    assert_eq!((&route["out_msgs"], &route["out_bytes"], &route["in_msgs"]), (&1.into(), &5.into(), &0.into()));
    let mut listed: Vec<&str> =
        route["subscriptions_list"].as_array().unwrap().iter().map(|subject| subject.as_str().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, ["in.a", "in.b"]);
    let varz = pair.first.json("/varz");
    assert_eq!((&varz["routes"], &varz["remotes"]), (&1.into(), &1.into()));
    assert_eq!(
        (&varz["in_msgs"], &varz["in_client_msgs"], &varz["out_client_msgs"]),
        (&1.into(), &0.into(), &1.into())
    );
    let metrics = pair.second.get("/metrics");
    assert!(metrics.text().contains("midge_route_out_messages_total{peer=\"first\"} 1"), "{}", metrics.text());
}

#[test]
fn every_field_of_the_official_documents_about_routes_is_there_with_its_type() {
    let Some(program) = reference_path() else { return };
    let theirs = Pair::start("theirs", |args| Process::start_program(&program, args));
    let ours = Pair::start("beside", Process::start);
    let _peers = (theirs.populate(), ours.populate());
    let mut faults = Vec::new();
    for target in ["/routez", "/routez?subs=1", "/routez?subs=detail", "/varz"] {
        let part = |server: &Monitored| {
            let mut document = server.wait_json(target, |document| {
                // The first round trip is measured after a second.
                target == "/varz" || document["routes"][0]["rtt"].is_string()
            });
            if target == "/varz" { document["cluster"].take() } else { document }
        };
        compare("", &part(&theirs.second), &part(&ours.second), &mut |path, fault| {
            let at = if target == "/varz" { "cluster." } else { "" };
            let place = format!("{target} {at}{path}");
            if !(matches!(fault, Fault::Missing(_)) && MISSING.contains(&&*place)) {
                faults.push(format!("{place}: {fault:?}"));
            }
        });
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
