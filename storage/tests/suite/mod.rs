//! What every recording store must do; each kind of store runs it in a test of its own.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tapedeck_storage::{RecordingMetadata, RecordingStore, StoreError, UploadProgress};

pub fn metadata(name: &str, content: &[u8]) -> RecordingMetadata {
    let sha256 = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    RecordingMetadata {
        id: "EG_abcdefghijkl".into(),
        name: name.into(),
        room_name: "room".into(),
        room_id: "RM_x".into(),
        started_at: 1_795_301_608_123,
        duration: 12.5,
        size: content.len() as u64,
        sha256: Some(sha256),
        metadata: Some(serde_json::json!({"case": 7})),
        end_reason: Some("stopped".into()),
        gaps: Vec::new(),
        pauses: Vec::new(),
        files: Vec::new(),
        part_of: None,
    }
}

fn source(folder: &Path, content: &[u8]) -> PathBuf {
    let path = folder.join("output.mp4");
    std::fs::write(&path, content).unwrap();
    path
}

async fn read(
    store: &dyn RecordingStore,
    name: &str,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, StoreError> {
    let chunks: Vec<_> = store.read(name, range).await?.try_collect().await?;
    Ok(chunks.concat())
}

/// Runs the whole suite on an empty store.
pub async fn run(store: &dyn RecordingStore) {
    stores_and_reads_back(store).await;
    repeats_and_never_overwrites(store).await;
    refuses_damaged_content(store).await;
    refuses_paths(store).await;
    deletes(store).await;
    can_be_tried_and_given_up(store).await;
}

async fn stores_and_reads_back(store: &dyn RecordingStore) {
    let folder = tempfile::tempdir().unwrap();
    let name = "참가자 방-2026-11-21T225328-RM_x.mp4";
    let content: Vec<u8> = (0..1_000_003u32).map(|byte| (byte % 251) as u8).collect();
    let path = source(folder.path(), &content);
    assert!(matches!(
        store.head(name).await,
        Err(StoreError::NotFound(_))
    ));

    let stored = store
        .put(&path, &metadata(name, &content), &UploadProgress::default())
        .await
        .unwrap();
    assert!(path.exists(), "the source stays");
    assert_eq!(stored.size, content.len() as u64);
    let object = store.head(name).await.unwrap();
    assert!(!object.etag.is_empty() && !object.etag.contains('"'));
    assert_eq!(object.size, stored.size);
    assert!(stored.path.ends_with(name), "{stored:?}");
    assert_eq!(store.list().await.unwrap(), [metadata(name, &content)]);

    let end = content.len() as u64;
    for range in [
        0..end,
        0..1,
        5..5,
        end - 1..end,
        262_143..262_146,
        1_000..900_000,
    ] {
        let expected = &content[range.start as usize..range.end as usize];
        assert_eq!(
            read(store, name, range.clone()).await.unwrap(),
            expected,
            "{range:?}"
        );
    }
    assert!(read(store, name, end - 1..end + 1).await.is_err());
    assert!(matches!(
        read(store, "none.mp4", 0..1).await,
        Err(StoreError::NotFound(_))
    ));

    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        read(store, name, 0..end).await.unwrap(),
        content,
        "it does not need its source"
    );
    store.delete(name).await.unwrap();
}

async fn repeats_and_never_overwrites(store: &dyn RecordingStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = source(folder.path(), b"first");
    let first = store
        .put(
            &path,
            &metadata("a.mp4", b"first"),
            &UploadProgress::default(),
        )
        .await
        .unwrap();
    let repeated = store
        .put(
            &path,
            &metadata("a.mp4", b"first"),
            &UploadProgress::default(),
        )
        .await
        .unwrap();
    assert_eq!(repeated.size, first.size);

    let other = source(folder.path(), b"other");
    let refused = store
        .put(
            &other,
            &metadata("a.mp4", b"other"),
            &UploadProgress::default(),
        )
        .await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    assert_eq!(read(store, "a.mp4", 0..5).await.unwrap(), b"first");
    assert_eq!(
        store.list().await.unwrap()[0].sha256,
        metadata("a.mp4", b"first").sha256
    );
    store.delete("a.mp4").await.unwrap();
}

async fn refuses_damaged_content(store: &dyn RecordingStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = source(folder.path(), b"damaged");
    let refused = store
        .put(
            &path,
            &metadata("b.mp4", b"correct"),
            &UploadProgress::default(),
        )
        .await;
    assert!(
        matches!(refused, Err(StoreError::Integrity { .. })),
        "{refused:?}"
    );
    assert!(matches!(
        store.head("b.mp4").await,
        Err(StoreError::NotFound(_))
    ));
    assert_eq!(store.list().await.unwrap(), []);
}

async fn refuses_paths(store: &dyn RecordingStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = source(folder.path(), b"x");
    for name in [
        "",
        ".",
        "..",
        "../up.mp4",
        "a/b.mp4",
        ".hidden.mp4",
        "a\0.mp4",
        "a\\b.mp4",
    ] {
        assert!(
            store
                .put(&path, &metadata(name, b"x"), &UploadProgress::default())
                .await
                .is_err(),
            "{name:?}"
        );
        assert!(
            matches!(store.head(name).await, Err(StoreError::NotFound(_))),
            "{name:?}"
        );
        assert!(
            matches!(read(store, name, 0..1).await, Err(StoreError::NotFound(_))),
            "{name:?}"
        );
    }
}

async fn deletes(store: &dyn RecordingStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = source(folder.path(), b"x");
    store
        .put(&path, &metadata("c.mp4", b"x"), &UploadProgress::default())
        .await
        .unwrap();
    store.delete("c.mp4").await.unwrap();
    store.delete("c.mp4").await.unwrap();
    assert!(matches!(
        store.head("c.mp4").await,
        Err(StoreError::NotFound(_))
    ));
    assert_eq!(store.list().await.unwrap(), []);
}

async fn can_be_tried_and_given_up(store: &dyn RecordingStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = source(folder.path(), b"film");
    store.give_up(&path, "d.mp4").await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(store.list().await.unwrap(), []);

    let progress = UploadProgress::default();
    let stored = metadata("d.mp4", b"film");
    store.put(&path, &stored, &progress).await.unwrap();
    assert_eq!(progress.bytes(), 4);
    store.give_up(&path, "d.mp4").await.unwrap();
    assert_eq!(
        store.list().await.unwrap(),
        [stored],
        "what is stored stays"
    );
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "only the source is left beside it");
    store.delete("d.mp4").await.unwrap();
}
