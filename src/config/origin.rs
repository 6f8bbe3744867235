//! Where a value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File {
        path: PathBuf,
        line: usize,
    },
    /// A variable of the process.
    Environment {
        name: String,
    },
    /// A variable of a `.env` file.
    Dotenv {
        name: String,
        path: PathBuf,
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { name } => write!(f, "environment ({name})"),
            Self::Dotenv { name, path, line } => write!(f, "{}:{line} ({name})", path.display()),
        }
    }
}

/// The origins of all keys that are not at their default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub fn insert(&mut self, key: String, origin: Origin) {
        self.0.insert(key, origin);
    }

    pub fn get(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    /// The place of a key in words.
    pub fn place(&self, key: &str) -> String {
        self.get(key)
            .map_or_else(|| "default".to_owned(), Origin::to_string)
    }
}
