//! What the end-to-end tests share: a real livekit-server, light publishers, lossy and cut
//! networks, the recording server under test and the real clients. Everything runs on loopback
//! and ends with the value that started it.

pub mod agora;
pub mod capture_log;
pub mod children;
pub mod clients;
pub mod content;
pub mod crash;
pub mod findings;
pub mod http;
pub mod livekit;
pub mod oracle;
pub mod ports;
pub mod proxy;
pub mod publisher;
pub mod small_disk;
pub mod tapedeck;
pub mod wait;
pub mod webhooks;

pub use storage_testing::cache_dir;
pub use testcard::media;
