//! Whether the server lives, and whether it can record.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::serve::try_to_write;

use super::openapi::{Operation, Schemas};
use super::refusal::Refusal;
use super::services::Services;

/// How long the recorder may take to say that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The server lives.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alive")]
pub struct AliveAnswer {
    /// `ok`.
    status: &'static str,
    /// Of the data folder: `ok`, `low` or `unknown`.
    disk: &'static str,
}

/// The server can record.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ready")]
pub struct ReadyAnswer {
    /// `ready`.
    status: &'static str,
}

/// `GET /healthz`: a disk that is full is told, but is no reason to end the server, which helps
/// those that are being recorded.
pub async fn alive(services: web::Data<Services>) -> HttpResponse {
    let looked = actix_rt::time::timeout(ANSWER_WITHIN, services.recordings.space()).await;
    let disk = match looked {
        Ok(Ok(space)) if space.is_low() => "low",
        Ok(Ok(_)) => "ok",
        Ok(Err(_)) | Err(_) => "unknown",
    };
    HttpResponse::Ok().json(AliveAnswer { status: "ok", disk })
}

/// `GET /readyz`
pub async fn ready(services: web::Data<Services>) -> Result<HttpResponse, Refusal> {
    let unready =
        |reason: String| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", reason);
    if services.is_finishing() {
        return Err(unready(
            "The server is finishing its recordings and takes no new ones".to_owned(),
        ));
    }
    match actix_rt::time::timeout(ANSWER_WITHIN, services.recordings.ready()).await {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => return Err(unready(reason)),
        Err(_) => {
            return Err(unready(format!(
                "The recorder does not answer within {} s",
                ANSWER_WITHIN.as_secs()
            )));
        }
    }
    if let Ok(Ok(space)) = actix_rt::time::timeout(ANSWER_WITHIN, services.recordings.space()).await
        && space.is_low()
    {
        return Err(unready(space.to_string()));
    }
    let data_dir = services.data_dir.clone();
    match web::block(move || try_to_write(&data_dir)).await {
        Ok(Ok(())) => Ok(HttpResponse::Ok().json(ReadyAnswer { status: "ready" })),
        Ok(Err(error)) => Err(unready(format!(
            "The data folder {} cannot be written: {error}",
            services.data_dir.display()
        ))),
        Err(_) => Err(unready("The data folder could not be tried".to_owned())),
    }
}

/// What health checks ask.
pub fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = Vec::new();
    for method in ["get", "head"] {
        operations.push(
            Operation::new(method, "/healthz", "Whether the server lives").answers::<AliveAnswer>(
                schemas,
                200,
                "It does; also how the disk is",
            ),
        );
        operations.push(
            Operation::new(method, "/readyz", "Whether the server can record")
                .answers::<ReadyAnswer>(schemas, 200, "It can")
                .refuses(&[503]),
        );
    }
    operations
}
