use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two looks at the size.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Stack of the thread that looks, bytes.
const LOOKER_STACK: usize = 64 << 10;

/// Sends standard output and standard error, also those of C libraries, to the file at `path`,
/// for as long as the process lives.
///
/// When the file has more than `cap_bytes`, at once or later, it is renamed to `path` with `.1`
/// appended, which replaces the one before, and begun anew.
///
/// # Errors
/// The file cannot be opened; output goes where it went.
pub fn redirect_output(path: &Path, cap_bytes: u64) -> io::Result<()> {
    let mut output = Output {
        path: path.to_path_buf(),
        cap_bytes,
        file: open(path)?,
    };
    if !output.begin_anew_if_full()? {
        output.install()?;
    }
    std::thread::Builder::new()
        .name("output".into())
        .stack_size(LOOKER_STACK)
        .spawn(move || {
            loop {
                std::thread::sleep(LOOK_INTERVAL);
                // A disk that is full now may have room at the next look.
                let _ = output.begin_anew_if_full();
            }
        })?;
    Ok(())
}

struct Output {
    path: PathBuf,
    cap_bytes: u64,
    file: File,
}

impl Output {
    fn begin_anew_if_full(&mut self) -> io::Result<bool> {
        if self.file.metadata()?.len() <= self.cap_bytes {
            return Ok(false);
        }
        let mut previous = self.path.clone().into_os_string();
        previous.push(".1");
        fs::rename(&self.path, previous)?;
        self.file = open(&self.path)?;
        self.install()?;
        Ok(true)
    }

    fn install(&self) -> io::Result<()> {
        rustix::stdio::dup2_stdout(&self.file)?;
        rustix::stdio::dup2_stderr(&self.file)?;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}
