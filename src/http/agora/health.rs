use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::http::health;
use crate::http::refusal::ApiRefusal;
use crate::http::services::Services;

/// `GET /api/health`: whether recordings can be made.
pub async fn health(services: web::Data<Services>) -> Result<HttpResponse, ApiRefusal> {
    health::ready(services).await?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(HttpResponse::Ok().json(json!({ "status": "ok", "version": version })))
}
