//! A policy document as JSON, with nothing in it that is not known (IAM user guide:
//! `reference_policies_grammar`).

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The document.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Document {
    pub version: String,
    #[serde(default)]
    #[expect(dead_code, reason = "it is a name and means nothing")]
    pub id: Option<String>,
    pub statement: OneOrMany<StatementDocument>,
}

/// A statement. `Principal` is for policies of resources, which there are none of here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct StatementDocument {
    #[serde(default)]
    pub sid: Option<String>,
    pub effect: Effect,
    #[serde(default)]
    pub action: Option<OneOrMany<String>>,
    #[serde(default)]
    pub not_action: Option<OneOrMany<String>>,
    #[serde(default)]
    pub resource: Option<OneOrMany<String>>,
    #[serde(default)]
    pub not_resource: Option<OneOrMany<String>>,
    /// Operator → key → values.
    #[serde(default)]
    pub condition: BTreeMap<String, BTreeMap<String, OneOrMany<Word>>>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// One thing, or a list of them.
pub(super) struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    /// By way of JSON, so that an error tells what is wrong with the one thing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = match Value::deserialize(deserializer)? {
            Value::Array(items) => items,
            one => vec![one],
        };
        let read = items.into_iter().map(serde_json::from_value);
        read.collect::<Result<_, _>>()
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// A value of a condition: JSON may write `true` with or without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Word {
    Text(String),
    Bool(bool),
}

impl Word {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bool(value) => value.to_string(),
        }
    }
}
