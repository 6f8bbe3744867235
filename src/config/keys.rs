//! Names of keys, read from the defaults.

use std::fmt;

use toml::{Table, Value};

use super::Settings;

/// Keys whose values nothing may print.
const SECRETS: [&str; 10] = [
    "auth.operator_key",
    "auth.client_key",
    "auth.read_key",
    "livekit.api_secret",
    "agora.app_certificate",
    "s3.secret_key",
    "s3.session_token",
    "firebase.service_account",
    "azure.account_key",
    "webhooks.api_secret",
];

/// A key and its default.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub section: String,
    pub name: String,
    /// Also tells the type.
    pub default: Value,
}

impl Key {
    /// The name of the environment variable that overrides it.
    pub fn variable(&self) -> String {
        format!("TAPEDECK_{}_{}", self.section, self.name).to_uppercase()
    }

    /// Whether nothing may print its value.
    pub fn is_secret(&self) -> bool {
        SECRETS.contains(&self.to_string().as_str())
    }

    /// Takes over `text` as a value of this key's type.
    ///
    /// # Errors
    /// What the type is, when `text` is none.
    pub fn parse(&self, text: &str) -> Result<Value, &'static str> {
        match &self.default {
            Value::Integer(_) => text
                .trim()
                .parse()
                .map(Value::Integer)
                .map_err(|_| "a whole number"),
            Value::Boolean(_) => text
                .trim()
                .parse()
                .map(Value::Boolean)
                .map_err(|_| "true or false"),
            _ => Ok(Value::String(text.to_owned())),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.name)
    }
}

/// All keys, in the order of the struct.
pub fn keys() -> Vec<Key> {
    table_of(&Settings::default())
        .into_iter()
        .filter_map(|(section, value)| match value {
            Value::Table(table) => Some((section, table)),
            _ => None,
        })
        .flat_map(|(section, table)| {
            table.into_iter().map(move |(name, default)| Key {
                section: section.clone(),
                name,
                default,
            })
        })
        .collect()
}

/// The settings as a table of tables.
pub fn table_of(settings: &Settings) -> Table {
    Table::try_from(settings).unwrap_or_default()
}

/// The name among `known` that is the fewest edits away from `name`, if any is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()) / 2)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance between two names.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_variable() {
        let mut variables: Vec<String> = keys().iter().map(Key::variable).collect();
        assert!(variables.contains(&"TAPEDECK_DATA_DIR".to_owned()));
        assert!(variables.contains(&"TAPEDECK_RECORDING_STOP_TIMEOUT_S".to_owned()));
        let all = variables.len();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), all);
    }

    #[test]
    fn secrets_are_existing_keys() {
        let names: Vec<String> = keys().iter().map(Key::to_string).collect();
        for secret in SECRETS {
            assert!(names.iter().any(|name| name == secret), "{secret}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_its_key() {
        assert_eq!(nearest("prot", ["host", "port", "bitrate"]), Some("port"));
        assert_eq!(
            nearest("bit_rate", ["host", "port", "bitrate"]),
            Some("bitrate")
        );
        assert_eq!(nearest("zzzzzzzz", ["host", "port"]), None);
    }
}
