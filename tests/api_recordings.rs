//! Starting, stopping, listing, streaming and deleting, as far as no publisher is needed: the
//! rooms are empty, which makes valid recordings too.

use std::time::Duration;

use harness::livekit::Livekit;
use harness::tapedeck::Tapedeck;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn of_two_starts_at_once_exactly_one_wins() {
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let body = json!({ "roomName": "studio" });
    let starts = (0..4).map(|_| tapedeck.post("/recordings/start", body.clone()));
    let replies = futures_util::future::join_all(starts).await;
    let mut winners = replies.iter().filter(|reply| reply.status == 200);
    let winner = winners.next().expect("one start wins").recording();
    assert!(winners.next().is_none(), "{replies:?}");
    for loser in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(loser.status, 409, "{}", loser.body);
        assert_eq!(
            loser.error_message(),
            "Recording already started for this room"
        );
        assert!(
            loser.body.to_string().contains(&winner.id),
            "{}",
            loser.body
        );
    }

    // Stops at once, and the stop after them, tell the same end.
    let stops = (0..2).map(|_| tapedeck.post("/recordings/stop", body.clone()));
    let stopped = futures_util::future::join_all(stops).await;
    assert_eq!(stopped[0].recording(), stopped[1].recording());
    assert_eq!(stopped[0].body["message"], "Recording stopped");
    tapedeck.wait_for_end(&winner.id).await;
    let late = tapedeck.post("/recordings/stop", body).await;
    assert_eq!(
        (late.status, late.error_message()),
        (409, "Recording not started for this room")
    );
    tapedeck.assert_nothing_left().await;
}

