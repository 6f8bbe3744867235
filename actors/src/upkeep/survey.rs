//! What is unfinished, and what belongs to no recording.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tapedeck_pipelines::control::Role;
use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next};
use tapedeck_storage::durable;

use super::{StoreFolder, Upkeep};
use crate::folder::DataFolder;
use crate::{Manifest, RecordingState};

/// What a data folder holds beside finished recordings.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    /// Recordings that are not final: the server goes on with them when it starts.
    pub unfinished: Vec<Unfinished>,
    /// What belongs to no recording. Nothing of it is ever removed by itself.
    pub orphans: Vec<Orphan>,
}

/// A recording that is not final.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unfinished {
    pub id: String,
    pub room_name: String,
    pub state: RecordingState,
    /// Unix ms.
    pub created_at_ms: i64,
    /// All that its folder holds.
    pub bytes: u64,
}

/// A file or folder that belongs to no recording.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    pub kind: OrphanKind,
    pub path: PathBuf,
    pub bytes: u64,
    /// The recording that its log is of, if it can be adopted.
    pub recording_id: Option<String>,
    pub room_name: Option<String>,
    /// What it is and what can be done.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanKind {
    /// In `work/`, without a readable manifest.
    WorkFolder,
    /// In `run/`.
    Socket,
    /// A file in the store's folder without a manifest.
    StoredFile,
    /// The description of a file that is not there.
    Description,
    /// What a crash left of a file in the making.
    Temporary,
    /// An index that was moved aside.
    Index,
    /// Anything else.
    Other,
}

impl OrphanKind {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkFolder => "work folder",
            Self::Socket => "socket",
            Self::StoredFile => "stored file",
            Self::Description => "description",
            Self::Temporary => "temporary file",
            Self::Index => "index",
            Self::Other => "other",
        }
    }
}

/// The folder of descriptions in the store's.
const DESCRIPTIONS: &str = ".metadata";

impl Upkeep {
    /// Looks at everything in the data folder and in the store's folder.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn survey(&self) -> io::Result<Survey> {
        let (manifests, unreadable) = self.manifests.look()?;
        let mut survey = Survey {
            unfinished: manifests
                .iter()
                .filter(|manifest| !manifest.state.is_final())
                .map(|manifest| self.unfinished(manifest))
                .collect(),
            orphans: Vec::new(),
        };
        for (name, error) in unreadable {
            survey.orphans.push(self.work_folder(&name, &error));
        }
        survey.orphans.extend(self.sockets(&manifests)?);
        survey.orphans.extend(self.stored(&manifests)?);
        survey.orphans.extend(self.others()?);
        Ok(survey)
    }

    fn unfinished(&self, manifest: &Manifest) -> Unfinished {
        Unfinished {
            id: manifest.id.clone(),
            room_name: manifest.room_name.clone(),
            state: manifest.state,
            created_at_ms: manifest.created_at,
            bytes: size(&self.folder.work(&manifest.id)),
        }
    }

    fn work_folder(&self, name: &str, error: &io::Error) -> Orphan {
        let path = self.folder.work(name);
        let mut orphan = orphan(OrphanKind::WorkFolder, &path, String::new());
        orphan.detail = match first_event(&path.join("log")) {
            Some((id, room)) if id == name => {
                orphan.recording_id = Some(id.clone());
                orphan.room_name = Some(room);
                format!("its manifest cannot be read ({error}), its log can: tapedeck recover {id}")
            }
            Some((id, room)) => {
                orphan.room_name = Some(room);
                format!("its log is of {id}: rename the folder to that, or remove it")
            }
            None if self.manifests.is_unbegun(name) => {
                "a server ended before it was begun: the next one removes it".into()
            }
            None => format!(
                "no manifest ({error}) and no log that can be read: look at it, then remove it"
            ),
        };
        orphan
    }

    fn sockets(&self, manifests: &[Manifest]) -> io::Result<Vec<Orphan>> {
        let of_recordings = manifests.iter().flat_map(|manifest| {
            [Role::Capture, Role::Render].map(|role| self.folder.socket(&manifest.id, role))
        });
        let known: HashSet<PathBuf> = of_recordings.chain(self.folder.shared_sockets()).collect();
        let strays = paths(&self.folder.run())?
            .into_iter()
            .filter(|path| !known.contains(path));
        Ok(strays
            .map(|path| {
                let detail = match std::os::unix::net::UnixStream::connect(&path) {
                    Ok(_) => "a process listens at it: find it with `ss -xlp`",
                    Err(_) => "nobody listens at it: tapedeck check --repair removes it",
                };
                orphan(OrphanKind::Socket, &path, detail.to_owned())
            })
            .collect())
    }

    fn stored(&self, manifests: &[Manifest]) -> io::Result<Vec<Orphan>> {
        let Some(StoreFolder { path: store, .. }) = &self.store else {
            return Ok(Vec::new());
        };
        let names: HashSet<String> = manifests.iter().flat_map(Manifest::names).collect();
        // What an upload under way writes to.
        let in_the_making: HashSet<PathBuf> = manifests
            .iter()
            .filter(|manifest| !manifest.state.is_final())
            .flat_map(|manifest| {
                let names = manifest.names().into_iter();
                names.map(|name| (manifest.id.as_str(), name))
            })
            .flat_map(|(id, name)| {
                let description = store.join(DESCRIPTIONS).join(description_of(&name));
                [
                    durable::temporary_path(&store.join(name), id),
                    durable::temporary_path(&description, ""),
                ]
            })
            .flatten()
            .collect();
        let mut found = Vec::new();
        let mut files = HashSet::new();
        for path in paths(store)?.into_iter().filter(|path| !path.is_dir()) {
            let name = name_of(&path);
            if is_temporary(&name) {
                if !in_the_making.contains(&path) {
                    found.push(temporary(&path));
                }
                continue;
            }
            files.insert(description_of(&name));
            if !names.contains(name.as_str()) && !name.starts_with('.') {
                let detail =
                    "no recording of this server: it is listed all the same; DELETE removes it";
                found.push(orphan(OrphanKind::StoredFile, &path, detail.to_owned()));
            }
        }
        let expected: HashSet<String> = names.iter().map(|name| description_of(name)).collect();
        for path in paths(&store.join(DESCRIPTIONS))? {
            let name = name_of(&path);
            if is_temporary(&name) {
                if !in_the_making.contains(&path) {
                    found.push(temporary(&path));
                }
            } else if !files.contains(&name) && !expected.contains(&name) {
                let detail = "describes a file that is not there: it may be removed";
                found.push(orphan(OrphanKind::Description, &path, detail.to_owned()));
            }
        }
        Ok(found)
    }

    /// What lies in the data folder itself.
    fn others(&self) -> io::Result<Vec<Orphan>> {
        const OWN: [&str; 12] = [
            "work",
            "webhooks",
            "run",
            "index",
            "rooms",
            "browser",
            "logs",
            "lock",
            "rooms.key",
            "links.key",
            "operator.key",
            ".ready",
        ];
        let mut found = Vec::new();
        for path in paths(self.folder.root())? {
            let name = name_of(&path);
            let holds_store = self
                .store
                .as_ref()
                .is_some_and(|store| store.path.starts_with(&path));
            if OWN.contains(&name.as_str()) || holds_store {
                continue;
            }
            found.push(match name.starts_with("index.damaged-") {
                true => {
                    let detail = "a damaged index that was made anew: it may be removed";
                    orphan(OrphanKind::Index, &path, detail.to_owned())
                }
                false => {
                    let detail = "nothing of this server's";
                    orphan(OrphanKind::Other, &path, detail.to_owned())
                }
            });
        }
        Ok(found)
    }
}

