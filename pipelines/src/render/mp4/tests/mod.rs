mod damage;
mod fragments;
mod gstreamer;
mod headers;
