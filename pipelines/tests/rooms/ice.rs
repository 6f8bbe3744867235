//! ICE restarts and candidates that come later.

use super::*;

/// The lines of a description that belong into a fragment.
fn fragment_of(offer: &str) -> String {
    const ICE: [&str; 6] = [
        "a=ice-",
        "a=candidate:",
        "m=audio",
        "a=mid:0",
        "a=group",
        "a=end",
    ];
    offer
        .lines()
        .filter(|line| ICE.iter().any(|kept| line.starts_with(kept)))
        .map(|line| format!("{line}\r\n"))
        .collect()
}

/// The answer with the credentials of a fragment.
fn restarted_answer(answer: &str, fragment: &str) -> String {
    let value = |name: &str| {
        let mut lines = fragment.lines();
        lines
            .find(|line| line.starts_with(name))
            .expect("credentials")
            .to_owned()
    };
    let line = |line: &str| match line {
        line if line.starts_with("a=ice-ufrag:") => value("a=ice-ufrag:"),
        line if line.starts_with("a=ice-pwd:") => value("a=ice-pwd:"),
        line => line.to_owned(),
    };
    answer.lines().map(|text| line(text) + "\r\n").collect()
}

#[tokio::test]
async fn ice_is_restarted_and_media_goes_on() {
    let rooms = Rooms::start(settings()).await;
    let (mut publisher, offer) = Publisher::new().await;
    let (session, answer) = rooms
        .post(ROOM, "ana", WhipMedia::Camera, &offer)
        .await
        .unwrap();
    publisher.accept(&answer).await;
    publisher.connected().await;
    let (mut source, _) = rooms.record(ROOM).await;
    let camera = camera(&mut source).await;
    frame(&mut source, &camera.id, |_| true).await;

    publisher.change_network().await;
    let fragment = fragment_of(&publisher.restart_ice().await);
    let restarted = rooms.patch(&session, Some("\"*\""), &fragment).await;
    let WhipAnswer::Restarted {
        entity_tag,
        fragment,
    } = restarted
    else {
        panic!("{restarted:?}");
    };
    assert_ne!(entity_tag, session.entity_tag);
    assert!(fragment.contains("a=candidate:"), "{fragment}");
    publisher
        .accept(&restarted_answer(&answer, &fragment))
        .await;
    let last = frame(&mut source, &camera.id, |_| true).await.rtp;
    frame(&mut source, &camera.id, |frame| {
        frame.rtp.wrapping_sub(last) > 90_000
    })
    .await;

    let candidate = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";
    let stale = rooms
        .patch(&session, Some(&session.entity_tag), candidate)
        .await;
    assert!(
        matches!(
            stale,
            WhipAnswer::Refused {
                reason: WhipRefusal::EntityTagMismatch,
                ..
            }
        ),
        "{stale:?}"
    );
    let trickled = rooms.patch(&session, Some(&entity_tag), candidate).await;
    assert_eq!(trickled, WhipAnswer::Trickled);
    let untagged = rooms.patch(&session, None, candidate).await;
    assert!(
        matches!(
            untagged,
            WhipAnswer::Refused {
                reason: WhipRefusal::EntityTagMissing,
                ..
            }
        ),
        "{untagged:?}"
    );
}

#[tokio::test]
async fn a_refused_restart_leaves_the_session_as_it_is() {
    let rooms = Rooms::start(settings()).await;
    let (_publisher, session) = rooms.publish(ROOM, "ana").await;
    let (mut source, _) = rooms.record(ROOM).await;
    let camera = camera(&mut source).await;
    for fragment in [
        "not a fragment",
        "a=ice-ufrag:abcd\r\n",
        "a=ice-ufrag:ab\r\na=ice-pwd:short\r\n",
    ] {
        let answer = rooms.patch(&session, Some("*"), fragment).await;
        assert!(
            matches!(
                answer,
                WhipAnswer::Refused {
                    reason: WhipRefusal::Malformed,
                    ..
                }
            ),
            "{answer:?}"
        );
    }
    frame(&mut source, &camera.id, |_| true).await;
    let candidate = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";
    let trickled = rooms
        .patch(&session, Some(&session.entity_tag), candidate)
        .await;
    assert_eq!(trickled, WhipAnswer::Trickled);
}
