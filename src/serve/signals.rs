//! How the server ends.
//!
//! SIGTERM hands over: captures and renders go on, and the next server finds them. SIGINT (Ctrl-C)
//! finishes: live recordings are stopped, rendered and delivered first; a second signal ends at
//! once, which loses nothing either.

use std::time::Duration;

use actix_web::web::Data;
use tapedeck_actors::{LiveSession, Recorder};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::http::Services;

/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

/// Returns when the server shall end.
pub async fn wait(recorder: &Recorder, services: &Data<Services>, finish_timeout: Duration) {
    let (mut interrupt, mut terminate) = match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => {
            log::error!("signals cannot be handled, the server ends: {error}");
            return;
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {
            hand_over(recorder).await;
            return;
        }
    }
    services.begin_to_finish();
    finish(recorder, finish_timeout, &mut interrupt, &mut terminate).await;
}

async fn hand_over(recorder: &Recorder) {
    match live(recorder).await.len() {
        0 => log::info!("the server ends"),
        running => log::info!(
            "the server ends; recordings that go on until the next server takes over: {running}"
        ),
    }
}

async fn finish(
    recorder: &Recorder,
    timeout: Duration,
    interrupt: &mut Signal,
    terminate: &mut Signal,
) {
    let running = live(recorder).await.len();
    match running {
        0 => log::info!("the server ends"),
        _ => log::info!(
            "recordings being finished, for up to {} s: {running}; Ctrl-C again ends at once",
            timeout.as_secs()
        ),
    }
    // Also without recordings: publishers are sent away.
    tokio::select! {
        () = recorder.finish_all(timeout) => {}
        () = tell_progress(recorder) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    match live(recorder).await.len() {
        0 if running == 0 => {}
        0 => log::info!("all recordings are finished, the server ends"),
        unfinished => log::warn!("the server ends; recordings left to the next one: {unfinished}"),
    }
}

/// Tells how far the recordings are, for ever.
async fn tell_progress(recorder: &Recorder) {
    loop {
        actix_rt::time::sleep(PROGRESS_EVERY).await;
        for session in live(recorder).await {
            let rendered_s = session
                .render
                .as_ref()
                .map_or(0, |render| render.position_ms / 1_000);
            let length_s = session
                .capture
                .as_ref()
                .map_or(0, |capture| capture.duration_ms / 1_000);
            log::info!(
                "{} ({}): {}, {rendered_s} of {length_s} s rendered",
                session.manifest.id,
                session.manifest.room_name,
                session.manifest.state
            );
        }
    }
}

/// Recordings that are not finished. A registry that does not answer keeps nobody from ending.
async fn live(recorder: &Recorder) -> Vec<LiveSession> {
    recorder.live().await.unwrap_or_else(|reason| {
        log::error!("it is not known which recordings run: {reason}");
        Vec::new()
    })
}
