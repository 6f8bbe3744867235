//! Where finished recordings go.

use tapedeck_actors::{Keep, SourceKind};
use tapedeck_storage::{AzureSettings, FirebaseEmulator, FirebaseSettings, S3Settings};

use super::settings::{Firebase, FirebaseUrls};
use super::{Azure, S3, Settings, Storage, StorageKind};

/// Where a region is not said and the server is not AWS, which needs one.
const ANY_REGION: &str = "us-east-1";

impl Settings {
    /// The kinds of place where recordings go, each once: never [`StorageKind::Unset`].
    pub fn storage_kinds(&self) -> Vec<StorageKind> {
        let mut kinds = vec![self.storage_kind()];
        for source in SourceKind::ALL {
            let kind = self.storage_kind_of(source);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// Whether recordings go to the disk and nowhere else, and no place is configured where they may
    /// have gone earlier.
    pub fn has_all_on_disk(&self) -> bool {
        let elsewhere = [
            &self.s3.bucket,
            &self.firebase.bucket,
            &self.azure.container,
        ];
        self.storage_kinds() == [StorageKind::Disk]
            && elsewhere.iter().all(|name| name.trim().is_empty())
    }

    /// The kind of place where recordings of a source go: never [`StorageKind::Unset`].
    pub fn storage_kind_of(&self, source: SourceKind) -> StorageKind {
        let kind = match source {
            SourceKind::Livekit => self.storage.livekit,
            SourceKind::Whip => self.storage.whip,
            SourceKind::Agora => self.storage.agora,
        };
        let has_project = !self.firebase.bucket.trim().is_empty();
        match kind {
            StorageKind::Unset if source == SourceKind::Agora && has_project => {
                StorageKind::Firebase
            }
            StorageKind::Unset => self.storage_kind(),
            kind => kind,
        }
    }

    /// The kind of place where recordings go: never [`StorageKind::Unset`].
    pub fn storage_kind(&self) -> StorageKind {
        match self.storage.kind {
            StorageKind::Unset if !self.s3.bucket.trim().is_empty() => StorageKind::S3,
            StorageKind::Unset if !self.firebase.bucket.trim().is_empty() => StorageKind::Firebase,
            StorageKind::Unset if !self.azure.container.trim().is_empty() => StorageKind::Azure,
            StorageKind::Unset => StorageKind::Disk,
            kind => kind,
        }
    }
}

/// The bucket as the store wants it.
pub fn s3(s3: &S3, storage: &Storage) -> S3Settings {
    let region = match s3.region.trim() {
        "" => ANY_REGION,
        region => region,
    };
    S3Settings {
        endpoint: s3.endpoint.trim().to_owned(),
        region: region.to_owned(),
        bucket: s3.bucket.trim().to_owned(),
        prefix: storage.recordings_path.clone(),
        access_key: s3.access_key.clone(),
        secret_key: s3.secret_key.reveal().to_owned(),
        session_token: s3.session_token.reveal().to_owned(),
        ca_file: Some(s3.ca_file.trim())
            .filter(|file| !file.is_empty())
            .map(Into::into),
    }
}

/// The Firebase project as the store wants it.
pub fn firebase(firebase: &Firebase, storage: &Storage) -> FirebaseSettings {
    let text = |text: &str| text.trim().to_owned();
    FirebaseSettings {
        project_id: text(&firebase.project_id),
        bucket: text(&firebase.bucket),
        prefix: storage.recordings_path.clone(),
        service_account: firebase.service_account.reveal().to_owned(),
        urls: match firebase.urls {
            FirebaseUrls::Signed => tapedeck_storage::FirebaseUrls::Signed,
            FirebaseUrls::Public => tapedeck_storage::FirebaseUrls::Public,
        },
        emulator: firebase.use_emulator.then(|| FirebaseEmulator {
            storage_host: text(&firebase.storage_emulator_host),
            firestore_host: text(&firebase.firestore_emulator_host),
        }),
        storage_endpoint: String::new(),
        firestore_endpoint: String::new(),
    }
}

/// The container as the store wants it.
pub fn azure(azure: &Azure, storage: &Storage) -> AzureSettings {
    AzureSettings {
        endpoint: azure.endpoint.trim().to_owned(),
        account: azure.account.trim().to_owned(),
        container: azure.container.trim().to_owned(),
        prefix: storage.recordings_path.clone(),
        account_key: azure.account_key.reveal().to_owned(),
    }
}

/// Why keeping files would be of no effect, if it would.
pub fn kept_in_vain(settings: &Settings) -> Option<&'static str> {
    let is_wanted = settings.data.keep_files != Keep::UntilDelivered;
    let is_in_vain = is_wanted && settings.storage_kinds() == [StorageKind::Disk];
    is_in_vain.then_some(
        "data.keep_files is of no effect: recordings go to the disk of this machine, and stay there",
    )
}

/// What does not fit together: keys, and why.
pub fn mistakes(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    let (s3, azure) = (&settings.s3, &settings.azure);
    let given = |text: &str| !text.trim().is_empty();
    let firebase = &settings.firebase;
    let kinds = settings.storage_kinds();
    let uses_firebase = kinds.contains(&StorageKind::Firebase);
    let emulated = uses_firebase && firebase.use_emulator;
    let uses_s3 = kinds.contains(&StorageKind::S3);
    let uses_azure = kinds.contains(&StorageKind::Azure);
    let is_address = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    let faults = [
        (
            uses_s3 && !given(&s3.bucket),
            "s3.bucket",
            "(S3_BUCKET) must name the bucket when storage.kind is s3",
        ),
        (
            !uses_s3 && given(&s3.endpoint) && settings.storage.kind == StorageKind::Unset,
            "s3.bucket",
            "(S3_BUCKET) is empty though s3.endpoint is set: name the bucket, or set storage.kind to disk",
        ),
        (
            uses_s3 && given(&s3.endpoint) && !is_address(s3.endpoint.trim()),
            "s3.endpoint",
            "(S3_ENDPOINT) must begin with http:// or https://",
        ),
        (
            uses_s3 && given(&s3.access_key) == s3.secret_key.is_empty(),
            "s3.secret_key",
            "(S3_SECRET_KEY) and s3.access_key (S3_ACCESS_KEY) must both be set, or both be empty",
        ),
        (
            uses_firebase && !given(&firebase.bucket),
            "firebase.bucket",
            "(FIREBASE_STORAGE_BUCKET) must name the bucket when storage.kind is firebase",
        ),
        (
            settings.storage.kind == StorageKind::Unset
                && !given(&firebase.bucket)
                && given(&firebase.project_id),
            "firebase.bucket",
            "(FIREBASE_STORAGE_BUCKET) is empty though firebase.project_id is set: name the bucket, or set storage.kind",
        ),
        (
            uses_firebase && !emulated && firebase.service_account.reveal().trim().is_empty(),
            "firebase.service_account",
            "(FIREBASE_SERVICE_ACCOUNT) must be the JSON of a service account's key or a file with it, unless firebase.use_emulator (FIREBASE_USE_EMULATOR) is true",
        ),
        (
            emulated && !given(&firebase.project_id),
            "firebase.project_id",
            "(FIREBASE_PROJECT_ID) must name the project when the emulators are used",
        ),
        (
            emulated && !given(&firebase.storage_emulator_host),
            "firebase.storage_emulator_host",
            "(FIREBASE_STORAGE_EMULATOR_HOST) must be the emulator's host and port, such as localhost:9199",
        ),
        (
            emulated && !given(&firebase.firestore_emulator_host),
            "firebase.firestore_emulator_host",
            "(FIRESTORE_EMULATOR_HOST) must be the emulator's host and port, such as localhost:8080",
        ),
        (
            uses_azure && !given(&azure.container),
            "azure.container",
            "(AZURE_CONTAINER_NAME) must name the container when storage.kind is azure",
        ),
        (
            uses_azure && !given(&azure.account),
            "azure.account",
            "(AZURE_ACCOUNT_NAME) must name the account",
        ),
        (
            uses_azure && given(&azure.endpoint) && !is_address(azure.endpoint.trim()),
            "azure.endpoint",
            "(AZURE_ENDPOINT) must begin with http:// or https://",
        ),
    ];
    faults
        .into_iter()
        .filter_map(|(is_fault, key, reason)| is_fault.then_some((key, reason)))
        .collect()
}

#[cfg(test)]
mod tests {
    use tapedeck_pipelines::job::Secret;

