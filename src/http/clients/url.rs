use std::time::Duration;

use actix_web::{HttpResponse, web};
use tapedeck_storage::StoreError;

use crate::config::Playback;
use crate::http::links::path_of;
use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::answer::AddressAnswer;
use super::name::RecordingName;

/// How long a link of the server's own is valid at most, s: as long as somebody may watch.
const LONGEST_LINK_S: u64 = 6 * 3_600;

/// `GET /recordings/:name/url`: an address at which the recording can be fetched without a key.
pub async fn url(
    services: web::Data<Services>,
    name: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let name = RecordingName::parse(&name)?;
    let name = name.as_str();
    services
        .store
        .head(name)
        .await
        .map_err(|error| refusal(&error))?;
    Ok(HttpResponse::Ok().json(AddressAnswer {
        recording_url: address(&services, name).await?,
    }))
}

/// The address of a recording that is there: at its store, or a path at this server.
///
/// # Errors
/// Its store does not tell it.
pub async fn address(services: &Services, name: &str) -> Result<String, Refusal> {
    let storage = &services.settings.storage;
    match storage.playback {
        Playback::Server => Ok(path_of(name)),
        Playback::Store => {
            let valid = Duration::from_secs(storage.url_valid_s);
            let from_store = services.store.url(name, valid).await;
            match from_store.map_err(|error| refusal(&error))? {
                Some(url) => Ok(url),
                None => services
                    .links
                    .link(name, storage.url_valid_s.min(LONGEST_LINK_S))
                    .map_err(|error| failed(&error.to_string())),
            }
        }
    }
}

fn refusal(error: &StoreError) -> Refusal {
    Refusal::of_store(error, "the address of a recording could not be told")
}

fn failed(reason: &str) -> Refusal {
    log::error!("the address of a recording could not be told: {reason}");
    Refusal::internal("Error getting recording URL")
}
