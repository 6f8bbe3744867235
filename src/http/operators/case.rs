use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// What our processes say to one another, as our interface shows it: their keys are in snake_case,
/// those of the interface in camelCase.
#[derive(Clone, Debug, PartialEq)]
pub struct Camel<T: ?Sized>(Value, PhantomData<T>);

impl<T: Serialize + ?Sized> Camel<T> {
    pub fn of(value: &T) -> Self {
        // What derives Serialize with named fields has a JSON form.
        Self(
            rename(serde_json::to_value(value).unwrap_or_default()),
            PhantomData,
        )
    }

    /// Without the fields of this name, wherever they are. The schema of `T` leaves them out.
    pub fn without(mut self, name: &str) -> Self {
        remove(&mut self.0, name);
        self
    }
}

fn remove(value: &mut Value, name: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove(name);
            fields.values_mut().for_each(|value| remove(value, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, name)),
        _ => {}
    }
}

impl<T: ?Sized> Serialize for Camel<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The schemas of these types have their names in camelCase already.
impl<T: JsonSchema + ?Sized> JsonSchema for Camel<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
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
            serde_json::to_value(Camel::of(&value)).unwrap(),
            json!({"startedAtMs": 1, "tracks": [{"packetsLost": 2, "source": "screen_share"}], "id": null})
        );
    }
}
