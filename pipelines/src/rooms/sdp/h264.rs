//! Names of H.264 profiles that the peer connection does not know.
//!
//! It takes a payload only under the profiles and levels that it knows by name. Encoders write
//! others: FFmpeg's `profile-level-id` may hold an unknown level, a hardware encoder odd
//! constraint flags. What is recorded is what the stream's own headers say, so the name does not
//! matter: it is replaced for the peer connection and put back in the answer.

use std::collections::HashMap;

/// What the peer connection takes for a profile: Constrained Baseline, level 3.1.
const FALLBACK: &str = "42e01f";

/// By `profile_idc`, what stands for its profiles (RFC 6184 section 8.1, table 5).
const STAND_INS: [(&str, &str); 3] = [("42", FALLBACK), ("4d", "4d001f"), ("64", "64001f")];

/// `profile_idc` with `profile-iop` bits as the peer connection knows them: the bits under the
/// mask have this value.
const KNOWN_PROFILES: [(u8, u8, u8); 5] = [
    // Constrained Baseline, by two names.
    (0x42, 0b0100_1111, 0b0100_0000),
    (0x4d, 0b1000_1111, 0b1000_0000),
    // Baseline, Main, High.
    (0x42, 0b0100_1111, 0b0000_0000),
    (0x4d, 0b1010_1111, 0b0000_0000),
    (0x64, 0b1111_1111, 0b0000_0000),
];

/// `level_idc` of the levels that the peer connection knows (H.264 Annex A).
const KNOWN_LEVELS: [u8; 16] = [
    10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52,
];

const PARAMETER: &str = "profile-level-id=";

/// Names that were replaced, by payload type.
pub type ReplacedProfiles = HashMap<String, Replaced>;

/// A name that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    original: String,
    stand_in: &'static str,
}

/// An `a=fmtp` value of an H.264 payload as the peer connection takes it. What was replaced is
/// noted.
pub fn known_profile(fmtp: &str, replaced: &mut ReplacedProfiles) -> String {
    let Some((payload, parameters)) = fmtp.split_once(' ') else {
        return fmtp.to_owned();
    };
    let Some(original) = parameter(parameters) else {
        return fmtp.to_owned();
    };
    if is_known(original) {
        return fmtp.to_owned();
    }
    let stand_in = original
        .get(..2)
        .and_then(|profile| {
            STAND_INS
                .iter()
                .find(|(known, _)| profile.eq_ignore_ascii_case(known))
        })
        .map_or(FALLBACK, |(_, stand_in)| stand_in);
    replaced.insert(
        payload.to_owned(),
        Replaced {
            original: original.to_owned(),
            stand_in,
        },
    );
    fmtp.replacen(
        &format!("{PARAMETER}{original}"),
        &format!("{PARAMETER}{stand_in}"),
        1,
    )
}

/// An `a=fmtp` value of the peer connection's answer with the name that was offered.
pub fn original_profile(fmtp: &str, replaced: &ReplacedProfiles) -> String {
    let replaced = fmtp
        .split_once(' ')
        .and_then(|(payload, _)| replaced.get(payload));
    match replaced {
        Some(Replaced { original, stand_in }) => fmtp.replacen(
            &format!("{PARAMETER}{stand_in}"),
            &format!("{PARAMETER}{original}"),
            1,
        ),
        None => fmtp.to_owned(),
    }
}

fn parameter(parameters: &str) -> Option<&str> {
    parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix(PARAMETER))
}

fn is_known(name: &str) -> bool {
    if name.len() != 6 {
        return false;
    }
    let Ok(bytes) = u32::from_str_radix(name, 16) else {
        return false;
    };
    let [_, profile, flags, level] = bytes.to_be_bytes();
    KNOWN_LEVELS.contains(&level)
        && KNOWN_PROFILES
            .iter()
            .any(|(known, mask, value)| *known == profile && flags & mask == *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_stay() {
        for name in ["42e01f", "42001f", "4d0032", "64001f", "42C01E", "640028"] {
            let fmtp = format!("106 packetization-mode=1;profile-level-id={name}");
            let mut replaced = ReplacedProfiles::new();
            assert_eq!(known_profile(&fmtp, &mut replaced), fmtp);
            assert!(replaced.is_empty(), "{name}");
        }
    }

    #[test]
    fn odd_names_are_replaced_and_come_back_in_the_answer() {
        for (name, stand_in) in [
            // FFmpeg, when the encoder does not tell a level.
            ("4220ffffff9d", "42e01f"),
            ("4d40ff", "4d001f"),
            ("640c1f", "64001f"),
            ("6e0033", "42e01f"),
            ("zz", "42e01f"),
        ] {
            let offered = format!("106 level-asymmetry-allowed=1;profile-level-id={name}");
            let mut replaced = ReplacedProfiles::new();
            let taken = known_profile(&offered, &mut replaced);
            assert_eq!(
                taken,
                format!("106 level-asymmetry-allowed=1;profile-level-id={stand_in}")
            );
            assert_eq!(original_profile(&taken, &replaced), offered);
        }
    }

    #[test]
    fn other_payloads_are_left_alone() {
        let mut replaced = ReplacedProfiles::new();
        known_profile("106 profile-level-id=zz", &mut replaced);
        let other = "108 packetization-mode=0;profile-level-id=42e01f";
        assert_eq!(original_profile(other, &replaced), other);
        assert_eq!(known_profile("97 apt=96", &mut replaced), "97 apt=96");
    }
}
