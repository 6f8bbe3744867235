//! Capture lost and started again.

use tapedeck_pipelines::control::Gap;
use tapedeck_pipelines::job::Secret;
use tapedeck_pipelines::log::Told;

use super::*;
use crate::session::machine::interruption::MOST_LOSSES;

fn recorded(state: CaptureState, duration_ms: u64) -> Event {
    let Event::Capture(snapshot) = capture(state) else {
        unreachable!()
    };
    Event::Capture(CaptureSnapshot {
        duration_ms,
        ..snapshot
    })
}

fn unknown() -> Event {
    Event::RoomLost(RoomError::Unknown("room".into()))
}

fn unreachable_server() -> Event {
    Event::RoomLost(RoomError::Unreachable("refused".into()))
}

fn interrupted() -> Machine {
    let mut machine = active();
    machine.step(gone(Role::Capture), NOW);
    machine
}

fn pause_of(actions: &[Action]) -> Option<Duration> {
    actions.iter().find_map(|action| match action {
        Action::SetTimer(Timer::CaptureRestart, pause) => Some(*pause),
        _ => None,
    })
}

#[test]
fn a_lost_capture_is_started_again_at_once_and_goes_on() {
    let mut machine = active();
    let actions = machine.step(gone(Role::Capture), NOW);
    assert!(actions.contains(&Action::FindRoom));
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.state, RecordingState::Interrupted);
    assert!(manifest.is_live());
    let last = manifest.restarts.last.as_ref().unwrap();
    assert_eq!((manifest.restarts.capture, &*last.reason), (1, "signal: 9"));

    let actions = machine.step(Event::RoomFound("RM_seen".into()), NOW);
    assert!(actions.contains(&Action::SpawnCapture));
    assert_eq!(machine.step(capture(CaptureState::Joining), NOW), []);
    let Event::Capture(mut snapshot) = capture(CaptureState::Recording) else {
        unreachable!()
    };
    snapshot.gaps = vec![Gap {
        from_ms: 1,
        to_ms: 2,
        reason: "capture_restarted".into(),
    }];
    let actions = machine.step(Event::Capture(snapshot.clone()), NOW);
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.state, RecordingState::Active);
    assert_eq!(manifest.gaps, snapshot.gaps);
    assert_eq!(manifest.warnings, [], "a gap says it all");
}

#[test]
fn a_room_that_is_over_completes_the_recording() {
    let mut machine = interrupted();
    machine.step(unknown(), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Ending);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::RoomEnded));
    assert_eq!(machine.manifest().warnings[0].code, "capture_lost");
    machine.step(finished(), NOW);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Complete);
}

#[test]
fn those_who_were_in_a_room_may_come_back_after_its_server_was_away() {
    let mut machine = interrupted();
    machine.step(unreachable_server(), NOW);
    machine.step(Event::Timer(Timer::CaptureRestart), NOW);
    let actions = machine.step(unknown(), NOW);
    assert!(actions.contains(&Action::SetTimer(Timer::RoomOver, Duration::from_secs(60))));
    assert_eq!(machine.manifest().state, RecordingState::Interrupted);
    let mut late = machine.clone();

    // Somebody came: the room has another id then.
    machine.step(Event::Timer(Timer::CaptureRestart), NOW);
    let actions = machine.step(Event::RoomFound("RM_other".into()), NOW);
    assert!(actions.contains(&Action::SpawnCapture));

    // Nobody came.
    late.step(Event::Timer(Timer::RoomOver), NOW);
    late.step(Event::Timer(Timer::CaptureRestart), NOW);
    late.step(unknown(), NOW);
    assert_eq!(late.manifest().end_reason, Some(EndReason::RoomEnded));
}

