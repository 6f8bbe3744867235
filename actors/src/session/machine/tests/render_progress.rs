use super::*;

fn behind(position_ms: u64, lag_ms: u64, bytes: u64) -> Event {
    Event::Render(RenderSnapshot {
        state: RenderState::Following,
        position_ms,
        lag_ms,
        bytes,
        ..RenderSnapshot::default()
    })
}

fn captured(duration_ms: u64) -> Event {
    Event::Capture(CaptureSnapshot {
        state: CaptureState::Recording,
        duration_ms,
        ..CaptureSnapshot::default()
    })
}

fn patience(actions: &[Action]) -> Option<u64> {
    actions.iter().find_map(|action| match action {
        Action::SetTimer(Timer::RenderStalled, patience) => Some(patience.as_secs()),
        _ => None,
    })
}

const CANCEL: Action = Action::CancelTimer(Timer::RenderStalled);

#[test]
fn a_render_that_hangs_although_it_says_that_it_is_well_is_started_again() {
    let mut machine = active();
    machine.step(captured(90_000), NOW);
    assert_eq!(
        patience(&machine.step(behind(20_000, 5, 7), NOW)),
        Some(300)
    );
    assert_eq!(machine.step(behind(20_000, 6, 7), NOW), [], "no progress");
    assert_eq!(
        patience(&machine.step(behind(20_000, 5, 8), NOW)),
        Some(300)
    );
    let actions = machine.step(Event::Timer(Timer::RenderStalled), NOW);
    assert_eq!(actions, [Action::Kill(Role::Render)]);
    let actions = machine.step(gone(Role::Render), NOW);
    let restart = |action: &Action| matches!(action, Action::SetTimer(Timer::RenderRestart, _));
    position(&actions, restart);
    let restarts = &machine.manifest().restarts;
    let last = restarts.last.as_ref().expect("a restart");
    assert!(last.reason.contains("nothing done"), "{}", last.reason);
}

#[test]
fn a_render_without_work_is_left_in_peace() {
    let mut machine = active();
    machine.step(captured(30_000), NOW);
    assert_eq!(machine.step(behind(20_000, 5, 7), NOW), []);
    machine.step(captured(90_000), NOW);
    assert!(patience(&machine.step(behind(20_000, 5, 7), NOW)).is_some());
    assert_eq!(machine.step(behind(85_000, 5, 7), NOW), [CANCEL]);
    assert_eq!(machine.step(behind(85_000, 5, 7), NOW), []);
}

#[test]
fn the_end_of_a_file_may_take_longer_than_its_middle() {
    let mut machine = sealed();
    assert_eq!(
        patience(&machine.step(behind(20_000, 5, 7), NOW)),
        Some(300)
    );
    assert_eq!(
        patience(&machine.step(behind(21_000, 0, 7), NOW)),
        Some(3_600)
    );
    let actions = machine.step(gone(Role::Render), NOW);
    assert!(actions.contains(&CANCEL), "{actions:?}");
}

#[test]
fn a_render_that_reads_its_way_to_where_it_goes_on_is_no_hanging_one() {
    let mut machine = sealed();
    let reads = |read_ms| {
        let Event::Render(snapshot) = behind(7_200_000, 1_000, 7) else {
            unreachable!()
        };
        Event::Render(RenderSnapshot {
            read_ms,
            ..snapshot
        })
    };
    assert_eq!(patience(&machine.step(reads(60_000), NOW)), Some(300));
    assert_eq!(patience(&machine.step(reads(90_000), NOW)), Some(300));
    assert_eq!(machine.step(reads(90_000), NOW), [], "it has stopped");
}

#[test]
fn what_the_file_jumps_over_is_no_work() {
    let mut machine = active();
    machine.step(captured(900_000), NOW);
    let Event::Render(current) = behind(300_000, 5, 7) else {
        unreachable!()
    };
    let current = RenderSnapshot {
        left_out_ms: 598_000,
        ..current
    };
    assert_eq!(machine.step(Event::Render(current), NOW), []);
}
