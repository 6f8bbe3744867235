//! The LiveKit server: whether it answers, takes the keys, and has our time.

use std::time::{Duration, SystemTime};

use actix_web::http::header::HttpDate;
use tapedeck_actors::RoomError;

use super::{Finding, clock};
use crate::config::Settings;
use crate::livekit::ServerAddress;
use crate::serve;

const CHECK: &str = "LiveKit";
/// No room is called so.
const NO_ROOM: &str = "tapedeck-doctor";

/// Looks at the server of the configuration.
pub async fn look(settings: &Settings) -> Vec<Finding> {
    let livekit = &settings.livekit;
    if !livekit.is_configured() {
        return vec![Finding::ok(
            CHECK,
            "none is configured (LIVEKIT_URL): only rooms of this server are recorded",
        )];
    }
    let rooms = match serve::configured_rooms(livekit) {
        Ok(rooms) => rooms,
        Err(error) => return vec![Finding::problem(CHECK, error.to_string())],
    };
    let found = match rooms {
        Some(rooms) => rooms.find(NO_ROOM).await.map(drop),
        None => Ok(()),
    };
    match found {
        Ok(()) | Err(RoomError::Unknown(_)) => {
            let text = format!("{} answers and takes the keys", livekit.url);
            let mut findings = vec![Finding::ok(CHECK, text)];
            findings.extend(
                ahead(&livekit.url)
                    .await
                    .map(|ahead_ms| clock("LiveKit's clock", &livekit.url, ahead_ms)),
            );
            findings
        }
        Err(error) => {
            let way_out = match &error {
                RoomError::Refused(_) => "; check LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
                _ => "",
            };
            vec![Finding::problem(CHECK, format!("{error}{way_out}"))]
        }
    }
}

/// How far the server's clock is ahead, ms, if it tells its time.
async fn ahead(url: &str) -> Option<i64> {
    let address: ServerAddress = url.parse().ok()?;
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
        .ok()?;
    let answer = client.get(address.http()).send().await.ok()?;
    let date: HttpDate = answer.headers().get("date")?.to_str().ok()?.parse().ok()?;
    let (theirs, ours) = (SystemTime::from(date), SystemTime::now());
    let difference = match theirs.duration_since(ours) {
        Ok(ahead) => i64::try_from(ahead.as_millis()),
        Err(behind) => i64::try_from(behind.duration().as_millis()).map(|behind| -behind),
    };
    difference.ok()
}
