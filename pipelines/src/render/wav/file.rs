use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::SAMPLE_BYTES;
use super::header::{HEADER_BYTES, header, samples_of};

/// A WAV that can be read while it grows: its header is true of what is in the file at any moment.
/// A crash leaves at most sound behind what the header tells of. Not synced while it grows, as it
/// can be rendered again.
pub struct WavFile {
    path: PathBuf,
    file: File,
    samples: u64,
}

impl WavFile {
    /// Begins a file of so much silence, over what is there.
    pub fn create(path: &Path, silence: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let mut wav = Self {
            path: path.into(),
            file,
            samples: 0,
        };
        wav.file.write_all_at(&header(0), 0)?;
        wav.extend(silence)?;
        Ok(wav)
    }

    /// Opens the file that a crash left, and cuts off what its header does not tell of.
    ///
    /// # Errors
    /// It is not there, or is not one of ours.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let samples = read_samples(&file)?;
        let mut wav = Self {
            path: path.into(),
            file,
            samples,
        };
        wav.cut(samples)?;
        Ok(wav)
    }

    /// Samples in it.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends samples; silence takes no space on the disk.
    pub fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        if samples.iter().all(|&sample| sample == 0) {
            return self.extend(samples.len() as u64);
        }
        let bytes: Vec<u8> = samples
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        self.file.write_all_at(&bytes, place(self.samples))?;
        self.tell(self.samples + samples.len() as u64)
    }

    /// Reads samples back.
    pub fn read(&self, from: u64, count: u64) -> io::Result<Vec<i16>> {
        let mut bytes = vec![0; (count * SAMPLE_BYTES) as usize];
        self.file.read_exact_at(&mut bytes, place(from))?;
        let samples = bytes.chunks_exact(2);
        Ok(samples
            .map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
            .collect())
    }

    /// Keeps only the first samples.
    pub fn cut(&mut self, samples: u64) -> io::Result<()> {
        let samples = samples.min(self.samples);
        self.tell(samples)?;
        self.file.set_len(place(samples))
    }

    fn extend(&mut self, silence: u64) -> io::Result<()> {
        let samples = self.samples + silence;
        self.file.set_len(place(samples))?;
        self.tell(samples)
    }

    /// Written at once, so that the sizes in it are never of different moments.
    fn tell(&mut self, samples: u64) -> io::Result<()> {
        self.file.write_all_at(&header(samples), 0)?;
        self.samples = samples;
        Ok(())
    }
}

/// Where a sample is in the file.
fn place(sample: u64) -> u64 {
    HEADER_BYTES + sample * SAMPLE_BYTES
}

/// What a file's header tells, if all of it is there.
fn read_samples(file: &File) -> io::Result<u64> {
    let mut bytes = [0; HEADER_BYTES as usize];
    file.read_exact_at(&mut bytes, 0)?;
    let samples = samples_of(&bytes).filter(|&samples| {
        file.metadata()
            .is_ok_and(|metadata| metadata.len() >= place(samples))
    });
    samples.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a WAV of ours"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_behind_the_header_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.wav");
        let mut wav = WavFile::create(&path, 10).unwrap();
        wav.append(&[1, -2, 3]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"torn"].concat()).unwrap();
        let mut wav = WavFile::open(&path).unwrap();
        assert_eq!(wav.samples(), 13);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(wav.read(9, 4).unwrap(), [0, 1, -2, 3]);
        wav.cut(11).unwrap();
        assert_eq!(WavFile::open(&path).unwrap().samples(), 11);
        // Shorter than it tells, as after a power cut.
        std::fs::write(&path, &whole[..50]).unwrap();
        assert!(WavFile::open(&path).is_err());
    }

    #[test]
    fn it_is_whole_after_each_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.wav");
        let mut wav = WavFile::create(&path, 0).unwrap();
        for round in 0..5i16 {
            wav.append(&[round; 100]).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(
                samples_of(&bytes[..44]),
                Some((bytes.len() as u64 - 44) / 2)
            );
        }
    }
}
