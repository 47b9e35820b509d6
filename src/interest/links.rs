//! What an account has to do with others, and with subjects of its own: mappings and imports.
//!
//! They are resolved when a result of the match cache is filled. So an account without any pays nothing, and a subject
//! that is published again and again is not looked at again: its result says which subscriptions of which accounts get the
//! message, under which subject each of them sees it, and which services answer it.
//!
//! - A **mapping** is for what clients publish: the message goes to another subject of the account, of which there
//!   may be several to choose from at random. It is not mapped again.
//! - A **stream** that another account imports adds a leg to the result: the subscriptions that match the subject there. A queue
//!   group is one group in all legs.
//! - A **service** that is imported is one of those who get the message; what it does with it is the broker's business.
//! - Subjects that the server itself answers are marked.

use super::changes::{Changes, Stamp};
use super::matched::Matched;
use super::{AccountId, Interest, SubjectHash, Target};
use crate::config::authorization::{Authorization, GLOBAL};
use crate::config::exchange::{self, Answers, ServiceImport};
use crate::wire::subject;
use crate::wire::transform::Transform;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How an account is looked at. The view is part of its number where one is looked for in a cache, and in mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// As a client of it publishes.
    Published,
    /// The same behind mappings.
    Mapped,
    /// As requests and answers of other accounts come in: they do not go on as streams.
    Served,
    /// Its subscriptions alone.
    Alone,
}

/// Bits of an account's number in front of which the view stands.
const ACCOUNT_BITS: u32 = 30;

/// What begins a subject that the server itself may answer.
pub const SERVER_REQUEST: &[u8] = b"$SYS.REQ.";

impl View {
    /// The account with this view, whatever view it had.
    #[inline]
    pub fn of(self, account: AccountId) -> AccountId {
        base(account) | (self as u32) << ACCOUNT_BITS
    }

    pub(super) fn from(account: AccountId) -> Self {
        match account >> ACCOUNT_BITS {
            0 => Self::Published,
            1 => Self::Mapped,
            2 => Self::Served,
            _ => Self::Alone,
        }
    }
}

/// The account without a view.
#[inline]
pub fn base(account: AccountId) -> AccountId {
    account & ((1 << ACCOUNT_BITS) - 1)
}

/// What connects an account with others and changes subjects in it.
#[derive(Debug, Default)]
pub struct Links {
    mappings: Vec<Mapping>,
    streams: Vec<Stream>,
    services: Vec<Arc<Service>>,
}

#[derive(Debug)]
struct Mapping {
    source: Box<[u8]>,
    /// Each with the sum of its weight and those of the ones before it.
    choices: Vec<(u8, Transform)>,
}

/// What another account hears of this one.
#[derive(Debug)]
struct Stream {
    source: Box<[u8]>,
    transform: Transform,
    importer: AccountId,
}

/// Requests that another account answers.
#[derive(Debug)]
pub struct Service {
    source: Box<[u8]>,
    transform: Transform,
    /// The other account.
    pub exporter: AccountId,
    /// Who answers is told who asks.
    pub is_shared: bool,
    /// How they are answered.
    pub answers: Answers,
}

/// What becomes of a message other than that subscriptions of its account get it.
#[derive(Debug, Default)]
pub struct Linked {
    /// The subjects that it is published to instead, each with the sum of its weight and those before it.
    pub choices: Vec<(u8, Box<[u8]>)>,
    /// Subscriptions of this and other accounts.
    pub legs: Vec<Leg>,
    /// The queue groups that have members in several legs; such as are on other servers do not count then.
    pub groups: Vec<LinkedGroup>,
    /// Services that answer it, with the subjects that it has there.
    pub services: Vec<(Arc<Service>, Box<[u8]>)>,
    /// The server may answer it.
    pub asks_server: bool,
}

/// Those in one account who get a message.
#[derive(Debug)]
pub struct Leg {
    /// The account, without a view.
    pub account: AccountId,
    /// What the subject is there.
    pub subject: Box<[u8]>,
    /// The subscriptions, without the queue groups that are in [`Linked::groups`].
    pub matched: Matched,
    hashes: (u64, u64),
    stamp: Stamp,
}