#[tokio::test]
async fn empty_room_is_recorded_from_start_to_delete() {
    let livekit = Livekit::start().await;
    let room = livekit.create_room("studio").await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let metadata = json!({ "course": "참가자", "n": [1, 2] });
    let started = tapedeck
        .post(
            "/recordings/start",
            json!({ "roomName": "studio", "width": 640, "height": 360, "metadata": metadata }),
        )
        .await;
    assert_eq!(started.body["message"], "Recording started");
    let recording = started.recording();
    assert_eq!(
        (recording.room_name.as_str(), &recording.room_id),
        ("studio", &room.sid)
    );
    assert!(
        recording.id.starts_with("EG_") && recording.id.len() == 15,
        "{}",
        recording.id
    );
    assert!(recording.name.starts_with("studio-"), "{}", recording.name);
    assert!(
        recording.name.ends_with(&format!("-{}.mp4", room.sid)),
        "{}",
        recording.name
    );
    livekit.wait_for_recording_flag("studio", true).await;

    let status = tapedeck.get(&format!("/status/{}", recording.id)).await;
    assert_eq!(status.status, 200, "{}", status.body);
    let path = format!("/recordings/{}", recording.name);
    let live = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(live.status, 409, "{}", live.body);
    assert!(
        tapedeck.list().await.is_empty(),
        "only finished recordings are listed"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;

    let stopped = tapedeck.stop_recording("studio").await;
    assert_eq!(
        (&stopped.id, &stopped.name),
        (&recording.id, &recording.name)
    );
    assert_eq!(stopped.started_at, recording.started_at);
    assert!((1.5..10.0).contains(&stopped.duration), "{stopped:?}");
    let on_disk = std::fs::metadata(tapedeck.file(&stopped.name)).expect("the file");
    assert_eq!(stopped.size, on_disk.len());
    let told = tapedeck
        .get(&format!("/v1/recordings/{}", recording.id))
        .await;
    assert_eq!(told.body["metadata"], metadata, "{}", told.body);
    assert_eq!(told.body["endReason"], "stopped", "{}", told.body);
    livekit.wait_for_recording_flag("studio", false).await;

    let file = harness::content::Recording::open(&tapedeck.file(&stopped.name)).expect("a file");
    assert_eq!(file.problems().expect("it decodes"), Vec::<String>::new());
    let video = file.video().expect("a picture");
    assert_eq!((video.width, video.height), (640, 360));
    assert!((file.duration() - stopped.duration).abs() < 0.3);

    let deleted = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(
        (deleted.status, &deleted.body["message"]),
        (200, &json!("Recording deleted"))
    );
    assert!(!tapedeck.file(&stopped.name).exists());
    assert!(!tapedeck.work(&stopped.id).exists());
    assert!(tapedeck.list().await.is_empty());
    let again = tapedeck.send(tapedeck.request(Method::DELETE, &path)).await;
    assert_eq!(
        (again.status, again.error_message()),
        (404, "Recording not found")
    );
    tapedeck.assert_nothing_left().await;
}

/// What a `Range` header asks, and the status and `Content-Range` of the answer.
fn ranges(size: u64) -> Vec<(String, u16, Option<String>)> {
    let last = size - 1;
    let part = |from: u64, to: u64| Some(format!("bytes {from}-{to}/{size}"));
    vec![
        ("bytes=0-0".into(), 206, part(0, 0)),
        ("bytes=10-99".into(), 206, part(10, 99)),
        ("bytes=100-".into(), 206, part(100, last)),
        ("bytes=-500".into(), 206, part(size - 500, last)),
        (format!("bytes=-{}", size + 10), 206, part(0, last)),
        (format!("bytes=5-{}", size + 10), 206, part(5, last)),
        (
            format!("bytes={size}-"),
            416,
            Some(format!("bytes */{size}")),
        ),
        ("bytes=-0".into(), 416, Some(format!("bytes */{size}"))),
        ("bytes=9-5".into(), 200, None),
        ("lines=1-2".into(), 200, None),
    ]
}

#[tokio::test]
async fn files_stream_whole_and_in_parts() {
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    let tapedeck = Tapedeck::start(&livekit).await;
    tapedeck.start_recording("studio").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let recording = tapedeck.stop_recording("studio").await;
    let content = std::fs::read(tapedeck.file(&recording.name)).expect("the file");
    let path = format!("/recordings/{}", recording.name);
    let get = |method: Method, headers: &[(&'static str, String)]| {
        let mut request = tapedeck.request(method, &path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        async move { request.send().await.expect("an answer") }
    };
    let header = |answer: &reqwest::Response, name: &str| {
        let value = answer.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };

    let whole = get(Method::GET, &[]).await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(header(&whole, "content-type").as_deref(), Some("video/mp4"));
    assert_eq!(header(&whole, "accept-ranges").as_deref(), Some("bytes"));
    let etag = header(&whole, "etag").expect("an ETag");
    assert_eq!(whole.bytes().await.expect("a body"), content);

    let head = get(Method::HEAD, &[]).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(
        header(&head, "content-length"),
        Some(content.len().to_string())
    );
    assert_eq!(header(&head, "etag").as_ref(), Some(&etag));

    for (range, status, content_range) in ranges(content.len() as u64) {
        let answer = get(Method::GET, &[("range", range.clone())]).await;
        assert_eq!(answer.status(), status, "{range}");
        assert_eq!(header(&answer, "content-range"), content_range, "{range}");
        if let Some(text) = content_range.filter(|_| status == 206) {
            let (from, rest) = text["bytes ".len()..].split_once('-').expect("a range");
            let to = rest.split_once('/').expect("a range").0;
            let part: std::ops::RangeInclusive<usize> =
                from.parse().expect("a number")..=to.parse().expect("a number");
            assert_eq!(
                answer.bytes().await.expect("a body"),
                content[part],
                "{range}"
            );
        }
    }
    let range = ("range", "bytes=0-9".to_owned());
    let same = get(Method::GET, &[range.clone(), ("if-range", etag)]).await;
    assert_eq!(same.status(), StatusCode::PARTIAL_CONTENT);
    let other = get(Method::GET, &[range, ("if-range", "\"other\"".into())]).await;
    assert_eq!(
        other.status(),
        StatusCode::OK,
        "another version is sent whole"
    );
}

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let mut finished = Vec::new();
    for room in ["alpha", "beta", "alpha"] {
        livekit.create_room(room).await;
        tapedeck.start_recording(room).await;
        finished.push(tapedeck.stop_recording(room).await);
    }
    finished.reverse();
    let ids = |recordings: &[harness::tapedeck::Recording]| {
        recordings
            .iter()
            .map(|recording| recording.id.clone())
            .collect::<Vec<_>>()
    };
    let newest_first = ids(&finished);
    assert_eq!(ids(&tapedeck.list().await), newest_first);
    let filtered = |query: String| {
        let tapedeck = &tapedeck;
        async move {
            let reply = tapedeck.get(&format!("/recordings?{query}")).await;
            let list = reply.body["recordings"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            list.iter()
                .map(|recording| recording["id"].as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        }
    };
    let (alpha, beta) = (&finished[0], &finished[1]);
    assert_eq!(
        filtered("roomName=alpha".into()).await,
        [newest_first[0].clone(), newest_first[2].clone()]
    );
    assert_eq!(
        filtered(format!("roomId={}", beta.room_id)).await,
        std::slice::from_ref(&beta.id)
    );
    let both = format!("roomName=beta&roomId={}", alpha.room_id);
    assert!(filtered(both).await.is_empty(), "filters are ANDed");
    assert!(
        filtered("roomName=alph".into()).await.is_empty(),
        "filters are exact"
    );

    // Page by page for operators.
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let reply = tapedeck
            .get(&format!("/v1/recordings?limit=2{cursor}"))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let page = reply.body["recordings"].as_array().expect("a list");
        paged.extend(
            page.iter()
                .map(|one| one["id"].as_str().unwrap_or_default().to_owned()),
        );
        match reply.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, newest_first);
}

#[tokio::test]
async fn repeated_request_gets_the_recording_it_made() {
    let livekit = Livekit::start().await;
    livekit.create_room("studio").await;
    livekit.create_room("other").await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let start = |room: &str| {
        let request = tapedeck
            .request(Method::POST, "/recordings/start")
            .header("idempotency-key", "click-1")
            .json(&json!({ "roomName": room }));
        tapedeck.send(request)
    };
    let (first, second) = futures_util::join!(start("studio"), start("studio"));
    assert_eq!(first.recording().id, second.recording().id);
    let other = start("other").await;
    assert!([409, 422].contains(&other.status), "{}", other.body);
    tapedeck.stop_recording("studio").await;
    let after = start("studio").await;
    assert_eq!(
        after.recording().id,
        first.recording().id,
        "nothing new is started"
    );
}

#[tokio::test]
async fn starts_beyond_the_capacity_are_refused() {
    let livekit = Livekit::start().await;
    livekit.create_room("alpha").await;
    livekit.create_room("beta").await;
    let mut tapedeck = Tapedeck::start_with(
        &livekit.ws_url(),
        &[("TAPEDECK_RECORDING_MAX_RECORDINGS", "1")],
    )
    .await;
    tapedeck.start_recording("alpha").await;
    let full = tapedeck
        .post("/recordings/start", json!({ "roomName": "beta" }))
        .await;
    assert_eq!(full.status, 503, "{}", full.body);
    assert!(!full.error_message().is_empty());
    let sessions = tapedeck.get("/status").await.body;
    assert!(sessions.to_string().contains("alpha"), "{sessions}");
    tapedeck.stop_recording("alpha").await;
    let reply = tapedeck
        .post("/recordings/start", json!({ "roomName": "beta" }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let sessions: Value = tapedeck.get("/status").await.body;
    assert!(!sessions.to_string().contains("alpha"), "{sessions}");

    // Without that ceiling what recordings cost decides; those that run go on.
    tapedeck.set("TAPEDECK_RECORDING_MAX_RECORDINGS", "0");
    tapedeck.set("TAPEDECK_RECORDING_MAX_CPU_PERCENT", "1");
    tapedeck.kill();
    tapedeck.run().await;
    let full = tapedeck
        .post("/recordings/start", json!({ "roomName": "alpha" }))
        .await;
    assert_eq!(full.status, 503, "{}", full.body);
    for told in ["CPU:", "cores are needed", "are free", "max_cpu_percent"] {
        assert!(full.error_message().contains(told), "{}", full.body);
    }
    let capacity = tapedeck.get("/status").await.body["capacity"].clone();
    assert_eq!(
        (&capacity["used"], &capacity["max"]),
        (&json!(1), &json!(0))
    );
    assert!(
        capacity["shortOf"]
            .as_str()
            .is_some_and(|it| it.contains("CPU")),
        "{capacity}"
    );
    tapedeck.stop_recording("beta").await;
}