#[test]
fn another_meeting_in_a_room_of_that_name_is_not_recorded() {
    let day = 24 * 3_600_000;
    let resumed = |room_id: &str| {
        let mut machine = machine(RecordingState::Active);
        machine.manifest.max_duration_ms = 10 * day as u64;
        machine.step(Event::Resume, NOW + day);
        let left = Left {
            log_until: Some(NOW),
            ..Left::default()
        };
        let gone = Event::Gone {
            role: Role::Capture,
            detail: "no such process".into(),
            left,
        };
        machine.step(gone, NOW + day);
        machine.step(Event::RoomFound(room_id.into()), NOW + day);
        machine.manifest().clone()
    };
    let next_day = resumed("RM_next_day");
    assert_eq!(next_day.end_reason, Some(EndReason::RoomEnded));
    assert_eq!(next_day.ended_at, Some(NOW), "not the time of the next one");
    assert_eq!(resumed("RM_x").state, RecordingState::Interrupted);
}

#[test]
fn a_recording_that_is_too_long_is_not_gone_on_with() {
    let mut machine = machine(RecordingState::Active);
    machine.step(Event::Resume, NOW);
    let later = NOW + 3_600_000;
    let actions = machine.step(gone(Role::Capture), later);
    assert!(!actions.contains(&Action::FindRoom));
    assert_eq!(machine.manifest().end_reason, Some(EndReason::MaxDuration));
}

#[test]
fn a_wall_clock_that_jumped_makes_no_recording_too_long() {
    let later = NOW + 36_000_000;
    let lost = || Event::Gone {
        role: Role::Capture,
        detail: "signal: 9".into(),
        left: Left {
            log_until: Some(later - 1_000),
            recorded_ms: Some(46_000),
            ..Left::default()
        },
    };
    let mut heard = active();
    heard.step(recorded(CaptureState::Recording, 45_500), NOW);
    let mut of_an_earlier_server = machine(RecordingState::Active);
    of_an_earlier_server.step(Event::Resume, later);
    for machine in [&mut heard, &mut of_an_earlier_server] {
        assert!(machine.step(lost(), later).contains(&Action::FindRoom));
        assert_eq!(machine.manifest().state, RecordingState::Interrupted);
        machine.step(Event::StopRequested, later + 1_000);
        let gaps = machine.manifest().gaps.iter();
        let gaps: Vec<_> = gaps.map(|gap| (gap.from_ms, gap.to_ms)).collect();
        assert_eq!(gaps, [(46_000, 48_000)]);
    }

    // Who knows nothing of the log leaves the limit to the next capture.
    let mut heard = active();
    heard.step(recorded(CaptureState::Recording, 45_500), NOW);
    let actions = heard.step(gone(Role::Capture), later);
    assert!(actions.contains(&Action::FindRoom));
    let mut at_its_end = active();
    at_its_end.step(recorded(CaptureState::Recording, 3_600_000), NOW);
    at_its_end.step(gone(Role::Capture), NOW);
    assert_eq!(
        at_its_end.manifest().end_reason,
        Some(EndReason::MaxDuration)
    );
}

#[test]
fn a_media_server_that_stays_away_ends_the_recording() {
    let mut machine = active();
    let actions = machine.step(gone(Role::Capture), NOW);
    let limit = Action::SetTimer(Timer::SourceLost, TIMEOUTS.source_lost);
    assert!(actions.contains(&limit));
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let actions = machine.step(unreachable_server(), NOW);
        pauses.push(pause_of(&actions).unwrap().as_millis());
        let actions = machine.step(Event::Timer(Timer::CaptureRestart), NOW);
        assert_eq!(actions, [Action::FindRoom]);
    }
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    machine.step(Event::Timer(Timer::SourceLost), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Interrupted);
    machine.step(unreachable_server(), NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::SourceLost));
}

#[test]
fn a_capture_that_cannot_reach_the_server_does_not_count_as_crashing() {
    let mut machine = interrupted();
    for _ in 0..50 {
        machine.step(Event::RoomFound("RM_seen".into()), NOW);
        let actions = machine.step(capture_failed(FailureKind::SourceUnreachable), NOW);
        assert!(actions.contains(&Action::Tell(Role::Capture, Command::Leave)));
        let actions = machine.step(gone(Role::Capture), NOW);
        assert!(pause_of(&actions).is_some());
        machine.step(Event::Timer(Timer::CaptureRestart), NOW);
    }
    assert_eq!(machine.manifest().state, RecordingState::Interrupted);
    assert_eq!(machine.manifest().restarts.capture, 1);
}

