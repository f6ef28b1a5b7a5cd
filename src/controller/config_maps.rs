//! The ConfigMaps that name the published images. They are this controller's own by their owner reference, which
//! also lets the cluster delete them with their object.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amity_core::api::MachineImage;
use amity_core::image::observed;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use super::objects::{Error, counted, in_time, post_params};
use super::told;
use crate::telemetry::Metrics;

/// What all of them carry, so that only they are watched.
const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "amity");

/// What metrics call them.
const RESOURCE: &str = "configmaps";

/// All of them, and how they are written.
pub struct ConfigMaps {
    client: Client,
    metrics: Metrics,
    all: Store<ConfigMap>,
    /// What was written and the cache does not show yet, by object and name: its watch may be held up for hours.
    written: Mutex<BTreeMap<String, BTreeMap<String, Written>>>,
}

/// What became of a ConfigMap.
struct Written {
    /// The resource version that the cache had of it; `None`, if it had none.
    cached: Option<String>,
    /// The ConfigMap; `None`, if it was deleted.
    now: Option<ConfigMap>,
}

impl ConfigMaps {
    /// Watches them, and gives namespace and name of the object of each that was touched. The cache has a change
    /// before its object is given.
    pub(super) fn watch(
        client: Client,
        metrics: Metrics,
    ) -> (Self, impl Stream<Item = (String, String)> + Send) {
        let (all, writer) = reflector::store();
        let labelled = watcher::Config::default().labels(&selector());
        let events = watcher(Api::<ConfigMap>::all(client.clone()), labelled)
            .default_backoff()
            .modify(|one| one.managed_fields_mut().clear())
            .reflect(writer);
        let touched = told(events.touched_objects())
            .try_filter_map(|one| async move { Ok(object_of(&one)) })
            .filter_map(|object| async { object.ok() });
        let written = Mutex::default();
        let all = Self {
            client,
            metrics,
            all,
            written,
        };
        (all, touched)
    }

    /// Those of an object, and, where that is asked, whether somebody else's has the name that the spec says; `None`
    /// before all were read.
    pub async fn of(&self, image: &MachineImage, ask: bool) -> Option<observed::ConfigMaps> {
        self.all.wait_until_ready().now_or_never()?.ok()?;
        let ours = self.ours(image);
        let publish = image.spec.publish.as_ref();
        let wanted = publish.and_then(|publish| publish.config_map_name.as_ref());
        let name_is_taken = match wanted {
            Some(name) if ask && !ours.contains_key(name) => self.is_taken(image, name).await,
            _ => None,
        };
        Some(observed::ConfigMaps {
            ours,
            name_is_taken,
        })
    }

    /// As the cache has them, with what was written laid over it.
    fn ours(&self, image: &MachineImage) -> BTreeMap<String, BTreeMap<String, String>> {
        let all = self.all.state();
        let cached = all.iter().filter(|one| is_of(one, image));
        let mut ours: BTreeMap<_, _> = cached
            .map(|one| (one.name_any(), one.data.clone().unwrap_or_default()))
            .collect();
        let mut written = self.lock_written();
        let Some(of_object) = written.get_mut(&image.key()) else {
            return ours;
        };
        of_object.retain(|name, written| self.cached_version(image, name) == written.cached);
        for (name, written) in of_object {
            match &written.now {
                Some(now) => ours.insert(name.clone(), now.data.clone().unwrap_or_default()),
                None => ours.remove(name),
            };
        }
        ours
    }

    /// The resource version of what the cache has.
    fn cached_version(&self, image: &MachineImage, name: &str) -> Option<String> {
        let at = ObjectRef::new(name).within(image.namespace());
        self.all.get(&at)?.resource_version()
    }

