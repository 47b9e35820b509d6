//! The keys of the official server that midge does not know what to do with.
//!
//! One table: a feature that comes takes its keys out of it. Keys whose absence would weaken security are refused, and
//! the others are ignored with a warning each.

/// The keys of one missing feature.
#[derive(Debug)]
pub struct Missing {
    /// Their names in the configuration file.
    pub keys: &'static [&'static str],
    /// What a server that ignored them would do to its operator; empty when ignoring them does no harm.
    pub danger: &'static str,
}

const OPEN: &str = "the server would be open to everyone";

/// Everything that is missing, with the dangerous first.
pub const MISSING: &[Missing] = &[
    Missing { keys: &["proxies"], danger: OPEN },
    Missing { keys: &["operator", "operators", "roots", "root", "trusted", "trusted_keys"], danger: OPEN },
    Missing {
        keys: &[
            "resolver",
            "resolver_preload",
            "resolver_tls",
            "resolver_pinned_accounts",
            "account_resolver",
            "accounts_resolver",
        ],
        danger: OPEN,
    },
    Missing { keys: &["default_sentinel"], danger: "every client would have the same rights" },
    Missing { keys: &["gateway"], danger: "" },
    Missing { keys: &["mqtt"], danger: "" },
    Missing { keys: &["jetstream", "store_dir", "storedir", "default_js_domain"], danger: "" },
    Missing { keys: &["websocket", "ws"], danger: "" },
    Missing { keys: &["leafnodes", "leaf"], danger: "" },
    Missing { keys: &["feature_flags"], danger: "" },
    Missing { keys: &["prof_port", "prof_block_rate", "proxy_protocol"], danger: "" },
    Missing { keys: &["disable_sublist_cache", "no_sublist_cache"], danger: "" },
    Missing { keys: &["ocsp", "ocsp_cache"], danger: "" },
];

/// The missing feature that `key`, in any case, belongs to.
pub fn by_key(key: &str) -> Option<&'static Missing> {
    MISSING.iter().find(|missing| missing.keys.iter().any(|known| known.eq_ignore_ascii_case(key)))
}
