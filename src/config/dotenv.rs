//! `.env` as Node's dotenv reads it: values are raw, nothing is substituted.
//!
//! - `KEY=value`, `KEY: value`, `export KEY=value`; the last of several wins.
//! - A value in `'…'`, `"…"` or `` `…` `` may span lines; only in `"…"` are `\n` and `\r` expanded.
//! - An unquoted value ends with its line; space around it is dropped.
//!
//! One rule is older than today's dotenv, which ends an unquoted value at any `#`: here a `#`
//! begins a comment only after white space, and after JSON only behind its end, so that passwords
//! and service accounts survive unquoted.

use serde::de::IgnoredAny;

/// An assignment and the line that it begins on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    pub line: usize,
}

/// What a file says: its assignments, and the lines that are neither assignment nor comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dotenv {
    pub assignments: Vec<Assignment>,
    pub not_understood: Vec<usize>,
}

/// Reads the text of a `.env` file.
pub fn parse(text: &str) -> Dotenv {
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut result = Dotenv::default();
    let mut rest = text.as_str();
    let mut line = 1;
    while !rest.is_empty() {
        let used = match assignment(rest) {
            Some((name, value, used)) => {
                result.assignments.push(Assignment { name, value, line });
                used
            }
            None => {
                let used = rest.find('\n').map_or(rest.len(), |end| end + 1);
                let content = rest[..used].trim();
                if !content.is_empty() && !content.starts_with('#') {
                    result.not_understood.push(line);
                }
                used
            }
        };
        line += rest[..used].matches('\n').count();
        rest = &rest[used..];
    }
    result
}

/// The assignment that `text` begins with, and how many bytes it takes up.
fn assignment(text: &str) -> Option<(String, String, usize)> {
    let line = &text[..text.find('\n').unwrap_or(text.len())];
    let mut head = line.trim_start();
    if let Some(exported) = head.strip_prefix("export")
        && exported.starts_with([' ', '\t'])
    {
        head = exported.trim_start();
    }
    let name_end = head.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))?;
    let (name, after) = head.split_at(name_end);
    let separated = after.trim_start();
    let value = match separated.strip_prefix('=') {
        Some(value) => value,
        None => after
            .strip_prefix(':')
            .filter(|value| value.starts_with([' ', '\t']))?,
    };
    if name.is_empty() {
        return None;
    }
    let value_at = line.len() - value.len();
    let (value, used) = quoted(&text[value_at..]).unwrap_or_else(|| unquoted(value));
    // What follows on the line is white space or a comment.
    let end = text[value_at + used..]
        .find('\n')
        .map_or(text.len(), |end| value_at + used + end + 1);
    Some((name.to_owned(), value, end))
}

/// A quoted value, if one begins here and nothing but a comment follows it.
fn quoted(text: &str) -> Option<(String, usize)> {
    let blank = text.len() - text.trim_start_matches([' ', '\t']).len();
    let quote = text[blank..]
        .chars()
        .next()
        .filter(|c| "'\"`".contains(*c))?;
    let inner = &text[blank + 1..];
    let ends_line = |end: &usize| {
        let after = inner[end + 1..].trim_start_matches([' ', '\t']);
        after.is_empty() || after.starts_with(['\n', '#'])
    };
    let mut escaped = Vec::new();
    let mut end = None;
    for (at, _) in inner.match_indices(quote) {
        if inner[..at].ends_with('\\') {
            escaped.push(at);
        } else {
            end = Some(at);
            break;
        }
    }
    // A backslash before the last quote of a value may be its last character, as in "C:\dir\".
    let end = end
        .filter(ends_line)
        .or_else(|| escaped.into_iter().rev().find(ends_line))?;
    let value = &inner[..end];
    let value = match quote {
        '"' => value.replace("\\n", "\n").replace("\\r", "\r"),
        _ => value.to_owned(),
    };
    Some((value, blank + 1 + end + 1))
}

