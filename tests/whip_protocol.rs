//! What RFC 9725 says of requests and answers, by a client that knows nothing of the server.

use std::time::Instant;

use harness::livekit::API_KEY;
use harness::publisher::whip;
use harness::tapedeck::Tapedeck;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Response};
use str0m::media::{Direction, MediaKind};
use str0m::{Candidate, RtcConfig};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// An offer of sound and picture.
fn offer(direction: Direction) -> String {
    let mut rtc = RtcConfig::new().build(Instant::now());
    let address = "127.0.0.1:9".parse().expect("an address");
    rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
    let mut changes = rtc.sdp_api();
    changes.add_media(MediaKind::Audio, direction, None, None, None);
    changes.add_media(MediaKind::Video, direction, None, None, None);
    changes.apply().expect("an offer").0.to_sdp_string()
}

/// A client with a token for a room.
struct Client<'a> {
    tapedeck: &'a Tapedeck,
    token: String,
}

impl<'a> Client<'a> {
    fn new(tapedeck: &'a Tapedeck, room: &str) -> Self {
        let token = whip::endpoint(tapedeck, room, "somebody", "Somebody").token;
        Self { tapedeck, token }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let request = self.tapedeck.request(method, path).bearer_auth(&self.token);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request
            .body(body.to_owned())
            .send()
            .await
            .expect("the server answers")
    }

    async fn post(&self, room: &str, media_type: &str, body: &str) -> Response {
        let headers = [("content-type", media_type)];
        self.send(Method::POST, &format!("/whip/{room}"), &headers, body)
            .await
    }

    /// A session: its path and entity tag.
    async fn publish(&self, room: &str) -> (String, String) {
        let answer = self.post(room, SDP, &offer(Direction::SendOnly)).await;
        assert_eq!(answer.status(), 201);
        let headers = answer.headers();
        (text(headers, "location"), text(headers, "etag"))
    }

    async fn patch(&self, path: &str, if_match: Option<&str>, fragment: &str) -> Response {
        let mut headers = vec![("content-type", FRAGMENT)];
        headers.extend(if_match.map(|tag| ("if-match", tag)));
        self.send(Method::PATCH, path, &headers, fragment).await
    }

    async fn delete(&self, path: &str) -> u16 {
        let answer = self.send(Method::DELETE, path, &[], "").await;
        answer.status().as_u16()
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let name: HeaderName = name.parse().expect("a name");
    let value = headers.get(&name).unwrap_or_else(|| panic!("no {name}"));
    value.to_str().expect("a text").to_owned()
}

/// A fragment with credentials and, if given, a candidate (RFC 8840, section 9).
fn fragment(credentials: (&str, &str), candidate: Option<&str>) -> String {
    let (user, password) = credentials;
    let candidate = candidate.map(|candidate| format!("a={candidate}\r\n"));
    format!(
        "a=ice-ufrag:{user}\r\na=ice-pwd:{password}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n{}",
        candidate.unwrap_or_default()
    )
}

/// A line's value in SDP.
fn value_of<'a>(sdp: &'a str, attribute: &str) -> &'a str {
    let line = sdp.lines().find_map(|line| line.strip_prefix(attribute));
    line.unwrap_or_else(|| panic!("no {attribute} in {sdp}"))
}

#[tokio::test]
async fn session_is_created_and_deleted_once() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let client = Client::new(&tapedeck, "studio");
    let answer = client
        .post("studio", SDP, &offer(Direction::SendOnly))
        .await;
    assert_eq!(answer.status(), 201);
    assert_eq!(text(answer.headers(), "content-type"), SDP);
    let path = text(answer.headers(), "location");
    assert!(path.starts_with("/whip/studio/"), "{path}");
    let tag = text(answer.headers(), "etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let sdp = answer.text().await.expect("an answer");
    assert_eq!(sdp.matches("m=").count(), 2, "{sdp}");
    assert!(sdp.contains("a=recvonly") && sdp.contains("a=candidate:"));
    assert!(sdp.contains("a=setup:passive") || sdp.contains("a=setup:active"));

    // Without media over UDP in the first 30 s it would vanish; it is deleted before.
    assert_eq!(client.delete(&path).await, 200);
    assert_eq!(client.delete(&path).await, 404, "a second time");
    let late = fragment(("user", "passwordOf24CharactersHere"), None);
    let patched = client.patch(&path, Some(&tag), &late).await;
    assert_eq!(patched.status(), 404);
    assert_eq!(client.delete("/whip/studio/0123456789abcdef").await, 404);
    assert_eq!(client.delete("/whip/studio/%00").await, 404);
}

