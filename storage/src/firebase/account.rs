//! A service account: whom Google takes us for, and the key that proves it.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;

/// Where Google's accounts get their tokens, when the account does not say.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A service account with its key.
#[derive(Clone)]
pub struct ServiceAccount {
    pub email: String,
    pub key_id: Option<String>,
    pub project_id: Option<String>,
    /// Where tokens are given out.
    pub token_uri: String,
    key: Arc<KeyPair>,
}

/// Why a service account cannot be used. What it held is not told: it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error(
        "the service account is missing: set FIREBASE_SERVICE_ACCOUNT to its JSON or to a file"
    )]
    Missing,
    #[error("the file of the service account {path} cannot be read: {detail}")]
    Unreadable { path: String, detail: String },
    #[error(
        "FIREBASE_SERVICE_ACCOUNT is not the JSON of a service account's key (line {line}, column {column}): download it anew from the console"
    )]
    NotJson { line: usize, column: usize },
    #[error("the service account lacks {0}: download its key anew from the console")]
    Lacks(&'static str),
    #[error("the private key of the service account cannot be used: download it anew")]
    Key,
}

/// The key file of the console.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key: String,
    private_key_id: Option<String>,
    project_id: Option<String>,
    token_uri: Option<String>,
}

impl ServiceAccount {
    /// Reads the JSON of an account's key, or the file that holds it.
    ///
    /// # Errors
    /// It is none, or there is no usable key in it.
    pub fn read(text_or_path: &str) -> Result<Self, AccountError> {
        let given = text_or_path.trim();
        match given {
            "" => Err(AccountError::Missing),
            json if json.starts_with('{') => Self::parse(json),
            path => {
                let text = std::fs::read_to_string(Path::new(path)).map_err(|error| {
                    AccountError::Unreadable {
                        path: path.to_owned(),
                        detail: error.to_string(),
                    }
                })?;
                Self::parse(&text)
            }
        }
    }

    fn parse(json: &str) -> Result<Self, AccountError> {
        let file: KeyFile = serde_json::from_str(json).map_err(|error| AccountError::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        if file.client_email.is_empty() {
            return Err(AccountError::Lacks("client_email"));
        }
        if file.private_key.is_empty() {
            return Err(AccountError::Lacks("private_key"));
        }
        // In some environments the line breaks of the key arrive as two characters.
        let pem = file.private_key.replace("\\n", "\n");
        let der =
            PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| AccountError::Key)?;
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| AccountError::Key)?;
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            project_id: file.project_id.filter(|id| !id.is_empty()),
            token_uri: file.token_uri.unwrap_or_else(|| TOKEN_URI.to_owned()),
            key: Arc::new(key),
        })
    }

    /// The RSA signature (PKCS #1 v1.5, SHA-256) of a message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AccountError> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| AccountError::Key)?;
        Ok(signature)
    }
}

#[cfg(test)]
pub mod testing {
    use super::ServiceAccount;

    /// An account that exists nowhere.
    pub fn account() -> ServiceAccount {
        ServiceAccount::parse(include_str!("../../tests/firebase/account.json")).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = include_str!("../../tests/firebase/account.json");

    #[test]
    fn is_read_from_text_and_file_in_one_line_or_several() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account.json");
        std::fs::write(&path, JSON).unwrap();
        let one_line = JSON.replace('\n', "");
        let escaped_twice = JSON.replace("\\n", "\\\\n");
        for given in [JSON, &one_line, &escaped_twice, path.to_str().unwrap()] {
            let account = ServiceAccount::read(given).unwrap();
            assert_eq!(account.email, "recorder@demo.iam.gserviceaccount.com");
            assert_eq!(account.project_id.as_deref(), Some("demo"));
            assert_eq!(account.sign(b"x").unwrap().len(), 256);
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        let cut = &JSON[..JSON.len() / 2];
        let broken = JSON.replace("MII", "XXX");
        let typed = r#"{"client_email":"a","private_key":17,"secret":"hidden"}"#;
        let cases = [
            ("", "FIREBASE_SERVICE_ACCOUNT"),
            ("/nowhere/account.json", "/nowhere/account.json"),
            (cut, "FIREBASE_SERVICE_ACCOUNT"),
            (typed, "column"),
            ("{}", "client_email"),
            (r#"{"client_email":"a"}"#, "private_key"),
            (broken.as_str(), "private key"),
        ];
        for (given, named) in cases {
            let error = ServiceAccount::read(given).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
            assert!(
                !error.contains("hidden") && !error.contains("BEGIN"),
                "{error}"
            );
        }
    }
}
