//! Whether the stores have what the manifests say is delivered.

use std::io;
use std::path::Path;

use tapedeck_actors::Manifest;
use tapedeck_actors::upkeep::CheckReport;
use tapedeck_pipelines::control::OutputFile;
use tapedeck_storage::{StoreError, Stores};

use super::Place;
use crate::serve;

/// Asks the stores for each delivered file; with `deep` each is read. What is on this machine's disk
/// alone was looked at already.
///
/// # Errors
/// The stores cannot be opened, or the manifests not be read.
pub fn check(place: &Place, deep: bool, report: &mut CheckReport) -> io::Result<()> {
    if place.settings.has_all_on_disk() {
        return Ok(());
    }
    // Only the first provider counts; ours is the only one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let delivered = place.upkeep.delivered()?;
    actix_rt::System::new().block_on(async {
        let stores = serve::open_stores(&place.settings, &place.data).map_err(io::Error::other)?;
        for manifest in &delivered {
            for (name, file) in manifest.files() {
                check_one(&stores, manifest, &name, file, deep, report).await;
            }
        }
        Ok(())
    })
}

async fn check_one(
    stores: &Stores,
    manifest: &Manifest,
    name: &str,
    file: &OutputFile,
    deep: bool,
    report: &mut CheckReport,
) {
    let source = Some(manifest.source.as_str());
    let looked = match stores.head(name, source).await {
        Ok(object) if object.size != file.size_bytes => Ok(Some(format!(
            "its {} bytes are not the {} that were delivered: restore it from a backup",
            object.size, file.size_bytes
        ))),
        Ok(_) if deep => read(stores, name, source, file).await,
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    };
    match looked {
        Ok(fault) => {
            report.objects += 1;
            if let Some(fault) = fault {
                report.find("object", Path::new(name), fault);
            }
        }
        Err(StoreError::NotFound(_)) => {
            let message = format!(
                "the recording {} is delivered, but no store has it: restore it from a backup, or DELETE the recording",
                manifest.id
            );
            report.find("object", Path::new(name), message);
        }
        Err(error) => report.left_out.push(error.to_string()),
    }
}

/// Reads an object to its end; what is wrong with it.
async fn read(
    stores: &Stores,
    name: &str,
    source: Option<&str>,
    file: &OutputFile,
) -> Result<Option<String>, StoreError> {
    let found = stores.digest(name, source, file.size_bytes).await?;
    Ok((found != file.sha256).then(|| {
        format!(
            "its SHA-256 is {found}, not {}: restore it from a backup",
            file.sha256
        )
    }))
}
