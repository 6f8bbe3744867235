//! Our own pages in a real browser: publishing without any other program, and the first page.

use std::time::{Duration, Instant};

use harness::clients::{Browser, Tab};
use harness::content;
use harness::findings::{Findings, grid};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use serde_json::json;
use storage_testing::versitygw::Server;

const KEY: &str = "operator-key-of-the-test";
/// How long a page may take for what is done at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);

/// A server without LiveKit.
async fn server(variables: &[(&str, &str)]) -> Tapedeck {
    let mut all = vec![("TAPEDECK_ROOMS_ADDRESSES", "127.0.0.1")];
    all.extend(variables);
    Tapedeck::start_with("", &all).await
}

/// Opens the page so that it publishes at once.
async fn publish<'a>(browser: &'a Browser, tapedeck: &Tapedeck, query: &str) -> Tab<'a> {
    let address = tapedeck.url(&format!("/publish?room=studio&start=1&{query}"));
    browser
        .open(&address.replace("127.0.0.1", "localhost"))
        .await
}

async fn first_page<'a>(browser: &'a Browser, tapedeck: &Tapedeck) -> Tab<'a> {
    browser
        .open(&tapedeck.url("/").replace("127.0.0.1", "localhost"))
        .await
}

async fn wait_until_live(page: &Tab<'_>) {
    page.wait_for_text("#state", "Live since", SOON).await;
}

/// How often a page has posted an offer.
async fn offers(page: &Tab<'_>) -> u64 {
    let count = "performance.getEntriesByType('resource')\
        .filter((one) => /\\/whip\\/[^/]+$/.test(one.name)).length";
    page.evaluate(count).await.as_u64().unwrap_or_default()
}

async fn enter_key(page: &Tab<'_>, key: &str) {
    page.until("!document.getElementById('key').hidden", SOON)
        .await;
    let field = format!(
        "document.querySelector('#key input').value = {}",
        json!(key)
    );
    page.evaluate(&field).await;
    page.click("Use this key").await;
}

#[tokio::test]
async fn test_picture_is_published_and_recorded_in_sync() {
    let tapedeck = server(&[]).await;
    let browser = Browser::start(&[]);
    let page = publish(&browser, &tapedeck, "name=Ana&source=test&pitch=700").await;
    wait_until_live(&page).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 10.0).await;
    // What is in the background goes on: whoever watches the first page still publishes.
    let _other = first_page(&browser, &tapedeck).await;
    tapedeck.wait_until(&started, 16.0).await;
    let sent = page.text("#sent").await;
    println!("sent: {}", sent.replace("\n\n", ", ").replace('\n', ": "));
    let stopped = tapedeck.stop_recording("studio").await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    found.assert_seen(0, 2.0, 16.0, 2);
    let beeps = content::after(2.0, &found.sound.beeps(700.0));
    assert!(beeps.len() >= 12, "{beeps:.2?}");
    let flashes = content::after(4.0, &found.tiles[0].flashes());
    let offsets = content::offsets(&flashes, &beeps);
    println!(
        "test picture: sound less picture: median {:.1} ms, p95 {:.1} ms",
        offsets.median_ms, offsets.p95_ms
    );
    assert!(offsets.median_ms.abs() < 100.0, "{offsets:?}");
    let labelled = found.tiles[0].labelled();
    assert!(labelled > 0.9, "the name is in {labelled} of the frames");
}

#[tokio::test]
async fn camera_and_microphone_are_published_and_recorded() {
    let tapedeck = server(&[]).await;
    let browser = Browser::start(&[]);
    let page = publish(&browser, &tapedeck, "name=Ben&source=camera").await;
    wait_until_live(&page).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 12.0).await;
    let status = tapedeck.get(&format!("/status/{}", started.id)).await.body;
    let participants = &status["capture"]["participants"];
    assert_eq!(participants[0]["name"], "Ben", "{status}");
    let stopped = tapedeck.stop_recording("studio").await;
    page.click("Stop publishing").await;
    page.wait_for_text("#state", "Not publishing", SOON).await;

    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    let placeholder = found.placeholder_seconds(0, 3.0, 12.0);
    assert!(placeholder < 0.5, "{placeholder} s without the camera");
    let frozen = found.tiles[0].frozen(2.0);
    assert!(frozen.is_empty(), "the camera's picture froze: {frozen:?}");
    // Chromium's fake microphone beeps about twice in a second.
    let silences = found.sound.silences(3.0);
    assert!(
        silences.iter().all(|silence| silence.start < 3.0),
        "{silences:?}"
    );
}

