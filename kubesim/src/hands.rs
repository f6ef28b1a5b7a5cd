//! What tests do to a cluster, besides asking it: as its users, and as what befalls it.

use std::collections::BTreeMap;

use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::delete::Preconditions;
use crate::kubernetes::Kubernetes;
use crate::managers::Manager;
use crate::object::metadata;
use crate::refusal::Refusal;
use crate::state::{Snapshot, key};
use crate::write::Target;

/// As whom the hands write.
const USER: &str = "user";

impl Kubernetes {
    /// What `kubectl apply --server-side --force-conflicts` does with a manifest; its namespace is in its metadata.
    /// Gives the object as it is then.
    ///
    /// # Errors
    /// As the server refuses it. A status, which users do not write, is not applied.
    ///
    /// # Panics
    /// Where it is no object, or of a resource that is not served.
    pub fn apply(&self, manifest: &impl Serialize) -> Result<Value, Refusal> {
        let manifest = serde_json::to_value(manifest).expect("an object is JSON");
        let text = |field: &str| manifest[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let name = metadata(&manifest, "name").to_owned();
        let namespace = metadata(&manifest, "namespace").to_owned();
        let mut state = self.state();
        let at = state.find_kind(&api_version, &kind);
        let at = at.unwrap_or_else(|| panic!("{kind} of {api_version} is not served"));
        let target = Target {
            at,
            namespace: Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()),
            name: &name,
            status: false,
        };
        let written = state.apply(target, manifest, &user(true, false), true, self.now())?;
        Ok(written.object.value.clone())
    }

    /// What `kubectl patch --type=merge` does. An object without a namespace has `None`.
    ///
    /// # Errors
    /// As the server refuses it.
    pub fn patch<K: Resource<DynamicType = ()>>(
        &self,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<(), Refusal> {
        self.patch_endpoint::<K>(namespace, name, patch, false)
    }

    /// Deletes the status of an object.
    ///
    /// # Errors
    /// As the server refuses it.
    pub fn wipe_status<K: Resource<DynamicType = ()>>(
        &self,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), Refusal> {
        let patch = serde_json::json!({"status": null});
        self.patch_endpoint::<K>(namespace, name, &patch, true)
    }

    fn patch_endpoint<K: Resource<DynamicType = ()>>(
        &self,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        status: bool,
    ) -> Result<(), Refusal> {
        let at = self.at::<K>();
        let target = Target {
            at,
            namespace,
            name,
            status,
        };
        let mut state = self.state();
        state.patch(target, patch, &user(false, status)).map(drop)
    }

    /// What `kubectl delete --wait=false` does.
    ///
    /// # Errors
    /// As the server refuses it.
    pub fn delete<K: Resource<DynamicType = ()>>(
        &self,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), Refusal> {
        let (at, key) = (self.at::<K>(), key(namespace, name));
        let preconditions = Preconditions::default();
        let deleted = self.state().delete(at, &key, &preconditions, self.now());
        deleted.map(drop)
    }

    /// An object as it is now.
    ///
    /// # Panics
    /// Where it cannot be read as a `K`.
    pub fn get<K>(&self, namespace: Option<&str>, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let at = self.at::<K>();
        let object = self.state().get(at, &key(namespace, name)).cloned()?;
        Some(typed(&object.value))
    }

    /// All objects of a resource, in the order of namespaces and names.
    ///
    /// # Panics
    /// Where one cannot be read as a `K`.
    pub fn list<K>(&self) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let at = self.at::<K>();
        let objects: Vec<_> = self.state().collections[at]
            .objects
            .values()
            .cloned()
            .collect();
        objects.iter().map(|object| typed(&object.value)).collect()
    }

    fn at<K: Resource<DynamicType = ()>>(&self) -> usize {
        let (group, version, plural) = (K::group(&()), K::version(&()), K::plural(&()));
        let at = self.state().find(&group, &version, &plural);
        at.unwrap_or_else(|| panic!("{plural} of {group}/{version} are not served"))
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot()
    }

    /// Puts everything back as it was, as when etcd is restored from a backup: resource versions go back and are
    /// given again, and open watches end. One that comes back with an older version gets 410 Gone, because what
    /// the API server remembered is lost; one that comes back with a version that was given after the backup is
    /// told nothing until that is passed again. Uids are not given again.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.state().restore(snapshot);
    }

    /// Ends all open watches.
    pub fn drop_watches(&self) {
        self.state().drop_watches();
    }

    /// Forgets what happened: a watch or a list that goes on from before gets 410 Gone. Open watches go on.
    pub fn compact(&self) {
        self.state().compact();
    }

    /// From now on watches are told nothing, as when the API server lags behind; reads are up to date.
    pub fn hold_watches(&self) {
        self.state().hold_watches();
    }

    /// Watches are told what they were not, and everything from now on.
    pub fn release_watches(&self) {
        self.state().release_watches();
    }

    /// How many writes were answered with success, by endpoint, as in `widgets/status`: also those that
    /// changed nothing, and not those of these hands.
    pub fn writes(&self) -> BTreeMap<String, u64> {
        self.state().writes.clone()
    }

    /// The last resource version that was given.
    pub fn version(&self) -> u64 {
        self.state().version
    }
}

fn user(applies: bool, status: bool) -> Manager {
    Manager {
        name: USER.to_owned(),
        applies,
        status,
    }
}

fn typed<K: DeserializeOwned>(value: &Value) -> K {
    K::deserialize(value).unwrap_or_else(|error| panic!("{error}: {value}"))
}
