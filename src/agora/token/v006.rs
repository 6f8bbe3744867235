//! `006`, the id of the app, and in Base64: the signature, checksums of channel and user, and the
//! signed message (salt, time stamp, privileges with the time at which each ends).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bytes::{Bytes, signature};
use super::{AppCredentials, Grant};

pub const VERSION: &str = "006";
/// The time stamp of a token lies so far ahead, s, as Agora's libraries write it.
const AHEAD: u32 = 86_400;

pub fn sign(credentials: &AppCredentials, grant: &Grant<'_>) -> String {
    let stamp = grant.issued_at.saturating_add(AHEAD);
    let until = grant.issued_at.saturating_add(grant.valid_for);
    token(credentials, grant, stamp, until)
}

/// A token with this time stamp, whose privileges end at `until`; both Unix s.
pub fn token(credentials: &AppCredentials, grant: &Grant<'_>, stamp: u32, until: u32) -> String {
    let user = grant.user.text();
    let message = Bytes::default()
        .u32(grant.salt)
        .u32(stamp)
        .privileges(grant.role.privileges(), until)
        .0;
    let signature = signature(
        credentials.certificate.reveal().as_bytes(),
        &[
            credentials.app_id.as_bytes(),
            grant.channel.as_bytes(),
            user.as_bytes(),
            &message,
        ],
    );
    let content = Bytes::default()
        .text(&signature)
        .u32(crc32fast::hash(grant.channel.as_bytes()))
        .u32(crc32fast::hash(user.as_bytes()))
        .text(&message)
        .0;
    format!(
        "{VERSION}{}{}",
        credentials.app_id,
        STANDARD.encode(content)
    )
}
