//! How recordings and their metadata lie in every store that holds objects: `NAME.mp4` and
//! `.metadata/NAME.json`, as OpenVidu's recording applications lay them out.

use object_store::ObjectMeta;

use crate::{RecordingMetadata, StoreError, StoredObject, parse_file_name};

/// The folder of the metadata.
pub const METADATA_FOLDER: &str = ".metadata";

/// Whether `name` can be a recording's: one visible file of this folder.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let faults = [
        (name.is_empty(), "it has no name"),
        (name.starts_with('.'), "a name must not begin with a dot"),
        (name.contains(['/', '\\']), "a name must not hold a path"),
        (
            name.chars().any(char::is_control),
            "a name must not hold control characters",
        ),
        (name.len() > 255, "a name must not be longer than 255 bytes"),
    ];
    faults
        .iter()
        .find(|(is_fault, _)| *is_fault)
        .map_or(Ok(()), |(_, fault)| Err(fault))
}

/// Path of the metadata, relative to the store's folder.
pub fn metadata_name(name: &str) -> String {
    format!(
        "{METADATA_FOLDER}/{}.json",
        name.strip_suffix(".mp4").unwrap_or(name)
    )
}

/// What browsers are told of a file with this name.
pub fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("mp4") => "video/mp4",
        Some("wav") => "audio/wav",
        Some("m4a") => "audio/mp4",
        Some("webm") => "video/webm",
        Some("ogg") => "audio/ogg",
        Some("jpg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}

/// An object as its store tells it.
pub fn stored_object(object: &ObjectMeta) -> StoredObject {
    StoredObject {
        size: object.size,
        etag: object
            .e_tag
            .as_deref()
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned(),
        modified_at: object.last_modified.timestamp_millis(),
    }
}

/// What a list tells of an object (bytes, Unix ms) with its metadata, or else by its name; none for
/// what is no recording.
pub fn listed(
    name: &str,
    size: u64,
    modified_at: i64,
    metadata: Option<RecordingMetadata>,
) -> Option<RecordingMetadata> {
    let Some(metadata) = metadata else {
        return from_name(name, size, modified_at);
    };
    Some(RecordingMetadata {
        name: name.into(),
        size: match metadata.size {
            0 => size,
            told => told,
        },
        ..metadata
    })
}

/// What the name of a recording without metadata tells, and its object (bytes, Unix ms); none for
/// what is no recording.
pub fn from_name(name: &str, size: u64, modified_at: i64) -> Option<RecordingMetadata> {
    if ![".mp4", ".wav"].iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let parts = parse_file_name(name);
    let started_at = parts.as_ref().map_or(modified_at, |parts| parts.started_at);
    let (room_name, room_id) = parts
        .map(|parts| (parts.room_name, parts.room_id))
        .unwrap_or_default();
    Some(RecordingMetadata {
        id: String::new(),
        name: name.into(),
        room_name,
        room_id,
        started_at,
        duration: 0.0,
        size,
        sha256: None,
        metadata: None,
        end_reason: None,
        gaps: Vec::new(),
        pauses: Vec::new(),
        files: Vec::new(),
        part_of: None,
    })
}

/// Whether size and SHA-256 of a file are those that its metadata tells.
///
/// # Errors
/// They are not.
pub fn check_content(
    (size, sha256): &(u64, String),
    metadata: &RecordingMetadata,
) -> Result<(), StoreError> {
    let damaged = |detail| {
        Err(StoreError::Integrity {
            name: metadata.name.clone(),
            detail,
        })
    };
    if *size != metadata.size {
        return damaged(format!("{size} bytes instead of {}", metadata.size));
    }
    match &metadata.sha256 {
        Some(expected) if expected != sha256 => {
            damaged(format!("sha-256 {sha256} instead of {expected}"))
        }
        _ => Ok(()),
    }
}
