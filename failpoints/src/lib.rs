//! Named points beside each step that changes what is on the disk, at which a test lets a process
//! die as if it was killed there.
//!
//! Without the feature `enabled`, which only the test build has, [`reached`] is nothing at all.
//! With it, the variable [`VARIABLE`] says where to die: `name:times:mark`. The first process that
//! reaches the point `name` for the `times`th time in its life aborts there, and the file `mark`
//! tells that it did. Nobody dies once that file exists, so whoever is started instead goes on.
//!
//! The crate `fail` has points that panic, sleep or return. A panic is caught in a thread or a
//! task, which a death is not; and a point that is met by one process after another must strike
//! once.

/// The variable that says where to die; nobody looks at it without the feature.
pub const VARIABLE: Option<&str> = if cfg!(feature = "enabled") {
    Some("FAILPOINT")
} else {
    None
};

/// All points and what has just been done there.
pub const NAMES: &[(&str, &str)] = &[
    (
        "replace.written",
        "the new content is in a temporary file, not synced",
    ),
    (
        "replace.synced",
        "the temporary file is on the disk, under its own name",
    ),
    (
        "replace.renamed",
        "the new file has its name, the folder is not synced",
    ),
    (
        "folder.created",
        "a folder was made, its name is not synced",
    ),
    (
        "manifest.saved",
        "the manifest is on the disk, the index does not know",
    ),
    ("index.written", "the index was written, not flushed"),
    ("index.saved", "the index is on the disk, nobody was told"),
    ("log.created", "a segment was made, without its header"),
    (
        "log.header",
        "a segment has its header, the folder is not synced",
    ),
    ("log.written", "records were written, not synced"),
    ("log.synced", "records are on the disk"),
    (
        "log.sealed",
        "the end record is on the disk, nobody was told",
    ),
    (
        "pause.begun",
        "capture writes no media any more, the record of it is not written",
    ),
    (
        "pause.ended",
        "capture goes on after a pause, the record of it is not written",
    ),
    (
        "journal.written",
        "a line was appended to a journal, not synced",
    ),
    ("journal.synced", "a line of a journal is on the disk"),
    (
        "fragment.written",
        "a fragment is in the file, its index does not list it",
    ),
    (
        "fragment.listed",
        "a fragment is in the file and in its index",
    ),
    (
        "finalise.written",
        "the finished file is written, not synced",
    ),
    (
        "finalise.synced",
        "the finished file is on the disk, under another name",
    ),
    (
        "finalise.renamed",
        "the finished file has its name, the folder is not synced",
    ),
    (
        "finalise.done",
        "the finished file is on the disk, the fragments are still there",
    ),
    (
        "parts.begun",
        "an upload in parts is begun at the store, its name there is not on the disk",
    ),
    (
        "parts.noted",
        "the name of an upload in parts is on the disk, nothing is sent",
    ),
    (
        "parts.sent",
        "a part is in the store, the disk does not know",
    ),
    (
        "parts.complete",
        "all parts are in the store, it was not told to make a file of them",
    ),
    (
        "parts.joined",
        "the parts are a file in the store, which is not verified",
    ),
    (
        "upload.copied",
        "the file is in the store: on disk under another name and not synced, in a bucket verified",
    ),
    (
        "upload.synced",
        "the file is in the store under another name",
    ),
    ("upload.described", "its metadata is in the store"),
    (
        "upload.renamed",
        "it has its name in the store, the folder is not synced",
    ),
    ("upload.done", "it is in the store, nobody was told"),
    (
        "upload.file",
        "a file of a recording is in the store, its session was not told",
    ),
    ("clear.begun", "a part of the work folder was removed"),
    (
        "clear.done",
        "all but the manifest was removed from the work folder",
    ),
    (
        "remove.begun",
        "the manifest is removed with its folder, the folder is not synced",
    ),
    (
        "remove.removed",
        "the folder is gone, the index still knows it",
    ),
    (
        "delete.removed",
        "the file was removed from the store, its metadata is still there",
    ),
];

/// Dies here if a test says so.
#[cfg(not(feature = "enabled"))]
#[inline(always)]
pub fn reached(_name: &str) {}

#[cfg(feature = "enabled")]
pub use enabled::{mark_folder, reached};

/// Where the file that tells of a death is to be made, for processes that may not write anywhere.
#[cfg(not(feature = "enabled"))]
pub fn mark_folder() -> Option<std::path::PathBuf> {
    None
}

#[cfg(feature = "enabled")]
mod enabled {
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{NAMES, VARIABLE};

    /// Where to die.
    struct Death {
        name: String,
        /// Times that the point is still to be reached, 1 for the next.
        times: AtomicU32,
        mark: PathBuf,
    }

    /// Dies here if [`VARIABLE`] says so.
    ///
    /// # Panics
    /// The point is none of [`NAMES`].
    pub fn reached(name: &str) {
        static DEATH: OnceLock<Option<Death>> = OnceLock::new();
        assert!(
            NAMES.iter().any(|(known, _)| *known == name),
            "{name} is no failpoint that is known"
        );
        let death = DEATH.get_or_init(|| parse(&std::env::var(VARIABLE?).ok()?));
        if let Some(death) = death
            && death.name == name
            && death.times.fetch_sub(1, Ordering::Relaxed) == 1
            && File::create_new(&death.mark).is_ok()
        {
            std::process::abort();
        }
    }

    /// Where the file that tells of a death is to be made.
    pub fn mark_folder() -> Option<PathBuf> {
        let death = parse(&std::env::var(VARIABLE?).ok()?)?;
        Some(death.mark.parent()?.to_owned())
    }

    fn parse(text: &str) -> Option<Death> {
        let mut parts = text.splitn(3, ':');
        let name = parts.next()?.to_owned();
        let times = AtomicU32::new(parts.next()?.parse().ok()?);
        let mark = parts.next()?.into();
        Some(Death { name, times, mark })
    }
}
