//! One test for each rule, named for the behaviour. Time is handed in; nothing sleeps but under a paused clock.

mod apply;
mod creation;
mod deletion;
mod determinism;
mod hands;
mod lists;
mod namespaces;
mod requests;
mod runtime;
mod status;
mod updates;
mod watches;

use bytes::Bytes;
use futures::FutureExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::BodyExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use crate::{Body, Kubernetes};

const WIDGETS: &str = "/apis/example.dev/v1/namespaces/default/widgets";
const WEB: &str = "/apis/example.dev/v1/namespaces/default/widgets/web";
const GADGETS: &str = "/apis/example.dev/v1/gadgets";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const NAMESPACES: &str = "/api/v1/namespaces";

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

const NOW: &str = "2026-01-02T03:04:05Z";

/// A cluster that serves widgets, which are in namespaces and have a status, and gadgets, which are and have neither.
fn kubernetes() -> Kubernetes {
    let kubernetes = Kubernetes::new(7, || NOW.parse().expect("a time"));
    kubernetes.define(&widgets());
    kubernetes.define(&gadgets());
    kubernetes
}

fn widgets() -> CustomResourceDefinition {
    let spec = json!({
        "type": "object",
        "properties": {
            "size": {"type": "integer", "default": 1},
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "color": {"type": "string"}}},
            },
            "notes": {"type": "array", "items": {"type": "string"}},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    });
    let status = json!({"type": "object", "default": {"observedGeneration": -1}});
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": status}});
    definition(
        "Namespaced",
        "widgets",
        "Widget",
        &schema,
        &json!({"status": {}}),
    )
}

fn gadgets() -> CustomResourceDefinition {
    let schema = json!({"type": "object"});
    definition("Cluster", "gadgets", "Gadget", &schema, &Value::Null)
}

fn definition(
    scope: &str,
    plural: &str,
    kind: &str,
    schema: &Value,
    subresources: &Value,
) -> CustomResourceDefinition {
    let definition = json!({
        "metadata": {"name": format!("{plural}.example.dev")},
        "spec": {
            "group": "example.dev", "scope": scope, "names": {"plural": plural, "kind": kind},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": subresources,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    });
    serde_json::from_value(definition).expect("a definition")
}

fn widget(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "example.dev/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// The object with a field of its metadata set.
fn with_metadata(mut object: Value, field: &str, value: Value) -> Value {
    object["metadata"][field] = value;
    object
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
}

/// What tests ask, and the status and body of the answer.
impl Kubernetes {
    fn ask(&self, method: Method, path: &str, types: (&str, &str), body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header(ACCEPT, types.0)
            .header(CONTENT_TYPE, types.1);
        let response = self.answer_at_once(&request.body(body).expect("a request"));
        let status = response.status().as_u16();
        let body = response.into_body().collect().now_or_never();
        let body = body.expect("at once").expect("infallible").to_bytes();
        let text = || json!(String::from_utf8_lossy(&body));
        (
            status,
            serde_json::from_slice(&body).unwrap_or_else(|_| text()),
        )
    }

    fn read(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, ("application/json", ""), &Value::Null)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::POST, path, ("application/json", ""), body)
    }

    fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::PUT, path, ("application/json", ""), body)
    }

    fn merge(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::PATCH, path, ("application/json", MERGE), body)
    }

    fn remove(&self, path: &str, options: &Value) -> (u16, Value) {
        self.ask(Method::DELETE, path, ("application/json", ""), options)
    }

    fn apply_as(&self, manager: &str, path: &str, config: &Value) -> (u16, Value) {
        let path = format!("{path}?fieldManager={manager}");
        self.ask(Method::PATCH, &path, ("application/json", APPLY), config)
    }

    /// Creates it, or fails the test.
    fn created(&self, path: &str, body: &Value) -> Value {
        let (status, object) = self.post(path, body);
        assert_eq!(status, 201, "{object}");
        object
    }

    fn watching(&self, path: &str, accept: &str) -> Body {
        let request = Request::get(path).header(ACCEPT, accept).body(Bytes::new());
        let response = self.answer_at_once(&request.expect("a request"));
        assert_eq!(response.status(), 200);
        response.into_body()
    }
}

fn reason(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["reason"].as_str().unwrap_or_default())
}
