use std::path::Path;
use std::process::ExitCode;

use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::{Reach, harden, init_logging, read_job, redirect_output};

/// The most that a process says before its older output is dropped, bytes.
const OUTPUT_CAP_BYTES: u64 = 4 << 20;

/// Where a process works, and what its log lines tell of it.
pub struct Place<'a> {
    /// Is created. Its output goes to `folder/<name>.log`.
    pub folder: &'a Path,
    /// The recording's id, or what stands for it.
    pub id: &'a str,
    pub room_name: &'a str,
    /// What the process may reach; everything if it starts programs that need more.
    pub reach: Option<Reach>,
}

/// The beginning of a process that speaks to the network: the job from standard input, output to
/// a capped file, logging, and a runtime of one thread. `name` is that of the subcommand.
///
/// # Errors
/// The exit code, after the reason was told.
pub fn start<J: DeserializeOwned>(
    name: &str,
    place: impl Fn(&J) -> Place<'_>,
) -> Result<(J, Runtime), ExitCode> {
    let refuse = |why: String| {
        eprintln!("tapedeck {name}: {why}");
        ExitCode::FAILURE
    };
    let job: J = read_job().map_err(|error| refuse(error.to_string()))?;
    let Place {
        folder,
        id,
        room_name,
        reach,
    } = place(&job);
    std::fs::create_dir_all(folder)
        .map_err(|error| refuse(format!("cannot create {}: {error}", folder.display())))?;
    // Before anything comes from the network, and before there are other threads.
    let told = harden(reach.as_ref());
    if let Err(error) = redirect_output(&folder.join(format!("{name}.log")), OUTPUT_CAP_BYTES) {
        // It goes on: media is worth more than a log.
        eprintln!("cannot write to the process log: {error}");
    }
    // Fails only when somebody else has begun logging, which serves as well.
    let _ = init_logging(id, room_name);
    for (level, text) in told {
        log::log!(level, "{text}");
    }
    // Fails only when one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refuse(format!("cannot start the runtime: {error}")))?;
    Ok((job, runtime))
}
