use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::aac::{AAC_FRAME, AacEncoder};
use super::pipeline::{build, element, failure, picture_caps};
use super::{FileFailure, FragmentFile, Identity, OutputError};
use crate::job::OutputSettings;
use crate::render::mp4::ResumePoint;
use crate::render::picture::{Canvas, PictureError};
use crate::render::sound::{RATE, Stereo};

/// Pictures that may wait for the encoder; each is a whole canvas.
const PICTURE_QUEUE: u64 = 4;
/// Bytes of sound that may wait where there are no pictures to wait for.
const SOUND_QUEUE_BYTES: u64 = 1 << 20;
/// How long encoder and muxer may make no progress before they are given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// AAC frames that are encoded before those that go behind an earlier render's, so that the encoder
/// is in the state in which the earlier one was. Together they last a whole number of ns.
const LEAD_FRAMES: u64 = 9;

/// Where the fragments go.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// To a new file.
    New {
        path: &'a Path,
        identity: &'a Identity,
    },
    /// Behind those of an earlier render.
    Behind {
        path: &'a Path,
        point: &'a ResumePoint,
    },
}

/// Encodes pictures and sound into a fragmented MP4.
pub struct Encoder {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    /// None for a file without picture.
    pictures: Option<Pictures>,
    sound: gst_app::AppSrc,
    file: Arc<Mutex<FragmentFile>>,
    aac: &'static AacEncoder,
    /// The file's first sample that the encoder gets; it makes up for the encoder's delay.
    first_sample: u64,
    /// The file's sample with which the encoder's first frame begins.
    first_frame: u64,
    /// Samples that the encoder got.
    fed: u64,
    key_interval_ns: u64,
    next_key_ns: u64,
    frames: u64,
}

/// The way of pictures to their encoder.
struct Pictures {
    source: gst_app::AppSrc,
    pool: gst_video::VideoBufferPool,
    /// Bytes that may wait.
    queue_bytes: u64,
}

impl Pictures {
    fn new(pipeline: &gst::Pipeline, canvas: &Canvas) -> Result<Self, OutputError> {
        let source: gst_app::AppSrc = element(pipeline, "pictures")?;
        source.set_caps(Some(&picture_caps(canvas)?));
        Ok(Self {
            source,
            pool: picture_pool(canvas)?,
            queue_bytes: canvas.info().size() as u64 * PICTURE_QUEUE,
        })
    }
}

impl Encoder {
    /// Starts encoders that write to `target`, without a canvas those of sound alone.
    pub fn new(
        settings: &OutputSettings,
        canvas: Option<&Canvas>,
        target: Target,
    ) -> Result<Self, OutputError> {
        let aac = AacEncoder::installed()?;
        let pipeline = build(settings, canvas.is_some(), aac)?;
        let bus = pipeline
            .bus()
            .ok_or_else(|| failure("find the bus", "there is none"))?;
        let pictures = canvas.map(|canvas| Pictures::new(&pipeline, canvas));
        let pictures = pictures.transpose()?;
        let sound: gst_app::AppSrc = element(&pipeline, "sound")?;
        sound.set_caps(Some(&aac.input_caps()));
        let (path, opened) = match target {
            Target::New { path, identity } => (path, FragmentFile::create(path, identity)),
            Target::Behind { path, point } => (path, FragmentFile::append(path, point)),
        };
        let file = opened.map_err(|source| OutputError::Write {
            path: path.into(),
            source,
        })?;
        let file = Arc::new(Mutex::new(file));
        write_to(&pipeline, &file)?;
        let first_frame = match target {
            Target::New { .. } => 0,
            Target::Behind { point, .. } => {
                drop_lead(&pipeline)?;
                point.sound_end.0.saturating_sub(LEAD_FRAMES * AAC_FRAME)
            }
        };
        let frames = match target {
            Target::New { .. } => 0,
            Target::Behind { point, .. } => point.pictures.len() as u64,
        };
        pipeline.set_state(gst::State::Playing).map_err(|error| {
            let detail = bus_error(&bus).unwrap_or_else(|| error.to_string());
            failure("start the encoders", detail)
        })?;
        Ok(Self {
            pipeline,
            bus,
            pictures,
            sound,
            file,
            aac,
            first_sample: first_frame + aac.priming as u64,
            first_frame,
            fed: 0,
            key_interval_ns: u64::from(settings.key_frame_interval_ms.max(100)) * 1_000_000,
            next_key_ns: 0,
            frames,
        })
    }

