//! As much of a Kubernetes API as the controller writes to: `MachineImage`s and `AwsAccount`s, with resource
//! versions as preconditions, a status subresource, finalizers, and events that are taken and dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use amity_core::api::{AwsAccount, MachineImage};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::process::lock;

/// Before the names of all that is ours.
const API: &str = "/apis/amity.dev/v1alpha1/";

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
    stored: Arc<Mutex<Store>>,
    /// Woken when an object was touched.
    touched: Arc<Notify>,
    accidents: Accidents,
    latency: Duration,
}

/// The objects by path, as in `namespaces/images/machineimages/web`.
#[derive(Debug, Default)]
struct Store {
    objects: BTreeMap<String, Object>,
    version: u64,
    status_writes: u64,
    touched: BTreeSet<String>,
}

#[derive(Debug)]
struct Object {
    value: Value,
    /// The same in our own words, once somebody asked.
    image: Option<Arc<MachineImage>>,
}

impl Store {
    /// Gives an object that was changed its next version; without its last finalizer it goes, if it is being
    /// deleted.
    fn touch(&mut self, path: &str) {
        self.version += 1;
        let version = self.version.to_string();
        if let Some(object) = self.objects.get_mut(path) {
            object.image = None;
            object.value["metadata"]["resourceVersion"] = json!(version);
            if is_over(&object.value) {
                self.objects.remove(path);
            }
        }
        self.touched.extend(key_of(path));
    }
}

impl Cluster {
    /// `accidents` is asked before every write.
    pub fn new(accidents: impl Fn() -> Accident + Send + Sync + 'static) -> Self {
        Self {
            stored: Arc::default(),
            touched: Arc::default(),
            accidents: Arc::new(accidents),
            latency: Duration::ZERO,
        }
    }

    /// The same cluster where each write takes a while.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// What the user applies: the spec is replaced, everything else stays. `key` is `namespace/name`.
    pub fn apply(&self, key: &str, spec: &Value) {
        let (namespace, name) = key.split_once('/').expect("namespace/name");
        let uid = format!("uid-{}-of-{namespace}-{name}", self.stored().version);
        let metadata = json!({"namespace": namespace, "name": name, "uid": uid});
        self.put(&path_of(key), "MachineImage", metadata, spec);
    }

    /// The same for an account.
    pub fn apply_account(&self, account: &AwsAccount) {
        let spec = serde_json::to_value(&account.spec).expect("a spec");
        let metadata = json!({"name": account.name(), "uid": format!("uid-of-{}", account.name())});
        self.put(
            &format!("awsaccounts/{}", account.name()),
            "AwsAccount",
            metadata,
            &spec,
        );
    }

    fn put(&self, path: &str, kind: &str, mut metadata: Value, spec: &Value) {
        let mut stored = self.stored();
        if let Some(object) = stored.objects.get_mut(path) {
            let generation = &mut object.value["metadata"]["generation"];
            *generation = json!(generation.as_i64().unwrap_or_default() + 1);
            object.value["spec"] = spec.clone();
        } else {
            metadata["generation"] = json!(1);
            let value = json!({"apiVersion": "amity.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
            stored
                .objects
                .insert(path.to_owned(), Object { value, image: None });
        }
        stored.touch(path);
        self.touched.notify_one();
    }

    /// The user deletes the object.
    pub fn delete(&self, key: &str, now: Timestamp) {
        let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.change(key, |object| {
            object["metadata"]["deletionTimestamp"] = json!(now);
        });
    }

    /// Somebody deletes the status.
    pub fn wipe_status(&self, key: &str) {
        self.change(key, |object| {
            if let Some(object) = object.as_object_mut() {
                object.remove("status");
            }
        });
    }

    /// The cluster is built anew from Git: of the object, only what the user wrote is left.
    pub fn rebuild(&self, key: &str) {
        let spec = {
            let mut stored = self.stored();
            let object = stored.objects.remove(&path_of(key));
            object.map(|object| object.value["spec"].clone())
        };
        if let Some(spec) = spec {
            self.apply(key, &spec);
        }
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let path = path_of(key);
        let mut stored = self.stored();
        if let Some(object) = stored.objects.get_mut(&path) {
            change(&mut object.value);
            stored.touch(&path);
            self.touched.notify_one();
        }
    }

    /// An object as it is now.
    pub fn get(&self, key: &str) -> Option<Arc<MachineImage>> {
        let mut stored = self.stored();
        let object = stored.objects.get_mut(&path_of(key))?;
        let image = object
            .image
            .get_or_insert_with(|| Arc::new(typed(&object.value)));
        Some(Arc::clone(image))
    }

    /// An account as it is now.
    pub fn account(&self, name: &str) -> Option<AwsAccount> {
        let stored = self.stored();
        let object = stored.objects.get(&format!("awsaccounts/{name}"))?;
        Some(typed(&object.value))
    }

    /// How often a status was written.
    pub fn status_writes(&self) -> u64 {
        self.stored().status_writes
    }

    /// Waits until an object is touched by anybody, and gives its key: what a watch tells.
    pub async fn touched(&self) -> String {
        loop {
            let first = self.stored().touched.pop_first();
            match first {
                Some(key) => return key,
                None => self.touched.notified().await,
            }
        }
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
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
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
        let Some(path) = path.strip_prefix(API) else {
            return Ok(body); // an event
        };
        let (path, is_status) = match path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let mut stored = self.stored();
        let Some(object) = stored.objects.get_mut(path).map(|object| &mut object.value) else {
            return Err((StatusCode::NOT_FOUND, "NotFound"));
        };
        for key in ["resourceVersion", "uid"] {
            if object["metadata"][key] != body["metadata"][key] {
                return Err((StatusCode::CONFLICT, "Conflict"));
            }
        }
        match (method.as_str(), is_status) {
            ("PUT", true) => object["status"] = body["status"].clone(),
            ("PATCH", false) => merge(object, &body),
            _ => return Err((StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")),
        }
        let mut answer = object.clone();
        stored.status_writes += u64::from(is_status);
        stored.touch(path);
        answer["metadata"]["resourceVersion"] = json!(stored.version.to_string());
        self.touched.notify_one();
        Ok(answer)
    }

    fn stored(&self) -> MutexGuard<'_, Store> {
        lock(&self.stored)
    }
}

fn path_of(key: &str) -> String {
    let (namespace, name) = key.split_once('/').expect("namespace/name");
    format!("namespaces/{namespace}/machineimages/{name}")
}

/// `namespace/name`, if it is an image that is there.
fn key_of(path: &str) -> Option<String> {
    let (namespace, name) = path
        .strip_prefix("namespaces/")?
        .split_once("/machineimages/")?;
    Some(format!("{namespace}/{name}"))
}

fn typed<T: serde::de::DeserializeOwned>(object: &Value) -> T {
    T::deserialize(object).expect("an object of its kind")
}

/// An object that is being deleted goes with its last finalizer.
fn is_over(object: &Value) -> bool {
    let metadata = &object["metadata"];
    metadata.get("deletionTimestamp").is_some()
        && metadata["finalizers"].as_array().is_none_or(Vec::is_empty)
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
