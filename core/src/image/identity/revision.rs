//! What content an image has: the hash of what it is made of, in a form that later fields do not change.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{Reference, hex_digest};

/// What makes two images of one object different content: ten hex digits of the hash of `spec.source` and
/// `spec.rebuild`, unresolved, in a canonical form that omits what is not said; with `spec.follow`, from the second on,
/// of what the source was resolved to besides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(String);

impl Revision {
    /// The revision that `source` and `rebuild`, as they stand in the spec, ask for.
    pub fn of(source: &Value, rebuild: Option<&str>) -> Self {
        Self::hashed(source, rebuild, None)
    }

    /// The revision that follows when `source` was resolved to something else than before: the same hash, of what it
    /// was resolved to besides.
    pub fn following(source: &Value, rebuild: Option<&str>, resolved: &Reference) -> Self {
        Self::hashed(source, rebuild, Some(resolved))
    }

    fn hashed(source: &Value, rebuild: Option<&str>, resolved: Option<&Reference>) -> Self {
        let mut canonical = String::from("{");
        if let Some(rebuild) = rebuild {
            canonical.push_str("\"rebuild\":");
            write_canonical(&Value::from(rebuild), &mut canonical);
            canonical.push(',');
        }
        if let Some(resolved) = resolved {
            canonical.push_str("\"resolved\":");
            write_canonical(&Value::from(resolved.to_string()), &mut canonical);
            canonical.push(',');
        }
        canonical.push_str("\"source\":");
        write_canonical(source, &mut canonical);
        canonical.push('}');
        Self(hex_digest([canonical.as_str()])[..10].to_owned())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Revision {
    fn from(digits: &str) -> Self {
        Self(digits.to_owned())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes JSON with sorted keys and without nulls, empty lists and empty maps, so that a field that is
/// added to the schema later changes the hash of no object that does not use it.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let said: BTreeMap<_, _> = fields
                .iter()
                .filter(|(_, value)| !is_unsaid(value))
                .collect();
            out.push('{');
            for (index, (key, value)) in said.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(&Value::from(key.as_str()), out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn is_unsaid(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_unsaid),
        _ => false,
    }
}
