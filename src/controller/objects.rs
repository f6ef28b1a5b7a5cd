//! What is written to Kubernetes: finalizer, annotation and status of a `MachineImage`, each with the
//! resource version as precondition, so that a decision from an old copy of the object changes nothing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use amity_core::api::{AwsAccount, AwsAccountStatus, MachineImage, MachineImageStatus};
use amity_core::image::desired::{
    ACCOUNTS, CAPTURED, Captured, DISCARDED, Discarded, FINALIZER, LAUNCHED, accounts_annotation,
};
use amity_core::image::machines::Launched;
use amity_core::image::plan::Action;
use amity_core::image::report::differs_only_in_progress;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::telemetry::Metrics;

/// The name under which Amity writes, the same in every version.
pub const FIELD_MANAGER: &str = "amity";

/// How long one call may take; the client's own retries are within it.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Progress alone is not written more often than this.
const PROGRESS_INTERVAL: SignedDuration = SignedDuration::from_secs(30);

/// Why a write to Kubernetes did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused it or could not be reached.
    #[error("{}", words_of(.0))]
    Kubernetes(#[from] kube::Error),
    /// It did not answer in time.
    #[error("the API server did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
}

impl Error {
    /// Whether the object was changed or deleted meanwhile: a newer copy of it is on its way to us.
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Kubernetes(kube::Error::Api(status)) => {
                status.is_conflict() || status.is_not_found()
            }
            _ => false,
        }
    }
}

/// The words of an error without the dump of the whole answer.
fn words_of(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Writes objects.
pub struct Objects {
    client: Client,
    metrics: Metrics,
    /// When the status of each object was last written, to spare writes of progress alone.
    written: Mutex<BTreeMap<String, Timestamp>>,
}

impl Objects {
    /// A writer with the rights of `client`.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self {
            client,
            metrics,
            written: Mutex::default(),
        }
    }

    /// Takes a step that is a write to the object itself. Any other step is none of ours.
    ///
    /// # Errors
    /// The object was changed meanwhile, or cannot be written.
    pub async fn perform(
        &self,
        image: &MachineImage,
        action: &Action,
        now: Timestamp,
    ) -> Result<(), Error> {
        let metadata = match action {
            Action::StoreFinalizer => with_finalizer(image),
            Action::ReleaseFinalizer => without_finalizer(image),
            Action::RecordCapture { revision } => {
                json!({"annotations": {CAPTURED: Captured::annotation(revision, now)}})
            }
            Action::RecordLaunch {
                revision,
                attempt,
                region,
            } => {
                let launched = Launched::annotation(revision, *attempt, region, now);
                json!({"annotations": {LAUNCHED: launched}})
            }
            Action::RecordDiscard {
                revision,
                platform_details,
            } => {
                let discarded = Discarded::annotation(revision, platform_details);
                json!({"annotations": {DISCARDED: discarded}})
            }
            Action::RecordAccounts { names } => {
                json!({"annotations": {ACCOUNTS: accounts_annotation(names)}})
            }
            _ => return Ok(()),
        };
        let api: Api<MachineImage> = Api::namespaced(self.client.clone(), image.namespace());
        let written = patch_metadata(&api, image, metadata).await;
        counted(&self.metrics, "machineimages", written)
    }

    /// Keeps an account until what is in it is gone.
    ///
    /// # Errors
    /// The object was changed meanwhile, or cannot be written.
    pub async fn hold_account(&self, account: &AwsAccount) -> Result<(), Error> {
        let api: Api<AwsAccount> = Api::all(self.client.clone());
        let written = patch_metadata(&api, account, with_finalizer(account)).await;
        counted(&self.metrics, "awsaccounts", written)
    }

    /// Lets an account go.
    ///
    /// # Errors
    /// The object was changed meanwhile, or cannot be written.
    pub async fn release_account(&self, account: &AwsAccount) -> Result<(), Error> {
        let api: Api<AwsAccount> = Api::all(self.client.clone());
        let written = patch_metadata(&api, account, without_finalizer(account)).await;
        counted(&self.metrics, "awsaccounts", written)
    }

    /// Replaces the status, if it says something new. Whether it did.
    ///
    /// # Errors
    /// The object was changed meanwhile, or cannot be written.
    pub async fn replace_status(
        &self,
        image: &MachineImage,
        status: &MachineImageStatus,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if let Some(before) = &image.status
            && (before == status
                || differs_only_in_progress(before, status) && self.wrote_lately(image, now))
        {
            return Ok(false);
        }
        let api: Api<MachineImage> = Api::namespaced(self.client.clone(), image.namespace());
        let replacement = MachineImage {
            status: Some(status.clone()),
            ..image.clone()
        };
        let written = in_time(api.replace_status(image.name(), &post_params(), &replacement)).await;
        counted(&self.metrics, "machineimages/status", written)?;
        self.lock_written().insert(image.key(), now);
        Ok(true)
    }

    /// Replaces the status of an account, if it says something new.
    ///
    /// # Errors
    /// The object was changed meanwhile, or cannot be written.
    pub async fn replace_account_status(
        &self,
        account: &AwsAccount,
        status: AwsAccountStatus,
    ) -> Result<(), Error> {
        if account.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let api: Api<AwsAccount> = Api::all(self.client.clone());
        let replacement = AwsAccount {
            status: Some(status),
            ..account.clone()
        };
        let written =
            in_time(api.replace_status(account.name(), &post_params(), &replacement)).await;
        counted(&self.metrics, "awsaccounts/status", written).map(drop)
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &str) {
        self.lock_written().remove(key);
    }

    fn wrote_lately(&self, image: &MachineImage, now: Timestamp) -> bool {
        self.lock_written()
            .get(&image.key())
            .is_some_and(|written| now < *written + PROGRESS_INTERVAL)
    }

    fn lock_written(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_finalizer(object: &impl Resource) -> Value {
    let with_ours = object.finalizers().iter().map(String::as_str);
    let with_ours: Vec<_> = with_ours.chain([FINALIZER]).collect();
    json!({"finalizers": with_ours})
}

fn without_finalizer(object: &impl Resource) -> Value {
    let others = object.finalizers().iter().filter(|name| *name != FINALIZER);
    json!({"finalizers": others.collect::<Vec<_>>()})
}

/// Only of this very object, as it was read.
async fn patch_metadata<K>(api: &Api<K>, object: &K, mut metadata: Value) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    metadata["uid"] = json!(object.meta().uid);
    metadata["resourceVersion"] = json!(object.meta().resource_version);
    let patch = Patch::Merge(json!({"metadata": metadata}));
    let params = PatchParams::apply(FIELD_MANAGER);
    let name = object.name_any();
    in_time(api.patch_metadata(&name, &params, &patch))
        .await
        .map(drop)
}

/// Counts a write.
pub(super) fn counted<T>(
    metrics: &Metrics,
    resource: &'static str,
    written: Result<T, Error>,
) -> Result<T, Error> {
    let outcome = match &written {
        Ok(_) => "success",
        Err(error) if error.is_stale() => "conflict",
        Err(_) => "error",
    };
    metrics.wrote(resource, outcome);
    written
}

pub(super) fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// What the API server does not answer in time is an error.
pub(super) async fn in_time<T>(
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    within(TIMEOUT, call).await
}

/// The same with another limit.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Timeout(limit)),
    }
}
