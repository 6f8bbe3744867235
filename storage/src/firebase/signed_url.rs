//! Addresses that open one object to whoever has them, for some time: Google's signature
//! `GOOG4-RSA-SHA256`.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use super::account::{AccountError, ServiceAccount};
use super::encoding;
use crate::hash;

/// Google takes no signature that is valid for longer.
pub const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// An address of `object`, valid from `now` on.
pub fn sign(
    account: &ServiceAccount,
    endpoint: &str,
    bucket: &str,
    object: &str,
    valid: Duration,
    now: OffsetDateTime,
) -> Result<String, AccountError> {
    let host = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, host)| host);
    let date = text(now.format(format_description!("[year][month][day]")));
    let time = text(now.format(format_description!(
        "[year][month][day]T[hour][minute][second]Z"
    )));
    let scope = format!("{date}/auto/storage/goog4_request");
    let credential = encoding::segment(&format!("{}/{scope}", account.email));
    let seconds = valid.min(LONGEST).as_secs().max(1);
    let path = format!("/{bucket}/{}", encoding::path(object));
    // In alphabetical order, as the signature wants them.
    let query = format!(
        "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential={credential}&X-Goog-Date={time}\
         &X-Goog-Expires={seconds}&X-Goog-SignedHeaders=host"
    );
    let request = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = hash::hex(&hash::digest(request.as_bytes()));
    let message = format!("GOOG4-RSA-SHA256\n{time}\n{scope}\n{digest}");
    let signature = hash::hex(&account.sign(message.as_bytes())?);
    Ok(format!(
        "{endpoint}{path}?{query}&X-Goog-Signature={signature}"
    ))
}

/// Formatting a date into a text that grows does not fail.
fn text(formatted: Result<String, time::error::Format>) -> String {
    formatted.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::firebase::account::testing::account;

    /// What Google's Python client (google-cloud-storage) makes of the same account.
    const OF_GOOGLES_CLIENT: &str = include_str!("../../tests/firebase/signed-urls.txt");

    #[test]
    fn are_those_of_googles_own_client() {
        let cases = [
            (
                "recordings/group1_alice_bob_2026-02-03T12-00-00.wav",
                86_400,
                datetime!(2026-02-03 12:00:00 UTC),
            ),
            (
                "recordings/참가자 방 & 100% (1)~.mp4",
                604_800,
                datetime!(2026-12-31 23:59:59 UTC),
            ),
        ];
        let endpoint = "https://storage.googleapis.com";
        for ((object, valid, now), expected) in cases.into_iter().zip(OF_GOOGLES_CLIENT.lines()) {
            let valid = Duration::from_secs(valid);
            let signed = sign(&account(), endpoint, "demo.appspot.com", object, valid, now);
            assert_eq!(signed.unwrap(), expected);
        }
    }

    #[test]
    fn are_valid_for_a_week_at_most() {
        let now = datetime!(2026-02-03 12:00:00 UTC);
        let year = Duration::from_secs(31_536_000);
        let signed = sign(&account(), "https://host", "b", "o", year, now).unwrap();
        assert!(signed.contains("X-Goog-Expires=604800&"), "{signed}");
    }
}
