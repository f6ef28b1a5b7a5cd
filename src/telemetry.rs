//! Logs, metrics and health: what an operator sees of the process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amity_core::image::money::gib;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::aws::calls::EC2Calls;

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Writes logs to standard error from now on.
///
/// # Errors
/// `filter` cannot be read, or logs are written already.
pub fn init_logs(
    filter: &str,
    format: LogFormat,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
}

/// What is counted. Every label comes from a fixed list, or is an account that the cluster names and a region of it.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Calls to EC2 and STS.
    pub ec2_calls: EC2Calls,
    reconciles: Family<Outcome, Counter>,
    invariants_broken: Counter,
    status_writes: Counter,
    stored: Family<StoredIn, Gauge>,
    leads: Gauge,
}

/// One of the accounts that the cluster names, and a region of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StoredIn {
    account: String,
    region: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Metrics {
    /// Counts a reconcile that ended well or with an error of Kubernetes'.
    pub fn reconciled(&self, ok: bool) {
        let outcome = if ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a plan that was refused because it would have broken an invariant: a bug of Amity.
    pub fn invariant_broken(&self) {
        self.invariants_broken.inc();
    }

    /// Counts a write of a status.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// What the snapshots of this installation store in each region of an account, in GiB.
    pub fn stores(&self, account: &str, stored: &BTreeMap<&str, u64>) {
        for (region, bytes) in stored {
            let place = StoredIn {
                account: account.to_owned(),
                region: (*region).to_owned(),
            };
            self.stored.get_or_create(&place).set(gib(*bytes));
        }
    }

    /// From now on this process is the one of all replicas that acts, or not.
    pub fn leads(&self, leads: bool) {
        self.leads.set(i64::from(leads));
    }

    /// The registry that shows them all, under the prefix `amity`.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("amity");
        self.ec2_calls.register(&mut registry);
        registry.register(
            "reconciles",
            "Reconciles, by outcome",
            self.reconciles.clone(),
        );
        registry.register(
            "status_writes",
            "Writes of a status",
            self.status_writes.clone(),
        );
        registry.register(
            "stored_gib",
            "GiB that the snapshots of this installation store at most, by account and region",
            self.stored.clone(),
        );
        registry.register(
            "invariants_broken",
            "Plans that were refused because they would have broken an invariant",
            self.invariants_broken.clone(),
        );
        registry.register(
            "leader",
            "1 while this replica acts, 0 while it stands by",
            self.leads.clone(),
        );
        registry
    }
}

/// Whether the process is ready: it has read the cluster and reconciles, or it stands by and could.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on the process is ready, or not.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Served {
    readiness: Readiness,
    registry: Arc<Registry>,
}

/// Serves `/healthz` (the process answers), `/readyz` (it reconciles, or could take over) and `/metrics` until it is dropped.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    registry: Registry,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving /healthz, /readyz and /metrics");
    let app = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Served {
            readiness,
            registry: Arc::new(registry),
        });
    axum::serve(listener, app).await
}

async fn readyz(State(served): State<Served>) -> impl IntoResponse {
    if served.readiness.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the cluster was not read yet; are the custom resource definitions there?",
        )
    }
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &served.registry) {
        Ok(()) => Ok((
            [(
                CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
