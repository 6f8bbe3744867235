//! How long what is delivered stays on this machine, too.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tapedeck_storage::Stores;

use crate::Manifest;

/// The longest time that can be given, s: a hundred years.
const LONGEST_S: u64 = 36_500 * 86_400;
/// Units of time, the largest first, and how many seconds they have.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// How long something stays here: `until_delivered`, `forever`, or a time from the delivery on, such
/// as `12h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    #[default]
    UntilDelivered,
    /// So long after the delivery, in whole seconds.
    For(Duration),
    Forever,
}

/// A text that tells no time to keep something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be \"until_delivered\", \"forever\", or a time of a whole number with s, m, h or d, such as \"12h\" or \"30d\""
)]
pub struct KeepError;

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text {
            "until_delivered" => return Ok(Self::UntilDelivered),
            "forever" => return Ok(Self::Forever),
            _ => {}
        }
        let known = UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
        let (count, unit) = known.ok_or(KeepError)?;
        let count: u64 = count.trim_end().parse().map_err(|_| KeepError)?;
        match count.checked_mul(unit) {
            Some(seconds @ 1..=LONGEST_S) => Ok(Self::For(Duration::from_secs(seconds))),
            _ => Err(KeepError),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = match self {
            Self::UntilDelivered => return f.write_str("until_delivered"),
            Self::Forever => return f.write_str("forever"),
            Self::For(time) => time.as_secs(),
        };
        let fits = |(_, unit): &&(char, u64)| seconds.is_multiple_of(*unit);
        let (letter, unit) = UNITS.iter().find(fits).unwrap_or(&('s', 1));
        write!(f, "{}{letter}", seconds / unit)
    }
}

impl TryFrom<String> for Keep {
    type Error = KeepError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

impl Keep {
    /// Whether it holds at `now` for what was delivered at `delivered_at`, Unix ms.
    fn holds(self, delivered_at: i64, now: i64) -> bool {
        match self {
            Self::UntilDelivered => false,
            Self::For(time) => {
                let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                now < delivered_at.saturating_add(time)
            }
            Self::Forever => true,
        }
    }
}

/// How long what is delivered stays on this machine, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Rendered files.
    pub files: Keep,
    /// Capture logs.
    pub logs: Keep,
}

/// What stays in the folder of a final recording besides its manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub files: bool,
    pub log: bool,
}

impl RetentionSettings {
    /// What stays of a delivered recording at `now`, Unix ms. If its store is a folder of this machine
    /// its files are kept there.
    fn kept(self, manifest: &Manifest, is_stored_here: bool, now: i64) -> Kept {
        let Some(delivered_at) = manifest.completed_at.filter(|_| manifest.is_delivered()) else {
            return Kept::default();
        };
        Kept {
            files: !is_stored_here && self.files.holds(delivered_at, now),
            log: self.logs.holds(delivered_at, now),
        }
    }

    /// How often to look for what need not stay any more; none while that does not come by itself.
    pub fn look_every(self) -> Option<Duration> {
        let times = [self.files, self.logs]
            .into_iter()
            .filter_map(|keep| match keep {
                Keep::For(time) => Some(time),
                Keep::UntilDelivered | Keep::Forever => None,
            });
        let shortest = times.min()?;
        Some((shortest / 10).clamp(Duration::from_secs(1), Duration::from_secs(600)))
    }
}

/// The rules of retention, for the stores of this server.
#[derive(Clone)]
pub struct Retention {
    settings: RetentionSettings,
    stores: Stores,
}

impl Retention {
    pub fn new(settings: RetentionSettings, stores: Stores) -> Self {
        Self { settings, stores }
    }

    /// What stays of a recording that is final and whose folder need not be kept as it is, at `now`,
    /// Unix ms.
    pub fn kept(&self, manifest: &Manifest, now: i64) -> Kept {
        let is_stored_here = self.stores.of(&manifest.source).is_on_this_machine();
        self.settings.kept(manifest, is_stored_here, now)
    }
}

/// What is left in the folder of a final recording besides its manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Remains {
    pub manifest: Manifest,
    pub bytes: u64,
    /// Whether there is more than what stays by rule.
    pub is_overdue: bool,
}

/// What goes now, and what may go besides to make room: the oldest delivery first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removals {
    pub by_rule: Vec<Remains>,
    pub for_room: Vec<Remains>,
}

