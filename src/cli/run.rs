//! `amity run`: the controller as a process.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Duration;

use amity_core::image::money::Price;
use axum::http::Uri;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use super::Error;
use crate::aws;
use crate::controller::{self, Settings, lease};
use crate::telemetry::traces::Traces;
use crate::telemetry::{self, LogFormat};

/// The shortest lease.
const SHORTEST_LEASE: Duration = Duration::from_secs(4);

/// The flags of `amity run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Who owns the images that this installation makes: the value of the tag amity.dev/owner. Choose it
    /// once, and a different one for each installation.
    #[arg(long, env = "AMITY_OWNER_ID", value_name = "NAME", value_parser = owner_id)]
    owner_id: String,

    /// The uid of namespace kube-system of the cluster that was rebuilt as this one: its images are taken over.
    /// Needed once, when the cluster is rebuilt and the owner id kept.
    #[arg(long, env = "AMITY_TAKE_OVER_FROM", value_name = "UID", value_parser = uid)]
    take_over_from: Option<String>,

    /// How long EC2's reads may lag behind its writes, such as 10m.
    #[arg(long, env = "AMITY_CONSISTENCY_WINDOW", default_value = "10m", value_name = "TIME", value_parser = duration)]
    consistency_window: SignedDuration,

    /// How often a region is read in which nothing goes on, such as 5m.
    #[arg(long, env = "AMITY_REST_INTERVAL", default_value = "5m", value_name = "TIME", value_parser = duration)]
    rest_interval: SignedDuration,

    /// How many snapshots are copied into a region of an account at a time. EC2 allows 20: take fewer where
    /// others copy into the same regions.
    #[arg(
        long,
        env = "AMITY_COPY_SLOTS",
        default_value_t = 20,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    copy_slots: u16,

    /// What this replica is called in the Lease and in logs, such as the name of its pod.
    #[arg(
        long,
        env = "AMITY_REPLICA",
        default_value = "amity",
        value_name = "NAME"
    )]
    replica: String,

    /// The namespace of the Lease amity, by which one of several replicas is chosen to act.
    #[arg(
        long,
        env = "AMITY_LEASE_NAMESPACE",
        default_value = "amity-system",
        value_name = "NAMESPACE"
    )]
    lease_namespace: String,

    /// How long another replica waits for one that fell silent, such as 60s. What changes EC2 must be answered
    /// within half of it, and within a minute.
    #[arg(long, env = "AMITY_LEASE_DURATION", default_value = "60s", value_name = "TIME", value_parser = lease_duration)]
    lease_duration: Duration,

    /// How many objects are reconciled at a time.
    // Most of them wait for an answer, and a region that falls silent keeps them waiting for a minute.
    #[arg(
        long,
        env = "AMITY_CONCURRENCY",
        default_value_t = 32,
        value_name = "NUMBER"
    )]
    concurrency: u16,

    /// What a stored GiB costs in a month, such as 0.05, for status.costPerMonth.
    #[arg(long, env = "AMITY_PRICE_PER_GIB_MONTH", value_name = "PRICE")]
    price_per_gib_month: Option<Price>,

    /// Where /healthz, /readyz, /metrics and /debug/plan/NAMESPACE/NAME are served.
    #[arg(
        long,
        env = "AMITY_LISTEN",
        default_value = "0.0.0.0:8080",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,

    /// Where traces are sent to by OTLP over HTTP, mostly port 4318 of a collector; none are made if you say nothing.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", value_parser = url)]
    otlp_endpoint: Option<Uri>,

    /// How logs are written.
    #[arg(long, env = "AMITY_LOG_FORMAT", value_enum, default_value_t = Format::Text)]
    log_format: Format,

    /// Which logs are written, such as info or amity=debug.
    #[arg(long, env = "AMITY_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Run {
    /// Runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// The cluster or the address to listen on cannot be had.
    pub fn run(self) -> Result<(), Error> {
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        let runtime = super::runtime()?;
        let traces = self.otlp_endpoint.as_ref();
        let traces = traces.map(|endpoint| Traces::to(endpoint, runtime.handle().clone()));
        let traces = traces.transpose()?;
        telemetry::init(&self.log, format, traces.as_ref())?;
        let settings = Settings {
            owner: self.owner_id,
            take_over_from: self.take_over_from,
            price_per_gib_month: self.price_per_gib_month,
            concurrency: self.concurrency,
            listen: self.listen,
            lease: lease::Settings {
                namespace: self.lease_namespace,
                holder: holder(&self.replica),
                duration: self.lease_duration,
            },
            aws: aws::Settings {
                consistency_window: self.consistency_window,
                rest_interval: self.rest_interval,
                copy_slots: self.copy_slots.into(),
                ..aws::Settings::default()
            },
        };
        let ended = runtime.block_on(controller::run(settings));
        if let Some(traces) = traces {
            traces.end();
        }
        ended
    }
}

/// An owner id is a tag's value that people read: short, and without anything that needs quoting.
pub(super) fn owner_id(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=63).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("write 1 to 63 letters, digits, '-', '_' or '.', such as platform-prod".to_owned())
    }
}

/// A URL with a scheme and a host.
fn url(text: &str) -> Result<Uri, String> {
    let parsed = text.parse::<Uri>().ok();
    let whole = parsed
        .filter(|url| url.host().is_some() && matches!(url.scheme_str(), Some("http" | "https")));
    whole.ok_or_else(|| "write a URL such as http://collector:4318".to_owned())
}

/// What Kubernetes gives out as a uid.
pub(super) fn uid(text: &str) -> Result<String, String> {
    let is_uid = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_uid.then(|| text.to_owned()).ok_or_else(|| {
        "write the uid that kubectl get namespace kube-system -o jsonpath={.metadata.uid} printed in the old \
         cluster, or that the MachineImage's message names"
            .to_owned()
    })
}

pub(super) fn duration(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(duration) if duration >= SignedDuration::from_secs(1) => Ok(duration),
        _ => Err("write a time of at least a second, such as 10m or 90s".to_owned()),
    }
}

/// Shorter ones leave no time to renew them, and are counted in whole seconds by the API server.
fn lease_duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let whole = parsed.filter(|duration| duration.subsec_nanos() == 0);
    let duration = whole.and_then(|duration| Duration::try_from(duration).ok());
    let longest = Duration::from_hours(1);
    duration
        .filter(|duration| (SHORTEST_LEASE..=longest).contains(duration))
        .ok_or_else(|| "write whole seconds, at least 4s and at most 1h, such as 60s".to_owned())
}

/// A name that no other process has, not even the one before it in the same pod.
fn holder(replica: &str) -> String {
    // Its keys are random, from the operating system.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{replica}_{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_id_needs_no_quoting() {
        assert!(owner_id("platform-prod.eu_1").is_ok());
        assert!(owner_id("").is_err());
        assert!(owner_id("a b").is_err());
        assert!(owner_id(&"x".repeat(64)).is_err());
    }

    #[test]
    fn a_duration_is_written_as_people_write_it() {
        assert_eq!(duration("10m"), Ok(SignedDuration::from_mins(10)));
        assert!(duration("0s").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_lease_lasts_some_seconds_at_least() {
        assert_eq!(lease_duration("60s"), Ok(Duration::from_mins(1)));
        for wrong in ["3s", "4500ms", "-60s", "2h", "long"] {
            assert!(lease_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_two_processes_hold_the_lease_by_the_same_name() {
        let first = holder("amity-7d4b9c-x2x7v");
        assert!(first.starts_with("amity-7d4b9c-x2x7v_"), "{first}");
        assert_ne!(holder("amity-7d4b9c-x2x7v"), first);
    }
}
