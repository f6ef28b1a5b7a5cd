//! The process: what is watched, and what is reconciled when.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`reconcile`] | one reconcile of a `MachineImage` |
//! | [`accounts`] | one reconcile of an `AwsAccount` |
//! | `replica` | stands by until it may act, acts, and stands by again |
//! | [`lease`] | which of several replicas may act |
//! | `cached` | a `MachineImage` as the cache keeps it |
//! | `process` | what a reconcile has of the process: caches and failures |
//! | `figures` | what whoever asks is told: how things stand, and what is planned |
//! | `conditions` | what the conditions of all objects say, in little room |
//! | [`plans`] | what was planned last |
//! | [`to_ready`] | how long users wait for `Ready` |
//! | [`objects`] | writes to Kubernetes |
//! | [`config_maps`] | names the published images in ConfigMaps |
//! | [`events`] | tells about transitions |
//!
//! Nothing here knows the AWS SDK, and nothing here decides about an image.

pub mod accounts;
mod cached;
mod conditions;
pub mod config_maps;
pub mod events;
mod figures;
pub mod lease;
pub mod objects;
pub mod plans;
mod process;
pub mod reconcile;
mod replica;
pub mod to_ready;

use std::fmt::Debug;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amity_core::account::Claims;
use amity_core::api::AwsAccount;
use amity_core::image::money::Price;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, controller, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, field};

use self::cached::Cached;
use self::config_maps::ConfigMaps;
use self::events::Events;
use self::objects::{Error, Objects, in_time};
use self::plans::Plans;
use self::process::Process;
use self::reconcile::Context;
use self::replica::Replica;
pub use self::replica::control;
use self::to_ready::ToReady;
use crate::aws;
use crate::aws::budget::Budget;
use crate::aws::effect::Effects;
use crate::aws::fence::Fence;
use crate::aws::inventory::Inventory;
use crate::aws::session::Sessions;
use crate::clock::Clock;
use crate::telemetry::figures::Leader;
use crate::telemetry::traces::SPANS;
use crate::telemetry::{self, Metrics, Readiness};

