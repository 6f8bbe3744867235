//! `007`, and in Base64, compressed by zlib: the signature and the signed message (id of the app,
//! when it was issued, for how long, salt, and for each service its privileges, channel and user).

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::bytes::{Bytes, SIGNATURE, signature};
use super::{AppCredentials, Grant};

pub const VERSION: &str = "007";
/// The number of the service that channels belong to.
pub const RTC: u16 = 1;

pub fn sign(credentials: &AppCredentials, grant: &Grant<'_>) -> String {
    let content = content(credentials, grant, grant.valid_for);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = zlib.write_all(&content).and_then(|()| zlib.finish());
    match compressed {
        Ok(compressed) => format!("{VERSION}{}", STANDARD.encode(compressed)),
        Err(error) => unreachable!("memory refuses nothing: {error}"),
    }
}

/// What is compressed; `privilege` says for how long privileges are granted, s from the issue on.
pub fn content(credentials: &AppCredentials, grant: &Grant<'_>, privilege: u32) -> Vec<u8> {
    let message = Bytes::default()
        .text(credentials.app_id.as_bytes())
        .u32(grant.issued_at)
        .u32(grant.valid_for)
        .u32(grant.salt)
        .u16(1)
        .u16(RTC)
        .privileges(grant.role.privileges(), privilege)
        .text(grant.channel.as_bytes())
        .text(grant.user.text().as_bytes())
        .0;
    let key = key(credentials, grant.issued_at, grant.salt);
    let mut content = Bytes::default().text(&signature(&key, &[&message])).0;
    content.extend(message);
    content
}

/// What a token is signed with.
pub fn key(credentials: &AppCredentials, issued_at: u32, salt: u32) -> [u8; SIGNATURE] {
    let certificate = credentials.certificate.reveal().as_bytes();
    let dated = signature(&issued_at.to_le_bytes(), &[certificate]);
    signature(&salt.to_le_bytes(), &[&dated])
}
