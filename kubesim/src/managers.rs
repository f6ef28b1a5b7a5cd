//! Who owns which fields of an object: `metadata.managedFields`, which answers here do not show.

use std::collections::BTreeMap;

use crate::fields::{Difference, Fields};

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) name: String,
    /// Whether by server-side apply: what somebody applies and what the same one updates are two managers.
    pub(crate) applies: bool,
    /// Whether only the status.
    pub(crate) status: bool,
}

/// The fields of each manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Managers(BTreeMap<Manager, Fields>);

impl Managers {
    /// What the manager owns.
    pub(crate) fn owned_by(&self, manager: &Manager) -> Fields {
        self.0.get(manager).cloned().unwrap_or_default()
    }

    /// What anybody else owns.
    pub(crate) fn owned_by_others(&self, manager: &Manager) -> Fields {
        let mut fields = Fields::default();
        for (_, theirs) in self.others(manager) {
            fields.add(theirs);
        }
        fields
    }

    /// Which of the changed fields others own: the manager, as the server's messages call it, and the path.
    pub(crate) fn conflicts(
        &self,
        manager: &Manager,
        difference: &Difference,
        api_version: &str,
    ) -> Vec<(String, String)> {
        let conflicts = self.others(manager).flat_map(|(other, fields)| {
            let name = other.in_words(api_version);
            let paths = fields.shared_paths(&difference.changed).into_iter();
            paths.map(move |path| (name.clone(), path))
        });
        conflicts.collect()
    }

    /// After an update: who changes a field owns it, and nobody else.
    pub(crate) fn update(&mut self, manager: &Manager, difference: &Difference) {
        if difference.changed.is_empty() && difference.removed.is_empty() {
            return;
        }
        let mut mine = self.0.remove(manager).unwrap_or_default();
        mine.add(&difference.changed);
        mine.remove(&difference.removed);
        self.set(manager, mine, difference);
    }

    /// After an apply: what was applied is owned, beside others who own the same.
    pub(crate) fn apply(&mut self, manager: &Manager, applied: Fields, difference: &Difference) {
        self.set(manager, applied, difference);
    }

    fn set(&mut self, manager: &Manager, mine: Fields, difference: &Difference) {
        self.0.remove(manager);
        for fields in self.0.values_mut() {
            fields.remove(&difference.changed);
            fields.remove(&difference.removed);
        }
        self.0.insert(manager.clone(), mine);
        self.0.retain(|_, fields| !fields.is_empty());
    }

    fn others<'a>(
        &'a self,
        manager: &'a Manager,
    ) -> impl Iterator<Item = (&'a Manager, &'a Fields)> {
        self.0.iter().filter(move |(other, _)| *other != manager)
    }
}

impl Manager {
    fn in_words(&self, api_version: &str) -> String {
        let mut words = format!("{:?}", self.name);
        if self.status {
            words += " with subresource \"status\"";
        }
        if !self.applies {
            words = format!("{words} using {api_version}");
        }
        words
    }
}
