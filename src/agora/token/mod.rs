//! Tokens for channels of Agora: HMAC-SHA256 over who may do what until when, keyed with the
//! certificate of the app. Two formats are in use: 006 (AccessToken) and 007 (AccessToken2). Both
//! are checked byte for byte against tokens of Agora's own libraries.

mod bytes;
#[cfg(test)]
mod tests;
mod v006;
mod v007;
#[cfg(test)]
mod verify;

use std::fmt;

use serde::{Deserialize, Serialize};
use tapedeck_pipelines::job::Secret;

/// The privileges of a role, as Agora numbers them: join, publish audio, video, data.
const SUBSCRIBER: &[u16] = &[1];
const PUBLISHER: &[u16] = &[1, 2, 3, 4];

/// Characters of an app's id and of its certificate, hexadecimal digits.
const KEY_LENGTH: usize = 32;

/// The format of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenVersion {
    #[default]
    #[serde(rename = "006")]
    V006,
    #[serde(rename = "007")]
    V007,
}

/// Who a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// 0 lets in whoever has the token.
    Number(u32),
    /// Taken literally: the account `0` is not the number 0.
    Account(String),
}

impl User {
    /// As it is signed.
    fn text(&self) -> String {
        match self {
            Self::Number(0) => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Account(account) => account.clone(),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Account(account) => account.fmt(f),
        }
    }
}

/// What a token lets its holder do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Subscriber,
    Publisher,
}

impl Role {
    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "subscriber" => Some(Self::Subscriber),
            "publisher" => Some(Self::Publisher),
            _ => None,
        }
    }

    fn privileges(self) -> &'static [u16] {
        match self {
            Self::Subscriber => SUBSCRIBER,
            Self::Publisher => PUBLISHER,
        }
    }
}

/// What a token is to say.
#[derive(Clone, Debug)]
pub struct Grant<'a> {
    pub channel: &'a str,
    pub user: &'a User,
    pub role: Role,
    /// Unix s.
    pub issued_at: u32,
    /// From then on, s.
    pub valid_for: u32,
    /// Drawn anew for every token.
    pub salt: u32,
}

/// An app's id and certificate are not what Agora gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    #[error("agora.app_id (AGORA_APP_ID) is not set")]
    NoAppId,
    #[error("agora.app_id (AGORA_APP_ID) must be 32 hexadecimal digits")]
    AppId,
    #[error("agora.app_certificate (AGORA_APP_CERT) is not set")]
    NoCertificate,
    #[error("agora.app_certificate (AGORA_APP_CERT) must be 32 hexadecimal digits")]
    Certificate,
}

/// What tokens of an app are signed with.
#[derive(Clone, Debug)]
pub struct AppCredentials {
    app_id: String,
    certificate: Secret,
}

impl AppCredentials {
    /// # Errors
    /// What is missing or malformed.
    pub fn new(app_id: &str, certificate: &Secret) -> Result<Self, CredentialsError> {
        let (app_id, key) = (app_id.trim(), certificate.reveal().trim());
        let is_key = |text: &str| {
            text.len() == KEY_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let faults = [
            (app_id.is_empty(), CredentialsError::NoAppId),
            (!is_key(app_id), CredentialsError::AppId),
            (key.is_empty(), CredentialsError::NoCertificate),
            (!is_key(key), CredentialsError::Certificate),
        ];
        match faults.iter().find(|(is_fault, _)| *is_fault) {
            Some((_, fault)) => Err(*fault),
            None => Ok(Self {
                app_id: app_id.to_owned(),
                certificate: Secret::new(key),
            }),
        }
    }

    /// The app's id, which is no secret.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// A token in the given format.
    pub fn sign(&self, version: TokenVersion, grant: &Grant<'_>) -> String {
        match version {
            TokenVersion::V006 => v006::sign(self, grant),
            TokenVersion::V007 => v007::sign(self, grant),
        }
    }
}
