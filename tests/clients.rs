//! Checks midge with the Rust client, async-nats. Clients of other languages are run by `tests/clients/run`.
//!
//! `NATS_REF=path` checks the official server in the same way, which proves the checks.

mod support;

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::client::{PublishErrorKind, RequestErrorKind};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, HeaderMap, Message, Subscriber};
use futures::StreamExt;
use futures::future::join_all;

use support::{Midge, Reference, Settings};

/// How long any single answer may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How soon the server must say that nobody listens. The request itself would wait for [`DEADLINE`].
const NO_RESPONDERS_DEADLINE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker() {
    let server = Midge::start(1, &Settings::default()).expect("midge starts");
    check_all(Place::plain(server.address())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers() {
    let server = Midge::start(3, &Settings::default()).expect("midge starts");
    check_all(Place::plain(server.address())).await;
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tls_and_certificates_on_both_sides() {
    use midge::config::Options;
    use midge::config::tls::{ClientCertificates, KeyPair, TlsSettings};
    let certificates = support::certificates::Certificates::new();
    certificates.issue("client", &[], &[support::certificates::dns("client.test")]);
    let settings = TlsSettings {
        certificates: vec![KeyPair {
            certificate: certificates.path("server.pem"),
            key: certificates.path("server.key"),
        }],
        ca_file: Some(certificates.path("ca.pem")),
        client_certificates: ClientCertificates::Verified,
        ..TlsSettings::default()
    };
    let server = Midge::start_with(2, Options { tls: Some(Box::new(settings)), ..Options::default() }).expect("midge");
    let place = Place {
        address: server.address(),
        authority: Some(certificates.path("ca.pem")),
        certificate: Some((certificates.path("client.pem"), certificates.path("client.key"))),
    };
    check_all(place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_server() {
    let Some(program) = support::reference_path() else {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
        return;
    };
    let server = Reference::start(&program, &Settings::default()).expect("the official server starts");
    check_all(Place::plain(server.address())).await;
}

/// How a server is reached.
#[derive(Clone)]
struct Place {
    address: SocketAddr,
    /// The file with the authority of its certificate, if it has one.
    authority: Option<PathBuf>,
    /// The files with our certificate and its key, if it wants one.
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Place {
    fn plain(address: SocketAddr) -> Place {
        Place { address, authority: None, certificate: None }
    }
}

/// Users for whom there is a client in [`check_users`]; the file has their passwords and keys.
fn with_users() -> Settings {
    let mut settings = Settings::default();
    settings.add_line(include_str!("clients/auth.conf"));
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_nkeys() {
    let server = Midge::start(2, &with_users()).expect("midge starts");
    check_users(server.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_server_has_users_and_nkeys() {
    let Some(program) = support::reference_path() else {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
        return;
    };
    let server = Reference::start(&program, &with_users()).expect("the official server starts");
    check_users(server.address()).await;
}

/// Clients with each kind of credentials, right and wrong.
async fn check_users(address: SocketAddr) {
    const SEED: &str = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y";
    let with = |name: &str, password: &str| ConnectOptions::with_user_and_password(name.into(), password.into());
    for options in [with("plain", "\u{a7}12"), with("hashed", "foo"), ConnectOptions::with_nkey(SEED.into())] {
        let client = open(&Place::plain(address), options).await;
        let mut sub = within(client.subscribe("open.a")).await.unwrap();
        publish_number(&client, "open.a", 7).await;
        assert_eq!(taken(&mut sub, 1).await[0].payload, "7");
    }
    let nobody = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let wrong = [
        ConnectOptions::new(),
        ConnectOptions::with_token("foo".into()),
        with("plain", "foo"),
        with("hashed", "\u{a7}12"),
        ConnectOptions::with_nkey(nobody.into()),
    ];
    for options in wrong {
        let error = within(options.connect(format!("nats://{address}"))).await.expect_err("nobody is let in");
        assert_eq!(error.kind(), ConnectErrorKind::AuthorizationViolation, "{error}");
    }
}

/// Every check, by name, on one connection and others it opens.
async fn check_all(place: Place) {
    let main = open(&place, ConnectOptions::new().name("check")).await;
    let checks = Checks { place, main };
    named("connect", checks.connect()).await;
    named("publish_subscribe", checks.publish_subscribe()).await;
    named("wildcards", checks.wildcards()).await;
    named("queue_group", checks.queue_group()).await;
    named("request_reply", checks.request_reply()).await;
    named("many_replies", checks.many_replies()).await;
    named("no_responders", checks.no_responders()).await;
    named("headers", checks.headers()).await;
    named("auto_unsubscribe", checks.auto_unsubscribe()).await;
    named("no_echo", checks.no_echo()).await;
    named("largest_payload", checks.largest_payload()).await;
    named("order", checks.order()).await;
    named("drain", checks.drain()).await;
}

/// Runs a check that must end in reasonable time.
async fn named(name: &str, check: impl Future<Output = ()>) {
    print!("async-nats: {name} ... ");
    within(check).await;
    println!("ok");
}

/// What a future gives, or a failed test if that takes too long.
async fn within<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("no answer in time")
}

/// Connects.
async fn open(place: &Place, mut options: ConnectOptions) -> Client {
    if let Some(authority) = &place.authority {
        options = options.add_root_certificates(authority.clone()).require_tls(true);
    }
    if let Some((certificate, key)) = &place.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    within(options.connect(format!("nats://{}", place.address))).await.expect("a connection")
}

/// Publishes a number.
async fn publish_number(client: &Client, subject: &str, number: usize) {
    client.publish(subject.to_string(), number.to_string().into()).await.unwrap();
}

/// The next messages.
async fn taken(sub: &mut Subscriber, count: usize) -> Vec<Message> {
    within(sub.take(count).collect()).await
}

/// The numbers in messages.
fn numbers(messages: &[Message]) -> Vec<usize> {
    messages.iter().map(|message| std::str::from_utf8(&message.payload).unwrap().parse().unwrap()).collect()
}

/// The checks, and what they share.
struct Checks {
    place: Place,
    main: Client,
}

impl Checks {
    async fn another(&self) -> Client {
        open(&self.place, ConnectOptions::new()).await
    }

    async fn connect(&self) {
        let info = self.main.server_info();
        assert!(info.max_payload > 0 && info.client_id > 0 && info.headers);
        assert!(self.main.is_server_compatible(2, 2, 0));
        assert!(!self.main.is_server_compatible(3, 0, 0));
    }

    async fn publish_subscribe(&self) {
        let mut sub = self.main.subscribe("rs.plain").await.unwrap();
        self.main.publish_with_reply("rs.plain", "rs.reply", "hello".into()).await.unwrap();
        let message = within(sub.next()).await.unwrap();
        assert_eq!(message.subject.as_str(), "rs.plain");
        assert_eq!(message.reply.as_deref(), Some("rs.reply"));
        assert_eq!(&message.payload[..], b"hello");
        sub.unsubscribe().await.unwrap();
        self.main.publish("rs.plain", "unheard".into()).await.unwrap();
        self.main.flush().await.unwrap();
        assert!(within(sub.next()).await.is_none());
    }

    async fn wildcards(&self) {
        let mut star = self.main.subscribe("rs.*.c").await.unwrap();
        let mut tail = self.main.subscribe("rs.a.>").await.unwrap();
        for subject in ["rs.a.b", "rs.a.c", "rs.b.c", "rs.a", "rs.a.b.c", "rs.z.c", "rs.a.z"] {
            self.main.publish(subject, "".into()).await.unwrap();
        }
        let subjects = |messages: Vec<Message>| -> Vec<String> {
            messages.into_iter().map(|message| message.subject.to_string()).collect()
        };
        assert_eq!(subjects(taken(&mut star, 3).await), ["rs.a.c", "rs.b.c", "rs.z.c"]);
        assert_eq!(subjects(taken(&mut tail, 4).await), ["rs.a.b", "rs.a.c", "rs.a.b.c", "rs.a.z"]);
    }

    async fn queue_group(&self) {
        const TOTAL: usize = 1000;
        let mut members = Vec::new();
        let mut subs = Vec::new();
        for _ in 0..4 {
            let member = self.another().await;
            subs.push(member.queue_subscribe("rs.work", "workers".to_string()).await.unwrap());
            member.flush().await.unwrap();
            // A flush of this client does not wait for the server: the answer to a request does.
            self.round_trip(&member).await;
            members.push(member);
        }
        for number in 0..TOTAL {
            publish_number(&self.main, "rs.work", number).await;
        }
        self.round_trip(&self.main).await;
        // Draining takes what was sent so far, and ends the subscription.
        for member in &members {
            member.drain().await.unwrap();
        }
        let got = within(join_all(subs.into_iter().map(StreamExt::collect::<Vec<_>>))).await;
        let got: Vec<Vec<usize>> = got.iter().map(|messages| numbers(messages)).collect();
        assert!(got.iter().all(|mine| !mine.is_empty() && mine.is_sorted()));
        let mut all = got.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..TOTAL));
    }

    /// Returns when the server has processed all that this client sent.
    async fn round_trip(&self, client: &Client) {
        let inbox = client.new_inbox();
        let mut sub = client.subscribe(inbox.clone()).await.unwrap();
        client.publish(inbox, "".into()).await.unwrap();
        within(sub.next()).await.unwrap();
    }

    async fn request_reply(&self) {
        let service = self.another().await;
        let mut requests = service.subscribe("rs.service").await.unwrap();
        self.round_trip(&service).await;
        let answering = tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let answer = [b"re: ", &request.payload[..]].concat();
                service.publish(request.reply.unwrap(), answer.into()).await.unwrap();
            }
        });
        let ask = async |number: usize| {
            let reply = self.main.request("rs.service", number.to_string().into());
            assert_eq!(within(reply).await.unwrap().payload, format!("re: {number}"));
        };
        for number in 0..100 {
            ask(number).await;
        }
        join_all((0..100).map(ask)).await;
        answering.abort();
    }

    async fn many_replies(&self) {
        let mut requests = self.main.subscribe("rs.many").await.unwrap();
        let inbox = self.main.new_inbox();
        let mut replies = self.main.subscribe(inbox.clone()).await.unwrap();
        self.main.publish_with_reply("rs.many", inbox, "".into()).await.unwrap();
        let request = within(requests.next()).await.unwrap();
        for number in 0..20 {
            publish_number(&self.main, request.reply.as_deref().unwrap(), number).await;
        }
        assert!(numbers(&taken(&mut replies, 20).await).into_iter().eq(0..20));
    }

    async fn no_responders(&self) {
        let start = Instant::now();
        let error = within(self.main.request("rs.nobody", "".into())).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::NoResponders);
        assert!(start.elapsed() < NO_RESPONDERS_DEADLINE);
    }

    async fn headers(&self) {
        let mut sub = self.main.subscribe("rs.headers").await.unwrap();
        let mut headers = HeaderMap::new();
        headers.append("Key", "one");
        headers.append("Key", "two");
        headers.insert("X-Long", "y".repeat(500));
        self.main.publish_with_headers("rs.headers", headers.clone(), "body".into()).await.unwrap();
        self.main.publish_with_headers("rs.headers", headers.clone(), "".into()).await.unwrap();
        for payload in ["body", ""] {
            let message = within(sub.next()).await.unwrap();
            assert_eq!(message.payload, payload);
            assert_eq!(message.headers.as_ref(), Some(&headers));
        }
    }

    async fn auto_unsubscribe(&self) {
        let mut sub = self.main.subscribe("rs.max").await.unwrap();
        publish_number(&self.main, "rs.max", 0).await;
        publish_number(&self.main, "rs.max", 1).await;
        sub.unsubscribe_after(3).await.unwrap();
        for number in 2..5 {
            publish_number(&self.main, "rs.max", number).await;
        }
        let got: Vec<Message> = within(sub.collect()).await;
        assert_eq!(numbers(&got), [0, 1, 2]);
    }

    async fn no_echo(&self) {
        let quiet = open(&self.place, ConnectOptions::new().no_echo()).await;
        let mut own = quiet.subscribe("rs.echo").await.unwrap();
        let mut other = self.main.subscribe("rs.echo").await.unwrap();
        self.round_trip(&self.main).await;
        quiet.publish("rs.echo", "from quiet".into()).await.unwrap();
        quiet.flush().await.unwrap();
        assert_eq!(within(other.next()).await.unwrap().payload, "from quiet");
        self.main.publish("rs.echo", "from main".into()).await.unwrap();
        assert_eq!(within(other.next()).await.unwrap().payload, "from main");
        assert_eq!(within(own.next()).await.unwrap().payload, "from main");
    }

    async fn largest_payload(&self) {
        let mut sub = self.main.subscribe("rs.large").await.unwrap();
        let largest: Vec<u8> = (0..self.main.server_info().max_payload).map(|index| index as u8).collect();
        self.main.publish("rs.large", largest.clone().into()).await.unwrap();
        assert!(within(sub.next()).await.unwrap().payload == largest);
        let more = [&largest[..], b"!"].concat();
        let error = self.main.publish("rs.large", more.into()).await.unwrap_err();
        assert_eq!(error.kind(), PublishErrorKind::MaxPayloadExceeded);
        self.round_trip(&self.main).await;
    }

    async fn order(&self) {
        const TOTAL: usize = 10_000;
        let publisher = self.another().await;
        let mut sub = self.main.subscribe("rs.order").await.unwrap();
        self.round_trip(&self.main).await;
        for number in 0..TOTAL {
            publish_number(&publisher, "rs.order", number).await;
        }
        assert!(numbers(&taken(&mut sub, TOTAL).await).into_iter().eq(0..TOTAL));
    }

    async fn drain(&self) {
        let drained = self.another().await;
        let sub = drained.subscribe("rs.drain").await.unwrap();
        self.round_trip(&drained).await;
        for number in 0..500 {
            publish_number(&self.main, "rs.drain", number).await;
        }
        self.round_trip(&self.main).await;
        within(drained.drain()).await.unwrap();
        let got: Vec<Message> = within(sub.collect()).await;
        assert!(numbers(&got).into_iter().eq(0..500));
    }
}
