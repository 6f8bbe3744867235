use bytes::Bytes;

use super::LogEvent;

/// The number of a track within one log. A track whose codec changes gets a new number.
pub type TrackNumber = u16;

/// One record of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Arrival: nanoseconds of recording time, monotonic, 0 at the recording's start.
    pub time_ns: u64,
    /// Arrival: Unix nanoseconds on the machine's wall clock, which may jump.
    pub wall_ns: i64,
    pub body: Body,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Frame(Frame),
    SenderReport(SenderReport),
    Event(LogEvent),
    /// Nothing happened for a while: recording time has come this far. At least every 100 ms of
    /// silence, so that a follower does not stall.
    Tick,
}

/// An encoded frame as it was received: a VP8/H.264 (Annex B) access unit or an Opus packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub track: TrackNumber,
    /// Whether a decoder can begin here.
    pub keyframe: bool,
    /// Whether no frame is missing between this one and the one before.
    pub contiguous: bool,
    /// RTP time in the track's clock rate, extended to 64 bits: it does not wrap.
    pub rtp: i64,
    pub payload: Bytes,
}

/// An RTCP sender report: at `ntp_ns` on the publisher's clock its RTP time was `rtp`
/// (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    pub track: TrackNumber,
    /// Extended as in [`Frame::rtp`].
    pub rtp: i64,
    /// Unix nanoseconds on the publisher's clock.
    pub ntp_ns: i64,
}
