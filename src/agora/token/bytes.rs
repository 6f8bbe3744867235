//! The parts that tokens are made of: little-endian numbers, and texts after their length.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Bytes of a signature.
pub const SIGNATURE: usize = 32;

/// Bytes in the making.
#[derive(Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn u16(mut self, number: u16) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    pub fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    /// Bytes after their length; what no length can tell is cut off.
    pub fn text(self, text: &[u8]) -> Self {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        let mut bytes = self.u16(length);
        bytes.0.extend(&text[..usize::from(length)]);
        bytes
    }

    /// Privileges with the time until which each is granted.
    pub fn privileges(self, privileges: &[u16], until: u32) -> Self {
        let count = u16::try_from(privileges.len()).unwrap_or(u16::MAX);
        privileges.iter().fold(self.u16(count), |bytes, privilege| {
            bytes.u16(*privilege).u32(until)
        })
    }
}

/// HMAC-SHA256 of `parts`, one after the other.
pub fn signature(key: &[u8], parts: &[&[u8]]) -> [u8; SIGNATURE] {
    let mut hmac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(hmac) => hmac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    };
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}
