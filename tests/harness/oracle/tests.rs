use serde_json::json;

use super::*;

/// Ten seconds, begun 300 ms after a whole second.
fn claims() -> Claims {
    Claims::of(&json!({ "startedAt": 1_700_000_000_300_i64, "endedAt": 1_700_000_010_300_i64 }))
}

fn with_gap(from_ms: u64, to_ms: u64) -> Claims {
    let gap = json!({ "from_ms": from_ms, "to_ms": to_ms, "reason": "capture_restarted" });
    Claims {
        gaps: vec![serde_json::from_value(gap).unwrap()],
        ..claims()
    }
}

/// Two publishers whose moments are half a second apart.
fn shown() -> Vec<Shown> {
    let late = PublisherOptions {
        phase: 0.5,
        ..PublisherOptions::new(1)
    };
    vec![
        Shown::always(&PublisherOptions::new(0)),
        Shown::always(&late),
    ]
}

/// A file in which everything is, a little late.
fn whole() -> Vec<Seen> {
    let each = |first: f64| -> Vec<f64> { (0..10).map(|s| first + f64::from(s) + 0.03).collect() };
    [0.7, 0.2]
        .map(|first| Seen {
            flashes: each(first),
            beeps: each(first - 0.01),
        })
        .to_vec()
}

fn faults(claims: &Claims, seen: &[Seen]) -> Vec<String> {
    weigh(claims, &shown(), seen, 10.0).faults
}

#[test]
fn a_whole_recording_has_no_fault() {
    let verdict = weigh(&claims(), &shown(), &whole(), 10.1);
    assert_eq!(verdict.faults, Vec::<String>::new());
    // From 1.5 s on: eight of each kind of the first, the second's are at 2.2 s to 9.2 s.
    assert_eq!((verdict.moments, verdict.in_gaps, verdict.lost), (32, 0, 0));
}

#[test]
fn a_missing_moment_is_a_fault_unless_a_gap_tells_it() {
    let mut seen = whole();
    seen[0].flashes.retain(|time| !(4.0..6.0).contains(time));
    seen[0].beeps.remove(4);
    assert_eq!(
        faults(&claims(), &seen),
        [
            "the flash of publisher-0 that belongs at 4.70 s is missing",
            "the flash of publisher-0 that belongs at 5.70 s is missing",
            "the beep of publisher-0 that belongs at 4.70 s is missing",
        ]
    );
    let told = weigh(&with_gap(4_500, 5_600), &shown(), &seen, 10.0);
    assert_eq!(told.faults, Vec::<String>::new());
    assert_eq!((told.moments, told.in_gaps, told.lost), (32, 3, 0));
    // A gap elsewhere excuses nothing.
    assert_eq!(faults(&with_gap(7_000, 8_000), &seen).len(), 3);
}

#[test]
fn a_moment_that_is_there_twice_is_a_fault_also_in_a_gap() {
    let mut seen = whole();
    seen[1].beeps.insert(5, 4.35);
    let told = "the beep of publisher-1 at 4.20 s is there 2 times";
    assert_eq!(faults(&claims(), &seen), [told]);
    assert_eq!(faults(&with_gap(4_000, 5_000), &seen), [told]);
}

#[test]
fn what_is_shifted_is_missing_at_its_place_and_wrong_at_the_other() {
    let mut seen = whole();
    for time in seen[0].flashes.iter_mut().skip(6) {
        *time += 0.4;
    }
    let told = faults(&claims(), &seen);
    assert!(told[0].starts_with("a flash of publisher-0 at 7.13 s, where there was none"));
    assert!(
        told.iter()
            .any(|line| line.contains("at 6.70 s is missing")),
        "{told:#?}"
    );
}

#[test]
fn sound_beside_its_picture_is_a_fault() {
    let mut seen = whole();
    for beep in &mut seen[0].beeps {
        *beep += 0.1;
    }
    let told = faults(&claims(), &seen);
    assert_eq!(told, ["sound of publisher-0 is 90 ms off its picture"]);
}

#[test]
fn a_wrong_length_is_a_fault() {
    for duration in [9.6, 10.4] {
        let told = weigh(&claims(), &shown(), &whole(), duration).faults;
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn edges_of_others_beeps_are_no_beeps_but_beeps_of_nobody_are() {
    let mut seen = whole();
    seen[0].beeps.push(3.28);
    assert_eq!(faults(&claims(), &seen), Vec::<String>::new());
    seen[0].beeps.push(3.4);
    assert_eq!(faults(&claims(), &seen).len(), 1);
}

#[test]
fn recording_time_stands_still_in_a_pause() {
    let pause =
        json!({ "at_ms": 4_000, "from": 1_700_000_004_300_i64, "to": 1_700_000_007_800_i64 });
    let claims = Claims {
        pauses: vec![serde_json::from_value(pause).unwrap()],
        ended_at: 1_700_000_013_800.0,
        ..claims()
    };
    assert!((claims.file_seconds() - 10.0).abs() < 1e-9);
    // The wall's 8.0 s come 0.2 s after the pause, which is at 4.0 s.
    let of_first: Vec<f64> = [0.7, 1.7, 2.7, 3.7, 4.2, 5.2, 6.2, 7.2, 8.2, 9.2].to_vec();
    let of_second: Vec<f64> = [0.2, 1.2, 2.2, 3.2, 4.7, 5.7, 6.7, 7.7, 8.7, 9.7].to_vec();
    let mut seen: Vec<Seen> = [of_first, of_second]
        .map(|times| Seen {
            flashes: times.clone(),
            beeps: times,
        })
        .to_vec();
    assert_eq!(faults(&claims, &seen), Vec::<String>::new());
    // As if the pause had been recorded.
    for time in seen[0].beeps.iter_mut().skip(4) {
        *time += 0.5;
    }
    assert!(faults(&claims, &seen).len() >= 5);
}

#[test]
fn who_was_away_is_not_missed() {
    let mut seen = whole();
    seen[0].flashes.truncate(5);
    seen[0].beeps.truncate(5);
    let mut shown = shown();
    shown[0].present = vec![f64::MIN..1_700_000_005_500.0];
    let verdict = weigh(&claims(), &shown, &seen, 10.0);
    assert_eq!(verdict.faults, Vec::<String>::new());
    shown[0].present = vec![f64::MIN..1_700_000_009_500.0];
    assert!(weigh(&claims(), &shown, &seen, 10.0).lost > 4);
}

#[test]
fn what_capture_did_not_see_at_the_end_is_to_be_told() {
    let mut seen = whole();
    for seen in &mut seen {
        seen.flashes.retain(|time| *time < 9.1);
        seen.beeps.retain(|time| *time < 9.1);
    }
    assert!(!faults(&claims(), &seen).is_empty());
    let gap = json!({ "from_ms": 9_000, "to_ms": 11_500, "reason": "capture_lost" });
    let claims = Claims {
        gaps: vec![serde_json::from_value(gap).unwrap()],
        ..claims()
    };
    assert_eq!(faults(&claims, &seen), Vec::<String>::new());
    assert!((claims.told_until() - 11_500.0).abs() < 1e-9);
}
