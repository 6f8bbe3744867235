//! Decoding with ffmpeg through a pipe.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::ContentError;

/// A running ffmpeg that writes decoded media.
pub(super) struct Decoder {
    child: Child,
    output: ChildStdout,
    messages: JoinHandle<String>,
}

impl Decoder {
    /// Starts decoding `path` with `arguments` between input and output.
    pub(super) fn start(path: &Path, arguments: &[&str]) -> Result<Self, ContentError> {
        let run = |source| ContentError::Run {
            program: "ffmpeg",
            source,
        };
        let mut child = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "warning", "-threads", "2", "-i"])
            .arg(path)
            .args(arguments)
            .arg("pipe:1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(run)?;
        let missing = || run(io::Error::other("it has no output"));
        let output = child.stdout.take().ok_or_else(missing)?;
        let mut errors = child.stderr.take().ok_or_else(missing)?;
        let messages = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self {
            child,
            output,
            messages,
        })
    }

    /// Fills `block`; false at the end of the stream.
    pub(super) fn read(&mut self, block: &mut [u8]) -> io::Result<bool> {
        match self.output.read_exact(block) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything up to the end of the stream.
    pub(super) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.output.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Waits for the end; returns what ffmpeg complained about.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub(super) fn finish(mut self, path: &Path) -> Result<String, ContentError> {
        drop(self.output);
        let status = self.child.wait().map_err(|source| ContentError::Run {
            program: "ffmpeg",
            source,
        })?;
        let messages = self.messages.join().unwrap_or_default();
        if status.success() {
            Ok(messages)
        } else {
            Err(ContentError::Refused {
                program: "ffmpeg",
                path: path.to_owned(),
                detail: messages,
            })
        }
    }
}
