//! What WHIP clients write: offers (RFC 9725 section 4.2) and fragments (RFC 8840). Pure.
//!
//! Strangers wrote it: sizes and numbers are bounded, and nothing here trusts it to make sense.

mod answer;
mod credentials;
mod fragment;
mod h264;
mod offer;
mod sections;

pub use answer::{complete, restart_fragment};
pub use fragment::Fragment;
pub use offer::{Offer, OfferedTrack};

/// Why a description or a fragment is refused. The messages are for who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// It was read, but cannot be taken.
    #[error("{0}")]
    NotAcceptable(String),
}

fn malformed(message: impl Into<String>) -> SdpError {
    SdpError::Malformed(message.into())
}

fn not_acceptable(message: impl Into<String>) -> SdpError {
    SdpError::NotAcceptable(message.into())
}

/// Something of a stranger's to be quoted in a message: short, on one line.
fn quoted(text: &str) -> String {
    const MOST_CHARACTERS: usize = 40;
    let mut quoted: String = text
        .chars()
        .take(MOST_CHARACTERS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}
