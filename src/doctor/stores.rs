//! The stores: credentials, bucket, clock, and a small object there and back.

use std::path::Path;
use std::time::Duration;

use tapedeck_storage::{Probe, StoreError};
use tokio::time::timeout;

use super::{Finding, clock};
use crate::config::Settings;
use crate::serve;

const CHECK: &str = "store";
/// How long a store may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries each store to which recordings go.
pub async fn look(settings: &Settings, data_dir: &Path) -> Vec<Finding> {
    // Before the first start a bucket can be tried all the same; nothing is made here for that.
    let spare = tempfile::tempdir();
    let data_dir = match &spare {
        Ok(spare) if !data_dir.is_dir() => spare.path(),
        _ => data_dir,
    };
    let opened = data_dir
        .canonicalize()
        .map_err(|error| error.to_string())
        .and_then(|folder| serve::open_stores(settings, &folder).map_err(|it| it.to_string()));
    let stores = match opened {
        Ok(stores) => stores,
        Err(error) => return vec![Finding::problem(CHECK, error)],
    };
    let mut findings = Vec::new();
    for store in stores.in_use() {
        let place = store.place();
        match timeout(PATIENCE, store.probe()).await {
            Ok(probed) => findings.extend(judge(place, probed)),
            Err(_) => {
                let text = format!(
                    "{place} did not answer within {} s: check address and network",
                    PATIENCE.as_secs()
                );
                findings.push(Finding::problem(CHECK, text));
            }
        }
    }
    findings
}

fn judge(place: &str, probed: Result<Probe, StoreError>) -> Vec<Finding> {
    match probed {
        Ok(probe) => {
            let text = format!(
                "{place}: an object was written, read and deleted in {} ms",
                probe.took.as_millis()
            );
            let clock = probe
                .clock_ahead_ms
                .map(|ahead_ms| clock("store's clock", place, ahead_ms));
            [Finding::ok(CHECK, text)]
                .into_iter()
                .chain(clock)
                .collect()
        }
        Err(error) => vec![Finding::problem(CHECK, error.to_string())],
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[tokio::test]
    async fn the_folder_of_recordings_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let findings = look(&Settings::default(), folder.path()).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].verdict, Verdict::Ok, "{findings:?}");
    }

    #[tokio::test]
    async fn before_the_first_start_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let findings = look(&Settings::default(), &data_dir).await;
        assert_eq!(findings[0].verdict, Verdict::Ok, "{findings:?}");
        assert!(!data_dir.exists());
    }

    #[test]
    fn what_a_store_refuses_is_a_problem_with_its_way_out() {
        let refused = StoreError::Refused {
            action: "try",
            name: "the bucket".into(),
            detail: "check S3_BUCKET".into(),
        };
        let findings = judge("a bucket", Err(refused));
        assert_eq!(findings[0].verdict, Verdict::Problem);
        assert!(findings[0].message.contains("S3_BUCKET"));
        let probe = Probe {
            took: Duration::from_millis(3),
            clock_ahead_ms: Some(-600_000),
        };
        let verdicts: Vec<_> = judge("a bucket", Ok(probe))
            .iter()
            .map(|finding| finding.verdict)
            .collect();
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Problem]);
    }
}
