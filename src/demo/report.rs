//! What the demo tells at its end.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testcard::playback::Playback;

use super::check::Findings;
use super::cost::Cost;

/// Players, by preference; what follows the name goes before the file.
const PLAYERS: [(&str, &str); 4] = [
    ("mpv", "mpv"),
    ("vlc", "vlc"),
    ("ffplay", "ffplay -autoexit"),
    ("gst-play-1.0", "gst-play-1.0"),
];

/// A demo that worked.
pub struct Report {
    pub path: PathBuf,
    pub playback: Playback,
    pub findings: Findings,
    pub costs: Vec<Cost>,
    /// From the request to start to its answer.
    pub start_latency: Duration,
    /// From the beginning of the recording to the first frame.
    pub first_frame: Option<Duration>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Playback {
            width,
            height,
            duration,
            frame_times,
            ..
        } = &self.playback;
        let path = self.path.display();
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        writeln!(
            f,
            "It works. {path} holds {duration:.1} s in {}:",
            megabytes(size)
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "  picture     H.264, {width}x{height}, {} frames, {:.0} per second",
            frame_times.len(),
            frame_times.len() as f64 / duration.max(f64::MIN_POSITIVE)
        )?;
        writeln!(f, "  sound       AAC, 48 kHz, stereo")?;
        for found in &self.findings.publishers {
            writeln!(
                f,
                "  {:<12}{} flashes seen, {} beeps heard, sound {:+.0} ms from the picture",
                found.name, found.flashes, found.beeps, found.offset_ms
            )?;
        }
        write!(
            f,
            "  start       answered after {} ms",
            self.start_latency.as_millis()
        )?;
        match self.first_frame {
            Some(after) => writeln!(
                f,
                ", first frame {} ms into the recording",
                after.as_millis()
            )?,
            None => writeln!(f)?,
        }
        for cost in &self.costs {
            writeln!(
                f,
                "  {:<12}{:.3} CPU seconds per second, {}",
                cost.role,
                cost.cpu,
                megabytes(cost.memory_bytes)
            )?;
        }
        writeln!(f)?;
        writeln!(f, "Watch it:     {}", play(&self.path))?;
        writeln!(
            f,
            "Record yours: {}, then open http://localhost:6080/publish",
            serve()
        )
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The command that plays a file here.
fn play(file: &Path) -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = |name: &str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let file = quoted(&file.display().to_string());
    PLAYERS
        .iter()
        .find(|(name, _)| installed(name))
        .map_or_else(
            || format!("any player or browser plays {file}"),
            |(_, command)| format!("{command} {file}, or drop it into a browser"),
        )
}

/// The command that starts a server here.
fn serve() -> String {
    let is_clone = Path::new("Makefile").is_file() && Path::new("config/tapedeck.toml").is_file();
    if is_clone {
        return "make run".to_owned();
    }
    let program = env::args().next().unwrap_or_else(|| "tapedeck".to_owned());
    format!("{} serve", quoted(&program))
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+".contains(letter);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("./tapedeck-demo.mp4"), "./tapedeck-demo.mp4");
        assert_eq!(quoted("my film's.mp4"), r"'my film'\''s.mp4'");
    }
}
