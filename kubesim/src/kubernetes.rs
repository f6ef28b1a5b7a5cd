//! The handle: a request in, an answer out.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response};
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use serde_json::json;
use tower::Service;

use crate::answer::Answer;
use crate::managers::Manager;
use crate::namespaces;
use crate::resources::Resource;
use crate::state::State;
use crate::watch::Body;

/// A Kubernetes API in memory. All clones are the same one.
#[derive(Clone)]
pub struct Kubernetes(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Kubernetes {
    /// A new cluster with its namespaces and nothing in them. Uids begin with the seed: two clusters of different
    /// seeds share none. `clock` is asked for each timestamp that the server writes.
    pub fn new(seed: u64, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let kubernetes = Self(Arc::new(Inner {
            state: Mutex::new(State::new(seed)),
            clock: Box::new(clock),
        }));
        let now = kubernetes.now();
        let manager = Manager {
            name: "kube-apiserver".to_owned(),
            applies: false,
            status: false,
        };
        for name in namespaces::FROM_THE_BEGINNING {
            let namespace =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let created = kubernetes
                .state()
                .create(namespaces::AT, None, namespace, &manager, now);
            created.expect("a new cluster has no namespace yet");
        }
        kubernetes
    }

    /// Serves a custom resource from now on; or otherwise than before, with the objects that are there.
    pub fn define(&self, definition: &CustomResourceDefinition) {
        let mut state = self.state();
        for resource in Resource::of_definition(definition) {
            state.serve(resource);
        }
    }

    /// A client of this cluster, without retries and in the namespace `default`.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as any of kube's clients.
    pub fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    /// Answers a request: what [`client`](Self::client) calls, for those who put something of their own in
    /// between. All is done when this returns, but for the stream of a watch.
    pub async fn answer(&self, request: Request<kube::client::Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match body.collect_bytes().await {
            Ok(body) => self.answer_at_once(&Request::from_parts(parts, body)),
            Err(error) => Answer::bad_request(&error).into_response(self),
        }
    }

    /// The same where the body is there already.
    pub(crate) fn answer_at_once(&self, request: &Request<bytes::Bytes>) -> Response<Body> {
        let now = self.now();
        let answer = self.state().answer(request, now);
        answer.into_response(self)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A test that panics elsewhere says more than the poison.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// The version up to which watches were told everything.
    pub(crate) fn told(&self) -> u64 {
        self.state().told()
    }
}

impl Service<Request<kube::client::Body>> for Kubernetes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let kubernetes = self.clone();
        Box::pin(async move { Ok(kubernetes.answer(request).await) })
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.state().version;
        f.debug_struct("Kubernetes")
            .field("version", &version)
            .finish_non_exhaustive()
    }
}
