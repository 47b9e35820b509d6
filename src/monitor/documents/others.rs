//! Documents about what midge does not have: as the official server shows them when that is off.

use super::{Answer, Context, Nothing, pretty};
use crate::monitor::query::Query;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Leafz {
    server_id: String,
    now: String,
    leafnodes: usize,
    leafs: [Nothing; 0],
}

#[derive(Debug, Serialize)]
struct Gatewayz {
    server_id: String,
    now: String,
    outbound_gateways: Nothing,
    inbound_gateways: Nothing,
}

#[derive(Debug, Serialize)]
struct Jsz {
    memory: u64,
    storage: u64,
    reserved_memory: u64,
    reserved_storage: u64,
    accounts: u64,
    ha_assets: u64,
    api: Api,
    server_id: String,
    now: String,
    disabled: bool,
    config: JetstreamConfig,
    streams: u64,
    consumers: u64,
    messages: u64,
    bytes: u64,
    total: u64,
}

#[derive(Debug, Default, Serialize)]
struct Api {
    level: u64,
    total: u64,
    errors: u64,
}

#[derive(Debug, Default, Serialize)]
struct JetstreamConfig {
    max_memory: u64,
    max_storage: u64,
}

impl Context {
    pub(super) fn leafz(&mut self, query: &Query) -> Answer {
        query.switch("subs")?;
        Ok(pretty(&Leafz { server_id: self.server_id(), now: self.timestamp(), leafnodes: 0, leafs: [] }))
    }

    pub(super) fn gatewayz(&mut self, query: &Query) -> Answer {
        if query.text("subs") != "detail" {
            query.switch("subs")?;
        }
        query.switch("accs")?;
        let (server_id, now) = (self.server_id(), self.timestamp());
        Ok(pretty(&Gatewayz { server_id, now, outbound_gateways: Nothing {}, inbound_gateways: Nothing {} }))
    }

    pub(super) fn jsz(&mut self, query: &Query) -> Answer {
        for name in ["accounts", "streams", "consumers", "config", "leader-only"] {
            query.switch(name)?;
        }
        query.int("offset")?;
        query.int("limit")?;
        Ok(pretty(&Jsz {
            memory: 0,
            storage: 0,
            reserved_memory: 0,
            reserved_storage: 0,
            accounts: 0,
            ha_assets: 0,
            api: Api::default(),
            server_id: self.server_id(),
            now: self.timestamp(),
            disabled: true,
            config: JetstreamConfig::default(),
            streams: 0,
            consumers: 0,
            messages: 0,
            bytes: 0,
            total: 0,
        }))
    }
}
