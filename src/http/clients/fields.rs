//! Checks of single fields.

use serde_json::{Map, Value};
use tapedeck_actors::SourceKind;

use crate::http::refusal::Refusal;

/// The longest name of a room or participant, bytes.
pub const LONGEST_NAME: usize = 256;

/// A name: a text that is not empty, not too long and without control characters. `None` when it
/// is missing, null or empty.
pub fn name(fields: &Map<String, Value>, field: &str) -> Result<Option<String>, Refusal> {
    let text = match fields.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(Refusal::invalid(format!("{field} must be a text"))),
    };
    check_name(text, field).map(|text| text.map(str::to_owned))
}

/// As [`name`], for one that must be there.
pub fn required_name(fields: &Map<String, Value>, field: &str) -> Result<String, Refusal> {
    name(fields, field)?.ok_or_else(|| Refusal::invalid(format!("{field} is required")))
}

/// As [`name`], for a text that is there.
pub fn check_name<'a>(text: &'a str, field: &str) -> Result<Option<&'a str>, Refusal> {
    if text.len() > LONGEST_NAME {
        return Err(Refusal::invalid(format!(
            "{field} must not be longer than {LONGEST_NAME} bytes"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::invalid(format!(
            "{field} must not hold control characters"
        )));
    }
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// Where the room lives, `None` when it is missing, null or empty.
pub fn source(fields: &Map<String, Value>) -> Result<Option<SourceKind>, Refusal> {
    let named = match fields.get("source") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) if name.is_empty() => return Ok(None),
        Some(Value::String(name)) => SourceKind::named(name),
        Some(_) => None,
    };
    named.map(Some).ok_or_else(|| {
        let names = SourceKind::ALL.map(SourceKind::name).join(", ");
        Refusal::invalid(format!("source must be one of {names}"))
    })
}

/// Yes or no; no when it is missing or null.
pub fn flag(fields: &Map<String, Value>, field: &str) -> Result<bool, Refusal> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Refusal::invalid(format!("{field} must be true or false"))),
    }
}

/// A whole number, `None` when it is missing or null. `expected` says what it must be.
pub fn whole_number(
    fields: &Map<String, Value>,
    field: &str,
    expected: &str,
) -> Result<Option<i64>, Refusal> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        // JSON of some clients writes 30 as 30.0.
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Some(whole)),
            #[allow(
                clippy::cast_possible_truncation,
                reason = "it is whole and within 53 bits"
            )]
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => {
                Ok(Some(float as i64))
            }
            _ => Err(Refusal::invalid(format!("{field} {expected}"))),
        },
        Some(_) => Err(Refusal::invalid(format!(
            "{field} must be a number: it {expected}"
        ))),
    }
}
