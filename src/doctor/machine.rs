//! The data folder, its disk, ports, GStreamer.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use tapedeck_actors::upkeep::Upkeep;
use tapedeck_pipelines::process::kernel_confines;
use tapedeck_pipelines::render::missing_elements;

use super::Finding;
use crate::config::Settings;
use crate::serve;

/// What is written to learn how fast the disk is, bytes.
const WRITTEN: usize = 32 << 20;
/// A few recordings and their files need less, bytes in a second.
const SLOW: f64 = 10e6;

/// Whether the data folder can be used, and how much room there is.
pub fn data_folder(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "data folder";
    let folder = Path::new(&settings.data.dir);
    let shown = folder.display();
    if !folder.is_dir() {
        return vec![Finding::ok(
            CHECK,
            format!("{shown} is made by the first start"),
        )];
    }
    let mut findings = Vec::new();
    match serve::try_to_write(folder) {
        Ok(()) => findings.push(Finding::ok(CHECK, format!("{shown} can be written"))),
        Err(error) => {
            let way_out = "check its owner, or data.dir (TAPEDECK_DATA_DIR)";
            let text = format!("{shown} cannot be written: {error}; {way_out}");
            return vec![Finding::problem(CHECK, text)];
        }
    }
    let mode = fs::metadata(folder).map(|metadata| metadata.permissions().mode() & 0o777);
    if let Ok(mode) = mode
        && mode & 0o077 != 0
    {
        let text = format!(
            "{shown} holds what participants said, and others on this machine can open it (mode {mode:o}): chmod 700"
        );
        findings.push(Finding::warning(CHECK, text));
    }
    findings.push(match Upkeep::new(folder, None).server() {
        Ok(Some(Some(holder))) => Finding::ok("server", format!("{holder} uses the data folder")),
        Ok(Some(None)) => Finding::ok("server", "a process uses the data folder"),
        Ok(None) => Finding::ok("server", "none uses the data folder"),
        Err(error) => Finding::warning("server", format!("the lock cannot be read: {error}")),
    });
    findings.push(space(settings, folder));
    findings.push(match write_speed(folder) {
        Ok(speed) => judge_speed(speed),
        Err(error) => Finding::problem("disk speed", format!("it cannot be written: {error}")),
    });
    findings
}

fn space(settings: &Settings, folder: &Path) -> Finding {
    const CHECK: &str = "disk space";
    let needed = settings.data.min_free_mb.saturating_mul(1_000_000);
    match Upkeep::new(folder, None).space(needed) {
        Ok(space) if space.is_low() => Finding::problem(CHECK, space.to_string()),
        Ok(space) => Finding::ok(
            CHECK,
            format!("{} MB are free", space.free_bytes / 1_000_000),
        ),
        Err(error) => Finding::warning(CHECK, format!("it is not known: {error}")),
    }
}

/// How fast the disk takes what must be on it, bytes in a second.
fn write_speed(folder: &Path) -> io::Result<f64> {
    let path = folder.join(format!(".speed-{}.tmp", std::process::id()));
    let begun = Instant::now();
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0x5a; WRITTEN])?;
        file.sync_all()
    });
    let took = begun.elapsed();
    fs::remove_file(&path)?;
    written?;
    #[allow(clippy::cast_precision_loss, reason = "32 MB")]
    Ok(WRITTEN as f64 / took.as_secs_f64().max(1e-6))
}

fn judge_speed(speed: f64) -> Finding {
    const CHECK: &str = "disk speed";
    let text = format!("{:.0} MB/s", speed / 1e6);
    match speed < SLOW {
        true => {
            let way_out = "recordings fall behind: take a local disk";
            Finding::warning(CHECK, format!("{text}; {way_out}"))
        }
        false => Finding::ok(CHECK, text),
    }
}

/// Whether the server's port is free, or its own.
pub fn ports(settings: &Settings) -> Finding {
    const CHECK: &str = "port";
    let port = settings.server.port;
    let server = Upkeep::new(Path::new(&settings.data.dir), None).server();
    let is_its_own = matches!(server, Ok(Some(Some(holder)))
        if holder.address.ends_with(&format!(":{port}")));
    match serve::can_listen(settings) {
        Ok(()) => Finding::ok(CHECK, format!("{port} is free")),
        Err(_) if is_its_own => Finding::ok(CHECK, format!("the running server listens on {port}")),
        Err(error) => Finding::warning(CHECK, error.to_string()),
    }
}

/// Whether the processes of recordings can be kept from other files.
pub fn sandbox(settings: &Settings) -> Finding {
    const CHECK: &str = "sandbox";
    match (settings.recording.sandbox, kernel_confines()) {
        (false, _) => Finding::warning(
            CHECK,
            "it is off: what breaks a decoder reaches all files of this user; check recording.sandbox",
        ),
        (true, true) => Finding::ok(CHECK, "the kernel has Landlock"),
        (true, false) => Finding::warning(
            CHECK,
            "the kernel has no Landlock, or it is switched off: what breaks a decoder reaches all files of this user; add landlock to the kernel's lsm= list",
        ),
    }
}

/// Whether GStreamer has what a render needs.
pub fn elements(settings: &Settings) -> Finding {
    const CHECK: &str = "GStreamer";
    match missing_elements(settings.video.encoder) {
        Ok(missing) if missing.is_empty() => Finding::ok(CHECK, "all elements are installed"),
        Ok(missing) => {
            let missing: Vec<String> = missing
                .iter()
                .map(|(element, package)| format!("{element} ({package})"))
                .collect();
            Finding::problem(CHECK, format!("not installed: {}", missing.join(", ")))
        }
        Err(error) => Finding::problem(CHECK, format!("it cannot be used: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_slow_disk_is_a_warning() {
        assert_eq!(judge_speed(2e6).verdict, Verdict::Warning);
        assert_eq!(judge_speed(200e6).verdict, Verdict::Ok);
    }

    #[test]
    fn the_port_of_the_server_that_runs_is_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings::default();
        settings.data.dir = folder.path().display().to_string();
        settings.server.port = address.port();
        assert_eq!(ports(&settings).verdict, Verdict::Warning);
        let holder = json!({ "pid": 1, "since_ms": 0, "address": address });
        let lock = File::create(folder.path().join("lock")).unwrap();
        (&lock).write_all(holder.to_string().as_bytes()).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        assert_eq!(ports(&settings).verdict, Verdict::Ok);
    }

    #[test]
    fn a_data_folder_is_looked_at_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.data.dir = folder.path().display().to_string();
        settings.data.min_free_mb = u64::MAX / 1_000_000;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let findings = data_folder(&settings);
        let verdict = |check: &str, verdict| {
            let mut of_it = findings.iter().filter(|finding| finding.check == check);
            assert!(
                of_it.any(|finding| finding.verdict == verdict),
                "{findings:?}"
            );
        };
        verdict("data folder", Verdict::Warning);
        verdict("disk space", Verdict::Problem);
        verdict("server", Verdict::Ok);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