#[tokio::test]
async fn publishing_survives_the_server_and_comes_back_after_the_rooms_process() {
    let mut tapedeck = server(&[]).await;
    let browser = Browser::start(&[]);
    let page = publish(&browser, &tapedeck, "name=Ana&source=test&pitch=700").await;
    wait_until_live(&page).await;
    let overview = first_page(&browser, &tapedeck).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 6.0).await;
    tapedeck.kill();
    overview
        .wait_for_text("#trouble", "The server does not answer.", SOON)
        .await;
    tapedeck.run().await;
    overview.reload().await;
    overview
        .wait_for_text("#rooms", "Recording, 0:", SOON)
        .await;
    tapedeck.wait_until(&started, 14.0).await;
    assert_eq!(offers(&page).await, 1, "the page posted again for nothing");
    assert!(page.text("#state").await.contains("Live since"));

    let killed_at = tapedeck.position(&started);
    let killed = Instant::now();
    let rooms = tapedeck.signal_children("rooms", libc::SIGKILL);
    assert_eq!(rooms, 1, "one process has all rooms");
    page.until(
        "!document.getElementById('state').innerText.includes('Live')",
        SOON,
    )
    .await;
    println!(
        "the page noticed after {:.1} s",
        killed.elapsed().as_secs_f64()
    );
    wait_until_live(&page).await;
    println!(
        "it was live again after {:.1} s",
        killed.elapsed().as_secs_f64()
    );
    assert_eq!(offers(&page).await, 2);
    let back_at = tapedeck.position(&started);
    tapedeck.wait_until(&started, back_at + 6.0).await;
    overview.click("Stop recording").await;
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    overview.click("Play").await;
    let playing = "document.querySelector('video')?.currentTime > 1";
    overview.until(playing, SOON).await;

    let found = Findings::of(&tapedeck.file(&started.name), &grid(1));
    found.assert_seen(0, 2.0, killed_at - 1.0, 2);
    found.assert_seen(0, back_at + 2.0, back_at + 6.0, 1);
}

#[tokio::test]
async fn first_page_starts_stops_plays_and_deletes_with_a_key() {
    let tapedeck = server(&[("TAPEDECK_AUTH_OPERATOR_KEY", KEY)]).await;
    let browser = Browser::start(&[]);
    let page = publish(&browser, &tapedeck, "name=Ana&source=test").await;
    enter_key(&page, "this is not the key").await;
    page.wait_for_text("#key", "does not accept this key", SOON)
        .await;
    enter_key(&page, KEY).await;
    wait_until_live(&page).await;

    let overview = first_page(&browser, &tapedeck).await;
    enter_key(&overview, KEY).await;
    overview.wait_for_text("#rooms", "studio", SOON).await;
    overview.wait_for_text("#rooms", "Ana", SOON).await;
    overview.click("Start recording").await;
    overview
        .wait_for_text("#rooms", "Recording, 0:0", SOON)
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    overview.reload().await;
    overview
        .wait_for_text("#rooms", "Recording, 0:", SOON)
        .await;
    overview.click("Pause").await;
    overview.wait_for_text("#rooms", "Paused, 0:", SOON).await;
    overview.click("Resume").await;
    overview
        .wait_for_text("#rooms", "Recording, 0:", SOON)
        .await;
    overview.click("Stop recording").await;
    overview.click("Play").await;
    let playing = "document.querySelector('video')?.currentTime > 0.5 && \
        document.querySelector('video').src.includes('signature=')";
    overview.until(playing, SOON).await;
    // Looking at the server again does not disturb the player.
    tokio::time::sleep(Duration::from_secs(3)).await;
    overview
        .until("document.querySelector('video')?.currentTime > 2", SOON)
        .await;

    overview.click("Delete").await;
    overview
        .until("document.querySelector('dialog').open", SOON)
        .await;
    overview
        .evaluate("document.querySelector('dialog .danger').click()")
        .await;
    overview
        .wait_for_text("main", "There are no recordings yet", SOON)
        .await;
    let list = tapedeck
        .request(reqwest::Method::GET, "/recordings")
        .bearer_auth(KEY);
    assert_eq!(tapedeck.send(list).await.body["recordings"], json!([]));
    browser.assert_no_exceptions();
}

