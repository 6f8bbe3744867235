use std::io::{Read as _, Write as _};

use actix_web::http::Method;

use super::*;

const NAME: &str = "방-1.mp4";
const URI: &str = "/recordings/%EB%B0%A9-1.mp4";
const CONTENT: &[u8] = b"0123456789abcdefghij";

fn server() -> Server {
    Server {
        store: MemoryStore::with(NAME, CONTENT),
        ..Server::default()
    }
}

async fn ranged(headers: &[(&str, &str)]) -> Answer {
    let request = TestRequest::get().uri(URI);
    let request = headers
        .iter()
        .fold(request, |request, header| request.insert_header(*header));
    server().send(request).await
}

#[actix_web::test]
async fn the_whole_file_is_sent_without_a_range() {
    let answer = ranged(&[]).await;
    assert_eq!((answer.status, &answer.body[..]), (200, CONTENT));
    let expected = [
        ("content-type", "video/mp4"),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-cache"),
        ("etag", "\"tag-1\""),
        ("last-modified", "Fri, 21 Nov 2025 22:53:28 GMT"),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), Some(value));
    }
}

#[actix_web::test]
async fn parts_are_sent_with_their_place() {
    let cases = [
        ("bytes=2-5", "bytes 2-5/20", "2345"),
        ("bytes=15-", "bytes 15-19/20", "fghij"),
        ("bytes=-3", "bytes 17-19/20", "hij"),
        ("bytes=18-100", "bytes 18-19/20", "ij"),
        ("bytes=0-0", "bytes 0-0/20", "0"),
    ];
    for (range, content_range, body) in cases {
        let answer = ranged(&[("range", range)]).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (206, body.as_bytes()),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), Some(content_range));
    }
}

#[actix_web::test]
async fn a_range_behind_the_end_cannot_be_satisfied() {
    let answer = ranged(&[("range", "bytes=20-")]).await;
    assert_eq!(
        (answer.status, answer.header("content-range")),
        (416, Some("bytes */20"))
    );
    assert!(!answer.error_message().is_empty());
}

#[actix_web::test]
async fn if_range_decides_between_part_and_whole() {
    let date = "Fri, 21 Nov 2025 22:53:28 GMT";
    for (validator, status) in [
        ("\"tag-1\"", 206),
        ("\"tag-2\"", 200),
        ("W/\"tag-1\"", 200),
        (date, 206),
        ("Fri, 21 Nov 2025 22:53:29 GMT", 200),
    ] {
        let answer = ranged(&[("range", "bytes=0-3"), ("if-range", validator)]).await;
        assert_eq!(answer.status, status, "{validator}");
    }
}

#[actix_web::test]
async fn a_known_file_is_not_sent_again() {
    for known in ["\"tag-1\"", "\"x\", W/\"tag-1\"", "*"] {
        let answer = ranged(&[("if-none-match", known)]).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
    }
    assert_eq!(ranged(&[("if-none-match", "\"x\"")]).await.status, 200);
}

#[actix_web::test]
async fn missing_files_and_names_that_lead_elsewhere_are_not_found() {
    for path in [
        "missing.mp4",
        "..%2f..%2fsecret",
        "%2e%2e%2fsecret",
        "%00.mp4",
        ".metadata",
        "%2fetc%2fpasswd",
        "%ff",
    ] {
        for method in [Method::GET, Method::HEAD] {
            let request =
                TestRequest::with_uri(&format!("/recordings/{path}")).method(method.clone());
            assert_eq!(server().send(request).await.status, 404, "{method} {path}");
        }
    }
    let missing = server().get("/recordings/missing.mp4").await;
    assert_eq!(missing.error_message(), "Recording not found");
}

/// Over a real connection, since what a HEAD sends is decided there.
#[actix_web::test]
async fn head_tells_the_length_and_sends_nothing() {
    let services = server().services();
    let access = Data::new(Server::default().access);
    let http = actix_web::HttpServer::new(move || {
        App::new()
            .app_data(services.clone())
            .app_data(access.clone())
            .configure(routes)
            .wrap(from_fn(guard))
            .wrap(from_fn(arrive))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let address = http.addrs()[0];
    let running = http.run();
    let handle = running.handle();
    actix_rt::spawn(running);
    let exchange = move |method: &str, range: &str| {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        let request = format!(
            "{method} {URI} HTTP/1.1\r\nHost: localhost\r\nRange: {range}\r\nConnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        text
    };
    let answers = actix_web::rt::task::spawn_blocking(move || {
        [
            ("HEAD", "none"),
            ("HEAD", "bytes=1-3"),
            ("GET", "bytes=1-3"),
        ]
        .map(|(method, range)| exchange(method, range))
    });
    let [whole, part, get] = answers.await.unwrap();
    handle.stop(false).await;
    assert!(
        whole.starts_with("HTTP/1.1 200") && whole.contains("content-length: 20\r\n"),
        "{whole}"
    );
    assert!(
        part.starts_with("HTTP/1.1 206") && part.contains("content-length: 3\r\n"),
        "{part}"
    );
    assert!(part.contains("content-range: bytes 1-3/20\r\n"), "{part}");
    assert!(
        whole.ends_with("\r\n\r\n") && part.ends_with("\r\n\r\n"),
        "{whole}{part}"
    );
    assert!(get.ends_with("\r\n\r\n123"), "{get}");
}
