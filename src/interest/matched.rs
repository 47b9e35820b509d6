//! The result of matching one subject, as one worker needs it.

use super::links::Linked;
use super::routes::Routes;
use super::targets::{Entry, Target, Targets};
use std::sync::Arc;

/// What kind of result it is, told by one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// Nobody wants it.
    #[default]
    Nobody,
    /// One plain subscription of this worker, and nothing else.
    One(Target),
    /// Several plain subscriptions of this worker, and nothing else.
    Several,
    /// The clients of one other server, and nobody else.
    Route(Target),
    /// Queue groups, other workers or several routes are among those who want it.
    Mixed,
    /// Other accounts, or the server itself, are among those who may want it: see [`Matched::linked`].
    Linked,
    /// It is published to another subject instead: see [`Matched::linked`].
    Mapped,
}

/// Who gets a message.
#[derive(Debug, Default)]
pub struct Matched {
    /// What there is of the following.
    pub shape: Shape,
    /// This worker's plain subscriptions.
    pub plain: Vec<Target>,
    /// What else there is; absent for nearly all subjects.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    /// Other workers with plain subscriptions.
    remotes: Vec<u8>,
    /// Routes whose peers want it, each once.
    routes: Vec<Target>,
    groups: Vec<GroupRange>,
    /// The members of all groups, of all workers.
    members: Vec<Target>,
    names: Vec<u8>,
    linked: Option<Arc<Linked>>,
}

#[derive(Debug)]
struct GroupRange {
    members_end: usize,
    names_end: usize,
    weight: u32,
    has_routes: bool,
}

/// One queue group; exactly one of its members gets the message.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// The queue name: a group's identity, whatever the subjects of its members.
    pub name: &'a [u8],
    /// At least one. A route stands for as many members as its weight says, at least one.
    pub members: &'a [Target],
    /// Of all members together that a choice is made among: those that are no leaf nodes behind a route, or all if there
    /// are only such. At least 1.
    pub weight: u32,
    /// There are routes among the members.
    pub has_routes: bool,
}

impl<'a> Group<'a> {
    /// The members in the order in which they are to be asked. `point` is a random number below the weight. The first
    /// one is at that point; after the others of its kind come those that are the last choice, leaf nodes behind routes.
    pub fn from(&self, point: u32) -> impl Iterator<Item = Target> + use<'a> {
        let has_better = self.members.iter().any(|member| !member.is_leaf());
        let is_chosen = move |member: &Target| !has_better || !member.is_leaf();
        let mut left = point;
        let at_point = |member: &Target| match is_chosen(member).then(|| left.checked_sub(member.weight())) {
            Some(None) => true,
            Some(Some(less)) => {
                left = less;
                false
            }
            None => false,
        };
        let start = self.members.iter().position(at_point).unwrap_or_default();
        let (before, behind) = self.members.split_at(start);
        let all = move || behind.iter().chain(before).copied();
        all().filter(is_chosen).chain(all().filter(move |member| !is_chosen(member)))
    }
}

impl Matched {
    /// Targets held, as a measure of memory.
    pub fn held(&self) -> usize {
        self.plain.len()
            + self.more.as_ref().map_or(0, |more| {
                let linked = more.linked.as_ref().map_or(0, |linked| linked.held());
                more.members.len() + more.remotes.len() + more.routes.len() + linked
            })
    }

    /// What becomes of it that is more than its account's business.
    pub fn linked(&self) -> Option<&Arc<Linked>> {
        self.more.as_ref()?.linked.as_ref()
    }

    /// Sets the result to that.
    pub(super) fn set_linked(&mut self, linked: Linked) {
        self.plain.clear();
        self.shape = if linked.choices.is_empty() && !linked.legs.is_empty() { Shape::Linked } else { Shape::Mapped };
        self.more = Some(Box::new(More { linked: Some(Arc::new(linked)), ..More::default() }));
    }

    /// Other workers that have plain subscriptions.
    #[inline]
    pub fn remotes(&self) -> &[u8] {
        self.more.as_ref().map_or(&[], |more| &more.remotes)
    }

    /// The routes whose peers have plain subscriptions, each once.
    #[inline]
    pub fn routes(&self) -> &[Target] {
        self.more.as_ref().map_or(&[], |more| &more.routes)
    }

