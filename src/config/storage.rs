//! Where finished recordings go.

use tapedeck_storage::S3Settings;

use super::{S3, Settings, Storage, StorageKind};

/// Where a region is not said and the server is not AWS, which needs one.
const ANY_REGION: &str = "us-east-1";

impl Settings {
    /// The kind of place where recordings go: never [`StorageKind::Unset`].
    pub fn storage_kind(&self) -> StorageKind {
        match self.storage.kind {
            StorageKind::Unset if !self.s3.bucket.trim().is_empty() => StorageKind::S3,
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

/// What does not fit together: keys, and why.
pub fn mistakes(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    let s3 = &settings.s3;
    let given = |text: &str| !text.trim().is_empty();
    let uses_s3 = settings.storage_kind() == StorageKind::S3;
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
}
