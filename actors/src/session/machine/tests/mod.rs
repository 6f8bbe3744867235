mod capture;
mod pause;
mod render_progress;
mod start;
mod world;

use tapedeck_pipelines::control::{OutputFile, RenderSnapshot, RenderState};

use super::*;
use crate::{UploadTrouble, fixtures};

const NOW: i64 = 50_000;
const TIMEOUTS: Timeouts = Timeouts {
    start: Duration::from_secs(10),
    source_lost: Duration::from_secs(300),
    restart_pause: Duration::from_secs(1),
};

fn machine(state: RecordingState) -> Machine {
    let mut manifest = Manifest {
        state,
        ..fixtures::manifest()
    };
    if state != RecordingState::Starting {
        manifest.started_at = Some(2_000);
    }
    Machine::new(manifest, TIMEOUTS)
}

fn active() -> Machine {
    let mut machine = machine(RecordingState::Starting);
    machine.step(Event::Begin, NOW);
    machine.step(capture(CaptureState::Recording), NOW);
    machine
}

fn sealed() -> Machine {
    let mut machine = active();
    machine.step(capture(CaptureState::Sealed), NOW);
    machine
}

fn uploading() -> Machine {
    let mut machine = sealed();
    machine.step(finished(), NOW);
    machine
}

fn capture(state: CaptureState) -> Event {
    Event::Capture(CaptureSnapshot {
        state,
        room_id: Some("RM_seen".into()),
        started_at_ms: Some(3_000),
        ended_at_ms: (state == CaptureState::Sealed).then_some(9_000),
        end_reason: (state == CaptureState::Sealed).then_some(EndReason::RoomEnded),
        ..CaptureSnapshot::default()
    })
}

fn capture_failed(kind: FailureKind) -> Event {
    let failure = Some(Failure {
        kind,
        message: "because".into(),
    });
    Event::Capture(CaptureSnapshot {
        state: CaptureState::Failed,
        failure,
        ..CaptureSnapshot::default()
    })
}

fn render(state: RenderState, position_ms: u64) -> Event {
    Event::Render(RenderSnapshot {
        state,
        position_ms,
        ..RenderSnapshot::default()
    })
}

fn trouble(blocked: bool) -> UploadTrouble {
    UploadTrouble {
        attempts: 3,
        next_try_ms: Some(2_000),
        blocked,
        error: "the bucket is not there".into(),
        failed_at_ms: 40_000,
    }
}

fn finished() -> Event {
    let output = OutputFile {
        path: "/work/output.mp4".into(),
        size_bytes: 7,
        ..OutputFile::default()
    };
    Event::Render(RenderSnapshot {
        state: RenderState::Finished,
        output: Some(output),
        further_outputs: vec![OutputFile {
            path: "/work/output-2.wav".into(),
            suffix: "-2".into(),
            ..OutputFile::default()
        }],
        ..RenderSnapshot::default()
    })
}

fn gone(role: Role) -> Event {
    Event::Gone {
        role,
        detail: "signal: 9".into(),
        left: Left::default(),
    }
}

fn saved(actions: &[Action]) -> Option<&Manifest> {
    actions.iter().rev().find_map(|action| match action {
        Action::Save(manifest) => Some(manifest.as_ref()),
        _ => None,
    })
}

fn position(actions: &[Action], wanted: impl Fn(&Action) -> bool) -> usize {
    actions
        .iter()
        .position(wanted)
        .unwrap_or_else(|| panic!("missing in {actions:?}"))
}

#[test]
fn the_manifest_is_written_before_anything_is_started() {
    let actions = machine(RecordingState::Starting).step(Event::Begin, NOW);
    let save = position(&actions, |action| matches!(action, Action::Save(_)));
    assert!(save < position(&actions, |action| *action == Action::SpawnCapture));
}

#[test]
fn a_start_is_answered_after_its_manifest_is_written() {
    let mut machine = machine(RecordingState::Starting);
    machine.step(Event::Begin, NOW);
    assert_eq!(machine.step(capture(CaptureState::Joining), NOW), []);
    let actions = machine.step(capture(CaptureState::Recording), NOW);
    let save = position(&actions, |action| matches!(action, Action::Save(_)));
    assert!(save < position(&actions, |action| *action == Action::AnswerStart(Ok(()))));
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.state, RecordingState::Active);
    assert_eq!(
        (manifest.started_at, manifest.room_id.as_str()),
        (Some(3_000), "RM_seen")
    );
    assert!(actions.contains(&Action::SpawnRender {
        log_is_final: false
    }));
}

