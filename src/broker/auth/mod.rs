//! Who a client is and what it may do.
//!
//! - [`Auth`]: who may connect, made from the options for a quick answer
//! - [`check`]: passwords behind bcrypt, which take long: the owner of the broker has them checked elsewhere
//! - [`nkeys`]: nonces and their signatures
//! - [`permissions`]: what a user may publish and subscribe to
//! - [`grants`]: replies that may be published because someone waits for them
//! - [`failures`]: addresses whose clients do not know their passwords
//! - `login`: how all of that becomes part of the life of a connection
//! - `recheck`: what becomes of clients when it changes

pub mod access;
pub mod check;
pub mod failures;
pub mod grants;
mod login;
pub mod nkeys;
pub mod permissions;
mod recheck;

pub use access::{Access, Stage};
pub use check::{Check, Verdict};
pub use permissions::Permissions;
pub use recheck::Recheck;

use crate::config::Options;
use crate::config::authorization::{self as config, AccountLimits, Authorization, Login};
use crate::interest::{AccountId, GLOBAL_ACCOUNT, Interest};
use crate::wire::certificate::PeerCertificate;
use crate::wire::nkey::{self, PublicKey};
use crate::wire::{Credentials, Secret};
use check::Hash;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Who may connect.
#[derive(Debug)]
pub struct Auth {
    method: Method,
    by_key: HashMap<PublicKey, Arc<User>>,
    /// Who does not say who it is becomes this user.
    fallback: Option<Arc<User>>,
    /// Checked where there is nothing to check, if there are hashes at all: so a client cannot tell from the time
    /// which users there are.
    decoy: Option<Arc<Hash>>,
    /// Every permission set there is, by what the configuration says.
    sets: Sets,
    /// The number of the one that was made last.
    last_set: u64,
    /// The account for those who look after the server.
    pub system: Option<AccountId>,
    /// Some accounts have mappings.
    pub maps: bool,
}

type Sets = HashMap<Arc<config::Permissions>, Arc<Permissions>>;

#[derive(Debug)]
enum Method {
    /// Nobody is asked.
    Open,
    /// All give the same token.
    Token(Arc<User>),
    /// Users with names.
    Names(HashMap<String, Arc<User>>),
}

/// Someone who may connect.
#[derive(Debug)]
pub struct User {
    /// How people call the user.
    pub name: Name,
    /// The subject space the user lives in.
    pub account: AccountId,
    /// That one's name.
    pub account_name: Arc<str>,
    /// What the user may do; None if everything.
    pub permissions: Option<Arc<Permissions>>,
    /// What clients of that account may cost.
    pub limits: AccountLimits,
    proof: Proof,
    /// A plain connection is allowed.
    is_standard: bool,
}

/// How people call a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// The user has a name.
    User(String),
    /// The user has a key.
    Nkey(PublicKey),
    /// One of those who know the token.
    Token,
    /// One of all who may connect without being asked.
    Anyone,
}

impl User {
    /// Someone who may do everything, in the account of those that have no other.
    fn unlimited(name: Name, proof: Proof) -> Self {
        let (account, account_name) = (GLOBAL_ACCOUNT, Arc::from(config::GLOBAL));
        let limits = AccountLimits::default();
        Self { name, account, account_name, permissions: None, limits, proof, is_standard: true }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Name::User(name) => write!(f, "user:{name}"),
            Name::Nkey(key) => write!(f, "nkey:{}", nkey::encode(nkey::USER, key)),
            Name::Token => f.write_str("token"),
            Name::Anyone => f.write_str("anyone"),
        }
    }
}

/// What shows that a client is the user it says it is.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// The text itself.
    Text(Secret),
    /// A text with this hash.
    Hash(Arc<Hash>),
    /// A text with a hash that none has, because it is malformed.
    Nothing(Secret),
    /// A signature by the key that is also its name.
    Signature,
}

impl Proof {
    fn of(secret: &Secret) -> Self {
        match secret.is_bcrypt() {
            true => {
                Hash::parse(secret).map_or_else(|| Proof::Nothing(secret.clone()), |hash| Proof::Hash(Arc::new(hash)))
            }
            false => Proof::Text(secret.clone()),
        }
    }
}

/// Whether certificates say who clients are.
#[derive(Debug, Clone, Copy)]
pub enum Mapping<'a> {
    /// They do not.
    None,
    /// They do, and this is the client's, if it has one.
    Certificate(Option<&'a PeerCertificate>),
}

