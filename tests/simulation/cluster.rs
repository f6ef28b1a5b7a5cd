//! As much of a Kubernetes API as one reconcile writes to: one `MachineImage`, with resource versions as
//! preconditions, a status subresource, finalizers, and events that are taken and dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amity_core::api::MachineImage;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// What happens to the process around a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    None,
    CrashBefore,
    CrashAfter,
}

type Accidents = Arc<dyn Fn() -> Accident + Send + Sync>;

/// The cluster.
#[derive(Clone)]
pub struct Cluster {
    object: Arc<Mutex<Stored>>,
    accidents: Accidents,
}

#[derive(Debug, Default)]
struct Stored {
    object: Option<Value>,
    version: u64,
    status_writes: u64,
}

impl Stored {
    fn bump(&mut self) {
        self.version += 1;
        let version = self.version.to_string();
        if let Some(object) = &mut self.object {
            object["metadata"]["resourceVersion"] = json!(version);
        }
    }
}

impl Cluster {
    /// `accidents` is asked before every write.
    pub fn new(accidents: impl Fn() -> Accident + Send + Sync + 'static) -> Self {
        Self {
            object: Arc::default(),
            accidents: Arc::new(accidents),
        }
    }

    /// What the user applies: the spec is replaced, everything else stays.
    pub fn apply(&self, spec: &Value) {
        let mut stored = self.stored();
        match &mut stored.object {
            Some(object) => {
                object["spec"] = spec.clone();
                let generation = object["metadata"]["generation"]
                    .as_i64()
                    .unwrap_or_default();
                object["metadata"]["generation"] = json!(generation + 1);
            }
            None => {
                stored.object = Some(json!({
                    "apiVersion": "amity.dev/v1alpha1",
                    "kind": "MachineImage",
                    "metadata": {"namespace": "images", "name": "web", "uid": "5e7c0f6a", "generation": 1},
                    "spec": spec,
                }));
            }
        }
        stored.bump();
    }

    /// The user deletes the object.
    pub fn delete(&self, now: Timestamp) {
        let mut stored = self.stored();
        let Some(object) = &mut stored.object else {
            return;
        };
        object["metadata"]["deletionTimestamp"] =
            json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        stored.bump();
        collect(&mut stored);
    }

    /// Somebody deletes the status.
    pub fn wipe_status(&self) {
        let mut stored = self.stored();
        if let Some(object) = stored.object.as_mut().and_then(Value::as_object_mut) {
            object.remove("status");
        }
        stored.bump();
    }

    pub fn get(&self) -> Option<MachineImage> {
        let stored = self.stored();
        stored
            .object
            .clone()
            .map(|object| serde_json::from_value(object).expect("a MachineImage"))
    }

    pub fn status_writes(&self) -> u64 {
        self.stored().status_writes
    }

    /// A client of this cluster.
    pub fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { Ok::<_, std::convert::Infallible>(cluster.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Full<bytes::Bytes>> {
        let accident = (self.accidents)();
        if accident == Accident::CrashBefore {
            std::future::pending::<()>().await;
        }
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let answer = self.write(&parts.method, parts.uri.path(), body);
        if accident == Accident::CrashAfter {
            std::future::pending::<()>().await;
        }
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err((status, reason)) => (
                status,
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": status.as_u16()}),
            ),
        };
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        response
    }

    fn write(
        &self,
        method: &Method,
        path: &str,
        body: Value,
    ) -> Result<Value, (StatusCode, &'static str)> {
        if path.contains("/events") {
            return Ok(body);
        }
        let mut stored = self.stored();
        let Some(object) = &mut stored.object else {
            return Err((StatusCode::NOT_FOUND, "NotFound"));
        };
        for key in ["resourceVersion", "uid"] {
            if object["metadata"][key] != body["metadata"][key] {
                return Err((StatusCode::CONFLICT, "Conflict"));
            }
        }
        match (method.as_str(), path.ends_with("/status")) {
            ("PUT", true) => {
                object["status"] = body["status"].clone();
                stored.status_writes += 1;
            }
            ("PATCH", false) => merge(object, &body),
            _ => return Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
        }
        stored.bump();
        let answer = stored.object.clone().unwrap_or_default();
        collect(&mut stored);
        Ok(answer)
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object that is being deleted goes with its last finalizer.
fn collect(stored: &mut Stored) {
    let gone = stored.object.as_ref().is_some_and(|object| {
        object["metadata"].get("deletionTimestamp").is_some()
            && object["metadata"]["finalizers"]
                .as_array()
                .is_none_or(Vec::is_empty)
    });
    if gone {
        stored.object = None;
    }
}

/// JSON Merge Patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().expect("an object").remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}
