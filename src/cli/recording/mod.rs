//! `tapedeck recording`: a client of a running server.

mod client;
mod show;
mod watch;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use tapedeck_actors::SourceKind;
use tapedeck_pipelines::job::OutputFormat;

use crate::http::request::{RoomBody, StartBody};

use client::{Client, ClientError};

/// What every id of a recording begins with.
const ID: &str = "EG_";

/// What to do with recordings of a running server. Exits with 1 when the server refuses, with 3 when
/// none answers.
#[derive(Debug, Args)]
pub struct RecordingOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    server: ServerOptions,
}

/// Which server, and how it is spoken to.
#[derive(Debug, Args)]
struct ServerOptions {
    /// Where the server answers [default: by the configuration]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// A file that holds the key [default: TAPEDECK_AUTH_OPERATOR_KEY, auth.operator_key, or the one of the data folder]
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The configuration file [default: $TAPEDECK_CONFIG, tapedeck.toml or config/tapedeck.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, as the server sends it
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Record a room; returns when the recorder is in it
    Start(Box<StartOptions>),
    /// End a recording; returns when its file is there, or says that it is in the making
    Stop(RoomOptions),
    /// Let a recording pause
    Pause(RoomOptions),
    /// Let a paused recording go on
    Resume(RoomOptions),
    /// List recordings in any state, the newest first
    List(ListOptions),
    /// Tell what happens to recordings, a line for each change, until Ctrl-C
    Watch {
        /// Only this one, until it has finished: a room's name or a recording's id
        #[arg(value_name = "ROOM|ID")]
        which: Option<String>,
    },
    /// Print an address at which a recording can be fetched without a key
    Url {
        /// A recording's id or file name
        #[arg(value_name = "ID|NAME")]
        which: String,
    },
    /// Delete a recording
    Delete {
        /// A recording's id or file name
        #[arg(value_name = "ID|NAME")]
        which: String,
    },
}

/// Where a room lives.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Source {
    Livekit,
    Whip,
    Agora,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Mp4,
    Wav,
}

#[derive(Debug, Args)]
struct RoomOptions {
    room: String,
    /// Where the room lives, if rooms of this name live in several places
    #[arg(long)]
    source: Option<Source>,
}

#[derive(Debug, Args)]
struct StartOptions {
    #[command(flatten)]
    room: RoomOptions,
    #[arg(long)]
    format: Option<Format>,
    /// A further WAV for each participant
    #[arg(long)]
    per_speaker: bool,
    /// An MP4 without a picture
    #[arg(long)]
    audio_only: bool,
    /// Pixels, even
    #[arg(long)]
    width: Option<u32>,
    /// Pixels, even
    #[arg(long)]
    height: Option<u32>,
    /// The most frames in a second
    #[arg(long)]
    framerate: Option<u32>,
    /// Bits per second
    #[arg(long)]
    video_bitrate: Option<u32>,
    /// Seconds after which it ends by itself
    #[arg(long, value_name = "SECONDS")]
    max_duration: Option<u64>,
    /// Seconds from one thumbnail to the next; 0 for none
    #[arg(long, value_name = "SECONDS")]
    thumbnail_interval: Option<u32>,
    /// JSON that is given back with the recording
    #[arg(long, value_name = "JSON", value_parser = json)]
    metadata: Option<Value>,
}

#[derive(Debug, Args)]
struct ListOptions {
    /// Only of this room
    #[arg(long)]
    room: Option<String>,
    /// Only in this state, such as active, uploading, complete or failed
    #[arg(long)]
    state: Option<String>,
    /// The most recordings, from 1 to 500
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

impl Source {
    fn kind(self) -> SourceKind {
        match self {
            Self::Livekit => SourceKind::Livekit,
            Self::Whip => SourceKind::Whip,
            Self::Agora => SourceKind::Agora,
        }
    }
}

impl RoomOptions {
    fn body(&self) -> RoomBody {
        RoomBody {
            room_name: self.room.clone(),
            source: self.source.map(Source::kind),
        }
    }
}

impl StartOptions {
    fn body(&self) -> StartBody {
        let RoomBody { room_name, source } = self.room.body();
        StartBody {
            room_name,
            source,
            format: self.format.map(|format| match format {
                Format::Mp4 => OutputFormat::Mp4,
                Format::Wav => OutputFormat::Wav,
            }),
            per_speaker: self.per_speaker.then_some(true),
            audio_only: self.audio_only.then_some(true),
            width: self.width,
            height: self.height,
            framerate: self.framerate,
            video_bitrate: self.video_bitrate,
            max_duration: self.max_duration,
            thumbnail_interval: self.thumbnail_interval,
            metadata: self.metadata.clone(),
        }
    }
}

/// Does it.
pub fn run(options: &RecordingOptions) -> ExitCode {
    // Only the first provider counts; ours is the only one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = actix_rt::System::new().block_on(async {
        let client = Client::new(&options.server)?;
        perform(&client, &options.verb, options.server.json).await
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            super::refuse(&error);
            error.exit_code()
        }
    }
}

async fn perform(client: &Client, verb: &Verb, is_json: bool) -> Result<ExitCode, ClientError> {
    let (answer, text) = match verb {
        Verb::Start(options) => {
            let path = ["recordings", "start"];
            let answer = client.post(&path, &options.body()).await?;
            let text = show::started(&answer);
            (answer, text)
        }
        Verb::Stop(options) => {
            let path = ["recordings", "stop"];
            let answer = client.post(&path, &options.body()).await?;
            let text = show::stopped(&answer);
            (answer, text)
        }
        Verb::Pause(options) | Verb::Resume(options) => {
            let action = match verb {
                Verb::Pause(_) => "pause",
                _ => "resume",
            };
            let path = ["recordings", action];
            let answer = client.post(&path, &options.body()).await?;
            let text = show::changed(&answer);
            (answer, text)
        }
        Verb::List(options) => {
            let limit = options.limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(options.room.as_deref().map(|room| ("roomName", room)));
            query.extend(options.state.as_deref().map(|state| ("state", state)));
            let answer = client.get(&["v1", "recordings"], &query).await?;
            let text = show::table(&answer);
            (answer, text)
        }
        Verb::Watch { which } => return watch::run(client, which.as_deref(), is_json).await,
        Verb::Url { which } => {
            let name = name_of(client, which).await?;
            let mut answer = client.get(&["recordings", &name, "url"], &[]).await?;
            let address = client.absolute(answer["recordingUrl"].as_str().unwrap_or_default())?;
            answer["recordingUrl"] = address.clone().into();
            (answer, address)
        }
        Verb::Delete { which } => {
            let name = name_of(client, which).await?;
            let answer = client.delete(&["recordings", &name]).await?;
            (answer, format!("deleted {name}"))
        }
    };
    Ok(match is_json {
        true => super::print_json(&answer),
        false => print(&text),
    })
}

/// Prints lines. Whoever reads only their beginning has had enough.
fn print(text: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    ExitCode::SUCCESS
}

/// The file name of a recording that is told by its id or by that name.
async fn name_of(client: &Client, which: &str) -> Result<String, ClientError> {
    if !which.starts_with(ID) {
        return Ok(which.to_owned());
    }
    let recording = client.get(&["v1", "recordings", which], &[]).await?;
    let name = recording["name"].as_str();
    name.map(str::to_owned).ok_or(ClientError::Answer)
}
