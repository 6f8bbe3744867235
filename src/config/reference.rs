//! Every key with its default and its meaning, for readers. The meanings are the comments of
//! `config/tapedeck.toml`, which is part of the program, so that they are written once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::keys;

/// The commented configuration file.
const COMMENTED: &str = include_str!("../../config/tapedeck.toml");

const BEFORE: &str = "# All keys

Made by `tapedeck config --reference` from [`config/tapedeck.toml`](../config/tapedeck.toml), which \
has the same in its comments. Where values come from is told in [configuration.md](configuration.md).
";

/// The reference as Markdown.
pub fn to_markdown() -> String {
    let meanings = meanings(COMMENTED);
    let mut text = BEFORE.to_owned();
    let mut section = String::new();
    for key in keys::keys() {
        if key.section != section {
            section.clone_from(&key.section);
            let _ = write!(
                text,
                "\n## [{section}]\n\n| key | default | variable | meaning |\n| --- | --- | --- | --- |\n"
            );
        }
        let meaning = meanings.get(&key.to_string());
        let _ = writeln!(
            text,
            "| `{}` | `{}` | `{}` | {} |",
            key.name,
            key.default,
            key.variable(),
            meaning.map_or(String::new(), |meaning| meaning.replace('|', "\\|")),
        );
    }
    text
}

/// The comment above each key; a key without one shares that of the key before.
fn meanings(commented: &str) -> BTreeMap<String, String> {
    let mut meanings = BTreeMap::new();
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    let mut last = String::new();
    for line in commented.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name;
            comment.clear();
            last.clear();
        } else if let Some((name, _)) = line.split_once('=') {
            let words: Vec<&str> = comment.drain(..).filter(|text| !text.is_empty()).collect();
            if !words.is_empty() {
                last = words.join(" ");
            }
            meanings.insert(format!("{section}.{}", name.trim()), last.clone());
        }
    }
    meanings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_meaning() {
        let meanings = meanings(COMMENTED);
        for key in keys::keys() {
            let meaning = meanings.get(&key.to_string());
            assert!(
                meaning.is_some_and(|meaning| meaning.len() > 5),
                "{key} has no comment in config/tapedeck.toml"
            );
        }
    }

    #[test]
    fn a_comment_counts_for_all_keys_below_it() {
        let commented = "# Of the file.\n\n[a]\n# Of all.\n#\n# Size,\n# pixels.\nb = 1\nc = 2\n# D.\nd = 3\n[e]\nf = 1\n";
        let found = meanings(commented);
        assert_eq!(found["a.b"], "Of all. Size, pixels.");
        assert_eq!(found["a.c"], found["a.b"]);
        assert_eq!((found["a.d"].as_str(), found["e.f"].as_str()), ("D.", ""));
    }

    #[test]
    fn the_page_is_what_the_program_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration-keys.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == to_markdown(),
            "make it anew: tapedeck config --reference >docs/configuration-keys.md"
        );
    }
}
