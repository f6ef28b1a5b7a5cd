//! Requests of JSON 1.1 (`X-Amz-Target`), brought into the form of the others: `Names.1`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::ApiError;

/// The members of a JSON body by their paths.
pub(crate) fn members(body: &[u8]) -> Result<BTreeMap<String, String>, ApiError> {
    let mut members = BTreeMap::new();
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::new("SerializationException", error.to_string()))?;
    if let Value::Object(object) = value {
        for (name, value) in object {
            flatten(name, value, &mut members);
        }
    }
    Ok(members)
}

fn flatten(path: String, value: Value, members: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => {
            members.insert(path, value.to_string());
        }
        Value::Number(value) => {
            members.insert(path, value.to_string());
        }
        Value::String(value) => {
            members.insert(path, value);
        }
        Value::Array(values) => {
            for (number, value) in (1..).zip(values) {
                flatten(format!("{path}.{number}"), value, members);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                flatten(format!("{path}.{name}"), value, members);
            }
        }
    }
}
