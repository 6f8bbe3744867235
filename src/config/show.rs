//! The effective configuration as TOML, without secrets.

use std::fmt::Write as _;

use toml::Value;

use super::{Configuration, keys};

impl Configuration {
    /// TOML that could be a configuration file but for its secrets, each value with its origin.
    pub fn to_toml(&self) -> String {
        let values = keys::table_of(&self.settings);
        let mut text = String::new();
        let mut section = String::new();
        for key in keys::keys() {
            if key.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section.clone_from(&key.section);
                let _ = writeln!(text, "{gap}[{section}]");
            }
            let Some(value) = values
                .get(&key.section)
                .and_then(|section| section.get(&key.name))
            else {
                continue;
            };
            let shown = match value {
                Value::String(secret) if key.is_secret() && !secret.is_empty() => {
                    Value::String("***".to_owned())
                }
                value => value.clone(),
            };
            let origin = match self.origins.get(&key.to_string()) {
                Some(origin) => format!("  # {origin}"),
                None => String::new(),
            };
            let _ = writeln!(text, "{} = {shown}{origin}", key.name);
        }
        text
    }
}
