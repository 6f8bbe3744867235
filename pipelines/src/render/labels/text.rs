//! Names as people type them, made safe to draw on one line.

use unicode_segmentation::UnicodeSegmentation;

/// The most grapheme clusters of a name that are looked at: more than fit in any tile.
const MAX_GRAPHEMES: usize = 200;
/// The most bytes of one grapheme cluster: a letter with a stack of accents stays bounded.
const MAX_GRAPHEME_BYTES: usize = 64;

/// One line of drawable text: control characters and line breaks become spaces, characters that
/// reorder the text around them are dropped, white space is collapsed, the length is bounded
/// (a cut is marked with an ellipsis). Joiners inside emoji and scripts are kept.
pub(super) fn one_line(name: &str) -> String {
    let mut line = String::new();
    let mut space_pending = false;
    let mut kept = 0;
    for grapheme in name.graphemes(true) {
        let clean: String = grapheme.chars().filter(|&c| !is_dropped(c)).collect();
        if clean.is_empty() {
            continue;
        }
        if clean.chars().all(is_blank) {
            space_pending = !line.is_empty();
            continue;
        }
        if kept == MAX_GRAPHEMES {
            line.push('…');
            break;
        }
        if space_pending {
            line.push(' ');
            space_pending = false;
        }
        line.push_str(at_most(&clean, MAX_GRAPHEME_BYTES));
        kept += 1;
    }
    line
}

/// The sign that stands for a person in a placeholder: the first grapheme cluster of the name
/// that shows a letter, a digit or a pictograph, upper-case where there is such a thing.
pub(super) fn initial(name: &str) -> Option<String> {
    let line = one_line(name);
    let shown = |grapheme: &&str| {
        grapheme
            .chars()
            .any(|c| c.is_alphanumeric() || c > '\u{2000}')
    };
    let grapheme = line.graphemes(true).find(shown)?;
    Some(grapheme.to_uppercase())
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Bidirectional controls and other invisible format characters that would change the look of
/// what is around them.
fn is_dropped(c: char) -> bool {
    matches!(
        c,
        '\u{061c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

fn at_most(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_controls_become_single_spaces() {
        assert_eq!(
            one_line("  Anna\r\n\tMaria\u{0} \u{7}X\u{2028}Y "),
            "Anna Maria X Y"
        );
        assert_eq!(one_line("\n \u{1}"), "");
    }

    #[test]
    fn direction_overrides_are_dropped_and_joiners_kept() {
        assert_eq!(one_line("abc\u{202e}fed\u{2066}g"), "abcfedg");
        assert_eq!(one_line("👩\u{200d}💻"), "👩\u{200d}💻");
    }

    #[test]
    fn long_names_are_cut_at_a_grapheme_and_marked() {
        let cut = one_line(&"참".repeat(10_000));
        assert_eq!(cut.chars().count(), MAX_GRAPHEMES + 1);
        assert!(cut.ends_with('…'));
        let stacked = format!("a{}", "\u{0301}".repeat(10_000));
        assert!(one_line(&stacked).len() <= MAX_GRAPHEME_BYTES);
    }

    #[test]
    fn the_initial_is_the_first_letter_or_pictograph() {
        assert_eq!(initial("anna").as_deref(), Some("A"));
        assert_eq!(initial("(참가자)").as_deref(), Some("참"));
        assert_eq!(initial("👩\u{200d}💻 Ada").as_deref(), Some("👩\u{200d}💻"));
        assert_eq!(initial("42nd").as_deref(), Some("4"));
        assert_eq!(initial(" \n"), None);
        assert_eq!(initial("--"), None);
    }
}