/// A value without quotes: to the end of the line, or to a comment.
fn unquoted(line: &str) -> (String, usize) {
    let value = line.trim();
    let value = match json_length(value) {
        Some(length) => &value[..length],
        None => &value[..comment_at(value).unwrap_or(value.len())],
    };
    (value.trim_end().to_owned(), line.len())
}

/// The length of the JSON object or list that `text` begins with, if nothing but a comment follows.
fn json_length(text: &str) -> Option<usize> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let length = values.byte_offset();
    let after = &text[length..];
    (after.trim().is_empty() || comment_at(after).is_some_and(|at| after[..at].trim().is_empty()))
        .then_some(length)
}

/// Where a comment begins: at a `#` that comes first or after white space.
fn comment_at(value: &str) -> Option<usize> {
    value
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|at| *at == 0 || value[..*at].ends_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        parse(text)
            .assignments
            .last()
            .map(|a| a.value.clone())
            .unwrap_or_else(|| panic!("nothing read from {text:?}"))
    }

    #[test]
    fn plain_values_are_trimmed_and_raw() {
        let cases = [
            ("A=b", "b"),
            ("A= b c \t", "b c"),
            ("  export A=b", "b"),
            ("A: b", "b"),
            ("A =b", "b"),
            ("A=", ""),
            ("A=$HOME ${HOME}", "$HOME ${HOME}"),
            ("A=a\\nb", "a\\nb"),
            ("A=x=y==", "x=y=="),
            ("A=pass#word", "pass#word"),
            ("A=word # comment", "word"),
            ("A=# comment", ""),
            ("A=http://host/#part", "http://host/#part"),
            ("A=it's", "it's"),
            ("A=1\r\nA=2\r\n", "2"),
            ("\u{feff}A=b", "b"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn quotes_keep_what_is_in_them() {
        let cases = [
            ("A='b # c'", "b # c"),
            ("A=\" b \" # comment", " b "),
            ("A=`it's \"this\"`", "it's \"this\""),
            ("A=\"one\\ntwo\\r\"", "one\ntwo\r"),
            ("A='one\\ntwo'", "one\\ntwo"),
            ("A=\"say \\\"x\\\"\"", "say \\\"x\\\""),
            ("A=\"one\ntwo\"\nB=\"x\"\nA=\"one\ntwo\"", "one\ntwo"),
            ("A=\"C:\\dir\\\"", "C:\\dir\\"),
            ("A=\"a\" b", "\"a\" b"),
            ("A='unfinished\nB=", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_service_account_survives_unquoted() {
        let account = r##"{"type":"service_account","project_id":"p","private_key":"-----BEGIN PRIVATE KEY-----\nMIIE$vQ+#/=\n-----END PRIVATE KEY-----\n","client_email":"a@p.iam.gserviceaccount.com","note":"a # b, it's \"c\""}"##;
        assert_eq!(
            value(&format!("FIREBASE_SERVICE_ACCOUNT={account}\n")),
            account
        );
        assert_eq!(
            value(&format!("FIREBASE_SERVICE_ACCOUNT={account} # the account")),
            account
        );
        assert_eq!(
            value(&format!(
                "FIREBASE_SERVICE_ACCOUNT='{}'",
                account.replace('\'', "")
            )),
            account.replace('\'', "")
        );
        let read: serde_json::Value =
            serde_json::from_str(&value(&format!("K={account}"))).unwrap();
        assert_eq!(
            read["private_key"],
            "-----BEGIN PRIVATE KEY-----\nMIIE$vQ+#/=\n-----END PRIVATE KEY-----\n"
        );
    }

    #[test]
    fn lines_are_counted_and_nonsense_is_reported() {
        let read = parse("# comment\n\nA=\"1\n2\"\nnonsense\nB=3");
        assert_eq!(
            read.assignments,
            [
                Assignment {
                    name: "A".into(),
                    value: "1\n2".into(),
                    line: 3
                },
                Assignment {
                    name: "B".into(),
                    value: "3".into(),
                    line: 6
                },
            ]
        );
        assert_eq!(read.not_understood, [5]);
    }
}
