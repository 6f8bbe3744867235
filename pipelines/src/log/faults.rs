//! A disk that fails, for tests: what each step of the writer comes to is decided by the test, and
//! what would be left after a power cut is known. One per thread.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the writer is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Open,
    /// So many bytes.
    Write(usize),
    Cut,
    Sync,
    Reserve,
    SyncFolder,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Works,
    /// Only so many bytes are written.
    Short(usize),
    /// An error number.
    Fails(i32),
}

type Decide = Box<dyn FnMut(Step) -> Outcome>;

#[derive(Default)]
struct Disk {
    decide: Option<Decide>,
    /// Bytes of a file that survive a power cut.
    durable: HashMap<PathBuf, u64>,
    /// Files whose names survive one.
    named: HashSet<PathBuf>,
}

thread_local! {
    static DISK: RefCell<Disk> = RefCell::default();
}

/// From now on `decide` says what each step of this thread's writers comes to.
pub fn begin(decide: impl FnMut(Step) -> Outcome + 'static) {
    DISK.with_borrow_mut(|disk| {
        *disk = Disk {
            decide: Some(Box::new(decide)),
            ..Disk::default()
        }
    });
}

/// Everything works again.
pub fn end() {
    DISK.with_borrow_mut(|disk| disk.decide = None);
}

/// Does to the files in `folder` what a power cut may: files whose names were not synced vanish if
/// `keep_names` says so, and of what was not synced `kept` says how many bytes are left, and puts
/// what it likes into them.
pub fn cut_power(
    folder: &Path,
    mut keep_name: impl FnMut() -> bool,
    mut kept: impl FnMut(&mut Vec<u8>),
) {
    DISK.with_borrow_mut(|disk| {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if !disk.named.contains(&path) && !keep_name() {
                fs::remove_file(&path).expect("removed");
                continue;
            }
            let bytes = fs::read(&path).expect("readable");
            let durable = disk.durable.get(&path).copied().unwrap_or(0);
            let durable = usize::try_from(durable).expect("small").min(bytes.len());
            let mut rest = bytes[durable..].to_vec();
            kept(&mut rest);
            fs::write(&path, [&bytes[..durable], &rest].concat()).expect("written");
        }
    });
}

fn decide(step: Step) -> Outcome {
    DISK.with_borrow_mut(|disk| {
        let decide = disk.decide.as_mut();
        decide.map_or(Outcome::Works, |decide| decide(step))
    })
}

pub(super) fn ask(step: Step) -> io::Result<()> {
    match decide(step) {
        Outcome::Fails(number) => Err(io::Error::from_raw_os_error(number)),
        Outcome::Works | Outcome::Short(_) => Ok(()),
    }
}

pub(super) fn shortened(bytes: &[u8]) -> io::Result<&[u8]> {
    match decide(Step::Write(bytes.len())) {
        Outcome::Works => Ok(bytes),
        Outcome::Short(most) => Ok(&bytes[..most.min(bytes.len())]),
        Outcome::Fails(number) => Err(io::Error::from_raw_os_error(number)),
    }
}

pub(super) fn synced(path: &Path) {
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    DISK.with_borrow_mut(|disk| disk.durable.insert(path.to_path_buf(), length));
}

pub(super) fn folder_synced(folder: &Path) {
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    DISK.with_borrow_mut(|disk| disk.named.extend(files));
}
