//! Encoded beeps.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, PoisonError};

use super::{EncodedFrame, MediaError, RawBuffer, run_pipeline};

/// How long a beep lasts, s.
pub const BEEP_SECONDS: f64 = 0.06;

/// How much sound one Opus packet holds, s.
pub const OPUS_FRAME_SECONDS: f64 = 0.02;

const SAMPLE_RATE: u32 = 48_000;
const FRAME_SAMPLES: u32 = 960;
const AMPLITUDE: f64 = 0.35;
const FADE_SECONDS: f64 = 0.002;

/// One second of Opus packets of 20 ms with one beep, to be repeated.
#[derive(Debug)]
pub struct AudioLoop {
    pub packets: Vec<EncodedFrame>,
}

static CACHE: Mutex<Option<HashMap<u32, Arc<AudioLoop>>>> = Mutex::new(None);

impl AudioLoop {
    /// The loop with a beep of `pitch` Hz, encoded when it is asked for first.
    ///
    /// # Errors
    /// GStreamer lacks the encoder.
    pub fn get(pitch: u32) -> Result<Arc<Self>, MediaError> {
        let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = cache.get_or_insert_default();
        if let Some(known) = cache.get(&pitch) {
            return Ok(known.clone());
        }
        let encoded = encode(pitch).map_err(|reason| MediaError::Encoder {
            what: "Opus",
            reason,
        })?;
        Ok(cache.entry(pitch).or_insert(Arc::new(encoded)).clone())
    }
}

/// The sample that the microphone takes at `position` of a second. As with real publishers, a
/// decoder puts it out later by the look-ahead of the encoder.
fn sample(pitch: u32, position: u32) -> i16 {
    let time = f64::from(position % SAMPLE_RATE) / f64::from(SAMPLE_RATE);
    if time >= BEEP_SECONDS {
        return 0;
    }
    let fade = (time.min(BEEP_SECONDS - time) / FADE_SECONDS).min(1.0);
    let value = AMPLITUDE * fade * (TAU * f64::from(pitch) * time).sin();
    (value * f64::from(i16::MAX)) as i16
}

fn encode(pitch: u32) -> Result<AudioLoop, String> {
    let per_second = (SAMPLE_RATE / FRAME_SAMPLES) as usize;
    // The second of two seconds: by then the encoder has a past, as it has in a loop.
    let buffers = (0..2 * per_second as u32)
        .map(|frame| RawBuffer {
            data: (0..FRAME_SAMPLES)
                .flat_map(|offset| {
                    let position = frame * FRAME_SAMPLES + offset;
                    sample(pitch, position).to_le_bytes()
                })
                .collect(),
            time_ns: u64::from(frame) * 20_000_000,
            duration_ns: 20_000_000,
        })
        .collect();
    let description = "appsrc name=input format=time \
        caps=audio/x-raw,format=S16LE,rate=48000,channels=1,layout=interleaved \
        max-buffers=8 block=true ! opusenc frame-size=20 bitrate=48000 audio-type=generic ! \
        appsink name=output sync=false max-buffers=100000";
    let packets = run_pipeline(description, buffers)?;
    let second = packets.get(per_second..2 * per_second);
    let packets = second.ok_or("not each 20 ms became one packet")?.to_vec();
    Ok(AudioLoop { packets })
}
