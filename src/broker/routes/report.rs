//! What monitoring may know of the cluster.

use crate::broker::Broker;
use crate::broker::report::Row;
use crate::interest::Target;
use crate::wire::route::SubjectLists;

/// The cluster as the worker with its routes sees it.
#[derive(Debug, Clone, Default)]
pub struct ClusterReport {
    /// Its name.
    pub name: String,
    /// Where peers come in.
    pub port: u16,
    /// The routes to servers that have said who they are.
    pub routes: Vec<RouteRow>,
}

/// One route.
#[derive(Debug, Clone)]
pub struct RouteRow {
    /// Its figures as a connection.
    pub row: Row,
    /// How the interest of its peer is called.
    pub target: Target,
    /// The peer's id.
    pub id: String,
    /// The peer's name.
    pub name: String,
    /// We dialled.
    pub is_solicited: bool,
    /// It is attached to a configured route.
    pub is_configured: bool,
    /// What interest the peer announces.
    pub import: Option<SubjectLists>,
    /// What interest the peer takes.
    pub export: Option<SubjectLists>,
    /// Subscriptions of the peer that are known here.
    pub interest: usize,
    /// Messages that were not sent because it was too far behind.
    pub dropped: u64,
}

impl Broker {
    /// The cluster and its routes; nothing at a worker that has none.
    pub(in crate::broker) fn cluster_report(&self) -> ClusterReport {
        let Some(membership) = self.membership.get() else { return ClusterReport::default() };
        let row = |&key: &u32| {
            let client = self.local.clients.get(key as usize)?;
            let neighbour = client.neighbour()?;
            let peer = &neighbour.peer;
            Some(RouteRow {
                row: Row::new(key, client),
                target: neighbour.remote.route(),
                id: peer.id.clone(),
                name: peer.name.clone(),
                is_solicited: peer.is_solicited,
                is_configured: peer.is_configured,
                import: peer.import.clone(),
                export: peer.export.clone(),
                interest: neighbour.remote.count(),
                dropped: neighbour.dropped,
            })
        };
        let routes = self.local.routes.keys.iter().filter_map(row).collect();
        ClusterReport { name: membership.cluster.name().to_owned(), port: membership.port, routes }
    }
}
