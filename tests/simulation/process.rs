//! One life of the controller: the real reconcile, inventory and effects over the real SDK, until it is
//! stopped or crashes. A crash drops every task and all memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use amity::aws::budget::Budget;
use amity::aws::effect::Effects;
use amity::aws::inventory::Inventory;
use amity::aws::session::Sessions;
use amity::aws::{self};
use amity::clock::Clock;
use amity::controller::events::Events;
use amity::controller::objects::Objects;
use amity::controller::reconcile::{Context, Referred, reconcile};
use amity::telemetry::Metrics;
use amity_core::api::AwsAccount;
use amity_core::image::desired::Installation;
use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use ec2sim::{CallSummary, Fault, InProcess, World};
use futures::StreamExt;
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::chance::Chance;
use crate::cluster::{Accident, Cluster};

/// The account of every story.
pub const ACCOUNT: &str = "111122223333";

/// How late EC2's reads may be in these stories.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(2);

/// How often, in a thousand, each thing goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub crash: u64,
    pub lost: u64,
    pub throttle: u64,
    pub broken: u64,
}

/// What outlives a process: EC2, the cluster, and what is wrong with the world.
pub struct Universe {
    pub world: Arc<Mutex<World>>,
    pub cluster: Cluster,
    pub clock: Clock,
    pub chance: Chance,
    pub rates: Arc<Mutex<Rates>>,
    pub crash: Arc<Notify>,
    /// The one effect, by number, around which the process crashes: before EC2 does it, or after.
    pub crash_at: Arc<Mutex<Option<(usize, bool)>>>,
    pub effects: Arc<Mutex<Vec<String>>>,
    pub invariants_broken: Arc<Mutex<u64>>,
    account: AwsAccount,
}

#[derive(Debug)]
struct VirtualTime(Clock);

impl TimeSource for VirtualTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

impl Universe {
    pub fn new(world: World, seed: u64) -> Self {
        let chance = Chance::new(seed);
        let rates = Arc::new(Mutex::new(Rates::default()));
        let crash = Arc::new(Notify::new());
        let accidents = {
            let (chance, rates, crash) = (chance.clone(), rates.clone(), crash.clone());
            move || {
                let rate = lock(&rates).crash;
                if !chance.per_mille(rate) {
                    return Accident::None;
                }
                crash.notify_one();
                *chance.pick(&[Accident::CrashBefore, Accident::CrashAfter])
            }
        };
        Self {
            world: Arc::new(Mutex::new(world)),
            cluster: Cluster::new(accidents),
            clock: Clock::virtual_from("2026-06-01T00:00:00Z".parse().expect("a time")),
            chance,
            rates,
            crash,
            crash_at: Arc::default(),
            effects: Arc::default(),
            invariants_broken: Arc::default(),
            account: serde_json::from_value(serde_json::json!({
                "apiVersion": "amity.dev/v1alpha1",
                "kind": "AwsAccount",
                "metadata": {"name": "default"},
                "spec": {
                    "accountId": ACCOUNT,
                    "grants": {
                        "capture": [{"namespaces": {"all": true}}],
                        "sourceOwners": [{"namespaces": {"all": true}, "owners": ["self"]}],
                    },
                },
            }))
            .expect("an AwsAccount"),
        }
    }

    pub fn set_rates(&self, rates: Rates) {
        *lock(&self.rates) = rates;
    }

    /// Runs the controller, one life after the other, until `done` says so. False: it did not within `limit`.
    pub async fn run_until(&self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let story = async {
            loop {
                tokio::select! {
                    biased;
                    () = self.life(&done) => return,
                    () = self.crash.notified() => {}
                }
            }
        };
        tokio::time::timeout(limit, story).await.is_ok()
    }

