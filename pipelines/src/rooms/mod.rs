//! The rooms process: it holds the WebRTC connections of all WHIP publishers and hands what they
//! send to the captures that ask for it.

pub mod media;
pub mod ports;