#[test]
fn a_capture_that_crashes_again_and_again_is_given_up() {
    let mut machine = active();
    let mut pauses = Vec::new();
    for _ in 1..MOST_LOSSES {
        let actions = machine.step(gone(Role::Capture), NOW);
        pauses.extend(pause_of(&actions).map(|pause| pause.as_secs()));
        machine.step(Event::Timer(Timer::CaptureRestart), NOW);
        machine.step(Event::RoomFound("RM_seen".into()), NOW);
        machine.step(recorded(CaptureState::Recording, 4_000), NOW);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30]);
    assert_eq!(machine.manifest().state, RecordingState::Active);
    machine.step(gone(Role::Capture), NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::CaptureLost));
    machine.step(finished(), NOW);
    // Another server may be the one that delivers.
    let mut machine = Machine::new(machine.manifest().clone(), TIMEOUTS);
    machine.step(Event::Resume, NOW);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    let manifest = machine.manifest();
    assert_eq!(manifest.state, RecordingState::Failed);
    assert!(manifest.is_delivered() && !manifest.keeps_folder());
    let error = manifest.error.as_deref().unwrap();
    assert!(
        error.contains("8 times in a row, at last: signal: 9"),
        "{error}"
    );
}

#[test]
fn a_capture_that_records_in_between_is_never_given_up() {
    let mut machine = active();
    machine.manifest.max_duration_ms = 7_200_000;
    for minute in 1..100 {
        let actions = machine.step(gone(Role::Capture), NOW);
        assert!(actions.contains(&Action::FindRoom), "at once");
        machine.step(Event::RoomFound("RM_seen".into()), NOW);
        machine.step(recorded(CaptureState::Recording, minute * 60_000), NOW);
        machine.step(
            recorded(CaptureState::Recording, minute * 60_000 + 5_000),
            NOW,
        );
    }
    assert_eq!(machine.manifest().state, RecordingState::Active);
    assert_eq!(machine.manifest().restarts.capture, 99);
}

#[test]
fn what_happened_before_an_end_that_no_server_saw_is_found_in_the_log() {
    let mut machine = machine(RecordingState::Active);
    machine.step(Event::Resume, NOW);
    // As the journal tells it, without gaps.
    machine.step(capture(CaptureState::Sealed), NOW);
    let missed = Gap {
        from_ms: 1_000,
        to_ms: 2_000,
        reason: "connection_lost".into(),
    };
    let mut told = Told::default();
    told.include(std::slice::from_ref(&missed));
    let gone = Event::Gone {
        role: Role::Capture,
        detail: "no such process".into(),
        left: Left {
            told: Some(told),
            ..Left::default()
        },
    };
    machine.step(gone, NOW);
    machine.step(finished(), NOW);
    let actions = machine.step(Event::Uploaded(Vec::new()), NOW);
    let manifest = saved(&actions).expect("it is written");
    assert_eq!(manifest.state, RecordingState::Complete);
    assert_eq!(manifest.gaps, [missed]);
}

#[test]
fn what_no_server_heard_of_is_found_in_the_log() {
    let gap = |from_ms, to_ms, reason: &str| Gap {
        from_ms,
        to_ms,
        reason: reason.into(),
    };
    let mut machine = active();
    machine.manifest.gaps = vec![gap(7_000, 8_000, "connection_lost")];
    let mut told = Told::default();
    told.include(&[
        gap(1_000, 2_000, "stalled"),
        gap(7_000, 12_000, "connection_lost"),
    ]);
    let gone = Event::Gone {
        role: Role::Capture,
        detail: "no such process".into(),
        left: Left {
            told: Some(told),
            ..Left::default()
        },
    };
    machine.step(gone, NOW);
    assert_eq!(
        machine.manifest().gaps,
        [
            gap(1_000, 2_000, "stalled"),
            gap(7_000, 12_000, "connection_lost")
        ]
    );
}

