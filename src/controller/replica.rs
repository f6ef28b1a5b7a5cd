//! One of several replicas: it stands by until it has the lease, leads while it has it, and stands by again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::Installation;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client};

use super::lease::{Candidate, Leadership};
use super::objects::in_time;
use super::{Settings, cluster_uid, lead, lease};
use crate::aws;
use crate::aws::fence::Fence;
use crate::aws::session::Sessions;
use crate::clock::Clock;
use crate::telemetry::{Metrics, Readiness};

/// How soon a standby looks whether it is ready; while it is not, ever more slowly.
const UNTIL_READY: Duration = Duration::from_secs(5);

/// How often a standby that is not ready looks at least.
const UNTIL_READY_AT_MOST: Duration = Duration::from_mins(1);

/// Stands by until the lease is had, then watches and reconciles, until `stop`: then reconciles that are under way
/// are finished, and the lease is released.
///
/// When the lease is lost, everything is dropped that was known and under way, and it stands by again: what another
/// replica did meanwhile is not known here. Two of these may run side by side in one process.
///
/// # Errors
/// The cluster cannot be reached in the beginning.
pub async fn control(
    client: Client,
    settings: Settings,
    sessions: Arc<Sessions>,
    clock: Clock,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let replica = Replica {
        installation: Installation {
            owner: settings.owner.clone(),
            cluster: cluster_uid(&client).await?,
            take_over_from: settings.take_over_from,
            price_per_gib_month: settings.price_per_gib_month,
            consistency_window: settings.aws.consistency_window,
        },
        concurrency: settings.concurrency,
        aws: settings.aws,
        client: client.clone(),
        sessions,
        clock: clock.clone(),
        metrics: metrics.clone(),
        readiness: readiness.clone(),
    };
    let Installation { owner, cluster, .. } = &replica.installation;
    tracing::info!(owner, cluster, "starting");
    let candidate = Candidate::new(client.clone(), clock, settings.lease.clone());
    loop {
        let mut leadership = tokio::select! {
            biased;
            () = stop.clone() => return Ok(()),
            leadership = candidate.acquire() => leadership,
            never = say_when_able(&client, &readiness) => match never {},
        };
        metrics.leads(true);
        let fence = fence(&leadership, &settings.lease);
        let led = tokio::select! {
            biased;
            why = leadership.lost() => Err(why),
            ended = Box::pin(lead(replica.clone(), fence, stop.clone())) => Ok(ended),
        };
        metrics.leads(false);
        match led {
            Ok(ended) => {
                leadership.release().await;
                return ended;
            }
            Err(why) => tracing::warn!(why, "the lease is lost: everything is dropped"),
        }
    }
}

/// What a process has whether it leads or not.
#[derive(Clone)]
pub(super) struct Replica {
    pub(super) installation: Installation,
    pub(super) concurrency: u16,
    pub(super) aws: aws::Settings,
    pub(super) client: Client,
    pub(super) sessions: Arc<Sessions>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
}

/// Effects are sent only while the lease outlasts them.
fn fence(leadership: &Leadership, settings: &lease::Settings) -> Fence {
    let term = leadership.term();
    Fence::new(settings.call_timeout(), move |time| term.outlasts(time))
}

/// Waits until a standby could read what it would have to, says so, and then waits for ever.
async fn say_when_able(client: &Client, readiness: &Readiness) -> Infallible {
    let mut pause = UNTIL_READY;
    loop {
        tokio::time::sleep(pause).await;
        pause = UNTIL_READY_AT_MOST.min(pause * 2);
        let one = ListParams::default().limit(1);
        let (images, accounts, namespaces) = (
            Api::<MachineImage>::all(client.clone()),
            Api::<AwsAccount>::all(client.clone()),
            Api::<Namespace>::all(client.clone()),
        );
        let read = tokio::try_join!(
            in_time(images.list_metadata(&one)),
            in_time(accounts.list_metadata(&one)),
            in_time(namespaces.list_metadata(&one)),
        );
        match read {
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(%error, "not ready to take over; are the custom resource definitions there?");
            }
        }
    }
    readiness.set(true);
    std::future::pending().await
}
