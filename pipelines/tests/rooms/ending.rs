//! How the process ends.

use super::*;

#[tokio::test]
async fn it_says_good_bye_when_it_is_told_to_end() {
    let mut rooms = Rooms::start(settings()).await;
    let (mut publisher, _) = rooms.publish(ROOM, "ana").await;
    rooms.control.command(Command::Leave, SOON).await.unwrap();
    publisher.closed().await;
    assert!(rooms.process.ended().await);
    assert!(!rooms.process.media_socket().exists());
}

#[tokio::test]
async fn a_signal_ends_it_too() {
    let mut rooms = Rooms::start(settings()).await;
    let (mut publisher, _) = rooms.publish(ROOM, "ana").await;
    let pid = rustix::process::Pid::from_raw(rooms.process.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    publisher.closed().await;
    assert!(rooms.process.ended().await);
}

#[tokio::test]
async fn it_stays_for_a_recording_when_the_server_is_gone() {
    let rooms = Rooms::start_with(settings(), 1_000).await;
    let (_publisher, _) = rooms.publish(ROOM, "ana").await;
    let (mut source, _) = rooms.record(ROOM).await;
    let camera = camera(&mut source).await;
    let mut process = rooms.without_server();
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        frame(&mut source, &camera.id, |_| true).await;
    }
    assert!(process.is_running());
    source.leave();
    assert!(process.ended().await);
}
