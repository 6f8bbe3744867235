//! Names of recordings and of their files.

use std::path::Path;

use rand::RngExt;
use tapedeck_pipelines::job::OutputFormat;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::{Room, SourceKind};

/// The longest file name that is given, bytes, its extension and a number included. Far enough
/// under the 255 of file systems for what others add to names.
const LONGEST_NAME: usize = 200;
/// Kept free for a number that makes a name unique.
const ROOM_FOR_NUMBER: usize = 5;
/// More of a room id is not kept.
const LONGEST_ROOM_ID: usize = 64;

/// At most one live recording has the same key: a room is recorded once at a time.
pub fn exclusivity_key(source: SourceKind, room_name: &str) -> String {
    format!("{}:{room_name}", source.name())
}

/// Draws the id of a new recording: `EG_` and 12 characters, the shape of LiveKit's egress ids.
pub fn draw_id() -> String {
    draw("EG_")
}

/// Draws the id of a webhook's event: `EV_` and 12 characters, the shape of LiveKit's.
pub fn draw_event_id() -> String {
    draw("EV_")
}

fn draw(prefix: &str) -> String {
    const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut generator = rand::rng();
    let drawn = (0..12).map(|_| char::from(ALPHABET[generator.random_range(0..ALPHABET.len())]));
    prefix.chars().chain(drawn).collect()
}

/// Whether `text` can be a recording's id. LiveKit's egress ids are of the same shape.
pub fn is_id(text: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.starts_with("EG_") && text.len() <= 64 && text.chars().all(is_plain)
}

/// `{room name}-{time}-{room id}.{extension}`, safe for file systems and URLs: no separators, control
/// characters or characters with a meaning in URLs, no leading dot, at most 200 bytes. `at` is
/// Unix ms; the time is told in UTC.
fn file_name(room_name: &str, room_id: &str, at: i64, format: OutputFormat) -> String {
    let mut ending = format!("-{}", utc_time(at));
    let room_id = cut(safe(room_id), LONGEST_ROOM_ID);
    if !room_id.is_empty() {
        ending = format!("{ending}-{room_id}");
    }
    ending = format!("{ending}.{}", format.extension());
    let space = LONGEST_NAME - ending.len() - ROOM_FOR_NUMBER;
    let mut room = cut(safe(room_name), space);
    if room.is_empty() {
        room = "room".into();
    }
    format!("{room}{ending}")
}

/// `{channel}_{2026-02-03T12-00-00}.{extension}`, as Memharbor names files; safe as [`file_name`] is.
fn channel_file_name(channel: &str, at: i64, format: OutputFormat) -> String {
    let ending = format!("_{}.{}", channel_time(at), format.extension());
    let channel = cut(safe(channel), LONGEST_NAME - ending.len());
    format!("{channel}{ending}")
}

/// The name of a recording's file. `at` is Unix ms.
pub fn name_of(source: SourceKind, room: &Room, at: i64, format: OutputFormat) -> String {
    match source {
        SourceKind::Livekit | SourceKind::Whip => file_name(&room.name, &room.id, at, format),
        SourceKind::Agora => channel_file_name(&room.name, at, format),
    }
}

/// The name to try when `name` is taken: a number is added or counted up. A channel's name is that
/// of the next second, so that its parts can still be told apart.
pub fn next_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let extension = &name[stem.len()..];
    if let Some((channel, at)) = channel_and_time(stem) {
        return format!("{channel}_{}{extension}", channel_time(at + 1_000));
    }
    let counted = stem.rsplit_once('-').and_then(|(base, number)| {
        let number: u32 = number.parse().ok().filter(|_| number.len() < 4)?;
        Some(format!("{base}-{}{extension}", number + 1))
    });
    counted.unwrap_or_else(|| format!("{stem}-2{extension}"))
}

/// The name of a further file of the recording whose main one is `main`: `suffix` stands before the
/// extension, which is that of the rendered file at `path`.
pub fn further_name(main: &str, suffix: &str, path: &Path) -> String {
    let (stem, extension) = main.rsplit_once('.').unwrap_or((main, "mp4"));
    let extension = path
        .extension()
        .and_then(|own| own.to_str())
        .unwrap_or(extension);
    format!("{stem}{suffix}.{extension}")
}

fn utc_time(at: i64) -> String {
    const TIME: &[BorrowedFormatItem<'static>] =
        format_description!("[year]-[month]-[day]T[hour][minute][second]");
    formatted(at, TIME)
}

/// The time in names of channels' files.
const CHANNEL_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]");

fn channel_time(at: i64) -> String {
    formatted(at, CHANNEL_TIME)
}

/// Channel and time, Unix ms, of the stem of [`channel_file_name`].
fn channel_and_time(stem: &str) -> Option<(&str, i64)> {
    let (channel, time) = stem.rsplit_once('_')?;
    let time = PrimitiveDateTime::parse(time, CHANNEL_TIME).ok()?;
    Some((channel, time.assume_utc().unix_timestamp() * 1_000))
}

/// A time of Unix ms in UTC.
fn formatted(at: i64, format: &[BorrowedFormatItem<'static>]) -> String {
    OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000))
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| at.to_string())
}