/// What becomes of a client that says who it is.
#[derive(Debug)]
pub enum Decision {
    /// It does not matter who it is.
    Open,
    /// It is this user.
    Accept(Arc<User>),
    /// It does not say who it is, and such clients are this user.
    Assume(Arc<User>),
    /// It is not who it says it is, or nobody we know.
    Refuse,
    /// It is this user if the secret it gave has this hash, and nobody otherwise.
    Check(Option<Arc<User>>, Secret, Arc<Hash>),
}

impl Auth {
    /// What the options say. `before` is what was in force until now: permission sets that are there already are used
    /// again, and the numbers of others go on from there, so that none is ever taken for another.
    pub fn new(options: &Options, interest: &Interest, before: Option<&Auth>) -> Self {
        let authorization = &options.authorization;
        let Authorization { user, password, token, no_auth_user, .. } = authorization;
        let last_set = before.map_or(0, |before| before.last_set);
        let mut maker = Maker { last_set, sets: HashMap::new(), before: before.map(|before| &before.sets) };
        let mut by_key = HashMap::new();
        let method = if authorization.has_users() {
            let mut by_name = HashMap::new();
            for (account, user, limits) in authorization.all_users() {
                // Where there are too many accounts, nobody comes into the last ones.
                let Some(account) = interest.account_number(account) else { continue };
                let made = maker.user(user, account, &interest.account(account).name, limits);
                match &user.login {
                    Login::Password(name, _) => _ = by_name.insert(name.clone(), made),
                    Login::Nkey(key) => _ = by_key.insert(*key, made),
                }
            }
            Method::Names(by_name)
        } else if !token.is_empty() {
            Method::Token(Arc::new(User::unlimited(Name::Token, Proof::of(token))))
        } else if user.is_some() || !password.is_empty() {
            let name = user.clone().unwrap_or_default();
            let user = User::unlimited(Name::User(name.clone()), Proof::of(password));
            Method::Names(HashMap::from([(name, Arc::new(user))]))
        } else {
            Method::Open
        };
        let system = authorization.system().and_then(|name| interest.account_number(name));
        let has_mappings = |account: &config::Account| !account.mappings.is_empty();
        let maps = !authorization.mappings.is_empty() || authorization.accounts.iter().any(has_mappings);
        let Maker { last_set, sets, .. } = maker;
        let mut auth = Self { method, by_key, fallback: None, decoy: None, last_set, sets, system, maps };
        auth.fallback = match no_auth_user {
            Some(name) => auth.named(name).cloned(),
            None if auth.is_required() && authorization.has_users() && authorization.is_for_system_only() => {
                Some(Arc::new(User::unlimited(Name::Anyone, Proof::Signature)))
            }
            None => None,
        };
        auth.decoy = auth.decoy();
        auth
    }

    /// The user or key that `no_auth_user` names.
    fn named(&self, name: &str) -> Option<&Arc<User>> {
        let Method::Names(names) = &self.method else { return None };
        names.get(name).or_else(|| self.by_key.get(&nkey::decode(nkey::USER, name)?))
    }

    /// The hash that most users have the like of: so many rounds does a refusal take that would need none.
    fn decoy(&self) -> Option<Arc<Hash>> {
        let users: Box<dyn Iterator<Item = &Arc<User>>> = match &self.method {
            Method::Open => return None,
            Method::Token(all) => Box::new(std::iter::once(all)),
            Method::Names(names) => Box::new(names.values()),
        };
        let mut counts: HashMap<u32, (usize, &Arc<Hash>)> = HashMap::new();
        for user in users {
            if let Proof::Hash(hash) = &user.proof {
                counts.entry(hash.cost()).or_insert((0, hash)).0 += 1;
            }
        }
        counts.into_values().max_by_key(|(count, hash)| (*count, hash.cost())).map(|(_, hash)| Arc::clone(hash))
    }

    /// True if clients have to say who they are.
    pub fn is_required(&self) -> bool {
        !matches!(self.method, Method::Open)
    }

    /// True if the first INFO says so.
    pub fn is_shown(&self) -> bool {
        self.is_required() && self.fallback.as_ref().is_none_or(|user| user.name == Name::Anyone)
    }

    /// True if some users sign nonces.
    pub fn has_nkeys(&self) -> bool {
        !self.by_key.is_empty()
    }

