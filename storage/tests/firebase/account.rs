//! A stand-in for Google's token service. It takes statements of one account, whose signature it
//! verifies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use storage_testing::stand_in::{Answer, Request, Response, StandIn};
use tapedeck_storage::FirebaseSettings;

use crate::BUCKET;

/// What all tokens begin with; no error may hold it.
pub const TOKEN: &str = "token-of-the-test";

#[derive(Default)]
struct State {
    given: AtomicUsize,
    is_refusing: AtomicBool,
}

pub struct Accounts {
    server: StandIn,
    state: Arc<State>,
}

impl Accounts {
    pub async fn serve() -> Self {
        let state = Arc::new(State::default());
        let seen = state.clone();
        let server = StandIn::start(move |request| {
            let response = answer(&seen, &request);
            Box::pin(async move { Some(response) }) as Answer
        })
        .await;
        Self { server, state }
    }

    /// Whether statements are refused from now on, with a clock that is an hour ahead.
    pub fn refuse(&self, refuse: bool) {
        self.state.is_refusing.store(refuse, Ordering::Relaxed);
    }

    /// How many tokens were given out.
    pub fn given(&self) -> usize {
        self.state.given.load(Ordering::Relaxed)
    }

    /// The account's key, with this service as the one that gives out tokens.
    pub fn key(&self) -> Value {
        let mut account: Value = serde_json::from_str(include_str!("account.json")).unwrap();
        account["token_uri"] = json!(format!("{}/token", self.server.address));
        account
    }

    pub fn project(&self, storage: &str, firestore: &str) -> FirebaseSettings {
        FirebaseSettings {
            bucket: BUCKET.into(),
            prefix: "recordings/".into(),
            service_account: self.key().to_string(),
            storage_endpoint: storage.into(),
            firestore_endpoint: firestore.into(),
            ..FirebaseSettings::default()
        }
    }
}

fn answer(state: &State, request: &Request) -> Response {
    let now = time::OffsetDateTime::now_utc();
    let date = |time: time::OffsetDateTime| {
        let format = time::format_description::well_known::Rfc2822;
        time.format(&format).unwrap().replace("+0000", "GMT")
    };
    if state.is_refusing.load(Ordering::Relaxed) {
        let error = json!({"error": "invalid_grant", "error_description": "Invalid JWT: Token must be short-lived"});
        return Response::json(400, error).header("date", &date(now + time::Duration::HOUR));
    }
    let body = String::from_utf8(request.body.clone()).unwrap();
    let statement = body.split("assertion=").nth(1).unwrap();
    assert!(is_signed(statement), "{statement}");
    let number = state.given.fetch_add(1, Ordering::Relaxed);
    let token = json!({"access_token": format!("{TOKEN}-{number}"), "expires_in": 3599, "token_type": "Bearer"});
    Response::json(200, token).header("date", &date(now))
}

/// Whether a statement is signed with the key of the account.
fn is_signed(statement: &str) -> bool {
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    let account: Value = serde_json::from_str(include_str!("account.json")).unwrap();
    let pem = account["private_key"].as_str().unwrap();
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    let der = STANDARD.decode(lines.collect::<String>()).unwrap();
    let key = aws_lc_rs::rsa::KeyPair::from_pkcs8(&der).unwrap();
    let (message, signature) = statement.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
        .verify(message.as_bytes(), &signature)
        .is_ok()
}
