use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use tapedeck_pipelines::job::Secret;

use super::*;

const SECRET: &str = "hidden-secret";

/// A server that gives every request the same answer; requests come out of the channel.
fn canned(status: &str, body: &str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (requests, received) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&request).contains("]}") {
            let length = connection.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..length]);
        }
        connection.write_all(answer.as_bytes()).unwrap();
        let _ = requests.send(String::from_utf8_lossy(&request).into_owned());
    });
    (url, received)
}

fn rooms(url: &str) -> LivekitRooms {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let credentials = Credentials {
        api_key: "devkey".into(),
        api_secret: Secret::new(SECRET),
    };
    LivekitRooms::new(
        url.parse().unwrap(),
        credentials,
        Duration::from_millis(500),
    )
    .unwrap()
}

#[actix_rt::test]
async fn a_room_is_found_by_its_exact_name() {
    let (url, requests) = canned(
        "200 OK",
        r#"{"rooms": [{"sid": "RM_2", "name": "Studio", "num_participants": 1}, {"sid": "RM_1", "name": "studio"}]}"#,
    );
    let room = rooms(&url).find("studio").await.unwrap();
    assert_eq!(
        room,
        Room {
            name: "studio".into(),
            id: "RM_1".into()
        }
    );
    let request = requests.recv().unwrap();
    assert!(
        request.starts_with("POST /twirp/livekit.RoomService/ListRooms "),
        "{request}"
    );
    assert!(request.ends_with(r#"{"names":["studio"]}"#), "{request}");
}

#[actix_rt::test]
async fn answers_are_told_apart() {
    let unknown = RoomError::Unknown("studio".into());
    for body in ["{}", r#"{"rooms": []}"#] {
        assert_eq!(
            rooms(&canned("200 OK", body).0).find("studio").await,
            Err(unknown.clone())
        );
    }
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let refused = rooms(&canned(status, "{}").0)
            .find("studio")
            .await
            .unwrap_err();
        assert!(matches!(refused, RoomError::Refused(_)), "{refused:?}");
        assert!(
            refused.to_string().contains("devkey") && !refused.to_string().contains(SECRET),
            "{refused}"
        );
    }
    // livekit-server repeats the token that it refuses.
    let token = "eyJhbGciOiJIUzI1NiJ9.e30.x";
    let body = format!(r#"{{"msg":"invalid token: {token}"}}"#);
    for status in ["401 Unauthorized", "500 Oh"] {
        let refused = rooms(&canned(status, &body).0)
            .find("studio")
            .await
            .unwrap_err();
        assert!(!refused.to_string().contains("eyJ"), "{refused}");
    }
    for (status, body) in [
        ("404 Not Found", "nothing"),
        ("500 Oh", ""),
        ("301 Moved", ""),
        ("200 OK", "<html>"),
    ] {
        let other = rooms(&canned(status, body).0)
            .find("studio")
            .await
            .unwrap_err();
        assert!(matches!(other, RoomError::Unreachable(_)), "{other:?}");
    }
}

#[actix_rt::test]
async fn a_server_that_is_away_or_silent_is_said_so() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let away = rooms(&format!("http://{closed}"))
        .find("studio")
        .await
        .unwrap_err();
    assert!(
        matches!(&away, RoomError::Unreachable(reason) if reason.contains("LIVEKIT_URL")),
        "{away:?}"
    );

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    assert_eq!(rooms(&url).find("studio").await, Err(RoomError::Timeout));
}

#[test]
fn the_recorder_gets_a_signalling_address() {
    let room = Room {
        name: "studio".into(),
        id: "RM_1".into(),
    };
    let source = rooms("https://rooms.example/")
        .source(&room, "EG_1", Duration::from_secs(60))
        .unwrap();
    let Source::Livekit { url, token } = source else {
        panic!("not a room of LiveKit");
    };
    assert_eq!(url, "wss://rooms.example");
    assert_eq!(token.reveal().split('.').count(), 3);
}
