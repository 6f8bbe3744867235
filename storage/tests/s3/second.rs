//! The same on another server, and what somebody else may have left in a bucket.

use storage_testing::moto::Moto;
use tapedeck_storage::{RecordingStore, S3Settings, open_s3};

use super::{content, file, large, suite, unwatched};

#[tokio::test]
async fn does_what_every_store_must_do() {
    let Some(server) = Moto::start().await else {
        return;
    };
    let store = open_s3(&server.settings()).unwrap();
    suite::run(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let film = large();
    let path = file(folder.path(), &film);
    let metadata = suite::metadata("large.mp4", &film);
    store.put(&path, &metadata, unwatched()).await.unwrap();
    assert!(content(&store, "large.mp4").await == film);
}

#[tokio::test]
async fn what_openvidu_applications_left_is_listed_read_and_deleted() {
    let Some(server) = Moto::start().await else {
        return;
    };
    let store = open_s3(&server.settings()).unwrap();
    let basic = "daily-2026-11-21T225328-RM_abc.mp4";
    let advanced = "daily-RM_abc-2026-11-21T225328.mp4";
    server.put(&format!("recordings/{basic}"), "basic").await;
    server
        .put(&format!("recordings/{advanced}"), "advanced")
        .await;
    let described = r#"{"id":"EG_1","name":"daily-RM_abc-2026-11-21T225328.mp4","roomName":"daily",
        "roomId":"RM_abc","startedAt":1795301608123.4568,"duration":12.25,"size":8}"#;
    let metadata = format!("recordings/.metadata/{}", advanced.replace(".mp4", ".json"));
    server.put(&metadata, described).await;
    // What is none of ours, and must not hide what is.
    for foreign in [
        "recordings/",
        "recordings//x.mp4",
        "recordings/notes.txt",
        "recordings/deep/y.mp4",
        "recordings/.metadata/",
        "recordings/.metadata/notes.json",
        "other.mp4",
    ] {
        server.put(foreign, "foreign").await;
    }
    let mut listed = store.list().await.unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = listed.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, [basic, advanced]);
    for found in &listed {
        assert_eq!(
            (found.room_name.as_str(), found.room_id.as_str()),
            ("daily", "RM_abc")
        );
    }
    // Its name tells whole seconds only.
    assert_eq!(listed[0].started_at, 1_795_301_608_000);
    assert_eq!(listed[1].started_at, 1_795_301_608_123);
    assert_eq!((listed[0].duration, listed[0].size), (0.0, 5));
    assert_eq!((listed[1].duration, listed[1].id.as_str()), (12.25, "EG_1"));
    assert_eq!(content(&store, basic).await, b"basic");
    for name in [basic, advanced] {
        store.delete(name).await.unwrap();
        store.delete(name).await.unwrap();
    }
    assert_eq!(store.list().await.unwrap(), []);
}

#[tokio::test]
async fn what_lies_below_any_path_is_found_there() {
    let Some(server) = Moto::start().await else {
        return;
    };
    let open = |prefix: &str| {
        let prefix = prefix.into();
        open_s3(&S3Settings {
            prefix,
            ..server.settings()
        })
    };
    server.put("%EB%85%B9%ED%99%94/earlier.mp4", "film").await;
    let store = open("녹화/").unwrap();
    assert_eq!(content(&store, "earlier.mp4").await, b"film");
    assert_eq!(store.list().await.unwrap()[0].name, "earlier.mp4");
    store.delete("earlier.mp4").await.unwrap();
    suite::run(&store).await;
    suite::run(&open("/~ #[%EB%85%B9/").unwrap()).await;

    for prefix in ["films//daily/", "../films/", "films\n/"] {
        let Err(error) = open(prefix) else {
            panic!("{prefix:?}");
        };
        assert!(error.to_string().contains("RECORDINGS_PATH"), "{error}");
    }
}

#[tokio::test]
async fn a_list_of_more_than_a_page_is_whole() {
    let Some(server) = Moto::start().await else {
        return;
    };
    let store = open_s3(&server.settings()).unwrap();
    let puts = (0..1_050).map(|number| {
        let (server, key) = (&server, format!("recordings/film-{number}.mp4"));
        async move { server.put(&key, "film").await }
    });
    futures_util::future::join_all(puts).await;
    assert_eq!(store.list().await.unwrap().len(), 1_050);
}
