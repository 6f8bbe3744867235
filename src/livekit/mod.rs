//! The LiveKit or OpenVidu server: its address, its tokens, its room service.

mod address;
mod grant;
mod rooms;
mod token;

pub use address::ServerAddress;
pub use grant::{Expiry, Grant, GrantError, TrackSource};
pub use rooms::{LivekitRooms, root_cause};
pub use token::{Credentials, ParticipantToken, RoomCredentials, TokenError, unix_seconds};
