//! The paths of Memharbor, for channels of Agora. They stay as they are, so that its clients work;
//! where the behaviour differs on purpose, the README says so.

mod app;
mod fields;
mod health;
mod list;
mod log;
mod openapi;
mod sid;
mod start;
mod status;
mod stop;
mod token;
mod view;

pub use fields::check_channel;
pub use health::health;
pub use list::list;
pub use log::ApiLog;
pub use openapi::operations;
pub use sid::of as session_id;
pub use start::start;
pub use status::status;
pub use stop::stop;
pub use token::token;

use actix_web::HttpRequest;

/// An address of this server as whoever asks can follow it.
fn absolute(request: &HttpRequest, address: &str) -> String {
    match address.starts_with('/') {
        true => {
            let info = request.connection_info();
            format!("{}://{}{address}", info.scheme(), info.host())
        }
        false => address.to_owned(),
    }
}