    use super::*;

    fn settings(kind: StorageKind, s3: S3) -> Settings {
        let storage = Storage {
            kind,
            ..Storage::default()
        };
        Settings {
            storage,
            s3,
            ..Settings::default()
        }
    }

    fn bucket() -> S3 {
        S3 {
            endpoint: "http://localhost:9000".into(),
            bucket: "films".into(),
            access_key: "key".into(),
            secret_key: Secret::new("secret"),
            ..S3::default()
        }
    }

    #[test]
    fn a_bucket_that_is_named_is_used() {
        for (settings, kind) in [
            (settings(StorageKind::Unset, bucket()), StorageKind::S3),
            (settings(StorageKind::Disk, bucket()), StorageKind::Disk),
            (Settings::default(), StorageKind::Disk),
        ] {
            assert_eq!(settings.storage_kind(), kind);
        }
        assert_eq!(mistakes(&settings(StorageKind::Unset, bucket())), []);
        assert_eq!(mistakes(&Settings::default()), []);
    }

    #[test]
    fn a_container_is_used_where_no_bucket_is_named() {
        let container = Azure {
            account: "studio".into(),
            container: "films".into(),
            ..Azure::default()
        };
        let with = |azure: Azure, s3| Settings {
            azure,
            ..settings(StorageKind::Unset, s3)
        };
        let used = with(container.clone(), S3::default());
        assert_eq!(used.storage_kind(), StorageKind::Azure);
        assert_eq!(mistakes(&used), []);
        let both = with(container.clone(), bucket());
        assert_eq!(both.storage_kind(), StorageKind::S3);
        let nobody = Azure {
            account: String::new(),
            ..container
        };
        assert_eq!(mistakes(&with(nobody, S3::default()))[0].0, "azure.account");
    }

