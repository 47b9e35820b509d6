//! Imports that lead back to the account that imports.

use std::collections::HashMap;

use super::Report;
use crate::config::authorization::Account;
use crate::config::lang::Place;
use crate::log::Quoted;
use crate::wire::{subject, transform};

/// An import as far as this matters: from which account, what it is called here and there.
struct Edge {
    account: usize,
    here: String,
    there: String,
}

/// Says which imports lead back to themselves. `places` has each import with its account, those of one account in their
/// order.
pub fn check(accounts: &[Account], places: &[(usize, Place)], report: &mut Report) {
    let numbers: HashMap<&str, usize> =
        accounts.iter().enumerate().map(|(at, account)| (account.name.as_str(), at)).collect();
    for (kind, edges) in [("stream", streams(accounts, &numbers)), ("service", services(accounts, &numbers))] {
        for (importer, edge) in edges.iter().enumerate().flat_map(|(at, all)| all.iter().map(move |edge| (at, edge))) {
            if leads_back(&edges, edge) {
                let place = places.iter().find(|(account, _)| *account == importer).map(|(_, place)| place);
                let shown = Quoted(edge.there.as_bytes());
                if let Some(place) = place {
                    report.error(place, format!("Error adding {kind} import {shown}: import forms a cycle"));
                }
            }
        }
    }
}

fn streams(accounts: &[Account], numbers: &HashMap<&str, usize>) -> Vec<Vec<Edge>> {
    let edges = |account: &Account| {
        let imports = account.streams.iter();
        let edge = |(account, here, there): (&String, &str, &str)| edge(numbers, account, here, there);
        imports.filter_map(|import| edge((&import.account, &import.destination, &import.source))).collect()
    };
    accounts.iter().map(edges).collect()
}

fn services(accounts: &[Account], numbers: &HashMap<&str, usize>) -> Vec<Vec<Edge>> {
    let edges = |account: &Account| {
        let imports = account.services.iter();
        imports.filter_map(|import| edge(numbers, &import.account, &import.source, &import.destination)).collect()
    };
    accounts.iter().map(edges).collect()
}

fn edge(numbers: &HashMap<&str, usize>, account: &str, here: &str, there: &str) -> Option<Edge> {
    let pattern = |subject: &str| transform::pattern(subject).ok().map(|(pattern, _)| pattern);
    Some(Edge { account: *numbers.get(account)?, here: pattern(here)?, there: pattern(there)? })
}

/// Whether a message that goes the way of an import may come to go it once more: by imports of the other account that
/// concern what it is called there, and so on.
fn leads_back(edges: &[Vec<Edge>], first: &Edge) -> bool {
    let mut seen: Vec<&Edge> = Vec::new();
    let mut open = vec![first];
    while let Some(edge) = open.pop() {
        for next in edges[edge.account].iter() {
            let goes_on = subject::overlap(next.here.as_bytes(), edge.there.as_bytes());
            if goes_on && std::ptr::eq(next, first) {
                return true;
            }
            if goes_on && !seen.iter().any(|known| std::ptr::eq(*known, next)) {
                seen.push(next);
                open.push(next);
            }
        }
    }
    false
}
