use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::WavFile;

/// What files in the making are called, before the suffix.
const STEM: &str = "part";
const EXTENSION: &str = ".wav";

/// One sound in as many files as it takes: none grows beyond so many samples.
pub struct Sequence {
    folder: PathBuf,
    suffix: String,
    most: u64,
    /// The last of the files; those before it are full.
    last: WavFile,
    /// Its number, from 1 on.
    number: u64,
}

/// A file of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub path: PathBuf,
    /// What stands between the recording's name and its extension.
    pub suffix: String,
    pub samples: u64,
}

impl Sequence {
    /// Begins anew, with so many samples of silence.
    pub fn create(folder: &Path, suffix: &str, most: u64, silence: u64) -> io::Result<Self> {
        let at = |number| path(folder, suffix, number);
        let mut number = 1;
        let mut left = silence;
        while left > most {
            WavFile::create(&at(number), most)?;
            number += 1;
            left -= most;
        }
        Ok(Self {
            last: WavFile::create(&at(number), left)?,
            folder: folder.into(),
            suffix: suffix.into(),
            most,
            number,
        })
    }

    /// Opens what an earlier render left.
    ///
    /// # Errors
    /// Nothing that can be gone on with is there.
    pub fn open(folder: &Path, suffix: &str, most: u64) -> io::Result<Self> {
        let mut number = 1;
        let mut last = WavFile::open(&path(folder, suffix, number))?;
        while last.samples() == most
            && let Ok(next) = WavFile::open(&path(folder, suffix, number + 1))
        {
            number += 1;
            last = next;
        }
        Ok(Self {
            folder: folder.into(),
            suffix: suffix.into(),
            most,
            last,
            number,
        })
    }

    /// Samples in all files.
    pub fn position(&self) -> u64 {
        (self.number - 1) * self.most + self.last.samples()
    }

    /// Where the last write went, for errors.
    pub fn path(&self) -> &Path {
        self.last.path()
    }

    /// Appends samples, in a further file where one is full.
    pub fn append(&mut self, mut samples: &[i16]) -> io::Result<()> {
        while !samples.is_empty() {
            if self.last.samples() >= self.most {
                let next = path(&self.folder, &self.suffix, self.number + 1);
                self.last = WavFile::create(&next, 0)?;
                self.number += 1;
            }
            let room = usize::try_from(self.most - self.last.samples()).unwrap_or(usize::MAX);
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.last.append(now)?;
            samples = later;
        }
        Ok(())
    }

    /// Reads samples back.
    pub fn read(&self, from: u64, count: u64) -> io::Result<Vec<i16>> {
        let mut samples = Vec::new();
        let (mut at, end) = (from, from + count);
        while at < end {
            let (before, offset) = (at / self.most, at % self.most);
            let take = (end - at).min(self.most - offset);
            samples.extend(match before + 1 == self.number {
                true => self.last.read(offset, take)?,
                false => WavFile::open(&path(&self.folder, &self.suffix, before + 1))?
                    .read(offset, take)?,
            });
            at += take;
        }
        Ok(samples)
    }

    /// Keeps only the first samples.
    pub fn cut(&mut self, position: u64) -> io::Result<()> {
        while self.number > 1 && position <= (self.number - 1) * self.most {
            fs::remove_file(self.last.path())?;
            self.number -= 1;
            self.last = WavFile::open(&path(&self.folder, &self.suffix, self.number))?;
        }
        self.last.cut(position - (self.number - 1) * self.most)
    }

    /// The files, in order.
    pub fn parts(&self) -> Vec<Part> {
        let part = |number| Part {
            path: path(&self.folder, &self.suffix, number),
            suffix: numbered(&self.suffix, number),
            samples: match number == self.number {
                true => self.last.samples(),
                false => self.most,
            },
        };
        (1..=self.number).map(part).collect()
    }
}

/// Removes the files of all sequences in a folder.
pub fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(STEM) && name.ends_with(EXTENSION) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn path(folder: &Path, suffix: &str, number: u64) -> PathBuf {
    folder.join(format!("{STEM}{}{EXTENSION}", numbered(suffix, number)))
}

fn numbered(suffix: &str, number: u64) -> String {
    match number {
        1 => suffix.to_owned(),
        number => format!("{suffix}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_file_follows_a_full_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut sequence = Sequence::create(folder.path(), "-ada", 100, 250).unwrap();
        let samples: Vec<i16> = (1..=200).collect();
        sequence.append(&samples).unwrap();
        assert_eq!(sequence.position(), 450);
        let told: Vec<(String, u64)> = sequence
            .parts()
            .into_iter()
            .map(|part| (part.suffix, part.samples))
            .collect();
        let expected = ["-ada", "-ada-2", "-ada-3", "-ada-4", "-ada-5"];
        let expected = expected
            .map(str::to_owned)
            .into_iter()
            .zip([100, 100, 100, 100, 50]);
        assert_eq!(told, expected.collect::<Vec<_>>());
        assert_eq!(sequence.read(250, 200).unwrap(), samples);
        assert_eq!(sequence.read(0, 250).unwrap(), [0; 250]);
    }

    #[test]
    fn what_an_earlier_render_left_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let samples: Vec<i16> = (1..=350).collect();
        let mut sequence = Sequence::create(folder.path(), "", 100, 0).unwrap();
        sequence.append(&samples).unwrap();
        for kept in [310, 300, 201, 200, 0] {
            let mut sequence = Sequence::open(folder.path(), "", 100).unwrap();
            sequence.cut(kept).unwrap();
            assert_eq!(sequence.position(), kept);
            sequence.append(&samples[kept as usize..]).unwrap();
            assert_eq!(sequence.read(0, 350).unwrap(), samples);
            assert_eq!(sequence.parts().len(), 4);
        }
        clear(folder.path()).unwrap();
        assert!(Sequence::open(folder.path(), "", 100).is_err());
    }
}