    fn remember(
        &self,
        image: &MachineImage,
        name: &str,
        cached: Option<String>,
        now: Option<ConfigMap>,
    ) {
        let mut written = self.lock_written();
        let of_object = written.entry(image.key()).or_default();
        of_object.insert(name.to_owned(), Written { cached, now });
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &str) {
        self.lock_written().remove(key);
    }

    fn lock_written(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Written>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_taken(&self, image: &MachineImage, name: &str) -> Option<bool> {
        match self.get(image, name).await {
            Ok(found) => Some(found.is_some_and(|found| !is_of(&found, image))),
            Err(error) => {
                let object = image.key();
                tracing::warn!(object, name, %error, "the ConfigMap cannot be read");
                None
            }
        }
    }

    /// Writes the one of this name, unless it is somebody else's. Whether it did.
    ///
    /// # Errors
    /// It was changed meanwhile, or cannot be written.
    pub async fn write(
        &self,
        image: &MachineImage,
        name: &str,
        data: &BTreeMap<String, String>,
    ) -> Result<bool, Error> {
        let api = self.api(image);
        let cached = self.cached_version(image, name);
        let found = self.get(image, name).await?;
        let mut wanted = found.clone().unwrap_or_default();
        wanted.metadata.name = Some(name.to_owned());
        wanted.metadata.owner_references = image.owner_ref(&()).map(|owner| vec![owner]);
        wanted
            .labels_mut()
            .insert(LABEL.0.to_owned(), LABEL.1.to_owned());
        (wanted.data, wanted.binary_data) = (Some(data.clone()), None);
        let now = match found {
            None => in_time(api.create(&post_params(), &wanted)).await,
            // With the resource version that was read.
            Some(found) if is_of(&found, image) => {
                in_time(api.replace(name, &post_params(), &wanted)).await
            }
            Some(_) => return Ok(false),
        };
        let now = counted(&self.metrics, RESOURCE, now)?;
        self.remember(image, name, cached, Some(now));
        Ok(true)
    }

    /// Deletes the one of this name, unless it is somebody else's. Whether there was one.
    ///
    /// # Errors
    /// It was changed meanwhile, or cannot be deleted.
    pub async fn delete(&self, image: &MachineImage, name: &str) -> Result<bool, Error> {
        let cached = self.cached_version(image, name);
        let found = self.get(image, name).await?;
        let mut is_ours = false;
        if let Some(found) = found.filter(|found| is_of(found, image)) {
            let as_it_was_read = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: found.metadata.uid,
                    resource_version: found.metadata.resource_version,
                }),
                ..DeleteParams::default()
            };
            let deleted = in_time(self.api(image).delete(name, &as_it_was_read)).await;
            counted(&self.metrics, RESOURCE, deleted)?;
            is_ours = true;
        }
        self.remember(image, name, cached, None);
        Ok(is_ours)
    }

    async fn get(&self, image: &MachineImage, name: &str) -> Result<Option<ConfigMap>, Error> {
        in_time(self.api(image).get_opt(name)).await
    }

    fn api(&self, image: &MachineImage) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), image.namespace())
    }
}

/// What selects all of them by their label.
pub(crate) fn selector() -> String {
    format!("{}={}", LABEL.0, LABEL.1)
}

/// Whether the object owns it: this very one, and not one of its name before or after it.
pub(crate) fn is_of(one: &ConfigMap, image: &MachineImage) -> bool {
    let uid = image.metadata.uid.as_deref();
    one.metadata.namespace == image.metadata.namespace
        && one
            .owner_references()
            .iter()
            .any(|owner| Some(owner.uid.as_str()) == uid)
}

/// Namespace and name of the `MachineImage` that owns it.
fn object_of(one: &ConfigMap) -> Option<(String, String)> {
    let owners = one.owner_references().iter();
    let owner = owners
        .filter(|owner| owner.kind == MachineImage::kind(&()))
        .find(|owner| owner.api_version == MachineImage::api_version(&()))?;
    Some((one.metadata.namespace.clone()?, owner.name.clone()))
}