#[test]
fn each_way_a_start_fails_has_its_error() {
    let table = [
        (
            capture_failed(FailureKind::SourceUnreachable),
            StartError::Room(RoomError::Unreachable("because".into())),
        ),
        (
            capture_failed(FailureKind::SourceRefused),
            StartError::Room(RoomError::Refused("because".into())),
        ),
        (
            capture_failed(FailureKind::SourceTimeout),
            StartError::Room(RoomError::Timeout),
        ),
        (
            capture_failed(FailureKind::Log),
            StartError::Internal("because".into()),
        ),
        (Event::Timer(Timer::Start), StartError::Timeout(10)),
    ];
    for (event, expected) in table {
        let mut machine = machine(RecordingState::Starting);
        machine.step(Event::Begin, NOW);
        let actions = machine.step(event, NOW);
        let save = position(&actions, |action| matches!(action, Action::Save(_)));
        let answer = Action::AnswerStart(Err(expected.clone()));
        assert!(save < position(&actions, |action| *action == answer));
        assert_eq!(saved(&actions).unwrap().state, RecordingState::Failed);
        let actions = machine.step(gone(Role::Capture), NOW);
        assert_eq!(actions, [Action::Clear, Action::Finish], "{expected:?}");
    }
}

#[test]
fn a_stop_reaches_capture_even_when_the_disk_is_full() {
    let actions = active().step(Event::StopRequested, NOW);
    let stop = Action::Tell(
        Role::Capture,
        Command::Stop {
            reason: EndReason::Stopped,
        },
    );
    // What comes before the first save does not wait for it.
    assert!(
        position(&actions, |action| *action == stop)
            < position(&actions, |action| matches!(action, Action::Save(_)))
    );
}

#[test]
fn an_end_that_only_the_server_wanted_is_told_apart() {
    let mut machine = active();
    machine.step(Event::ServerFinishes, NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::Stopped));
    assert!(machine.manifest().stopped_by_server);

    let mut machine = active();
    machine.step(Event::StopRequested, NOW);
    machine.step(Event::ServerFinishes, NOW);
    assert!(!machine.manifest().stopped_by_server, "somebody was first");
}

#[test]
fn the_reason_of_the_end_is_the_first_that_is_known() {
    let mut machine = active();
    machine.step(capture(CaptureState::Sealed), NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::RoomEnded));
    assert!(!machine.manifest().is_live());

    let mut machine = active();
    machine.step(Event::StopRequested, NOW);
    assert!(
        machine.manifest().is_live(),
        "until capture has sealed its log"
    );
    machine.step(gone(Role::Capture), NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::Stopped));
    assert!(!machine.manifest().is_live());
}

#[test]
fn the_render_is_told_to_finish_a_log_without_an_end() {
    let mut machine = active();
    machine.step(gone(Role::Capture), NOW);
    let actions = machine.step(Event::StopRequested, NOW);
    assert!(actions.contains(&Action::Tell(Role::Render, Command::Finish)));
    machine.step(finished(), NOW);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Complete);
}

#[test]
fn the_render_does_not_wait_for_the_end_of_a_log_that_could_not_take_one() {
    let sealed = CaptureSnapshot {
        state: CaptureState::Sealed,
        end_reason: Some(EndReason::LogFailed),
        ..CaptureSnapshot::default()
    };
    let actions = active().step(Event::Capture(sealed), NOW);
    assert!(actions.contains(&Action::Tell(Role::Render, Command::Finish)));
}

#[test]
fn a_full_disk_of_the_capture_is_the_reason() {
    let mut machine = active();
    machine.step(capture_failed(FailureKind::Log), NOW);
    assert_eq!(machine.manifest().end_reason, Some(EndReason::LogFailed));
    assert_eq!(machine.manifest().state, RecordingState::Ending);
}

#[test]
fn capture_leaves_the_room_only_after_delivery_is_written_down() {
    let mut machine = uploading();
    let actions = machine.step(Event::Uploaded(Vec::new()), NOW);
    let leave = Action::Tell(Role::Capture, Command::Leave);
    let save = position(&actions, |action| matches!(action, Action::Save(_)));
    assert!(save < position(&actions, |action| *action == leave));
    assert_eq!(
        machine.step(gone(Role::Render), NOW),
        [Action::CancelTimer(Timer::RenderExit)]
    );
    assert_eq!(
        machine.step(gone(Role::Capture), NOW),
        [Action::Clear, Action::Finish]
    );
}

