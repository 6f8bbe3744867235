use std::time::Duration;

use actix_web::{HttpResponse, web};
use tapedeck_actors::SourceKind;

use crate::http::refusal::Refusal;
use crate::http::services::Services;
use crate::livekit::ParticipantToken;

use super::answer::TokenAnswer;
use super::body::Fields;
use super::fields;

/// `POST /token`: a token to join a room of the media server, or to publish in one of ours.
pub async fn token(services: web::Data<Services>, body: Fields) -> Result<HttpResponse, Refusal> {
    let (Some(room), Some(participant)) = (
        fields::name(&body.0, "roomName")?,
        fields::name(&body.0, "participantName")?,
    ) else {
        return Err(Refusal::invalid(
            "roomName and participantName are required",
        ));
    };
    let livekit = &services.settings.livekit;
    let source = fields::source(&body.0)?.unwrap_or_else(|| services.settings.default_source());
    let credentials = match source {
        SourceKind::Livekit => &services.credentials.livekit,
        SourceKind::Whip => &services.credentials.own,
        SourceKind::Agora => {
            return Err(Refusal::invalid(
                "tokens for channels of Agora are given out by POST /api/token",
            ));
        }
    };
    let token = credentials
        .participant(&ParticipantToken {
            room: &room,
            participant: &participant,
            room_record: livekit.token_room_record,
            valid_for: Duration::from_secs(livekit.token_ttl_s),
        })
        .map_err(|error| {
            log::error!("{error}");
            Refusal::internal("Error creating token")
        })?;
    Ok(HttpResponse::Ok().json(TokenAnswer { token }))
}
