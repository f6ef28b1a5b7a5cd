//! Many objects in one process, woken as `kube::runtime::Controller` wakes them: by a touch of the object, by
//! a difference in the inventory, and after the time that the last reconcile gave; each object once at a time,
//! and so many at a time as `--concurrency` has by default.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amity::aws;
use amity::clock::Clock;
use amity::controller::accounts;
use amity::controller::reconcile::{Referred, reconcile};
use amity_core::account::Claims;
use amity_core::api::AwsAccount;
use aws_smithy_runtime_api::client::http::HttpClient;
use ec2sim::{CallLog, CallRecord, InProcess, World};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::{Accident, Cluster};
use crate::oracles;
use crate::process::{Process, installation, invariants_broken, lock};

/// As many objects are reconciled at a time by default (`src/cli/run.rs`).
const CONCURRENCY: usize = 32;

/// How long each call to EC2 takes, and each write to the API server.
const LATENCY: (Duration, Duration) = (Duration::from_millis(120), Duration::from_millis(10));

/// How soon an object is looked at again after a write that the API server refused.
const AFTER_A_CONFLICT: Duration = Duration::from_millis(500);

/// How often an `AwsAccount` is looked at: one that is reached, and one that is not.
const ACCOUNTS_AGAIN: (Duration, Duration) = (Duration::from_mins(10), Duration::from_secs(15));

/// A process with many objects, and its world.
pub struct Fleet {
    cluster: Cluster,
    log: CallLog,
    accounts: Vec<AwsAccount>,
    process: Process,
    born: Instant,
    /// When each object was seen `Ready` for the first time, since the fleet was made.
    ready: Mutex<BTreeMap<String, Duration>>,
    reconciles: Mutex<u64>,
}

