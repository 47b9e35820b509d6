//! `/connz`: connections, open and closed.
//!
//! In two steps: first the workers give the figures of all connections that may be meant; these are sorted, and of those
//! on the page that was asked for the workers are asked again what else is known of them.

use super::{Answer, Context, is_zero, pretty};
use crate::broker::auth::Name;
use crate::broker::report::{Piece, Question, Row, SubRow, SubRows};
use crate::broker::{Label, ShownCertificate};
use crate::interest::{AccountId, GLOBAL_ACCOUNT};
use crate::monitor::format::{go_micros, uptime};
use crate::monitor::query::Query;
use crate::wire::nkey;
use crate::wire::redact::REDACTED;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::time::Duration;

/// Connections on a page unless another number is asked for.
pub(super) const LIMIT: usize = 1024;

/// What was asked for.
#[derive(Debug)]
struct Wanted {
    subs: Subs,
    auth: bool,
    sort: Sort,
    offset: usize,
    limit: usize,
    cid: Option<u64>,
    state: State,
    user: String,
    account: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subs {
    No,
    Subjects,
    Detail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Any,
}

/// What connections can be sorted by, and how it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Cid,
    Subs,
    Pending,
    MessagesTo,
    MessagesFrom,
    BytesTo,
    BytesFrom,
    Last,
    Idle,
    Uptime,
    RoundTrip,
    Stop,
    Reason,
}

const SORTS: [(&str, Sort); 15] = [
    ("", Sort::Cid),
    ("cid", Sort::Cid),
    ("start", Sort::Cid),
    ("subs", Sort::Subs),
    ("pending", Sort::Pending),
    ("msgs_to", Sort::MessagesTo),
    ("msgs_from", Sort::MessagesFrom),
    ("bytes_to", Sort::BytesTo),
    ("bytes_from", Sort::BytesFrom),
    ("last", Sort::Last),
    ("idle", Sort::Idle),
    ("uptime", Sort::Uptime),
    ("rtt", Sort::RoundTrip),
    ("stop", Sort::Stop),
    ("reason", Sort::Reason),
];

impl Wanted {
    fn read(query: &Query) -> Result<Self, String> {
        let auth = query.switch("auth")?;
        let subs = match query.text("subs") {
            "detail" => Subs::Detail,
            _ if query.switch("subs")? => Subs::Subjects,
            _ => Subs::No,
        };
        let (offset, limit) = page(query)?;
        let cid = Some(query.unsigned("cid")?).filter(|&cid| cid > 0);
        let state = match query.text("state").to_lowercase().as_str() {
            "" | "open" => State::Open,
            "closed" => State::Closed,
            "any" | "all" => State::Any,
            _ => return Err(format!("Error decoding state for {}", query.text("state"))),
        };
        let name = query.text("sort");
        let sort = SORTS.iter().find(|(known, _)| *known == name).map(|(_, sort)| *sort);
        let sort = sort.ok_or_else(|| format!("invalid sorting option: {name}"))?;
        if matches!(sort, Sort::Stop | Sort::Reason) && state != State::Closed {
            return Err(format!("sort by {name} only valid on closed connections"));
        }
        let limit = if cid.is_some() { 1 } else { limit };
        let (user, account) = (query.text("user").to_owned(), query.text("acc").to_owned());
        Ok(Self { subs, auth, sort, offset, limit, cid, state, user, account })
    }
}

/// `offset` and `limit` of a query, as the official server takes them.
pub(super) fn page(query: &Query) -> Result<(usize, usize), String> {
    let (offset, limit) = (query.int("offset")?, query.int("limit")?);
    let limit = usize::try_from(limit).ok().filter(|&limit| limit > 0).unwrap_or(LIMIT);
    Ok((usize::try_from(offset).unwrap_or(0), limit))
}

/// A connection that may be shown.
#[derive(Debug, Clone)]
struct Entry {
    row: Row,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// It is open, at this worker.
    Open(usize),
    /// It was closed: when, why, and which of the records kept is about it.
    Closed { stop_us: u64, reason: &'static str, record: usize },
}

impl Entry {
    fn stop_us(&self) -> Option<u64> {
        match self.end {
            End::Open(_) => None,
            End::Closed { stop_us, .. } => Some(stop_us),
        }
    }

    fn reason(&self) -> &'static str {
        match self.end {
            End::Open(_) => "",
            End::Closed { reason, .. } => reason,
        }
    }

