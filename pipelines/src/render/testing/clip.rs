use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::log::Codec;

/// Encoded media and when each piece begins, ns of media time.
#[derive(Clone)]
pub struct Clip {
    pub codec: Codec,
    pub pieces: Vec<Piece>,
}

#[derive(Clone)]
pub struct Piece {
    pub time_ns: u64,
    pub keyframe: bool,
    pub data: Vec<u8>,
}

impl Clip {
    /// The clip again and again; it is as long as its pieces, which are evenly spaced.
    pub fn repeated(&self, times: u64) -> Self {
        let step_ns = self.pieces[1].time_ns - self.pieces[0].time_ns;
        let seconds = (self.pieces.last().unwrap().time_ns + step_ns).div_ceil(1_000_000_000);
        let pieces = (0..times).flat_map(|round| {
            self.pieces.iter().cloned().map(move |piece| Piece {
                time_ns: piece.time_ns + round * seconds * 1_000_000_000,
                ..piece
            })
        });
        Self {
            codec: self.codec,
            pieces: pieces.collect(),
        }
    }
}

/// What a publisher's picture looks like.
#[derive(Clone, Copy)]
pub struct Look {
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    pub frame_rate: u32,
    /// Luma between flashes.
    pub luma: u8,
    /// When in each second the picture is white for two frames, ns.
    pub phase_ns: u64,
    /// Noise that makes the encoder work.
    pub busy: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            codec: Codec::Vp8,
            width: 320,
            height: 180,
            frame_rate: 15,
            luma: 90,
            phase_ns: 0,
            busy: false,
        }
    }
}

/// Encodes a picture that flashes once a second.
pub fn video(look: Look, seconds: u64) -> Clip {
    let encoder = match look.codec {
        Codec::Vp8 => {
            "vp8enc deadline=1 cpu-used=8 threads=2 keyframe-max-dist=60 target-bitrate=800000"
        }
        Codec::Vp9 => "vp9enc deadline=1 cpu-used=8 lag-in-frames=0 keyframe-max-dist=60",
        Codec::Av1 => {
            "av1enc usage-profile=realtime cpu-used=8 lag-in-frames=0 keyframe-max-dist=60 \
             ! video/x-av1,stream-format=obu-stream,alignment=tu"
        }
        _ => {
            "x264enc speed-preset=ultrafast tune=zerolatency key-int-max=60 bitrate=800 \
             ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au"
        }
    };
    let caps = format!(
        "video/x-raw,format=I420,width={},height={},framerate={}/1",
        look.width, look.height, look.frame_rate
    );
    let count = seconds * u64::from(look.frame_rate);
    let frames = (0..count).map(move |index| {
        let time_ns = index * 1_000_000_000 / u64::from(look.frame_rate);
        (time_ns, picture(look, index, time_ns))
    });
    Clip {
        codec: look.codec,
        pieces: encode(&caps, encoder, frames),
    }
}

/// Encodes silence with a beep of 60 ms once a second, at `phase_ns`.
pub fn beeps(pitch: f32, phase_ns: u64, amplitude: f32, seconds: u64) -> Clip {
    sound(seconds, move |time_ns| {
        let since = ((time_ns + 1_000_000_000 - phase_ns) % 1_000_000_000) as f32 / 1e9;
        let loud = since < 0.06 && time_ns >= phase_ns;
        let value = (since * pitch * std::f32::consts::TAU).sin() * amplitude;
        if loud { value } else { 0.0 }
    })
}

/// Encodes a tone that goes on and on.
pub fn tone(pitch: f32, amplitude: f32, seconds: u64) -> Clip {
    sound(seconds, move |time_ns| {
        let turns = time_ns as f64 / 1e9 * f64::from(pitch);
        (turns.fract() * std::f64::consts::TAU).sin() as f32 * amplitude
    })
}

/// Encodes the values that a function has at points of time, ns.
fn sound(seconds: u64, value: impl Fn(u64) -> f32) -> Clip {
    let packets = (0..seconds * 50).map(|index| {
        let samples = (0..960).flat_map(|sample| {
            let value = value((index * 960 + sample) * 1_000_000_000 / 48_000);
            ((value * 32_767.0) as i16).to_le_bytes()
        });
        (index * 20_000_000, samples.collect())
    });
    let caps = "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1";
    let pieces = encode(caps, "opusenc frame-size=20 bitrate=48000", packets);
    Clip {
        codec: Codec::Opus,
        pieces,
    }
}

fn picture(look: Look, index: u64, time_ns: u64) -> Vec<u8> {
    let (width, height) = (look.width as usize, look.height as usize);
    let since = (time_ns + 1_000_000_000 - look.phase_ns) % 1_000_000_000;
    let flash =
        time_ns >= look.phase_ns && since + 1_000_000 < 2_000_000_000 / u64::from(look.frame_rate);
    // Rows begin at multiples of four bytes.
    let stride = width.next_multiple_of(4);
    let mut data = vec![if flash { 235 } else { look.luma }; stride * height];
    if !flash {
        let bar = (index as usize * 7) % width;
        let mut noise = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for (row, line) in data.chunks_mut(stride).enumerate() {
            if look.busy {
                // Blocks that move and shimmer, as a camera's picture of a busy room does.
                for (column, value) in line.iter_mut().enumerate() {
                    let block = ((column + index as usize * 3) / 16 + row / 16) % 5;
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    *value = look
                        .luma
                        .saturating_add(block as u8 * 9 + (noise & 7) as u8);
                }
            }
            line[bar..(bar + 12).min(width)].fill(look.luma.saturating_sub(30));
        }
    }
    let chroma = width.div_ceil(2).next_multiple_of(4) * height.div_ceil(2);
    data.extend(std::iter::repeat_n(110, chroma));
    data.extend(std::iter::repeat_n(140, chroma));
    data
}

fn encode(caps: &str, encoder: &str, input: impl Iterator<Item = (u64, Vec<u8>)>) -> Vec<Piece> {
    gst::init().unwrap();
    let description = format!(
        "appsrc name=in format=time caps=\"{caps}\" max-bytes=0 ! {encoder} \
         ! appsink name=out sync=false max-buffers=0"
    );
    let pipeline = gst::parse::launch(&description)
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    let source: gst_app::AppSrc = pipeline.by_name("in").unwrap().downcast().unwrap();
    let sink: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut times = Vec::new();
    for (time_ns, data) in input {
        let mut buffer = gst::Buffer::from_mut_slice(data);
        buffer
            .get_mut()
            .unwrap()
            .set_pts(gst::ClockTime::from_nseconds(time_ns));
        source.push_buffer(buffer).unwrap();
        times.push(time_ns);
    }
    source.end_of_stream().unwrap();
    let mut pieces = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        let Some(&time_ns) = times.get(pieces.len()) else {
            break;
        };
        pieces.push(Piece {
            time_ns,
            keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            data: buffer.map_readable().unwrap().to_vec(),
        });
    }
    pipeline.set_state(gst::State::Null).unwrap();
    pieces
}