/// A queue group whose members may be in several accounts.
#[derive(Debug)]
pub struct LinkedGroup {
    /// Its name.
    pub name: Box<[u8]>,
    /// At least one, each with the number of its leg.
    pub members: Vec<(usize, Target)>,
}

impl Links {
    /// What the configuration says about mappings and imports, by account; made for those that have any.
    fn of(authorization: &Authorization, interest: &Interest) -> Vec<(AccountId, Links)> {
        let mut all: Vec<(AccountId, Links)> = Vec::new();
        let accounts = || authorization.accounts.iter();
        let mapped = std::iter::once((GLOBAL, &authorization.mappings))
            .chain(accounts().map(|account| (account.name.as_str(), &account.mappings)));
        for (name, mappings) in mapped.filter(|(_, mappings)| !mappings.is_empty()) {
            if let Some(links) = links_of(&mut all, interest, name) {
                links.mappings = mappings.iter().filter_map(Mapping::new).collect();
                // What names one subject goes before what names many.
                links.mappings.sort_by_key(|mapping| subject::has_wildcard(&mapping.source));
            }
        }
        for account in accounts() {
            for import in &account.streams {
                let importer = interest.account_number(&account.name);
                let transform = Transform::complete(&import.source, &import.destination);
                if let (Some(importer), Ok(transform), Some(links)) =
                    (importer, transform, links_of(&mut all, interest, &import.account))
                {
                    links.streams.push(Stream { source: import.source.as_bytes().into(), transform, importer });
                }
            }
            for import in &account.services {
                if let (Some(service), Some(links)) =
                    (Service::new(import, interest), links_of(&mut all, interest, &account.name))
                {
                    links.services.push(Arc::new(service));
                }
            }
        }
        all
    }

    fn mapping(&self, subject: &[u8]) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| subject::matches(&mapping.source, subject))
    }
}

fn links_of<'a>(all: &'a mut Vec<(AccountId, Links)>, interest: &Interest, name: &str) -> Option<&'a mut Links> {
    let id = interest.account_number(name)?;
    let at = all.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
        all.push((id, Links::default()));
        all.len() - 1
    });
    all.get_mut(at).map(|(_, links)| links)
}

impl Mapping {
    fn new(mapping: &exchange::Mapping) -> Option<Self> {
        let mut sum = 0;
        let mut choices = Vec::new();
        for choice in mapping.choices.iter().filter(|choice| choice.weight > 0) {
            sum += choice.weight;
            choices.push((sum, Transform::new(&mapping.source, &choice.destination).ok()?));
        }
        Some(Self { source: mapping.source.as_bytes().into(), choices })
    }
}

impl Service {
    fn new(import: &ServiceImport, interest: &Interest) -> Option<Self> {
        Some(Self {
            source: import.source.as_bytes().into(),
            transform: Transform::complete(&import.source, &import.destination).ok()?,
            exporter: interest.account_number(&import.account)?,
            is_shared: import.is_shared,
            answers: import.answers,
        })
    }
}

impl Linked {
    /// The subject that a mapped message is published to, by a random number below 100; None if it is lost.
    pub fn choose(&self, number: u8) -> Option<&[u8]> {
        self.choices.iter().find(|(sum, _)| number < *sum).map(|(_, subject)| &**subject)
    }

    /// Targets held, as a measure of memory.
    pub(super) fn held(&self) -> usize {
        self.legs.iter().map(|leg| 2 + leg.matched.held()).sum::<usize>() + self.services.len() + self.choices.len()
    }

    /// True if nothing has changed that concerns any of its legs.
    pub(super) fn is_fresh(&self, changes: &Changes) -> bool {
        let is_fresh = |leg: &Leg| changes.stamp(leg.hashes.0, leg.hashes.1).concerns_nothing_since(&leg.stamp);
        self.legs.iter().all(is_fresh)
    }
}

