//! The parameters behind the question mark.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::refusal::Refusal;

/// The parameters of a request. One that is not known is refused, and not ignored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

/// Parameters that mean something here, or nothing to what is simulated.
const KNOWN: [&str; 14] = [
    "allowWatchBookmarks",
    "continue",
    "fieldManager",
    "fieldSelector",
    "fieldValidation",
    "force",
    "labelSelector",
    "limit",
    "pretty",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let parameters: BTreeMap<_, _> = pairs.into_owned().collect();
        match parameters.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            Some(unknown) => Err(Refusal::bad_request(format!(
                "kubesim does not know the parameter {unknown}"
            ))),
            None => Ok(Self(parameters)),
        }
    }

    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1"))
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        let parsed = self.get(key).map(str::parse).transpose();
        parsed.map_err(|_| {
            let value = self.get(key).unwrap_or_default();
            Refusal::bad_request(format!("{key}: not a number: {value:?}"))
        })
    }

    /// `resourceVersion`.
    pub(crate) fn version(&self) -> Result<Option<u64>, Refusal> {
        self.number("resourceVersion")
    }

    pub(crate) fn seconds(&self, key: &str) -> Result<Option<Duration>, Refusal> {
        Ok(self.number(key)?.map(Duration::from_secs))
    }
}
