//! `tapedeck serve`

mod data_folder;
mod ending;
mod exposure;
pub mod key_file;
mod listeners;
mod port_holder;
mod readiness;
mod signals;
mod store;

pub use data_folder::{prepare as prepare_data, recordings, try_to_write};

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tapedeck_actors::{
    Channels, MediaServers, Recorder, RecorderSettings, RetentionSettings, Rooms, UploadSettings,
    WebhookSettings,
};
use tapedeck_pipelines::job::{Canvas, CaptureLimits, OutputFormat, OutputSettings};
use tapedeck_pipelines::process::leave_children_unconfined;
use tapedeck_storage::{StoreError, Stores};

use crate::agora::{AppChannels, AppCredentials};
use crate::auto_record::{AutoRecord, PatternMistake};
use crate::config::{self, Agora, Auth, Livekit, Settings, rooms};
use crate::http::{self, ApiLog, Proxies, Services, SignedLinks, Throttle};
use crate::livekit::{Credentials, LivekitRooms, RoomCredentials};
use crate::webhooks::SignedPosts;
use signals::Signals;
use store::OpenStores;

/// Handlers only translate, so two threads are enough.
const WORKERS: usize = 2;

/// Open connections of clients. Each may have a file open as well, and the manifests of recordings
/// need descriptors whatever clients do.
const MOST_CONNECTIONS: usize = 1_024;

/// How long the head of a request may take, so that clients that stopped sending do not use up the
/// connections.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept: longer than proxies keep theirs (nginx 60 s), which
/// would otherwise send a request into one that is being closed.
const KEPT_ALIVE: Duration = Duration::from_secs(75);