impl Interest {
    /// From now on the mappings and imports of this configuration are in force, all of them.
    pub fn link(&self, authorization: &Authorization) {
        let mut all = Links::of(authorization, self);
        self.answers.store(authorization.system().is_some(), Ordering::Release);
        self.is_linked.store(!all.is_empty(), Ordering::Release);
        for (id, account) in self.accounts() {
            let links = all.iter().position(|(known, _)| *known == id).map(|at| Arc::new(all.swap_remove(at).1));
            account.set_links(links);
        }
        self.changes.everything();
    }

    /// If more becomes of the message than that subscriptions of the account get it, that is put into `out`. Returns what
    /// the search cost then.
    #[inline(never)]
    pub(super) fn find_linked(
        &self,
        account: AccountId,
        subject: &[u8],
        worker: u8,
        out: &mut Matched,
    ) -> Option<usize> {
        let view = View::from(account);
        let links = self.account(account).links();
        let asks_server = self.answers.load(Ordering::Acquire) && subject.starts_with(SERVER_REQUEST);
        let links = match links.as_deref() {
            None if !asks_server => return None,
            None => &Links::default(),
            Some(links) => links,
        };
        if view == View::Published
            && let Some(mapping) = links.mapping(subject)
        {
            let choice = |(sum, transform): &(u8, Transform)| (*sum, transform.apply(subject).into());
            let choices = mapping.choices.iter().map(choice).collect();
            out.set_linked(Linked { choices, ..Linked::default() });
            return Some(0);
        }
        let services: Vec<_> = (links.services.iter())
            .filter(|service| subject::matches(&service.source, subject))
            .map(|service| (Arc::clone(service), service.transform.apply(subject).into()))
            .collect();
        let streams: Vec<_> = (links.streams.iter())
            .filter(|stream| view != View::Served && subject::matches(&stream.source, subject))
            .map(|stream| (stream.importer, stream.transform.apply(subject)))
            .collect();
        if services.is_empty() && streams.is_empty() && !asks_server {
            return None;
        }
        let own = std::iter::once((base(account), subject.to_vec()));
        let mut cost = 0;
        let mut legs: Vec<Leg> = own.chain(streams).map(|leg| self.leg(leg, worker, &mut cost)).collect();
        let groups = groups_of(&mut legs);
        out.set_linked(Linked { choices: Vec::new(), legs, groups, services, asks_server });
        Some(cost)
    }

    fn leg(&self, (account, subject): (AccountId, Vec<u8>), worker: u8, cost: &mut usize) -> Leg {
        let hash: SubjectHash = self.subject_hash();
        let hashes = (hash.of(&subject), hash.of(subject::first_token(&subject)));
        let stamp = self.changes.stamp(hashes.0, hashes.1);
        let mut matched = Matched::default();
        *cost += self.find(View::Alone.of(account), &subject, hashes.0, worker, &mut matched);
        Leg { account, subject: subject.into(), matched, hashes, stamp }
    }
}

/// The groups that have subscriptions in several legs, which are then no longer groups of these legs.
fn groups_of(legs: &mut [Leg]) -> Vec<LinkedGroup> {
    let mut groups: Vec<LinkedGroup> = Vec::new();
    for (number, leg) in legs.iter().enumerate() {
        for group in leg.matched.groups() {
            let members = group.members.iter().filter(|member| !member.is_route()).map(|member| (number, *member));
            match groups.iter_mut().find(|known| *known.name == *group.name) {
                Some(known) => known.members.extend(members),
                None => groups.push(LinkedGroup { name: group.name.into(), members: members.collect() }),
            }
        }
    }
    let has_several =
        |group: &LinkedGroup| group.members.first().map(|one| one.0) != group.members.last().map(|one| one.0);
    groups.retain(has_several);
    let names: Vec<&[u8]> = groups.iter().map(|group| &*group.name).collect();
    if !names.is_empty() {
        legs.iter_mut().for_each(|leg| leg.matched.without_groups(&names));
    }
    groups
}
