//! The disk of the data folder runs full: nothing begins on it, what runs ends with all that it
//! captured, and what it captured is delivered once there is room.

use std::time::Duration;

use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::small_disk::SmallDisk;
use harness::tapedeck::Tapedeck;
use harness::wait;
use serde_json::json;

const MB: u64 = 1_000_000;
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn recordings_on_a_full_disk_end_and_are_delivered_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(64) else {
        return;
    };
    let mut tapedeck = Tapedeck::start_alone_in(
        &disk.path().join("data"),
        &[("TAPEDECK_DATA_MIN_FREE_MB", "8")],
    )
    .await;
    let rooms = ["first", "second"];
    let publishers = [
        whip::publish(&tapedeck, rooms[0], PublisherOptions::new(0)).await,
        whip::publish(&tapedeck, rooms[1], PublisherOptions::new(1)).await,
    ];
    let mut started = Vec::new();
    for room in rooms {
        started.push(tapedeck.start_recording(room).await);
    }
    tapedeck.wait_until(&started[1], 4.0).await;

    disk.fill(0);
    let full_at: Vec<f64> = started.iter().map(|it| tapedeck.position(it)).collect();
    let refused = tapedeck
        .post("/recordings/start", json!({ "roomName": "third" }))
        .await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    for told in ["0 MB are free", "8 MB are needed", "data.min_free_mb"] {
        assert!(refused.error_message().contains(told), "{}", refused.body);
    }
    assert_eq!(tapedeck.get("/readyz").await.status, 503);
    assert_eq!(tapedeck.get("/healthz").await.body["disk"], "low");
    // Longer than a render that fails is tried.
    tokio::time::sleep(Duration::from_secs(20)).await;

    disk.make_room();
    let mut ends = Vec::new();
    for recording in &started {
        ends.push(tapedeck.wait_for_end(&recording.id).await);
    }
    for (index, (recording, full_at)) in started.iter().zip(full_at).enumerate() {
        let (ended, publisher) = (&ends[index], &publishers[index]);
        assert_eq!(ended["state"], "complete", "{ended}");
        assert_eq!(ended["endReason"], "log_failed", "{ended}");
        let listed = tapedeck.listed(&recording.id).await.expect("it is listed");
        let found = Findings::of(&tapedeck.file(&listed.name), &grid(1));
        assert!(found.duration() > full_at - 0.5, "{}", found.duration());
        found.assert_heard(&publisher.options, 1.0, full_at - 0.5, 1);
        found.assert_seen(0, 1.0, full_at - 0.5, 1);
    }
    // And it goes on as if nothing had been, also for the next server.
    tapedeck.kill();
    tapedeck.run().await;
    let again = tapedeck.start_recording("first").await;
    tapedeck.wait_until(&again, 3.0).await;
    let stopped = tapedeck.stop_recording("first").await;
    assert!(stopped.duration > 2.0, "{stopped:?}");
    assert!(disk.free() > 8 * MB);

    // When it is full again, what is left of a delivered recording goes; what is not in the store
    // stays.
    let leftover = |id: &str| tapedeck.work(id).join("leftover");
    let (delivered, missing) = (leftover(&again.id), leftover(&started[0].id));
    wait::until("its folder is emptied", SOON, || async {
        let entries = std::fs::read_dir(tapedeck.work(&again.id)).ok()?;
        (entries.count() == 1).then_some(())
    })
    .await;
    let name = tapedeck.listed(&started[0].id).await.expect("listed").name;
    std::fs::rename(tapedeck.file(&name), disk.path().join("elsewhere")).expect("it is moved");
    for path in [&delivered, &missing] {
        std::fs::write(path, [7; 100_000]).expect("there is room");
    }
    disk.fill(4 * MB);
    wait::until("the leftover has gone", SOON, || async {
        (!delivered.exists()).then_some(())
    })
    .await;
    assert!(missing.exists(), "nobody knows where its file is");
    assert!(
        tapedeck
            .log()
            .contains("emptied its work folder to make room")
    );
    disk.make_room();
    tapedeck.assert_nothing_left().await;
}