/// How long open answers may take when the server ends, s.
const HTTP_SHUTDOWN_TIMEOUT_S: u64 = 3;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Exposure(#[from] exposure::ExposureError),
    #[error(transparent)]
    Listen(#[from] listeners::ListenError),
    #[error(transparent)]
    DataFolder(#[from] data_folder::DataFolderError),
    #[error(transparent)]
    RecordingsFolder(#[from] data_folder::RecordingsFolderError),
    #[error("{0}; check [storage], [s3] and [firebase] of the configuration")]
    Store(#[from] StoreError),
    #[error("livekit.url: {0}")]
    Livekit(String),
    #[error("the rooms' ports or addresses: {0}")]
    Rooms(#[from] rooms::RoomsMistake),
    #[error("webhooks.urls {0}")]
    Webhooks(#[from] config::webhooks::WebhooksMistake),
    #[error("auto_record.rooms {0}")]
    AutoRecord(#[from] PatternMistake),
    #[error("webhooks cannot be sent: {0}")]
    WebhookClient(#[from] reqwest::Error),
    #[error("agora.allowed_hosts {0}")]
    Agora(#[from] config::agora::AgoraMistake),
    #[error("server.trusted_proxies: {0}")]
    Proxies(#[from] http::ProxiesMistake),
    #[error(transparent)]
    KeyFile(#[from] key_file::KeyFileError),
    #[error(
        "the recorder cannot use the data folder {folder}: {source}; check data.dir (TAPEDECK_DATA_DIR)"
    )]
    Recorder {
        folder: String,
        source: std::io::Error,
    },
    #[error("the log of /api, {}, cannot be written: {source}; check agora.api_log (TAPEDECK_AGORA_API_LOG)", path.display())]
    ApiLog {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the server ended: {0}")]
    Server(#[from] std::io::Error),
}

/// Runs the server until a signal ends it.
///
/// # Errors
/// Why it did not start, or what ended it.
pub fn run(settings: Settings) -> Result<(), ServeError> {
    // Only the first provider counts; ours is the only one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    actix_rt::System::new().block_on(serve(settings))
}

async fn serve(mut settings: Settings) -> Result<(), ServeError> {
    if !settings.recording.sandbox {
        leave_children_unconfined();
    }
    let addresses = listeners::resolve(&settings.server, settings.server.port)?;
    if !may_have_key(&settings) {
        // Before anything is touched.
        exposure::decide(&settings.auth, &addresses)?;
    }
    let proxies = Proxies::parse(&settings.server.trusted_proxies)?;
    // Before anything else is touched: a port in use is most often this server, running already.
    let sockets = bind_all(&settings)?;
    let data_dir = data_folder::prepare(&settings.data)?;
    take_kept_key(&mut settings.auth, &data_dir, &addresses)?;
    let access = exposure::decide(&settings.auth, &addresses)?;
    let links_key = key_file::load_or_draw(&data_dir, key_file::LINKS)?;
    let OpenStores { stores, folder } = store::open(&settings, &data_dir)?;

    let credentials = credentials(&settings.livekit, &data_dir)?;
    let servers = MediaServers {
        livekit: livekit_rooms(&settings.livekit, &credentials)?,
        agora: agora_channels(&settings.agora)?,
    };
    let mut how = recorder_settings(&settings, &data_dir, folder, &addresses)?;
    how.webhooks = webhook_settings(&settings)?;
    let recorder = Recorder::launch(how, servers, stores.clone())
        .await
        .map_err(|source| ServeError::Recorder {
            folder: data_dir.display().to_string(),
            source,
        })?;

    log::info!(
        "tapedeck {} records {}",
        env!("CARGO_PKG_VERSION"),
        match settings.livekit.is_configured() {
            true => format!("rooms of {}, and its own", settings.livekit.url),
            false => "rooms of its own: no LIVEKIT_URL is set".to_owned(),
        }
    );
    log::info!(
        "data is in {}, finished recordings go to {}",
        data_dir.display(),
        stores.place()
    );
    for address in addresses.iter().chain(&further_addresses(&settings)?) {
        log::info!("listening on http://{address}");
    }
    log::info!("publish at {}/publish", front_address(&addresses));
    log::info!("{}", exposure::describe(&access));

    let finish_timeout = Duration::from_secs(settings.server.finish_timeout_s);
    let auto_record = AutoRecord::new(&settings)?;
    let mut signals = Signals::catch(settings.server.on_sigterm)?;
    actix_rt::spawn(crate::doctor::warn(settings.clone()));
    let services = web::Data::new(Services::new(
        Arc::new(recorder.clone()),
        Arc::new(recorder.library()),
        credentials,
        SignedLinks::new(&links_key),
        settings,
        auto_record,
        data_dir,
    ));
    let access = web::Data::new(access);
    let trusted = proxies.clone();
    let proxies = web::Data::new(proxies);
    let throttle = web::Data::new(Throttle::new(&services.settings.server));
    let connections = throttle.connections();
    let shared = services.clone();
    let api_log = api_log(&services)?.map(web::Data::new);
    let mut server = HttpServer::new(move || {
        let app = match api_log.clone() {
            Some(log) => App::new().app_data(log),
            None => App::new(),
        };
        app.app_data(shared.clone())
            .app_data(access.clone())
            .configure(http::routes)
            .app_data(proxies.clone())
            .app_data(throttle.clone())
            .wrap(from_fn(http::guard))
            .wrap(from_fn(http::throttle))
            .wrap(from_fn(http::share))
            .wrap(from_fn(http::arrive))
            .wrap(from_fn(http::measure))
    })
    .on_connect(move |connection, data| connections.opened(connection, data, &trusted))
    .client_request_timeout(HEAD_WITHIN)
    .keep_alive(KEPT_ALIVE)
    .workers(WORKERS)
    .max_connections(MOST_CONNECTIONS / WORKERS)
    .shutdown_timeout(HTTP_SHUTDOWN_TIMEOUT_S)
    .disable_signals();
    for socket in sockets {
        server = server.listen(socket)?;
    }
    let server = server.run();
    let handle = server.handle();
    let served = actix_rt::spawn(server);

    readiness::tell("READY=1");
    ending::wait(&mut signals, &recorder, &services, finish_timeout).await;
    // They would go on for as long as somebody watches.
    services.events.close();
    tokio::select! {
        () = handle.stop(true) => {}
        _ = signals.next() => handle.stop(false).await,
    }
    served.await.unwrap_or(Ok(()))?;
    Ok(())
}

/// Whether there is an operator key besides a configured one, or will be.
fn may_have_key(settings: &Settings) -> bool {
    let path = Path::new(&settings.data.dir).join(key_file::OPERATOR);
    settings.auth.draw_operator_key || path.exists()
}

/// Takes over the operator key of the data folder if none is configured, and draws it if it is wanted.
fn take_kept_key(
    auth: &mut Auth,
    data_dir: &Path,
    addresses: &[SocketAddr],
) -> Result<(), key_file::KeyFileError> {
    if !auth.operator_key.is_empty() {
        return Ok(());
    }
    let kept = key_file::load(data_dir, key_file::OPERATOR)?;
    let is_drawn = kept.is_none() && auth.draw_operator_key && exposure::is_foreign(addresses);
    if let Some(key) = match is_drawn {
        true => Some(key_file::draw(data_dir, key_file::OPERATOR)?),
        false => kept,
    } {
        log::info!(
            "the operator key {} in {}: `tapedeck key show` prints it",
            if is_drawn {
                "was drawn and is"
            } else {
                "is the one"
            },
            data_dir.join(key_file::OPERATOR).display()
        );
        auth.operator_key = key;
    }
    Ok(())
}

/// Whether the server's addresses are free.
///
/// # Errors
/// Which is not, and who has it.
pub fn can_listen(settings: &Settings) -> Result<(), ServeError> {
    bind_all(settings).map(drop)
}

/// The stores of the settings; the data folder is `data_dir`.
///
/// # Errors
/// One of them cannot be opened.
pub fn open_stores(settings: &Settings, data_dir: &Path) -> Result<Stores, ServeError> {
    Ok(store::open(settings, data_dir)?.stores)
}

/// The media server's rooms with the configured keys, if there is one.
///
/// # Errors
/// The settings do not make sense.
pub fn configured_rooms(livekit: &Livekit) -> Result<Option<Arc<dyn Rooms>>, ServeError> {
    let credentials = Credentials {
        api_key: livekit.api_key.clone(),
        api_secret: livekit.api_secret.clone(),
    };
    let credentials = RoomCredentials {
        own: credentials.clone(),
        livekit: credentials,
    };
    livekit_rooms(livekit, &credentials)
}

/// Listens wherever the settings say.
fn bind_all(settings: &Settings) -> Result<Vec<TcpListener>, ServeError> {
    let addresses = listeners::resolve(&settings.server, settings.server.port)?;
    let mut sockets = listeners::bind(&addresses, listeners::MAIN_PORT)?;
    let further = further_addresses(settings)?;
    sockets.extend(listeners::bind(&further, listeners::AGORA_PORT)?);
    Ok(sockets)
}

/// Where clients of Memharbor look for the server, if there is an app of Agora.
fn further_addresses(settings: &Settings) -> Result<Vec<SocketAddr>, ServeError> {
    let port = settings.agora.port;
    if !settings.agora.is_configured() || [0, settings.server.port].contains(&port) {
        return Ok(Vec::new());
    }
    Ok(listeners::resolve(&settings.server, port)?)
}

/// The log of what is asked of `/api`, if there is an app of Agora.
fn api_log(services: &Services) -> Result<Option<ApiLog>, ServeError> {
    let agora = &services.settings.agora;
    if !agora.is_configured() {
        return Ok(None);
    }
    let path = services.data_dir.join(&agora.api_log);
    match ApiLog::open(&path) {
        Ok(log) => Ok(Some(log)),
        Err(source) => Err(ServeError::ApiLog { path, source }),
    }
}

/// The media server's rooms, if there is one.
fn livekit_rooms(
    livekit: &Livekit,
    credentials: &RoomCredentials,
) -> Result<Option<Arc<dyn Rooms>>, ServeError> {
    if !livekit.is_configured() {
        return Ok(None);
    }
    let address = livekit
        .url
        .parse()
        .map_err(|error| ServeError::Livekit(format!("{error}")))?;
    let timeout = Duration::from_millis(livekit.request_timeout_ms);
    let rooms = LivekitRooms::new(address, credentials.livekit.clone(), timeout)
        .map_err(|error| ServeError::Livekit(error.to_string()))?;
    Ok(Some(Arc::new(rooms)))
}

/// The channels of the configured app of Agora, if there is one whose tokens can be made.
///
/// # Errors
/// The settings do not make sense.
pub fn agora_channels(agora: &Agora) -> Result<Option<Arc<dyn Channels>>, ServeError> {
    if !agora.is_configured() {
        return Ok(None);
    }
    let credentials = match AppCredentials::new(&agora.app_id, &agora.app_certificate) {
        Ok(credentials) => credentials,
        // The start of a recording says so, and the look at what is needed.
        Err(_) => return Ok(None),
    };
    Ok(Some(Arc::new(AppChannels {
        credentials,
        token_version: agora.token_version,
        uid: agora.uid,
        browser: config::agora::browser(agora)?,
        start_timeout: Duration::from_secs(agora.join_timeout_s),
    })))
}

/// What tokens are signed with. A secret that everybody knows is no lock for rooms of ours.
fn credentials(livekit: &Livekit, data_dir: &Path) -> Result<RoomCredentials, ServeError> {
    let configured = Credentials {
        api_key: livekit.api_key.clone(),
        api_secret: livekit.api_secret.clone(),
    };
    let own = match livekit.has_well_known_secret() {
        true => Credentials {
            api_secret: key_file::load_or_draw(data_dir, key_file::ROOMS)?,
            ..configured.clone()
        },
        false => configured.clone(),
    };
    Ok(RoomCredentials {
        livekit: configured,
        own,
    })
}

/// Where a browser on this machine reaches the server. It allows cameras on localhost, and on other
/// hosts only over https.
fn front_address(addresses: &[SocketAddr]) -> String {
    let port = addresses.first().map_or(0, SocketAddr::port);
    let reached_by_localhost =
        |address: &SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
    match (
        addresses.iter().any(reached_by_localhost),
        addresses.first(),
    ) {
        (false, Some(address)) => format!("http://{address}"),
        _ => format!("http://localhost:{port}"),
    }
}

/// The addresses in words.
fn listening_on(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    addresses.join(" and ")
}

/// What a recording looks like unless its request says otherwise.
pub fn output_settings(settings: &Settings) -> OutputSettings {
    let Settings { video, audio, .. } = settings;
    OutputSettings {
        format: OutputFormat::Mp4,
        per_speaker: false,
        audio_only: false,
        canvas: Canvas {
            width: video.width,
            height: video.height,
            frame_rate: video.framerate,
        },
        video_bitrate: video.bitrate,
        audio_bitrate: audio.bitrate,
        encoder: video.encoder,
        x264_preset: video.x264_preset.clone(),
        key_frame_interval_ms: video.key_frame_interval_ms,
        thumbnail_interval_s: thumbnails(video.thumbnail_interval_s),
    }
}

/// 0 stands for none in the configuration.
pub fn thumbnails(interval_s: u32) -> Option<u32> {
    (interval_s > 0).then_some(interval_s)
}

/// What the recorder is told. `addresses` are those on which the server listens.
///
/// # Errors
/// The settings do not make sense, or this program's own path is not known.
pub fn recorder_settings(
    settings: &Settings,
    data_dir: &Path,
    store_dir: Option<PathBuf>,
    addresses: &[SocketAddr],
) -> Result<RecorderSettings, ServeError> {
    let recording = &settings.recording;
    Ok(RecorderSettings {
        data_dir: data_dir.to_owned(),
        executable: std::env::current_exe()?,
        output: output_settings(settings),
        limits: CaptureLimits {
            max_duration_ms: recording.max_duration_s * 1_000,
            empty_room_timeout_ms: recording.empty_room_timeout_s * 1_000,
            source_lost_timeout_ms: recording.source_lost_timeout_s * 1_000,
            server_lost_timeout_ms: recording.server_lost_timeout_s * 1_000,
        },
        rooms: rooms::settings(&settings.rooms)?,
        render_lag_ms: recording.render_lag_ms,
        gaps: recording.gaps,
        store_dir,
        uploads: UploadSettings {
            at_once: settings.storage.uploads_at_once,
            longest_pause: Duration::from_secs(settings.storage.retry_max_s),
            ..UploadSettings::default()
        },
        retention: RetentionSettings {
            files: settings.data.keep_files,
            logs: settings.data.keep_logs,
        },
        // Only the server itself tells anybody.
        webhooks: WebhookSettings::default(),
        address: listening_on(addresses),
        min_free_bytes: settings.data.min_free_mb.saturating_mul(1_000_000),
        max_recordings: recording.max_recordings,
        max_cpu_percent: recording.max_cpu_percent,
        start_timeout: Duration::from_secs(recording.start_timeout_s),
        capture_restart_pause: Duration::from_secs(1),
        stop_timeout: Duration::from_secs(recording.stop_timeout_s),
        sync_interval: Duration::from_millis(recording.sync_interval_ms),
    })
}

/// Whom webhooks go to.
///
/// # Errors
/// The settings do not make sense.
fn webhook_settings(settings: &Settings) -> Result<WebhookSettings, ServeError> {
    let webhooks = &settings.webhooks;
    let urls = config::webhooks::urls(&webhooks.urls)?;
    if urls.is_empty() {
        return Ok(WebhookSettings::default());
    }
    let (api_key, api_secret) = match webhooks.api_key.is_empty() {
        true => (&settings.livekit.api_key, &settings.livekit.api_secret),
        false => (&webhooks.api_key, &webhooks.api_secret),
    };
    let credentials = Credentials {
        api_key: api_key.clone(),
        api_secret: api_secret.clone(),
    };
    let sender = SignedPosts::new(credentials, Duration::from_secs(webhooks.timeout_s))?;
    let hours = |hours: u64| Duration::from_secs(hours.saturating_mul(3_600));
    Ok(WebhookSettings {
        urls,
        sender: Some(Arc::new(sender)),
        longest_pause: Duration::from_secs(webhooks.retry_max_s),
        give_up_after: hours(webhooks.give_up_after_h),
        keep: hours(webhooks.keep_h),
        ..WebhookSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use tapedeck_pipelines::job::Secret;

    use super::*;

    #[test]
    fn a_secret_that_everybody_knows_opens_no_room_of_ours() {
        let data = tempfile::tempdir().unwrap();
        let known = credentials(&Livekit::default(), data.path()).unwrap();
        assert_eq!(known.livekit.api_secret.reveal(), "secret");
        assert_ne!(known.own.api_secret, known.livekit.api_secret);
        let again = credentials(&Livekit::default(), data.path()).unwrap();
        assert_eq!(again.own.api_secret, known.own.api_secret);

        let livekit = Livekit {
            api_secret: Secret::new("known-to-us-only"),
            ..Livekit::default()
        };
        let own = credentials(&livekit, data.path()).unwrap();
        assert_eq!(own.own.api_secret, livekit.api_secret);
    }

    #[test]
    fn a_key_is_drawn_only_where_it_is_needed_and_wanted() {
        let (local, foreign) = ("127.0.0.1:6080", "0.0.0.0:6080");
        for (draws, configured, address, is_drawn) in [
            (true, "", foreign, true),
            (true, "", local, false),
            (false, "", foreign, false),
            (true, "configured", foreign, false),
        ] {
            let data = tempfile::tempdir().unwrap();
            let auth = || Auth {
                draw_operator_key: draws,
                operator_key: Secret::new(configured),
                ..Auth::default()
            };
            let addresses = [address.parse().unwrap()];
            let mut first = auth();
            take_kept_key(&mut first, data.path(), &addresses).unwrap();
            assert_eq!(data.path().join("operator.key").exists(), is_drawn);
            assert_eq!(first.operator_key.reveal().len() == 64, is_drawn);
            // It counts from then on, wherever the server listens.
            let mut second = auth();
            take_kept_key(&mut second, data.path(), &[local.parse().unwrap()]).unwrap();
            assert_eq!(second.operator_key, first.operator_key);
        }
    }

    #[test]
    fn the_front_page_is_where_browsers_allow_cameras() {
        for (addresses, expected) in [
            (&["127.0.0.1:6080"][..], "http://localhost:6080"),
            (&["0.0.0.0:7000"], "http://localhost:7000"),
            (&["127.0.0.1:6080", "[::1]:6080"], "http://localhost:6080"),
            (&["192.0.2.7:6080"], "http://192.0.2.7:6080"),
        ] {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(front_address(&addresses), expected);
        }
    }
}
