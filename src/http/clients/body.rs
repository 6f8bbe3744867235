use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_rt::time::timeout;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt as _;
use serde_json::{Map, Value};

use crate::http::refusal::Refusal;
use crate::http::services::Services;

/// How much of a body that is too large is read and thrown away, bytes: a client that still writes
/// does not see the answer.
const MOST_SKIPPED: usize = 8 << 20;

/// How long a body may take, so that clients that stopped sending do not use up the connections.
const SENT_WITHIN: Duration = Duration::from_secs(10);

/// The fields of a request's JSON body; none when there is no body. The content type is not looked
/// at, as many a client does not send it.
pub struct Fields(pub Map<String, Value>);

impl FromRequest for Fields {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request
            .app_data::<web::Data<Services>>()
            .map(|services| services.settings.server.max_body_bytes);
        let mut payload = payload.take();
        Box::pin(async move {
            let limit = limit.unwrap_or_default();
            let body = timeout(SENT_WITHIN, read(&mut payload, limit)).await;
            let body = body.unwrap_or_else(|_| {
                Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "body_too_slow",
                    format!(
                        "The request body did not arrive within {} s",
                        SENT_WITHIN.as_secs()
                    ),
                ))
            })?;
            parse(&body).map(Self)
        })
    }
}

async fn read(payload: &mut Payload, limit: usize) -> Result<web::BytesMut, Refusal> {
    let mut body = web::BytesMut::new();
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refusal::invalid("The request body ends too early"))?;
        length += chunk.len();
        if length <= limit {
            body.extend_from_slice(&chunk);
        } else if length > limit + MOST_SKIPPED {
            break;
        }
    }
    if length > limit {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The request body is larger than {limit} bytes"),
        ));
    }
    Ok(body)
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refusal::invalid("The request body must be a JSON object")),
        Err(error) => Err(Refusal::invalid(format!(
            "The request body is not JSON: {error}"
        ))),
    }
}
