//! Names of rooms with wildcards.

/// The most patterns.
const MOST: usize = 100;

/// Why patterns cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternMistake {
    #[error("holds more than {MOST} patterns")]
    TooMany,
}

/// A name in which `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

/// Patterns, separated by commas.
///
/// # Errors
/// There are too many.
pub fn patterns(text: &str) -> Result<Vec<Pattern>, PatternMistake> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let patterns: Vec<Pattern> = parts.map(|it| Pattern(it.chars().collect())).collect();
    match patterns.len() > MOST {
        true => Err(PatternMistake::TooMany),
        false => Ok(patterns),
    }
}

impl Pattern {
    /// Whether a whole name is of this form. Takes at most the product of both lengths.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (&self.0, name.chars().collect::<Vec<_>>());
        let (mut at, mut of) = (0, 0);
        // The last `*`, and how much of the name it stands for so far.
        let mut star: Option<(usize, usize)> = None;
        while of < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, of));
                    at += 1;
                }
                Some(wanted) if *wanted == '?' || *wanted == name[of] => {
                    at += 1;
                    of += 1;
                }
                _ => {
                    let Some((place, taken)) = star else {
                        return false;
                    };
                    star = Some((place, taken + 1));
                    at = place + 1;
                    of = taken + 1;
                }
            }
        }
        pattern[at..].iter().all(|rest| *rest == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        patterns(pattern)
            .unwrap()
            .iter()
            .any(|one| one.matches(name))
    }

    #[test]
    fn wildcards_stand_for_characters() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "anything"),
            ("lesson-*", "lesson-"),
            ("lesson-*", "lesson-7"),
            ("a?c", "abc"),
            ("?", "방"),
            ("*-b-*", "a-b-b-c"),
            ("a*b*c", "aXbYbZc"),
            ("one, two-*", "two-x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("lesson-*", "a-lesson-7"),
            ("lesson", "lesson-7"),
            ("a?c", "ac"),
            ("?", ""),
            ("a*b", "abc"),
            ("Lesson-*", "lesson-7"),
            ("a.c", "abc"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_long_time() {
        let pattern = "*a".repeat(200);
        assert!(!matches(&pattern, &"b".repeat(2_000)));
    }

    #[test]
    fn there_are_not_too_many() {
        assert_eq!(patterns(&"a,".repeat(101)), Err(PatternMistake::TooMany));
    }
}
