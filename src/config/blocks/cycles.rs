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

/// Says which imports form cycles. `places` has each import with its account, those of one account in their order.
pub fn check(accounts: &[Account], places: &[(usize, Place)], report: &mut Report) {
    let numbers: HashMap<&str, usize> =
        accounts.iter().enumerate().map(|(at, account)| (account.name.as_str(), at)).collect();
    for (kind, edges) in [("stream", streams(accounts, &numbers)), ("service", services(accounts, &numbers))] {
        for (importer, edge) in edges.iter().enumerate().flat_map(|(at, all)| all.iter().map(move |edge| (at, edge))) {
            if leads_back(&edges, edge.account, &edge.there, &mut vec![importer]) {
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

/// Whether what is called `subject` in this account comes, by its imports, from one of those that were passed.
fn leads_back(edges: &[Vec<Edge>], account: usize, subject: &str, passed: &mut Vec<usize>) -> bool {
    let meets = |edge: &&Edge| subject::overlap(edge.here.as_bytes(), subject.as_bytes());
    passed.push(account);
    let found = edges[account].iter().filter(meets).any(|edge| {
        passed.contains(&edge.account) || leads_back(edges, edge.account, &edge.there, passed)
    });
    passed.pop();
    found
}