/// Letters of all scripts stay; what file systems, shells or URLs give a meaning to, and what
/// cannot be seen, becomes `_`.
fn safe(text: &str) -> String {
    let replaced: String = text
        .chars()
        .map(|character| if is_safe(character) { character } else { '_' })
        .collect();
    replaced.trim_start_matches(['.', '-']).to_owned()
}

fn is_safe(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || "-_.".contains(character);
    }
    !character.is_control() && !character.is_whitespace() && !is_invisible(character)
}

/// Characters that change how a name is shown without being seen (Unicode's format characters),
/// noncharacters and private ones.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// The beginning of `text` of at most `longest` bytes, whole characters.
fn cut(mut text: String, longest: usize) -> String {
    text.truncate(text.floor_char_boundary(longest));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_301_608_123;

    #[test]
    fn tells_room_time_and_room_id() {
        assert_eq!(
            file_name("room", "RM_x7", AT, OutputFormat::Mp4),
            "room-2026-11-21T225328-RM_x7.mp4"
        );
        assert_eq!(
            file_name("회의실", "RM_x7", AT, OutputFormat::Mp4),
            "회의실-2026-11-21T225328-RM_x7.mp4"
        );
    }

    #[test]
    fn is_read_by_the_store() {
        let parts =
            tapedeck_storage::parse_file_name(&file_name("a-b", "RM_x7", AT, OutputFormat::Mp4))
                .unwrap();
        assert_eq!(parts.room_name, "a-b");
        assert_eq!(parts.started_at, AT / 1_000 * 1_000);
    }

    #[test]
    fn hostile_names_become_one_harmless_file_name() {
        for room in [
            "../../etc/passwd",
            "..",
            "a/b\\c",
            "a\0b\nc",
            "50%?#x",
            "",
            " ",
            "\u{202e}gpj",
            "-rf",
            ".hidden",
        ] {
            let name = file_name(room, "RM_x", AT, OutputFormat::Mp4);
            assert!(!name.starts_with(['.', '-']), "{name:?}");
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
                "{name:?}"
            );
            assert!(name.ends_with("-2026-11-21T225328-RM_x.mp4"), "{name:?}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        for room in [
            "x".repeat(5_000),
            "회".repeat(300),
            format!("a{}", "🎥".repeat(300)),
        ] {
            let name = file_name(&room, &"RM_".repeat(100), AT, OutputFormat::Mp4);
            assert!(
                (150..=200).contains(&next_name(&name).len()),
                "{}",
                name.len()
            );
            assert!(name.contains("-2026-11-21T225328-RM_"));
        }
    }

    #[test]
    fn counts_when_a_name_is_taken() {
        let name = file_name("room", "RM_x7", AT, OutputFormat::Mp4);
        let second = next_name(&name);
        assert_eq!(second, "room-2026-11-21T225328-RM_x7-2.mp4");
        assert_eq!(next_name(&second), "room-2026-11-21T225328-RM_x7-3.mp4");
        let sound = file_name("room", "RM_x7", AT, OutputFormat::Wav);
        assert_eq!(sound, "room-2026-11-21T225328-RM_x7.wav");
        assert_eq!(next_name(&sound), "room-2026-11-21T225328-RM_x7-2.wav");
    }

    #[test]
    fn channels_are_named_as_memharbor_names_them() {
        let channel = |name: &str| Room {
            name: name.into(),
            id: String::new(),
        };
        let name = |channel: &Room| name_of(SourceKind::Agora, channel, AT, OutputFormat::Wav);
        let first = name(&channel("group1_alice_bob"));
        assert_eq!(first, "group1_alice_bob_2026-11-21T22-53-28.wav");
        let second = next_name(&first);
        assert_eq!(second, "group1_alice_bob_2026-11-21T22-53-29.wav");
        let last = "g_a_b_2026-12-31T23-59-59.wav";
        assert_eq!(next_name(last), "g_a_b_2027-01-01T00-00-00.wav");
        let hostile = name(&channel("../a b?_c_<d>"));
        assert_eq!(hostile, "_a_b__c__d__2026-11-21T22-53-28.wav");
        assert_eq!(
            name(&channel(&"x".repeat(64))).len(),
            64 + "_2026-11-21T22-53-28.wav".len()
        );
    }

    #[test]
    fn further_files_are_named_after_the_main_one() {
        let name = file_name("room", "RM_x7", AT, OutputFormat::Mp4);
        let path = Path::new("/data/work/EG_1/tracks/7.wav");
        let further = further_name(&name, "-alice", path);
        assert_eq!(further, "room-2026-11-21T225328-RM_x7-alice.wav");
        assert_eq!(
            further_name(&next_name(&name), "-alice", path),
            "room-2026-11-21T225328-RM_x7-2-alice.wav"
        );
    }

    #[test]
    fn ids_have_the_shape_of_egress_ids() {
        let id = draw_id();
        assert_eq!(id.len(), 15);
        assert!(id.starts_with("EG_") && id[3..].chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(id, draw_id());
    }
}
