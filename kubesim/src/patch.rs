//! JSON Merge Patch.

use serde_json::{Value, json};

/// Lays a patch over a value (RFC 7396): null takes a field away, anything but a map replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().map(|map| map.remove(name));
        } else {
            merge(&mut target[name], value);
        }
    }
}
