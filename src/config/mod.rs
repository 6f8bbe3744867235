//! Configuration: defaults, then the file, then the variables that the applications use which
//! Tapedeck replaces, then `TAPEDECK_…` variables. Later ones win.

pub mod agora;
mod bounds;
mod dotenv;
mod environment;
mod file;
mod keys;
mod origin;
mod reference;
pub mod rooms;
mod settings;
mod show;
pub mod storage;
pub mod webhooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use bounds::Bounds;
pub use origin::{Origin, Origins};
pub use reference::to_markdown as reference;
pub use settings::*;

use keys::Key;
use toml::{Table, Value};

/// The variable that names the configuration file when no `--config` does.
const FILE_VARIABLE: &str = "TAPEDECK_CONFIG";
/// Where a file is looked for when none is named.
const SEARCHED: [&str; 2] = ["tapedeck.toml", "config/tapedeck.toml"];

/// The effective configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub settings: Settings,
    /// Where each key that is not a default came from.
    pub origins: Origins,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Why there is no configuration: one line per mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Reads the configuration of this process: its environment, and the files in its working folder.
///
/// # Errors
/// Every mistake that was found.
pub fn load(file: Option<&Path>) -> Result<Configuration, ConfigError> {
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        // A variable that is not text belongs to somebody else.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    load_from(Path::new(""), file, environment.collect())
}

/// As [`load`], with another working folder and environment.
fn load_from(
    working_dir: &Path,
    file: Option<&Path>,
    environment: BTreeMap<String, String>,
) -> Result<Configuration, ConfigError> {
    let mut loading = Loading::default();
    let variables = environment::merge(working_dir, environment, &mut loading);
    let named = file.map(Path::to_owned).or_else(|| {
        variables
            .iter()
            .find(|variable| variable.name == FILE_VARIABLE)
            .map(|variable| PathBuf::from(&variable.value))
    });
    if let Some(path) = find_file(working_dir, named) {
        file::apply(&path, &mut loading);
    }
    environment::apply(&variables, &mut loading);
    loading.finish()
}

fn find_file(working_dir: &Path, named: Option<PathBuf>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(working_dir.join(path)),
        None => SEARCHED
            .iter()
            .map(|path| working_dir.join(path))
            .find(|path| path.is_file()),
    }
}

/// A configuration in the making.
struct Loading {
    keys: Vec<Key>,
    values: Table,
    origins: Origins,
    warnings: Vec<String>,
    mistakes: Vec<String>,
}

impl Default for Loading {
    fn default() -> Self {
        Self {
            keys: keys::keys(),
            values: keys::table_of(&Settings::default()),
            origins: Origins::default(),
            warnings: Vec::new(),
            mistakes: Vec::new(),
        }
    }
}

impl Loading {
    fn set(&mut self, key: &Key, value: Value, origin: Origin) {
        if let Some(Value::Table(section)) = self.values.get_mut(&key.section) {
            section.insert(key.name.clone(), value);
            self.origins.insert(key.to_string(), origin);
        }
    }

    /// Turns the table into the struct, and checks what a type cannot.
    fn finish(mut self) -> Result<Configuration, ConfigError> {
        let settings = self.typed();
        if self.mistakes.is_empty() {
            self.mistakes
                .extend(bounds::check(&settings, &self.origins));
        }
        if !self.mistakes.is_empty() {
            return Err(ConfigError(self.mistakes));
        }
        if let Some(warning) = storage::kept_in_vain(&settings) {
            let place = self.origins.place("data.keep_files");
            self.warnings.push(format!("{place}: {warning}"));
        }
        Ok(Configuration {
            settings,
            origins: self.origins,
            warnings: self.warnings,
        })
    }

    /// The struct, section by section and key by key, so that a value of a wrong kind is named
    /// with its place.
    fn typed(&mut self) -> Settings {
        if let Ok(settings) = self.values.clone().try_into() {
            return settings;
        }
        for key in &self.keys {
            let key_name = key.to_string();
            let Some(value) = self
                .values
                .get(&key.section)
                .and_then(|section| section.get(&key.name))
            else {
                continue;
            };
            let mut table = keys::table_of(&Settings::default());
            if let Some(Value::Table(section)) = table.get_mut(&key.section) {
                section.insert(key.name.clone(), value.clone());
            }
            if let Err(error) = table.try_into::<Settings>() {
                let reason = match (key.is_secret(), value) {
                    (true, _) => "not a text".to_owned(),
                    // The parser tells the type of the field instead of its bounds.
                    (false, Value::Integer(number)) => format!("{number} is out of range"),
                    (false, _) => error.message().to_owned(),
                };
                self.mistakes.push(format!(
                    "{}: {key_name}: {reason}",
                    self.origins.place(&key_name)
                ));
            }
        }
        Settings::default()
    }
}

/// Says that `name` at `place` is unknown, and which name is near.
fn unknown<'a>(
    place: &str,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let hint = match keys::nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => "config/tapedeck.toml lists all keys".to_owned(),
    };
    format!("{place}: {name} is an unknown {what}: {hint}")
}

#[cfg(test)]
mod tests;
