//! What the server says no with: the same code, reason and details as the real one, and mostly its words.

use std::fmt;

use http::Response;
use serde_json::{Value, json};

use crate::answer::{answered, full};
use crate::resources::Resource;
use crate::watch::Body;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The machine-readable reason, as in `AlreadyExists`; empty where the real server gives none.
    pub reason: &'static str,
    /// The words.
    pub message: String,
    /// Which object, and what of it.
    pub details: Value,
    /// The token with which a list goes on.
    go_on: Option<String>,
}

impl Refusal {
    /// A refusal for those who make requests fail, as in `Refusal::new(503, "ServiceUnavailable", "…")`.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self::detailed(code, reason, message, Value::Null)
    }

    fn detailed(
        code: u16,
        reason: &'static str,
        message: impl Into<String>,
        details: Value,
    ) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details,
            go_on: None,
        }
    }

    fn of(
        resource: &Resource,
        name: &str,
        (code, reason): (u16, &'static str),
        words: impl fmt::Display,
    ) -> Self {
        let message = format!("{} \"{name}\" {words}", resource.qualified());
        Self::detailed(code, reason, message, details(resource, name))
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::of(resource, name, (404, "NotFound"), "not found")
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str, is_ending: bool) -> Self {
        let mut refusal = Self::of(resource, name, (409, "AlreadyExists"), "already exists");
        if is_ending {
            refusal.message = format!("object is being deleted: {}", refusal.message);
        }
        refusal
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: impl fmt::Display) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified()
        );
        Self::detailed(409, "Conflict", message, details(resource, name))
    }

    /// The resource version is not the object's.
    pub(crate) fn stale(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// A write brings the uid of another object.
    pub(crate) fn other_uid(resource: &Resource, key: &str, wanted: &str, is: &str) -> Self {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
             failed: UID in precondition: {wanted}, UID in object meta: {is}",
            resource.etcd_key(key)
        );
        Self::conflict(resource, name_in(key), why)
    }

    /// An object is to be deleted that has another uid or version.
    pub(crate) fn unmet_precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let mut refusal = Self::conflict(resource, name, why);
        // Here, and nowhere else, the kind is the kind.
        refusal.message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified_kind()
        );
        refusal.details["kind"] = json!(resource.kind);
        refusal
    }

    /// A PUT lacks the resource version that it must have.
    pub(crate) fn no_version(resource: &Resource, name: &str) -> Self {
        let field = "metadata.resourceVersion";
        let why = Invalid::Value("0".to_owned(), "must be specified for an update".to_owned());
        let mut refusal = Self::invalid(resource, name, field, why);
        // Here, and nowhere else, the kind is the resource.
        let (kind, plural) = (resource.qualified_kind(), resource.qualified());
        refusal.message = refusal.message.replacen(&kind, &plural, 1);
        refusal.details["kind"] = json!(resource.plural);
        refusal
    }

    /// Fields that another manager owns: who, and which.
    pub(crate) fn owned_by_others(conflicts: &[(String, String)]) -> Self {
        let causes: Vec<_> = conflicts
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field})
            })
            .collect();
        let message = if let [(manager, field)] = conflicts {
            format!("Apply failed with 1 conflict: conflict with {manager}: {field}")
        } else {
            let mut lines = Vec::new();
            let mut last = None;
            for (manager, field) in conflicts {
                if last.replace(manager) != Some(manager) {
                    lines.push(format!("conflicts with {manager}:"));
                }
                lines.push(format!("- {field}"));
            }
            let (count, lines) = (conflicts.len(), lines.join("\n"));
            format!("Apply failed with {count} conflicts: {lines}")
        };
        Self::detailed(409, "Conflict", message, json!({"causes": causes}))
    }

    /// One field has a value that it cannot have. `why` begins with the kind of error.
    pub(crate) fn invalid(resource: &Resource, name: &str, field: &str, why: Invalid) -> Self {
        let (reason, words) = match why {
            Invalid::Required(words) => ("FieldValueRequired", format!("Required value: {words}")),
            Invalid::Forbidden(words) => ("FieldValueForbidden", format!("Forbidden: {words}")),
            Invalid::Value(value, words) => (
                "FieldValueInvalid",
                format!("Invalid value: {value}: {words}"),
            ),
        };
        let kind = resource.qualified_kind();
        let message = format!("{kind} \"{name}\" is invalid: {field}: {words}");
        let mut details = details(resource, name);
        details["kind"] = json!(resource.kind);
        details["causes"] = json!([{"reason": reason, "message": words, "field": field}]);
        Self::detailed(422, "Invalid", message, details)
    }

    /// The same for an update. The real server looks twice at the metadata of custom resources, and says so twice.
    pub(crate) fn invalid_update(
        resource: &Resource,
        name: &str,
        field: &str,
        why: Invalid,
    ) -> Self {
        let mut refusal = Self::invalid(resource, name, field, why);
        if let (true, Value::Array(causes)) = (resource.is_custom, &mut refusal.details["causes"]) {
            causes.extend_from_within(..);
        }
        refusal
    }

    /// A body is of another kind than the path. The real server is of two minds about it.
    pub(crate) fn other_kind(resource: &Resource, name: &str, version: &str, kind: &str) -> Self {
        let (right, expected) = (&resource.kind, resource.api_version());
        if version != expected {
            return Self::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({expected})"
            ));
        }
        if !resource.is_custom {
            return Self::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {right}: converting ({kind}) to ({right}): unknown conversion"
            ));
        }
        let as_it_says = Resource {
            kind: kind.to_owned(),
            ..resource.clone()
        };
        let why = Invalid::Value(format!("{kind:?}"), format!("must be {right}"));
        Self::invalid(&as_it_says, name, "kind", why)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::detailed(400, "BadRequest", message, Value::Null)
    }

    /// Nothing is created in a namespace that ends.
    pub(crate) fn namespace_ends(resource: &Resource, name: &str, namespace: &str) -> Self {
        let words = format!(
            "is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut refusal = Self::of(resource, name, (403, "Forbidden"), words);
        let message = format!("namespace {namespace} is being terminated");
        refusal.details["causes"] = json!([
            {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
        ]);
        refusal
    }

    /// The cluster's own namespaces stay.
    pub(crate) fn namespace_stays(resource: &Resource, name: &str) -> Self {
        let words = "is forbidden: this namespace may not be deleted";
        Self::of(resource, name, (403, "Forbidden"), words)
    }

    /// The resource version is older than what is remembered.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::detailed(410, "Expired", message, Value::Null)
    }

    /// A watch begins before what is remembered.
    pub(crate) fn too_old(asked: u64, oldest: u64) -> Self {
        Self::expired(format!("too old resource version: {asked} ({oldest})"))
    }

    /// A list is asked for as of a version that is forgotten; `anyway` is a token to go on with all the same.
    pub(crate) fn forgotten(anyway: Option<String>) -> Self {
        let Some(anyway) = anyway else {
            return Self::expired("The resourceVersion for the provided list is too old.");
        };
        let mut refusal = Self::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter, or use the continue token in this response to retrieve the remainder of \
             the results. Continuing with the provided token results in an inconsistent list - objects that were \
             created, modified, or deleted between the time the first chunk was returned and now may show up in the \
             list.",
        );
        refusal.go_on = Some(anyway);
        refusal
    }

    /// The resource version is yet to come.
    pub(crate) fn too_new(asked: u64, current: u64) -> Self {
        let cause =
            json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Self::detailed(
            504,
            "Timeout",
            format!("Timeout: Too large resource version: {asked}, current: {current}"),
            json!({"causes": [cause], "retryAfterSeconds": 1}),
        )
    }

    /// Who applies says who it is.
    pub(crate) fn no_field_manager() -> Self {
        let (field, words) = (
            "fieldManager",
            "Required value: is required for apply patch",
        );
        let cause = json!({"reason": "FieldValueRequired", "message": words, "field": field});
        Self::detailed(
            422,
            "Invalid",
            format!("PatchOptions.meta.k8s.io \"\" is invalid: {field}: {words}"),
            json!({"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause]}),
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::detailed(405, "MethodNotAllowed", message, json!({}))
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::detailed(415, "UnsupportedMediaType", message, json!({}))
    }

    /// A subresource that the resource has not.
    pub(crate) fn no_such_subresource(resource: &Resource, name: &str) -> Self {
        if resource.is_custom {
            return Self::not_found(resource, name);
        }
        Self::misplaced(resource)
    }

    /// With a namespace what has none, or without one what is in namespaces.
    pub(crate) fn misplaced(resource: &Resource) -> Self {
        if resource.is_custom {
            return Self::no_such_path();
        }
        let message = "the server could not find the requested resource";
        Self::detailed(404, "NotFound", message, json!({}))
    }

    /// A path that nothing is served under: plain text, and no `Status`.
    pub(crate) fn no_such_path() -> Self {
        Self::detailed(404, "", "404 page not found\n", Value::Null)
    }

    /// The real server gives no reason for it.
    pub(crate) fn version_at_creation() -> Self {
        let message = "resourceVersion should not be set on objects to be created";
        Self::detailed(500, "", message, Value::Null)
    }

    /// The answer that says it.
    ///
    /// # Panics
    /// Where the code is no HTTP status.
    pub fn response(&self) -> Response<Body> {
        let (body, type_) = if self.code == 404 && self.reason.is_empty() {
            (self.message.clone(), "text/plain; charset=utf-8")
        } else {
            (self.status().to_string(), "application/json")
        };
        answered(self.code, type_, full(body.into()))
    }

    /// The `Status` that says it.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(token) = &self.go_on {
            status["metadata"]["continue"] = json!(token);
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for Refusal {}

/// What is wrong with a field.
pub(crate) enum Invalid {
    Required(&'static str),
    Forbidden(String),
    Value(String, String),
}

fn details(resource: &Resource, name: &str) -> Value {
    let mut details = json!({"kind": resource.plural});
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    details
}

/// The name in `namespace/name`.
pub(crate) fn name_in(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}