impl Fleet {
    /// A process that has just started over a cluster with these accounts. `on_the_way` is what stands between
    /// the process and EC2.
    pub fn new<H: HttpClient + 'static>(
        world: World,
        accounts: Vec<AwsAccount>,
        copy_slots: usize,
        on_the_way: impl FnOnce(InProcess) -> H,
    ) -> Self {
        let clock = Clock::virtual_from("2026-06-01T00:00:00Z".parse().expect("a time"));
        let cluster = Cluster::new(|| Accident::None).with_latency(LATENCY.1);
        let time = clock.clone();
        let ec2 = InProcess::new(Arc::new(Mutex::new(world)), move || time.now())
            .with_latency(|_| LATENCY.0);
        let log = ec2.log().clone();
        let settings = aws::Settings {
            copy_slots,
            ..aws::Settings::default()
        };
        let installation = installation("0c5f0b1e", settings);
        let http = on_the_way(ec2);
        let process = Process::start(http, &cluster, &clock, settings, installation, &accounts);
        for account in &accounts {
            cluster.apply_account(account);
        }
        Self {
            cluster,
            log,
            accounts,
            process,
            born: Instant::now(),
            ready: Mutex::default(),
            reconciles: Mutex::default(),
        }
    }

    /// Applies an object. `key` is `namespace/name`.
    pub fn apply(&self, key: &str, spec: &Value) {
        self.cluster.apply(key, spec);
    }

    /// Lets the process live while a story is told.
    pub async fn live<T>(&self, story: impl Future<Output = T>) -> T {
        let inventory = Arc::clone(&self.process.cx.inventory);
        let accounts = self
            .accounts
            .iter()
            .map(|account| self.keep_account(account.name()));
        tokio::select! {
            biased;
            told = story => told,
            () = self.reconcile_images() => panic!("the controller ended"),
            _ = futures::future::join_all(accounts) => panic!("an account is no longer kept"),
            () = Box::pin(inventory.run()) => panic!("the inventory ended"),
        }
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
            let status = self.cluster.get(key).and_then(|image| image.status.clone());
            format!("{key}: {}", oracles::explain(status))
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

    pub fn status_writes(&self) -> u64 {
        self.cluster.status_writes()
    }

    pub fn reconciles(&self) -> u64 {
        *lock(&self.reconciles)
    }

    pub fn invariants_broken(&self) -> u64 {
        invariants_broken(&self.process.cx.metrics)
    }

    async fn reconcile_images(&self) {
        let mut queue = Queue::default();
        let mut running = FuturesUnordered::new();
        let mut differences = Box::pin(self.process.cx.inventory.differences());
        loop {
            while running.len() < CONCURRENCY
                && let Some(key) = queue.take(Instant::now())
            {
                running.push(self.reconcile_image(key));
            }
            let is_full = running.len() >= CONCURRENCY;
            let due = queue.next().filter(|_| !is_full);
            tokio::select! {
                biased;
                Some((key, again_in)) = running.next() => {
                    queue.ended(&key);
                    if let Some(again_in) = again_in {
                        queue.put(key, Instant::now() + again_in);
                    }
                }
                Some(key) = differences.next() => queue.put(key, Instant::now()),
                key = self.cluster.touched() => queue.put(key, Instant::now()),
                () = sleep_until(due) => {}
            }
        }
    }

    /// Gives when to look again, unless the object is gone.
    async fn reconcile_image(&self, key: String) -> (String, Option<Duration>) {
        let Some(image) = self.cluster.get(&key) else {
            self.process.cx.inventory.forget(&key);
            self.process.cx.objects.forget(&key);
            return (key, None);
        };
        let account = self
            .accounts
            .iter()
            .find(|account| account.name() == image.spec.account_name);
        let referred = Referred {
            account: account.cloned(),
            ..Referred::default()
        };
        *lock(&self.reconciles) += 1;
        let outcome = Box::pin(reconcile(&image, &referred, &self.process.cx)).await;
        if self
            .cluster
            .get(&key)
            .is_some_and(|image| oracles::says_ready(&image))
        {
            lock(&self.ready)
                .entry(key.clone())
                .or_insert_with(|| self.born.elapsed());
        }
        (key, Some(outcome.unwrap_or(AFTER_A_CONFLICT)))
    }

    /// Looks at one `AwsAccount` now and then.
    async fn keep_account(&self, name: &str) {
        let cx = &self.process.cx;
        loop {
            let account = self.cluster.account(name).expect("an account");
            let sessions = &self.process.sessions;
            let claims = Claims::default();
            let looked = accounts::reconcile(&account, &self.accounts, sessions, &claims, cx);
            let _ = Box::pin(looked).await;
            let is_ready = self.cluster.account(name).is_some_and(|account| {
                let status = account.status.unwrap_or_default();
                status.conditions.iter().any(|one| one.status == "True")
            });
            let again_in = if is_ready {
                ACCOUNTS_AGAIN.0
            } else {
                ACCOUNTS_AGAIN.1
            };
            tokio::time::sleep(again_in).await;
        }
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Who is looked at when: each object once, at the earliest of the times that were asked for.
#[derive(Debug, Default)]
struct Queue {
    due: BTreeMap<String, (Instant, u64)>,
    order: BTreeMap<(Instant, u64), String>,
    /// Those that are being looked at, and when again.
    running: BTreeMap<String, Option<Instant>>,
    puts: u64,
}

impl Queue {
    fn put(&mut self, key: String, time: Instant) {
        if let Some(again) = self.running.get_mut(&key) {
            *again = Some(again.map_or(time, |other| other.min(time)));
            return;
        }
        if let Some(before) = self.due.get(&key) {
            if before.0 <= time {
                return;
            }
            self.order.remove(before);
        }
        self.puts += 1;
        self.due.insert(key.clone(), (time, self.puts));
        self.order.insert((time, self.puts), key);
    }

    fn take(&mut self, now: Instant) -> Option<String> {
        let first = self.order.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let key = first.remove();
        self.due.remove(&key);
        self.running.insert(key.clone(), None);
        Some(key)
    }

    fn next(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((time, _), _)| *time)
    }

    fn ended(&mut self, key: &str) {
        if let Some(Some(again)) = self.running.remove(key) {
            self.put(key.to_owned(), again);
        }
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
