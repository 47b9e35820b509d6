//! A server that is about to go: who hears of it, and that clients are sent away one by one.

use super::world::World;
use crate::broker::NEVER;
use crate::config::Options;
use crate::log::Log;

fn world(workers: usize) -> World {
    World::new(workers, Options::default(), Log::quiet(), 7)
}

/// The workers' brokers hear that the server is about to go.
fn announce(world: &mut World) {
    for worker in 0..world.brokers.len() {
        world.order(worker, |broker| broker.announce_end());
    }
    world.settle();
}

fn send_one_away(world: &mut World, worker: usize) -> bool {
    world.order(worker, |broker| broker.send_one_away())
}

#[test]
fn clients_that_take_news_hear_it_once() {
    for workers in [1, 3] {
        let mut world = world(workers);
        let fresh = world.accept(0);
        let unanswered = world.accept(workers - 1);
        world.say(unanswered, "CONNECT {\"protocol\":1}\r\n");
        let early = world.accept(0);
        world.say(early, "PING\r\nCONNECT {\"protocol\":1}\r\n");
        let old = world.client(workers - 1, ",\"protocol\":0");
        let new = world.client(workers - 1, ",\"protocol\":1");
        let gone = world.client(0, ",\"protocol\":1");
        world.say(gone, "oops\r\n");
        for peer in [fresh, unanswered, early, gone] {
            world.hear(peer);
        }
        announce(&mut world);
        let heard = world.hear(new);
        assert!(heard.starts_with("INFO {\"server_id\":\"NID\"") && heard.ends_with(",\"ldm\":true} \r\n"), "{heard}");
        assert!(heard.contains(&format!("\"client_id\":{},\"client_ip\":\"::1\"", world.peers[new].cid)), "{heard}");
        assert!(!heard.contains("connect_info"), "{heard}");
        for peer in [fresh, unanswered, early, old, gone] {
            assert_eq!(world.hear(peer), "");
        }
        // Service goes on, and no later INFO says it again.
        world.say(new, "PING\r\n");
        assert_eq!(world.hear(new), "PONG\r\n");
        world.say(unanswered, "PING\r\n");
        let answer = world.hear(unanswered);
        assert!(answer.contains("\"connect_info\":true") && !answer.contains("ldm"), "{answer}");
    }
}

#[test]
fn each_is_sent_away_with_all_that_waits_for_it() {
    let mut world = world(2);
    let clients = [world.client(0, ""), world.accept(0), world.client(0, ""), world.client(1, "")];
    for client in clients {
        world.say(client, "SUB a 1\r\n");
        world.hear(client);
    }
    world.make_room(clients[0], 0);
    world.say(clients[3], "PUB a 1\r\nx\r\n");
    let message = "MSG a 1 1\r\nx\r\n";
    for (sent_away, left) in [3, 2, 1].into_iter().enumerate() {
        assert!(send_one_away(&mut world, 0));
        world.settle();
        assert_eq!(world.shared.connections(), left);
        let open = clients[..3].iter().filter(|&&client| !world.peers[client].dropped).count();
        // The first cannot be written to yet.
        assert_eq!(open, 3 - sent_away);
    }
    assert!(!send_one_away(&mut world, 0), "no one is sent away twice");
    assert_eq!(world.hear(clients[0]), "");
    world.make_room(clients[0], super::world::ENDLESS);
    for client in clients {
        assert_eq!(world.hear(client), message, "and no word about the end");
    }
    assert!(world.peers[clients[0]].dropped && !world.peers[clients[3]].dropped);
    let due = world.brokers[1].client(world.peers[clients[3]].key).unwrap().due;
    assert_eq!(due.close, NEVER);
    assert!(send_one_away(&mut world, 1));
    world.settle();
    world.assert_empty();
}
