//! Session ids, as Memharbor's clients know them: UUIDs that stand for recordings' ids. One can be
//! told from the other, so nothing has to be remembered: a session is found by its id after every
//! restart, for as long as the recording is known.
//!
//! The 12 characters of an id, read as digits of base 62, are the upper 72 of the 122 bits that a
//! UUID of version 4 leaves open; the other 50 are of a digest of the id, so that no other UUID stands
//! for a recording. Version 4 because the ids are drawn at random, and because many a client takes no
//! other.

use sha2::{Digest as _, Sha256};

/// What the ids of recordings begin with.
const PREFIX: &str = "EG_";
/// Characters of an id behind it.
const LENGTH: usize = 12;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Bits of the digest.
const CHECK_BITS: u32 = 50;
/// Where the version and the variant are: bits below them, their number, and what they are.
const VERSION: (u32, u32, u128) = (76, 4, 0b0100);
const VARIANT: (u32, u32, u128) = (62, 2, 0b10);

/// The session id of a recording; none for ids that others gave it, of another length.
pub fn of(recording_id: &str) -> Option<String> {
    let characters = recording_id.strip_prefix(PREFIX)?;
    if characters.len() != LENGTH {
        return None;
    }
    let number = characters.bytes().try_fold(0_u128, |number, character| {
        let digit = DIGITS.iter().position(|known| *known == character)?;
        Some(number * 62 + u128::try_from(digit).ok()?)
    })?;
    let open = number << CHECK_BITS | check(recording_id);
    let bits = insert(insert(open, VARIANT), VERSION);
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Some(parts.join("-"))
}

/// The recording that a session id stands for.
///
/// # Errors
/// It is no UUID.
pub fn recording_id(sid: &str) -> Result<Option<String>, NoUuid> {
    let bits = uuid_bits(sid).ok_or(NoUuid)?;
    let open = remove(remove(bits, VERSION), VARIANT);
    let mut number = open >> CHECK_BITS;
    let mut characters = [0; LENGTH];
    for character in characters.iter_mut().rev() {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        *character = DIGITS[digit];
        number /= 62;
    }
    let characters = String::from_utf8_lossy(&characters);
    let id = format!("{PREFIX}{characters}");
    Ok(Some(id).filter(|id| of(id).is_some_and(|known| known.eq_ignore_ascii_case(sid))))
}

/// A session id that is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sid must be a UUID")]
pub struct NoUuid;

fn check(recording_id: &str) -> u128 {
    let digest = Sha256::digest(recording_id.as_bytes());
    let bits = digest
        .iter()
        .take(8)
        .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    bits >> (64 - CHECK_BITS)
}

fn insert(bits: u128, (below, count, value): (u32, u32, u128)) -> u128 {
    let low = bits & ((1 << below) - 1);
    (bits >> below) << (below + count) | value << below | low
}

fn remove(bits: u128, (below, count, _): (u32, u32, u128)) -> u128 {
    let low = bits & ((1 << below) - 1);
    (bits >> (below + count)) << below | low
}

/// The bits of a UUID in the usual form.
fn uuid_bits(text: &str) -> Option<u128> {
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    let has_form = lengths.iter().all(|length| {
        let is_part =
            |part: &str| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        parts.next().is_some_and(is_part)
    });
    if !has_form || parts.next().is_some() {
        return None;
    }
    u128::from_str_radix(&text.replace('-', ""), 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_session_id_is_a_uuid_that_stands_for_one_recording() {
        let sid = of("EG_abcdefghijkl").unwrap();
        assert_eq!(sid.len(), 36);
        assert_eq!(&sid[14..15], "4", "version 4");
        assert!("89ab".contains(&sid[19..20]), "the usual variant");
        let id = Ok(Some("EG_abcdefghijkl".to_owned()));
        assert_eq!(recording_id(&sid), id);
        assert_eq!(recording_id(&sid.to_uppercase()), id);
        assert_eq!(
            recording_id("a8098c1a-f86e-41da-bd1a-00112444be1e"),
            Ok(None)
        );
        assert_eq!(
            recording_id("ffffffff-ffff-ffff-ffff-ffffffffffff"),
            Ok(None)
        );
        for text in [
            "",
            "EG_abcdefghijkl",
            "a8098c1af86e41dabd1a00112444be1e",
            &sid[1..],
        ] {
            assert_eq!(recording_id(text), Err(NoUuid), "{text}");
        }
        assert_eq!(recording_id(&format!("{sid}-1")), Err(NoUuid));
        for id in [
            "EG_short",
            "abcdefghijkl",
            "EG_abcdefghijk_",
            "EG_abcdefghijklm",
        ] {
            assert_eq!(of(id), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn every_id_has_its_own(id in "EG_[0-9A-Za-z]{12}", other in any::<u128>()) {
            let sid = of(&id).unwrap();
            prop_assert_eq!(recording_id(&sid), Ok(Some(id)));
            let hex = format!("{other:032x}");
            let drawn = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
            prop_assert_eq!(recording_id(&drawn), Ok(None));
        }
    }
}
