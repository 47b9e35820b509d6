//! The trie of patterns with wildcards. Its nodes are found by parent and token in one table, so a node with few
//! children costs no table of its own.

use super::SubjectHash;
use super::targets::{Entry, Target};
use crate::memory::copy::same;
use crate::memory::{Table, Text};
use crate::wire::subject;
use slab::Slab;

const NONE: u32 = u32::MAX;
const ROOT: u32 = 0;

#[derive(Debug)]
struct Node {
    parent: u32,
    token: Text<14>,
    /// Children that are not `*` or `>`.
    literal_children: u32,
    star: u32,
    rest: u32,
    entry: Entry,
}

impl Node {
    fn new(parent: u32, token: &[u8]) -> Self {
        Self { parent, token: Text::new(token), literal_children: 0, star: NONE, rest: NONE, entry: Entry::default() }
    }

    fn is_unused(&self) -> bool {
        self.literal_children == 0 && self.star == NONE && self.rest == NONE && self.entry.is_empty()
    }
}

#[derive(Debug)]
pub struct Wild {
    nodes: Slab<Node>,
    by_token: Table,
    hash: SubjectHash,
}

impl Wild {
    pub fn new(hash: SubjectHash) -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(NONE, b""));
        Self { nodes, by_token: Table::default(), hash }
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    pub fn insert(&mut self, pattern: &[u8], queue: &[u8], target: Target) -> u32 {
        let mut at = ROOT;
        for token in subject::tokens(pattern) {
            at = match self.child(at, token) {
                Some(child) => child,
                None => self.add_child(at, token),
            };
        }
        self.nodes[at as usize].entry.insert(queue, target);
        at
    }

    fn child(&self, parent: u32, token: &[u8]) -> Option<u32> {
        let node = &self.nodes[parent as usize];
        let found = match token {
            b"*" => node.star,
            b">" => node.rest,
            _ => return self.literal_child(parent, token),
        };
        (found != NONE).then_some(found)
    }

    /// The child that a published token leads to; its `*` is no wildcard.
    fn literal_child(&self, parent: u32, token: &[u8]) -> Option<u32> {
        if self.nodes[parent as usize].literal_children == 0 {
            return None;
        }
        let is_it = |at: u32| {
            let node = &self.nodes[at as usize];
            node.parent == parent && same(node.token.bytes(), token)
        };
        self.by_token.find(self.hash.of_child(parent, token), is_it)
    }

    fn add_child(&mut self, parent: u32, token: &[u8]) -> u32 {
        let Self { nodes, by_token, hash } = self;
        let at = nodes.insert(Node::new(parent, token)) as u32;
        match token {
            b"*" => nodes[parent as usize].star = at,
            b">" => nodes[parent as usize].rest = at,
            _ => {
                nodes[parent as usize].literal_children += 1;
                by_token.insert(hash.of_child(parent, token), at);
            }
        }
        at
    }

    /// The node of a pattern.
    pub fn node(&self, pattern: &[u8]) -> Option<u32> {
        subject::tokens(pattern).try_fold(ROOT, |at, token| self.child(at, token))
    }

    /// What is at a node, if there is one.
    pub fn entry(&self, at: u32) -> Option<&Entry> {
        self.nodes.get(at as usize).map(|node| &node.entry)
    }

    /// Nodes there is room for.
    pub fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// False if the target was not there.
    pub fn remove(&mut self, at: u32, queue: &[u8], target: Target) -> bool {
        let found = self.nodes[at as usize].entry.remove(queue, target);
        self.prune(at);
        found
    }

    /// Takes away all that one route wants at a node, if there is one; returns how many that were.
    pub fn remove_route(&mut self, at: u32, route: Target) -> usize {
        let Some(node) = self.nodes.get_mut(at as usize) else { return 0 };
        let removed = node.entry.remove_route(route);
        if removed > 0 {
            self.prune(at);
        }
        removed
    }

    /// Takes nodes away that are no use, from one up.
    fn prune(&mut self, mut at: u32) {
        while at != ROOT && self.nodes[at as usize].is_unused() {
            let Node { parent, token, .. } = self.nodes.remove(at as usize);
            let node = &mut self.nodes[parent as usize];
            match token.bytes() {
                b"*" => node.star = NONE,
                b">" => node.rest = NONE,
                token => {
                    node.literal_children -= 1;
                    self.by_token.remove(self.hash.of_child(parent, token), at);
                }
            }
            at = parent;
        }
    }

    pub fn pattern(&self, mut at: u32) -> Vec<u8> {
        let mut tokens = Vec::new();
        while at != ROOT {
            let node = &self.nodes[at as usize];
            tokens.push(node.token.bytes());
            at = node.parent;
        }
        tokens.reverse();
        tokens.join(&b'.')
    }

    /// Visits all that match; returns how many nodes it looked at. `subject` must be well formed.
    pub fn find<'a>(&'a self, subject: &[u8], visit: &mut dyn FnMut(&'a Entry)) -> usize {
        // Where a `*` and a literal token both lead on, the `*` is gone back to: memory instead of recursion, because the
        // peer decides how often that happens.
        let mut later: Vec<(u32, Option<&[u8]>)> = Vec::new();
        let (mut at, mut rest) = (ROOT, Some(subject));
        let mut nodes = 0;
        loop {
            nodes += 1;
            let node = &self.nodes[at as usize];
            let mut leads_on = false;
            if let Some(tokens) = rest {
                if node.rest != NONE {
                    visit(&self.nodes[node.rest as usize].entry);
                }
                let token = subject::first_token(tokens);
                rest = tokens.get(token.len() + 1..);
                if let Some(child) = self.literal_child(at, token) {
                    if node.star != NONE {
                        later.push((node.star, rest));
                    }
                    (at, leads_on) = (child, true);
                } else if node.star != NONE {
                    (at, leads_on) = (node.star, true);
                }
            } else {
                visit(&node.entry);
            }
            if !leads_on {
                let Some(back) = later.pop() else { return nodes };
                (at, rest) = back;
            }
        }
    }
}
