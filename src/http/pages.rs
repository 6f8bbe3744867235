//! Our own pages: files of `web/`, which are part of the executable. They hold no data; what they
//! show they ask for as any client does.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, EntityTag, HeaderMap, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};

use super::openapi::{Operation, Schemas};
use super::refusal::Refusal;

/// A file of `web/`.
struct File {
    name: &'static str,
    content: &'static str,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(File { name: $name, content: include_str!(concat!("../../web/", $name)) }),*]
    };
}

const FILES: &[File] = &files![
    "api-docs.css",
    "api-docs.html",
    "api-docs.js",
    "api.js",
    "devices.js",
    "elements.js",
    "format.js",
    "icon.svg",
    "index.html",
    "index.js",
    "level.js",
    "live.js",
    "overview.js",
    "pictures.js",
    "player.js",
    "publish.html",
    "publish.js",
    "publisher.js",
    "recordings.js",
    "rooms.js",
    "sent.js",
    "stories.js",
    "story.js",
    "style.css",
    "testcard-picture.js",
    "testcard-worker.js",
    "testcard.js",
    "uploads.js",
    "warnings.js",
    "whip.js",
];

/// Paths that are no file names.
const ADDRESSES: [(&str, &str); 3] = [
    ("/", "index.html"),
    ("/publish", "publish.html"),
    ("/api-docs", "api-docs.html"),
];

/// The folder of the other files.
const FOLDER: &str = "/web/";

/// Media types by the end of a file's name.
const MEDIA_TYPES: [(&str, &str); 4] = [
    (".css", "text/css; charset=utf-8"),
    (".html", "text/html; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".svg", "image/svg+xml"),
];

/// What every file is sent with. Scripts, styles and connections are of this server only;
/// recordings that need a key are played from memory (`blob:`). Nobody may put the pages into a
/// frame, where a click could be led astray.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; media-src 'self' blob:; img-src 'self' blob: data:; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // Asked for again each time, which costs little by the entity tag: a new server brings new
    // pages.
    (CACHE_CONTROL, "no-cache"),
];

/// The page that asks for camera, microphone and screen; no other may.
const CAPTURING: (&str, HeaderName, &str) = (
    "publish.html",
    HeaderName::from_static("permissions-policy"),
    "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
);

/// `GET` and `HEAD` of `/`, `/publish`, `/api-docs` and `/web/:file`
pub async fn page(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let file = find(request.path()).ok_or_else(Refusal::no_such_path)?;
    let entity_tag = file.entity_tag();
    let is_known = is_known(request.headers(), &entity_tag);
    let mut response = HttpResponse::Ok();
    for (name, value) in HEADERS {
        response.insert_header((name, value));
    }
    response.insert_header((ETAG, entity_tag.to_string()));
    let (page, name, value) = CAPTURING;
    if file.name == page {
        response.insert_header((name, value));
    }
    Ok(match is_known {
        true => response.status(StatusCode::NOT_MODIFIED).finish(),
        false => response.content_type(file.media_type()).body(file.content),
    })
}

/// The pages.
pub fn operations(_: &mut Schemas) -> Vec<Operation> {
    let pages = [
        ("/", "The operators' page"),
        ("/publish", "A page to publish from"),
        ("/api-docs", "This document, to be read"),
        ("/web/{file}", "What the pages need"),
    ];
    let of_page = |(path, summary): (&'static str, &str)| {
        ["get", "head"].map(|method| {
            let operation = Operation::new(method, path, summary)
                .returns(200, "The file", "*/*")
                .returns(304, "It is there already", "");
            match path.contains('{') {
                true => operation.refuses(&[404]),
                false => operation,
            }
        })
    };
    pages.into_iter().flat_map(of_page).collect()
}

fn find(path: &str) -> Option<&'static File> {
    let name = ADDRESSES
        .iter()
        .find(|(address, _)| *address == path)
        .map(|(_, name)| *name)
        .or_else(|| path.strip_prefix(FOLDER))?;
    FILES.iter().find(|file| file.name == name)
}

fn is_known(headers: &HeaderMap, entity_tag: &EntityTag) -> bool {
    headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| {
            known.split(',').map(str::trim).any(|known| {
                known == "*"
                    || known
                        .parse::<EntityTag>()
                        .is_ok_and(|known| known.weak_eq(entity_tag))
            })
        })
}

impl File {
    fn entity_tag(&self) -> EntityTag {
        let mut hasher = DefaultHasher::new();
        self.content.hash(&mut hasher);
        EntityTag::new_strong(format!("{:016x}", hasher.finish()))
    }

    fn media_type(&self) -> &'static str {
        MEDIA_TYPES
            .iter()
            .find(|(end, _)| self.name.ends_with(end))
            .map_or("text/plain; charset=utf-8", |(_, media_type)| media_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        // What lies in folders is served to our own browser only.
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        there.sort();
        let served: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        assert_eq!(served, there);
        for name in served {
            assert!(
                MEDIA_TYPES.iter().any(|(end, _)| name.ends_with(end)),
                "{name}"
            );
        }
    }
}
