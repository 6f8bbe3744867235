//! Our own interface for operators. Names of times end in `Ms` (Unix or length), of sizes in
//! `Bytes`.

mod case;
mod status;
mod v1;
mod view;

pub use status::{status, status_of};
pub use v1::{get, list};
