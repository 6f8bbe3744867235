use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::agora::{Grant, unix_now};
use crate::http::clients::Fields;
use crate::http::refusal::{ApiRefusal, Refusal};
use crate::http::services::Services;

use super::app::credentials;
use super::fields;
use super::log::Call;

/// The tag of its lines in the log.
const TAG: &str = "TOKEN";

/// A token for a channel.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelToken")]
pub struct TokenAnswer {
    token: String,
    /// Unix s.
    expire_at: u64,
    /// Seconds.
    expire_in: u32,
}

/// `POST /api/token`: a token to join a channel.
pub async fn token(
    services: web::Data<Services>,
    request: HttpRequest,
    body: Result<Fields, Refusal>,
) -> Result<HttpResponse, ApiRefusal> {
    let call = Call::begin(TAG, &request, body.as_ref().ok().map(|fields| &fields.0));
    let answer = body.and_then(|body| sign(&services, &body, &call));
    answer.map_err(|refusal| call.refused(refusal))
}

fn sign(services: &Services, body: &Fields, call: &Call) -> Result<HttpResponse, Refusal> {
    let channel = fields::channel(&body.0)?;
    let user = fields::user(&body.0)?;
    let role = fields::role(&body.0)?;
    let valid_for = fields::validity(&body.0)?;
    let agora = &services.settings.agora;
    let credentials = credentials(services)?;
    let issued_at = unix_now();
    let token = credentials.sign(
        agora.token_version,
        &Grant {
            channel: &channel,
            user: &user,
            role,
            issued_at,
            valid_for,
            salt: rand::random(),
        },
    );
    call.succeeded(&format!("channel={channel}, uid={user}"));
    Ok(HttpResponse::Ok().json(TokenAnswer {
        token,
        expire_at: u64::from(issued_at) + u64::from(valid_for),
        expire_in: valid_for,
    }))
}
