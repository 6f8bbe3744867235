//! What an upload to a bucket costs, beside well-known clients in the same run: CPU seconds for each
//! gigabyte, peak memory, speed. The store is a real one on this machine.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use storage_testing::versitygw::Server;
use tapedeck_storage::{
    RecordingMetadata, RecordingStore, S3Settings, UploadProgress, file_digest, open_s3,
};

/// Measures what an upload costs.
#[derive(Parser)]
#[command(name = "upload")]
struct Arguments {
    /// Size of the file, MB (1,000,000 bytes).
    #[arg(long, default_value_t = 1_000)]
    megabytes: u64,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Uploads a file and ends: what is measured.
    #[command(hide = true)]
    Put { endpoint: String, path: PathBuf },
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] tapedeck_storage::StoreError),
    #[error("{0} ended with {1}")]
    Ended(&'static str, std::process::ExitStatus),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.what {
        Some(What::Put { endpoint, path }) => put(endpoint, &path).await,
        None => compare(arguments.megabytes * 1_000_000).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Tapedeck's own way, verified at the store.
async fn put(endpoint: String, path: &Path) -> Result<(), Error> {
    let store = open_s3(&S3Settings {
        endpoint,
        ..Server::credentials()
    })?;
    let metadata = RecordingMetadata {
        id: "EG_abcdefghijkl".into(),
        name: "tapedeck.mp4".into(),
        room_name: "room".into(),
        room_id: "RM_x".into(),
        started_at: 0,
        duration: 0.0,
        size: path.metadata()?.len(),
        sha256: None,
        metadata: None,
        end_reason: None,
        gaps: Vec::new(),
        pauses: Vec::new(),
        files: Vec::new(),
        part_of: None,
    };
    store
        .put(path, &metadata, &UploadProgress::default())
        .await?;
    Ok(())
}

async fn compare(size: u64) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("film.mp4");
    write_film(&path, size)?;
    let server = Server::start().await;
    let settings = server.settings();
    println!("client     CPU s/GB  peak MB    MB/s");
    let mut ours = Command::new(std::env::current_exe()?);
    ours.arg("put").arg(&settings.endpoint).arg(&path);
    let mut aws = Command::new("aws");
    aws.args([
        "--endpoint-url",
        &settings.endpoint,
        "s3",
        "cp",
        "--no-progress",
    ])
    .arg(&path)
    .arg(format!("s3://{}/aws.mp4", settings.bucket))
    .env("AWS_ACCESS_KEY_ID", &settings.access_key)
    .env("AWS_SECRET_ACCESS_KEY", &settings.secret_key)
    .env("AWS_DEFAULT_REGION", &settings.region);
    let mut rclone = Command::new("rclone");
    rclone
        .args(["copyto", "--retries", "1", "--s3-no-check-bucket"])
        .args(["--max-duration", "2m"])
        .arg(&path)
        .arg(format!(":s3:{}/rclone.mp4", settings.bucket))
        // Of no use on plain http, and older ones fail with it.
        .env_remove("AWS_CA_BUNDLE")
        .env("RCLONE_CONFIG", "/dev/null")
        .env("RCLONE_S3_PROVIDER", "Other")
        .env("RCLONE_S3_ENDPOINT", &settings.endpoint)
        .env("RCLONE_S3_REGION", &settings.region)
        .env("RCLONE_S3_ACCESS_KEY_ID", &settings.access_key)
        .env("RCLONE_S3_SECRET_ACCESS_KEY", &settings.secret_key);
    for (name, command) in [("tapedeck", ours), ("aws-cli", aws), ("rclone", rclone)] {
        let cost = match measure(name, command) {
            // Others' troubles are not ours.
            Err(error @ Error::Ended(..)) if name != "tapedeck" => {
                println!("{name:<10} {error}");
                continue;
            }
            cost => cost?,
        };
        match cost {
            Some(cost) => println!(
                "{name:<10} {:>8.2} {:>8.0} {:>7.0}",
                cost.cpu.as_secs_f64() * 1e9 / size as f64,
                cost.peak_bytes as f64 / 1e6,
                size as f64 / 1e6 / cost.took.as_secs_f64(),
            ),
            None => println!("{name:<10} not installed"),
        }
    }
    let stored = server.bucket().join("recordings/tapedeck.mp4");
    assert_eq!(file_digest(&stored)?, file_digest(&path)?, "the same file");
    Ok(())
}

/// Bytes that nothing can shorten.
fn write_film(path: &Path, size: u64) -> io::Result<()> {
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()
}

struct Cost {
    /// User and system time of the process and those that it started.
    cpu: Duration,
    peak_bytes: u64,
    took: Duration,
}

/// Runs a client to its end; none where it is not installed.
fn measure(name: &'static str, mut command: Command) -> Result<Option<Cost>, Error> {
    let begun = Instant::now();
    let spawned = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn();
    let child = match spawned {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        spawned => spawned?,
    };
    let pid = libc::pid_t::try_from(child.id()).unwrap_or(-1);
    let mut status = 0;
    // SAFETY: all zeroes is a value of this C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that live until it returns; the child is ours.
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } != pid {
        return Err(io::Error::last_os_error().into());
    }
    let status = std::process::ExitStatus::from_raw(status);
    if !status.success() {
        return Err(Error::Ended(name, status));
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    Ok(Some(Cost {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        // In kB on Linux.
        peak_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
        took: begun.elapsed(),
    }))
}
