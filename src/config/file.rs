//! The configuration file.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::keys::Key;
use super::{Loading, Origin, unknown};

/// Reads a file into the configuration in the making; mistakes are collected there.
pub fn apply(path: &Path, loading: &mut Loading) {
    match std::fs::read_to_string(path) {
        Ok(text) => apply_text(path, &text, loading),
        Err(error) => loading
            .mistakes
            .push(format!("cannot read {}: {error}", path.display())),
    }
}

fn apply_text(path: &Path, text: &str, loading: &mut Loading) {
    let at = |span: Range<usize>| {
        let before = &text[..span.start.min(text.len())];
        (
            before.matches('\n').count() + 1,
            format!("{}:{}", path.display(), before.matches('\n').count() + 1),
        )
    };
    // Read twice: once for the values, once for their places.
    let (values, places) = match (text.parse::<Table>(), DeTable::parse(text)) {
        (Ok(values), Ok(places)) => (values, places.into_inner()),
        (Err(error), _) | (_, Err(error)) => {
            let (_, place) = at(error.span().unwrap_or_default());
            loading
                .mistakes
                .push(format!("{place}: {}", error.message().replace('\n', ", ")));
            return;
        }
    };
    let keys = loading.keys.clone();
    for (section, content) in &places {
        let section_name = section.get_ref().as_ref();
        let (_, place) = at(section.span());
        let of_section: Vec<&Key> = keys
            .iter()
            .filter(|key| key.section == section_name)
            .collect();
        if of_section.is_empty() {
            let known = keys.iter().map(|key| key.section.as_str());
            loading
                .mistakes
                .push(unknown(&place, "section or key", section_name, known));
            continue;
        }
        let DeValue::Table(entries) = content.get_ref() else {
            loading.mistakes.push(format!(
                "{place}: {section_name} is a section: write [{section_name}]"
            ));
            continue;
        };
        for (name, _) in entries {
            let (line, place) = at(name.span());
            let name = name.get_ref().as_ref();
            let value = values
                .get(section_name)
                .and_then(|section| section.get(name));
            match (of_section.iter().find(|key| key.name == name), value) {
                (Some(key), Some(value)) if same_type(&key.default, value) => {
                    let origin = Origin::File {
                        path: path.to_owned(),
                        line,
                    };
                    loading.set(key, value.clone(), origin);
                }
                (Some(key), Some(value)) => loading.mistakes.push(format!(
                    "{place}: {key} must be {}, not {}",
                    type_name(&key.default),
                    type_name(value)
                )),
                _ => {
                    let known = of_section.iter().map(|key| key.name.as_str());
                    loading.mistakes.push(unknown(
                        &place,
                        &format!("key of [{section_name}]"),
                        name,
                        known,
                    ));
                }
            }
        }
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text in quotes",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}
