//! Events: clients come and go.

use super::ServerInfo;
use crate::broker::Broker;
use crate::broker::client::Traffic;
use crate::broker::deliver::Local;
use crate::broker::reason::Reason;
use crate::wire::client_info::ClientInfo;
use serde::Serialize;
use std::sync::Arc;

/// An event about a client.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    timestamp: &'a str,
    server: ServerInfo<'a>,
    client: ClientInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Flow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<Flow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// What went one way, as the client sees it.
#[derive(Serialize)]
struct Flow {
    msgs: u64,
    bytes: u64,
}

/// That a client has gone, for those who look after the server.
#[derive(Debug)]
pub struct Departure {
    subjects: Vec<String>,
    document: Vec<u8>,
}

impl Broker {
    /// A client was let in.
    pub(in crate::broker) fn tell_of_arrival(&mut self, key: u32) {
        if self.local.system.is_none() {
            return;
        }
        let account = self.local.clients[key as usize].account;
        let name = Arc::clone(&self.shared.interest.account(account).name);
        let subject = format!("$SYS.ACCOUNT.{name}.CONNECT");
        if let Some(system) = self.audience(subject.as_bytes()) {
            let document = self.local.event(key, &name, "io.nats.server.advisory.v1.client_connect", None);
            self.say(system, subject.as_bytes(), &document);
        }
    }

    /// Tells of those that have gone since the last call.
    pub(in crate::broker) fn tell_of_departures(&mut self) {
        let Some(system) = self.local.system else { return };
        for Departure { subjects, document } in std::mem::take(&mut self.local.departures) {
            subjects.iter().for_each(|subject| _ = self.say(system, subject.as_bytes(), &document));
        }
    }
}

impl Local {
    /// A client is about to go. It is told later, if anyone in the system account may want to hear of it.
    pub(in crate::broker) fn note_departure(&mut self, key: u32, reason: Reason) {
        let client = &self.clients[key as usize];
        let Some(system) = self.system.filter(|_| client.connected && client.route.is_none()) else { return };
        if self.shared.interest.count(system) == 0 {
            return;
        }
        let name = &*self.shared.interest.account(client.account).name;
        let mut subjects = vec![format!("$SYS.ACCOUNT.{name}.DISCONNECT")];
        if reason == Reason::AuthenticationFailure {
            subjects.push(format!("$SYS.SERVER.{}.CLIENT.AUTH.ERR", self.shared.identity.id));
        }
        let document = self.event(key, name, "io.nats.server.advisory.v1.client_disconnect", Some(reason));
        self.departures.push(Departure { subjects, document });
    }

    fn event(&self, key: u32, account: &str, kind: &'static str, reason: Option<Reason>) -> Vec<u8> {
        let client = &self.clients[key as usize];
        let now = self.shared.date(self.now_us);
        let server = self.shared.server_info(&self.options, self.now_us);
        let mut info = ClientInfo { server: None, name_tag: Some(account), ..self.client_info(client, account) };
        match reason {
            None => info.rtt = None,
            Some(_) => info.stop = Some(now.clone()),
        }
        let Traffic { in_messages, in_bytes, out_messages, out_bytes } = client.traffic;
        let flow = |msgs, bytes| reason.map(|_| Flow { msgs, bytes });
        let event = Event {
            kind,
            id: self.shared.event_id(),
            timestamp: &now,
            server,
            client: info,
            sent: flow(in_messages, in_bytes),
            received: flow(out_messages, out_bytes),
            reason: reason.map(Reason::text),
        };
        serde_json::to_vec(&event).expect("strings and numbers can be written to memory")
    }
}
