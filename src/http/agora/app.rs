use actix_web::http::StatusCode;

use crate::agora::AppCredentials;
use crate::http::refusal::{Refusal, sentence};
use crate::http::services::Services;

/// The app of the configuration.
///
/// # Errors
/// There is none, or what is configured is none.
pub fn credentials(services: &Services) -> Result<AppCredentials, Refusal> {
    let agora = &services.settings.agora;
    AppCredentials::new(&agora.app_id, &agora.app_certificate).map_err(|error| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "agora_not_configured",
            sentence(&error.to_string()),
        )
    })
}
