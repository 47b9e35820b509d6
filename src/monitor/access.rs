//! Who may read the documents.

use crate::config::Options;
use crate::wire::Secret;
use crate::wire::base64::{STANDARD, encode};

/// What a request must bring along; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Values of `Authorization` that open the door; when there is none, it stands open.
    keys: Vec<Secret>,
}

impl Access {
    /// What the options ask for.
    pub fn new(options: &Options) -> Self {
        let token = options.http_token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        let password = options.http_password.as_ref().map(|password| {
            let user = options.http_user.as_deref().unwrap_or_default();
            format!("Basic {}", encode(format!("{user}:{}", password.reveal()).as_bytes(), STANDARD))
        });
        Self { keys: token.into_iter().chain(password).map(Secret::from).collect() }
    }

    /// True if a request with this `Authorization` may be answered.
    pub fn allows(&self, authorization: Option<&str>) -> bool {
        let given = authorization.unwrap_or_default();
        // The scheme may be written in any case, and the end of base64 does not tell anything.
        let given = Secret::from(match given.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => format!("Bearer {}", rest.trim()),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => {
                format!("Basic {}", rest.trim().trim_end_matches('='))
            }
            _ => given.to_owned(),
        });
        self.keys.is_empty() || self.keys.iter().any(|key| key.is(&given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_open_by_default_and_every_key_opens_it_otherwise() {
        let open = Access::new(&Options::default());
        assert!(open.allows(None) && open.allows(Some("Bearer x")));
        let secret = |text: &str| Some(Secret::from(text));
        let options = Options {
            http_token: secret("s3cret"),
            http_user: Some("me".into()),
            http_password: secret("pass:word"),
            ..Options::default()
        };
        let access = Access::new(&options);
        for good in [
            "Bearer s3cret",
            "bearer  s3cret",
            "Basic bWU6cGFzczp3b3Jk",
            "Basic bWU6cGFzczp3b3Jk==",
            "BASIC bWU6cGFzczp3b3Jk",
        ] {
            assert!(access.allows(Some(good)), "{good}");
        }
        for bad in ["", "s3cret", "Bearer", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "Basic bWU6cGFzczp3b3J"] {
            assert!(!access.allows(Some(bad)), "{bad}");
        }
        assert!(!access.allows(None));
        assert!(!format!("{access:?} {options:?}").contains("s3cret"), "{access:?}");
    }
}