    #[test]
    fn what_is_missing_is_named() {
        let without_bucket = S3 {
            bucket: String::new(),
            ..bucket()
        };
        let without_scheme = S3 {
            endpoint: "localhost:9000".into(),
            ..bucket()
        };
        let without_secret = S3 {
            secret_key: Secret::new(""),
            ..bucket()
        };
        for (kind, s3, key) in [
            (StorageKind::S3, without_bucket.clone(), "s3.bucket"),
            (StorageKind::Unset, without_bucket, "s3.bucket"),
            (StorageKind::Unset, without_scheme, "s3.endpoint"),
            (StorageKind::S3, without_secret, "s3.secret_key"),
        ] {
            let found = mistakes(&settings(kind, s3));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, key);
        }
    }

    fn project() -> Firebase {
        Firebase {
            service_account: Secret::new("{}"),
            project_id: "demo".into(),
            bucket: "demo.appspot.com".into(),
            ..Firebase::default()
        }
    }

    fn of_firebase(kind: StorageKind, firebase: Firebase) -> Settings {
        Settings {
            firebase,
            ..settings(kind, S3::default())
        }
    }

    #[test]
    fn a_project_is_used_when_no_other_bucket_is_named() {
        let alone = of_firebase(StorageKind::Unset, project());
        assert_eq!(alone.storage_kind(), StorageKind::Firebase);
        assert_eq!(mistakes(&alone), []);
        let both = Settings {
            firebase: project(),
            ..settings(StorageKind::Unset, bucket())
        };
        assert_eq!(both.storage_kind(), StorageKind::S3);
        assert_eq!(mistakes(&both), []);
    }

    #[test]
    fn what_a_project_lacks_is_named() {
        let emulated = Firebase {
            use_emulator: true,
            service_account: Secret::new(""),
            storage_emulator_host: "localhost:9199".into(),
            firestore_emulator_host: "localhost:8080".into(),
            ..project()
        };
        let complete = of_firebase(StorageKind::Firebase, emulated.clone());
        assert_eq!(mistakes(&complete), []);
        type Change = fn(&mut Firebase);
        let cases: [(Firebase, Change, &str); 5] = [
            (project(), |f| f.bucket.clear(), "firebase.bucket"),
            (
                project(),
                |f| f.service_account = Secret::new(" "),
                "firebase.service_account",
            ),
            (
                emulated.clone(),
                |f| f.project_id.clear(),
                "firebase.project_id",
            ),
            (
                emulated.clone(),
                |f| f.storage_emulator_host.clear(),
                "firebase.storage_emulator_host",
            ),
            (
                emulated,
                |f| f.firestore_emulator_host.clear(),
                "firebase.firestore_emulator_host",
            ),
        ];
        for (mut firebase, change, key) in cases {
            change(&mut firebase);
            let found = mistakes(&of_firebase(StorageKind::Firebase, firebase));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, key);
        }
    }
}
