//! The Kubernetes API in memory, as far as a controller uses it.
//!
//! [`Kubernetes`] is a cluster without nodes and without an etcd, behind the same HTTP API as a real one: kube's
//! client, its watchers and its controllers run on it unchanged, also while tokio's clock is paused. The same
//! requests at the same times give the same answers, byte for byte: the clock is handed in, uids are counted, and
//! nothing is left to chance.
//!
//! ```
//! # async fn example(definition: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition) {
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kubesim::Kubernetes;
//!
//! let kubernetes = Kubernetes::new(1, jiff::Timestamp::now);
//! kubernetes.define(definition);
//! let client = kubernetes.client(); // for the controller
//! let config = serde_json::json!({
//!     "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "default"},
//! });
//! kubernetes.apply(&config).unwrap(); // as a user
//! let there: Option<ConfigMap> = kubernetes.get(Some("default"), "web");
//! # }
//! ```
//!
//! Whoever wants requests to fail, to wait or to be noted puts a [tower] service of his own around it:
//! [`Summary::of`] says what a request asks for, [`Kubernetes::answer`] answers it.
//!
//! # What is like the real server
//!
//! The conversation in `tests/cluster/conversation.rs` is held with both, and both must answer alike. Where this crate
//! differs from a real API server in what is listed here, it is wrong.
//!
//! - Reading: get, list (order, `limit` and `continue` as of one version, `resourceVersionMatch`), all of them also as
//!   `PartialObjectMetadata`; selection by labels (`=`, `!=`, being there), `metadata.name` and `metadata.namespace`.
//! - Watching: from a resource version, from the beginning, or after `sendInitialEvents`; bookmarks; `timeoutSeconds`;
//!   410 for what is forgotten.
//! - Writing: POST, PUT, JSON Merge Patch and server-side apply, of the object and of its status; resource version and
//!   uid as preconditions; generations; defaults and lists by key as in a definition's schema; no new version where
//!   nothing changes.
//! - Field managers: who owns which field, conflicts, `force`, and what goes when it is no longer applied.
//! - Deletion: finalizers, preconditions, whole collections; namespaces with everything in them.
//! - Refusals: status, reason and details; mostly the words.
//!
//! # What is not there
//!
//! - Validation: schemas, CEL, pruning of unknown fields, limits of sizes, and what built-in kinds check. What the real
//!   server refuses as invalid is stored here.
//! - What the server makes of objects of built-in kinds: an empty `data` stays, events lack their `deprecated…` fields,
//!   items of a list have a kind each.
//! - `metadata.managedFields` are kept, and not shown; those that a PUT brings are ignored.
//! - Authentication, authorisation, admission, discovery (`/api`, `/apis`, `/version`), dry runs, `generateName`,
//!   JSON Patch and strategic merge patches, YAML, tables, protobuf, conversion between versions.
//! - Controllers: an object whose owner is gone stays, propagation policies mean nothing, events do not expire. A
//!   namespace is emptied in the request that deletes it, rather than moments later, and gets no conditions.
//! - Resources other than namespaces, config maps, leases, `events.k8s.io` events and custom resources.
//!
//! A parameter, a patch or a selector that is not known is refused, and never ignored.

#![forbid(unsafe_code)]

mod answer;
mod apply;
mod checks;
mod delete;
mod fields;
mod hands;
mod kubernetes;
mod list;
mod managers;
mod namespaces;
mod object;
mod patch;
mod query;
mod refusal;
mod request;
mod resources;
mod selection;
mod shape;
mod state;
#[cfg(test)]
mod tests;
mod watch;
mod write;

pub use kubernetes::Kubernetes;
pub use refusal::Refusal;
pub use request::{Summary, Verb};
pub use state::Snapshot;
pub use watch::Body;
