//! Where everybody is on the canvas. Pure: capture asks it for the size of a tile, render for its
//! place.

/// A rectangle on the canvas, pixels, all even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// The places of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// One place per screen share.
    pub screen_shares: Vec<Rect>,
    /// One place per participant, in the order of joining.
    pub participants: Vec<Rect>,
}

/// Arranges `participants` tiles and `screen_shares` large areas on a canvas of `width` × `height`.
pub fn arrange(_width: u32, _height: u32, _participants: usize, _screen_shares: usize) -> Layout {
    todo!()
}
