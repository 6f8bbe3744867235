//! Agora: the app's credentials, and a real join to a channel, which only the owner of an app can try.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tapedeck_actors::{Manifest, MediaServers, Recorder, SourceKind, StartRequest};
use tapedeck_pipelines::browser::{find_chromium, find_sdk};
use tapedeck_pipelines::job::{OutputFormat, OutputSettings};
use tapedeck_storage::DiskStore;

use super::Finding;
use crate::agora::AppCredentials;
use crate::config::Settings;
use crate::http::check_channel;
use crate::serve;

const CHECK: &str = "Agora";
/// Between two looks at who is heard.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the file may take after the end.
const FINISH: Duration = Duration::from_secs(30);
/// Bytes of a WAV's header.
const HEADER: usize = 44;
/// Below it there is nothing but noise, dB of full scale.
const SILENCE_DB: f64 = -60.0;

/// A join to try.
#[derive(Clone, Debug, Args)]
pub struct JoinOptions {
    /// The channel to join; any name will do, best one in which somebody speaks
    #[arg(long)]
    channel: String,
    /// How long to listen, seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

/// Looks at what can be seen without Agora.
pub fn look(settings: &Settings) -> Vec<Finding> {
    let agora = &settings.agora;
    if !agora.is_configured() {
        return vec![Finding::ok(
            CHECK,
            "no app is configured (AGORA_APP_ID): no channels are recorded",
        )];
    }
    let credentials = match AppCredentials::new(&agora.app_id, &agora.app_certificate) {
        Ok(_) => Finding::ok(
            CHECK,
            "id and certificate of the app are well-formed; whether Agora takes them tries `tapedeck doctor agora --channel NAME`",
        ),
        Err(error) => Finding::problem(CHECK, error.to_string()),
    };
    let found = |check, path: Result<PathBuf, String>| match path {
        Ok(path) => Finding::ok(check, path.display().to_string()),
        Err(error) => Finding::problem(check, error),
    };
    let chromium = find_chromium(Path::new(agora.chromium.trim()));
    vec![
        credentials,
        found("Chromium", chromium.map_err(|error| error.to_string())),
        found("Agora's SDK", find_sdk(Path::new(agora.sdk.trim()))),
    ]
}

/// Joins a channel as recordings do, listens, and tells what was heard. Nothing is kept.
pub async fn join(settings: &Settings, options: &JoinOptions) -> Vec<Finding> {
    if let Err(refusal) = check_channel(&options.channel, "the channel") {
        return vec![Finding::problem(CHECK, refusal.message)];
    }
    let mut findings = look(settings);
    let Ok(Some(agora)) = serve::agora_channels(&settings.agora) else {
        let text = "without an app there is nothing to join: set AGORA_APP_ID and AGORA_APP_CERT";
        findings.push(Finding::problem("join", text));
        return findings;
    };
    let servers = MediaServers {
        livekit: None,
        agora: Some(agora),
    };
    match tempfile::tempdir() {
        Ok(folder) => findings.extend(listen(settings, options, servers, folder.path()).await),
        Err(error) => findings.push(Finding::problem(
            "join",
            format!("no temporary folder can be made: {error}"),
        )),
    }
    findings
}

/// Records in `folder` for a while.
async fn listen(
    settings: &Settings,
    options: &JoinOptions,
    servers: MediaServers,
    folder: &Path,
) -> Vec<Finding> {
    let problem = |text: String| vec![Finding::problem("join", text)];
    let store = match DiskStore::open(&folder.join("recordings")) {
        Ok(store) => Arc::new(store),
        Err(error) => return problem(error.to_string()),
    };
    let launched = match serve::recorder_settings(settings, folder, None, &[]) {
        Ok(settings) => Recorder::launch(settings, servers, store)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let recorder = match launched {
        Ok(recorder) => recorder,
        Err(error) => return problem(error),
    };
    let begun = Instant::now();
    let started = recorder.start(request(settings, &options.channel)).await;
    let findings = match started {
        Ok(manifest) => {
            let text = format!(
                "in channel {} as user {} after {:.1} s",
                options.channel,
                settings.agora.uid,
                begun.elapsed().as_secs_f64()
            );
            let mut findings = vec![Finding::ok("join", text)];
            findings.extend(heard(&recorder, &manifest, options, folder).await);
            findings
        }
        Err(error) => problem(error.to_string()),
    };
    recorder.finish_all(FINISH).await;
    findings
}

fn request(settings: &Settings, channel: &str) -> StartRequest {
    StartRequest {
        room_name: channel.to_owned(),
        source: SourceKind::Agora,
        output: OutputSettings {
            format: OutputFormat::Wav,
            ..serve::output_settings(settings)
        },
        max_duration_ms: None,
        metadata: None,
        idempotency_key: None,
    }
}

/// Who was there meanwhile, and what is in the file.
async fn heard(
    recorder: &Recorder,
    manifest: &Manifest,
    options: &JoinOptions,
    folder: &Path,
) -> Vec<Finding> {
    let mut speakers: BTreeMap<String, u8> = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(options.seconds);
    while Instant::now() < until {
        for session in recorder.live().await.unwrap_or_default() {
            let participants = session.capture.map(|capture| capture.participants);
            for participant in participants.unwrap_or_default() {
                let loudest = speakers.entry(participant.identity).or_default();
                *loudest = (*loudest).max(participant.level.unwrap_or_default());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let mut findings = vec![who_spoke(&speakers)];
    let stopped = recorder
        .stop(&options.channel, Some(SourceKind::Agora))
        .await;
    let read = match stopped {
        Ok(stopped) if stopped.is_delivered() => {
            std::fs::read(folder.join("recordings").join(&stopped.name))
                .map_err(|error| error.to_string())
        }
        Ok(stopped) => Err(stopped
            .error
            .unwrap_or_else(|| format!("{} is still {}", manifest.id, stopped.state))),
        Err(error) => Err(error.to_string()),
    };
    findings.push(match read {
        Ok(wav) => loudness(&wav, !speakers.is_empty()),
        Err(error) => Finding::problem("file", format!("there is none: {error}")),
    });
    findings
}

fn who_spoke(speakers: &BTreeMap<String, u8>) -> Finding {
    const CHECK: &str = "speakers";
    if speakers.is_empty() {
        let text = "nobody else is in the channel as a host: join it with another client and speak, to see whether it is heard";
        return Finding::warning(CHECK, text);
    }
    let told = speakers
        .iter()
        .map(|(identity, loudest)| format!("{identity} (loudest {loudest} of 100)"));
    Finding::ok(CHECK, told.collect::<Vec<_>>().join(", "))
}

/// How loud a WAV of 16 bits at 16 kHz is.
fn loudness(wav: &[u8], somebody_was_there: bool) -> Finding {
    const CHECK: &str = "file";
    let samples = wav.get(HEADER..).unwrap_or_default();
    let (pairs, _) = samples.as_chunks::<2>();
    let peak = pairs
        .iter()
        .map(|pair| i16::from_le_bytes(*pair).unsigned_abs())
        .max();
    let seconds = pairs.len() as f64 / 16_000.0;
    let decibels = 20.0
        * (f64::from(peak.unwrap_or_default()) / 32_768.0)
            .max(1e-5)
            .log10();
    let text = format!("{seconds:.1} s of sound, loudest {decibels:.0} dB of full scale");
    match decibels > SILENCE_DB || !somebody_was_there {
        true if !pairs.is_empty() => Finding::ok(CHECK, text),
        _ => {
            let way_out = "somebody was there and nothing was heard: is a microphone muted, or UDP to Agora's servers blocked?";
            Finding::warning(CHECK, format!("{text}; {way_out}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use tapedeck_pipelines::job::Secret;

    use super::super::Verdict;
    use super::*;

    #[test]
    fn what_an_app_needs_is_looked_at_when_there_is_one() {
        let mut settings = Settings::default();
        assert_eq!(look(&settings)[0].verdict, Verdict::Ok);
        settings.agora.app_id = "your_app_id".into();
        let finding = look(&settings).remove(0);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert!(finding.message.contains("AGORA_APP_ID"));
        settings.agora.app_id = "0".repeat(32);
        settings.agora.app_certificate = Secret::new("f".repeat(32));
        settings.agora.chromium = "/nowhere/chromium".into();
        settings.agora.sdk = "/nowhere/sdk.js".into();
        let findings = look(&settings);
        let verdicts: Vec<_> = findings.iter().map(|it| it.verdict).collect();
        let expected = [Verdict::Ok, Verdict::Problem, Verdict::Problem];
        assert_eq!(verdicts, expected, "{findings:?}");
    }

    #[test]
    fn silence_is_told_when_somebody_was_there() {
        let wav = |sample: i16| {
            let sound = sample.to_le_bytes().repeat(32_000);
            [vec![0; HEADER], sound].concat()
        };
        let loud = loudness(&wav(8_192), true);
        assert_eq!(loud.verdict, Verdict::Ok);
        assert_eq!(loud.message, "2.0 s of sound, loudest -12 dB of full scale");
        assert_eq!(loudness(&wav(3), true).verdict, Verdict::Warning);
        assert_eq!(loudness(&wav(3), false).verdict, Verdict::Ok);
        assert_eq!(loudness(&[], true).verdict, Verdict::Warning);
    }

    #[test]
    fn speakers_are_told_with_their_levels() {
        assert_eq!(who_spoke(&BTreeMap::new()).verdict, Verdict::Warning);
        let speakers = BTreeMap::from([("4711".to_owned(), 37)]);
        assert_eq!(who_spoke(&speakers).message, "4711 (loudest 37 of 100)");
    }
}
