use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::body::SizedStream;
use actix_web::http::header::{self, EntityTag, HeaderMap, HeaderName, HttpDate};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::stream;
use tapedeck_storage::{StoreError, StoredObject, content_type};

use crate::http::refusal::Refusal;
use crate::http::services::Services;

use super::name::RecordingName;
use super::range::{Part, part};

/// `GET` and `HEAD /recordings/:name`
pub async fn stream(
    services: web::Data<Services>,
    request: HttpRequest,
    name: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let name = RecordingName::parse(&name)?;
    let object = services
        .store
        .head(name.as_str())
        .await
        .map_err(|error| refusal(&error))?;
    let headers = request.headers();
    if is_known(headers, &object) {
        return Ok(describe(StatusCode::NOT_MODIFIED, name.as_str(), &object).finish());
    }
    let wanted = match is_unchanged(headers, &object) {
        true => part(text(headers, &header::RANGE), object.size),
        false => Part::Whole,
    };
    let (mut response, bytes) = match wanted {
        Part::Whole => (
            describe(StatusCode::OK, name.as_str(), &object),
            0..object.size,
        ),
        Part::Bytes(bytes) => {
            let mut response = describe(StatusCode::PARTIAL_CONTENT, name.as_str(), &object);
            let content_range = format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, object.size);
            response.insert_header((header::CONTENT_RANGE, content_range));
            (response, bytes)
        }
        Part::Unsatisfiable => {
            let mut response = Refusal::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range_not_satisfiable",
                format!("The recording has {} bytes only", object.size),
            )
            .respond_at(request.path());
            if let Ok(content_range) = format!("bytes */{}", object.size).parse() {
                response
                    .headers_mut()
                    .insert(header::CONTENT_RANGE, content_range);
            }
            return Ok(response);
        }
    };
    let length = bytes.end - bytes.start;
    if request.method() == Method::HEAD || length == 0 {
        return Ok(response.body(SizedStream::new(
            length,
            stream::empty::<Result<_, StoreError>>(),
        )));
    }
    let content = services
        .store
        .read(name.as_str(), bytes)
        .await
        .map_err(|error| refusal(&error))?;
    Ok(response.body(SizedStream::new(length, content)))
}

/// A response with what is true of the whole object.
fn describe(status: StatusCode, name: &str, object: &StoredObject) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, content_type(name)))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(header::ETag(EntityTag::new_strong(object.etag.clone())))
        .insert_header((header::LAST_MODIFIED, HttpDate::from(modified(object))));
    response
}

/// Whether the client has this object already.
fn is_known(headers: &HeaderMap, object: &StoredObject) -> bool {
    text(headers, &header::IF_NONE_MATCH).is_some_and(|known| {
        known.trim() == "*"
            || known
                .split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == format!("\"{}\"", object.etag))
    })
}

/// Whether a range may be sent: there is no If-Range, or it names this very object.
fn is_unchanged(headers: &HeaderMap, object: &StoredObject) -> bool {
    match text(headers, &header::IF_RANGE).map(str::trim) {
        None => true,
        // A weak tag is not enough to put parts together.
        Some(tag) if tag.starts_with('"') || tag.starts_with("W/") => {
            tag == format!("\"{}\"", object.etag)
        }
        Some(date) => date
            .parse::<HttpDate>()
            .is_ok_and(|date| date == HttpDate::from(modified(object))),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// To the second, as HTTP dates are.
fn modified(object: &StoredObject) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(object.modified_at / 1_000).unwrap_or_default())
}

fn refusal(error: &StoreError) -> Refusal {
    Refusal::of_store(error, "a recording could not be read")
}
