//! What the name of a recording's file tells.

/// The parts of a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNameParts {
    pub room_name: String,
    /// LiveKit's `RM_…`.
    pub room_id: String,
    /// Unix ms.
    pub started_at: i64,
}

/// Reads `{room name}-{time}-{room id}.{extension}` and `{room name}-{room id}-{time}.{extension}`,
/// the two forms in which OpenVidu's recording applications name files; time like
/// `2026-11-21T225328`, UTC. A number that made the name unique may follow.
pub fn parse_file_name(name: &str) -> Option<FileNameParts> {
    let stem = name.rsplit_once('.')?.0;
    let (time_at, started_at) = (0..stem.len()).rev().find_map(|at| {
        let text = stem.get(at..at + TIME_LENGTH)?;
        Some((at, parse_time(text)?))
    })?;
    let before = stem[..time_at].strip_suffix('-')?;
    let after = stem[time_at + TIME_LENGTH..]
        .strip_prefix('-')
        .unwrap_or_default();
    if let Some(room_id) = after
        .split('-')
        .next()
        .filter(|part| part.starts_with("RM_"))
    {
        return Some(FileNameParts {
            room_name: before.strip_prefix(AZURE_TUTORIAL).unwrap_or(before).into(),
            room_id: room_id.into(),
            started_at,
        });
    }
    let (room_name, room_id) = before
        .rsplit_once('-')
        .filter(|(_, id)| id.starts_with("RM_"))?;
    Some(FileNameParts {
        room_name: room_name.into(),
        room_id: room_id.into(),
        started_at,
    })
}

/// What OpenVidu's recording application for Azure puts first.
const AZURE_TUTORIAL: &str = "RoomComposite-";

const TIME_LENGTH: usize = "2026-11-21T225328".len();

/// Unix ms of a time like `2026-11-21T225328`, UTC.
fn parse_time(text: &str) -> Option<i64> {
    const PATTERN: &[u8] = b"dddd-dd-ddTdddddd";
    let matches = text.bytes().zip(PATTERN).all(|(byte, pattern)| {
        if *pattern == b'd' {
            byte.is_ascii_digit()
        } else {
            byte == *pattern
        }
    });
    if !matches || text.len() != PATTERN.len() {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(13, 15)?, number(15, 17)?);
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    valid.then(|| {
        (days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000
    })
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years counted from March, so that the
/// leap day is a year's last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(room_name: &str, room_id: &str) -> Option<FileNameParts> {
        Some(FileNameParts {
            room_name: room_name.into(),
            room_id: room_id.into(),
            started_at: 1_795_301_608_000,
        })
    }

    #[test]
    fn reads_both_orders() {
        assert_eq!(
            parse_file_name("room-2026-11-21T225328-RM_abc.mp4"),
            parts("room", "RM_abc")
        );
        assert_eq!(
            parse_file_name("room-RM_abc-2026-11-21T225328.mp4"),
            parts("room", "RM_abc")
        );
        assert_eq!(
            parse_file_name("RoomComposite-room-2026-11-21T225328-RM_abc.mp4"),
            parts("room", "RM_abc")
        );
    }

    #[test]
    fn reads_names_with_hyphens_and_other_scripts() {
        assert_eq!(
            parse_file_name("a-b-2026-11-21T225328-RM_x.mp4"),
            parts("a-b", "RM_x")
        );
        assert_eq!(
            parse_file_name("참가자 방-2026-11-21T225328-RM_x-2.mp4"),
            parts("참가자 방", "RM_x")
        );
    }

    #[test]
    fn tells_nothing_of_other_names() {
        for name in [
            "holiday.mp4",
            "",
            ".mp4",
            "room-2026-11-21T225328.mp4",
            "room-2026-13-21T225328-RM_x.mp4",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn knows_the_calendar() {
        assert_eq!(parse_time("1970-01-01T000000"), Some(0));
        assert_eq!(parse_time("2000-02-29T000000"), Some(951_782_400_000));
        assert_eq!(parse_time("2024-03-01T000001"), Some(1_709_251_201_000));
    }
}