    /// The user that a client is which says something else than CONNECT first.
    fn fallback_at_first_word(&self) -> Option<&Arc<User>> {
        self.fallback.as_ref().filter(|user| matches!(user.name, Name::User(_) | Name::Anyone))
    }

    /// The user of this name as things are now.
    fn user(&self, name: &Name) -> Option<&Arc<User>> {
        match (name, &self.method) {
            (Name::Nkey(key), _) => self.by_key.get(key),
            (Name::User(name), Method::Names(names)) => names.get(name),
            (Name::Token, Method::Token(all)) => Some(all),
            _ => None,
        }
    }

    /// Who the client is that gives these credentials for this nonce.
    pub fn decide(&self, credentials: &Credentials, nonce: &str, mapping: Mapping) -> Decision {
        if !self.is_required() {
            return Decision::Open;
        }
        if !self.by_key.is_empty() && !credentials.nkey.is_empty() {
            return self.decide_nkey(credentials, nonce);
        }
        let is_absent = credentials.are_absent() && matches!(mapping, Mapping::None);
        if let Some(user) = self.fallback.as_ref().filter(|user| is_absent && user.is_standard) {
            return Decision::Assume(Arc::clone(user));
        }
        let (user, given) = match (&self.method, mapping) {
            (Method::Open, _) => return Decision::Open,
            (Method::Token(all), _) => (Some(all), &credentials.token),
            (Method::Names(names), Mapping::None) => (names.get(&credentials.user), &credentials.password),
            (Method::Names(names), Mapping::Certificate(certificate)) => {
                let name = certificate.and_then(|certificate| certificate.find(names.keys().map(String::as_str)));
                (name.and_then(|name| names.get(name)), &credentials.password)
            }
        };
        let user = user.filter(|user| user.is_standard);
        match user.map(|user| (user, &user.proof)) {
            Some((user, Proof::Text(text))) if text.is(given) => Decision::Accept(Arc::clone(user)),
            Some((user, Proof::Hash(hash))) => Decision::Check(Some(Arc::clone(user)), given.clone(), Arc::clone(hash)),
            _ => match &self.decoy {
                Some(hash) => Decision::Check(None, given.clone(), Arc::clone(hash)),
                None => Decision::Refuse,
            },
        }
    }

    /// The signature is verified before the key is looked up: so the time does not tell which keys are known.
    fn decide_nkey(&self, credentials: &Credentials, nonce: &str) -> Decision {
        let key = nkey::decode(nkey::USER, &credentials.nkey);
        let signature = nkey::signature(credentials.signature.reveal());
        let (Some(key), Some(signature)) = (key, signature) else { return Decision::Refuse };
        let is_signed = nkeys::is_signed(&key, nonce.as_bytes(), &signature);
        match self.by_key.get(&key).filter(|user| is_signed && user.is_standard) {
            Some(user) => Decision::Accept(Arc::clone(user)),
            None => Decision::Refuse,
        }
    }
}

/// Makes users; those who may do the same share one permission set.
struct Maker<'a> {
    last_set: u64,
    sets: Sets,
    /// Those that were in force until now.
    before: Option<&'a Sets>,
}

impl Maker<'_> {
    fn user(&mut self, user: &config::User, account: AccountId, name: &Arc<str>, limits: AccountLimits) -> Arc<User> {
        let account_name = Arc::clone(name);
        let (name, proof) = match &user.login {
            Login::Password(name, password) => (Name::User(name.clone()), Proof::of(password)),
            Login::Nkey(key) => (Name::Nkey(*key), Proof::Signature),
        };
        let permissions = user.permissions.as_ref().filter(|permissions| !permissions.allow_everything());
        Arc::new(User {
            name,
            account,
            account_name,
            limits,
            permissions: permissions.map(|permissions| self.set(permissions)),
            proof,
            is_standard: user.is_standard,
        })
    }

    fn set(&mut self, permissions: &Arc<config::Permissions>) -> Arc<Permissions> {
        let Self { last_set, sets, before } = self;
        let made = sets.entry(Arc::clone(permissions)).or_insert_with(|| {
            before.and_then(|before| before.get(permissions)).cloned().unwrap_or_else(|| {
                *last_set += 1;
                Arc::new(Permissions::new(permissions, *last_set))
            })
        });
        Arc::clone(made)
    }
}

#[cfg(test)]
mod tests;
