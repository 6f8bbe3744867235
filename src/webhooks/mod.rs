//! Webhooks on the wire: what is sent, and what LiveKit sends us.

mod sender;
mod signature;

pub use sender::SignedPosts;
pub use signature::{sign, verify};
