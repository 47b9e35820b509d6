//! What a client hears and how long it may take where there is TLS. The handshakes themselves are the owner's.

use super::world::World;
use crate::broker::{Broker, Secured, State};
use crate::config::Options;
use crate::config::tls::{ClientCertificates, HandshakeFirst, TlsSettings};
use crate::log::Log;
use std::time::Duration;

/// A broker with a handshake timeout of a second and these settings.
fn world(change: impl FnOnce(&mut Options, &mut TlsSettings)) -> World {
    let mut settings = TlsSettings { timeout: Duration::from_secs(1), ..TlsSettings::default() };
    let mut options = Options { ping_interval: Duration::from_millis(300), ..Options::default() };
    change(&mut options, &mut settings);
    options.tls = Some(Box::new(settings));
    World::new(1, options, Log::quiet(), 7)
}

fn order(world: &mut World, peer: usize, order: impl FnOnce(&mut Broker, u32)) {
    let key = world.peers[peer].key;
    world.order(0, |broker| order(broker, key));
    world.settle();
}

fn secure(world: &mut World, peer: usize) {
    order(world, peer, |broker, key| {
        broker.handshake_begun(key);
        broker.secured(
            key,
            Secured {
                version: "1.3",
                cipher: "TLS_AES_128_GCM_SHA256",
                peer: None,
                certificates: Vec::new(),
                came_first: false,
            },
        );
    });
}

fn is_gone(world: &World, peer: usize) -> bool {
    world.peers[peer].dropped
}

#[test]
fn info_says_what_the_client_is_to_do() {
    let mut required = world(|_, tls| tls.client_certificates = ClientCertificates::Verified);
    let peer = required.accept(0);
    assert!(required.hear(peer).contains(",\"tls_required\":true,\"tls_verify\":true,\"max_payload\""));
    let mut available = world(|options, _| options.allow_non_tls = true);
    let peer = available.accept(0);
    assert!(available.hear(peer).contains(",\"headers\":true,\"tls_available\":true,\"max_payload\""));
}

#[test]
fn who_is_not_secured_in_time_is_dropped_without_a_word() {
    let mut world = world(|_, _| {});
    let (silent, begun, secured) = (world.accept(0), world.accept(0), world.accept(0));
    [silent, begun, secured].iter().for_each(|peer| _ = world.hear(*peer));
    order(&mut world, begun, Broker::handshake_begun);
    secure(&mut world, secured);
    world.pass(950);
    assert!(!is_gone(&world, silent) && !is_gone(&world, begun));
    world.pass(100);
    assert!(is_gone(&world, silent) && is_gone(&world, begun) && !is_gone(&world, secured));
    assert_eq!([world.hear(silent), world.hear(begun)], ["", ""]);
    world.say(secured, "PING\r\n");
    assert!(world.hear(secured).contains("PONG\r\n"));
}

#[test]
fn nothing_is_sent_between_info_and_handshake() {
    let mut world = world(|_, tls| tls.timeout = Duration::from_secs(5));
    let peer = world.accept(0);
    world.hear(peer);
    world.pass(2000);
    assert_eq!(world.hear(peer), "");
    secure(&mut world, peer);
    world.pass(2000);
    assert!(world.hear(peer).contains("PING\r\n"));
}

#[test]
fn info_waits_for_the_handshake_where_that_comes_first() {
    let mut world = world(|_, tls| tls.handshake_first = HandshakeFirst::Always);
    let (peer, silent) = (world.accept(0), world.accept(0));
    assert_eq!(world.hear(peer), "");
    secure(&mut world, peer);
    assert!(world.hear(peer).starts_with("INFO {"));
    world.pass(1100);
    assert!(is_gone(&world, silent));
    assert_eq!(world.hear(silent), "");
}

#[test]
fn a_client_that_waits_gets_its_info_after_the_delay_and_then_has_all_the_time() {
    let mut world = world(|_, tls| tls.handshake_first = HandshakeFirst::Within(Duration::from_millis(100)));
    let (waiting, quick) = (world.accept(0), world.accept(0));
    order(&mut world, quick, Broker::handshake_begun);
    world.pass(50);
    assert_eq!([world.hear(waiting), world.hear(quick)], ["", ""]);
    world.pass(100);
    assert!(world.hear(waiting).contains("\"tls_required\":true"));
    assert_eq!(world.hear(quick), "");
    secure(&mut world, quick);
    assert!(world.hear(quick).starts_with("INFO {"));
    world.pass(900);
    assert!(!is_gone(&world, waiting));
    world.pass(200);
    assert!(is_gone(&world, waiting));
    assert_eq!(world.hear(waiting), "");
}

#[test]
fn plain_clients_may_take_their_time_where_they_are_allowed() {
    let mut world = world(|options, tls| {
        options.allow_non_tls = true;
        tls.handshake_first = HandshakeFirst::Always;
    });
    let (plain, begun) = (world.accept(0), world.accept(0));
    assert!(world.hear(plain).starts_with("INFO {") && world.hear(begun).starts_with("INFO {"));
    order(&mut world, begun, Broker::handshake_begun);
    world.pass(1100);
    assert!(is_gone(&world, begun) && !is_gone(&world, plain));
    world.say(plain, "CONNECT {\"verbose\":false}\r\nPING\r\nPONG\r\n");
    assert!(world.hear(plain).contains("PONG\r\n"));
}

#[test]
fn a_failed_handshake_sends_nothing_more() {
    let mut world = world(|_, _| {});
    let peer = world.accept(0);
    world.hear(peer);
    order(&mut world, peer, |broker, key| broker.handshake_failed(key, &"EOF", false));
    assert!(is_gone(&world, peer));
    assert_eq!(world.hear(peer), "");
}

#[test]
fn more_than_so_many_in_a_second_are_refused() {
    let mut world = world(|_, tls| tls.connection_rate_limit = 2);
    let peers = [(); 3].map(|()| world.accept(0));
    world.settle();
    let heard = peers.map(|peer| world.hear(peer));
    let refusal = "-ERR 'Connection throttling is active. Please try again later.'\r\n";
    assert!(!heard[0].contains("-ERR") && !heard[1].contains("-ERR") && heard[2].ends_with(refusal), "{heard:?}");
    assert_eq!(world.brokers[0].client(world.peers[2].key).map(|client| client.state), Some(State::Lingering));
    world.pass(1000);
    let peer = world.accept(0);
    world.settle();
    assert!(!world.hear(peer).contains("-ERR"));
}

#[test]
fn the_time_to_say_who_one_is_begins_behind_the_handshake() {
    let mut world = world(|options, _| {
        options.authorization.token = "t".to_owned().into();
        options.authorization.timeout = Some(Duration::from_millis(500));
    });
    let peer = world.accept(0);
    assert!(world.hear(peer).contains("\"auth_required\":true"));
    world.pass(900);
    assert_eq!(world.hear(peer), "");
    secure(&mut world, peer);
    world.pass(400);
    assert_eq!(world.hear(peer).replace("PING\r\n", ""), "");
    world.pass(200);
    assert!(world.hear(peer).ends_with("-ERR 'Authentication Timeout'\r\n"));
}
