//! What an object store's errors mean to an operator.

use object_store::Error;

use crate::StoreError;

/// Where objects are, as errors name it: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Such as `bucket films at http://127.0.0.1:9000`.
    pub description: String,
    /// What to check when credentials are refused.
    pub credentials: &'static str,
    /// What to check when the bucket is missing.
    pub bucket: &'static str,
}

impl Place {
    /// An error of the store in words; `name` is what it was about.
    pub fn error(&self, action: &'static str, name: &str, error: Error) -> StoreError {
        let refused = |way_out: &str| StoreError::Refused {
            action,
            name: name.into(),
            detail: format!("{}: {}; {way_out}", self.description, cause(&error)),
        };
        match &error {
            Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => {
                refused(&format!("check {}", self.credentials))
            }
            Error::NotFound { .. } => refused(&format!("check {}", self.bucket)),
            _ => StoreError::Failed {
                action,
                name: name.into(),
                detail: format!("{}: {}", self.description, cause(&error)),
            },
        }
    }
}

/// The innermost reasons of an error, which name the cause; the outer ones repeat them.
fn cause(error: &Error) -> String {
    let mut text = error.to_string();
    // Servers answer with whole documents.
    if let Some((at, _)) = text.char_indices().nth(400) {
        text.truncate(at);
        text.push('…');
    }
    text.replace('\n', " ")
}
