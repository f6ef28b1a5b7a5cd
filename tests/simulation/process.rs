//! What a process of the controller needs of its surroundings: the SDK, set up for ec2sim and for virtual time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use amity::clock::Clock;
use amity::telemetry::Metrics;
use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::HttpClient;

/// The access key of the controller, in its own account in every world. The people there have another one.
pub const ACCESS_KEY: &str = "AKIAEC2SIMAMITY00001";

#[derive(Debug)]
struct VirtualTime(Clock);

impl TimeSource for VirtualTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// How many plans were refused because they would have broken an invariant.
pub fn invariants_broken(metrics: &Metrics) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry())
        .expect("metrics are text");
    let counters = text
        .lines()
        .filter(|line| line.starts_with("amity_invariants_broken_total{"));
    let values = counters.map(|line| {
        let value = line.rsplit(' ').next();
        value.and_then(|value| value.parse::<u64>().ok())
    });
    let values: Option<Vec<u64>> = values.collect();
    let values = values.filter(|values| !values.is_empty());
    values.expect("counters of that name").into_iter().sum()
}

/// How the SDK is set up: what the controller does not set itself.
pub fn sdk_config(http: impl HttpClient + 'static, clock: &Clock) -> SdkConfig {
    let credentials = Credentials::from_keys(ACCESS_KEY, "not-checked", None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .sleep_impl(TokioSleep::new())
        .time_source(VirtualTime(clock.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::lazy().build())
        .region(Region::new("us-east-1"))
        .build()
}

pub fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
