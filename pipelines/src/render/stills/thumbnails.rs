use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::render::RenderControl;

/// Thumbnails of a recording: each is an object in the store.
const MOST: u64 = 500;

/// What the file names of thumbnails begin and end with in a render's folder, around their number.
const NAME: (&str, &str) = ("thumbnail-", ".jpg");

/// When pictures are kept that show how a recording went on.
pub struct Thumbnails {
    folder: PathBuf,
    interval_ns: Option<u64>,
    /// The number of the last interval that began, from 0 on.
    last: u64,
}

impl Thumbnails {
    /// One each `interval_s` seconds, if any, kept in `folder`. Those of another render go, unless
    /// this one `goes_on` from it.
    pub fn new(folder: &Path, interval_s: Option<u32>, goes_on: bool) -> Self {
        if !goes_on {
            for (_, path) in all(folder).unwrap_or_default() {
                // One that stays is written over, or delivered in vain.
                let _ = fs::remove_file(path);
            }
        }
        Self {
            folder: folder.into(),
            interval_ns: interval_s.map(|seconds| u64::from(seconds.max(1)) * 1_000_000_000),
            last: 0,
        }
    }

    /// Where a thumbnail of the picture at a moment of file time, ns, is to be kept, if one is due.
    pub fn due(&mut self, time_ns: u64, control: &RenderControl) -> Option<PathBuf> {
        let number = time_ns / self.interval_ns?;
        if number == self.last {
            return None;
        }
        self.last = number;
        if number > MOST {
            let message = format!("there are no further thumbnails after {MOST} of them");
            control.warn("too_many_thumbnails", "", message);
            return None;
        }
        Some(self.folder.join(format!("{}{number:04}{}", NAME.0, NAME.1)))
    }
}

/// The thumbnails in a render's folder with their numbers, in their order.
///
/// # Errors
/// The folder cannot be read.
pub fn all(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name
            .and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1))
            .and_then(|number| number.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_when_each_interval_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let control = RenderControl::default();
        let mut thumbnails = Thumbnails::new(folder.path(), Some(2), false);
        let mut due = |seconds: f64| {
            let path = thumbnails.due((seconds * 1e9) as u64, &control)?;
            Some(path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        let expected = |number: &str| Some(format!("thumbnail-{number}.jpg"));
        assert_eq!([due(0.0), due(1.9)], [None, None]);
        assert_eq!(
            [due(2.0), due(2.1), due(4.0)],
            [expected("0001"), None, expected("0002")]
        );
        assert_eq!([due(1_000.0), due(1_002.0)], [expected("0500"), None]);
        assert_eq!(control.snapshot().warnings[0].code, "too_many_thumbnails");
        let mut none = Thumbnails::new(folder.path(), None, false);
        assert_eq!(none.due(60_000_000_000, &control), None);
    }

    #[test]
    fn those_of_another_render_go() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["thumbnail-0002.jpg", "thumbnail-0010.jpg", "poster.jpg"];
        let names = names.map(|name| folder.path().join(name));
        names.iter().for_each(|path| fs::write(path, b"x").unwrap());
        Thumbnails::new(folder.path(), Some(1), true);
        let kept = all(folder.path()).unwrap();
        assert_eq!(kept, [(2, names[0].clone()), (10, names[1].clone())]);
        Thumbnails::new(folder.path(), Some(1), false);
        assert_eq!(all(folder.path()).unwrap(), []);
        assert!(names[2].exists());
    }
}