#[test]
fn capture_does_not_wait_for_a_store_that_is_away() {
    let leave = Action::Tell(Role::Capture, Command::Leave);
    let exit = Action::SetTimer(Timer::CaptureExit, REACTION_TIME);
    let mut machine = uploading();
    let actions = machine.step(Event::UploadTrouble(trouble(true)), NOW);
    assert!(actions.contains(&leave) && actions.contains(&exit));
    let on_disk = saved(&actions).unwrap().clone();
    // It is asked once, and its end is none of the recording's.
    let actions = machine.step(Event::UploadTrouble(trouble(false)), NOW);
    assert!(!actions.contains(&leave));
    assert_eq!(machine.step(gone(Role::Capture), NOW), []);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Complete);
    assert_eq!(machine.manifest().warnings, []);

    let actions = Machine::new(on_disk.clone(), TIMEOUTS).step(Event::Resume, NOW);
    assert!(actions.contains(&leave) && actions.contains(&exit));
    let well = Manifest {
        upload: None,
        ..on_disk
    };
    let actions = Machine::new(well, TIMEOUTS).step(Event::Resume, NOW);
    assert!(!actions.contains(&leave));
}

#[test]
fn the_limit_is_a_state_of_its_own() {
    let mut machine = active();
    let limit = CaptureSnapshot {
        state: CaptureState::Sealed,
        end_reason: Some(EndReason::MaxDuration),
        ..CaptureSnapshot::default()
    };
    machine.step(Event::Capture(limit), NOW);
    machine.step(finished(), NOW);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().state, RecordingState::LimitReached);
}

#[test]
fn a_render_is_restarted_with_growing_pauses_and_given_up_on_a_final_log() {
    let mut machine = sealed();
    let mut pauses = Vec::new();
    loop {
        let actions = machine.step(gone(Role::Render), NOW);
        let pause = actions.iter().find_map(|action| match action {
            Action::SetTimer(Timer::RenderRestart, pause) => Some(pause.as_secs()),
            _ => None,
        });
        let Some(pause) = pause else { break };
        pauses.push(pause);
        let actions = machine.step(Event::Timer(Timer::RenderRestart), NOW);
        assert_eq!(actions, [Action::SpawnRender { log_is_final: true }]);
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    assert_eq!(machine.manifest().restarts.render, 4);
    assert_eq!(machine.manifest().state, RecordingState::Failed);
    let actions = machine.step(gone(Role::Capture), NOW);
    assert_eq!(actions, [Action::Finish], "the log is kept");
}

#[test]
fn a_render_waits_for_room_on_the_disk_however_long_it_takes() {
    let mut machine = sealed();
    let full = || {
        Event::Render(RenderSnapshot {
            state: RenderState::Failed,
            failure: Some("no space left".into()),
            disk_full: true,
            ..RenderSnapshot::default()
        })
    };
    for _ in 0..50 {
        machine.step(full(), NOW);
        let actions = machine.step(gone(Role::Render), NOW);
        let waits = |action: &Action| matches!(action, Action::SetTimer(Timer::RenderRestart, _));
        assert!(actions.iter().any(waits), "{actions:?}");
        assert_eq!(machine.manifest().state, RecordingState::Ending);
        assert_eq!(machine.manifest().error.as_deref(), Some("no space left"));
        let actions = machine.step(Event::Timer(Timer::RenderRestart), NOW);
        assert_eq!(actions, [Action::SpawnRender { log_is_final: true }]);
    }
    let actions = machine.step(finished(), NOW);
    assert_eq!(saved(&actions).unwrap().error, None);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Complete);
    assert_eq!(machine.manifest().error, None);
}

#[test]
fn a_full_disk_is_told_until_the_render_gets_on() {
    let mut machine = active();
    machine.step(render(RenderState::Following, 30_000), NOW);
    let full = Event::Render(RenderSnapshot {
        state: RenderState::Failed,
        position_ms: 30_500,
        failure: Some("no space left".into()),
        disk_full: true,
        ..RenderSnapshot::default()
    });
    machine.step(full, NOW);
    machine.step(gone(Role::Render), NOW);
    machine.step(Event::Timer(Timer::RenderRestart), NOW);
    machine.step(render(RenderState::Following, 31_000), NOW);
    let manifest = machine.manifest().clone();
    assert_eq!(manifest.error.as_deref(), Some("no space left"));
    let mut next_server = Machine::new(manifest, TIMEOUTS);
    next_server.step(Event::Resume, NOW);
    next_server.step(render(RenderState::Following, 31_000), NOW);
    for machine in [&mut machine, &mut next_server] {
        let actions = machine.step(render(RenderState::Following, 41_000), NOW);
        assert_eq!(saved(&actions).unwrap().error, None);
    }
}