impl Survey {
    /// Tells the orphans in the log: how many there are, and the first of them.
    pub(crate) fn tell(&self) {
        const FIRST: usize = 3;
        if self.orphans.is_empty() {
            return;
        }
        let first: Vec<String> = self
            .orphans
            .iter()
            .take(FIRST)
            .map(|orphan| format!("{} {}", orphan.kind.name(), orphan.path.display()))
            .collect();
        let more = match self.orphans.len() > FIRST {
            true => ", …",
            false => "",
        };
        log::warn!(
            "{} files or folders belong to no recording and are left alone ({}{more}): see `tapedeck recover --list`",
            self.orphans.len(),
            first.join(", ")
        );
    }
}

impl DataFolder {
    fn run(&self) -> PathBuf {
        self.root().join("run")
    }
}

/// Id and room of the recording that a log is of.
pub(super) fn first_event(log: &Path) -> Option<(String, String)> {
    let mut reader = LogReader::open(log).ok()?;
    while let Ok(Next::Record(record)) = reader.next() {
        if let Body::Event(LogEvent::RecordingStarted {
            recording_id,
            room_name,
            ..
        }) = record.body
        {
            return Some((recording_id, room_name));
        }
    }
    None
}

fn orphan(kind: OrphanKind, path: &Path, detail: String) -> Orphan {
    Orphan {
        kind,
        path: path.to_owned(),
        bytes: size(path),
        recording_id: None,
        room_name: None,
        detail,
    }
}

fn temporary(path: &Path) -> Orphan {
    let detail = "left by a crash in the middle of a delivery: it may be removed";
    orphan(OrphanKind::Temporary, path, detail.to_owned())
}

fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// The name of the description of a stored file.
pub(super) fn description_of(name: &str) -> String {
    format!("{}.json", name.strip_suffix(".mp4").unwrap_or(name))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What a folder holds, by name; nothing when it is not there.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Bytes of a file, or of all in a folder as far as it can be read.
pub(crate) fn size(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else {
        return 0;
    };
    match metadata.is_dir() {
        true => paths(path)
            .unwrap_or_default()
            .iter()
            .map(|path| size(path))
            .sum(),
        false => metadata.len(),
    }
}
