//! Numbers as applications in JavaScript write them: with a fraction where they divided, and `null`
//! for what is no number.

use serde::{Deserialize, Deserializer};

/// The nearest whole number.
pub fn rounded<'de, D: Deserializer<'de>>(json: D) -> Result<i64, D::Error> {
    f64::deserialize(json).map(|number| number.round() as i64)
}

/// Bytes; 0 for no number.
pub fn bytes<'de, D: Deserializer<'de>>(json: D) -> Result<u64, D::Error> {
    if_any(json).map(|number| number.round() as u64)
}

/// 0 for no number.
pub fn if_any<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Option::deserialize(json).map(Option::unwrap_or_default)
}