#[test]
fn a_suspended_capture_is_not_started_into_the_end_of_its_server() {
    let mut machine = active();
    let left = Left {
        suspended: true,
        ..Left::default()
    };
    let suspended = Event::Gone {
        role: Role::Capture,
        detail: "exit status: 0".into(),
        left,
    };
    let actions = machine.step(suspended, NOW);
    assert!(pause_of(&actions).is_some_and(|pause| pause < Duration::from_secs(2)));
}

#[test]
fn a_stop_ends_an_interrupted_recording_with_what_there_is() {
    // Nothing runs.
    let mut machine = active();
    machine.step(recorded(CaptureState::Recording, 46_500), NOW);
    machine.step(gone(Role::Capture), NOW);
    let actions = machine.step(Event::StopRequested, NOW + 2_000);
    assert!(!machine.manifest().is_live());
    assert_eq!(machine.manifest().end_reason, Some(EndReason::Stopped));
    let gap = &machine.manifest().gaps[0];
    // It was stopped 2 s after it was lost, at 47 s of recording time.
    assert_eq!((gap.from_ms, gap.to_ms), (47_000, 49_000));
    assert_eq!(
        machine.manifest().ended_at,
        Some(NOW),
        "as long as the file"
    );
    assert!(actions.contains(&Action::CancelTimer(Timer::CaptureRestart)));
    let late = machine.step(Event::RoomFound("RM_seen".into()), NOW);
    assert!(!late.contains(&Action::SpawnCapture));

    // A capture is joining.
    let mut machine = interrupted();
    machine.step(Event::RoomFound("RM_seen".into()), NOW);
    let actions = machine.step(Event::StopRequested, NOW);
    let stop = Command::Stop {
        reason: EndReason::Stopped,
    };
    assert!(actions.contains(&Action::Tell(Role::Capture, stop)));
    let mut sealed = machine.clone();
    for (machine, event) in [
        (&mut machine, capture_failed(FailureKind::Internal)),
        (&mut sealed, gone(Role::Capture)),
    ] {
        machine.step(event, NOW);
        assert_eq!(machine.manifest().end_reason, Some(EndReason::Stopped));
        assert!(!machine.manifest().is_live());
    }
}

#[test]
fn a_capture_that_hangs_while_it_joins_again_is_killed() {
    let mut machine = interrupted();
    machine.step(Event::RoomFound("RM_seen".into()), NOW);
    let actions = machine.step(Event::Timer(Timer::Rejoin), NOW);
    assert_eq!(actions, [Action::Kill(Role::Capture)]);
    machine.step(gone(Role::Capture), NOW);
    assert_eq!(machine.manifest().restarts.capture, 2);
}

#[test]
fn a_log_that_cannot_be_gone_on_with_is_the_end() {
    let mut machine = interrupted();
    machine.step(Event::RoomFound("RM_seen".into()), NOW);
    machine.step(capture_failed(FailureKind::Log), NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::LogFailed));
}

#[test]
fn lost_packets_are_written_down_now_and_then() {
    let mut machine = active();
    let told = |count: u64| {
        let gap = |number| Gap {
            from_ms: number,
            to_ms: number + 1,
            reason: "packets_lost".into(),
        };
        let Event::Capture(snapshot) = capture(CaptureState::Recording) else {
            unreachable!()
        };
        Event::Capture(CaptureSnapshot {
            gaps: (0..count).map(gap).collect(),
            ..snapshot
        })
    };
    let actions = machine.step(told(1), NOW);
    assert!(matches!(actions[..], [Action::SetTimer(Timer::Note, _)]));
    assert_eq!(machine.step(told(2), NOW), []);
    let actions = machine.step(Event::Timer(Timer::Note), NOW);
    assert_eq!(saved(&actions).unwrap().gaps.len(), 2);
}