    /// The time from which it counts as idle or gone.
    fn end_us(&self, now_us: u64) -> u64 {
        self.stop_us().unwrap_or(now_us)
    }

    fn idle_us(&self, now_us: u64) -> u64 {
        self.end_us(now_us).saturating_sub(self.row.active_at * 1000)
    }

    fn uptime_us(&self, now_us: u64) -> u64 {
        self.end_us(now_us).saturating_sub(self.row.opened_us)
    }
}

/// Sorts as asked for; what is equal goes by number.
fn sort(entries: &mut [Entry], by: Sort, now_us: u64) {
    let most = |one: u64, other: u64| other.cmp(&one);
    let order = |one: &Entry, other: &Entry| -> Ordering {
        let (first, second) = (&one.row, &other.row);
        match by {
            Sort::Cid => Ordering::Equal,
            Sort::Subs => second.subs.cmp(&first.subs),
            Sort::Pending => second.pending.cmp(&first.pending),
            Sort::MessagesTo => most(first.traffic.out_messages, second.traffic.out_messages),
            Sort::MessagesFrom => most(first.traffic.in_messages, second.traffic.in_messages),
            Sort::BytesTo => most(first.traffic.out_bytes, second.traffic.out_bytes),
            Sort::BytesFrom => most(first.traffic.in_bytes, second.traffic.in_bytes),
            Sort::Last => most(first.active_at, second.active_at),
            Sort::Idle => most(one.idle_us(now_us), other.idle_us(now_us)),
            Sort::Uptime => one.uptime_us(now_us).cmp(&other.uptime_us(now_us)),
            Sort::RoundTrip => second.round_trip_us.cmp(&first.round_trip_us),
            Sort::Stop => Reverse(one.stop_us()).cmp(&Reverse(other.stop_us())),
            Sort::Reason => one.reason().cmp(other.reason()),
        }
    };
    entries.sort_unstable_by(|one, other| order(one, other).then(one.row.cid.cmp(&other.row.cid)));
}

/// What is known of a connection on the page beside its figures.
#[derive(Debug, Default)]
struct Detail {
    label: Option<Box<Label>>,
    certificates: Vec<ShownCertificate>,
    subs: Vec<SubRows>,
}

/// The connections on the page; those without details were closed meanwhile and are not shown.
type Shown = [(Entry, Option<Detail>)];

#[derive(Debug, Serialize)]
struct Connz<'a> {
    server_id: String,
    now: String,
    num_connections: usize,
    total: usize,
    offset: usize,
    limit: usize,
    connections: Option<Page<'a>>,
}

/// Made one by one while they are written: ten thousand at a time would be many megabytes.
#[derive(Debug)]
struct Page<'a> {
    context: &'a Context,
    wanted: &'a Wanted,
    now_us: u64,
    shown: &'a Shown,
}

impl Serialize for Page<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.shown.iter().filter_map(|(entry, detail)| Some(self.connection(entry, detail.as_ref()?))))
    }
}

#[derive(Debug, Serialize)]
struct Connection<'a> {
    cid: u64,
    kind: &'static str,
    r#type: &'static str,
    ip: String,
    port: u16,
    start: String,
    last_activity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    rtt: String,
    uptime: String,
    idle: String,
    pending_bytes: usize,
    in_msgs: u64,
    out_msgs: u64,
    in_bytes: u64,
    out_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    stalls: u32,
    subscriptions: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    lang: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cipher_suite: Option<&'static str>,
    #[serde(skip_serializing_if = "is_zero")]
    tls_first: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorized_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "subjects")]
    subscriptions_list: Option<&'a [SubRows]>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "subscriptions")]
    subscriptions_list_detail: Option<&'a [SubRows]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tls_peer_certs: Vec<Certificate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_tag: Option<&'a str>,
}

/// Numbers of many digits in hexadecimal.
#[derive(Debug, Serialize)]
struct Certificate<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    spki_sha256: String,
    cert_sha256: String,
}

impl<'a> Certificate<'a> {
    fn new(shown: &'a ShownCertificate) -> Self {
        let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { subject: &shown.subject, spki_sha256: hex(&shown.key_digest), cert_sha256: hex(&shown.digest) }
    }
}

fn all<'a>(subs: &Option<&'a [SubRows]>) -> impl Iterator<Item = SubRow<'a>> {
    subs.unwrap_or_default().iter().flat_map(SubRows::iter)
}

