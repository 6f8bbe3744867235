use super::{SdpError, malformed};

/// The most lines of a description; that of a browser with all its codecs has about 300.
const MOST_LINES: usize = 2_000;

/// The longest line, bytes.
const LONGEST_LINE: usize = 2_048;

/// The most media sections of a description.
const MOST_SECTIONS: usize = 16;

/// A description or a fragment, cut into its parts.
#[derive(Debug, Default)]
pub struct Sections<'a> {
    /// What comes before the first media section.
    pub session: Vec<Line<'a>>,
    pub media: Vec<MediaSection<'a>>,
}

/// A media section.
#[derive(Debug)]
pub struct MediaSection<'a> {
    /// What follows `m=`.
    pub description: &'a str,
    pub lines: Vec<Line<'a>>,
}

/// A line, `kind=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub kind: char,
    pub value: &'a str,
}

impl<'a> Sections<'a> {
    /// Cuts `text`; empty lines are left out.
    ///
    /// # Errors
    /// A line is not `kind=value`, or there are too many or too long ones.
    pub fn read(text: &'a str) -> Result<Self, SdpError> {
        let mut sections = Self::default();
        for (number, line) in text.lines().enumerate() {
            if number >= MOST_LINES || line.len() > LONGEST_LINE {
                return Err(malformed(format!(
                    "it has over {MOST_LINES} lines or one of over {LONGEST_LINE} bytes"
                )));
            }
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            let mut characters = line.chars();
            let (Some(kind @ 'a'..='z'), Some('=')) = (characters.next(), characters.next()) else {
                return Err(malformed(format!("line {} is not SDP", number + 1)));
            };
            let value = characters.as_str();
            if value.chars().any(char::is_control) {
                return Err(malformed(format!(
                    "line {} holds a control character",
                    number + 1
                )));
            }
            if kind == 'm' {
                if sections.media.len() >= MOST_SECTIONS {
                    return Err(malformed(format!(
                        "it has over {MOST_SECTIONS} media sections"
                    )));
                }
                sections.media.push(MediaSection {
                    description: value,
                    lines: Vec::new(),
                });
                continue;
            }
            let part = sections.media.last_mut().map(|media| &mut media.lines);
            part.unwrap_or(&mut sections.session)
                .push(Line { kind, value });
        }
        Ok(sections)
    }

    /// The values of an attribute, of the session and of all media.
    pub fn attributes(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let media = self.media.iter().flat_map(|media| &media.lines);
        self.session
            .iter()
            .chain(media)
            .filter_map(move |line| line.attribute(name))
    }
}

impl<'a> MediaSection<'a> {
    /// The values of an attribute.
    pub fn attributes(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter_map(move |line| line.attribute(name))
    }

    /// Whether an attribute is there.
    pub fn has(&self, name: &str) -> bool {
        self.attributes(name).next().is_some()
    }
}

impl<'a> Line<'a> {
    /// Its value if it is this attribute: `a=name` or `a=name:value`.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        if self.kind != 'a' {
            return None;
        }
        match self.value.split_once(':') {
            Some((found, value)) => (found == name).then_some(value),
            None => (self.value == name).then_some(""),
        }
    }
}
