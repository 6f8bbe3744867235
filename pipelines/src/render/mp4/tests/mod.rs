mod damage;
pub mod fragments;
mod gstreamer;
mod headers;