#[test]
fn what_a_capture_that_dies_while_it_is_stopped_did_not_see_is_a_gap() {
    let lost = |gaps: Vec<Gap>| {
        let mut machine = active();
        let Event::Capture(mut snapshot) = recorded(CaptureState::Recording, 39_000) else {
            unreachable!()
        };
        snapshot.gaps = gaps;
        machine.step(Event::Capture(snapshot), 42_000);
        machine.step(Event::StopRequested, 42_900);
        let left = Left {
            log_until: Some(42_500),
            ..Left::default()
        };
        let gone = Event::Gone {
            role: Role::Capture,
            detail: "signal: 9".into(),
            left,
        };
        // The process is found to be gone a little later.
        machine.step(gone, 43_700);
        assert_eq!(machine.manifest().ended_at, Some(42_500));
        let gaps = machine.manifest().gaps.iter();
        gaps.map(|gap| (gap.from_ms, gap.to_ms)).collect::<Vec<_>>()
    };
    let gap = |from_ms, to_ms| Gap {
        from_ms,
        to_ms,
        reason: "capture_restarted".into(),
    };
    assert_eq!(lost(Vec::new()), [(39_500, 39_900)]);
    let past = vec![gap(1_000, 2_000)];
    assert_eq!(lost(past), [(1_000, 2_000), (39_500, 39_900)]);
    // Nothing had come since capture was started again.
    assert_eq!(lost(vec![gap(38_000, 39_000)]), [(38_000, 39_900)]);
}

#[test]
fn a_token_is_given_once_for_each_time_that_it_is_wanted() {
    let mut machine = active();
    let mut asks = |token_wanted| {
        let Event::Capture(snapshot) = capture(CaptureState::Recording) else {
            unreachable!()
        };
        let snapshot = CaptureSnapshot {
            token_wanted,
            ..snapshot
        };
        let actions = machine.step(Event::Capture(snapshot), NOW);
        actions.contains(&Action::RenewToken)
    };
    let given = [false, true, true, false, true].map(&mut asks);
    assert_eq!(given, [false, true, false, false, true]);
}

#[test]
fn a_token_that_was_refused_is_given_again() {
    let mut machine = active();
    let asks = || {
        Event::Capture(CaptureSnapshot {
            state: CaptureState::Recording,
            token_wanted: true,
            ..CaptureSnapshot::default()
        })
    };
    assert!(machine.step(asks(), NOW).contains(&Action::RenewToken));
    let refused = Event::Refused {
        role: Role::Capture,
        command: Command::RenewToken {
            token: Secret::new("x"),
        },
        reason: "not now".into(),
    };
    machine.step(refused, NOW);
    assert!(machine.step(asks(), NOW).contains(&Action::RenewToken));
}

#[test]
fn a_capture_that_waits_for_a_slow_disk_is_given_time_to_seal() {
    let late = Event::Timer(Timer::Seal);
    let sealing = Event::Capture(CaptureSnapshot {
        state: CaptureState::Recording,
        sealing: true,
        ..CaptureSnapshot::default()
    });
    let kill = [Action::Kill(Role::Capture)];
    let wait = [Action::SetTimer(Timer::Seal, REACTION_TIME)];
    let mut machine = active();
    machine.step(Event::StopRequested, NOW);
    let mut given = REACTION_TIME;
    loop {
        machine.step(sealing.clone(), NOW);
        let actions = machine.step(late.clone(), NOW);
        if actions == kill {
            break;
        }
        assert_eq!(actions, wait);
        given += REACTION_TIME;
    }
    assert_eq!(given, Duration::from_secs(60));

    let mut machine = active();
    machine.step(Event::StopRequested, NOW);
    machine.step(sealing, NOW);
    assert_eq!(machine.step(late.clone(), NOW), wait);
    assert_eq!(machine.step(late.clone(), NOW), kill, "it fell silent");

    let mut machine = active();
    machine.step(Event::StopRequested, NOW);
    machine.step(capture(CaptureState::Recording), NOW);
    assert_eq!(machine.step(late, NOW), kill, "it does not seal");
}
