//! Checks of what clients send. Numbers may come as texts of digits.

use serde_json::{Map, Value};
use tapedeck_storage::channel_parts;

use crate::agora::{LONGEST_VALIDITY, Role, User};
use crate::http::refusal::Refusal;

/// The longest name of a channel, bytes (<https://docs.agora.io/en/voice-calling/reference/api>).
const LONGEST_CHANNEL: usize = 64;
/// The longest user account, bytes.
const LONGEST_ACCOUNT: usize = 255;
/// Characters that names of channels and accounts may have besides letters and digits.
const SIGNS: &str = " !#$%&()+-:;<=.>?@[]^_{}|~,";

/// The channel, which must be there.
pub fn channel(fields: &Map<String, Value>) -> Result<String, Refusal> {
    let channel = text(fields, "channel", LONGEST_CHANNEL)?;
    channel.ok_or_else(|| Refusal::invalid("channel is required"))
}

/// Checks the name of a channel that another interface was given.
pub fn check_channel(channel: &str, field: &str) -> Result<(), Refusal> {
    check_text(channel, field, LONGEST_CHANNEL)
}

/// Checks that a channel is `{groupId}_{user1}_{user2}`; further underscores belong to the second
/// user.
pub fn parts(channel: &str) -> Result<(), Refusal> {
    match channel_parts(channel) {
        Some(_) => Ok(()),
        None => Err(Refusal::invalid(
            "channel must be {groupId}_{user1}_{user2}",
        )),
    }
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
    check_text(&text, field, longest)?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

fn check_text(text: &str, field: &str, longest: usize) -> Result<(), Refusal> {
    if text.len() > longest {
        return Err(Refusal::invalid(format!(
            "{field} must not be longer than {longest} bytes"
        )));
    }
    let is_taken = |c: char| c.is_ascii_alphanumeric() || SIGNS.contains(c);
    match text.chars().find(|c| !is_taken(*c)) {
        None => Ok(()),
        Some(refused) => Err(Refusal::invalid(format!(
            "{field} must not hold {refused:?}: Agora takes letters, digits, spaces and {}",
            SIGNS.trim()
        ))),
    }
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
