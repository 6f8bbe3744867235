//! Keys in `Authorization: Bearer …`.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq;
use tapedeck_pipelines::job::Secret;

/// The keys that open a set of paths.
#[derive(Clone, Debug, Default)]
pub struct AccessKeys(Vec<Secret>);

impl AccessKeys {
    /// Those of `keys` that are not empty.
    pub fn new(keys: impl IntoIterator<Item = Secret>) -> Self {
        Self(keys.into_iter().filter(|key| !key.is_empty()).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the request carries one of the keys. Takes as long for a wrong key as for a right
    /// one of the same length.
    pub fn open(&self, headers: &HeaderMap) -> bool {
        let Some(given) = bearer(headers) else {
            return false;
        };
        let matches = self.0.iter().fold(0, |found, key| {
            found | key.reveal().as_bytes().ct_eq(given.as_bytes()).unwrap_u8()
        });
        matches == 1
    }
}

/// What is sent as `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}
