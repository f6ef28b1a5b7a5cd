//! What is stored: objects by resource and name, one counter of resource versions, and of each resource the
//! changes that watches are told. No clock and no chance.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use serde_json::json;

use crate::managers::Managers;
use crate::object::Object;
use crate::resources::{Resource, built_in};
use crate::watch::Watcher;

/// How many changes of a resource are remembered for watches that come back.
const REMEMBERED: usize = 4096;

/// The whole store.
pub(crate) struct State {
    pub(crate) collections: Vec<Collection>,
    /// The last resource version that was given.
    pub(crate) version: u64,
    seed: u64,
    uids: u64,
    /// Since which version watches are told nothing.
    held: Option<u64>,
    /// What they were not told, and of which collection.
    untold: Vec<(usize, Arc<Change>)>,
    pub(crate) writes: BTreeMap<String, u64>,
}

/// The objects of a resource.
pub(crate) struct Collection {
    pub(crate) resource: Arc<Resource>,
    /// By `namespace/name`, or name: in the order in which they are listed.
    pub(crate) objects: BTreeMap<String, Arc<Object>>,
    changes: VecDeque<Arc<Change>>,
    /// The objects at an older version are not remembered.
    forgotten: u64,
    /// Watches that begin at an older version would miss something.
    pub(crate) begins: u64,
    watchers: Vec<Watcher>,
}

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) before: Option<Arc<Object>>,
    pub(crate) after: Option<Arc<Object>>,
    last: OnceLock<Arc<Object>>,
}

impl Change {
    /// The last state of what went, under the version at which it did.
    pub(crate) fn last(&self, before: &Object) -> &Arc<Object> {
        self.last.get_or_init(|| {
            let mut value = before.value.clone();
            value["metadata"]["resourceVersion"] = json!(self.version.to_string());
            Arc::new(Object::new(value, Managers::default()))
        })
    }
}

/// The objects at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    version: u64,
    objects: Vec<BTreeMap<String, Arc<Object>>>,
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            collections: built_in().into_iter().map(Collection::of).collect(),
            version: 0,
            seed,
            uids: 0,
            held: None,
            untold: Vec::new(),
            writes: BTreeMap::new(),
        }
    }

    /// Serves a resource, or serves it otherwise from now on.
    pub(crate) fn serve(&mut self, resource: Resource) {
        let resource = Arc::new(resource);
        let known = self.collections.iter_mut().find(|known| {
            let known = &known.resource;
            (&known.group, &known.version, &known.plural)
                == (&resource.group, &resource.version, &resource.plural)
        });
        if let Some(known) = known {
            known.resource = resource;
        } else {
            let mut collection = Collection::of(resource);
            collection.begins = self.version;
            self.collections.push(collection);
        }
    }

    /// Which collection serves this resource.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<usize> {
        self.collections.iter().position(|known| {
            let known = &known.resource;
            (
                known.group.as_str(),
                known.version.as_str(),
                known.plural.as_str(),
            ) == (group, version, plural)
        })
    }

    /// Which collection objects of this kind are in.
    pub(crate) fn find_kind(&self, api_version: &str, kind: &str) -> Option<usize> {
        self.collections.iter().position(|known| {
            known.resource.kind == kind && known.resource.api_version() == api_version
        })
    }

    pub(crate) fn resource(&self, at: usize) -> Arc<Resource> {
        Arc::clone(&self.collections[at].resource)
    }

    pub(crate) fn get(&self, at: usize, key: &str) -> Option<&Arc<Object>> {
        self.collections[at].objects.get(key)
    }

    /// A uid that nobody had before.
    pub(crate) fn next_uid(&mut self) -> String {
        self.uids += 1;
        let (seed, count) = (self.seed & 0xffff_ffff, self.uids);
        format!("{seed:08x}-0000-4000-8000-{count:012x}")
    }

    /// Stores an object under the next resource version.
    pub(crate) fn put(&mut self, at: usize, key: &str, mut object: Object) -> Arc<Object> {
        self.version += 1;
        object.value["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let after = Arc::new(object);
        let objects = &mut self.collections[at].objects;
        let before = objects.insert(key.to_owned(), Arc::clone(&after));
        self.tell(at, before, Some(Arc::clone(&after)));
        after
    }

    /// Removes an object, and gives its last state.
    pub(crate) fn remove(&mut self, at: usize, key: &str) -> Option<Arc<Object>> {
        let before = self.collections[at].objects.remove(key)?;
        self.version += 1;
        self.tell(at, Some(Arc::clone(&before)), None);
        Some(before)
    }

    fn tell(&mut self, at: usize, before: Option<Arc<Object>>, after: Option<Arc<Object>>) {
        let change = Arc::new(Change {
            version: self.version,
            before,
            after,
            last: OnceLock::new(),
        });
        let collection = &mut self.collections[at];
        collection.changes.push_back(Arc::clone(&change));
        if collection.changes.len() > REMEMBERED
            && let Some(forgotten) = collection.changes.pop_front()
        {
            collection.forget(forgotten.version);
        }
        if self.held.is_some() {
            self.untold.push((at, change));
        } else {
            collection.tell(&change);
        }
    }

    /// The version up to which watches were told everything.
    pub(crate) fn told(&self) -> u64 {
        self.held.unwrap_or(self.version)
    }

    pub(crate) fn hold_watches(&mut self) {
        self.held.get_or_insert(self.version);
    }

    pub(crate) fn release_watches(&mut self) {
        self.held = None;
        for (at, change) in std::mem::take(&mut self.untold) {
            self.collections[at].tell(&change);
        }
    }

    pub(crate) fn drop_watches(&mut self) {
        for collection in &mut self.collections {
            collection.watchers.clear();
        }
    }

    /// Forgets all changes.
    pub(crate) fn compact(&mut self) {
        for collection in &mut self.collections {
            collection.changes.clear();
            collection.forget(self.version);
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let objects = self.collections.iter().map(|one| one.objects.clone());
        Snapshot {
            version: self.version,
            objects: objects.collect(),
        }
    }

    /// Puts everything back as it was, resource versions too. Uids that were given since are not given again.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) {
        self.drop_watches();
        self.version = snapshot.version;
        self.held = self.held.map(|_| self.version);
        self.untold.clear();
        self.compact();
        for (at, collection) in self.collections.iter_mut().enumerate() {
            // What was defined since has no objects.
            collection.objects = snapshot.objects.get(at).cloned().unwrap_or_default();
        }
    }
}

