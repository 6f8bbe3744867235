use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde_json::{Map, Value};

use crate::http::body;
use crate::http::refusal::Refusal;
use crate::http::services::Services;

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
            let body = body::read(&mut payload, limit.unwrap_or_default()).await?;
            parse(&body).map(Self)
        })
    }
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
