//! Encoders, muxer and the file they write to.

mod aac;
mod encoder;
mod fragment_file;
mod fragment_index;
mod pipeline;

pub use aac::{AAC_FRAME, AacEncoder};
pub use encoder::{Encoder, Target};
pub use fragment_file::{FileFailure, FragmentFile};
pub use fragment_index::{Identity, remove_index, verified};

/// Why the output could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A plugin is not installed.
    #[error("cannot {action}: {detail}; install {package}")]
    Missing {
        action: &'static str,
        detail: String,
        package: &'static str,
    },
    /// The file could not be written.
    #[error("cannot write {path}: {source}{hint}", hint = space_hint(source))]
    Write {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// What is encoded now does not fit behind what an earlier render left.
    #[error("the encoders code differently from those of the render before")]
    Different,
    /// An encoder or the muxer failed.
    #[error("cannot {action}: {detail}")]
    Pipeline {
        action: &'static str,
        detail: String,
    },
}

fn space_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ": free some space, the render goes on by itself"
        }
        _ => "",
    }
}
