//! Starts during which capture dies.

use super::*;
use crate::session::machine::start::MOST_STARTS;

fn starting() -> Machine {
    let mut machine = machine(RecordingState::Starting);
    machine.step(Event::Begin, NOW);
    machine
}

fn failed_start(actions: &[Action]) -> &StartError {
    let answer = actions.iter().find_map(|action| match action {
        Action::AnswerStart(Err(error)) => Some(error),
        _ => None,
    });
    answer.unwrap_or_else(|| panic!("no answer in {actions:?}"))
}

#[test]
fn a_capture_that_dies_before_it_is_in_the_room_is_tried_again() {
    let mut machine = starting();
    let actions = machine.step(gone(Role::Capture), NOW);
    assert_eq!(actions, [Action::FindRoom], "nothing is answered yet");
    let actions = machine.step(Event::RoomFound("RM_x".into()), NOW);
    assert_eq!(actions, [Action::SpawnCapture]);
    let actions = machine.step(capture(CaptureState::Recording), NOW);
    assert!(actions.contains(&Action::AnswerStart(Ok(()))));
    assert!(actions.contains(&Action::CancelTimer(Timer::Start)));
    let manifest = saved(&actions).unwrap();
    assert_eq!(manifest.state, RecordingState::Active);
    assert_eq!(manifest.restarts.capture, 1);
    assert_eq!(manifest.gaps, [], "nothing was missed: it had not begun");
}

#[test]
fn a_start_whose_captures_all_die_is_given_up_with_the_reason() {
    let mut machine = starting();
    for _ in 1..MOST_STARTS {
        machine.step(gone(Role::Capture), NOW);
        machine.step(Event::Timer(Timer::CaptureRestart), NOW);
        machine.step(Event::RoomFound("RM_x".into()), NOW);
        assert_eq!(machine.manifest().state, RecordingState::Starting);
    }
    let actions = machine.step(gone(Role::Capture), NOW);
    let error = failed_start(&actions).to_string();
    assert!(error.contains("signal: 9"), "{error}");
    assert_eq!(
        actions[actions.len() - 2..],
        [Action::Clear, Action::Finish]
    );
}

#[test]
fn a_start_that_takes_too_long_tells_what_died() {
    let mut machine = starting();
    machine.step(gone(Role::Capture), NOW);
    machine.step(Event::RoomFound("RM_x".into()), NOW);
    let actions = machine.step(Event::Timer(Timer::Start), NOW);
    assert!(actions.contains(&Action::Kill(Role::Capture)));
    let error = failed_start(&actions).to_string();
    assert!(error.contains("signal: 9"), "{error}");
    // Nothing is left to wait for when it was waiting for the room.
    let mut machine = starting();
    machine.step(gone(Role::Capture), NOW);
    let actions = machine.step(Event::Timer(Timer::Start), NOW);
    assert_eq!(actions.last(), Some(&Action::Finish));
    assert_eq!(machine.step(Event::RoomFound("RM_x".into()), NOW), []);
}

#[test]
fn a_room_that_is_gone_meanwhile_is_the_reason() {
    let mut machine = starting();
    machine.step(gone(Role::Capture), NOW);
    let unknown = RoomError::Unknown("room".into());
    let actions = machine.step(Event::RoomLost(unknown.clone()), NOW);
    assert_eq!(*failed_start(&actions), StartError::Room(unknown));
    assert_eq!(actions.last(), Some(&Action::Finish));
}

#[test]
fn a_stop_ends_a_start_that_is_tried_again() {
    let mut machine = starting();
    machine.step(gone(Role::Capture), NOW);
    let actions = machine.step(Event::StopRequested, NOW);
    assert_eq!(*failed_start(&actions), StartError::Stopped);
    assert_eq!(machine.manifest().state, RecordingState::Aborted);
}

#[test]
fn what_an_earlier_server_began_is_gone_on_with_if_its_client_can_ask_for_it() {
    let resumed = |key: Option<&str>| {
        let mut machine = machine(RecordingState::Starting);
        machine.manifest.idempotency_key = key.map(str::to_owned);
        machine.step(Event::Resume, NOW);
        machine.step(gone(Role::Capture), NOW);
        machine.manifest().state
    };
    assert_eq!(resumed(Some("key")), RecordingState::Starting);
    assert_eq!(resumed(None), RecordingState::Failed);
}
