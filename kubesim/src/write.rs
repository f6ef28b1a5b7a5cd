//! Creation and change: what of a body counts, what the server adds, and when nothing changes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::apply::Apply;
use crate::checks::{
    check_finalizers, check_name, check_namespace, check_preconditions, check_type,
};
use crate::fields::compare;
use crate::managers::{Manager, Managers};
use crate::namespaces;
use crate::object::{Object, finalizers, is_ending, metadata};
use crate::patch::merge;
use crate::refusal::{Invalid, Refusal};
use crate::resources::Resource;
use crate::state::{State, key};

/// Which object is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) at: usize,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    /// Whether only its status.
    pub(crate) status: bool,
}

/// An object after a write.
pub(crate) struct Written {
    pub(crate) object: Arc<Object>,
    pub(crate) is_new: bool,
}

/// A new state of an object, and whose its fields are.
struct Proposal {
    value: Value,
    /// Where the write says so itself; else whoever changes a field owns it.
    managers: Option<Managers>,
    is_put: bool,
}

/// Metadata that only the server writes, and that an update leaves as it is.
const KEPT: [&str; 5] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "uid",
];

/// Metadata that is not there when it is empty.
const OMITTED_WHEN_EMPTY: [&str; 5] = [
    "annotations",
    "finalizers",
    "generateName",
    "labels",
    "ownerReferences",
];

impl State {
    pub(crate) fn create(
        &mut self,
        at: usize,
        namespace: Option<&str>,
        mut body: Value,
        manager: &Manager,
        now: Timestamp,
    ) -> Result<Written, Refusal> {
        let resource = self.resource(at);
        check_type(&body, &resource)?;
        let name = metadata(&body, "name").to_owned();
        if name.is_empty() {
            let words = Invalid::Required("name or generateName is required");
            return Err(Refusal::invalid(&resource, "", "metadata.name", words));
        }
        check_namespace(&mut body, namespace)?;
        self.admit(&resource, &name, namespace)?;
        if !metadata(&body, "resourceVersion").is_empty() {
            return Err(Refusal::version_at_creation());
        }
        let target = Target {
            at,
            namespace,
            name: &name,
            status: false,
        };
        if let Some(object) = self.get(at, &target.key()) {
            let is_ending = is_ending(&object.value);
            return Err(Refusal::already_exists(&resource, &name, is_ending));
        }
        Ok(self.insert(target, body, None, manager, now))
    }

    /// Stores an object that is not there yet.
    fn insert(
        &mut self,
        target: Target<'_>,
        mut value: Value,
        managers: Option<Managers>,
        manager: &Manager,
        now: Timestamp,
    ) -> Written {
        let resource = self.resource(target.at);
        if resource.has_status {
            take(&mut value, "status");
        }
        if resource.is_namespaces() {
            namespaces::complete(&mut value, target.name);
        }
        let metadata = &mut value["metadata"];
        for field in KEPT
            .into_iter()
            .chain(["managedFields", "selfLink", "resourceVersion"])
        {
            take(metadata, field);
        }
        metadata["uid"] = json!(self.next_uid());
        metadata["creationTimestamp"] = json!(in_seconds(now));
        if resource.is_custom {
            metadata["generation"] = json!(1);
        }
        normalise(metadata);
        let is_without_status = value.get("status").is_none();
        resource.shape.complete(&mut value);
        let managers = managers.unwrap_or_else(|| {
            let mut managers = Managers::default();
            let difference = compare(&json!({}), &value, &resource.shape);
            managers.update(manager, &difference);
            managers
        });
        let mut object = Object::new(value, managers);
        object.shows_default_status = is_without_status && object.value.get("status").is_some();
        Written {
            object: self.put(target.at, &target.key(), object),
            is_new: true,
        }
    }

    /// PUT.
    pub(crate) fn replace(
        &mut self,
        target: Target<'_>,
        mut body: Value,
        manager: &Manager,
        now: Timestamp,
    ) -> Result<Written, Refusal> {
        let resource = self.resource(target.at);
        check_type(&body, &resource)?;
        check_name(&body, target.name)?;
        check_namespace(&mut body, target.namespace)?;
        let Some(object) = self.get(target.at, &target.key()).map(Arc::clone) else {
            if !resource.is_created_by_put {
                return Err(Refusal::not_found(&resource, target.name));
            }
            if !metadata(&body, "uid").is_empty() {
                let uid = metadata(&body, "uid");
                return Err(Refusal::other_uid(&resource, &target.key(), uid, ""));
            }
            self.admit(&resource, target.name, target.namespace)?;
            return Ok(self.insert(target, body, None, manager, now));
        };
        let proposal = Proposal {
            value: body,
            managers: None,
            is_put: true,
        };
        self.update(target, &object, proposal, manager)
    }

    /// JSON Merge Patch.
    pub(crate) fn patch(
        &mut self,
        target: Target<'_>,
        patch: &Value,
        manager: &Manager,
    ) -> Result<Written, Refusal> {
        let resource = self.resource(target.at);
        let object = self.get(target.at, &target.key()).map(Arc::clone);
        let object = object.ok_or_else(|| Refusal::not_found(&resource, target.name))?;
        let mut value = object.value.clone();
        merge(&mut value, patch);
        check_type(&value, &resource)?;
        check_namespace(&mut value, target.namespace)?;
        check_name(&value, target.name)?;
        let proposal = Proposal {
            value,
            managers: None,
            is_put: false,
        };
        self.update(target, &object, proposal, manager)
    }

