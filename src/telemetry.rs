//! Logs, metrics, traces and health: what an operator sees of the process. Nothing here asks EC2 or the API server for
//! anything, and nothing here decides.
//!
//! | file | what it has |
//! | --- | --- |
//! | [`catalogue`] | every metric with its labels and what it means; `docs/metrics.md` is made of it |
//! | [`metrics`] | what is counted |
//! | [`figures`] | what the replica that acts knows at the moment it is asked |
//! | [`plan_page`] | the current plan of an object, for a person |
//! | [`serve`](mod@serve) | health, metrics and plans over HTTP |
//! | [`traces`] | spans of reconciles, effects and lists, where somebody collects them |

pub mod catalogue;
pub mod figures;
pub mod metrics;
pub mod plan_page;
pub mod serve;
pub mod traces;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

pub use metrics::Metrics;
pub use serve::serve;
use traces::{SPANS, Traces};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Writes logs to standard error from now on, and spans to `traces` where there are some.
///
/// # Errors
/// `filter` cannot be read, or logs are written already.
pub fn init(
    filter: &str,
    format: LogFormat,
    traces: Option<&Traces>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let logs = tracing_subscriber::registry().with(logs(filter, format)?);
    // A layer that is not there would count as one that wants every span.
    match traces {
        Some(traces) => logs.with(traces.layer()).try_init()?,
        None => logs.try_init()?,
    }
    Ok(())
}

/// A line of a log says itself what it is about, so that spans are none of theirs: where nobody collects them, none is
/// made.
fn logs(
    filter: &str,
    format: LogFormat,
) -> Result<Box<dyn Layer<Registry> + Send + Sync>, ParseError> {
    let is_no_span = filter_fn(|of: &Metadata<'_>| of.target() != SPANS);
    let filter = EnvFilter::try_new(filter)?.and(is_no_span);
    let lines = fmt::layer().with_writer(std::io::stderr);
    Ok(match format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_collects_spans_none_is_made() {
        let logs = logs("trace", LogFormat::Text).expect("a filter");
        let quiet = tracing_subscriber::registry().with(logs);
        tracing::subscriber::with_default(quiet, || {
            assert!(tracing::info_span!(target: SPANS, "effect").is_disabled());
            assert!(tracing::event_enabled!(tracing::Level::TRACE));
        });
    }
}
