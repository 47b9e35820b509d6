//! Who may connect and what they may do, as the configuration says it.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Export, Mapping, ServiceImport, StreamImport};
use crate::wire::Secret;
use crate::wire::nkey::PublicKey;

/// More time than that to say who one is helps only those who do not want to.
pub(super) const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// Who may connect. If nothing is set, everyone may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorization {
    /// The name of the only user.
    pub user: Option<String>,
    /// That user's password.
    pub password: Secret,
    /// A token that all clients share; empty if there is none.
    pub token: Secret,
    /// How long a client may take to say who it is.
    pub timeout: Option<Duration>,
    /// Several users. If there is such a list, an empty one included, nobody else may connect.
    pub users: Option<Arc<Vec<User>>>,
    /// The user that a client becomes which does not say who it is.
    pub no_auth_user: Option<String>,
    /// Subject spaces with users of their own, besides [`GLOBAL`].
    pub accounts: Vec<Account>,
    /// Subjects of [`GLOBAL`] that stand for others.
    pub mappings: Vec<Mapping>,
    /// The account for those who look after the server, if it is another than [`SYSTEM`].
    pub system_account: Option<String>,
    /// There is no such account.
    pub no_system_account: bool,
}

/// The account of users that are in no other.
pub const GLOBAL: &str = "$G";

/// The account for those who look after the server, where no other is named.
pub const SYSTEM: &str = "$SYS";

/// A subject space with users of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Who may connect to it.
    pub users: Vec<User>,
    /// What its clients may cost.
    pub limits: AccountLimits,
    /// Its subjects that stand for others.
    pub mappings: Vec<Mapping>,
    /// What other accounts may import.
    pub exports: Vec<Export>,
    /// Messages of other accounts that it hears.
    pub streams: Vec<StreamImport>,
    /// Requests of its clients that other accounts answer.
    pub services: Vec<ServiceImport>,
}

/// What the clients of an account may cost; None where there is no limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// Clients at a time.
    pub connections: Option<usize>,
    /// Subscriptions of one client.
    pub subscriptions: Option<usize>,
    /// Bytes of a message, headers included.
    pub payload: Option<usize>,
}

/// One of several users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// How the user is recognised.
    pub login: Login,
    /// What the user may do; None if everything.
    pub permissions: Option<Arc<Permissions>>,
    /// The user may come by a plain connection, not only by websocket or another kind.
    pub is_standard: bool,
}

/// How a user is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// By a name and a password, which may be empty.
    Password(String, Secret),
    /// By the signature of this key.
    Nkey(PublicKey),
}

/// What a user may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions {
    /// Subjects to publish to.
    pub publish: Rules,
    /// Subjects to subscribe to, each perhaps with a blank and a queue group behind it.
    pub subscribe: Rules,
    /// Whether replies may be published where the publisher of a message wants them.
    pub responses: Option<Responses>,
}

impl Permissions {
    /// True if they are none.
    pub fn allow_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// Which subjects are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Those that are; all if there is none.
    pub allow: Vec<String>,
    /// Those that are not, though they may be among the others.
    pub deny: Vec<String>,
}

/// How often and how long a reply may be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Responses {
    /// Replies to one message; None if there is no limit.
    pub max: Option<u32>,
    /// The time for them; None if there is no limit.
    pub ttl: Option<Duration>,
}

impl Default for Responses {
    fn default() -> Self {
        Self { max: Some(1), ttl: Some(Duration::from_secs(2 * 60)) }
    }
}

impl Authorization {
    /// What is so without any configuration: everyone may connect.
    pub(super) const NOBODY_ASKED: Authorization = Authorization {
        user: None,
        password: Secret::NONE,
        token: Secret::NONE,
        timeout: None,
        users: None,
        no_auth_user: None,
        accounts: Vec::new(),
        mappings: Vec::new(),
        system_account: None,
        no_system_account: false,
    };

    /// How long a client may take that the configuration does not say it for.
    pub const TIMEOUT: Duration = Duration::from_secs(2);

    /// True if clients have to say who they are.
    pub fn is_required(&self) -> bool {
        self.user.is_some() || !self.password.is_empty() || !self.token.is_empty() || self.has_users()
    }

    /// True if there is a list of users, which may be empty, or an account has some.
    pub fn has_users(&self) -> bool {
        self.users.is_some() || self.accounts.iter().any(|account| !account.users.is_empty())
    }

    /// All users of lists with the names and limits of their accounts.
    pub fn all_users(&self) -> impl Iterator<Item = (&str, &User, AccountLimits)> {
        let global = self.users.iter().flat_map(|users| users.iter());
        let global = global.map(|user| (GLOBAL, user, AccountLimits::default()));
        global.chain(
            self.accounts
                .iter()
                .flat_map(|account| account.users.iter().map(|user| (account.name.as_str(), user, account.limits))),
        )
    }

    /// The name of the account for those who look after the server; None if there is none.
    pub fn system(&self) -> Option<&str> {
        (!self.no_system_account).then(|| self.system_account.as_deref().unwrap_or(SYSTEM))
    }

    /// True if the only users are those who look after the server: then everyone else may connect as if nothing were
    /// configured.
    pub fn is_for_system_only(&self) -> bool {
        let is_system = |account: &Account| Some(account.name.as_str()) == self.system();
        self.users.is_none() && self.accounts.iter().all(|account| account.users.is_empty() || is_system(account))
    }

    /// True if a password or the token is not hidden behind a hash.
    pub fn has_plain_text(&self) -> bool {
        let is_plain = |secret: &Secret| !secret.is_empty() && !secret.is_bcrypt();
        let of_user = |user: &User| matches!(&user.login, Login::Password(_, password) if is_plain(password));
        is_plain(&self.password) || is_plain(&self.token) || self.all_users().any(|(_, user, _)| of_user(user))
    }

    /// Looks whether its parts make sense together, once all of them are set.
    ///
    /// # Errors
    /// A line that says what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(name) = &self.no_auth_user else { return Ok(()) };
        let quoted = crate::log::Quoted(name.as_bytes());
        if !self.has_users() {
            return Err(format!("no_auth_user: {quoted} present, but users/nkeys are not defined"));
        }
        let key = crate::wire::nkey::decode(crate::wire::nkey::USER, name);
        let is_it = |user: &User| match &user.login {
            Login::Password(known, _) => known == name,
            Login::Nkey(known) => Some(known) == key.as_ref(),
        };
        match self.all_users().any(|(_, user, _)| is_it(user)) {
            true => Ok(()),
            false => {
                Err(format!("no_auth_user: {quoted} not present as user or nkey in authorization block or account"))
            }
        }
    }
}
