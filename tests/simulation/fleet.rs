//! Many objects: one replica of the controller as it is, an in-memory cluster, and ec2sim.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amity::aws;
use amity::aws::session::Sessions;
use amity::clock::Clock;
use amity::controller::{self, Settings, lease};
use amity::telemetry::{Metrics, Readiness};
use amity_core::api::{AwsAccount, MachineImage};
use aws_smithy_runtime_api::client::http::HttpClient;
use ec2sim::{CallLog, CallRecord, InProcess, World};
use futures::TryStreamExt;
use http::Request;
use kube::client::Body;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use kubesim::Kubernetes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::oracles;
use crate::process::{invariants_broken, lock, sdk_config};
use crate::rights;
use crate::universe::cluster;

/// How long each call to EC2 takes, and each request to the API server.
const LATENCY: (Duration, Duration) = (Duration::from_millis(120), Duration::from_millis(10));

/// A process with many objects, and its world.
pub struct Fleet {
    pub world: Arc<Mutex<World>>,
    kubernetes: Kubernetes,
    clock: Clock,
    sessions: Arc<Sessions>,
    settings: Settings,
    metrics: Metrics,
    log: CallLog,
    born: Instant,
    /// When each object was seen `Ready` for the first time, since the fleet was made.
    ready: Mutex<BTreeMap<String, Duration>>,
}

