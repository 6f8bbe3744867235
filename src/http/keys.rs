//! Keys in `Authorization: Bearer …`, and what each of them is for.

use std::fmt;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tapedeck_pipelines::job::Secret;

use crate::config::Auth;

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read everything, change nothing.
    Reader,
    /// Everything on the clients' paths.
    Controller,
    /// Everything.
    Operator,
}

/// The configured keys by what they are for; several of each, so that they can be exchanged one
/// after the other.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    operator: KeySet,
    control: KeySet,
    read: KeySet,
}

/// SHA-256 of keys: as long for every key, so that a comparison tells nothing of their lengths.
#[derive(Clone, Default)]
struct KeySet(Vec<[u8; 32]>);

impl Keys {
    pub fn new(auth: &Auth) -> Self {
        Self {
            operator: KeySet::of(&auth.operator_key),
            control: KeySet::of(&auth.client_key),
            read: KeySet::of(&auth.read_key),
        }
    }

    /// Whether there is a key for `role` itself.
    pub fn has(&self, role: Role) -> bool {
        let set = match role {
            Role::Reader => &self.read,
            Role::Controller => &self.control,
            Role::Operator => &self.operator,
        };
        !set.0.is_empty()
    }

    /// What `given` is the key for. Takes as long for a wrong key as for a right one.
    pub fn role_of(&self, given: &str) -> Option<Role> {
        let given = digest(given);
        let is_operator = self.operator.holds(&given);
        let is_controller = self.control.holds(&given);
        let is_reader = self.read.holds(&given);
        [
            (is_operator, Role::Operator),
            (is_controller, Role::Controller),
            (is_reader, Role::Reader),
        ]
        .into_iter()
        .find_map(|(is, role)| bool::from(is).then_some(role))
    }
}

impl KeySet {
    fn of(keys: &Secret) -> Self {
        Self(separate(keys.reveal()).map(digest).collect())
    }

    fn holds(&self, given: &[u8; 32]) -> Choice {
        self.0
            .iter()
            .fold(Choice::from(0), |found, key| found | key.ct_eq(given))
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

/// The keys of a configured list, which commas separate.
pub fn separate(keys: &str) -> impl Iterator<Item = &str> {
    keys.split(',').map(str::trim).filter(|key| !key.is_empty())
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// What is sent as `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_a_list_opens_what_the_list_is_for() {
        let keys = Keys::new(&Auth {
            operator_key: Secret::new("old-operator, new-operator"),
            client_key: Secret::new("client-key,"),
            read_key: Secret::new(""),
            ..Auth::default()
        });
        for (given, role) in [
            ("old-operator", Some(Role::Operator)),
            ("new-operator", Some(Role::Operator)),
            ("client-key", Some(Role::Controller)),
            ("old-operator, new-operator", None),
            ("", None),
            ("client-ke", None),
            ("client-keyy", None),
        ] {
            assert_eq!(keys.role_of(given), role, "{given:?}");
        }
        assert!(keys.has(Role::Controller) && !keys.has(Role::Reader));
        assert!(!format!("{keys:?}").contains("client-key"));
    }
}
