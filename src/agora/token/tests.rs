use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use tapedeck_pipelines::job::Secret;

use super::verify::verify;
use super::*;

const APP_ID: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

/// Tokens of npm `agora-access-token` 2.0.4 and PyPI `agora-token-builder` 1.0.0, which agree, and
/// of npm `agora-token` 2.0.6.
#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    app_id: String,
    app_certificate: String,
    channel: String,
    uid: serde_json::Value,
    uid_str: String,
    role: String,
    salt: u32,
    ts: u32,
    privilege_expire: u32,
    token: String,
    token007: String,
}

impl Vector {
    fn user(&self) -> User {
        match self.uid.as_u64() {
            Some(number) => User::Number(number.try_into().unwrap()),
            None => User::Account(self.uid.as_str().unwrap().to_owned()),
        }
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("vectors.json");
    serde_json::from_str::<Vectors>(text).unwrap().vectors
}

fn credentials(app_id: &str, certificate: &str) -> AppCredentials {
    AppCredentials::new(app_id, &Secret::new(certificate)).unwrap()
}

#[test]
fn tokens_are_those_of_agoras_libraries() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 7);
    for vector in vectors {
        let credentials = credentials(&vector.app_id, &vector.app_certificate);
        let user = vector.user();
        assert_eq!(user.text(), vector.uid_str);
        let valid_for = vector.privilege_expire.saturating_sub(vector.ts);
        let grant = Grant {
            channel: &vector.channel,
            user: &user,
            role: Role::named(&vector.role).unwrap(),
            issued_at: vector.ts,
            valid_for: if valid_for == 0 { 3_600 } else { valid_for },
            salt: vector.salt,
        };
        let token = v006::token(&credentials, &grant, vector.ts, vector.privilege_expire);
        assert_eq!(token, vector.token, "{}", vector.name);

        // Compression may differ, content may not.
        let content = v007::content(&credentials, &grant, vector.privilege_expire);
        assert_eq!(content, decompressed(&vector.token007), "{}", vector.name);
        for token in [&vector.token, &vector.token007] {
            let claims = verify(
                token,
                &vector.app_id,
                &vector.app_certificate,
                &vector.channel,
                &vector.uid_str,
            );
            assert_eq!(claims.unwrap().salt, vector.salt, "{}", vector.name);
        }
    }
}

fn decompressed(token: &str) -> Vec<u8> {
    use base64::Engine as _;
    use std::io::Read as _;
    let compressed = base64::engine::general_purpose::STANDARD.decode(&token[3..]);
    let mut content = Vec::new();
    flate2::read::ZlibDecoder::new(&compressed.unwrap()[..])
        .read_to_end(&mut content)
        .unwrap();
    content
}

#[test]
fn a_token_ends_when_it_was_asked_to() {
    let user = User::Number(12_345);
    let grant = Grant {
        channel: "group1_alice_bob",
        user: &user,
        role: Role::Subscriber,
        issued_at: 1_770_173_782,
        valid_for: 600,
        salt: 7,
    };
    let credentials = credentials(APP_ID, CERTIFICATE);
    let old = credentials.sign(TokenVersion::V006, &grant);
    let claims = verify(&old, APP_ID, CERTIFICATE, grant.channel, "12345").unwrap();
    assert_eq!(claims.stamp, 1_770_173_782 + 86_400);
    assert_eq!(claims.privileges, BTreeMap::from([(1, 1_770_174_382)]));
    let new = credentials.sign(TokenVersion::V007, &grant);
    let claims = verify(&new, APP_ID, CERTIFICATE, grant.channel, "12345").unwrap();
    assert_eq!((claims.stamp, claims.valid_for), (1_770_173_782, Some(600)));
    assert_eq!(claims.privileges, BTreeMap::from([(1, 600)]));
}

#[test]
fn the_lengths_of_006_are_fixed() {
    let user = User::Number(0);
    for (role, length) in [(Role::Subscriber, 115), (Role::Publisher, 139)] {
        let grant = Grant {
            channel: "a_b_c",
            user: &user,
            role,
            issued_at: 1_770_173_782,
            valid_for: 86_400,
            salt: u32::MAX,
        };
        let token = credentials(APP_ID, CERTIFICATE).sign(TokenVersion::V006, &grant);
        assert_eq!(token.len(), length);
    }
}

#[test]
fn what_is_wrong_with_credentials_is_named() {
    let short = &APP_ID[1..];
    let cases = [
        ("", CERTIFICATE, CredentialsError::NoAppId),
        (short, CERTIFICATE, CredentialsError::AppId),
        (
            "970CA35de60c44645bbae8a215061b3x",
            CERTIFICATE,
            CredentialsError::AppId,
        ),
        (APP_ID, " ", CredentialsError::NoCertificate),
        (
            APP_ID,
            "5CFd2fd1755d40ecb72977518be15d3ö",
            CredentialsError::Certificate,
        ),
    ];
    for (app_id, certificate, fault) in cases {
        let refused = AppCredentials::new(app_id, &Secret::new(certificate));
        assert_eq!(refused.unwrap_err(), fault);
    }
    // As they stand in a file, with a line's end.
    credentials(&format!(" {APP_ID}"), &format!("{CERTIFICATE}\n"));
}

fn user() -> impl Strategy<Value = User> {
    prop_oneof![
        any::<u32>().prop_map(User::Number),
        "[ -~]{1,255}".prop_map(User::Account),
    ]
}

proptest! {
    #[test]
    fn any_token_is_verified_and_no_changed_one(
        user in user(),
        channel in "\\PC{1,64}",
        publisher in any::<bool>(),
        issued_at in any::<u32>(),
        valid_for in 1..=86_400_u32,
        salt in any::<u32>(),
        version in prop_oneof![Just(TokenVersion::V006), Just(TokenVersion::V007)],
        changed in any::<prop::sample::Index>(),
    ) {
        let role = if publisher { Role::Publisher } else { Role::Subscriber };
        let grant = Grant { channel: &channel, user: &user, role, issued_at, valid_for, salt };
        let token = credentials(APP_ID, CERTIFICATE).sign(version, &grant);
        let text = user.text();
        let check = |token: &str, certificate: &str, channel: &str, user: &str| {
            verify(token, APP_ID, certificate, channel, user)
        };
        let claims = check(&token, CERTIFICATE, &channel, &text);
        prop_assert!(claims.is_some());
        let claims = claims.unwrap();
        prop_assert_eq!(claims.salt, salt);
        let privileges: Vec<u16> = claims.privileges.into_keys().collect();
        prop_assert_eq!(&privileges[..], role.privileges());

        prop_assert!(check(&token, APP_ID, &channel, &text).is_none());
        let (other_channel, other_user) = (channel.clone() + "x", text.clone() + "1");
        prop_assert!(check(&token, CERTIFICATE, &other_channel, &text).is_none());
        prop_assert!(check(&token, CERTIFICATE, &channel, &other_user).is_none());

        // Base64's last digit has bits that mean nothing, zlib's header likewise: only what is said
        // must never change.
        let mut bytes = token.clone().into_bytes();
        let at = changed.index(bytes.len());
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(bytes).unwrap();
        if let Some(claims) = check(&other, CERTIFICATE, &channel, &text) {
            prop_assert_eq!((claims.salt, claims.privileges.len()), (salt, privileges.len()));
        }
    }

    #[test]
    fn whatever_is_no_token_is_refused(text in "\\PC{0,300}") {
        prop_assert!(verify(&text, APP_ID, CERTIFICATE, "a", "1").is_none());
    }
}
