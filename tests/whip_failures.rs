//! Publishers, the rooms process and the server die while a room of ours is recorded.

use std::time::Duration;

use harness::capture_log::Missing;
use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use harness::wait;

#[tokio::test]
async fn lost_publishers_leave_and_an_empty_room_ends_its_recording() {
    let tapedeck = Tapedeck::start_alone(&[
        ("TAPEDECK_ROOMS_PUBLISHER_TIMEOUT_S", "4"),
        ("TAPEDECK_RECORDING_EMPTY_ROOM_TIMEOUT_S", "3"),
    ])
    .await;
    let vanishes = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let leaves = whip::publish(&tapedeck, "studio", PublisherOptions::new(1)).await;
    let options = vanishes.options.clone();
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    let resource = vanishes.resource.clone();
    vanishes.vanish().await;
    let died = tapedeck.position(&started);
    wait::until("its leaving", Duration::from_secs(30), || async {
        let rooms = tapedeck.get("/v1/rooms").await.body;
        let participants = rooms["rooms"][0]["participants"].as_array()?.len();
        (participants == 1).then_some(())
    })
    .await;
    let noticed = tapedeck.position(&started);
    println!("noticed after {:.1} s", noticed - died);
    assert!(noticed - died > 3.0, "it was given no time");
    let token = whip::endpoint(&tapedeck, "studio", "publisher-0", "Publisher 0").token;
    let path = resource.url.path();
    let delete = tapedeck
        .request(reqwest::Method::DELETE, path)
        .bearer_auth(token);
    assert_eq!(tapedeck.send(delete).await.status, 404);
    tapedeck.wait_until(&started, noticed + 3.0).await;
    let other = leaves.options.clone();
    leaves.leave().await;
    let empty = tapedeck.position(&started);

    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    assert_eq!(ended["endReason"], "room_empty", "{ended}");
    let listed = tapedeck.listed(&started.id).await.expect("it is listed");
    let places = [grid(1), grid(2)].concat();
    let found = Findings::of(&tapedeck.file(&listed.name), &places);
    assert!((found.duration() - empty - 3.0).abs() < 1.5);
    found.assert_heard(&options, 1.0, died, 1);
    found.assert_seen(2, 1.0, died, 1);
    found.assert_heard(&other, 1.0, empty, 1);
    found.assert_seen(0, noticed + 1.5, empty, 1);
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn killed_server_costs_publishers_and_recording_nothing() {
    let mut tapedeck = Tapedeck::start_alone(&[]).await;
    let first = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let second = whip::publish(&tapedeck, "studio", PublisherOptions::new(1)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 3.0).await;
    let rooms = tapedeck.children("rooms");
    assert_eq!(rooms.len(), 1, "one process holds all publishers");
    tapedeck.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    tapedeck.run().await;
    // The publishers of before, and new ones, are all in one room.
    let third = whip::publish(&tapedeck, "studio", PublisherOptions::new(2)).await;
    let joined = tapedeck.position(&started);
    assert_eq!(tapedeck.children("rooms"), rooms, "it was found again");
    tapedeck.wait_until(&started, joined + 5.0).await;
    assert!(first.is_alive() && second.is_alive());
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);

    let places = [grid(2), grid(3)].concat();
    let found = Findings::of(&tapedeck.file(&stopped.name), &places);
    for (place, publisher) in [&first, &second].into_iter().enumerate() {
        found.assert_seen(place, 1.0, joined, 1);
        found.assert_heard(&publisher.options, 1.0, end, 1);
        found.assert_seen(2 + place, joined + 1.5, end, 1);
    }
    found.assert_heard(&third.options, joined + 1.5, end, 1);
    let lost = Missing::of(&tapedeck.kept_log(&started.id));
    assert!(lost.is_empty(), "{lost:?}");
    // Who left a server that was restarted in between is gone for good.
    first.leave().await;
    drop((second, third));
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn killed_rooms_process_costs_a_gap_and_publishers_come_back() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let mut publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 4.0).await;
    let killed = tapedeck.children("rooms");
    for pid in &killed {
        // SAFETY: a plain system call; the process belongs to this test's server.
        unsafe {
            libc::kill(*pid, libc::SIGKILL);
        }
    }
    let died = tapedeck.position(&started);
    tapedeck.wait_until(&started, died + 2.0).await;
    publisher.post_again().await.expect("it publishes again");
    let back = tapedeck.position(&started);
    assert_ne!(tapedeck.children("rooms"), killed);
    tapedeck.wait_until(&started, back + 6.0).await;
    let end = tapedeck.position(&started);
    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(stopped.id, started.id);

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    assert!(
        (found.duration() - end).abs() < 0.5,
        "gaps keep their length"
    );
    found.assert_heard(&publisher.options, 1.0, died, 1);
    found.assert_seen(0, 1.0, died, 1);
    found.assert_heard(&publisher.options, back + 1.5, end, 1);
    found.assert_seen(0, back + 1.5, end, 1);
    let told = Missing::of(&tapedeck.kept_log(&started.id));
    assert!(!told.is_empty(), "no gap is told");
    println!("{told:?}");
}
