//! What one client may take, and what browsers are told of every answer.

use crate::config;

use super::*;

fn limited(server: config::Server) -> Server {
    Server {
        access: Access {
            clients: ClientPaths::Key,
            operators: OperatorPaths::Key,
            keys: keys("operator-key", "", ""),
        },
        throttle: Data::new(Throttle::new(&server)),
        settings: Settings {
            server,
            ..Settings::default()
        },
        ..Server::default()
    }
}

async fn from(server: &Server, peer: &str, forwarded: &str, key: &str) -> Answer {
    let request = TestRequest::get()
        .uri("/v1/recordings")
        .peer_addr(format!("{peer}:4711").parse().unwrap())
        .insert_header(("x-forwarded-for", forwarded.to_owned()))
        .insert_header(("authorization", format!("Bearer {key}")));
    server.send(request).await
}

#[actix_web::test]
async fn who_tries_many_keys_is_refused_for_a_while() {
    let server = limited(config::Server {
        failed_logins_per_min: 3,
        trusted_proxies: "10.0.0.1".into(),
        ..Default::default()
    });
    for _ in 0..3 {
        assert_eq!(
            from(&server, "10.0.0.1", "192.0.2.7", "guess-it")
                .await
                .status,
            401
        );
    }
    // A right guess must not look different from a wrong one.
    for key in ["guess-it", "operator-key"] {
        let refused = from(&server, "10.0.0.1", "192.0.2.7", key).await;
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=20).contains(&wait), "{wait}");
        assert_eq!(refused.json()["error"]["code"], "too_many_requests");
    }
    // Neither others behind the proxy nor requests without credentials suffer.
    assert_eq!(
        from(&server, "10.0.0.1", "192.0.2.8", "operator-key")
            .await
            .status,
        200
    );
    let open = TestRequest::get()
        .uri("/healthz")
        .peer_addr("192.0.2.7:4711".parse().unwrap());
    assert_eq!(server.send(open).await.status, 200);
    // Whoever is no proxy cannot put the blame on others, or escape it.
    for blamed in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(
            from(&server, "198.51.100.1", blamed, "guess-it")
                .await
                .status,
            401
        );
    }
    let refused = from(&server, "198.51.100.1", "192.0.2.4", "operator-key").await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        from(&server, "10.0.0.1", "192.0.2.1", "operator-key")
            .await
            .status,
        200
    );
}

#[actix_web::test]
async fn a_key_is_not_tried_where_it_is_not_needed() {
    let server = limited(config::Server {
        failed_logins_per_min: 3,
        ..Default::default()
    });
    let ask = async |key: &str| {
        let request = TestRequest::get()
            .uri("/v1/info")
            .peer_addr("192.0.2.7:4711".parse().unwrap())
            .insert_header(("authorization", format!("Bearer {key}")));
        server.send(request).await
    };
    for _ in 0..5 {
        assert_eq!(ask("operator-key").await.status, 200);
    }
    for _ in 0..3 {
        let told = ask("guess-it").await;
        assert_eq!((told.status, told.json().get("version")), (200, None));
    }
    for key in ["guess-it", "operator-key"] {
        assert_eq!(ask(key).await.status, 429);
    }
}

#[actix_web::test]
async fn a_flood_from_one_address_is_stopped() {
    let server = limited(config::Server {
        requests_per_s: 5,
        ..Default::default()
    });
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(from(&server, "192.0.2.7", "", "operator-key").await.status);
    }
    assert_eq!(statuses[..5], [200; 5]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(
        from(&server, "192.0.2.8", "", "operator-key").await.status,
        200
    );
}

#[actix_web::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it() {
    let server = Server {
        store: MemoryStore::with("studio.mp4", b"0123456789"),
        ..Server::default()
    };
    for path in [
        "/recordings/studio.mp4",
        "/recordings",
        "/status",
        "/v1/recordings",
        "/v1/nothing",
        "/healthz",
    ] {
        let answer = server.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox"),
            "{path}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert!(
            answer
                .header("permissions-policy")
                .unwrap()
                .contains("camera=()")
        );
        assert!(answer.header("cache-control").is_some(), "{path}");
        for told in ["server", "strict-transport-security", "x-powered-by"] {
            assert_eq!(answer.header(told), None, "{path}");
        }
    }
    let publish = server.get("/publish").await;
    assert!(
        publish
            .header("permissions-policy")
            .unwrap()
            .contains("camera=(self)")
    );
    let first = server.get("/").await;
    assert!(
        first
            .header("permissions-policy")
            .unwrap()
            .contains("camera=()")
    );
    assert_eq!(first.header("x-frame-options"), Some("DENY"));
}

#[actix_web::test]
async fn https_is_insisted_on_where_a_trusted_proxy_speaks_it() {
    let server = limited(config::Server {
        trusted_proxies: "10.0.0.0/8".into(),
        ..Default::default()
    });
    for (peer, is_told) in [("10.0.0.1:1", true), ("192.0.2.1:1", false)] {
        let request = TestRequest::get()
            .uri("/")
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-forwarded-proto", "https"));
        let answer = server.send(request).await;
        assert_eq!(
            answer.header("strict-transport-security").is_some(),
            is_told
        );
    }
}
