//! Checks of what clients send. Numbers may come as texts of digits.

use serde_json::{Map, Value};

use crate::agora::{Role, User};
use crate::http::refusal::Refusal;

/// The longest name of a channel, bytes (<https://docs.agora.io/en/voice-calling/reference/api>).
const LONGEST_CHANNEL: usize = 64;
/// The longest user account, bytes.
const LONGEST_ACCOUNT: usize = 255;
/// Characters that names of channels and accounts may have besides letters and digits.
const SIGNS: &str = " !#$%&()+-:;<=.>?@[]^_{}|~,";

/// The longest validity of a token and the default, s.
pub const LONGEST_VALIDITY: u32 = 86_400;

/// The channel, which must be there.
pub fn channel(fields: &Map<String, Value>) -> Result<String, Refusal> {
    let channel = text(fields, "channel", LONGEST_CHANNEL)?;
    channel.ok_or_else(|| Refusal::invalid("channel is required"))
}

/// Who is meant: `uid`, or else `user_account`.
pub fn user(fields: &Map<String, Value>) -> Result<User, Refusal> {
    if let Some(uid) = number(fields, "uid")? {
        return u32::try_from(uid)
            .map(User::Number)
            .map_err(|_| Refusal::invalid("uid must be from 0 to 4294967295"));
    }
    match text(fields, "user_account", LONGEST_ACCOUNT)? {
        Some(account) => Ok(User::Account(account)),
        None => Err(Refusal::invalid("uid or user_account is required")),
    }
}

pub fn role(fields: &Map<String, Value>) -> Result<Role, Refusal> {
    let role = match fields.get("role") {
        None | Some(Value::Null) => Some(Role::default()),
        Some(Value::String(name)) if name.is_empty() => Some(Role::default()),
        Some(Value::String(name)) => Role::named(name),
        Some(_) => None,
    };
    role.ok_or_else(|| Refusal::invalid("role must be publisher or subscriber"))
}

/// For how long, s.
pub fn validity(fields: &Map<String, Value>) -> Result<u32, Refusal> {
    match number(fields, "expire")? {
        None => Ok(LONGEST_VALIDITY),
        Some(seconds) if seconds < 1 => Err(Refusal::invalid("expire must be at least 1 (second)")),
        Some(seconds) => Ok(u32::try_from(seconds)
            .map_or(LONGEST_VALIDITY, |seconds| seconds.min(LONGEST_VALIDITY))),
    }
}

/// A text of characters that Agora takes; none when it is missing, null or empty.
fn text(
    fields: &Map<String, Value>,
    field: &str,
    longest: usize,
) -> Result<Option<String>, Refusal> {
    let text = match fields.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(Refusal::invalid(format!("{field} must be a text"))),
    };
    if text.len() > longest {
        return Err(Refusal::invalid(format!(
            "{field} must not be longer than {longest} bytes"
        )));
    }
    let is_taken = |c: char| c.is_ascii_alphanumeric() || SIGNS.contains(c);
    if let Some(refused) = text.chars().find(|c| !is_taken(*c)) {
        return Err(Refusal::invalid(format!(
            "{field} must not hold {refused:?}: Agora takes letters, digits, spaces and {}",
            SIGNS.trim()
        )));
    }
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// A whole number; none when it is missing, null or empty. Beyond what 64 bits hold, it is as far
/// out of bounds as can be.
fn number(fields: &Map<String, Value>, field: &str) -> Result<Option<i64>, Refusal> {
    let text = match fields.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => String::from("?"),
    };
    // JSON of some clients writes 30 as 30.0.
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    if whole.is_empty() {
        return Ok(None);
    }
    let (is_negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::invalid(format!("{field} must be a whole number")));
    }
    let number = digits.parse().unwrap_or(i64::MAX);
    Ok(Some(if is_negative { -number } else { number }))
}
