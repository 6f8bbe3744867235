use std::io::{self, Read};

use serde::de::DeserializeOwned;

/// The largest job, bytes.
pub const MAX_JOB_BYTES: u64 = 1 << 20;

/// Why there is no job to do. Holds nothing of the input, which holds secrets.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("cannot read the job from standard input: {0}")]
    Read(#[from] io::Error),
    #[error("the job on standard input has over {MAX_JOB_BYTES} bytes")]
    TooLarge,
    #[error(
        "standard input holds no job: {what} at line {line}, column {column}; this command is \
         started by `tapedeck serve`"
    )]
    Malformed {
        what: &'static str,
        line: usize,
        column: usize,
    },
}

/// Reads the job from standard input, to its end.
pub fn read_job<T: DeserializeOwned>() -> Result<T, JobError> {
    read_job_from(io::stdin().lock())
}

/// As [`read_job`], from elsewhere.
pub fn read_job_from<T: DeserializeOwned>(input: impl Read) -> Result<T, JobError> {
    let mut bytes = Vec::new();
    input.take(MAX_JOB_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_JOB_BYTES {
        return Err(JobError::TooLarge);
    }
    serde_json::from_slice(&bytes).map_err(|error| JobError::Malformed {
        // The error's own message may quote a value.
        what: match error.classify() {
            serde_json::error::Category::Data => "a missing or wrong field",
            serde_json::error::Category::Eof => "the input ends",
            _ => "malformed JSON",
        },
        line: error.line(),
        column: error.column(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Canvas;

    #[test]
    fn a_job_is_read_whole() {
        let json = r#"{"width":1280,"height":720,"frame_rate":30,"of_a_later_version":true}"#;
        let canvas: Canvas = read_job_from(json.as_bytes()).unwrap();
        assert_eq!(
            canvas,
            Canvas {
                width: 1280,
                height: 720,
                frame_rate: 30
            }
        );
    }

    #[test]
    fn an_error_shows_nothing_of_the_job() {
        let json = r#"{"width":"secret-token","height":720,"frame_rate":30}"#;
        let error = read_job_from::<Canvas>(json.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a missing or wrong field at line 1"),
            "{error}"
        );
        assert!(!error.contains("secret-token"), "{error}");
    }

    #[test]
    fn an_endless_job_is_refused() {
        let error = read_job_from::<Canvas>(io::repeat(b' ')).unwrap_err();
        assert!(matches!(error, JobError::TooLarge), "{error}");
    }
}