impl Fleet {
    /// A cluster with these accounts, and a process that is about to start. `on_the_way` is what stands between
    /// the process and EC2.
    pub fn new<H: HttpClient + 'static>(
        world: World,
        accounts: &[AwsAccount],
        copy_slots: usize,
        on_the_way: impl FnOnce(InProcess) -> H,
    ) -> Self {
        Self::beginning(
            "2026-06-01T00:00:00Z",
            world,
            accounts,
            copy_slots,
            on_the_way,
        )
    }

    /// The same at another time.
    pub fn beginning<H: HttpClient + 'static>(
        time: &str,
        world: World,
        accounts: &[AwsAccount],
        copy_slots: usize,
        on_the_way: impl FnOnce(InProcess) -> H,
    ) -> Self {
        let clock = Clock::virtual_from(time.parse().expect("a time"));
        let world = Arc::new(Mutex::new(rights::restricted(world)));
        let kubernetes = cluster(&clock, 1);
        for account in accounts {
            kubernetes.apply(account).expect("an account");
        }
        let time = clock.clone();
        let ec2 = InProcess::new(world.clone(), move || time.now()).with_latency(|_| LATENCY.0);
        let log = ec2.log().clone();
        let metrics = Metrics::default();
        let sessions = Sessions::over(
            &sdk_config(on_the_way(ec2), &clock),
            clock.clone(),
            metrics.ec2_calls.clone(),
        );
        let settings = Settings {
            owner: rights::OWNER.to_owned(),
            take_over_from: None,
            price_per_gib_month: None,
            // The default of `--concurrency`.
            concurrency: 32,
            listen: ([127, 0, 0, 1], 0).into(),
            lease: lease::Settings {
                namespace: "amity-system".to_owned(),
                holder: "replica".to_owned(),
                duration: Duration::from_mins(1),
            },
            aws: aws::Settings {
                copy_slots,
                ..aws::Settings::default()
            },
        };
        Self {
            world,
            kubernetes,
            clock,
            sessions: Arc::new(sessions),
            settings,
            metrics,
            log,
            born: Instant::now(),
            ready: Mutex::default(),
        }
    }

    /// Applies an object. `key` is `namespace/name`.
    pub fn apply(&self, key: &str, spec: &Value) {
        let (namespace, name) = key.split_once('/').expect("namespace/name");
        let there =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let object = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"namespace": namespace, "name": name},
            "spec": spec,
        });
        for manifest in [there, object] {
            self.kubernetes.apply(&manifest).expect("an object");
        }
    }

    /// Lets the process live while a story is told.
    pub async fn live<T>(&self, story: impl Future<Output = T>) -> T {
        let controlled = controller::control(
            self.client(),
            self.settings.clone(),
            self.sessions.clone(),
            self.clock.clone(),
            self.metrics.clone(),
            Readiness::default(),
            std::future::pending(),
        );
        let told = tokio::select! {
            biased;
            told = story => told,
            ended = Box::pin(controlled) => panic!("the controller ended: {ended:?}"),
            () = self.note_ready() => panic!("the watch ended"),
        };
        let denials = rights::denials(&lock(&self.world));
        assert!(denials.is_empty(), "denied: {denials:?}");
        told
    }

    /// Notes when each object is `Ready` for the first time, as a watch tells it.
    async fn note_ready(&self) {
        let images = Api::<MachineImage>::all(self.kubernetes.client());
        let changes = watcher(images, watcher::Config::default()).applied_objects();
        let noted = changes.try_for_each(async |image| {
            if oracles::says_ready(&image) {
                let key = format!("{}/{}", image.namespace(), image.name_any());
                lock(&self.ready)
                    .entry(key)
                    .or_insert_with(|| self.born.elapsed());
            }
            Ok(())
        });
        noted.await.expect("a watch");
    }

    /// The cluster as the process reaches it.
    fn client(&self) -> Client {
        let kubernetes = self.kubernetes.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let kubernetes = kubernetes.clone();
            async move {
                tokio::time::sleep(LATENCY.1).await;
                Ok::<_, std::convert::Infallible>(kubernetes.answer(request).await)
            }
        });
        Client::new(service, "default")
    }

    /// Waits until all of these are `Ready`, and gives when each was. An error names those that are not.
    pub async fn until_ready(
        &self,
        keys: &BTreeSet<String>,
        limit: Duration,
    ) -> Result<Vec<Duration>, String> {
        let deadline = Instant::now() + limit;
        loop {
            let seen = self.seen_ready(keys);
            if seen.len() == keys.len() {
                return Ok(seen);
            }
            if Instant::now() >= deadline {
                return Err(self.explain_not_ready(keys));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The cluster.
    pub fn kubernetes(&self) -> &Kubernetes {
        &self.kubernetes
    }

    /// How long ago it was made.
    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// When each of these was `Ready` for the first time, as far as they were.
    pub fn seen_ready(&self, keys: &BTreeSet<String>) -> Vec<Duration> {
        let ready = lock(&self.ready);
        keys.iter()
            .filter_map(|key| ready.get(key).copied())
            .collect()
    }

    fn explain_not_ready(&self, keys: &BTreeSet<String>) -> String {
        let ready = lock(&self.ready);
        let waiting: Vec<_> = keys
            .iter()
            .filter(|key| !ready.contains_key(*key))
            .collect();
        let first = waiting.first().map(|key| {
            let (namespace, name) = key.split_once('/').expect("namespace/name");
            let image = self.kubernetes.get::<MachineImage>(Some(namespace), name);
            format!(
                "{key}: {}",
                oracles::explain(image.and_then(|image| image.status))
            )
        });
        format!(
            "{} of {} are not Ready; the first is {}",
            waiting.len(),
            keys.len(),
            first.unwrap_or_default()
        )
    }

    /// Every call that reached EC2, from the `from`th on.
    pub fn calls(&self, from: usize) -> Vec<CallRecord> {
        let mut calls = self.log.records();
        calls.drain(..from.min(calls.len()));
        calls
    }

    /// How often a status was written.
    pub fn status_writes(&self) -> u64 {
        let writes = self.kubernetes.writes();
        let statuses = writes.iter().filter(|(what, _)| what.ends_with("/status"));
        statuses.map(|(_, count)| count).sum()
    }

    pub fn invariants_broken(&self) -> u64 {
        invariants_broken(&self.metrics)
    }
}

/// An `AwsAccount` in which every namespace may do everything that needs a grant.
pub fn account(name: &str, id: &str, role: bool, regions: &[&str]) -> AwsAccount {
    let mut spec = json!({
        "accountId": id,
        "regions": regions,
        "grants": {
            "capture": [{"namespaces": {"all": true}}],
            "sourceOwners": [{"namespaces": {"all": true}, "owners": ["self"]}],
        },
    });
    if role {
        spec["assumeRole"] = json!({"roleArn": format!("arn:aws:iam::{id}:role/amity")});
    }
    serde_json::from_value(json!({
        "apiVersion": "amity.dev/v1alpha1",
        "kind": "AwsAccount",
        "metadata": {"name": name},
        "spec": spec,
    }))
    .expect("an AwsAccount")
}
