use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapedeck_actors::{Channels, RoomError};
use tapedeck_pipelines::job::{BrowserSettings, Secret, Source};

use super::{AppCredentials, Grant, Role, TokenVersion, User};

/// How long a token may be valid at most, s.
pub const LONGEST_VALIDITY: u32 = 86_400;

/// The channels of an app.
pub struct AppChannels {
    pub credentials: AppCredentials,
    pub token_version: TokenVersion,
    /// The recorder's user id.
    pub uid: u32,
    pub browser: BrowserSettings,
    pub start_timeout: Duration,
}

impl Channels for AppChannels {
    fn source(&self, channel: &str) -> Result<Source, RoomError> {
        Ok(Source::Agora {
            app_id: self.credentials.app_id().to_owned(),
            channel: channel.to_owned(),
            uid: self.uid,
            token: self.token(channel)?,
            browser: self.browser.clone(),
        })
    }

    fn token(&self, channel: &str) -> Result<Secret, RoomError> {
        let grant = Grant {
            channel,
            user: &User::Number(self.uid),
            role: Role::Subscriber,
            issued_at: unix_now(),
            valid_for: LONGEST_VALIDITY,
            salt: rand::random(),
        };
        Ok(Secret::new(
            self.credentials.sign(self.token_version, &grant),
        ))
    }

    fn start_timeout(&self) -> Duration {
        self.start_timeout
    }
}

/// Now, Unix s; tokens know times until the year 2106.
pub fn unix_now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u32::try_from(since.map_or(0, |since| since.as_secs())).unwrap_or(u32::MAX)
}
