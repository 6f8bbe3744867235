//! What recordings of Agora's channels cost: browser host and Chromium, captures and renders
//! together, with two speakers in each channel. Chromium, WebRTC and the server are real, Agora's
//! cloud is played.

#[path = "../usage.rs"]
#[allow(dead_code)]
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use harness::agora::{APP_ID, Agora, Speaker};
use harness::tapedeck::Tapedeck;
use serde::Serialize;
use serde_json::json;

use usage::Usage;

/// Time after the last start that is not measured.
const SETTLING: Duration = Duration::from_secs(8);
/// Time between two looks at the memory.
const LOOK: Duration = Duration::from_millis(500);

/// Measures what recordings of Agora's channels cost.
#[derive(Parser)]
#[command(name = "agora")]
struct Arguments {
    /// Channels at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 8])]
    channels: Vec<u32>,
    /// Seconds that are measured in each case.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Where to write the results as JSON.
    #[arg(long, default_value = "target/bench-agora.json")]
    json: PathBuf,
}

/// What some processes cost together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Cost {
    /// CPU seconds per second.
    cpu: f64,
    /// The greatest sum of their proportional set sizes, bytes.
    pss_bytes: u64,
}

#[derive(Serialize)]
struct CaseResult {
    channels: u32,
    /// By role: `browser` (with Chromium), `capture`, `render`.
    roles: BTreeMap<&'static str, Cost>,
    per_channel: Cost,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut results = Vec::new();
    for channels in arguments.channels {
        let result = measure(channels, arguments.seconds).await;
        let Cost { cpu, pss_bytes } = result.per_channel;
        println!(
            "{channels} channels of Agora: {cpu:.3} core and {} MB for each; {:?}",
            pss_bytes / 1_000_000,
            result.roles
        );
        results.push(result);
    }
    let written = serde_json::to_vec_pretty(&results)
        .map_err(std::io::Error::from)
        .and_then(|text| fs::write(&arguments.json, text));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {}: {error}", arguments.json.display());
            ExitCode::FAILURE
        }
    }
}

async fn measure(channels: u32, seconds: u64) -> CaseResult {
    let mut agora = Agora::start().await;
    let sdk = agora.sdk().display().to_string();
    let tapedeck = Tapedeck::start_alone(&[
        ("AGORA_APP_ID", APP_ID),
        ("AGORA_APP_CERT", APP_ID),
        ("TAPEDECK_AGORA_PORT", "0"),
        ("TAPEDECK_AGORA_SDK", &sdk),
        ("TAPEDECK_AGORA_ALLOWED_HOSTS", "127.0.0.1"),
        ("TAPEDECK_RECORDING_MAX_RECORDINGS", "16"),
        ("TAPEDECK_RECORDING_MAX_CPU_PERCENT", "0"),
    ])
    .await;
    let mut data = None;
    for number in 0..channels {
        let channel = format!("bench_ann_{number}");
        for (uid, pitch) in [(7, 440.0), (8, 1_000.0)] {
            let level = 0.25;
            agora.speak(&channel, Speaker { uid, pitch, level }).await;
        }
        let body = json!({ "channel": channel });
        let started = tapedeck.post("/api/recording/start", body).await;
        assert_eq!(started.status, 200, "{}", started.body);
        let sid = started.body["sid"].as_str().expect("a recording's id");
        let work = tapedeck.work(sid);
        data.get_or_insert_with(|| work.ancestors().nth(2).map(Path::to_owned));
    }
    let data = data.flatten().expect("a data folder");
    tokio::time::sleep(SETTLING).await;
    let begun = Instant::now();
    let (first, mut most) = (look(&data), HashMap::new());
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(LOOK).await;
        for (role, (_, pss_bytes)) in look(&data) {
            let greatest: &mut u64 = most.entry(role).or_default();
            *greatest = pss_bytes.max(*greatest);
        }
    }
    let (last, measured) = (look(&data), begun.elapsed().as_secs_f64());
    let roles: BTreeMap<_, _> = last
        .into_iter()
        .map(|(role, (cpu_seconds, _))| {
            let before = first.get(role).map_or(0.0, |(before, _)| *before);
            let cost = Cost {
                cpu: (cpu_seconds - before) / measured,
                pss_bytes: most.get(role).copied().unwrap_or(0),
            };
            (role, cost)
        })
        .collect();
    let sum = |of: fn(&Cost) -> f64| roles.values().map(of).sum::<f64>() / f64::from(channels);
    CaseResult {
        channels,
        per_channel: Cost {
            cpu: sum(|cost| cost.cpu),
            pss_bytes: sum(|cost| cost.pss_bytes as f64) as u64,
        },
        roles,
    }
}

/// CPU seconds and memory so far of all processes that work below `data`, by role.
fn look(data: &Path) -> HashMap<&'static str, (f64, u64)> {
    let mut roles: HashMap<&'static str, (f64, u64)> = HashMap::new();
    for entry in fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let proc = entry.path();
        let words = fs::read(proc.join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let works_below = fs::read_link(proc.join("cwd")).is_ok_and(|at| at.starts_with(data));
        if !works_below && !words.contains(&*data.to_string_lossy()) {
            continue;
        }
        let role = match words.split('\0').nth(1) {
            Some("serve") => continue,
            Some("capture") => "capture",
            Some("render") => "render",
            _ => "browser",
        };
        // One may end between the listing and the look.
        if let Ok(usage) = Usage::of(pid) {
            let sum = roles.entry(role).or_default();
            sum.0 += usage.cpu_seconds;
            sum.1 += usage.pss_bytes;
        }
    }
    roles
}
