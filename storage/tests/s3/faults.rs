//! What may go wrong between us and a store: in the end one whole object is there.

use std::time::Duration;

use storage_testing::faults::{Fault, FaultProxy, Rule};
use storage_testing::versitygw::Server;
use tapedeck_storage::{RecordingStore, S3Settings, StoreError, open_s3};

use super::{content, file, large, progress, suite, unwatched};

/// A rule, and whether the very try that met it may succeed.
struct Case {
    what: &'static str,
    rule: Rule,
}

fn case(what: &'static str, rule: Rule) -> Case {
    Case { what, rule }
}

const PUT: &[&str] = &["PUT"];
const POST: &[&str] = &["POST"];
const ANY: &[&str] = &["GET", "HEAD", "PUT", "POST", "DELETE"];

/// Faults that last for as long as a try does.
fn cases() -> Vec<Case> {
    let slow_down = Fault::Answer(503, "SlowDown");
    let denied = Fault::Answer(403, "AccessDenied");
    vec![
        case(
            "parts are cut",
            Rule::always(PUT, Fault::CutRequest(100_000))
                .to("partNumber")
                .after(1)
                .times(12),
        ),
        case(
            "the answer to a part is cut",
            Rule::always(PUT, Fault::CutAnswer(20))
                .to("partNumber")
                .after(1)
                .times(12),
        ),
        case(
            "parts come late",
            Rule::always(PUT, Fault::Delay(Duration::from_millis(300))).to("partNumber"),
        ),
        case(
            "it is told to slow down",
            Rule::always(PUT, slow_down.clone())
                .to("partNumber")
                .after(1)
                .times(12),
        ),
        case(
            "too many requests",
            Rule::always(ANY, Fault::Answer(429, "TooManyRequests"))
                .after(1)
                .times(8),
        ),
        case(
            "access is denied on the way",
            Rule::always(PUT, denied)
                .to("partNumber")
                .after(1)
                .times(12),
        ),
        case(
            "an error of the server",
            Rule::always(POST, Fault::Answer(500, "InternalError")).times(8),
        ),
        case(
            "parts are said to be taken",
            Rule::always(PUT, Fault::Lie)
                .to("partNumber")
                .after(1)
                .times(12),
        ),
        case(
            "completing is said to be done",
            Rule::always(POST, Fault::Lie).to("uploadId").times(4),
        ),
        case(
            "nobody hears that it is complete",
            Rule::always(POST, Fault::CutAnswer(0))
                .to("uploadId")
                .times(1),
        ),
        case(
            "nobody hears it, and asking is refused",
            Rule::always(POST, Fault::CutAnswer(10))
                .to("uploadId")
                .times(9),
        ),
        case(
            "looking it up fails",
            Rule::always(&["HEAD"], slow_down.clone()).after(1).times(8),
        ),
        case(
            "the metadata is said to be taken",
            Rule::always(PUT, Fault::Lie).to(".metadata").times(4),
        ),
        case(
            "the metadata is cut",
            Rule::always(PUT, Fault::CutRequest(10))
                .to(".metadata")
                .times(8),
        ),
    ]
}

#[tokio::test]
async fn every_fault_ends_in_one_whole_object() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(&server.settings().endpoint);
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    let settings = S3Settings {
        endpoint: proxy.endpoint(),
        ..server.settings()
    };
    let direct = open_s3(&server.settings()).unwrap();
    for (number, Case { what, rule }) in cases().into_iter().enumerate() {
        let store = open_s3(&settings).unwrap();
        let name = format!("{number}.mp4");
        let metadata = suite::metadata(&name, &film);
        proxy.spoil(rule);
        let mut done = false;
        // Each try may end; what it reached is not lost.
        for _ in 0..8 {
            match store.put(&path, &metadata, unwatched()).await {
                Ok(stored) => {
                    assert_eq!(stored.size, film.len() as u64, "{what}");
                    done = true;
                    break;
                }
                Err(StoreError::Conflict(_)) => panic!("{what}: a conflict"),
                Err(_) => {}
            }
        }
        assert!(proxy.heal() > 0, "{what} did not happen");
        if !done {
            let healed = store.put(&path, &metadata, unwatched()).await;
            healed.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert!(content(&direct, &name).await == film, "{what}");
        assert_eq!(direct.list().await.unwrap(), [metadata], "{what}");
        assert_eq!(progress(&path), None, "{what}");
        assert_eq!(server.unfinished_uploads(), 0, "{what}: parts left over");
        direct.delete(&name).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_never_stored_is_never_told_as_stored() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(&server.settings().endpoint);
    let store = open_s3(&S3Settings {
        endpoint: proxy.endpoint(),
        ..server.settings()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), b"film");
    let metadata = suite::metadata("a.mp4", b"film");
    // It takes everything, and has nothing.
    proxy.spoil(Rule::always(&["PUT", "POST"], Fault::Lie));
    let error = store.put(&path, &metadata, unwatched()).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    proxy.heal();
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert_eq!(content(&store, "a.mp4").await, b"film");
}

#[tokio::test]
async fn a_list_bridges_short_troubles() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(&server.settings().endpoint);
    let store = open_s3(&S3Settings {
        endpoint: proxy.endpoint(),
        ..server.settings()
    })
    .unwrap();
    proxy.spoil(Rule::always(&["GET"], Fault::Answer(503, "SlowDown")).times(2));
    assert_eq!(store.list().await.unwrap(), []);
    proxy.spoil(Rule::always(&["GET"], Fault::CutAnswer(30)).times(1));
    assert_eq!(store.list().await.unwrap(), []);
    assert_eq!(proxy.heal(), 3);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_no_end_of_the_recording() {
    let server = Server::start().await;
    let proxy = FaultProxy::start(&server.settings().endpoint);
    let store = open_s3(&S3Settings {
        endpoint: proxy.endpoint(),
        ..server.settings()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    store
        .put(&path, &suite::metadata("a.mp4", &film), unwatched())
        .await
        .unwrap();
    proxy.spoil(Rule::always(&["GET"], Fault::CutAnswer(3_000_000)).times(2));
    assert!(content(&store, "a.mp4").await == film);
    assert!(proxy.heal() > 0);
}
