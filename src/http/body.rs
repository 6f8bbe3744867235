//! Bodies of requests, within a size and a time.

use std::time::Duration;

use actix_rt::time::timeout;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::StreamExt as _;

use super::refusal::Refusal;

/// How much of a body that is too large is read and thrown away, bytes: a client that still writes
/// does not see the answer.
const MOST_SKIPPED: usize = 8 << 20;

/// How long a body may take, so that clients that stopped sending do not use up the connections.
const SENT_WITHIN: Duration = Duration::from_secs(10);

/// A body of at most `limit` bytes.
///
/// # Errors
/// It is larger, breaks off or takes too long.
pub async fn read(payload: &mut Payload, limit: usize) -> Result<web::BytesMut, Refusal> {
    timeout(SENT_WITHIN, read_all(payload, limit))
        .await
        .unwrap_or_else(|_| {
            Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_too_slow",
                format!(
                    "The request body did not arrive within {} s",
                    SENT_WITHIN.as_secs()
                ),
            ))
        })
}

async fn read_all(payload: &mut Payload, limit: usize) -> Result<web::BytesMut, Refusal> {
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
