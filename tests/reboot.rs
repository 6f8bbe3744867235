//! The machine goes down in mid recording, and comes up again: what was captured is there, the
//! recording goes on where its room does, and is completed where it does not.

use std::fs::File;
use std::io::Write as _;

use harness::findings::{Findings, grid};
use harness::livekit::Livekit;
use harness::publisher::{Publisher, PublisherOptions};
use harness::tapedeck::{Recording, Tapedeck};

/// Ends all processes at once and starts the server as on a machine that was started anew, with
/// half a record at the end of each log. How far the recordings were.
async fn reboot(tapedeck: &mut Tapedeck, recordings: &[&Recording]) -> f64 {
    let down = tapedeck.position(recordings[0]);
    tapedeck.kill_everything();
    for recording in recordings {
        let segment = tapedeck.work(&recording.id).join("log/000001.tdl");
        let mut log = File::options().append(true).open(segment).expect("a log");
        log.write_all(&[7; 30]).expect("it is written");
    }
    tapedeck.set_variable("TEST_BOOT_ID", "00000000-0000-4000-8000-00000000b007");
    down
}

#[tokio::test]
async fn recordings_outlive_a_reboot_of_the_machine() {
    let livekit = Livekit::start().await;
    let limit = ("TAPEDECK_RECORDING_SOURCE_LOST_TIMEOUT_S", "5");
    let mut tapedeck = Tapedeck::start_with(&livekit.ws_url(), &[limit]).await;
    let stays = Publisher::join(&livekit, "stays", PublisherOptions::new(0)).await;
    let goes = Publisher::join(&livekit, "goes", PublisherOptions::new(1)).await;
    let staying = tapedeck.start_recording("stays").await;
    let going = tapedeck.start_recording("goes").await;
    tapedeck.wait_until(&going, 4.0).await;
    let down = reboot(&mut tapedeck, &[&staying, &going]).await;
    livekit.delete_room("goes").await;
    tapedeck.run().await;

    // Where the room is, it goes on in the same log, and tells by the wall clock how long nobody
    // wrote.
    tapedeck.wait_for_restarts(&staying.id, 1, "active").await;
    let back = tapedeck.position(&staying);
    tapedeck.wait_until(&staying, back + 5.0).await;
    let end = tapedeck.position(&staying);
    let stopped = tapedeck.stop_recording("stays").await;
    assert_eq!(stopped.id, staying.id);
    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!((found.duration() - end).abs() < 0.7, "{}", found.duration());
    let told = tapedeck.told(&staying.id).await;
    let gap = &told["gaps"][0];
    assert_eq!(gap["reason"], "capture_restarted", "{told}");
    let (from, to) = (gap["from"].as_f64().unwrap(), gap["to"].as_f64().unwrap());
    assert!((down - 1.5..down + 1.0).contains(&from), "{from} of {down}");
    assert!((down..back + 1.0).contains(&to), "{to} of {back}");
    found.assert_seen(0, 1.5, from, 1);
    found.assert_heard(&stays.options, 1.0, from, 1);
    found.assert_seen(0, to + 1.5, end - 0.5, 1);
    found.assert_heard(&stays.options, to + 1.0, end - 0.5, 1);
    found.assert_in_sync(0, &stays.options, to + 1.5);

    // Where it is not, the file holds what there was.
    let ended = tapedeck.wait_for_end(&going.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["endReason"], "room_ended", "{ended}");
    let found = Findings::of(&tapedeck.file(&going.name), &grid(1));
    assert!(
        (found.duration() - down).abs() < 2.0,
        "{}",
        found.duration()
    );
    found.assert_heard(&goes.options, 1.0, found.duration() - 0.5, 1);
    drop((stays, goes));
    tapedeck.assert_nothing_left().await;
}
