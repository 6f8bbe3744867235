//! Reads any token and checks every part of it, independently of how tokens are made.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
pub struct Claims {
    pub salt: u32,
    /// 006: a time stamp; 007: when it was issued. Unix s.
    pub stamp: u32,
    /// 007: for how long it is valid, s.
    pub valid_for: Option<u32>,
    /// 006: until then, Unix s; 007: for so long, s.
    pub privileges: BTreeMap<u16, u32>,
}

/// The claims of a token for this channel and user, signed with this certificate; `None` when any
/// part of it is not as it must be.
pub fn verify(
    token: &str,
    app_id: &str,
    certificate: &str,
    channel: &str,
    user: &str,
) -> Option<Claims> {
    match token.split_at_checked(3)? {
        ("006", rest) => verify_006(rest, app_id, certificate, channel, user),
        ("007", rest) => verify_007(rest, app_id, certificate, channel, user),
        _ => None,
    }
}

fn verify_006(
    rest: &str,
    app_id: &str,
    certificate: &str,
    channel: &str,
    user: &str,
) -> Option<Claims> {
    let content = STANDARD.decode(rest.strip_prefix(app_id)?).ok()?;
    let mut content = Reader(&content);
    let signature = content.text()?;
    let checksums = (content.u32()?, content.u32()?);
    let message = content.text()?;
    content.end()?;
    let expected = (
        crc32fast::hash(channel.as_bytes()),
        crc32fast::hash(user.as_bytes()),
    );
    let signed = [
        app_id.as_bytes(),
        channel.as_bytes(),
        user.as_bytes(),
        message,
    ]
    .concat();
    if checksums != expected || signature != hmac(certificate.as_bytes(), &signed) {
        return None;
    }
    let mut message = Reader(message);
    let claims = Claims {
        salt: message.u32()?,
        stamp: message.u32()?,
        valid_for: None,
        privileges: message.privileges()?,
    };
    message.end()?;
    Some(claims)
}

fn verify_007(
    rest: &str,
    app_id: &str,
    certificate: &str,
    channel: &str,
    user: &str,
) -> Option<Claims> {
    let mut content = Vec::new();
    let compressed = STANDARD.decode(rest).ok()?;
    flate2::read::ZlibDecoder::new(&compressed[..])
        .take(4_096)
        .read_to_end(&mut content)
        .ok()?;
    let mut content = Reader(&content);
    let signature = content.text()?;
    let signed = content.0;
    let is_for_app = content.text()? == app_id.as_bytes();
    let (stamp, valid_for, salt) = (content.u32()?, content.u32()?, content.u32()?);
    let key = hmac(&stamp.to_le_bytes(), certificate.as_bytes());
    let key = hmac(&salt.to_le_bytes(), &key);
    let is_one_channel_service = (content.u16()?, content.u16()?) == (1, 1);
    let privileges = content.privileges()?;
    let is_for_them = (content.text()?, content.text()?) == (channel.as_bytes(), user.as_bytes());
    content.end()?;
    let is_valid =
        is_for_app && is_one_channel_service && is_for_them && signature == hmac(&key, signed);
    is_valid.then_some(Claims {
        salt,
        stamp,
        valid_for: Some(valid_for),
        privileges,
    })
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    hmac.update(message);
    hmac.finalize().into_bytes().to_vec()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    fn privileges(&mut self) -> Option<BTreeMap<u16, u32>> {
        let count = self.u16()?;
        (0..count)
            .map(|_| Some((self.u16()?, self.u32()?)))
            .collect()
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