#[tokio::test]
async fn first_page_tells_of_an_upload_in_trouble_and_tries_it_again() {
    let bucket = Server::start().await;
    let settings = bucket.settings();
    let tapedeck = server(&[
        ("S3_ENDPOINT", settings.endpoint.as_str()),
        ("S3_ACCESS_KEY", &settings.access_key),
        ("S3_SECRET_KEY", &settings.secret_key),
        ("S3_BUCKET", &settings.bucket),
        ("TAPEDECK_STORAGE_RETRY_MAX_S", "3600"),
        ("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "1"),
    ])
    .await;
    let away = bucket.bucket().with_file_name("not-a-bucket.away");
    std::fs::rename(bucket.bucket(), &away).expect("the bucket is a folder");
    let _publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let started = tapedeck.start_recording("studio").await;
    let browser = Browser::start(&[]);
    let page = first_page(&browser, &tapedeck).await;
    page.wait_for_text("#rooms", "Recording, 0:", SOON).await;
    let hidden = "document.getElementById('on-their-way').hidden";
    assert_eq!(page.evaluate(hidden).await, json!(true), "there is none");
    tapedeck
        .post("/recordings/stop", json!({ "roomName": "studio" }))
        .await;
    for told in [
        "Blocked",
        "1 try failed",
        "Next try in ",
        "S3_BUCKET",
        &started.name,
    ] {
        page.wait_for_text("#uploads", told, SOON).await;
    }
    // In vain at first.
    page.click("Try now").await;
    page.wait_for_text("#uploads", "2 tries failed", SOON).await;
    std::fs::rename(&away, bucket.bucket()).expect("the bucket is back");
    page.click("Try now").await;
    page.until(hidden, SOON).await;
    let ended = tapedeck.wait_for_end(&started.id).await;
    assert_eq!(ended["state"], "complete", "{ended}");
    page.wait_for_text("#recordings", "Play", SOON).await;
    browser.assert_no_exceptions();
}

#[tokio::test]
async fn other_hosts_over_plain_http_are_told_how_to_use_a_camera() {
    let tapedeck = server(&[("TAPEDECK_AUTH_CLIENTS", "open")]).await;
    let browser = Browser::start(&["--host-resolver-rules=MAP example.test 127.0.0.1"]);
    let port = tapedeck.port;
    let address = format!("http://example.test:{port}/publish?room=studio&name=Ana&source=camera");
    let page = browser.open(&address).await;
    let tunnel = format!("ssh -L {port}:localhost:{port} example.test");
    page.wait_for_text("#insecure", &tunnel, SOON).await;
    page.evaluate("document.querySelector('[value=test]').click()")
        .await;
    page.click("Publish").await;
    wait_until_live(&page).await;
    let reply = tapedeck.get("/v1/rooms").await;
    assert_eq!(reply.body["rooms"][0]["name"], "studio", "{}", reply.body);
}

#[tokio::test]
async fn browser_without_udp_publishes_over_tcp() {
    let tapedeck = server(&[]).await;
    let browser = Browser::start(&["--webrtc-ip-handling-policy=disable_non_proxied_udp"]);
    let page = publish(&browser, &tapedeck, "name=Ana&source=test&pitch=700").await;
    wait_until_live(&page).await;
    page.wait_for_text("#sent", "TCP", SOON).await;
    let started = tapedeck.start_recording("studio").await;
    tapedeck.wait_until(&started, 8.0).await;
    let stopped = tapedeck.stop_recording("studio").await;
    let found = Findings::of(&tapedeck.file(&stopped.name), &grid(1));
    found.assert_seen(0, 2.0, 8.0, 1);
    let beeps = content::after(2.0, &found.sound.beeps(700.0));
    assert!(beeps.len() >= 5, "{beeps:.2?}");
}
