//! A process of the controller: the real reconcile, inventory and effects over the real SDK. Whoever drops it
//! drops all memory, as a crash does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use amity::aws;
use amity::aws::budget::Budget;
use amity::aws::effect::Effects;
use amity::aws::fence::Fence;
use amity::aws::inventory::Inventory;
use amity::aws::session::Sessions;
use amity::clock::Clock;
use amity::controller::events::Events;
use amity::controller::objects::Objects;
use amity::controller::reconcile::Context;
use amity::telemetry::Metrics;
use amity_core::account::Claims;
use amity_core::api::AwsAccount;
use amity_core::image::desired::Installation;
use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::HttpClient;

use crate::cluster::Cluster;

/// The access key of the controller's own account in every world.
pub const ACCESS_KEY: &str = "AKIAEC2SIMHOME000001";

/// What a process has.
pub struct Process {
    pub cx: Context,
    pub sessions: Arc<Sessions>,
}

/// An installation in a cluster with this uid.
pub fn installation(cluster: &str, settings: aws::Settings) -> Installation {
    Installation {
        owner: "simulation".to_owned(),
        cluster: cluster.to_owned(),
        take_over_from: None,
        consistency_window: settings.consistency_window,
    }
}

#[derive(Debug)]
struct VirtualTime(Clock);

impl TimeSource for VirtualTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

impl Process {
    /// A process that has just started. Its inventory is not run here.
    pub fn start(
        http: impl HttpClient + 'static,
        cluster: &Cluster,
        clock: &Clock,
        settings: aws::Settings,
        installation: Installation,
        accounts: &[AwsAccount],
    ) -> Self {
        let metrics = Metrics::default();
        let sessions = Arc::new(Sessions::over(
            &sdk_config(http, clock),
            clock.clone(),
            metrics.ec2_calls.clone(),
        ));
        let budget = Arc::new(Budget::new(clock.clone()));
        let inventory = Inventory::new(
            sessions.clone(),
            installation.owner.clone(),
            clock.clone(),
            settings,
            budget.clone(),
        );
        inventory.set_accounts(accounts.iter().cloned());
        let client = cluster.client();
        let cx = Context {
            installation,
            effects: Effects::new(sessions.clone(), inventory.clone(), budget, Fence::absent()),
            inventory,
            objects: Objects::new(client.clone(), metrics.clone()),
            events: Events::new(client),
            claims: Box::new(Claims::default),
            clock: clock.clone(),
            metrics,
        };
        Self { cx, sessions }
    }
}

/// How many plans were refused because they would have broken an invariant.
pub fn invariants_broken(metrics: &Metrics) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry())
        .expect("metrics are text");
    let value = text.lines().find_map(|line| {
        line.strip_prefix("amity_invariants_broken_total")?
            .trim()
            .parse()
            .ok()
    });
    value.expect("a counter of that name")
}

fn sdk_config(http: impl HttpClient + 'static, clock: &Clock) -> SdkConfig {
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
