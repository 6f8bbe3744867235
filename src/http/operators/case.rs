use serde::Serialize;
use serde_json::{Map, Value};

/// A value as JSON with its keys in camelCase: what our processes say to one another is in
/// snake_case, what our interface shows is not.
pub fn camel_case(value: &impl Serialize) -> Value {
    // What derives Serialize with named fields has a JSON form.
    rename(serde_json::to_value(value).unwrap_or_default())
}

fn rename(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| (camel(&key), rename(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(rename).collect()),
        other => other,
    }
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_change_and_values_do_not() {
        let value = json!({"started_at_ms": 1, "tracks": [{"packets_lost": 2, "source": "screen_share"}], "id": null});
        assert_eq!(
            camel_case(&value),
            json!({"startedAtMs": 1, "tracks": [{"packetsLost": 2, "source": "screen_share"}], "id": null})
        );
    }
}
