//! `/subsz`: subscriptions of the whole server.

use super::connz::{self, Subscription};
use super::{Answer, Context, number, pretty};
use crate::broker::report::{Piece, Question, SubRows};
use crate::interest::AccountId;
use crate::interest::cache::Figures;
use crate::monitor::query::Query;
use crate::wire::subject;
use serde::Serialize;

/// How the index and the caches of its results are used.
#[derive(Debug, Default, Serialize)]
pub(super) struct Stats {
    num_subscriptions: usize,
    num_cache: usize,
    num_inserts: u64,
    num_removes: u64,
    num_matches: u64,
    #[serde(serialize_with = "number")]
    cache_hit_rate: f64,
    max_fanout: usize,
    #[serde(serialize_with = "number")]
    avg_fanout: f64,
}

#[derive(Debug, Serialize)]
struct Subsz<'a> {
    server_id: String,
    now: String,
    #[serde(flatten)]
    stats: Stats,
    total: usize,
    offset: usize,
    limit: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<Subscription<'a>>,
}

impl Context {
    pub(super) fn subsz(&mut self, query: &Query) -> Answer {
        let subs = query.switch("subs")?;
        let (offset, limit) = connz::page(query)?;
        let test = query.text("test");
        if !test.is_empty() && !subject::is_valid_publish(test.as_bytes()) {
            return Err(format!("invalid test subject, must be valid publish subject: {test}"));
        }
        let account = match query.text("acc") {
            "" => Some(None),
            name => self.account_by_name(name).map(Some),
        };
        let stats = account.map_or_else(Stats::default, |account| self.stats(account));
        let (mut total, mut rows) = (0, Vec::new());
        if let (true, Some(account)) = (subs, account) {
            let test = (!test.is_empty()).then(|| test.as_bytes().to_vec());
            (total, rows) = self.subscriptions_list(account, test, offset, limit);
        }
        let shown = rows.iter().flat_map(SubRows::iter).map(|row| {
            let account = self.account_name(row.account);
            Subscription::new(&row).of_account(account)
        });
        let subscriptions_list = shown.collect();
        let (server_id, now) = (self.server_id(), self.timestamp());
        Ok(pretty(&Subsz { server_id, now, stats, total, offset, limit, subscriptions_list }))
    }

    /// The figures of one account, or of all. What the caches say is not kept by account.
    pub(super) fn stats(&mut self, account: Option<AccountId>) -> Stats {
        let mut all = Figures::default();
        self.workers.ask_all(
            |_| Some(Question::Matches),
            |_, piece, _| {
                if let Piece::Matches(figures) = piece {
                    all.results += figures.results;
                    all.looks += figures.looks;
                    all.searches += figures.searches;
                    all.targets += figures.targets;
                    all.targets_max = all.targets_max.max(figures.targets_max);
                }
            },
        );
        let interest = &self.subject.shared.interest;
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let mut stats = Stats {
            num_cache: all.results,
            num_matches: all.looks,
            cache_hit_rate: share(all.looks - all.searches, all.looks),
            max_fanout: all.targets_max,
            avg_fanout: share(all.targets as u64, all.results as u64),
            ..Stats::default()
        };
        let wanted = |id: &AccountId| account.is_none_or(|account| account == *id);
        for id in interest.accounts().map(|(id, _)| id).filter(wanted) {
            let tally = interest.tally(id);
            stats.num_subscriptions += tally.count;
            stats.num_inserts += tally.inserts;
            stats.num_removes += tally.removes;
        }
        stats
    }

    /// One page of the subscriptions, those of the first worker first, and how many there are in all.
    fn subscriptions_list(
        &mut self,
        account: Option<AccountId>,
        test: Option<Vec<u8>>,
        offset: usize,
        limit: usize,
    ) -> (usize, Vec<SubRows>) {
        let (mut total, mut shown, mut rows) = (0, 0, Vec::new());
        for worker in 0..self.workers.count() {
            // What the workers before it had decides where the page begins here.
            let (skip, take) = (offset.saturating_sub(total), limit - shown);
            let question = Question::Subscriptions { account, test: test.clone(), skip, take };
            self.workers.ask(worker, question, |piece, _| {
                if let Piece::Subscriptions(found, more) = piece {
                    total += found;
                    shown += more.len();
                    rows.push(more);
                }
            });
        }
        (total, rows)
    }
}