/// How soon an image is looked at again that was seen before the accounts and namespaces were.
const BEFORE_THE_REST: Duration = Duration::from_millis(500);

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--owner-id`.
    pub owner: String,
    /// `--take-over-from`.
    pub take_over_from: Option<String>,
    /// What a stored GiB costs in a month, where that is given.
    pub price_per_gib_month: Option<Price>,
    /// How many objects are reconciled at a time.
    pub concurrency: u16,
    /// Where health and metrics are served.
    pub listen: SocketAddr,
    /// By what one of several replicas is chosen to act.
    pub lease: lease::Settings,
    /// What concerns AWS.
    pub aws: aws::Settings,
}

/// An object that may be one that this version cannot read, which must not keep the others from being read.
type Guarded<K> = DeserializeGuard<K>;

/// Runs the controller until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// The cluster cannot be reached, or the address for health and metrics cannot be listened on.
pub async fn run(settings: Settings) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::try_default().await?;
    let metrics = Metrics::default();
    let readiness = Readiness::default();
    let counted = metrics.clone();
    let served = telemetry::serve(settings.listen, readiness.clone(), &counted);
    let clock = Clock::real();
    let sessions =
        Arc::new(Sessions::from_environment(clock.clone(), metrics.ec2_calls.clone()).await);
    let controlled = control(
        client,
        settings,
        sessions,
        clock,
        metrics,
        readiness,
        stop_signal()?.shared(),
    );
    tokio::select! {
        biased;
        ended = controlled => ended,
        failed = served => Err(failed.err().map_or_else(|| "the health server ended".into(), Into::into)),
    }
}

/// Ends at the first SIGTERM or SIGINT. The second one ends the process: whatever was under way is repeated
/// at the next start, because EC2 is the database.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + Sync> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let next = async |terminate: &mut tokio::signal::unix::Signal,
                          interrupt: &mut tokio::signal::unix::Signal| {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        next(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: reconciles that are under way are finished");
        let _ = stop.send(());
        next(&mut terminate, &mut interrupt).await;
        std::process::exit(130);
    });
    Ok(async move {
        let _ = stopped.await;
    })
}

/// Watches and reconciles until `stop`, while this replica is the one that may.
async fn lead(
    replica: Replica,
    fence: Fence,
    stop: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Replica {
        installation,
        concurrency,
        aws,
        client,
        sessions,
        clock,
        metrics,
        readiness,
    } = replica;
    let budget = Arc::new(Budget::new(clock.clone()));
    let inventory = Inventory::new(
        sessions.clone(),
        installation.owner.clone(),
        clock.clone(),
        aws,
        budget.clone(),
    );
    let (wake_accounts, mut gone) = mpsc::channel(1);
    let (touch_account, touched_accounts) = futures::channel::mpsc::unbounded();
    let accounts = controller_of(&client, move |account: &Guarded<AwsAccount>| {
        // Nobody hears it only when everything ends.
        let _ = touch_account.unbounded_send(account.name_any());
    })
    .reconcile_all_on(stream::poll_fn(move |cx| gone.poll_recv(cx)));
    let (namespaces, touched_namespaces) = namespaces(client.clone());
    let images = controller_of(&client, |_: &Cached| {})
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_on(
            inventory
                .differences()
                .filter_map(|key| ready(object_ref(&key))),
        );
    let (config_maps, touched_config_maps) = ConfigMaps::watch(client.clone(), metrics.clone());
    let (in_account, in_namespace) = (images.store(), images.store());
    let images = images
        .reconcile_on(
            touched_accounts
                .flat_map(move |name| stream::iter(images_that(&in_account, names_account(name)))),
        )
        .reconcile_on(
            touched_namespaces
                .flat_map(move |name| stream::iter(images_that(&in_namespace, is_in(name)))),
        )
        .reconcile_on(
            touched_config_maps.map(|(namespace, name)| ObjectRef::new(&name).within(&namespace)),
        );
    let process = Arc::new(Process {
        client: client.clone(),
        cx: Context {
            installation,
            effects: Effects::new(sessions.clone(), inventory.clone(), budget, fence),
            inventory: inventory.clone(),
            objects: Objects::new(client.clone(), metrics.clone()),
            config_maps,
            events: Events::new(client, metrics.clone()),
            claims: {
                let all = images.store();
                Box::new(move || claims(&all))
            },
            clock,
            metrics: metrics.clone(),
            plans: Plans::default(),
            to_ready: ToReady::default(),
        },
        sessions,
        accounts: accounts.store(),
        images: images.store(),
        namespaces,
        failures: Mutex::default(),
        stale: Mutex::default(),
        wake_accounts,
    });
    let leader: Arc<dyn Leader> = process.clone();
    metrics.led.by(&leader);
    let account_events = accounts
        .graceful_shutdown_on(stop.clone())
        .run(reconcile_account, after_error, process.clone())
        .for_each(|_| ready(()));
    let image_events = images
        .graceful_shutdown_on(stop)
        .run(reconcile_image, after_error, process.clone())
        .for_each(|outcome| {
            if let Err(controller::Error::ObjectNotFound(gone)) = &outcome {
                process.forget(&process::key(gone.namespace.as_deref(), &gone.name));
            }
            ready(())
        });
    let reconciled = async { tokio::join!(image_events, account_events) };
    tokio::select! {
        biased;
        ((), ()) = reconciled => Ok(()),
        () = inventory.run() => Err("the inventory ended".into()),
        () = process.say_when_ready(&readiness) => Ok(()),
    }
}

async fn cluster_uid(client: &Client) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let kube_system = in_time(namespaces.get_metadata("kube-system")).await?;
    kube_system
        .metadata
        .uid
        .ok_or_else(|| "namespace kube-system has no uid".into())
}

/// The labels of namespaces, which grants select by, and the names of those that were touched. The cache has
/// a change before its name is given.
fn namespaces(
    client: Client,
) -> (
    Store<PartialObjectMeta<Namespace>>,
    impl Stream<Item = String> + Send,
) {
    let (reader, writer) = reflector::store();
    let all = Api::<PartialObjectMeta<Namespace>>::all(client);
    let events = watcher(all, watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    let touched = told(events.touched_objects())
        .filter_map(|namespace| ready(namespace.ok().map(|namespace| namespace.name_any())));
    (reader, touched)
}

/// What every object asks for, also those that this version cannot read.
fn claims(images: &Store<Cached>) -> Claims {
    let all = images.state();
    let claim = |image: &Arc<Cached>| (process::key_of(image.as_ref()), Arc::clone(image.claim()));
    all.iter().map(claim).collect()
}

/// The images of which `is_meant` is true.
fn images_that(
    images: &Store<Cached>,
    is_meant: impl Fn(&Cached) -> bool,
) -> Vec<ObjectRef<Cached>> {
    let images = images.state();
    let meant = images.iter().filter(|image| is_meant(image));
    meant
        .map(|image| ObjectRef::from_obj(image.as_ref()))
        .collect()
}

fn is_in(namespace: String) -> impl Fn(&Cached) -> bool {
    move |image| image.meta().namespace.as_ref() == Some(&namespace)
}

fn names_account(name: String) -> impl Fn(&Cached) -> bool {
    move |image| image.claim().names(&name)
}

async fn reconcile_account(
    account: Arc<Guarded<AwsAccount>>,
    process: Arc<Process>,
) -> Result<Action, Error> {
    let usable = process.usable_accounts();
    process.cx.inventory.set_accounts(usable.iter().cloned());
    let Ok(account) = &account.0 else {
        tracing::warn!(
            account = account.name_any(),
            "this version cannot read the AwsAccount"
        );
        return Ok(Action::await_change());
    };
    if process.images.wait_until_ready().now_or_never().is_none() {
        return Ok(Action::requeue(BEFORE_THE_REST));
    }
    let (cx, claims) = (&process.cx, (process.cx.claims)());
    let action = accounts::reconcile(account, &usable, &process.sessions, &claims, cx).await?;
    process.succeeded(account.name());
    Ok(action)
}

/// A controller of all objects of a kind, whose cache does without who manages which field: nothing here asks for that.
/// The cache has a change before `touched` hears of it, and it hears of what is gone too.
fn controller_of<K>(client: &Client, touched: impl Fn(&K) + Send + 'static) -> Controller<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .modify(|object: &mut K| object.meta_mut().managed_fields = None)
        .reflect(writer);
    let objects = told(events.touched_objects()).inspect_ok(touched);
    Controller::for_stream(objects, reader)
}

/// What a watch tells, as a trigger without errors: a controller that is given one waits with all of its triggers,
/// whatever else may wake an object. Whoever watches tries again, ever more slowly.
fn told<K: Send + 'static>(
    watched: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static {
    watched.filter(|object| {
        if let Err(error) = object {
            tracing::warn!(%error, "the cluster cannot be read; are the custom resource definitions there?");
        }
        ready(object.is_ok())
    })
}

/// `namespace/name` as the controller knows it.
fn object_ref(key: &str) -> Option<ObjectRef<Cached>> {
    let (namespace, name) = key.split_once('/')?;
    Some(ObjectRef::new(name).within(namespace))
}

async fn reconcile_image(image: Arc<Cached>, process: Arc<Process>) -> Result<Action, Error> {
    if !process.knows_what_images_refer_to() {
        return Ok(Action::requeue(BEFORE_THE_REST));
    }
    let Some(image) = process.current(image.clone()).await? else {
        process.forget(&process::key_of(image.as_ref()));
        return Ok(Action::await_change());
    };
    let image = match image.read() {
        Ok(image) => image,
        Err(error) => {
            let object = image.name_any();
            tracing::warn!(
                object,
                %error,
                "this version cannot read the MachineImage: it is left alone"
            );
            return Ok(Action::await_change());
        }
    };
    if process.awaits_what_is_new(&image).await? {
        return Ok(Action::requeue(BEFORE_THE_REST));
    }
    let span = tracing::info_span!(
        target: SPANS,
        "reconcile",
        object = image.key(),
        revision = field::Empty,
        outcome = field::Empty,
    );
    let (began, cx) = (Instant::now(), &process.cx);
    let ended = reconcile::reconcile(&image, &process.referred(&image), cx)
        .instrument(span.clone())
        .await;
    let outcome = match &ended {
        Ok((ended, _)) => ended.label(),
        Err(error) if error.is_stale() => "stale",
        Err(_) => "error",
    };
    span.record("outcome", outcome);
    cx.metrics.reconciled(outcome, began.elapsed());
    let (_, look_again_in) = ended?;
    process.succeeded(&image.key());
    Ok(Action::requeue(look_again_in))
}

/// Tried again, ever more slowly.
#[expect(clippy::needless_pass_by_value, reason = "the signature is kube's")]
fn after_error<K: Resource>(object: Arc<K>, error: &Error, process: Arc<Process>) -> Action {
    let key = process::key_of(object.as_ref());
    let backoff = process.backoff(&key);
    if error.is_stale() {
        process.found_stale(object.as_ref());
        tracing::debug!(object = key, %error, retry_in = ?backoff, "was decided from a stale copy");
    } else {
        tracing::warn!(object = key, %error, retry_in = ?backoff, "could not write to Kubernetes");
    }
    Action::requeue(backoff)
}
