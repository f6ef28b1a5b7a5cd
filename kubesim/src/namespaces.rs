//! Namespaces: there before anything is in them, and gone when nothing is.
//!
//! What the controller manager does after a namespace was deleted, moments later, is done here at once.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::delete::Preconditions;
use crate::object::{finalizers, is_ending};
use crate::refusal::Refusal;
use crate::resources::Resource;
use crate::state::{Collection, State};

/// Where namespaces are among the collections.
pub(crate) const AT: usize = 0;

/// Those that every cluster has, and that stay, but for the last.
pub(crate) const FROM_THE_BEGINNING: [&str; 4] =
    ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Whether the server lets nobody delete it.
pub(crate) fn stays(name: &str) -> bool {
    FROM_THE_BEGINNING[..3].contains(&name)
}

/// What every namespace has, from its creation on.
pub(crate) fn complete(namespace: &mut Value, name: &str) {
    namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
    namespace["spec"] = json!({"finalizers": ["kubernetes"]});
    namespace["status"] = json!({"phase": "Active"});
}

impl State {
    /// Whether something may be created in a namespace.
    pub(crate) fn admit(
        &self,
        resource: &Resource,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<(), Refusal> {
        let Some(namespace) = namespace else {
            return Ok(());
        };
        match self.get(AT, namespace) {
            None => Err(Refusal::not_found(
                &self.collections[AT].resource,
                namespace,
            )),
            Some(object) if is_ending(&object.value) => {
                Err(Refusal::namespace_ends(resource, name, namespace))
            }
            Some(_) => Ok(()),
        }
    }

    /// Deletes everything in a namespace that was deleted; what has finalizers goes later, and the namespace after
    /// it.
    pub(crate) fn empty(&mut self, namespace: &str, now: Timestamp) {
        for at in 0..self.collections.len() {
            let collection = &self.collections[at];
            if !collection.resource.is_namespaced {
                continue;
            }
            let there = Collection::within(&collection.objects, Some(namespace));
            let there: Vec<_> = there.map(|(key, _)| key.clone()).collect();
            for key in there {
                // It is there: nobody else runs meanwhile.
                let _ = self.delete(at, &key, &Preconditions::default(), now);
            }
        }
        self.end_if_empty(namespace);
    }

    /// Removes a namespace that was deleted, if nothing is in it any more.
    pub(crate) fn end_if_empty(&mut self, namespace: &str) {
        let Some(object) = self.get(AT, namespace) else {
            return;
        };
        let waits = !is_ending(&object.value) || !finalizers(&object.value).is_empty();
        let mut collections = self.collections.iter();
        let is_empty = |one: &Collection| {
            !one.resource.is_namespaced
                || Collection::within(&one.objects, Some(namespace))
                    .next()
                    .is_none()
        };
        if !waits && collections.all(is_empty) {
            self.remove(AT, namespace);
        }
    }
}
