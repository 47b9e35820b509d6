//! `/accountz` and `/accstatz`: accounts.

use super::subsz::Stats;
use super::system::json;
use super::{Answer, Context, pretty};
use crate::interest::AccountId;
use crate::monitor::query::Query;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Accountz {
    server_id: String,
    now: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_detail: Option<Detail>,
}

#[derive(Debug, Serialize)]
struct Detail {
    account_name: String,
    update_time: String,
    expired: bool,
    complete: bool,
    jetstream_enabled: bool,
    leafnode_connections: usize,
    client_connections: usize,
    subscriptions: usize,
    name_tag: String,
    sublist_stats: Stats,
}

#[derive(Debug, Serialize)]
struct Accstatz {
    server_id: String,
    now: String,
    account_statz: Vec<Account>,
}

#[derive(Debug, Serialize)]
pub(super) struct Account {
    acc: String,
    name: String,
    conns: usize,
    leafnodes: usize,
    total_conns: usize,
    num_subscriptions: usize,
    sent: Flow,
    received: Flow,
    slow_consumers: u64,
}

/// What went one way, in all and by the kind of connection.
#[derive(Debug, Default, Serialize)]
struct Flow {
    msgs: u64,
    bytes: u64,
    gateways: Part,
    routes: Part,
    leafs: Part,
}

#[derive(Debug, Default, Serialize)]
struct Part {
    msgs: u64,
    bytes: u64,
}

impl Context {
    pub(super) fn accountz(&mut self, query: &Query) -> Answer {
        let (mut accounts, mut account_detail) = (None, None);
        match query.text("acc") {
            "" => {
                let all = self.subject.shared.interest.accounts();
                accounts = Some(all.map(|(_, account)| account.name.to_string()).collect());
            }
            name => {
                let account = self.account_by_name(name).ok_or_else(|| format!("Account {name} does not exist"))?;
                account_detail = Some(self.account_detail(account));
            }
        }
        let system_account = self.subject.options.authorization.system().map(str::to_owned);
        let (server_id, now) = (self.server_id(), self.timestamp());
        Ok(pretty(&Accountz { server_id, now, system_account, accounts, account_detail }))
    }

    fn account_detail(&mut self, account: AccountId) -> Detail {
        let connections = self.sums().connections_of(account as usize);
        let sublist_stats = self.stats(Some(account));
        let name = self.account_name(account).to_owned();
        Detail {
            account_name: name.clone(),
            update_time: self.date_of(0),
            expired: false,
            complete: true,
            jetstream_enabled: false,
            leafnode_connections: 0,
            client_connections: connections,
            subscriptions: self.subject.shared.interest.count(account),
            name_tag: name,
            sublist_stats,
        }
    }

    pub(super) fn accstatz(&mut self, query: &Query) -> Answer {
        let unused = query.switch("unused")?;
        let account_statz = self.account_figures(|_| true, unused);
        Ok(pretty(&Accstatz { server_id: self.server_id(), now: self.timestamp(), account_statz }))
    }

    /// One account.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn account_info(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let account = self.account_by_name(name).ok_or_else(|| format!("Account {name} does not exist"))?;
        Ok(json(&self.account_detail(account)))
    }

    /// The figures of these accounts, or of all; with `unused` of those without clients too.
    ///
    /// # Errors
    /// Never.
    pub fn account_statz(&mut self, accounts: Option<&[String]>, unused: bool) -> Result<Vec<u8>, String> {
        let is_wanted = |name: &str| accounts.is_none_or(|accounts| accounts.iter().any(|wanted| wanted == name));
        let account_statz = self.account_figures(is_wanted, unused);
        Ok(json(&Accstatz { server_id: self.server_id(), now: self.timestamp(), account_statz }))
    }

    /// The figures of some accounts.
    pub(super) fn account_figures(&mut self, is_wanted: impl Fn(&str) -> bool, unused: bool) -> Vec<Account> {
        let sums = self.sums();
        let interest = &self.subject.shared.interest;
        let shown = interest.accounts().filter(|(_, account)| is_wanted(&account.name)).filter_map(|(id, account)| {
            let (conns, traffic) = (sums.connections_of(id as usize), sums.traffic_of(id as usize));
            let slow_consumers = sums.counts.slow_clients.get(id as usize).copied().unwrap_or_default();
            (unused || conns > 0).then(|| Account {
                acc: account.name.to_string(),
                name: account.name.to_string(),
                conns,
                leafnodes: 0,
                total_conns: conns,
                num_subscriptions: interest.count(id),
                sent: Flow { msgs: traffic.out_messages, bytes: traffic.out_bytes, ..Flow::default() },
                received: Flow { msgs: traffic.in_messages, bytes: traffic.in_bytes, ..Flow::default() },
                slow_consumers,
            })
        });
        shown.collect()
    }
}
