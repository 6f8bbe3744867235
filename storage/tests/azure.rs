//! The store in a container, on Microsoft's emulator.

mod suite;

use storage_testing::azurite::Azurite;
use storage_testing::faults::{Fault, FaultProxy, Rule};
use tapedeck_storage::{AzureSettings, RecordingStore, StoreError, UploadProgress, open_azure};

#[tokio::test]
async fn does_what_every_store_must_do() {
    let Some(server) = Azurite::start().await else {
        return;
    };
    for prefix in ["recordings/", "", "녹화 ~#[%/films"] {
        let settings = AzureSettings {
            prefix: prefix.into(),
            ..server.settings()
        };
        suite::run(&open_azure(&settings).unwrap()).await;
    }
}

#[tokio::test]
async fn a_large_file_goes_on_where_it_was() {
    let Some(server) = Azurite::start().await else {
        return;
    };
    let proxy = FaultProxy::start(&server.address());
    let through = AzureSettings {
        endpoint: server
            .settings()
            .endpoint
            .replace(&server.address(), &proxy.endpoint()),
        ..server.settings()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.mp4");
    let film: Vec<u8> = (0..20u32 << 20).map(|byte| (byte % 251) as u8).collect();
    std::fs::write(&path, &film).unwrap();
    let metadata = suite::metadata("a.mp4", &film);
    let store = open_azure(&through).unwrap();
    let progress = UploadProgress::default();
    proxy.spoil(
        Rule::always(&["PUT"], Fault::Answer(503, "ServerBusy"))
            .to("comp=block")
            .after(1),
    );
    store.put(&path, &metadata, &progress).await.unwrap_err();
    let sent = progress.bytes();
    assert!(((8 << 20)..(20 << 20)).contains(&sent), "{sent}");
    proxy.heal();
    let store = open_azure(&through).unwrap();
    // Only what is missing is sent: a part and the end of the file, or less.
    let stored = store.put(&path, &metadata, &progress).await.unwrap();
    assert_eq!(stored.size, film.len() as u64);
    assert_eq!(progress.bytes(), film.len() as u64);
    assert_eq!(store.list().await.unwrap(), [metadata]);
    let other = vec![7_u8; film.len()];
    std::fs::write(&path, &other).unwrap();
    let refused = store
        .put(&path, &suite::metadata("a.mp4", &other), &progress)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_somebody_has_to_change_is_told() {
    let Some(server) = Azurite::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output.mp4");
    std::fs::write(&path, b"film").unwrap();
    let metadata = suite::metadata("a.mp4", b"film");
    let cases = [
        (
            AzureSettings {
                account_key: "bm90LXRoZS1rZXk=".into(),
                ..server.settings()
            },
            "AZURE_ACCOUNT_KEY",
        ),
        (
            AzureSettings {
                container: "missing".into(),
                ..server.settings()
            },
            "AZURE_CONTAINER_NAME",
        ),
    ];
    for (settings, way_out) in cases {
        let store = open_azure(&settings).unwrap();
        let put = store
            .put(&path, &metadata, &UploadProgress::default())
            .await;
        let error = put.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(way_out), "{error}");
        assert!(
            !error.to_string().contains(&settings.account_key),
            "{error}"
        );
    }
}