    /// The queue groups, each once.
    #[inline]
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.more.iter().flat_map(|more| {
            let mut members_start = 0;
            let mut names_start = 0;
            more.groups.iter().map(move |range| {
                let group = Group {
                    name: &more.names[names_start..range.names_end],
                    members: &more.members[members_start..range.members_end],
                    weight: range.weight,
                    has_routes: range.has_routes,
                };
                (members_start, names_start) = (range.members_end, range.names_end);
                group
            })
        })
    }

    /// Leaves these queue groups away.
    pub(super) fn without_groups(&mut self, names: &[&[u8]]) {
        let Some(more) = self.more.take() else { return };
        let kept = Self { more: Some(more), ..Self::default() };
        let mut left = More::default();
        for group in kept.groups().filter(|group| !names.contains(&group.name)) {
            left.members.extend_from_slice(group.members);
            left.names.extend_from_slice(group.name);
            left.groups.push(GroupRange {
                members_end: left.members.len(),
                names_end: left.names.len(),
                weight: group.weight,
                has_routes: group.has_routes,
            });
        }
        if let Some(mut more) = kept.more {
            (more.groups, more.members, more.names) = (left.groups, left.members, left.names);
            self.more = Some(more);
        }
    }

    /// Sets the result to what `find` visits, keeping the memory it has. Routes that are gone do not count. Returns how many
    /// targets it saw.
    pub fn fill<'a>(&mut self, worker: u8, live: &Routes, find: impl FnOnce(&mut dyn FnMut(&'a Entry))) -> usize {
        self.plain.clear();
        self.more = None;
        let mut remotes: Vec<u8> = Vec::new();
        let mut routes: Vec<Target> = Vec::new();
        let mut queues: Vec<(&'a [u8], &'a Targets)> = Vec::new();
        let plain = &mut self.plain;
        let mut seen = 0;
        find(&mut |entry| {
            entry.plain.each(|target| {
                seen += 1;
                if target.is_route() {
                    routes.push(target.only_route());
                } else if target.worker() == worker {
                    plain.push(target);
                } else if !remotes.contains(&target.worker()) {
                    remotes.push(target.worker());
                }
            });
            if let Some(all) = &entry.queues {
                queues.extend(all.iter());
            }
        });
        routes.sort_unstable();
        routes.dedup();
        routes.retain(|&route| live.is_live(route));
        if queues.is_empty() && remotes.is_empty() && routes.is_empty() {
            self.shape = self.plain_shape();
            return seen;
        }
        queues.sort_unstable_by_key(|(name, _)| *name);
        let mut more = Box::new(More { remotes, routes, ..More::default() });
        for same in queues.chunk_by(|a, b| a.0 == b.0) {
            seen += more.add_group(same, live);
        }
        if more.groups.is_empty() && more.remotes.is_empty() && more.routes.is_empty() {
            self.shape = self.plain_shape();
            return seen;
        }
        self.shape = match more.routes[..] {
            [only] if self.plain.is_empty() && more.remotes.is_empty() && more.groups.is_empty() => Shape::Route(only),
            _ => Shape::Mixed,
        };
        self.more = Some(more);
        seen
    }

    fn plain_shape(&self) -> Shape {
        match self.plain[..] {
            [] => Shape::Nobody,
            [only] => Shape::One(only),
            _ => Shape::Several,
        }
    }
}

impl More {
    /// Adds the members that a group has at several places; returns how many targets these are.
    fn add_group(&mut self, places: &[(&[u8], &Targets)], live: &Routes) -> usize {
        let start = self.members.len();
        let mut seen = 0;
        for (_, targets) in places {
            targets.each(|target| {
                seen += 1;
                if target.weight() > 0 && (!target.is_route() || live.is_live(target)) {
                    self.members.push(target);
                }
            });
        }
        let members = &self.members[start..];
        let sum = |is_leaf: bool| {
            let chosen = members.iter().filter(|member| member.is_leaf() == is_leaf);
            chosen.fold(0u32, |sum, member| sum.saturating_add(member.weight()))
        };
        let weight = match sum(false) {
            0 => sum(true),
            weight => weight,
        };
        if let Some((name, _)) = places.first().filter(|_| !members.is_empty()) {
            self.names.extend_from_slice(name);
            let has_routes = members.iter().any(|member| member.is_route());
            let (members_end, names_end) = (self.members.len(), self.names.len());
            let range = GroupRange { members_end, names_end, weight, has_routes };
            self.groups.push(range);
        }
        seen
    }
}
