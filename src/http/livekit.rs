//! What a LiveKit server tells us: its webhooks.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};

use super::body;
use super::openapi::{Operation, Schemas};
use super::refusal::{Refusal, sentence};
use super::services::Services;
use crate::auto_record;
use crate::webhooks::verify;

/// The body of a webhook that LiveKit signed.
pub struct SignedBody(web::BytesMut);

impl FromRequest for SignedBody {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let services = request
                .app_data::<web::Data<Services>>()
                .ok_or_else(|| Refusal::internal("Services are not configured"))?;
            let body = body::read(&mut payload, services.settings.server.max_body_bytes).await?;
            let authorization = request.headers().get(AUTHORIZATION);
            let authorization = authorization.and_then(|value| value.to_str().ok());
            let credentials = &services.credentials.livekit;
            match verify(credentials, authorization.unwrap_or_default(), &body) {
                Ok(()) => Ok(Self(body)),
                Err(error) => Err(Refusal::new(
                    StatusCode::UNAUTHORIZED,
                    "unauthorized",
                    sentence(&error.to_string()),
                )),
            }
        })
    }
}

/// `POST /livekit/webhook`: 200 for whatever LiveKit signed, also what nothing is made of.
pub async fn webhook(services: web::Data<Services>, SignedBody(body): SignedBody) -> HttpResponse {
    auto_record::hear(&services, &body);
    HttpResponse::Ok().finish()
}

/// What a LiveKit server calls.
pub fn operations(_: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new("post", "/livekit/webhook", "Webhooks of a LiveKit server")
            .description("Signed as LiveKit does: a JWT in Authorization, with the body's SHA-256.")
            .takes_text("application/webhook+json")
            .returns(200, "It is taken", "")
            .refuses(&[401, 500]),
    ]
}
