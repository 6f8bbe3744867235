use crate::http::refusal::Refusal;

/// The longest file name that file systems take, bytes.
const LONGEST: usize = 255;

/// The file name of a recording: nothing that could lead to another folder or to a hidden file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingName(String);

impl RecordingName {
    /// # Errors
    /// No recording can have such a name.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let plausible = (1..=LONGEST).contains(&text.len())
            && !text.starts_with('.')
            && !text.contains(['/', '\\'])
            && !text.chars().any(char::is_control);
        if plausible {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::no_such_recording())
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_do_not_exist() {
        for name in ["방-2026-11-21T225328-RM_x.mp4", "a b.mp4", "a..b.mp4"] {
            assert_eq!(RecordingName::parse(name).unwrap().as_str(), name);
        }
        let long = "x".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "../x.mp4",
            "a/b.mp4",
            "a\\b.mp4",
            ".metadata",
            "a\u{0}.mp4",
            "a\n.mp4",
            &long,
        ] {
            assert!(RecordingName::parse(name).is_err(), "{name:?}");
        }
    }
}
