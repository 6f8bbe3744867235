//! Networks that lose, reorder and break.
//!
//! **Media.** livekit-server listens for media on one port of 127.0.0.1 and, with
//! [`crate::livekit::LivekitOptions::behind_proxy`], announces the same port of 127.0.0.2, where
//! [`UdpProxy`] listens. So everybody who follows the announced addresses goes through the proxy
//! without knowing, above all the recorder; the light publishers replace the address again
//! unless they are told not to. Such a server is an ICE lite agent: it answers where it is asked
//! from and does not look for a direct way.
//!
//! **Signalling.** [`TcpProxy`] is an address of its own that can be cut.

mod tcp;
mod udp;

pub use tcp::TcpProxy;
pub use udp::{Impairment, UdpProxy};
