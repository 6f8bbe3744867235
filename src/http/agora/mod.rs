//! The paths of Memharbor, for channels of Agora. They stay as they are, so that its clients work;
//! where the behaviour differs on purpose, the README says so.

mod fields;
mod health;
mod log;
mod token;

pub use health::health;
pub use log::ApiLog;
pub use token::token;