fn subjects<S: Serializer>(subs: &Option<&[SubRows]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all(subs).map(|sub| text(sub.subject)))
}

fn subscriptions<S: Serializer>(subs: &Option<&[SubRows]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all(subs).map(|sub| Subscription::new(&sub)))
}

/// Text of a peer; what is no UTF-8 becomes replacement characters.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A subscription, in the lists of connections and of the whole server.
#[derive(Debug, Serialize)]
pub(super) struct Subscription<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_tag: Option<&'a str>,
    subject: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    qgroup: Cow<'a, str>,
    sid: Cow<'a, str>,
    msgs: u32,
    #[serde(skip_serializing_if = "is_zero")]
    max: u32,
    cid: u64,
}

impl<'a> Subscription<'a> {
    /// Without its account.
    pub fn new(row: &SubRow<'a>) -> Self {
        Self {
            account: None,
            account_tag: None,
            subject: text(row.subject),
            qgroup: text(row.queue),
            sid: text(row.sid),
            msgs: row.delivered,
            max: row.max,
            cid: row.cid,
        }
    }

    /// With the name of its account.
    pub fn of_account(self, name: &'a str) -> Self {
        Self { account: Some(name), account_tag: Some(name), ..self }
    }
}

/// What a user is called; of one who came with a token nothing is told, because all have the same.
fn user_name(row: &Row) -> Option<String> {
    Some(match &row.user.as_ref()?.name {
        Name::User(name) => name.clone(),
        Name::Nkey(key) => nkey::encode(nkey::USER, key),
        Name::Token => REDACTED.to_owned(),
        Name::Anyone => return None,
    })
}

impl Context {
    pub(super) fn connz(&mut self, query: &Query) -> Answer {
        let wanted = Wanted::read(query)?;
        let account = match wanted.account.as_str() {
            "" => None,
            name => match self.account_by_name(name) {
                Some(account) => Some(account),
                None => return Ok(self.nothing(&wanted)),
            },
        };
        let (mut entries, total) = self.entries(&wanted, account);
        let (now_us, _) = self.now();
        sort(&mut entries, wanted.sort, now_us);
        entries.drain(..wanted.offset.min(entries.len()));
        entries.truncate(wanted.limit);
        let shown = self.with_details(entries, wanted.subs);
        Ok(pretty(&Connz {
            server_id: self.server_id(),
            now: self.timestamp(),
            num_connections: shown.iter().filter(|(_, detail)| detail.is_some()).count(),
            total,
            offset: wanted.offset,
            limit: wanted.limit,
            connections: Some(Page { context: self, wanted: &wanted, now_us, shown: &shown }),
        }))
    }

    /// What an account that is not there has.
    fn nothing(&self, wanted: &Wanted) -> crate::monitor::reply::Reply {
        pretty(&Connz {
            server_id: String::new(),
            now: self.timestamp(),
            num_connections: 0,
            total: 0,
            offset: wanted.offset,
            limit: wanted.limit,
            connections: None,
        })
    }

    /// All connections that are meant, and how many there are without regard to number and user.
    fn entries(&mut self, wanted: &Wanted, account: Option<AccountId>) -> (Vec<Entry>, usize) {
        let (mut entries, mut total) = (Vec::new(), 0);
        let is_meant = |row: &Row| wanted.cid.is_none_or(|cid| row.cid == cid);
        if wanted.state != State::Open {
            for (record, closed) in self.closed().iter().enumerate() {
                if account.is_none_or(|account| closed.row.account == account) {
                    total += 1;
                    let end = End::Closed { stop_us: closed.stop_us, reason: closed.reason, record };
                    entries.extend(Some(Entry { row: closed.row.clone(), end }).filter(|entry| is_meant(&entry.row)));
                }
            }
        }
        if wanted.state != State::Closed {
            let question = Question::Connections { cid: wanted.cid, account };
            let before = entries.len();
            self.workers.ask_all(
                |_| Some(question.clone()),
                |worker, piece, _| {
                    if let Piece::Connections(rows) = piece {
                        entries.extend(rows.into_iter().map(|row| Entry { row, end: End::Open(worker) }));
                    }
                },
            );
            // Of one connection alone the others are not reported.
            total += if wanted.cid.is_some() { self.subject.shared.connections() } else { entries.len() - before };
        }
        if !wanted.user.is_empty() {
            entries.retain(|entry| user_name(&entry.row).is_some_and(|name| name == wanted.user));
        }
        (entries, total)
    }

