//! Sets of fields: what `metadata.managedFields` is made of, and what two states of an object differ in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::shape::{List, Shape};

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Field(String),
    /// The item of a list that has these values (as JSON) in its key fields.
    Key(Vec<(String, String)>),
    /// The item of a set, as JSON.
    Item(String),
}

/// A set of fields, as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Whether the place itself is in the set.
    is_member: bool,
    below: BTreeMap<Step, Fields>,
}

/// What a new state of an object has that the old one has not, or has otherwise; and what it lacks.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) changed: Fields,
    pub(crate) removed: Fields,
}

/// No field.
pub(crate) static NONE: Fields = Fields {
    is_member: false,
    below: BTreeMap::new(),
};

impl Fields {
    /// The leaves of a value, and the items of its lists: what somebody owns who applies it.
    pub(crate) fn of(value: &Value, shape: &Shape) -> Self {
        Self::with_containers(value, shape, false)
    }

    fn with_containers(value: &Value, shape: &Shape, containers: bool) -> Self {
        let Some(parts) = parts(value, shape) else {
            return Self {
                is_member: true,
                below: BTreeMap::new(),
            };
        };
        let mut fields = Self {
            is_member: containers,
            below: BTreeMap::new(),
        };
        for (step, (value, shape)) in parts {
            let mut part = Self::with_containers(value, shape, containers);
            part.is_member |= !matches!(step, Step::Field(_));
            fields.insert(step, part);
        }
        fields
    }

    fn insert(&mut self, step: Step, part: Self) {
        if !part.is_empty() {
            self.below.insert(step, part);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.is_member && self.below.is_empty()
    }

    /// What is in the set below a step, if anything.
    pub(crate) fn below(&self, step: &Step) -> Option<&Self> {
        self.below.get(step)
    }

    /// The steps below which something is in the set.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&Step, &Self)> {
        self.below.iter()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.is_member |= other.is_member;
        for (step, part) in &other.below {
            self.below.entry(step.clone()).or_default().add(part);
        }
    }

    pub(crate) fn remove(&mut self, other: &Self) {
        self.is_member &= !other.is_member;
        for (step, part) in &other.below {
            if let Some(mine) = self.below.get_mut(step) {
                mine.remove(part);
                if mine.is_empty() {
                    self.below.remove(step);
                }
            }
        }
    }

    /// The paths of what both have, as in `.spec.parts[name="lid"].color`.
    pub(crate) fn shared_paths(&self, other: &Self) -> Vec<String> {
        let mut paths = Vec::new();
        self.walk_shared(other, &mut String::new(), &mut paths);
        paths
    }

    fn walk_shared(&self, other: &Self, path: &mut String, paths: &mut Vec<String>) {
        if self.is_member && other.is_member {
            paths.push(path.clone());
        }
        for (step, part) in &self.below {
            if let Some(others) = other.below.get(step) {
                let length = path.len();
                step.write(path);
                part.walk_shared(others, path, paths);
                path.truncate(length);
            }
        }
    }
}

impl Step {
    fn write(&self, path: &mut String) {
        let written = match self {
            Self::Field(name) => write!(path, ".{name}"),
            Self::Item(item) => write!(path, "[={item}]"),
            Self::Key(keys) => {
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                write!(path, "[{}]", keys.join(","))
            }
        };
        written.expect("a String takes everything");
    }

    /// The step to an item of a list that is merged item by item.
    pub(crate) fn to_item(item: &Value, list: &List) -> Self {
        match list {
            List::Map(keys) => {
                let key = |name: &String| (name.clone(), item[name].to_string());
                Self::Key(keys.iter().map(key).collect())
            }
            List::Atomic | List::Set => Self::Item(item.to_string()),
        }
    }
}

/// The parts of a value that are owned one by one; `None` if it is one piece.
fn parts<'a>(value: &'a Value, shape: &'a Shape) -> Option<BTreeMap<Step, (&'a Value, &'a Shape)>> {
    match value {
        Value::Object(map) if !map.is_empty() && !shape.is_atomic_map() => {
            let parts = map
                .iter()
                .map(|(name, value)| (name, value, shape.field(name)));
            let tracked = parts.filter(|(_, _, shape)| !shape.is_untracked());
            let parts =
                tracked.map(|(name, value, shape)| (Step::Field(name.clone()), (value, shape)));
            Some(parts.collect())
        }
        Value::Array(items) if *shape.list() != List::Atomic => {
            let part = |item| (Step::to_item(item, shape.list()), (item, shape.item()));
            Some(items.iter().map(part).collect())
        }
        _ => None,
    }
}

/// What changes from `old` to `new`.
pub(crate) fn compare(old: &Value, new: &Value, shape: &Shape) -> Difference {
    let mut difference = Difference::default();
    match (parts(old, shape), parts(new, shape)) {
        (Some(mut old), Some(new)) => {
            for (step, (new, shape)) in new {
                match old.remove(&step) {
                    Some((old, _)) if old == new => {}
                    Some((old, _)) => {
                        let below = compare(old, new, shape);
                        difference.changed.insert(step.clone(), below.changed);
                        difference.removed.insert(step, below.removed);
                    }
                    None => {
                        let added = Fields::with_containers(new, shape, true);
                        difference.changed.insert(step, added);
                    }
                }
            }
            for (step, (old, shape)) in old {
                let removed = Fields::with_containers(old, shape, true);
                difference.removed.insert(step, removed);
            }
        }
        _ if old == new => {}
        (was_parts, _) => {
            difference.changed = Fields::with_containers(new, shape, true);
            if was_parts.is_some() {
                difference.removed = Fields::with_containers(old, shape, true);
                difference.removed.is_member = false;
            }
        }
    }
    difference
}
