//! What is talked about: paths, manifests, and parts of answers.

use serde_json::{Value, json};

pub const NAMESPACES: &str = "/api/v1/namespaces";
pub const ACCOUNTS: &str = "/apis/amity.dev/v1alpha1/awsaccounts";
pub const ALL_IMAGES: &str = "/apis/amity.dev/v1alpha1/machineimages";
pub const IMAGES: &str = "/apis/amity.dev/v1alpha1/namespaces/talk/machineimages";
pub const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/talk/leases";
pub const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/talk/events";
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/talk/configmaps";

/// A uid that nobody has.
pub const NOBODY: &str = "00000000-0000-0000-0000-00000000abcd";

/// A manifest of an image in these regions.
pub fn image(name: &str, regions: &[&str]) -> Value {
    let regions: Vec<_> = regions.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage", "metadata": {"name": name},
        "spec": {
            "source": {"image": {"region": "us-east-1", "imageId": "ami-0feedfacefeedface"}},
            "regions": regions,
        },
    })
}

pub fn lease(name: &str, holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:05.000006Z",
        },
    })
}

pub fn config_map(name: &str, data: Value) -> Value {
    let mut config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    config["data"] = data;
    config
}

pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "web"}}})
}

pub fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

pub fn uid(object: &Value) -> String {
    object["metadata"]["uid"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The object with other values at these places (JSON pointers).
pub fn with(object: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (place, value) in changes {
        let (parent, field) = place.rsplit_once('/').unwrap();
        // An answer that is no object will be seen in the comparison.
        if let Some(Value::Object(parent)) = object.pointer_mut(parent) {
            parent.insert(field.to_owned(), value.clone());
        }
    }
    object
}

/// The object without this place.
pub fn without(object: &Value, place: &str) -> Value {
    let mut object = object.clone();
    let (parent, field) = place.rsplit_once('/').unwrap();
    if let Some(Value::Object(parent)) = object.pointer_mut(parent) {
        parent.remove(field);
    }
    object
}
