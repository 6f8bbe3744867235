//! What Prometheus asks, and counting what everybody asks.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::openapi::{Operation, Schemas};
use super::refusal::Refusal;
use super::services::Services;

/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`
pub async fn metrics(services: web::Data<Services>) -> Result<HttpResponse, Refusal> {
    let told = services.metrics.text(&*services.recordings).await;
    let told = told.map_err(|error| {
        log::error!("metrics cannot be told: {error}");
        Refusal::internal("The metrics cannot be told")
    })?;
    Ok(HttpResponse::Ok().content_type(OPEN_METRICS).body(told))
}

/// What Prometheus asks.
pub fn operations(_: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new("get", "/metrics", "Figures for Prometheus")
            .returns(200, "OpenMetrics", OPEN_METRICS)
            .refuses(&[500]),
    ]
}

/// Middleware that counts requests and how long they take.
///
/// # Errors
/// Those of the handler.
pub async fn measure<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let begun = Instant::now();
    let services = request.app_data::<web::Data<Services>>().cloned();
    let (method, route) = (request.method().clone(), request.match_pattern());
    let answer = next.call(request).await;
    if let Some(services) = services {
        let status = match &answer {
            Ok(answer) => answer.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let requests = &services.metrics.requests;
        requests.answered(&method, route, status, begun.elapsed());
    }
    answer
}