#[test]
fn a_render_that_gets_further_each_time_is_not_given_up() {
    let mut machine = sealed();
    for run in 1..50 {
        machine.step(render(RenderState::Finishing, run * 20_000), NOW);
        machine.step(gone(Role::Render), NOW);
        assert_eq!(machine.manifest().state, RecordingState::Ending);
        machine.step(Event::Timer(Timer::RenderRestart), NOW);
    }
}

#[test]
fn a_failing_render_never_ends_a_recording_that_runs() {
    let mut machine = active();
    for _ in 0..20 {
        machine.step(gone(Role::Render), NOW);
        machine.step(Event::Timer(Timer::RenderRestart), NOW);
        assert_eq!(machine.manifest().state, RecordingState::Active);
    }
    machine.step(gone(Role::Render), NOW);
    let actions = machine.step(capture(CaptureState::Sealed), NOW);
    assert!(
        actions.contains(&Action::SpawnRender { log_is_final: true }),
        "at once"
    );
    machine.step(finished(), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Uploading);
}

#[test]
fn a_taken_name_is_changed_and_an_unusable_file_made_anew() {
    let mut machine = uploading();
    let actions = machine.step(Event::NameTaken, NOW);
    let save = position(&actions, |action| matches!(action, Action::Save(_)));
    let upload = position(
        &actions,
        |action| matches!(action, Action::Upload(files) if files.last().unwrap().metadata.name.ends_with("-2.mp4")),
    );
    assert!(save < upload);

    machine.step(gone(Role::Render), NOW);
    assert_eq!(machine.manifest().further_files[0].suffix, "-2");
    machine.step(Event::OutputUnusable("gone".into()), NOW);
    assert!(machine.manifest().further_files.is_empty());
    assert_eq!(machine.manifest().state, RecordingState::Ending);
    let actions = machine.step(Event::Timer(Timer::RenderRestart), NOW);
    assert_eq!(actions, [Action::SpawnRender { log_is_final: true }]);
    machine.step(finished(), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Uploading);
}

#[test]
fn the_length_is_that_of_all_files_that_follow_one_another() {
    let mut machine = uploading();
    machine.step(gone(Role::Render), NOW);
    machine.step(Event::OutputUnusable("gone".into()), NOW);
    machine.step(Event::Timer(Timer::RenderRestart), NOW);
    let file = |suffix: &str, duration_ms| OutputFile {
        path: format!("/work/output{suffix}.wav").into(),
        suffix: suffix.into(),
        duration_ms,
        ..OutputFile::default()
    };
    let rendered = Event::Render(RenderSnapshot {
        state: RenderState::Finished,
        output: Some(file("", 67_000_000)),
        further_outputs: vec![
            file("-2", 19_400_000),
            file("-ada", 67_000_000),
            file("-ada-2", 19_400_000),
        ],
        ..RenderSnapshot::default()
    });
    let actions = machine.step(rendered, NOW);
    let told = actions.iter().find_map(|action| match action {
        Action::Upload(files) => Some(files.iter().map(|file| file.metadata.duration)),
        _ => None,
    });
    let told: Vec<f64> = told.unwrap().collect();
    assert_eq!(
        told,
        [19_400.0, 67_000.0, 19_400.0, 86_400.0],
        "the main one last"
    );
    assert_eq!(machine.manifest().rendered_ms(), Some(86_400_000));
}

#[test]
fn trouble_is_written_down_once_and_forgotten_at_the_end() {
    let mut machine = uploading();
    assert!(saved(&machine.step(Event::UploadTrouble(trouble(false)), NOW)).is_some());
    assert_eq!(machine.step(Event::UploadTrouble(trouble(false)), NOW), []);
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().error, None);
}

