//! Routes with TLS until their handshake is done. The handshakes themselves are the owner's.

use super::world::World;
use crate::broker::routes::Joining;
use crate::broker::{Broker, Reason, Secured};
use crate::cluster::{Own, STRANGERS_MAX, Settings};
use crate::config::Options;
use crate::log::Log;
use crate::wire::route::RouteUrl;
use std::time::Duration;

/// How long a handshake may take, in milliseconds.
const TIMEOUT: u64 = 800;

/// A broker that dials one route, and has heard nothing of that.
fn world() -> World {
    let own = Own {
        id: "US".into(),
        name: "us".into(),
        version: "2".into(),
        host: "127.0.0.1".into(),
        port: 7000,
        headers: true,
        max_payload: 1 << 20,
        client_urls: Vec::new(),
        import: None,
        export: None,
    };
    let settings = Settings {
        name: Some("C1".into()),
        generated_name: String::new(),
        routes: vec![RouteUrl::new("127.0.0.1", 7001)],
        advertise: None,
        no_advertise: false,
        connect_retries: 0,
        connect_backoff: false,
        error_reports: [1, 1],
        ping_interval_ms: 5000,
        ping_max: 2,
        credentials: None,
        auth_timeout_ms: 2000,
        tls: true,
    };
    let mut world = World::new(1, Options::default(), Log::quiet(), 7);
    let joining = Joining { own, settings, handshake: Some(Duration::from_millis(TIMEOUT)) };
    world.order(0, |broker| broker.join_cluster(&joining, 1));
    world.settle();
    world
}

/// The route that was dialled, whose handshake is to begin.
fn dialled(world: &mut World) -> usize {
    world.settle();
    let (dial, _) = world.dials.pop().expect("a dial");
    let key = world.brokers[0].route_dialled(dial, "127.0.0.1:7001".parse().unwrap());
    world.adopt(0, key)
}

fn accepted(world: &mut World) -> usize {
    let key = world.brokers[0].accept_route("127.0.0.1:9".parse().unwrap());
    world.adopt(0, key)
}

fn order(world: &mut World, peer: usize, order: impl FnOnce(&mut Broker, u32)) {
    let key = world.peers[peer].key;
    world.order(0, |broker| order(broker, key));
    world.settle();
}

fn secure(broker: &mut Broker, key: u32) {
    broker.secured(
        key,
        Secured {
            version: "1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            peer: None,
            certificates: Default::default(),
            came_first: false,
        },
    );
}

#[test]
fn a_route_whose_handshake_came_to_nothing_is_dialled_again() {
    let ends: [fn(&mut World, usize); 3] = [
        |world, peer| order(world, peer, |broker, key| broker.handshake_failed(key, &"bad certificate", false)),
        |world, peer| order(world, peer, |broker, key| broker.broken(key, Reason::ReadError)),
        |world, _| world.pass(TIMEOUT),
    ];
    for end in ends {
        let mut world = world();
        let peer = dialled(&mut world);
        end(&mut world, peer);
        world.settle();
        assert!(world.peers[peer].dropped);
        assert_eq!(world.dials, []);
        world.pass(1200);
        world.settle();
        assert_eq!(world.dials.len(), 1);
    }
}

#[test]
fn nothing_is_said_on_a_route_before_its_handshake_is_done() {
    let mut world = world();
    let (dialled, accepted) = (dialled(&mut world), accepted(&mut world));
    world.pass(TIMEOUT - 1);
    world.settle();
    assert_eq!([world.hear(dialled), world.hear(accepted)], ["", ""]);
    order(&mut world, dialled, secure);
    order(&mut world, accepted, secure);
    assert!(world.hear(dialled).starts_with("CONNECT {"));
    assert!(world.hear(accepted).starts_with("INFO {"));
    world.pass(TIMEOUT);
    assert!(!world.peers[dialled].dropped && !world.peers[accepted].dropped);
}

#[test]
fn so_many_may_be_at_their_handshake_and_no_more() {
    let mut world = world();
    let peers: Vec<usize> = (0..STRANGERS_MAX).map(|_| accepted(&mut world)).collect();
    let refused = accepted(&mut world);
    world.settle();
    world.pass(200);
    assert!(world.peers[refused].dropped && peers.iter().all(|&peer| !world.peers[peer].dropped));
    order(&mut world, peers[0], |broker, key| broker.handshake_failed(key, &"EOF", false));
    let next = accepted(&mut world);
    world.settle();
    world.pass(200);
    assert!(!world.peers[next].dropped);
}
