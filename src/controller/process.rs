//! What a reconcile has of the process: the caches of the cluster, and how often an object failed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::{AccountReference, chain, named_accounts};
use futures::FutureExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::mpsc;

use super::cached::Cached;
use super::objects::{Error, in_time};
use super::reconcile::{Context, Referred};
use super::{Guarded, accounts};
use crate::aws::session::Sessions;
use crate::telemetry::Readiness;

/// The first wait after an error of Kubernetes'; it doubles up to [`LONGEST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait after an error of Kubernetes'.
const LONGEST_BACKOFF: Duration = Duration::from_mins(2);

/// A reconcile's context, and what of the cluster is looked up for it.
pub(super) struct Process {
    pub(super) client: Client,
    pub(super) cx: Context,
    pub(super) sessions: Arc<Sessions>,
    pub(super) accounts: Store<Guarded<AwsAccount>>,
    pub(super) images: Store<Cached>,
    pub(super) namespaces: Store<PartialObjectMeta<Namespace>>,
    pub(super) failures: Mutex<BTreeMap<String, u32>>,
    /// The resource version of each object whose copy in the cache was found to be older than the object.
    pub(super) stale: Mutex<BTreeMap<String, String>>,
    /// Wakes the accounts: what an image asked for is nobody's any more.
    pub(super) wake_accounts: mpsc::Sender<()>,
}

impl Process {
    /// The accounts that the cache has, one for each account id.
    pub(super) fn usable_accounts(&self) -> Vec<AwsAccount> {
        let all = self.accounts.state();
        accounts::one_per_account_id(
            all.iter()
                .filter_map(|guarded| guarded.0.as_ref().ok().cloned()),
        )
    }

    /// Waits until the cluster was read, says so, and then waits for ever.
    pub(super) async fn say_when_ready(&self, readiness: &Readiness) {
        let read = tokio::try_join!(
            self.images.wait_until_ready(),
            self.accounts.wait_until_ready(),
            self.namespaces.wait_until_ready()
        );
        if read.is_ok() {
            tracing::info!("ready");
            readiness.set(true);
        }
        std::future::pending::<()>().await;
    }

    /// Whether an account or a label that the caches lack is lacking in the cluster too.
    pub(super) fn knows_what_images_refer_to(&self) -> bool {
        self.accounts.wait_until_ready().now_or_never().is_some()
            && self.namespaces.wait_until_ready().now_or_never().is_some()
    }

    /// Whether an account or the namespace was created so lately that the cache does not have it yet: they and
    /// the images that need them are often applied together.
    pub(super) async fn awaits_what_is_new(&self, image: &MachineImage) -> Result<bool, Error> {
        // No object is without its namespace.
        if self
            .namespaces
            .get(&ObjectRef::new(image.namespace()))
            .is_none()
        {
            return Ok(true);
        }
        let accounts = Api::<PartialObjectMeta<AwsAccount>>::all(self.client.clone());
        for name in named_accounts(image) {
            if self.accounts.get(&ObjectRef::new(name)).is_none()
                && in_time(accounts.get_opt(name)).await?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn referred(&self, image: &MachineImage) -> Referred {
        let namespace = self.namespaces.get(&ObjectRef::new(image.namespace()));
        let usable = self.usable_accounts();
        // An account that was deleted is told by its images: no reconcile of its own does.
        self.cx.inventory.set_accounts(usable.iter().cloned());
        let accounts =
            named_accounts(image).map(|name| (name.to_owned(), self.account(name, &usable)));
        Referred {
            accounts: accounts.collect(),
            machine_images: chain(image, |name| {
                let other = ObjectRef::new(name).within(image.namespace());
                self.images.get(&other)?.read().ok()
            }),
            namespace_labels: namespace
                .map(|namespace| namespace.labels().clone())
                .unwrap_or_default(),
        }
    }

    fn account(&self, name: &str, usable: &[AwsAccount]) -> AccountReference {
        let account = usable.iter().find(|account| account.name() == name);
        let is_there = self.accounts.get(&ObjectRef::new(name)).is_some();
        let unusable = "another one with the same accountId is older, or this version of Amity cannot read it; see \
                        its own Ready condition (kubectl get awsaccounts -o wide)";
        let regions =
            account.and_then(|account| self.cx.inventory.regions(&account.spec.account_id));
        AccountReference {
            account: account.cloned(),
            unusable: (is_there && account.is_none()).then(|| unusable.to_owned()),
            regions,
        }
    }

    /// The object as it is now, none if it is gone: the copy in the cache or, where a write found that one to be stale,
    /// what the API server has. The watch may be held up for hours, and nothing is decided from what was.
    pub(super) async fn current(&self, cached: Arc<Cached>) -> Result<Option<Arc<Cached>>, Error> {
        if !self.is_stale(&cached) {
            return Ok(Some(cached));
        }
        let namespace = cached.meta().namespace.as_deref().unwrap_or_default();
        let api = Api::<Cached>::namespaced(self.client.clone(), namespace);
        let found = in_time(api.get_opt(&cached.name_any())).await?;
        Ok(found.map(Arc::new))
    }

    fn is_stale(&self, cached: &Cached) -> bool {
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        let version = stale.get(&key_of(cached));
        version.is_some() && version == cached.meta().resource_version.as_ref()
    }

    /// This copy of an object is older than the object.
    pub(super) fn found_stale(&self, object: &impl Resource) {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = object.meta().resource_version.clone() {
            stale.insert(key_of(object), version);
        }
    }

    /// Forgets an image that is gone from the cluster.
    pub(super) fn forget(&self, key: &str) {
        self.cx.inventory.forget(key);
        self.cx.objects.forget(key);
        self.cx.config_maps.forget(key);
        self.cx.plans.forget(key);
        self.cx.to_ready.forget(key);
        self.succeeded(key);
        self.stale
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        // Where the channel is full they are woken anyway.
        let _ = self.wake_accounts.try_send(());
    }

    pub(super) fn succeeded(&self, key: &str) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    pub(super) fn backoff(&self, key: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        FIRST_BACKOFF
            .saturating_mul(2_u32.saturating_pow(*count - 1))
            .min(LONGEST_BACKOFF)
    }
}

pub(super) fn key_of(object: &impl Resource) -> String {
    let name = object.meta().name.as_deref().unwrap_or_default();
    key(object.meta().namespace.as_deref(), name)
}

/// `namespace/name`, or the name of what is in no namespace.
pub(super) fn key(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}/{name}"),
    )
}
