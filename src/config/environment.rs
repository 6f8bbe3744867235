//! Environment variables: of the process, and of `.env`, which the process overrides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::keys::Key;
use super::{FILE_VARIABLE, Loading, Origin, dotenv, unknown};

const PREFIX: &str = "TAPEDECK_";

/// Variables of the OpenVidu recording applications and of Memharbor, and the keys that
/// they set.
const ADOPTED: [(&str, &str); 23] = [
    ("SERVER_PORT", "server.port"),
    ("LIVEKIT_URL", "livekit.url"),
    ("LIVEKIT_API_KEY", "livekit.api_key"),
    ("LIVEKIT_API_SECRET", "livekit.api_secret"),
    ("RECORDINGS_PATH", "storage.recordings_path"),
    ("RECORDING_PLAYBACK_STRATEGY", "storage.playback"),
    ("S3_ENDPOINT", "s3.endpoint"),
    ("S3_ACCESS_KEY", "s3.access_key"),
    ("S3_SECRET_KEY", "s3.secret_key"),
    ("S3_BUCKET", "s3.bucket"),
    ("AWS_REGION", "s3.region"),
    ("FIREBASE_SERVICE_ACCOUNT", "firebase.service_account"),
    ("FIREBASE_PROJECT_ID", "firebase.project_id"),
    ("FIREBASE_STORAGE_BUCKET", "firebase.bucket"),
    ("FIREBASE_USE_EMULATOR", "firebase.use_emulator"),
    (
        "FIREBASE_STORAGE_EMULATOR_HOST",
        "firebase.storage_emulator_host",
    ),
    (
        "FIRESTORE_EMULATOR_HOST",
        "firebase.firestore_emulator_host",
    ),
    ("AZURE_ENDPOINT", "azure.endpoint"),
    ("AZURE_ACCOUNT_NAME", "azure.account"),
    ("AZURE_ACCOUNT_KEY", "azure.account_key"),
    ("AZURE_CONTAINER_NAME", "azure.container"),
    ("AGORA_APP_ID", "agora.app_id"),
    ("AGORA_APP_CERT", "agora.app_certificate"),
];

/// Says whether Memharbor is debugged.
const DEBUG: &str = "MEMHARBOR_DEBUG";

/// A variable of the process or of `.env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: String,
    /// File and line when it came from `.env`.
    dotenv: Option<(PathBuf, usize)>,
}

impl Variable {
    pub fn origin(&self) -> Origin {
        let name = self.name.clone();
        match &self.dotenv {
            Some((path, line)) => Origin::Dotenv {
                name,
                path: path.clone(),
                line: *line,
            },
            None => Origin::Environment { name },
        }
    }

    fn place(&self) -> String {
        self.origin().to_string()
    }
}

/// All variables with a value: those of `environment`, and of `.env` those that it lacks. As in
/// the applications mentioned, an empty variable counts as not set.
pub fn merge(
    working_dir: &Path,
    environment: BTreeMap<String, String>,
    loading: &mut Loading,
) -> Vec<Variable> {
    let path = working_dir.join(".env");
    let mut merged: BTreeMap<String, Variable> = BTreeMap::new();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let read = dotenv::parse(&text);
            for line in read.not_understood {
                loading.warnings.push(format!(
                    "{}:{line}: not of the form NAME=value, ignored",
                    path.display()
                ));
            }
            for assignment in read.assignments {
                let name = assignment.name.clone();
                let dotenv = Some((path.clone(), assignment.line));
                merged.insert(
                    name,
                    Variable {
                        name: assignment.name,
                        value: assignment.value,
                        dotenv,
                    },
                );
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => loading
            .mistakes
            .push(format!("cannot read {}: {error}", path.display())),
    }
    for (name, value) in environment {
        merged.insert(
            name.clone(),
            Variable {
                name,
                value,
                dotenv: None,
            },
        );
    }
    merged
        .into_values()
        .filter(|variable| !variable.value.is_empty())
        .collect()
}

/// Applies variables: first the adopted ones, then our own.
pub fn apply(variables: &[Variable], loading: &mut Loading) {
    let keys = loading.keys.clone();
    for (name, key_name) in ADOPTED {
        let variable = variables.iter().find(|variable| variable.name == name);
        let key = keys.iter().find(|key| key.to_string() == key_name);
        if let (Some(variable), Some(key)) = (variable, key) {
            apply_one(variable, key, loading);
        }
    }
    if let Some(variable) = variables.iter().find(|variable| is_debug(variable))
        && let Some(key) = keys.iter().find(|key| key.to_string() == "log.level")
    {
        let level = toml::Value::String("debug".to_owned());
        loading.set(key, level, variable.origin());
    }
    for variable in variables
        .iter()
        .filter(|variable| variable.name.starts_with(PREFIX))
    {
        match keys.iter().find(|key| key.variable() == variable.name) {
            Some(key) => apply_one(variable, key, loading),
            None if variable.name == FILE_VARIABLE => {}
            None => {
                let known: Vec<String> = keys.iter().map(Key::variable).collect();
                let known = known.iter().map(String::as_str).chain([FILE_VARIABLE]);
                loading.mistakes.push(unknown(
                    &variable.place(),
                    "variable",
                    &variable.name,
                    known,
                ));
            }
        }
    }
}

fn is_debug(variable: &Variable) -> bool {
    let value = variable.value.trim().to_ascii_lowercase();
    variable.name == DEBUG && ["1", "true", "yes", "on"].contains(&value.as_str())
}

fn apply_one(variable: &Variable, key: &Key, loading: &mut Loading) {
    match key.parse(&variable.value) {
        Ok(value) => loading.set(key, value, variable.origin()),
        Err(wanted) => loading
            .mistakes
            .push(format!("{}: {key} must be {wanted}", variable.place())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adopted_variables_set_existing_keys() {
        let keys = super::super::keys::keys();
        for (name, key_name) in ADOPTED {
            assert!(keys.iter().any(|key| key.to_string() == key_name), "{name}");
        }
    }
}
