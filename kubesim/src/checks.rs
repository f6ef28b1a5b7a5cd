//! What a body must agree with: the path, and the object that is there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::object::{Object, finalizers, is_ending, metadata};
use crate::refusal::{Invalid, Refusal};
use crate::resources::Resource;

/// A body is an object of the kind that the path says.
pub(crate) fn check_type(body: &Value, resource: &Resource) -> Result<(), Refusal> {
    let is = |field: &str| body[field].as_str().unwrap_or_default();
    let (api_version, kind) = (resource.api_version(), resource.kind.as_str());
    if !body["metadata"].is_object() {
        return Err(Refusal::bad_request(
            "the body of the request is no object with metadata",
        ));
    }
    if is("apiVersion") != api_version || is("kind") != kind {
        let name = metadata(body, "name");
        return Err(Refusal::other_kind(
            resource,
            name,
            is("apiVersion"),
            is("kind"),
        ));
    }
    Ok(())
}

/// The name in a body is the one in the path.
pub(crate) fn check_name(body: &Value, name: &str) -> Result<(), Refusal> {
    match metadata(body, "name") {
        same if same == name => Ok(()),
        other => Err(Refusal::bad_request(format!(
            "the name of the object ({other}) does not match the name on the URL ({name})"
        ))),
    }
}

/// The namespace of the path counts; a body may leave it out.
pub(crate) fn check_namespace(body: &mut Value, namespace: Option<&str>) -> Result<(), Refusal> {
    match (metadata(body, "namespace"), namespace) {
        ("", Some(namespace)) => body["metadata"]["namespace"] = json!(namespace),
        (same, _) if same == namespace.unwrap_or_default() => {}
        _ => {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

/// Nobody holds what is already going.
pub(crate) fn check_finalizers(
    resource: &Resource,
    name: &str,
    old: &Value,
    new: &Value,
) -> Result<(), Refusal> {
    if !is_ending(old) {
        return Ok(());
    }
    let texts = |object| -> BTreeSet<_> {
        let finalizers: &[Value] = finalizers(object);
        finalizers.iter().filter_map(Value::as_str).collect()
    };
    let (old, new) = (texts(old), texts(new));
    let added: Vec<_> = new
        .difference(&old)
        .map(|name| format!("{name:?}"))
        .collect();
    if added.is_empty() {
        return Ok(());
    }
    let words = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        added.join(", ")
    );
    let why = Invalid::Forbidden(words);
    Err(Refusal::invalid_update(
        resource,
        name,
        "metadata.finalizers",
        why,
    ))
}

/// A new state is of this very object, and made from the state in which it is. In a PUT another uid is a conflict,
/// in a patch it is invalid.
pub(crate) fn check_preconditions(
    new: &Value,
    resource: &Resource,
    key: &str,
    object: &Object,
    is_put: bool,
) -> Result<(), Refusal> {
    let (uid, name) = (metadata(new, "uid"), object.name());
    let is_other = !uid.is_empty() && uid != object.uid();
    if is_other && is_put {
        return Err(Refusal::other_uid(resource, key, uid, object.uid()));
    }
    match metadata(new, "resourceVersion") {
        "" | "0" if resource.takes_unconditional_updates => {}
        "" | "0" => return Err(Refusal::no_version(resource, name)),
        version if version == object.version() => {}
        _ => return Err(Refusal::stale(resource, name)),
    }
    if is_other {
        let why = Invalid::Value(format!("{uid:?}"), "field is immutable".to_owned());
        return Err(Refusal::invalid_update(resource, name, "metadata.uid", why));
    }
    Ok(())
}