#[tokio::test]
async fn what_is_no_offer_is_refused() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let client = Client::new(&tapedeck, "studio");
    let good = offer(Direction::SendOnly);
    let long = "v=0\r\n".repeat(40_000);
    let receiving = offer(Direction::RecvOnly);
    let cases = [
        (415, "text/plain", good.as_str()),
        (415, "application/json", "{}"),
        (400, SDP, ""),
        (400, SDP, "hello"),
        (400, SDP, "v=0\r\n\u{1}\u{2}"),
        (413, SDP, &long),
        (422, SDP, &receiving),
    ];
    for (status, media_type, body) in cases {
        let answer = client.post("studio", media_type, body).await;
        let begin: String = body.chars().take(20).collect();
        assert_eq!(answer.status(), status, "{media_type} {begin:?}");
        let told = answer.text().await.expect("a reason");
        assert!(told.contains("errorMessage"), "{told}");
    }
    // Nobody came into the room by that.
    let rooms = tapedeck.get("/v1/rooms").await.body;
    assert_eq!(rooms["rooms"], serde_json::json!([]), "{rooms}");
}

#[tokio::test]
async fn tokens_are_for_their_room_only() {
    let key = [("TAPEDECK_AUTH_OPERATOR_KEY", "operator-key-of-the-test")];
    let tapedeck = Tapedeck::start_alone(&key).await;
    let sdp = offer(Direction::SendOnly);
    let mut client = Client::new(&tapedeck, "other");
    assert_eq!(client.post("studio", SDP, &sdp).await.status(), 403);
    for wrong in ["", "nonsense", API_KEY] {
        wrong.clone_into(&mut client.token);
        let answer = client.post("studio", SDP, &sdp).await;
        assert_eq!(answer.status(), 401, "{wrong:?}");
        let challenge = text(answer.headers(), "www-authenticate");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
    }
    "operator-key-of-the-test".clone_into(&mut client.token);
    let (path, _) = client.publish("studio").await;
    assert_eq!(client.delete(&path).await, 200);
}

#[tokio::test]
async fn candidates_trickle_and_ice_restarts_under_entity_tags() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let client = Client::new(&tapedeck, "studio");
    let sdp = offer(Direction::SendOnly);
    let ours = (value_of(&sdp, "a=ice-ufrag:"), value_of(&sdp, "a=ice-pwd:"));
    let answer = client.post("studio", SDP, &sdp).await;
    let path = text(answer.headers(), "location");
    let tag = text(answer.headers(), "etag");
    let before = answer.text().await.expect("an answer");

    let candidate = "candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host";
    let trickled = fragment(ours, Some(candidate));
    let answer = client.patch(&path, Some(&tag), &trickled).await;
    assert_eq!(answer.status(), 204);
    let answer = client.patch(&path, None, &trickled).await;
    assert_eq!(answer.status(), 428, "without If-Match");
    let answer = client.patch(&path, Some("\"another\""), &trickled).await;
    assert_eq!(answer.status(), 412, "of another ICE session");
    let answer = client.patch(&path, Some(&tag), "nonsense").await;
    assert_eq!(answer.status(), 400);
    let headers = [("content-type", SDP), ("if-match", tag.as_str())];
    let answer = client.send(Method::PATCH, &path, &headers, &trickled).await;
    assert_eq!(answer.status(), 415);

    let anew = fragment(("newu", "newPasswordOf24Characters"), None);
    let answer = client.patch(&path, Some("*"), &anew).await;
    assert_eq!(answer.status(), 200, "a restart");
    assert_eq!(text(answer.headers(), "content-type"), FRAGMENT);
    let new_tag = text(answer.headers(), "etag");
    assert_ne!(new_tag, tag);
    let restarted = answer.text().await.expect("a fragment");
    let user = value_of(&restarted, "a=ice-ufrag:");
    assert_ne!(user, value_of(&before, "a=ice-ufrag:"), "{restarted}");
    let late = client.patch(&path, Some(&tag), &trickled).await;
    assert_eq!(late.status(), 412, "of the ICE session before");
    assert_eq!(client.delete(&path).await, 200);
}

#[tokio::test]
async fn options_and_other_methods_are_answered() {
    let tapedeck = Tapedeck::start_alone(&[]).await;
    let client = Client::new(&tapedeck, "studio");
    let answer = client.send(Method::OPTIONS, "/whip/studio", &[], "").await;
    assert!(answer.status().is_success(), "{}", answer.status());
    assert_eq!(text(answer.headers(), "accept-post"), SDP);
    for (method, path) in [
        (Method::GET, "/whip/studio"),
        (Method::PUT, "/whip/studio"),
        (Method::POST, "/whip/studio/0123"),
    ] {
        let answer = client.send(method.clone(), path, &[], "").await;
        assert_eq!(answer.status(), 405, "{method} {path}");
        assert!(text(answer.headers(), "allow").contains("OPTIONS"));
    }
    // From a page of another host.
    let preflight = [
        ("origin", "https://elsewhere.example"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization, content-type",
        ),
    ];
    let answer = client
        .send(Method::OPTIONS, "/whip/studio", &preflight, "")
        .await;
    assert!(answer.status().is_success());
    assert_eq!(text(answer.headers(), "access-control-allow-origin"), "*");
    let path = client.publish("studio").await.0;
    assert_eq!(client.delete(&path).await, 200);
}