    /// The connections on the page with what else is known of them.
    fn with_details(&mut self, entries: Vec<Entry>, subs: Subs) -> Vec<(Entry, Option<Detail>)> {
        let records: Vec<_> = self.closed.iter().collect();
        // By worker, the connections to ask it about, and where they are on the page.
        let mut connections = vec![Vec::new(); self.workers.count()];
        let mut places = connections.iter().map(|_| Vec::new()).collect::<Vec<_>>();
        let mut shown = Vec::with_capacity(entries.len());
        for entry in entries {
            let detail = match entry.end {
                End::Open(worker) => {
                    connections[worker].push((entry.row.key, entry.row.cid));
                    places[worker].push(shown.len());
                    None
                }
                End::Closed { record, .. } => {
                    let subs = vec![records[record].subs.clone()];
                    Some(Detail { label: records[record].label.clone(), subs, ..Detail::default() })
                }
            };
            shown.push((entry, detail));
        }
        let mut places: Vec<_> = places.into_iter().map(|places| places.into_iter().peekable()).collect();
        self.workers.ask_all(
            |worker| {
                let connections = std::mem::take(&mut connections[worker]);
                (!connections.is_empty()).then_some(Question::Details { connections, subs: subs != Subs::No })
            },
            |worker, piece, _| {
                let Piece::Details(pieces) = piece else { return };
                for piece in pieces {
                    // They are told in the order in which they were asked for, in several parts or not at all.
                    let is_other = |at: &usize| shown[*at].0.row.cid != piece.cid;
                    while places[worker].next_if(is_other).is_some() {}
                    let Some(&at) = places[worker].peek() else { return };
                    let detail = shown[at].1.get_or_insert_default();
                    detail.label = piece.label.or(detail.label.take());
                    detail.certificates.extend(piece.certificates);
                    detail.subs.extend(Some(piece.subs).filter(|subs| !subs.is_empty()));
                }
            },
        );
        shown
    }
}

impl Page<'_> {
    fn connection<'a>(&'a self, entry: &'a Entry, detail: &'a Detail) -> Connection<'a> {
        let Self { context, wanted, now_us, .. } = *self;
        let row = &entry.row;
        let label = detail.label.as_deref();
        let seconds = |us| uptime(Duration::from_micros(us));
        let account = context.account_name(row.account);
        // As the official server has it.
        let is_bare = row.account == GLOBAL_ACCOUNT && entry.stop_us().is_some();
        let certificates = if wanted.auth { &*detail.certificates } else { &[] };
        let subs = |kind| {
            let is_shown = wanted.subs == kind && detail.subs.iter().any(|subs| !subs.is_empty());
            is_shown.then_some(&*detail.subs)
        };
        Connection {
            cid: row.cid,
            kind: "Client",
            r#type: "nats",
            ip: row.peer.ip().to_string(),
            port: row.peer.port(),
            start: context.date_of(row.opened_us),
            last_activity: context.date_of(row.active_at * 1000),
            stop: entry.stop_us().map(|us| context.date_of(us)),
            reason: entry.reason(),
            rtt: go_micros(row.round_trip_us.into()),
            uptime: seconds(entry.uptime_us(now_us)),
            idle: seconds(entry.idle_us(now_us)),
            pending_bytes: row.pending,
            in_msgs: row.traffic.in_messages,
            out_msgs: row.traffic.out_messages,
            in_bytes: row.traffic.in_bytes,
            out_bytes: row.traffic.out_bytes,
            stalls: row.stalls,
            subscriptions: row.subs,
            name: label.map_or("", |label| &label.name),
            lang: label.map_or("", |label| &label.lang),
            version: label.map_or("", |label| &label.version),
            tls_version: row.tls.map(|(version, _)| version),
            tls_cipher_suite: row.tls.map(|(_, cipher)| cipher),
            tls_first: row.tls_first,
            authorized_user: user_name(row).filter(|_| wanted.auth),
            account: (wanted.auth && row.account != GLOBAL_ACCOUNT).then_some(account),
            subscriptions_list: subs(Subs::Subjects),
            subscriptions_list_detail: subs(Subs::Detail),
            tls_peer_certs: certificates.iter().map(Certificate::new).collect(),
            name_tag: (wanted.auth && !is_bare).then_some(account),
        }
    }
}

#[cfg(test)]
#[path = "connz_tests.rs"]
mod tests;