    /// Server-side apply.
    pub(crate) fn apply(
        &mut self,
        target: Target<'_>,
        mut config: Value,
        manager: &Manager,
        force: bool,
        now: Timestamp,
    ) -> Result<Written, Refusal> {
        let resource = self.resource(target.at);
        check_type(&config, &resource)?;
        if config["metadata"].get("managedFields").is_some() {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        check_namespace(&mut config, target.namespace)?;
        check_name(&config, target.name)?;
        let object = self.get(target.at, &target.key()).map(Arc::clone);
        if object.is_none() && target.status {
            return Err(Refusal::not_found(&resource, target.name));
        }
        let counted = only_what_counts(&config, &resource, target.status);
        let apply = Apply {
            config: &counted,
            manager,
            force,
            shape: &resource.shape,
        };
        let Some(object) = object else {
            let uid = metadata(&config, "uid");
            if !uid.is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(Refusal::conflict(&resource, target.name, why));
            }
            self.admit(&resource, target.name, target.namespace)?;
            let empty = json!({"apiVersion": resource.api_version(), "kind": resource.kind});
            let (value, managers) = apply.to(&empty, &Managers::default())?;
            return Ok(self.insert(target, value, Some(managers), manager, now));
        };
        let (value, managers) = apply.to(&object.value, &object.managers)?;
        let proposal = Proposal {
            value,
            managers: Some(managers),
            is_put: false,
        };
        self.update(target, &object, proposal, manager)
    }

    fn update(
        &mut self,
        target: Target<'_>,
        object: &Arc<Object>,
        proposal: Proposal,
        manager: &Manager,
    ) -> Result<Written, Refusal> {
        let resource = self.resource(target.at);
        let key = target.key();
        check_preconditions(&proposal.value, &resource, &key, object, proposal.is_put)?;
        let old = &object.value;
        let is_without_status = proposal.value["status"].is_null();
        let value = updated(old, proposal.value, &resource, target.status);
        check_finalizers(&resource, target.name, old, &value)?;
        let managers = proposal.managers.unwrap_or_else(|| {
            let mut managers = object.managers.clone();
            let difference = compare(old, &value, &resource.shape);
            managers.update(manager, &difference);
            managers
        });
        let mut new = Object::new(value, managers);
        new.shows_default_status =
            target.status && is_without_status && new.value.get("status").is_some();
        let object =
            if is_ending(old) && finalizers(&new.value).is_empty() && !resource.is_namespaces() {
                self.remove(target.at, &key);
                if let Some(namespace) = target.namespace {
                    self.end_if_empty(namespace);
                }
                // What was written, which was never stored.
                Arc::new(new)
            } else if new.is_same_as(object) {
                Arc::clone(object)
            } else {
                self.put(target.at, &key, new)
            };
        if resource.is_namespaces() {
            self.end_if_empty(target.name);
        }
        Ok(Written {
            object,
            is_new: false,
        })
    }
}

impl Target<'_> {
    pub(crate) fn key(&self) -> String {
        key(self.namespace, self.name)
    }
}

/// What `old` becomes with what of `new` counts.
fn updated(old: &Value, new: Value, resource: &Resource, only_status: bool) -> Value {
    let mut value;
    if only_status {
        value = old.clone();
        set(&mut value, "status", new.get("status").cloned());
    } else {
        value = new;
        if resource.has_status {
            set(&mut value, "status", old.get("status").cloned());
        }
        if resource.is_namespaces() {
            set(&mut value, "spec", old.get("spec").cloned());
        }
        let metadata = &mut value["metadata"];
        for field in KEPT.into_iter().chain(["resourceVersion"]) {
            set(metadata, field, old["metadata"].get(field).cloned());
        }
        take(metadata, "managedFields");
        take(metadata, "selfLink");
        normalise(metadata);
    }
    resource.shape.complete(&mut value);
    if resource.is_custom
        && !only_status
        && counted(old, resource).ne(counted(&value, resource))
        && let Some(generation) = old["metadata"]["generation"].as_i64()
    {
        value["metadata"]["generation"] = json!(generation + 1);
    }
    value
}

/// What the generation counts the changes to.
fn counted<'a>(
    object: &'a Value,
    resource: &Resource,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let fields = object.as_object().into_iter().flatten();
    let has_status = resource.has_status;
    fields.filter(move |(name, _)| *name != "metadata" && !(has_status && *name == "status"))
}

/// Of what is applied, what the endpoint writes.
fn only_what_counts(config: &Value, resource: &Resource, only_status: bool) -> Value {
    let mut counted = config.clone();
    if only_status {
        for field in ["metadata", "spec"] {
            take(&mut counted, field);
        }
        // As preconditions.
        counted["metadata"] = config["metadata"].clone();
        for field in ["annotations", "finalizers", "labels", "ownerReferences"] {
            take(&mut counted["metadata"], field);
        }
    } else if resource.has_status {
        take(&mut counted, "status");
    }
    counted
}

/// Metadata as the server writes it: without nulls, and without what is empty.
fn normalise(metadata: &mut Value) {
    let is_left_out = |name: &str, value: &Value| {
        value.is_null() || (OMITTED_WHEN_EMPTY.contains(&name) && is_empty(value))
    };
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|name, value| !is_left_out(name, value));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    match (object.as_object_mut(), value) {
        (Some(map), Some(value)) => drop(map.insert(field.to_owned(), value)),
        (Some(map), None) => drop(map.remove(field)),
        (None, _) => {}
    }
}

fn take(object: &mut Value, field: &str) {
    object
        .as_object_mut()
        .map(|map: &mut Map<_, _>| map.remove(field));
}

/// A time as Kubernetes writes it.
pub(crate) fn in_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
