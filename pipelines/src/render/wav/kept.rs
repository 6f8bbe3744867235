//! What a render that died left, and whether it can be gone on with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::sequence::{Sequence, clear};
use crate::process::boot_id;
use crate::render::output::Identity;

/// The mix of an earlier render of the same thing; nothing if there is none. What was written
/// before the machine was last started does not count: it is not known how much of it got to the
/// disk.
pub fn earlier_mix(folder: &Path, identity: &Identity, most: u64) -> Option<Sequence> {
    let of = fs::read_to_string(path(folder)).ok()?;
    let ours = text(identity, most)?;
    (of == ours).then(|| Sequence::open(folder, "", most).ok())?
}

/// Clears the folder for a render that begins anew.
pub fn begin(folder: &Path, identity: &Identity, most: u64) -> io::Result<Sequence> {
    clear(folder)?;
    fs::write(path(folder), text(identity, most).unwrap_or_default())?;
    Sequence::create(folder, "", most, 0)
}

/// Removes what is left when the files are where they belong.
pub fn forget(folder: &Path) -> io::Result<()> {
    clear(folder)?;
    fs::remove_file(path(folder))
}

/// What tells of which render the files are.
fn path(folder: &Path) -> PathBuf {
    folder.join("part.identity")
}

fn text(identity: &Identity, most: u64) -> Option<String> {
    let boot_id = Some(boot_id()).filter(|id| !id.is_empty())?;
    let identity = serde_json::to_string(identity).ok()?;
    Some(format!("{boot_id} {most} {identity}\n"))
}
