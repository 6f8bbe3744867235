//! Requests as they are, with an eye on the answers: how far the store's clock is from ours, and
//! headers that `object_store` does not hand on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::{HeaderMap, header};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// The clock is not known.
const UNKNOWN: i64 = i64::MIN;

/// The clock of a store, as far as its answers told it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// ms.
    pub fn ahead_ms(&self) -> Option<i64> {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            ahead => Some(ahead),
        }
    }

    /// Takes the time from the headers of an answer.
    pub fn learn(&self, headers: &HeaderMap) {
        let told = headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok());
        let told = told.and_then(parse_http_date);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        if let (Some(told), Ok(now)) = (told, now) {
            let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
            // The header has whole seconds: the middle of it errs least.
            self.0.store(told * 1000 + 500 - now, Ordering::Relaxed);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(UNKNOWN)))
    }
}

/// Headers of an answer, among its extensions.
#[derive(Clone, Debug)]
pub struct AnswerHeaders(pub HeaderMap);

/// Makes clients that watch.
#[derive(Clone, Debug, Default)]
pub struct WatchedConnector {
    /// What they learn.
    pub clock: Clock,
}

impl HttpConnector for WatchedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Watched {
            client,
            clock: self.clock.clone(),
        }))
    }
}

#[derive(Debug)]
struct Watched {
    client: HttpClient,
    clock: Clock,
}

#[async_trait]
impl HttpService for Watched {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut answer = self.client.execute(request).await?;
        self.clock.learn(answer.headers());
        let headers = AnswerHeaders(answer.headers().clone());
        answer.extensions_mut().insert(headers);
        Ok(answer)
    }
}

/// Unix seconds of `Sun, 22 Nov 2026 11:30:22 GMT`.
fn parse_http_date(text: &str) -> Option<i64> {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = time::PrimitiveDateTime::parse(text, &format).ok()?;
    Some(date.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_far_the_clock_is_ahead() {
        assert_eq!(
            parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        let clock = Clock::default();
        assert_eq!(clock.ahead_ms(), None);
        let mut headers = HeaderMap::new();
        headers.insert("date", "nonsense".parse().unwrap());
        clock.learn(&headers);
        assert_eq!(clock.ahead_ms(), None);
        headers.insert("date", "Sun, 06 Nov 2094 08:49:37 GMT".parse().unwrap());
        clock.learn(&headers);
        assert!(clock.ahead_ms().unwrap() > 1_000_000_000_000);
    }
}
