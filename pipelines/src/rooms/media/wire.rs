//! The messages of the rooms process, and of the browser host, as bytes. Pure.
//!
//! A message is its length in bytes (u32, what follows it), its kind (u8) and its body: JSON of a
//! [`MediaEvent`] (of the browser host: a [`ChannelEvent`](crate::browser::ChannelEvent)), or a frame's header and payload. Numbers are little endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::Codec;

use super::{MediaEvent, TrackNumber};

/// The longest event, bytes of JSON.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// The longest payload of a frame, bytes.
pub const MAX_FRAME_BYTES: usize = 8 << 20;

const LENGTH_BYTES: usize = 4;

const KIND_EVENT: u8 = 1;
const KIND_FRAME: u8 = 2;

/// Of a frame's header as this version writes it; a later version may append fields.
const FRAME_HEADER_BYTES: u16 = 20;

/// The longest header of a frame that is accepted.
const MAX_FRAME_HEADER_BYTES: usize = 1 << 10;

const FLAG_KEYFRAME: u8 = 1;
const FLAG_CONTIGUOUS: u8 = 2;

/// By its index, a codec's number on the wire. New ones are added at the end.
const CODECS: [Codec; 7] = [
    Codec::Unknown,
    Codec::Opus,
    Codec::Vp8,
    Codec::H264,
    Codec::Vp9,
    Codec::Av1,
    Codec::Pcm,
];

/// A frame as it came out of the jitter buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFrame {
    pub track: TrackNumber,
    pub codec: Codec,
    /// Ticks of RTP time per second.
    pub clock_rate: u32,
    pub keyframe: bool,
    /// Whether no frame is missing between this one and the one before.
    pub contiguous: bool,
    /// RTP time as on the wire; it wraps.
    pub rtp: u32,
    /// Packets that never arrived between the frame before and this one.
    pub packets_lost: u32,
    pub payload: Bytes,
}

/// A message of a process that hands media to captures; its events are `E`.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<E = MediaEvent> {
    Event(Box<E>),
    Frame(MediaFrame),
    /// A kind of a later version.
    Unknown,
}

/// Why bytes are no message; the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("a message of the media socket is too long: {0} bytes")]
    TooLong(usize),
    #[error("a message of the media socket is malformed")]
    Malformed,
}

/// An event as a message.
///
/// # Errors
/// It is too long.
pub fn encode_event(event: &impl Serialize) -> Result<Bytes, WireError> {
    let json = serde_json::to_vec(event).map_err(|_| WireError::Malformed)?;
    if json.len() > MAX_EVENT_BYTES {
        return Err(WireError::TooLong(json.len()));
    }
    let mut message = begin(KIND_EVENT, json.len());
    message.put_slice(&json);
    Ok(message.freeze())
}

/// A frame as a message.
///
/// # Errors
/// It is too long.
pub fn encode_frame(frame: &MediaFrame) -> Result<Bytes, WireError> {
    if frame.payload.len() > MAX_FRAME_BYTES {
        return Err(WireError::TooLong(frame.payload.len()));
    }
    let codec = CODECS.iter().position(|codec| *codec == frame.codec);
    let flags =
        u8::from(frame.keyframe) * FLAG_KEYFRAME + u8::from(frame.contiguous) * FLAG_CONTIGUOUS;
    let mut message = begin(
        KIND_FRAME,
        usize::from(FRAME_HEADER_BYTES) + frame.payload.len(),
    );
    message.put_u16_le(FRAME_HEADER_BYTES);
    message.put_u8(
        codec
            .and_then(|codec| u8::try_from(codec).ok())
            .unwrap_or(0),
    );
    message.put_u8(flags);
    message.put_u32_le(frame.track);
    message.put_u32_le(frame.clock_rate);
    message.put_u32_le(frame.rtp);
    message.put_u32_le(frame.packets_lost);
    message.put_slice(&frame.payload);
    Ok(message.freeze())
}

fn begin(kind: u8, body_bytes: usize) -> BytesMut {
    let mut message = BytesMut::with_capacity(LENGTH_BYTES + 1 + body_bytes);
    // Both kinds are bounded far below 4 GiB.
    message.put_u32_le((1 + body_bytes) as u32);
    message.put_u8(kind);
    message
}

/// Takes the first message out of what was received; none while it is not there as a whole.
///
/// # Errors
/// What was received is not of this protocol.
pub fn decode<E: DeserializeOwned>(
    received: &mut BytesMut,
) -> Result<Option<Message<E>>, WireError> {
    let Some(length) = received.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > 1 + MAX_FRAME_HEADER_BYTES + MAX_FRAME_BYTES {
        return Err(WireError::TooLong(length));
    }
    if length == 0 {
        return Err(WireError::Malformed);
    }
    if received.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    received.advance(LENGTH_BYTES);
    let mut body = received.split_to(length).freeze();
    match body.get_u8() {
        KIND_EVENT => decode_event(&body).map(Some),
        KIND_FRAME => decode_frame(body).map(Some),
        _ => Ok(Some(Message::Unknown)),
    }
}

fn decode_event<E: DeserializeOwned>(body: &[u8]) -> Result<Message<E>, WireError> {
    if body.len() > MAX_EVENT_BYTES {
        return Err(WireError::TooLong(body.len()));
    }
    let json: serde_json::Value = serde_json::from_slice(body).map_err(|_| WireError::Malformed)?;
    match serde_json::from_value(json) {
        Ok(event) => Ok(Message::Event(Box::new(event))),
        Err(error) => {
            log::debug!("ignoring an event of the media socket: {error}");
            Ok(Message::Unknown)
        }
    }
}

fn decode_frame<E>(mut body: Bytes) -> Result<Message<E>, WireError> {
    let header_bytes = body.try_get_u16_le().map_err(|_| WireError::Malformed)?;
    if header_bytes < FRAME_HEADER_BYTES || body.len() + 2 < usize::from(header_bytes) {
        return Err(WireError::Malformed);
    }
    let mut header = body.split_to(usize::from(header_bytes) - 2);
    if body.len() > MAX_FRAME_BYTES {
        return Err(WireError::TooLong(body.len()));
    }
    let codec = usize::from(header.get_u8());
    let flags = header.get_u8();
    Ok(Message::Frame(MediaFrame {
        track: header.get_u32_le(),
        codec: CODECS.get(codec).copied().unwrap_or(Codec::Unknown),
        keyframe: flags & FLAG_KEYFRAME != 0,
        contiguous: flags & FLAG_CONTIGUOUS != 0,
        clock_rate: header.get_u32_le(),
        rtp: header.get_u32_le(),
        packets_lost: header.get_u32_le(),
        payload: body,
    }))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
