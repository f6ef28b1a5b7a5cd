//! One version of an object, as it is stored: never changed, and written as JSON once.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::managers::Managers;

/// An object at one resource version.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) value: Value,
    pub(crate) managers: Managers,
    /// Whether its status is only shown, because the schema has a default for it, and not stored: the next write
    /// of anything else stores it, and that is a change.
    pub(crate) shows_default_status: bool,
    full: OnceLock<Bytes>,
    partial: OnceLock<Bytes>,
}

/// How an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Full,
    /// As `PartialObjectMetadata`.
    Metadata,
}

impl Object {
    pub(crate) fn new(value: Value, managers: Managers) -> Self {
        Self {
            value,
            managers,
            shows_default_status: false,
            full: OnceLock::new(),
            partial: OnceLock::new(),
        }
    }

    /// Whether storing it again would change nothing.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.value == other.value
            && self.managers == other.managers
            && self.shows_default_status == other.shows_default_status
    }

    pub(crate) fn name(&self) -> &str {
        metadata(&self.value, "name")
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.value["metadata"]["namespace"].as_str()
    }

    pub(crate) fn uid(&self) -> &str {
        metadata(&self.value, "uid")
    }

    pub(crate) fn version(&self) -> &str {
        metadata(&self.value, "resourceVersion")
    }

    pub(crate) fn json(&self, view: View) -> &Bytes {
        match view {
            View::Full => self
                .full
                .get_or_init(|| Bytes::from(self.value.to_string())),
            View::Metadata => self.partial.get_or_init(|| {
                let partial = json!({
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": self.value["metadata"],
                });
                Bytes::from(partial.to_string())
            }),
        }
    }
}

/// A text in the metadata of an object, or nothing.
pub(crate) fn metadata<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether the object was deleted, and waits for its finalizers.
pub(crate) fn is_ending(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

pub(crate) fn finalizers(object: &Value) -> &[Value] {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.map_or(&[], Vec::as_slice)
}
