//! One object in a world where things go wrong: processes that live one after the other, crashes, lost and
//! broken answers, throttling.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amity::aws;
use amity::clock::Clock;
use amity::controller::reconcile::{Referred, reconcile};
use amity::telemetry::Metrics;
use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::Installation;
use ec2sim::{CallSummary, Fault, InProcess, World};
use futures::StreamExt;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::Notify;

use crate::chance::Chance;
use crate::cluster::{Accident, Cluster};
use crate::process::{Process, installation, invariants_broken, lock};

/// The account of every story.
pub const ACCOUNT: &str = "111122223333";

/// The object of every story.
const OBJECT: &str = "images/web";

/// How late EC2's reads may be in these stories.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// How often a place at rest is read, by the seed: the default of `--rest-interval`, or more seldom. Most of
/// what a story costs is these readings.
const REST_INTERVALS: [Duration; 4] = [
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(1),
];

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
    /// How often the operator has a place read in which nothing goes on.
    pub rest_interval: Duration,
    /// The uid of the cluster, and that of the one whose images are taken over.
    pub cluster_uid: Mutex<(String, Option<String>)>,
    /// The images that others made or made theirs, whatever tags they carry.
    pub strangers: Mutex<BTreeSet<String>>,
    /// What users did, each before the effect of a number.
    pub notes: Mutex<Vec<(usize, String)>>,
    /// What each process counted.
    counted: Mutex<Vec<Metrics>>,
    account: AwsAccount,
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
            rest_interval: *Chance::new(seed).pick(&REST_INTERVALS),
            cluster_uid: Mutex::new(("cluster-0".to_owned(), None)),
            strangers: Mutex::default(),
            notes: Mutex::default(),
            counted: Mutex::default(),
            account: serde_json::from_value(serde_json::json!({
                "apiVersion": "amity.dev/v1alpha1",
                "kind": "AwsAccount",
                "metadata": {"name": "default"},
                "spec": {
                    "accountId": ACCOUNT,
                    "grants": {
                        "capture": [{"namespaces": {"all": true}}],
                        "snapshots": [{"namespaces": {"all": true}}],
                        "sourceOwners": [{"namespaces": {"all": true}, "owners": ["self", "amazon"]}],
                    },
                },
            }))
            .expect("an AwsAccount"),
        }
    }

    pub fn set_rates(&self, rates: Rates) {
        *lock(&self.rates) = rates;
    }

    /// The user applies the object.
    pub fn apply(&self, spec: &Value) {
        self.cluster.apply(OBJECT, spec);
    }

    /// Notes among the effects what a user did, and to which spec.
    pub fn note(&self, what: &str, spec: &Value) {
        let note = format!("{} {what}: {spec}", self.clock.now());
        lock(&self.notes).push((lock(&self.effects).len(), note));
    }

    /// The user deletes it.
    pub fn delete(&self) {
        self.cluster.delete(OBJECT, self.clock.now());
    }

    /// Somebody deletes its status.
    pub fn wipe_status(&self) {
        self.cluster.wipe_status(OBJECT);
    }

    /// The cluster is lost and built anew from Git, as one with another uid.
    pub fn rebuild_cluster(&self) {
        self.cluster.rebuild(OBJECT);
        let mut uid = lock(&self.cluster_uid);
        *uid = (format!("{}+", uid.0), None);
    }

    /// The object as it is now.
    pub fn object(&self) -> Option<Arc<MachineImage>> {
        self.cluster.get(OBJECT)
    }

    /// How many plans of all processes so far would have broken an invariant.
    pub fn invariants_broken(&self) -> u64 {
        lock(&self.counted).iter().map(invariants_broken).sum()
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
        let settings = aws::Settings {
            consistency_window: WINDOW,
            rest_interval: SignedDuration::try_from(self.rest_interval).expect("a duration"),
            ..aws::Settings::default()
        };
        let accounts = std::slice::from_ref(&self.account);
        let (cluster, take_over_from) = lock(&self.cluster_uid).clone();
        let installation = Installation {
            take_over_from,
            ..installation(&cluster, settings)
        };
        let process = Process::start(
            self.http(),
            &self.cluster,
            &self.clock,
            settings,
            installation,
            accounts,
        );
        lock(&self.counted).push(process.cx.metrics.clone());
        let referred = Referred {
            unusable: None,
            account: Some(self.account.clone()),
            namespace_labels: BTreeMap::new(),
        };
        let inventory = process.cx.inventory.clone();
        let mut differences = Box::pin(inventory.differences());
        let reconciles = async {
            while !done(self) {
                let mut look_again_in = Duration::from_secs(5);
                if let Some(image) = self.object() {
                    // Boxed: the compiler gives up on a future that deep. A stale copy or a lost write is met
                    // again at the next look.
                    let outcome = Box::pin(reconcile(&image, &referred, &process.cx)).await;
                    look_again_in = outcome.unwrap_or(look_again_in);
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

    fn http(&self) -> InProcess {
        let clock = self.clock.clone();
        InProcess::new(self.world.clone(), move || clock.now())
            .with_faults(self.faults())
            .with_latency(|_| Duration::from_millis(120))
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