    /// Encodes the canvas as the picture of a moment, ns since the target's end.
    pub fn picture(
        &mut self,
        canvas: &Canvas,
        time_ns: u64,
        duration_ns: u64,
    ) -> Result<(), OutputError> {
        let Some(pictures) = &self.pictures else {
            return Ok(());
        };
        self.wait_for_room(&pictures.source, pictures.queue_bytes)?;
        let buffer = pictures
            .pool
            .acquire_buffer(None)
            .map_err(|error| failure("get a buffer", error))?;
        let mut buffer = canvas
            .copy_into(buffer)
            .map_err(|error: PictureError| failure("copy the canvas", error))?;
        let time = gst::ClockTime::from_nseconds(time_ns);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time);
            buffer.set_duration(gst::ClockTime::from_nseconds(duration_ns));
        }
        if time_ns >= self.next_key_ns {
            // Counting frames would not do: the frame rate is not constant. Without a running time
            // it is the next picture; with one, x264enc, whose time begins at 1000 h, refuses all
            // but the first.
            self.next_key_ns = time_ns + self.key_interval_ns;
            let event = gst_video::DownstreamForceKeyUnitEvent::builder()
                .timestamp(time)
                .stream_time(time)
                .all_headers(true)
                .build();
            pictures.source.send_event(event);
        }
        pictures
            .source
            .push_buffer(buffer)
            .map_err(|error| self.error("encode a picture", error))?;
        self.frames += 1;
        Ok(())
    }

    /// The first sample of the file that is needed.
    pub fn first_sample(&self) -> u64 {
        self.first_sample
    }

    /// Encodes the samples from a position in the file on; each call goes on from the one before.
    /// Those before [`Encoder::first_sample`] are dropped.
    pub fn sound(&mut self, position: u64, samples: &[Stereo]) -> Result<(), OutputError> {
        let wanted = self.first_sample + self.fed;
        let skipped = wanted.saturating_sub(position).min(samples.len() as u64);
        let samples = &samples[skipped as usize..];
        if samples.is_empty() {
            return Ok(());
        }
        if self.pictures.is_none() {
            self.wait_for_room(&self.sound, SOUND_QUEUE_BYTES)?;
        }
        let at = |position: u64| {
            gst::ClockTime::from_nseconds(
                (u128::from(position) * 1_000_000_000 / u128::from(RATE)) as u64,
            )
        };
        let mut buffer = gst::Buffer::from_mut_slice(self.aac.input_bytes(samples));
        let end = self.fed + samples.len() as u64;
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(at(self.fed));
            buffer.set_duration(at(end) - at(self.fed));
        }
        self.fed = end;
        self.sound
            .push_buffer(buffer)
            .map(|_| ())
            .map_err(|error| self.error("encode sound", error))
    }

    /// Pictures encoded so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        lock(&self.file).bytes()
    }

    /// Encodes what is left and closes the file; `mixed` is the length of the sound, samples.
    pub fn finish(mut self, mixed: u64) -> Result<(), OutputError> {
        self.pad_sound(mixed)?;
        if let Some(pictures) = &self.pictures {
            let _ = pictures.source.end_of_stream();
        }
        let _ = self.sound.end_of_stream();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let mut written = self.bytes();
        loop {
            let patience = gst::ClockTime::from_seconds(PATIENCE.as_secs());
            match self.bus.timed_pop_filtered(patience, &wanted) {
                Some(message) if message.type_() == gst::MessageType::Eos => {
                    let completed = lock(&self.file).complete();
                    return completed.map_err(|source| OutputError::Write {
                        path: lock(&self.file).path().into(),
                        source,
                    });
                }
                Some(message) => return Err(self.told("finish the file", &message)),
                None if self.bytes() > written => written = self.bytes(),
                None => return Err(failure("finish the file", "the encoders do not end")),
            }
        }
    }

    /// Adds silence for what the AAC encoder holds back, so that sound is as long as the picture.
    fn pad_sound(&mut self, mixed: u64) -> Result<(), OutputError> {
        let end = mixed.div_ceil(AAC_FRAME) * AAC_FRAME;
        let missing = end.saturating_sub(self.first_frame + self.fed);
        let position = self.first_sample + self.fed;
        self.sound(position, &vec![[0.0; 2]; missing as usize])
    }

    /// Waits until the encoder has taken enough of what waits at a source. Not left to the queue itself: a push
    /// that waits there does not return when the encoder fails.
    fn wait_for_room(&self, source: &gst_app::AppSrc, bytes: u64) -> Result<(), OutputError> {
        let begun = Instant::now();
        loop {
            if let Some(message) = self.bus.pop_filtered(&[gst::MessageType::Error]) {
                return Err(self.told("encode", &message));
            }
            if source.current_level_bytes() < bytes {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(failure("encode", "the encoder hangs"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn error(&self, action: &'static str, flow: gst::FlowError) -> OutputError {
        match self.bus.pop_filtered(&[gst::MessageType::Error]) {
            Some(message) => self.told(action, &message),
            None => failure(action, flow),
        }
    }

    /// The error of a bus message; that of the file, if it is behind it.
    fn told(&self, action: &'static str, message: &gst::Message) -> OutputError {
        let mut file = lock(&self.file);
        match file.take_failure() {
            Some(FileFailure::Io(source)) => {
                return OutputError::Write {
                    path: file.path().into(),
                    source,
                };
            }
            Some(FileFailure::Different) => return OutputError::Different,
            None => {}
        }
        match message.view() {
            gst::MessageView::Error(error) => {
                log::debug!("{:?}", error.debug());
                failure(action, error.error())
            }
            _ => failure(action, "no reason was given"),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Leaves out the AAC frames before those that are wanted, and lets the rest begin at 0.
fn drop_lead(pipeline: &gst::Pipeline) -> Result<(), OutputError> {
    let encoder: gst::Element = element(pipeline, "aac")?;
    let pad = encoder
        .static_pad("src")
        .ok_or_else(|| failure("encode sound", "the encoder has no source"))?;
    let lead = gst::ClockTime::from_nseconds(LEAD_FRAMES * AAC_FRAME * 1_000_000_000 / RATE);
    let passed = AtomicU64::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if passed.fetch_add(1, Ordering::Relaxed) < LEAD_FRAMES {
            return gst::PadProbeReturn::Drop;
        }
        if let Some(buffer) = info.buffer_mut() {
            let buffer = buffer.make_mut();
            buffer.set_pts(buffer.pts().map(|pts| pts.saturating_sub(lead)));
            buffer.set_dts(buffer.dts().map(|dts| dts.saturating_sub(lead)));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Lets the muxer's output go to the file, on the muxer's thread.
fn write_to(pipeline: &gst::Pipeline, file: &Arc<Mutex<FragmentFile>>) -> Result<(), OutputError> {
    let sink: gst_app::AppSink = element(pipeline, "file")?;
    let file = Arc::clone(file);
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let mut file = lock(&file);
                let lists = sample.buffer_list_owned();
                let buffers = lists
                    .iter()
                    .flat_map(|list| list.iter_owned())
                    .chain(sample.buffer_owned());
                for buffer in buffers {
                    let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
                    file.write(&map).map_err(|()| gst::FlowError::Error)?;
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    Ok(())
}

fn picture_pool(canvas: &Canvas) -> Result<gst_video::VideoBufferPool, OutputError> {
    let info = canvas.info();
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let caps = info
        .to_caps()
        .map_err(|error| failure("describe the canvas", error))?;
    config.set_params(Some(&caps), info.size() as u32, 2, 0);
    pool.set_config(config)
        .map_err(|error| failure("make the picture pool", error))?;
    pool.set_active(true)
        .map_err(|error| failure("make the picture pool", error))?;
    Ok(pool)
}

fn bus_error(bus: &gst::Bus) -> Option<String> {
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(error.error().to_string()),
        _ => None,
    }
}

fn lock(file: &Mutex<FragmentFile>) -> MutexGuard<'_, FragmentFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}
