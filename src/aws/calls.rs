//! Every call to EC2, STS and SSM goes through here, so that every one is counted and every failure is
//! classified.

use std::time::Duration;

use aws_sdk_ec2::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Metric;

use super::error::{Class, Failure};

/// How many calls were made to EC2, STS and SSM, reads too, by action and outcome; and what came of the steps that were
/// to change something, which are calls only when they are sent.
#[derive(Clone, Debug, Default)]
pub struct EC2Calls {
    calls: Family<CallLabels, Counter>,
    effects: Family<CallLabels, Counter>,
}

/// The labels: both from fixed lists.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    action: &'static str,
    outcome: &'static str,
}

impl EC2Calls {
    /// The calls, to be shown.
    pub(crate) fn calls(&self) -> impl Metric + use<> {
        self.calls.clone()
    }

    /// The steps, to be shown.
    pub(crate) fn effects(&self) -> impl Metric + use<> {
        self.effects.clone()
    }

    /// Counts one call.
    pub fn record(&self, action: &'static str, outcome: &'static str) {
        let labels = CallLabels { action, outcome };
        self.calls.get_or_create(&labels).inc();
    }

    /// Counts one step that was to change something.
    pub fn record_effect(&self, action: &'static str, outcome: &'static str) {
        let labels = CallLabels { action, outcome };
        self.effects.get_or_create(&labels).inc();
    }

    /// How often `action` had `outcome`: `success`, or a [`Class::label`].
    pub fn count(&self, action: &'static str, outcome: &'static str) -> u64 {
        let labels = CallLabels { action, outcome };
        self.calls.get_or_create(&labels).get()
    }
}

/// Sends one call.
pub(super) async fn send<T, E>(
    calls: &EC2Calls,
    action: &'static str,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failure>
where
    T: RequestId,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let answer = Box::pin(call).await;
    // For whoever asks AWS' support, or CloudTrail.
    let id = answer
        .as_ref()
        .map_or_else(RequestId::request_id, RequestId::request_id);
    tracing::Span::current().record("request_id", id);
    let answer = answer.map_err(|error| Failure::of(&error));
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
    T: RequestId,
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
