//! What our browser loads: the page that listens to a channel, and the socket it speaks through.

mod http;
mod messages;
mod server;
mod socket;

pub use messages::{PageEvent, PageOrder};
pub use server::PageServer;
pub use socket::{PageMessage, PageSocket};
