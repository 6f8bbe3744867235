//! The paths of OpenVidu's recording applications. They stay as they are, so that clients written
//! for those applications work; where the behaviour differs on purpose, the README says so.

mod answer;
mod body;
mod delete;
mod fields;
mod list;
mod name;
mod openapi;
mod pause;
mod range;
pub mod request;
mod start;
mod stop;
mod stream;
mod token;
mod url;
mod view;

pub use body::Fields;
pub use delete::delete;
pub use fields::check_name;
pub use list::list;
pub use openapi::operations;
pub use pause::{pause, resume};
pub use start::{check_not_finishing, refusal as start_refusal, start};
pub use stop::stop;
pub use stream::stream;
pub use token::token;
pub use url::{address, url};