/// Decides what goes. What is not delivered is never among it, unless nothing was captured.
pub fn removals(remains: Vec<Remains>) -> Removals {
    let may_go = |one: &Remains| one.manifest.state.is_final() && !one.manifest.keeps_folder();
    let remains = remains.into_iter().filter(may_go);
    let (by_rule, mut for_room): (Vec<_>, Vec<_>) = remains.partition(|one| one.is_overdue);
    for_room.sort_by_key(|one| one.manifest.completed_at);
    Removals { by_rule, for_room }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordingState;
    use crate::fixtures::manifest;

    const HOUR: i64 = 3_600_000;

    fn delivered(id: &str, completed_at: i64) -> Manifest {
        Manifest {
            id: id.into(),
            state: RecordingState::Complete,
            started_at: Some(0),
            completed_at: Some(completed_at),
            ..manifest()
        }
    }

    fn rules(files: &str, logs: &str) -> RetentionSettings {
        RetentionSettings {
            files: files.parse().unwrap(),
            logs: logs.parse().unwrap(),
        }
    }

    #[test]
    fn times_are_read_and_written_alike() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            let keep: Keep = text.parse().unwrap();
            assert_eq!(keep, Keep::For(Duration::from_secs(seconds)));
            assert_eq!(keep.to_string(), text);
        }
        assert_eq!("48h".parse::<Keep>().unwrap().to_string(), "2d");
        assert_eq!(" until_delivered ".parse(), Ok(Keep::UntilDelivered));
        assert_eq!("forever".parse(), Ok(Keep::Forever));
        for text in [
            "",
            "0d",
            "7",
            "d",
            "-1h",
            "1.5h",
            "1 week",
            "99999999d",
            "18446744073709551615d",
        ] {
            assert_eq!(text.parse::<Keep>(), Err(KeepError), "{text}");
        }
    }

    #[test]
    fn each_rule_counts_from_the_delivery() {
        let one = delivered("EG_1", HOUR);
        let kept = |files, logs, now| {
            let kept = rules(files, logs).kept(&one, false, now);
            (kept.files, kept.log)
        };
        assert_eq!(
            kept("until_delivered", "until_delivered", HOUR),
            (false, false)
        );
        assert_eq!(kept("forever", "until_delivered", i64::MAX), (true, false));
        assert_eq!(kept("2h", "1h", 2 * HOUR - 1), (true, true));
        assert_eq!(kept("2h", "1h", 2 * HOUR), (true, false));
        assert_eq!(kept("2h", "1h", 3 * HOUR), (false, false));
        // A clock that was set back keeps, and removes nothing early.
        assert_eq!(kept("2h", "1h", 0), (true, true));
    }

    #[test]
    fn files_are_not_kept_twice_on_this_machine() {
        let kept = rules("forever", "forever").kept(&delivered("EG_1", 0), true, 1);
        assert_eq!((kept.files, kept.log), (false, true));
    }

    #[test]
    fn nothing_is_kept_of_what_holds_nothing() {
        let aborted = Manifest {
            state: RecordingState::Aborted,
            ..manifest()
        };
        let kept = rules("forever", "forever").kept(&aborted, false, 1);
        assert_eq!(kept, Kept::default());
    }

    #[test]
    fn what_is_not_delivered_never_goes() {
        let states = [
            RecordingState::Active,
            RecordingState::Interrupted,
            RecordingState::Ending,
            RecordingState::Uploading,
            RecordingState::Failed,
        ];
        let remains = states.map(|state| Remains {
            manifest: Manifest {
                state,
                started_at: Some(0),
                ..manifest()
            },
            bytes: 1,
            is_overdue: true,
        });
        assert_eq!(removals(remains.to_vec()), Removals::default());
    }

    #[test]
    fn room_is_made_of_the_oldest_delivery_first() {
        let remains = |id: &str, completed_at, is_overdue| Remains {
            manifest: delivered(id, completed_at),
            bytes: 1,
            is_overdue,
        };
        let found = vec![
            remains("EG_new", 3, false),
            remains("EG_due", 4, true),
            remains("EG_old", 1, false),
        ];
        let removals = removals(found);
        let ids = |remains: &[Remains]| -> Vec<String> {
            remains.iter().map(|one| one.manifest.id.clone()).collect()
        };
        assert_eq!(ids(&removals.by_rule), ["EG_due"]);
        assert_eq!(ids(&removals.for_room), ["EG_old", "EG_new"]);
    }

    #[test]
    fn looks_are_as_frequent_as_the_shortest_time_asks() {
        assert_eq!(rules("forever", "until_delivered").look_every(), None);
        let every = |files| rules(files, "forever").look_every().unwrap().as_secs();
        assert_eq!((every("2s"), every("100s"), every("30d")), (1, 10, 600));
    }
}
