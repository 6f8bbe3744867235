//! Whether everything is as the manifests say.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tapedeck_pipelines::control::{OutputFile, Role};
use tapedeck_pipelines::log::{LogError, Summary, inspect};
use tapedeck_storage::{RecordingMetadata, file_digest};

use super::Upkeep;
use super::survey::{OrphanKind, description_of};
use crate::state::{Difference, compare_index};
use crate::{MANIFEST_VERSION, Manifest, RecordingState};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `manifest`, `log`, `torn_tail`, `output`, `object`, `description`, `index` or `socket`.
    pub code: &'static str,
    pub path: PathBuf,
    /// What is wrong, and the way out.
    pub message: String,
    /// What `--repair` does about it, or did.
    pub repair: Option<&'static str>,
    /// Whether that was done.
    pub repaired: bool,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub recordings: usize,
    /// Capture logs that were read to their end.
    pub logs: usize,
    /// Stored files whose SHA-256 was computed.
    pub objects: usize,
    pub findings: Vec<Finding>,
    /// What belongs to no recording, which is no fault: [`super::Survey`] tells it.
    pub orphans: usize,
    /// What could not be looked at, and why.
    pub left_out: Vec<String>,
}

impl CheckReport {
    /// Adds something that is not as it should be.
    pub fn find(&mut self, code: &'static str, path: &Path, message: impl Into<String>) {
        self.findings.push(Finding {
            code,
            path: path.to_owned(),
            message: message.into(),
            repair: None,
            repaired: false,
        });
    }

    fn find_repairable(
        &mut self,
        code: &'static str,
        path: &Path,
        message: impl Into<String>,
        repair: &'static str,
    ) {
        self.find(code, path, message);
        if let Some(finding) = self.findings.last_mut() {
            finding.repair = Some(repair);
        }
    }
}

