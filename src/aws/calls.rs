//! Every call to EC2, STS and SSM goes through here, so that every one is counted and every failure is
//! classified.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::error::{Class, Failure};

/// How many calls were made to EC2, STS and SSM, reads too, by action and outcome.
#[derive(Clone, Debug, Default)]
pub struct EC2Calls(Family<CallLabels, Counter>);

/// The labels: both from fixed lists.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    action: &'static str,
    outcome: &'static str,
}

impl EC2Calls {
    /// Shows the counter as `ec2_calls_total` (with the registry's prefix).
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "ec2_calls",
            "Calls to EC2, STS and SSM, by action and outcome",
            self.0.clone(),
        );
    }

    /// Counts one call.
    pub fn record(&self, action: &'static str, outcome: &'static str) {
        self.0.get_or_create(&CallLabels { action, outcome }).inc();
    }

    /// How often `action` had `outcome`: `success`, or a [`Class::label`].
    pub fn count(&self, action: &'static str, outcome: &'static str) -> u64 {
        self.0.get_or_create(&CallLabels { action, outcome }).get()
    }
}

/// Sends one call.
pub(super) async fn send<T, E>(
    calls: &EC2Calls,
    action: &'static str,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let answer = Box::pin(call).await.map_err(|error| Failure::of(&error));
    calls.record(
        action,
        answer
            .as_ref()
            .map_or_else(|failure| failure.class.label(), |_| "success"),
    );
    if let Err(failure) = &answer {
        tracing::debug!(action, class = failure.class.label(), %failure, "AWS did not do as asked");
    }
    answer
}

/// How often one read is tried before its failure counts: a connection that broke, or one bad answer,
/// should not make a place unreadable for a moment.
const LOST_READ_TRIES: u32 = 3;

/// The same for a read that is throttled: one more, since the buckets fill again within seconds (EC2
/// Developer Guide, "Request throttling").
const THROTTLED_READ_TRIES: u32 = 4;

/// Sends a read, again when its answer was lost or it was throttled, after 1, 2 and 4 seconds. Only for what
/// changes nothing.
pub(super) async fn read<T, E, F>(
    calls: &EC2Calls,
    action: &'static str,
    attempt: impl Fn() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut tried = 0;
    loop {
        let answer = send(calls, action, attempt()).await;
        tried += 1;
        match answer {
            Err(failure) if tried < read_tries(failure.class) => {
                tokio::time::sleep(Duration::from_secs(1 << (tried - 1))).await;
            }
            answer => return answer,
        }
    }
}

fn read_tries(class: Class) -> u32 {
    match class {
        Class::Unknown => LOST_READ_TRIES,
        Class::Throttled => THROTTLED_READ_TRIES,
        Class::NotSent | Class::Denied | Class::Refused => 1,
    }
}