    /// One life: it ends when `done`.
    async fn life(&self, done: &impl Fn(&Self) -> bool) {
        let metrics = Metrics::default();
        let settings = aws::Settings {
            consistency_window: WINDOW,
            ..aws::Settings::default()
        };
        let sessions = Arc::new(Sessions::over(
            &self.sdk_config(),
            self.clock.clone(),
            metrics.ec2_calls.clone(),
        ));
        let budget = Arc::new(Budget::new(self.clock.clone()));
        let inventory = Inventory::new(
            sessions.clone(),
            "simulation",
            self.clock.clone(),
            settings,
            budget.clone(),
        );
        inventory.set_accounts([self.account.clone()]);
        let client = self.cluster.client();
        let cx = Context {
            installation: Installation {
                owner: "simulation".to_owned(),
                cluster: "0c5f0b1e".to_owned(),
                consistency_window: WINDOW,
            },
            effects: Effects::new(sessions, inventory.clone(), budget),
            inventory: inventory.clone(),
            objects: Objects::new(client.clone(), metrics.clone()),
            events: Events::new(client),
            clock: self.clock.clone(),
            metrics: metrics.clone(),
        };
        let referred = Referred {
            unusable: None,
            account: Some(self.account.clone()),
            namespace_labels: BTreeMap::new(),
        };
        let mut differences = Box::pin(inventory.differences());
        let reconciles = async {
            while !done(self) {
                let mut look_again_in = Duration::from_secs(5);
                if let Some(image) = self.cluster.get() {
                    // Boxed: the compiler gives up on a future that deep. A stale copy or a lost write is met
                    // again at the next look.
                    let outcome = Box::pin(reconcile(&image, &referred, &cx)).await;
                    look_again_in = outcome.unwrap_or(look_again_in);
                    *lock(&self.invariants_broken) +=
                        metrics_say(&metrics, "amity_invariants_broken_total");
                }
                tokio::select! {
                    biased;
                    _ = differences.next() => {}
                    () = tokio::time::sleep(look_again_in) => {}
                }
            }
        };
        tokio::select! {
            biased;
            () = reconciles => {}
            () = Box::pin(inventory.run()) => {}
        }
    }

    fn sdk_config(&self) -> SdkConfig {
        let clock = self.clock.clone();
        let http = InProcess::new(self.world.clone(), move || clock.now())
            .with_faults(self.faults())
            .with_latency(|_| Duration::from_millis(120));
        let credentials = Credentials::from_keys("AKIAEC2SIMHOME000001", "not-checked", None);
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .sleep_impl(TokioSleep::new())
            .time_source(VirtualTime(self.clock.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::lazy().build())
            .region(Region::new("us-east-1"))
            .build()
    }

    fn faults(&self) -> impl Fn(&CallSummary) -> Fault + Send + Sync + 'static {
        let crash_at = self.crash_at.clone();
        let (chance, rates, crash, effects) = (
            self.chance.clone(),
            self.rates.clone(),
            self.crash.clone(),
            self.effects.clone(),
        );
        move |call| {
            let rates = *lock(&rates);
            let sts = matches!(call.action.as_str(), "GetCallerIdentity" | "AssumeRole");
            if !call.is_read() && !sts {
                let number = note(&effects, call);
                let chosen = lock(&crash_at)
                    .filter(|(at, _)| *at == number)
                    .map(|(_, effect)| effect);
                let by_chance = || chance.per_mille(rates.crash).then(|| chance.per_mille(500));
                if let Some(effect) = chosen.or_else(by_chance) {
                    crash.notify_one();
                    return Fault::Hang { effect };
                }
            }
            match () {
                () if chance.per_mille(rates.lost) => {
                    *chance.pick(&[Fault::LostRequest, Fault::LostAnswer])
                }
                () if chance.per_mille(rates.throttle) => Fault::Throttle,
                () if chance.per_mille(rates.broken) => *chance.pick(&[
                    Fault::InternalError { effect: true },
                    Fault::InternalError { effect: false },
                    Fault::Truncated,
                    Fault::Hang { effect: true },
                ]),
                () => Fault::None,
            }
        }
    }
}

/// Notes an effect; gives how many there were before.
fn note(effects: &Mutex<Vec<String>>, call: &CallSummary) -> usize {
    let ids = call.ids.join(" ");
    let mut effects = lock(effects);
    effects.push(format!(
        "{} {} {} {ids}",
        call.time, call.region, call.action
    ));
    effects.len() - 1
}

pub fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn metrics_say(metrics: &Metrics, name: &str) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry())
        .expect("metrics are text");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}