impl Upkeep {
    /// Reads everything: manifests, logs, outputs, stored files, the index. Changes nothing, so it
    /// can be done beside a running server. Takes as long as reading all files takes.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn check(&self) -> io::Result<CheckReport> {
        let mut report = CheckReport::default();
        let (manifests, unreadable) = self.manifests.look()?;
        report.recordings = manifests.len();
        for (name, error) in &unreadable {
            let message = format!("it cannot be read: {error}; see tapedeck recover --list");
            report.find("manifest", &self.folder.manifest(name), message);
        }
        for manifest in &manifests {
            self.check_manifest(manifest, &manifests, &mut report);
            self.check_log(manifest, &mut report);
            self.check_output(manifest, &mut report)?;
            self.check_object(manifest, &mut report)?;
        }
        self.check_index(&manifests, &mut report)?;
        self.check_orphans(&mut report)?;
        Ok(report)
    }

    fn check_manifest(&self, manifest: &Manifest, all: &[Manifest], report: &mut CheckReport) {
        let others = all.iter().filter(|other| other.id != manifest.id);
        let same_name = others.clone().find(|other| other.name == manifest.name);
        let needs_file = manifest.is_delivered() || manifest.state == RecordingState::Uploading;
        let faults = [
            (
                manifest.version > MANIFEST_VERSION,
                "it is of a later version: use the program that wrote it".to_owned(),
            ),
            (
                needs_file && manifest.file.is_none(),
                format!("it is {} and names no file", manifest.state),
            ),
            (
                manifest.state.is_final() && manifest.ended_at.is_none(),
                format!("it is {} and tells no end", manifest.state),
            ),
            (
                same_name.is_some(),
                format!(
                    "its file name {} is that of {}, too",
                    manifest.name,
                    same_name.map_or("", |other| &other.id)
                ),
            ),
        ];
        let path = self.folder.manifest(&manifest.id);
        for (_, message) in faults.into_iter().filter(|(is_fault, _)| *is_fault) {
            report.find("manifest", &path, message);
        }
    }

    fn check_log(&self, manifest: &Manifest, report: &mut CheckReport) {
        let folder = self.folder.work(&manifest.id).join("log");
        let needed = manifest.started_at.is_some() && manifest.keeps_folder();
        let summary: Summary = match inspect(&folder) {
            Ok(summary) => summary,
            Err(LogError::Missing(_)) if !needed => return,
            // Removed meanwhile by a server that runs, whose manifest says so by now.
            Err(_) if self.has_moved_on(manifest) => return,
            Err(error) => {
                return report.find("log", &folder, format!("{error}: what it held is lost"));
            }
        };
        report.logs += 1;
        if summary.recording_id != manifest.id {
            let message = format!("it is of another recording, {}", summary.recording_id);
            report.find("log", &folder, message);
        }
        for damage in &summary.damage {
            let message = match damage.bytes {
                0 => {
                    "the segment is missing: what it held is lost, the rest is rendered".to_owned()
                }
                bytes => format!(
                    "{bytes} bytes at {} cannot be read: they are lost, the rest is rendered",
                    damage.offset
                ),
            };
            report.find("log", &damage.file, message);
        }
        // The last moments of one that is still written are on their way.
        let capture = self.folder.socket(&manifest.id, Role::Capture);
        let is_written = manifest.is_live() && UnixStream::connect(capture).is_ok();
        if summary.unfinished_bytes > 0
            && !is_written
            && let Some(last) = summary.segments.last()
        {
            let bytes = summary.unfinished_bytes;
            let message =
                format!("{bytes} bytes at its end are no complete record: the rest is rendered");
            report.find_repairable("torn_tail", &last.file, message, "cut them off");
        }
    }

    fn check_output(&self, manifest: &Manifest, report: &mut CheckReport) -> io::Result<()> {
        let Some(file) = manifest.file.as_ref() else {
            return Ok(());
        };
        if manifest.is_delivered() {
            return self.check_kept(manifest, report);
        }
        if manifest.state != RecordingState::Uploading || self.has_moved_on(manifest) {
            return Ok(());
        }
        match digest(&file.path)? {
            Some((size, sha256)) if size == file.size_bytes && sha256 == file.sha256 => {}
            Some(_) if self.has_moved_on(manifest) => {}
            Some((size, _)) => {
                let message = format!(
                    "its {size} bytes are not those that were rendered ({}): the server renders it again",
                    file.size_bytes
                );
                report.find("output", &file.path, message);
            }
            None if self.has_moved_on(manifest) => {}
            None => report.find(
                "output",
                &file.path,
                "it is missing: the server renders it again",
            ),
        }
        Ok(())
    }

    /// Files that are kept though they are delivered; most are not.
    fn check_kept(&self, manifest: &Manifest, report: &mut CheckReport) -> io::Result<()> {
        for (_, file) in manifest.files() {
            let Some(path) = self.folder.rendered(&manifest.id, file) else {
                continue;
            };
            match digest(&path)? {
                Some((size, sha256)) if size != file.size_bytes || sha256 != file.sha256 => {
                    let message = "it is kept though it was delivered, and is not what was delivered: remove it, the store's is served then";
                    report.find("output", &path, message);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_object(&self, manifest: &Manifest, report: &mut CheckReport) -> io::Result<()> {
        let Some(store) = self.store.as_ref().filter(|store| store.has_all) else {
            return Ok(());
        };
        if !manifest.is_delivered() {
            return Ok(());
        }
        for (name, file) in manifest.files() {
            let path = store.path.join(&name);
            match digest(&path)? {
                Some((size, sha256)) if size == file.size_bytes && sha256 == file.sha256 => {
                    report.objects += 1;
                }
                Some((size, _)) => {
                    report.objects += 1;
                    let message = format!(
                        "its {size} bytes are not those that were delivered ({} with SHA-256 {}): restore it from a backup",
                        file.size_bytes, file.sha256
                    );
                    report.find("object", &path, message);
                }
                // Deleted meanwhile.
                None if self.manifests.read(&manifest.id).is_err() => return Ok(()),
                None => {
                    let message =
                        "it is missing: restore it from a backup, or DELETE the recording";
                    report.find("object", &path, message);
                    continue;
                }
            }
            let path = store.path.join(".metadata").join(description_of(&name));
            check_description(&path, manifest, file, report);
        }
        Ok(())
    }

    fn check_index(&self, manifests: &[Manifest], report: &mut CheckReport) -> io::Result<()> {
        if self.server()?.is_some() {
            let reason =
                "the index: a server uses it, which checks it against the manifests at its start";
            report.left_out.push(reason.to_owned());
            return Ok(());
        }
        let path = self.folder.index();
        let message = match compare_index(&path, manifests)? {
            Difference::None => return Ok(()),
            Difference::Missing(ids) => format!("it lacks or outdates {}", ids.join(", ")),
            Difference::Unreadable(reason) => reason,
        };
        report.find_repairable("index", &path, message, "make it anew from the manifests");
        Ok(())
    }

    fn check_orphans(&self, report: &mut CheckReport) -> io::Result<()> {
        let survey = self.survey()?;
        report.orphans = survey.orphans.len();
        for orphan in survey.orphans {
            if orphan.kind == OrphanKind::Socket && UnixStream::connect(&orphan.path).is_err() {
                let message = "nobody listens at it, and it belongs to no recording";
                report.find_repairable("socket", &orphan.path, message, "remove it");
            }
        }
        Ok(())
    }

    /// Whether a server has changed the manifest since it was read.
    fn has_moved_on(&self, manifest: &Manifest) -> bool {
        let now = self.manifests.read(&manifest.id);
        now.is_ok_and(|now| now.state != manifest.state)
    }
}

fn check_description(
    path: &Path,
    manifest: &Manifest,
    file: &OutputFile,
    report: &mut CheckReport,
) {
    let described = fs::read(path)
        .map_err(|error| error.to_string())
        .and_then(|json| {
            serde_json::from_slice::<RecordingMetadata>(&json).map_err(|error| error.to_string())
        });
    match described {
        Ok(known) if known.id == manifest.id && known.size == file.size_bytes => {}
        Ok(known) => {
            let message = format!("it describes {} with {} bytes", known.id, known.size);
            report.find("description", path, message);
        }
        Err(error) => {
            let message = format!("it cannot be read ({error}): the file is listed without it");
            report.find("description", path, message);
        }
    }
}

/// Size and SHA-256; none when there is no such file.
fn digest(path: &Path) -> io::Result<Option<(u64, String)>> {
    match file_digest(path) {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
