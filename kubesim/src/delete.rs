//! Deletion: at once, or, where there are finalizers, when the last of them goes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::namespaces;
use crate::object::{Object, finalizers, is_ending};
use crate::refusal::{Refusal, name_in};
use crate::resources::Resource;
use crate::state::State;
use crate::write::in_seconds;

/// Which object it is to be, and in which state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preconditions {
    uid: Option<String>,
    version: Option<String>,
}

impl Preconditions {
    /// Of the `DeleteOptions` in a body; those that are not here are refused, and not ignored.
    pub(crate) fn of(options: &Value) -> Result<Self, Refusal> {
        if options.get("dryRun").is_some() {
            return Err(Refusal::bad_request("kubesim knows no dryRun"));
        }
        let wanted = |name: &str| options["preconditions"][name].as_str().map(str::to_owned);
        Ok(Self {
            uid: wanted("uid"),
            version: wanted("resourceVersion"),
        })
    }

    /// Refuses another object, in the words that the real server has for namespaces and for the rest.
    fn check(&self, resource: &Resource, object: &Object) -> Result<(), Refusal> {
        let wanted = [
            (
                "UID",
                &self.uid,
                object.uid(),
                ("(", ")"),
                "deleted and then recreated",
            ),
            (
                "ResourceVersion",
                &self.version,
                object.version(),
                ("", ""),
                "modified",
            ),
        ];
        for (what, wanted, is, (open, close), befell) in wanted {
            let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != is) else {
                continue;
            };
            if resource.is_namespaces() {
                let why = format!(
                    "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {is}"
                );
                return Err(Refusal::conflict(resource, object.name(), why));
            }
            let why = format!(
                "the {what} in the precondition {open}{wanted}{close} does not match the {what} in record ({is}). \
                 The object might have been {befell}"
            );
            return Err(Refusal::unmet_precondition(resource, object.name(), &why));
        }
        Ok(())
    }
}

/// What became of an object that was deleted.
pub(crate) enum Deleted {
    /// It is gone; this is its last state.
    Gone(Arc<Object>),
    /// It waits for its finalizers.
    Ending(Arc<Object>),
}

impl State {
    pub(crate) fn delete(
        &mut self,
        at: usize,
        key: &str,
        preconditions: &Preconditions,
        now: Timestamp,
    ) -> Result<Deleted, Refusal> {
        let resource = self.resource(at);
        let name = name_in(key);
        if resource.is_namespaces() && namespaces::stays(name) {
            return Err(Refusal::namespace_stays(&resource, name));
        }
        let object = self.get(at, key);
        let object = Arc::clone(object.ok_or_else(|| Refusal::not_found(&resource, name))?);
        preconditions.check(&resource, &object)?;
        if resource.is_namespaces() {
            if is_ending(&object.value) {
                return Ok(Deleted::Ending(object));
            }
            let mut value = object.value.clone();
            value["metadata"]["deletionTimestamp"] = json!(in_seconds(now));
            value["status"]["phase"] = json!("Terminating");
            let ending = self.put(at, key, Object::new(value, object.managers.clone()));
            self.empty(name, now);
            return Ok(Deleted::Ending(ending));
        }
        if finalizers(&object.value).is_empty() {
            self.remove(at, key);
            if let Some(namespace) = object.namespace() {
                self.end_if_empty(namespace);
            }
            return Ok(Deleted::Gone(object));
        }
        if is_ending(&object.value) {
            return Ok(Deleted::Ending(object));
        }
        let mut value = object.value.clone();
        let metadata = &mut value["metadata"];
        metadata["deletionTimestamp"] = json!(in_seconds(now));
        metadata["deletionGracePeriodSeconds"] = json!(0);
        if let Some(generation) = metadata["generation"].as_i64() {
            metadata["generation"] = json!(generation + 1);
        }
        let ending = self.put(at, key, Object::new(value, object.managers.clone()));
        Ok(Deleted::Ending(ending))
    }
}