#[test]
fn a_blocked_upload_says_so_until_it_is_done() {
    let mut machine = uploading();
    let actions = machine.step(Event::UploadTrouble(trouble(true)), NOW);
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.upload, Some(trouble(true)));
    assert!(
        manifest
            .error
            .as_ref()
            .unwrap()
            .contains("blocked: the bucket")
    );
    machine.step(Event::Uploaded(Vec::new()), NOW);
    assert_eq!(machine.manifest().upload, None);
}

#[test]
fn all_files_go_together_and_the_main_one_last() {
    let mut machine = uploading();
    machine.manifest.further_files = vec![OutputFile {
        path: "/work/7.wav".into(),
        suffix: "-alice".into(),
        ..OutputFile::default()
    }];
    let actions = machine.step(Event::NameTaken, NOW);
    let files = actions
        .iter()
        .find_map(|action| match action {
            Action::Upload(files) => Some(files),
            _ => None,
        })
        .unwrap();
    let [further, main] = &files[..] else {
        panic!("{files:?}");
    };
    let (further, main) = (&further.metadata, &main.metadata);
    assert!(main.name.ends_with("-2.mp4"), "{}", main.name);
    assert!(
        further.name.ends_with("-2-alice.wav"),
        "{}: the names move together",
        further.name
    );
    assert_eq!(main.files, std::slice::from_ref(&further.name));
    assert_eq!(further.part_of.as_ref(), Some(&main.name));
    assert!(further.files.is_empty() && main.part_of.is_none());
}

#[test]
fn a_recording_that_is_deleted_on_its_way_is_aborted() {
    let mut machine = uploading();
    let actions = machine.step(Event::UploadCancelled, NOW);
    assert_eq!(saved(&actions).unwrap().state, RecordingState::Aborted);
    machine.step(gone(Role::Render), NOW);
    let actions = machine.step(gone(Role::Capture), NOW);
    assert_eq!(actions, [Action::Clear, Action::Finish]);
}

#[test]
fn a_first_manifest_that_cannot_be_written_starts_nothing() {
    let mut machine = machine(RecordingState::Starting);
    machine.step(Event::Begin, NOW);
    let actions = machine.step(Event::SaveFailed("disk full".into()), NOW);
    assert!(matches!(
        actions[..],
        [
            Action::AnswerStart(Err(StartError::Internal(_))),
            Action::Finish
        ]
    ));
}

#[test]
fn no_event_in_any_state_is_taken_badly() {
    let events = [
        Event::StopRequested,
        Event::ServerFinishes,
        Event::PauseRequested(true),
        Event::PauseRequested(false),
        Event::RoomFound("RM_x".into()),
        Event::RoomLost(RoomError::Timeout),
        Event::Refused {
            role: Role::Capture,
            command: Command::Pause,
            reason: "x".into(),
        },
        capture(CaptureState::Joining),
        capture(CaptureState::Recording),
        capture(CaptureState::Paused),
        capture(CaptureState::Sealed),
        capture_failed(FailureKind::Internal),
        render(RenderState::Unknown, 0),
        render(RenderState::Failed, 0),
        finished(),
        gone(Role::Capture),
        gone(Role::Render),
        Event::Uploaded(Vec::new()),
        Event::UploadTrouble(trouble(false)),
        Event::NameTaken,
        Event::UploadCancelled,
        Event::OutputUnusable("x".into()),
        Event::Timer(Timer::Start),
        Event::Timer(Timer::Seal),
        Event::Timer(Timer::Rejoin),
        Event::Timer(Timer::CaptureRestart),
        Event::Timer(Timer::SourceLost),
        Event::Timer(Timer::RoomOver),
        Event::Timer(Timer::Pause),
        Event::Timer(Timer::Note),
        Event::Timer(Timer::CaptureExit),
        Event::Timer(Timer::RenderExit),
        Event::Timer(Timer::RenderRestart),
    ];
    use RecordingState::*;
    for state in [
        Starting,
        Active,
        Paused,
        Interrupted,
        Ending,
        Uploading,
        Complete,
        LimitReached,
        Aborted,
        Failed,
    ] {
        for first in &events {
            for second in &events {
                let mut machine = machine(state);
                machine.step(Event::Resume, NOW);
                machine.step(first.clone(), NOW);
                machine.step(second.clone(), NOW);
                let after = machine.manifest().state;
                assert!(
                    !state.is_final() || after == state,
                    "{state:?} became {after:?} by {first:?}, {second:?}"
                );
                assert!(after != Starting || state == Starting);
            }
        }
    }
}