impl Collection {
    fn of(resource: Arc<Resource>) -> Self {
        Self {
            resource,
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            forgotten: 0,
            begins: 0,
            watchers: Vec::new(),
        }
    }

    fn forget(&mut self, until: u64) {
        self.forgotten = until;
        self.begins = until;
    }

    /// The objects of a namespace, or all.
    pub(crate) fn within<'a>(
        objects: &'a BTreeMap<String, Arc<Object>>,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&'a String, &'a Arc<Object>)> {
        let prefix = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
        objects
            .range(prefix.clone()..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// The objects as they were, unless that is forgotten.
    pub(crate) fn objects_at(&self, version: u64) -> Option<BTreeMap<String, Arc<Object>>> {
        if version < self.forgotten {
            return None;
        }
        let mut objects = self.objects.clone();
        let since = self.changes.iter().rev();
        for change in since.take_while(|change| change.version > version) {
            match (&change.before, &change.after) {
                (Some(before), _) => {
                    objects.insert(key_of(before), Arc::clone(before));
                }
                (None, Some(after)) => {
                    objects.remove(&key_of(after));
                }
                (None, None) => {}
            }
        }
        Some(objects)
    }

    /// What changed after one version, up to another.
    pub(crate) fn changes(&self, after: u64, until: u64) -> impl Iterator<Item = &Arc<Change>> {
        let first = self
            .changes
            .partition_point(|change| change.version <= after);
        let changes = self.changes.range(first..);
        changes.take_while(move |change| change.version <= until)
    }

    pub(crate) fn add_watcher(&mut self, watcher: Watcher) {
        self.watchers.push(watcher);
    }

    fn tell(&mut self, change: &Arc<Change>) {
        self.watchers.retain(|watcher| watcher.tell(change));
    }
}

/// Under which key an object is stored.
pub(crate) fn key(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}/{name}"),
    )
}

fn key_of(object: &Object) -> String {
    key(object.namespace(), object.name())
}
