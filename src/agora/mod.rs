//! Agora: the tokens that let people into a channel.

mod token;

pub use token::{AppCredentials, Grant, Role, TokenVersion, User};
