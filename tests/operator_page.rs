//! The operators' page in a real browser: what goes on is seen at once, and all can be done by
//! keyboard, in a narrow window as well as in a wide one.

use std::time::Duration;

use harness::clients::{Browser, Tab};
use harness::publisher::{PublisherOptions, whip};
use harness::tapedeck::Tapedeck;
use serde_json::json;
use storage_testing::versitygw::Server;

const KEY: &str = "operator-key-of-the-test";
/// How long a page may take for what is done at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);
/// Windows that the page must fit in: what they are called, their size.
const WINDOWS: [(&str, u32, u32); 2] = [("wide", 1_280, 900), ("narrow", 360, 740)];

async fn server(variables: &[(&str, &str)]) -> Tapedeck {
    let mut all = vec![("TAPEDECK_ROOMS_ADDRESSES", "127.0.0.1")];
    all.extend(variables);
    Tapedeck::start_with("", &all).await
}

async fn open<'a>(browser: &'a Browser, tapedeck: &Tapedeck) -> Tab<'a> {
    let address = tapedeck.url("/").replace("127.0.0.1", "localhost");
    browser.open(&address).await
}

/// Looks at the page in all windows, light and dark.
async fn look(page: &Tab<'_>, what: &str) {
    for (window, width, height) in WINDOWS {
        for scheme in ["dark", "light"] {
            page.look_like(width, height, scheme).await;
            let sideways = "document.documentElement.scrollWidth - innerWidth";
            let sideways = page.evaluate(sideways).await;
            assert!(sideways.as_i64() <= Some(0), "{what}, {window}: {sideways}");
            page.keep_picture(&format!("{what}-{window}-{scheme}"))
                .await;
        }
    }
    let [(_, width, height), _] = WINDOWS;
    page.look_like(width, height, "light").await;
}

/// Waits until something is to be told apart in the live picture.
async fn something_is_seen(page: &Tab<'_>) {
    let contrast = "(() => { const canvas = new OffscreenCanvas(48, 27).getContext('2d'); \
        canvas.drawImage(document.querySelector('.preview img'), 0, 0, 48, 27); \
        const { data } = canvas.getImageData(0, 0, 48, 27); \
        return Math.max(...data.filter((_, at) => at % 4 !== 3)) > 100 })()";
    page.until(contrast, SOON).await;
}

#[tokio::test]
async fn a_recording_is_seen_and_handled_by_keyboard() {
    let tapedeck = server(&[("TAPEDECK_AUTH_OPERATOR_KEY", KEY)]).await;
    let browser = Browser::start(&[]);
    let page = open(&browser, &tapedeck).await;
    page.until("!document.getElementById('key').hidden", SOON)
        .await;
    page.write(KEY).await;
    page.press("Enter").await;
    page.wait_for_text("#connection", "Live", SOON).await;
    page.wait_for_text("main", "There are no recordings yet", SOON)
        .await;
    look(&page, "empty").await;

    let _ana = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let _ben = whip::publish(&tapedeck, "studio", PublisherOptions::new(1)).await;
    page.tab_to("Start recording: studio").await;
    page.press("Enter").await;
    page.wait_for_text("#rooms", "Recording, 0:", SOON).await;
    page.wait_for_text("#used", "1 of ", SOON).await;
    page.wait_for_text("#rooms .facts", "so far", SOON).await;
    let picture = "document.querySelector('.preview img')?.naturalWidth > 100";
    page.until(picture, SOON).await;
    let loud = "[...document.querySelectorAll('#rooms [role=meter]')].length === 2 && \
        [...document.querySelectorAll('#rooms [role=meter]')].every((one) => one.ariaValueNow > 20)";
    page.until(loud, SOON).await;
    // The first one may be of before anybody was seen.
    something_is_seen(&page).await;
    look(&page, "live").await;

    page.tab_to("Pause: studio").await;
    page.press("Enter").await;
    page.wait_for_text("#rooms", "Paused, 0:", SOON).await;
    let focused = "document.activeElement.ariaLabel === 'Resume: studio'";
    page.until(focused, SOON).await;
    page.press(" ").await;
    page.wait_for_text("#rooms", "Recording, 0:", SOON).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    page.tab_to("Stop recording: studio").await;
    page.press("Enter").await;
    page.wait_for_text("#recordings", "Play", SOON).await;
    let name = page.text("#recordings .file").await;
    page.wait_for_text("#recordings .story", "Paused from", SOON)
        .await;
    page.until(
        "document.querySelector('.poster img')?.naturalWidth > 100",
        SOON,
    )
    .await;

    page.tab_to(&format!("Play {name}")).await;
    page.press("Enter").await;
    // It asks for parts itself, without the key: nothing is fetched whole.
    let playing = "document.querySelector('video')?.currentTime > 0.5 && \
        document.querySelector('video').src.includes('signature=')";
    page.until(playing, SOON).await;
    look(&page, "player").await;

    page.tab_to(&format!("Delete {name}")).await;
    page.press("Enter").await;
    page.until("document.querySelector('dialog').open", SOON)
        .await;
    look(&page, "delete").await;
    page.press("Escape").await;
    page.until("!document.querySelector('dialog').open", SOON)
        .await;
    page.press("Enter").await;
    page.until("document.querySelector('dialog').open", SOON)
        .await;
    page.tab_to("Delete").await;
    page.press("Enter").await;
    page.wait_for_text("main", "There are no recordings yet", SOON)
        .await;
    let list = tapedeck
        .request(reqwest::Method::GET, "/recordings")
        .bearer_auth(KEY);
    assert_eq!(tapedeck.send(list).await.body["recordings"], json!([]));
    browser.assert_no_exceptions();
}

#[tokio::test]
async fn what_went_wrong_is_told_in_words() {
    let bucket = Server::start().await;
    let settings = bucket.settings();
    let tapedeck = server(&[
        ("S3_ENDPOINT", settings.endpoint.as_str()),
        ("S3_ACCESS_KEY", &settings.access_key),
        ("S3_SECRET_KEY", &settings.secret_key),
        ("S3_BUCKET", &settings.bucket),
        ("TAPEDECK_STORAGE_RETRY_MAX_S", "3600"),
        ("TAPEDECK_RECORDING_STOP_TIMEOUT_S", "1"),
        ("TAPEDECK_RECORDING_MAX_RECORDINGS", "1"),
    ])
    .await;
    let away = bucket.bucket().with_file_name("not-a-bucket.away");
    std::fs::rename(bucket.bucket(), &away).expect("the bucket is a folder");
    let _publisher = whip::publish(&tapedeck, "studio", PublisherOptions::new(0)).await;
    let browser = Browser::start(&[]);
    let page = open(&browser, &tapedeck).await;
    page.wait_for_text("#connection", "Live", SOON).await;
    let started = tapedeck.start_recording("studio").await;
    page.wait_for_text("#shortage", "1 of 1 run", SOON).await;
    tapedeck.wait_until(&started, 4.0).await;
    assert_eq!(tapedeck.signal_children("capture", libc::SIGKILL), 1);
    let told = "the recording process was started again";
    page.wait_for_text("#rooms .story", told, SOON).await;
    look(&page, "trouble").await;
    tapedeck
        .post("/recordings/stop", json!({ "roomName": "studio" }))
        .await;
    page.wait_for_text("#uploads", "S3_BUCKET", SOON).await;
    page.wait_for_text("#recordings .story", "missing", SOON)
        .await;
    look(&page, "upload").await;
    browser.assert_no_exceptions();
}
