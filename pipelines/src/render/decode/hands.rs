use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::log::TrackNumber;

/// A frame that kills the process this often when it is decoded is left out, with what follows it
/// on its track.
const DEATHS: u32 = 2;
/// The most frames that are remembered.
const REMEMBERED: usize = 64;

/// A frame, known again by what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameMark {
    pub track: TrackNumber,
    bytes: u32,
    crc32c: u32,
}

impl FrameMark {
    pub fn of(track: TrackNumber, payload: &[u8]) -> Self {
        Self {
            track,
            bytes: payload.len() as u32,
            crc32c: crc32c::crc32c(payload),
        }
    }
}

/// Tells in a file which frame is being decoded, so that it is known when the process died of it.
/// Not synced: it has to survive the process, not the machine. The file goes when the process ends
/// in order.
pub struct Hands {
    path: PathBuf,
    file: Option<File>,
}

impl Hands {
    /// Without a file nothing is told; that is no reason not to render.
    pub fn new(path: &Path) -> Self {
        let options = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path);
        let file = options.inspect_err(|error| {
            log::warn!("cannot write {}: {error}", path.display());
        });
        Self {
            path: path.into(),
            file: file.ok(),
        }
    }

    /// A frame is given to its decoder.
    pub fn take(&self, mark: FrameMark) {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&(u32::from(mark.track) + 1).to_le_bytes());
        bytes[4..8].copy_from_slice(&mark.bytes.to_le_bytes());
        bytes[8..].copy_from_slice(&mark.crc32c.to_le_bytes());
        self.write(bytes);
    }

    /// The decoder is done.
    pub fn release(&self) {
        self.write([0; 12]);
    }

    fn write(&self, bytes: [u8; 12]) {
        // Full disks do not matter here: the file has this size already.
        let _ = self.file.as_ref().map(|file| file.write_all_at(&bytes, 0));
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        // What is left of it tells of no frame.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What a process that died had in its hands.
fn held(path: &Path) -> Option<FrameMark> {
    let bytes: [u8; 12] = std::fs::read(path).ok()?.try_into().ok()?;
    let number = |at: usize| -> u32 {
        bytes[at..at + 4]
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte))
    };
    let track = number(0).checked_sub(1)?;
    Some(FrameMark {
        track: TrackNumber::try_from(track).ok()?,
        bytes: number(4),
        crc32c: number(8),
    })
}

/// Frames that were in the hands of a render when it died.
#[derive(Debug, Default)]
pub struct Suspects {
    known: Vec<Suspect>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Suspect {
    frame: FrameMark,
    deaths: u32,
}

impl Suspects {
    /// Reads what earlier renders left in a folder, and counts the death of the last one. Returns
    /// the suspects and the file for [`Hands`].
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn read(folder: &Path) -> io::Result<(Self, PathBuf)> {
        let hands = folder.join("decoding");
        let list = folder.join("suspects.json");
        let known = std::fs::read(&list).ok();
        let mut suspects = Self {
            known: known
                .and_then(|text| serde_json::from_slice(&text).ok())
                .unwrap_or_default(),
        };
        if let Some(frame) = held(&hands) {
            suspects.count(frame);
            let written = folder.join("suspects.json.partial");
            std::fs::write(&written, serde_json::to_vec(&suspects.known)?)?;
            std::fs::rename(&written, &list)?;
            // Or it would be counted twice.
            std::fs::remove_file(&hands)?;
        }
        Ok((suspects, hands))
    }

    /// Whether a track is left out from a frame on.
    pub fn is_guilty(&self, track: TrackNumber, payload: &[u8]) -> bool {
        let mut suspected = self
            .known
            .iter()
            .filter(|suspect| suspect.deaths >= DEATHS && suspect.frame.track == track)
            .peekable();
        suspected.peek().is_some() && {
            let mark = FrameMark::of(track, payload);
            suspected.any(|suspect| suspect.frame == mark)
        }
    }

    fn count(&mut self, frame: FrameMark) {
        match self.known.iter_mut().find(|suspect| suspect.frame == frame) {
            Some(suspect) => suspect.deaths += 1,
            None => {
                if self.known.len() >= REMEMBERED {
                    self.known.remove(0);
                }
                self.known.push(Suspect { frame, deaths: 1 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_guilty_when_two_processes_died_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mark = FrameMark::of(7, b"frame");
        let other = FrameMark::of(7, b"another");
        for (died_of, guilty) in [(mark, false), (other, false), (mark, true)] {
            let (_, path) = Suspects::read(folder.path()).unwrap();
            let hands = Hands::new(&path);
            hands.take(died_of);
            std::mem::forget(hands);
            let (suspects, path) = Suspects::read(folder.path()).unwrap();
            assert_eq!(suspects.is_guilty(7, b"frame"), guilty);
            assert!(!suspects.is_guilty(7, b"another"));
            assert!(!suspects.is_guilty(8, b"frame"));
            // One that ended in order counts for nothing.
            let hands = Hands::new(&path);
            hands.take(other);
            hands.release();
            drop(hands);
            assert!(!path.exists());
        }
    }
}
