//! Which objects a list or a watch is about: those of a namespace, of a name, with certain labels.

use std::sync::Arc;

use crate::object::Object;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::state::Change;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) namespace: Option<String>,
    /// Paths in `metadata`, and what they are to be.
    fields: Vec<(String, String)>,
    labels: Vec<(String, Wanted)>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Is(String),
    IsNot(String),
    Exists,
    IsAbsent,
}

impl Selection {
    /// Of what the query says; selectors beyond these are refused, and not ignored.
    pub(crate) fn of(namespace: Option<&str>, query: &Query) -> Result<Self, Refusal> {
        let terms = |key: &str| {
            let selector = query.get(key).unwrap_or_default();
            selector
                .split(',')
                .map(str::trim)
                .filter(|term| !term.is_empty())
        };
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            fields: terms("fieldSelector")
                .map(field)
                .collect::<Result<_, _>>()?,
            labels: terms("labelSelector")
                .map(label)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether it takes all objects of its namespace.
    pub(crate) fn takes_all(&self) -> bool {
        self.fields.is_empty() && self.labels.is_empty()
    }

    pub(crate) fn takes(&self, object: &Object) -> bool {
        let metadata = &object.value["metadata"];
        let namespace = self.namespace.as_deref();
        let label = |name: &str| metadata["labels"][name].as_str();
        (namespace.is_none() || namespace == object.namespace())
            && self
                .fields
                .iter()
                .all(|(field, value)| metadata[field].as_str() == Some(value))
            && self.labels.iter().all(|(name, wanted)| match wanted {
                Wanted::Is(value) => label(name) == Some(value),
                Wanted::IsNot(value) => label(name) != Some(value),
                Wanted::Exists => label(name).is_some(),
                Wanted::IsAbsent => label(name).is_none(),
            })
    }

    /// Whether a watch is told of a change.
    pub(crate) fn sees(&self, change: &Change) -> bool {
        let takes =
            |object: &Option<Arc<Object>>| object.as_ref().is_some_and(|one| self.takes(one));
        takes(&change.before) || takes(&change.after)
    }

    /// What a watch is told of a change, if anything: also what begins or ceases to be selected.
    pub(crate) fn told(&self, change: &Change) -> Option<(&'static str, Arc<Object>)> {
        let taken = |object: &Option<Arc<Object>>| object.clone().filter(|one| self.takes(one));
        match (taken(&change.before), taken(&change.after)) {
            (None, Some(after)) => Some(("ADDED", after)),
            (Some(_), Some(after)) => Some(("MODIFIED", after)),
            (Some(before), None) => Some(("DELETED", Arc::clone(change.last(&before)))),
            (None, None) => None,
        }
    }
}

fn field(term: &str) -> Result<(String, String), Refusal> {
    let (field, value) = term
        .split_once("==")
        .or_else(|| term.split_once('='))
        .unwrap_or((term, ""));
    match field.strip_prefix("metadata.") {
        Some(field @ ("name" | "namespace")) => Ok((field.to_owned(), value.to_owned())),
        _ => Err(Refusal::bad_request(format!(
            "field label not supported: {term}"
        ))),
    }
}

fn label(term: &str) -> Result<(String, Wanted), Refusal> {
    if term.contains(['(', ' ']) {
        let message = format!("labels are selected by =, !=, and by being there: {term}");
        return Err(Refusal::bad_request(message));
    }
    let (name, wanted) = if let Some((name, value)) = term.split_once("!=") {
        (name, Wanted::IsNot(value.to_owned()))
    } else if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (name, Wanted::Is(value.to_owned()))
    } else if let Some(name) = term.strip_prefix('!') {
        (name, Wanted::IsAbsent)
    } else {
        (term, Wanted::Exists)
    };
    Ok((name.to_owned(), wanted))
}
