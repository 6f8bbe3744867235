use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::health;
use crate::http::refusal::ApiRefusal;
use crate::http::services::Services;

/// Recordings can be made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiHealth")]
pub struct HealthAnswer {
    /// `ok`.
    status: &'static str,
    version: &'static str,
}

/// `GET /api/health`: whether recordings can be made.
pub async fn health(services: web::Data<Services>) -> Result<HttpResponse, ApiRefusal> {
    health::ready(services).await?;
    Ok(HttpResponse::Ok().json(HealthAnswer {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    }))
}
