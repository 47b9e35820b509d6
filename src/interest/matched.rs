//! The result of matching one subject, as one worker needs it.

use super::targets::{Entry, Target, Targets};

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
    /// Queue groups or other workers are among those who want it.
    Mixed,
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
    groups: Vec<GroupRange>,
    /// The members of all groups, of all workers.
    members: Vec<Target>,
    names: Vec<u8>,
}

#[derive(Debug)]
struct GroupRange {
    members_end: usize,
    names_end: usize,
}

/// One queue group; exactly one of its members gets the message.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// The queue name: a group's identity, whatever the subjects of its members.
    pub name: &'a [u8],
    /// At least one.
    pub members: &'a [Target],
}

impl Matched {
    /// Targets held, as a measure of memory.
    pub fn held(&self) -> usize {
        self.plain.len() + self.more.as_ref().map_or(0, |more| more.members.len() + more.remotes.len())
    }

    /// Other workers that have plain subscriptions.
    #[inline]
    pub fn remotes(&self) -> &[u8] {
        self.more.as_ref().map_or(&[], |more| &more.remotes)
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
                };
                (members_start, names_start) = (range.members_end, range.names_end);
                group
            })
        })
    }

    /// Sets the result to what `find` visits, keeping the memory it has. Returns how many targets it saw.
    pub fn fill<'a>(&mut self, worker: u8, find: impl FnOnce(&mut dyn FnMut(&'a Entry))) -> usize {
        self.plain.clear();
        self.more = None;
        let mut remotes: Vec<u8> = Vec::new();
        let mut queues: Vec<(&'a [u8], &'a Targets)> = Vec::new();
        let plain = &mut self.plain;
        let mut seen = 0;
        find(&mut |entry| {
            entry.plain.each(|target| {
                seen += 1;
                if target.worker() == worker {
                    plain.push(target);
                } else if !remotes.contains(&target.worker()) {
                    remotes.push(target.worker());
                }
            });
            if let Some(all) = &entry.queues {
                queues.extend(all.iter().map(|(name, targets)| (&**name, targets)));
            }
        });
        if queues.is_empty() && remotes.is_empty() {
            self.shape = match self.plain[..] {
                [] => Shape::Nobody,
                [only] => Shape::One(only),
                _ => Shape::Several,
            };
            return seen;
        }
        self.shape = Shape::Mixed;
        queues.sort_unstable_by_key(|(name, _)| *name);
        let mut more = Box::new(More { remotes, ..More::default() });
        for same in queues.chunk_by(|a, b| a.0 == b.0) {
            more.names.extend_from_slice(same[0].0);
            same.iter().for_each(|(_, targets)| targets.each(|target| more.members.push(target)));
            more.groups.push(GroupRange { members_end: more.members.len(), names_end: more.names.len() });
        }
        seen += more.members.len();
        self.more = Some(more);
        seen
    }
}
