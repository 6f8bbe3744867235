//! How the server ends: it hands its recordings over to the next one, or finishes them.

use std::time::Duration;

use actix_web::web::Data;
use tapedeck_actors::{LiveSession, Recorder};

use super::signals::Signals;
use crate::config::OnTerminate;
use crate::http::Services;

/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);

/// Waits for a signal and does what it asks for; returns when the server shall end.
pub async fn wait(
    signals: &mut Signals,
    recorder: &Recorder,
    services: &Data<Services>,
    finish_timeout: Duration,
) {
    let ending = signals.next().await;
    super::readiness::tell("STOPPING=1");
    match ending {
        OnTerminate::HandOver => hand_over(signals, recorder).await,
        OnTerminate::Finish => {
            services.begin_to_finish();
            finish(signals, recorder, finish_timeout).await;
        }
    }
}

async fn hand_over(signals: &mut Signals, recorder: &Recorder) {
    let running = tokio::select! {
        running = live(recorder) => running.len(),
        _ = signals.next() => return,
    };
    match running {
        0 => log::info!("the server ends"),
        running => log::info!(
            "the server ends; recordings that go on until the next server takes over: {running}"
        ),
    }
}

async fn finish(signals: &mut Signals, recorder: &Recorder, timeout: Duration) {
    let running = live(recorder).await.len();
    match running {
        0 => log::info!("the server ends"),
        _ => log::info!(
            "recordings being finished, for up to {} s: {running}; a second signal ends at once",
            timeout.as_secs()
        ),
    }
    // Also without recordings: publishers are sent away.
    tokio::select! {
        () = recorder.finish_all(timeout) => {}
        () = tell_progress(recorder) => {}
        _ = signals.next() => {}
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
