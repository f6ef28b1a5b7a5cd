//! What is counted. Every label comes from a fixed list, or is an account that the cluster names and a region of it.

use std::time::Duration;

use amity_core::image::invariants;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::catalogue::{self, Described, PREFIX};
use super::figures::Led;
use crate::aws::calls::EC2Calls;

/// Most reconciles ask nobody and take a moment; those that ask EC2 wait for it.
const RECONCILE_BUCKETS: [f64; 9] = [0.001, 0.01, 0.05, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0];

/// From an image that only gets another tag to a copy of many TiB.
const READY_BUCKETS: [f64; 12] = [
    5.0, 30.0, 60.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0,
];

/// What is counted.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Calls to EC2 and STS.
    pub ec2_calls: EC2Calls,
    /// Whoever acts in this process.
    pub led: Led,
    reconciles: Family<Outcome, Counter>,
    reconcile_duration: Histogram,
    invariants_broken: Family<Invariant, Counter>,
    kubernetes_writes: Family<Write, Counter>,
    time_to_ready: Family<Since, Histogram, fn() -> Histogram>,
    leads: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Invariant {
    invariant: u8,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Write {
    resource: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Since {
    since: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

/// Since when somebody waits for `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Since the object was created.
    SinceCreation,
    /// Since its spec was changed.
    SinceChange,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            ec2_calls: EC2Calls::default(),
            led: Led::default(),
            reconciles: Family::default(),
            reconcile_duration: Histogram::new(RECONCILE_BUCKETS),
            invariants_broken: Family::default(),
            kubernetes_writes: Family::default(),
            time_to_ready: Family::new_with_constructor(|| Histogram::new(READY_BUCKETS)),
            leads: Gauge::default(),
        };
        // The first one counts, too: what begins with 1 has never grown.
        for invariant in invariants::NUMBERS {
            drop(
                metrics
                    .invariants_broken
                    .get_or_create(&Invariant { invariant }),
            );
        }
        metrics
    }
}

impl Metrics {
    /// Counts a reconcile, how it ended and how long it took.
    pub fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.reconciles.get_or_create(&Outcome { outcome }).inc();
        self.reconcile_duration.observe(took.as_secs_f64());
    }

    /// Counts a plan that was refused because it would have broken an invariant: a bug of Amity.
    pub fn invariant_broken(&self, invariant: u8) {
        self.invariants_broken
            .get_or_create(&Invariant { invariant })
            .inc();
    }

    /// Counts a write to Kubernetes.
    pub fn wrote(&self, resource: &'static str, outcome: &'static str) {
        self.kubernetes_writes
            .get_or_create(&Write { resource, outcome })
            .inc();
    }

    /// Counts an object that somebody waited for and that is `Ready` now.
    pub fn became_ready(&self, waited: Waited, time: Duration) {
        let since = match waited {
            Waited::SinceCreation => "creation",
            Waited::SinceChange => "change",
        };
        self.time_to_ready
            .get_or_create(&Since { since })
            .observe(time.as_secs_f64());
    }

    /// From now on this process is the one of all replicas that acts, or not.
    pub fn leads(&self, leads: bool) {
        self.leads.set(i64::from(leads));
    }

    /// The registry that shows them all.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let version = Family::<Version, Gauge>::default();
        let this = Version {
            version: env!("CARGO_PKG_VERSION"),
        };
        version.get_or_create(&this).set(1);
        register(&mut registry, &catalogue::BUILD_INFO, version);
        register(&mut registry, &catalogue::LEADER, self.leads.clone());
        register(
            &mut registry,
            &catalogue::RECONCILES,
            self.reconciles.clone(),
        );
        register(
            &mut registry,
            &catalogue::RECONCILE_DURATION,
            self.reconcile_duration.clone(),
        );
        register(
            &mut registry,
            &catalogue::TIME_TO_READY,
            self.time_to_ready.clone(),
        );
        register(
            &mut registry,
            &catalogue::INVARIANTS_BROKEN,
            self.invariants_broken.clone(),
        );
        register(&mut registry, &catalogue::EFFECTS, self.ec2_calls.effects());
        register(&mut registry, &catalogue::EC2_CALLS, self.ec2_calls.calls());
        register(
            &mut registry,
            &catalogue::KUBERNETES_WRITES,
            self.kubernetes_writes.clone(),
        );
        registry.register_collector(Box::new(self.led.clone()));
        registry
    }
}

fn register(registry: &mut Registry, described: &Described, metric: impl Metric) {
    registry.register(described.name, described.help, metric);
}

#[cfg(test)]
mod tests;
