//! What is limited, and what strangers send.

use super::*;

#[tokio::test]
async fn publishers_are_limited() {
    let rooms = Rooms::start(RoomsSettings {
        max_publishers: 2,
        ..settings()
    })
    .await;
    let (_ana, _) = rooms.publish(ROOM, "ana").await;
    let (_ben, ben) = rooms.publish("another", "ben").await;
    let (_publisher, offer) = Publisher::new().await;
    let full = rooms.post(ROOM, "eve", WhipMedia::Camera, &offer).await;
    let (reason, message) = full.unwrap_err();
    assert_eq!(reason, WhipRefusal::Full);
    assert!(message.contains("rooms.max_publishers"), "{message}");
    // Who comes back takes no further place.
    let (_again, _) = rooms.publish(ROOM, "ana").await;
    rooms.delete(&ben).await;
    rooms
        .post(ROOM, "eve", WhipMedia::Camera, &offer)
        .await
        .unwrap();
}

#[tokio::test]
async fn ports_that_are_taken_are_named_and_tried_again() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let rooms = Rooms::start(RoomsSettings {
        udp_ports: Some((port, port)),
        tcp_ports: None,
        ..settings()
    })
    .await;
    let (_publisher, offer) = Publisher::new().await;
    let refused = rooms.post(ROOM, "ana", WhipMedia::Camera, &offer).await;
    let (reason, message) = refused.unwrap_err();
    assert_eq!(reason, WhipRefusal::NoPort);
    assert!(
        message.contains("rooms.udp_ports") && message.contains(&port.to_string()),
        "{message}"
    );
    drop(taken);
    rooms
        .post(ROOM, "ana", WhipMedia::Camera, &offer)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_strangers_send_is_refused_and_disturbs_nobody() {
    let mut rooms = Rooms::start(settings()).await;
    let (_publisher, _) = rooms.publish(ROOM, "ana").await;
    let (mut source, _) = rooms.record(ROOM).await;
    let camera = camera(&mut source).await;
    let (_other, offer) = Publisher::new().await;
    let broken = [
        String::new(),
        "v=0".to_owned(),
        "{}".to_owned(),
        "\u{0}\u{1}".to_owned(),
        offer.replace("a=fingerprint", "a=f"),
        offer.replace("a=mid:", "a=m:"),
        offer.replace("opus", "g729"),
        offer.replace("m=audio", "m=fax"),
        offer.replace("a=sendonly", "a=recvonly"),
        "x".repeat(100_000),
        format!("{offer}{}", "a=x:y\r\n".repeat(5_000)),
        offer.replace("sha-256 ", "sha-256 zz:"),
        offer.replace("96", "300"),
    ];
    for offer in broken {
        let (reason, message) = rooms
            .refused(publish(ROOM, "eve", WhipMedia::Camera, &offer))
            .await;
        assert!(
            matches!(reason, WhipRefusal::Malformed | WhipRefusal::NotAcceptable),
            "{reason:?} {message}"
        );
        assert!(!message.is_empty() && message.len() < 1_000, "{message}");
    }
    let port = rooms.now().await.udp[0].clone();
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in 0..200 {
        stranger
            .send_to(&vec![length as u8; length * 5], &port)
            .await
            .unwrap();
    }
    frame(&mut source, &camera.id, |_| true).await;
    let snapshot = rooms.now().await;
    assert_eq!(room(&snapshot, ROOM).unwrap().participants.len(), 1);
    assert!(!rooms.log().contains("panicked"), "{}", rooms.log());
}

#[tokio::test]
async fn sessions_that_ended_leave_nothing_behind() {
    let mut rooms = Rooms::start(settings()).await;
    let (_publisher, offer) = Publisher::new().await;
    let files = |rooms: &Rooms| {
        std::fs::read_dir(format!("/proc/{}/fd", rooms.process.id()))
            .unwrap()
            .count()
    };
    let mut before = 0;
    for round in 0..60 {
        let identity = format!("publisher {round}");
        let posted = rooms.post(ROOM, &identity, WhipMedia::Camera, &offer).await;
        let (session, _) = posted.unwrap();
        assert_eq!(rooms.delete(&session).await, WhipAnswer::Deleted);
        if round == 0 {
            before = files(&rooms);
        }
    }
    assert_eq!(rooms.now().await.rooms, []);
    assert!(
        files(&rooms) <= before,
        "{} files, {before} before",
        files(&rooms)
    );
}
