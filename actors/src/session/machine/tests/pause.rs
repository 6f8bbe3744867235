//! Pauses on request.

use tapedeck_pipelines::control::Pause;

use super::*;
use crate::PauseError;

fn answers(actions: &[Action]) -> Vec<(bool, Result<(), PauseError>)> {
    let answer = |action: &Action| match action {
        Action::AnswerPause { pause, answer } => Some((*pause, answer.clone())),
        _ => None,
    };
    actions.iter().filter_map(answer).collect()
}

fn told(actions: &[Action], command: Command) -> bool {
    actions.contains(&Action::Tell(Role::Capture, command))
}

fn paused() -> Machine {
    let mut machine = active();
    machine.step(Event::PauseRequested(true), NOW);
    machine.step(capture(CaptureState::Paused), NOW);
    machine
}

#[test]
fn a_pause_is_answered_when_capture_paused_and_the_manifest_says_so() {
    let mut machine = active();
    let actions = machine.step(Event::PauseRequested(true), NOW);
    assert!(told(&actions, Command::Pause));
    assert_eq!(answers(&actions), []);
    assert_eq!(machine.step(capture(CaptureState::Recording), NOW), []);

    let Event::Capture(mut snapshot) = capture(CaptureState::Paused) else {
        unreachable!()
    };
    snapshot.pauses = vec![Pause {
        at_ms: 7,
        from: NOW,
        to: None,
    }];
    let actions = machine.step(Event::Capture(snapshot.clone()), NOW);
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.state, RecordingState::Paused);
    assert_eq!(manifest.pauses, snapshot.pauses);
    let save = position(&actions, |action| matches!(action, Action::Save(_)));
    let answer = position(&actions, |action| {
        matches!(action, Action::AnswerPause { .. })
    });
    assert!(save < answer);
    assert_eq!(answers(&actions), [(true, Ok(()))]);
}

#[test]
fn what_is_so_already_is_answered_at_once() {
    let mut machine = paused();
    let actions = machine.step(Event::PauseRequested(true), NOW);
    assert_eq!(answers(&actions), [(true, Ok(()))]);
    assert!(!told(&actions, Command::Pause));
    let actions = active().step(Event::PauseRequested(false), NOW);
    assert_eq!(answers(&actions), [(false, Ok(()))]);

    let mut machine = sealed();
    let actions = machine.step(Event::PauseRequested(true), NOW);
    assert_eq!(answers(&actions), [(true, Err(PauseError::NotRecording))]);
}

#[test]
fn a_paused_recording_goes_on_or_is_stopped() {
    let mut machine = paused();
    let actions = machine.step(Event::PauseRequested(false), NOW);
    assert!(told(&actions, Command::Resume));
    let actions = machine.step(capture(CaptureState::Recording), NOW);
    assert_eq!(answers(&actions), [(false, Ok(()))]);
    assert_eq!(saved(&actions).unwrap().state, RecordingState::Active);

    let mut machine = paused();
    machine.step(Event::StopRequested, NOW);
    assert_eq!(machine.manifest().state, RecordingState::Ending);
    machine.step(capture(CaptureState::Sealed), NOW);
    assert!(!machine.manifest().is_live());
}

#[test]
fn a_pause_survives_the_loss_of_capture() {
    let mut machine = paused();
    machine.step(gone(Role::Capture), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Interrupted);
    machine.step(Event::RoomFound("RM_seen".into()), NOW);
    // The next capture reads in the log that it is paused.
    machine.step(capture(CaptureState::Paused), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Paused);
}

#[test]
fn a_pause_that_is_asked_for_while_capture_is_lost_is_done_by_the_next() {
    let mut machine = active();
    machine.step(gone(Role::Capture), NOW);
    machine.step(Event::PauseRequested(true), NOW);
    let actions = machine.step(Event::Timer(Timer::Pause), NOW);
    assert_eq!(answers(&actions), [(true, Err(PauseError::Pending))]);
    machine.step(Event::RoomFound("RM_seen".into()), NOW);
    let actions = machine.step(capture(CaptureState::Recording), NOW);
    assert!(told(&actions, Command::Pause));
    machine.step(capture(CaptureState::Paused), NOW);
    assert_eq!(machine.manifest().state, RecordingState::Paused);
}

#[test]
fn a_pause_that_is_asked_for_while_capture_is_lost_outlives_the_server() {
    let mut machine = active();
    machine.step(gone(Role::Capture), NOW);
    let actions = machine.step(Event::PauseRequested(true), NOW);
    let on_disk = saved(&actions).expect("it is written down").clone();
    let mut machine = Machine::new(on_disk, TIMEOUTS);
    machine.step(Event::Resume, NOW);
    machine.step(gone(Role::Capture), NOW);
    machine.step(Event::RoomFound("RM_seen".into()), NOW);
    let actions = machine.step(capture(CaptureState::Recording), NOW);
    assert!(told(&actions, Command::Pause));

    // This server ends as well, before capture has paused.
    let on_disk = saved(&actions).unwrap().clone();
    let mut machine = Machine::new(on_disk, TIMEOUTS);
    let actions = machine.step(Event::Resume, NOW);
    assert!(told(&actions, Command::Pause));
    let actions = machine.step(capture(CaptureState::Paused), NOW);
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.state, RecordingState::Paused);
    assert_eq!(manifest.wanted_pause, None);
}

#[test]
fn a_capture_that_knows_no_pauses_says_so() {
    let mut machine = active();
    machine.step(Event::PauseRequested(true), NOW);
    let refused = Event::Refused {
        role: Role::Capture,
        command: Command::Pause,
        reason: "unknown command".into(),
    };
    let actions = machine.step(refused, NOW);
    let error = PauseError::Refused("unknown command".into());
    assert_eq!(answers(&actions), [(true, Err(error))]);
    assert_eq!(machine.manifest().state, RecordingState::Active);
}

#[test]
fn the_last_request_counts() {
    let mut machine = active();
    machine.step(Event::PauseRequested(true), NOW);
    let actions = machine.step(Event::PauseRequested(false), NOW);
    assert_eq!(answers(&actions), [(true, Err(PauseError::Overtaken))]);
    assert!(told(&actions, Command::Resume));
    let actions = machine.step(Event::StopRequested, NOW);
    assert_eq!(answers(&actions), [(false, Err(PauseError::NotRecording))]);
}
