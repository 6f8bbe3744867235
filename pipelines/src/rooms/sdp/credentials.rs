use crate::sources::peer::IceCredentials;

use super::{SdpError, malformed};

/// The credentials in attribute values as they were found; none when there is neither.
///
/// # Errors
/// Only one of them is there, or they are not what RFC 8839 section 5.4 allows.
pub fn credentials(
    user_fragment: Option<&str>,
    password: Option<&str>,
) -> Result<Option<IceCredentials>, SdpError> {
    let (user_fragment, password) = match (user_fragment, password) {
        (None, None) => return Ok(None),
        (Some(user_fragment), Some(password)) => (user_fragment, password),
        _ => return Err(malformed("a=ice-ufrag and a=ice-pwd must come together")),
    };
    let valid = |text: &str, least: usize| {
        (least..=256).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte))
    };
    if !valid(user_fragment, 4) || !valid(password, 22) {
        return Err(malformed(
            "a=ice-ufrag needs 4 to 256 characters and a=ice-pwd 22 to 256, letters, digits, + and / \
             (RFC 8839 section 5.4)",
        ));
    }
    Ok(Some(IceCredentials {
        user_fragment: user_fragment.to_owned(),
        password: password.to_owned(),
    }))
}
