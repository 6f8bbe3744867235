//! Agora: the tokens that let people into a channel, and the recorder's way into one.

mod channels;
mod token;

pub use channels::{AppChannels, LONGEST_VALIDITY, unix_now};
pub use token::{AppCredentials, Grant, Role, TokenVersion, User};
