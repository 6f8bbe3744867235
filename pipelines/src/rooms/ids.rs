//! Names that are drawn.

use rustls::crypto::SecureRandom;

/// Of a drawn id, after its prefix.
const ID_CHARACTERS: usize = 12;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A prefix such as `RM_` and 12 drawn characters.
pub fn draw(prefix: &str) -> String {
    let bytes: [u8; ID_CHARACTERS] = random();
    let drawn = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
    prefix.chars().chain(drawn).collect()
}

/// 128 random bits, hexadecimal: whoever knows a session's name can end it.
pub fn draw_session() -> String {
    format!("{:032x}", u128::from_be_bytes(random()))
}

/// A strong entity tag in its quotes (RFC 9110 section 8.8.3).
pub fn draw_entity_tag() -> String {
    format!("\"{:016x}\"", u64::from_be_bytes(random()))
}

fn random<const N: usize>() -> [u8; N] {
    let random: &dyn SecureRandom = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    let mut bytes = [0; N];
    if random.fill(&mut bytes).is_err() {
        // It has no source of randomness that could fail on Linux; names stay different even so.
        for chunk in bytes.chunks_mut(8) {
            let drawn = crate::process::random_u64().to_ne_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn drawn_names_differ_and_have_their_form() {
        let ids: HashSet<String> = (0..200).map(|_| draw("TR_")).collect();
        assert_eq!(ids.len(), 200);
        assert!(ids.iter().all(|id| id.len() == 15 && id.starts_with("TR_")));
        assert_eq!(draw_session().len(), 32);
        let tag = draw_entity_tag();
        assert!(tag.len() == 18 && tag.starts_with('"') && tag.ends_with('"'));
    }
}
