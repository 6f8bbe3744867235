use actix_web::http::Method;

use super::*;

#[actix_web::test]
async fn pages_are_there_for_everybody() {
    let server = Server {
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Closed,
            keys: keys("", "client-key", ""),
        },
        ..Server::default()
    };
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/publish", "text/html; charset=utf-8"),
        ("/api-docs", "text/html; charset=utf-8"),
        ("/web/index.js", "text/javascript; charset=utf-8"),
        ("/web/style.css", "text/css; charset=utf-8"),
        ("/web/icon.svg", "image/svg+xml"),
    ] {
        let request = TestRequest::get()
            .uri(path)
            .insert_header(("host", "rooms.example"));
        let answer = server.send(request).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some(media_type)),
            "{path}"
        );
        assert!(!answer.body.is_empty());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("http"),
            "{policy}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_ne!(
        server.get("/").await.body,
        server.get("/publish").await.body
    );
}

#[actix_web::test]
async fn what_a_browser_has_is_not_sent_again() {
    let server = Server::default();
    let first = server.get("/publish").await;
    let tag = first.header("etag").unwrap();
    for (known, status) in [
        (tag.to_owned(), 304),
        (format!("\"x\", W/{tag}"), 304),
        ("\"x\"".into(), 200),
    ] {
        let request = TestRequest::get()
            .uri("/publish")
            .insert_header(("if-none-match", known));
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.header("etag")), (status, Some(tag)));
        assert_eq!(answer.body.is_empty(), status == 304);
    }
}

#[actix_web::test]
async fn nothing_else_is_served() {
    let server = Server::default();
    for path in [
        "/web/",
        "/web/missing.js",
        "/web/..%2fCargo.toml",
        "/web/%2e%2e/Cargo.toml",
        "/web/%69ndex.js",
        "/publish/",
        "/index.html",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    let post = TestRequest::with_uri("/publish").method(Method::POST);
    let answer = server.send(post).await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
}
