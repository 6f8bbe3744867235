//! Single pictures of a recording as JPEG files: one that shows it in lists, and, while it is made,
//! how it looks just now.

mod jpeg;
mod poster;
mod thumbnails;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::RenderControl;
use super::hexadecimal;
use super::picture::{Canvas, PictureError};
use crate::control::OutputFile;
use crate::job::PREVIEW_FILE;
use jpeg::JpegEncoder;
use poster::{Rank, rank};
use thumbnails::Thumbnails;

/// File name of the picture for lists in a render's folder.
const POSTER: &str = "poster.jpg";

/// Widths, pixels; the height follows from the canvas.
const PREVIEW_WIDTH: u32 = 480;
const POSTER_WIDTH: u32 = 640;

/// Time between two present pictures. Each costs some milliseconds.
const PREVIEW_EVERY: Duration = Duration::from_secs(2);

/// When there may be something to see, ns of file time.
const FIRST_NS: u64 = 1_000_000_000;

/// Takes pictures of the canvas. That one cannot be taken is told once, and the recording goes on
/// without.
pub struct Stills {
    folder: PathBuf,
    preview_path: PathBuf,
    preview: Option<JpegEncoder>,
    previewed: Option<Instant>,
    rank: Rank,
    thumbnails: Thumbnails,
    given_up: bool,
}

impl Stills {
    /// Keeps pictures in a render's `folder`, in a recording's `work` folder; `goes_on` if an earlier render's file is kept, and
    /// its poster with it.
    pub fn new(work: &Path, folder: &Path, interval_s: Option<u32>, goes_on: bool) -> Self {
        let poster = folder.join(POSTER);
        let is_there = goes_on && poster.is_file();
        if !is_there {
            // Of another render; what is not there need not go.
            let _ = fs::remove_file(&poster);
        }
        Self {
            folder: folder.into(),
            preview_path: work.join(PREVIEW_FILE),
            preview: None,
            previewed: None,
            rank: if is_there { Rank::Best } else { Rank::None },
            thumbnails: Thumbnails::new(folder, interval_s, goes_on),
            given_up: false,
        }
    }

    /// Sees the canvas as it is at a moment of file time, ns. `shows_somebody` unless there is no
    /// picture of anybody on it.
    pub fn see(
        &mut self,
        canvas: &Canvas,
        time_ns: u64,
        shows_somebody: bool,
        control: &RenderControl,
    ) {
        if self.given_up {
            return;
        }
        let preview = match time_ns {
            ..FIRST_NS => Ok(()),
            _ => self.preview(canvas),
        };
        let seen = preview.and_then(|()| {
            let rank = rank(canvas, time_ns, shows_somebody, self.rank);
            self.keep_poster(canvas, rank)
        });
        let seen = seen.and_then(|()| {
            let Some(path) = self.thumbnails.due(time_ns, control) else {
                return Ok(());
            };
            Ok(replace(&path, &self.encoder(canvas)?.encode(canvas)?)?)
        });
        self.settle(seen, control);
    }

    /// Sees the last picture: a recording however short has a poster.
    pub fn finish(&mut self, canvas: &Canvas, control: &RenderControl) {
        if self.rank == Rank::None && !self.given_up {
            let kept = self.keep_poster(canvas, Rank::Any);
            self.settle(kept, control);
        }
    }

    fn settle(&mut self, result: Result<(), StillError>, control: &RenderControl) {
        if let Err(error) = result {
            self.given_up = true;
            control.warn("still_missing", "", error.to_string());
        }
    }

    fn preview(&mut self, canvas: &Canvas) -> Result<(), StillError> {
        if self
            .previewed
            .is_some_and(|at| at.elapsed() < PREVIEW_EVERY)
        {
            return Ok(());
        }
        self.previewed = Some(Instant::now());
        let picture = self.encoder(canvas)?.encode(canvas)?;
        Ok(replace(&self.preview_path, &picture)?)
    }

    fn encoder(&mut self, canvas: &Canvas) -> Result<&mut JpegEncoder, StillError> {
        Ok(match &mut self.preview {
            Some(encoder) => encoder,
            none => none.insert(JpegEncoder::new(canvas.info(), PREVIEW_WIDTH)?),
        })
    }

    fn keep_poster(&mut self, canvas: &Canvas, rank: Rank) -> Result<(), StillError> {
        if rank <= self.rank {
            return Ok(());
        }
        self.rank = rank;
        let picture = JpegEncoder::new(canvas.info(), POSTER_WIDTH)?.encode(canvas)?;
        Ok(replace(&self.folder.join(POSTER), &picture)?)
    }
}

/// Why a picture of the canvas was not taken.
#[derive(Debug, thiserror::Error)]
enum StillError {
    #[error("no pictures of the recording are taken: {0}")]
    Picture(#[from] PictureError),
    #[error("no pictures of the recording are kept: {0}")]
    Io(#[from] io::Error),
}

/// Puts the poster and the thumbnails of a finished render beside its `output`, the poster first. The
/// render's own stay for one that has to finish again.
///
/// # Errors
/// They cannot be written.
pub fn deliver(folder: &Path, output: &Path) -> io::Result<Vec<OutputFile>> {
    let poster = folder.join(POSTER);
    let poster = poster.is_file().then(|| (poster, String::new()));
    let thumbnails = thumbnails::all(folder)?.into_iter();
    let thumbnails = thumbnails.map(|(number, path)| (path, format!("-{number:04}")));
    let pictures = poster.into_iter().chain(thumbnails);
    pictures
        .map(|(path, suffix)| put(&path, suffix, output))
        .collect()
}

/// Puts one picture beside `output`, under its name with a suffix.
fn put(picture: &Path, suffix: String, output: &Path) -> io::Result<OutputFile> {
    let picture = fs::read(picture)?;
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let path = output.with_file_name(format!("{stem}{suffix}.jpg"));
    replace(&path, &picture)?;
    fs::File::open(&path)?.sync_all()?;
    let (width, height) = jpeg::size(&picture).unwrap_or_default();
    Ok(OutputFile {
        size_bytes: picture.len() as u64,
        duration_ms: 0,
        sha256: hexadecimal(&Sha256::digest(&picture)),
        width,
        height,
        suffix,
        path,
    })
}

/// Writes a file so that whoever reads it finds the one before or this one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("jpg.new");
    fs::write(&new, content)?;
    fs::rename(&new, path)
}
