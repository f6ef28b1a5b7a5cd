//! Server-side apply: what is applied is laid over what is there, what the manager applied before and no longer
//! does is taken away, and what another manager owns is a conflict.

use serde_json::{Map, Value};

use crate::fields::{Fields, NONE, Step, compare};
use crate::managers::{Manager, Managers};
use crate::refusal::Refusal;
use crate::shape::{List, Shape};

/// An apply that is to be made.
pub(crate) struct Apply<'a> {
    /// What is applied.
    pub(crate) config: &'a Value,
    pub(crate) manager: &'a Manager,
    /// Whether the fields of others are taken.
    pub(crate) force: bool,
    pub(crate) shape: &'a Shape,
}

impl Apply<'_> {
    /// What `live` becomes, and whose it is then.
    pub(crate) fn to(
        &self,
        live: &Value,
        managers: &Managers,
    ) -> Result<(Value, Managers), Refusal> {
        let applied = Fields::of(self.config, self.shape);
        let (last, others) = (
            managers.owned_by(self.manager),
            managers.owned_by_others(self.manager),
        );
        let mut new = merged(Some(live), Some(self.config), self.shape);
        prune(&mut new, &last, &applied, &others, self.shape);
        let difference = compare(live, &new, self.shape);
        if !self.force {
            let api_version = live["apiVersion"].as_str().unwrap_or_default();
            let conflicts = managers.conflicts(self.manager, &difference, api_version);
            if !conflicts.is_empty() {
                return Err(Refusal::owned_by_others(&conflicts));
            }
        }
        let mut managers = managers.clone();
        managers.apply(self.manager, applied, &difference);
        Ok((new, managers))
    }
}

/// `config` laid over `live`; one of the two may be absent.
fn merged(live: Option<&Value>, config: Option<&Value>, shape: &Shape) -> Value {
    match (live, config) {
        (Some(Value::Object(live)), Some(Value::Object(config))) if !shape.is_atomic_map() => {
            let mut merged_map: Map<String, Value> = live.clone();
            for (name, value) in config {
                let merged = merged(live.get(name), Some(value), shape.field(name));
                merged_map.insert(name.clone(), merged);
            }
            Value::Object(merged_map)
        }
        (Some(Value::Array(live)), Some(Value::Array(config))) if *shape.list() != List::Atomic => {
            Value::Array(merged_lists(live, config, shape))
        }
        (live, config) => config.or(live).cloned().unwrap_or_default(),
    }
}

/// The items in the order of `config`, and those that only `live` has where they stand between them.
fn merged_lists(live: &[Value], config: &[Value], shape: &Shape) -> Vec<Value> {
    let steps = |items: &[Value]| -> Vec<Step> {
        let step = |item| Step::to_item(item, shape.list());
        items.iter().map(step).collect()
    };
    let (live_steps, config_steps) = (steps(live), steps(config));
    let mut merged_items = Vec::with_capacity(live.len().max(config.len()));
    let mut at = 0;
    for (index, step) in config_steps.iter().enumerate() {
        let next_shared = config_steps[index..]
            .iter()
            .find(|step| live_steps.contains(step));
        while let Some(ours) = live_steps.get(at).filter(|ours| *ours != step) {
            if !config_steps.contains(ours) {
                merged_items.push(live[at].clone());
            } else if Some(ours) == next_shared {
                break;
            }
            at += 1;
        }
        if live_steps.get(at) == Some(step) {
            at += 1;
        }
        let ours = live_steps.iter().position(|ours| ours == step);
        let ours = ours.map(|position| &live[position]);
        merged_items.push(merged(ours, Some(&config[index]), shape.item()));
    }
    let rest = live_steps[at..].iter().zip(&live[at..]);
    let rest = rest.filter(|(step, _)| !config_steps.contains(step));
    merged_items.extend(rest.map(|(_, item)| item.clone()));
    merged_items
}

/// Takes away what the manager owned `last` and owns `now` no more, unless `others` own it.
fn prune(value: &mut Value, last: &Fields, now: &Fields, others: &Fields, shape: &Shape) {
    for (step, last) in last.steps() {
        let (now, others) = (now.below(step), others.below(step));
        if now.is_none() && others.is_none() && !holds_parts_of_the_server(step, shape) {
            remove(value, step, shape);
        } else if let Some((value, shape)) = part(value, step, shape) {
            prune(
                value,
                last,
                now.unwrap_or(&NONE),
                others.unwrap_or(&NONE),
                shape,
            );
        }
    }
}

/// Metadata stays, whoever owned the last of what can be owned in it.
fn holds_parts_of_the_server(step: &Step, shape: &Shape) -> bool {
    matches!(step, Step::Field(name) if shape.field(name).has_untracked_fields())
}

fn remove(value: &mut Value, step: &Step, shape: &Shape) {
    match (value, step) {
        (Value::Object(map), Step::Field(name)) => {
            map.remove(name);
        }
        (Value::Array(items), _) => items.retain(|item| Step::to_item(item, shape.list()) != *step),
        _ => {}
    }
}

fn part<'a, 'b>(
    value: &'a mut Value,
    step: &Step,
    shape: &'b Shape,
) -> Option<(&'a mut Value, &'b Shape)> {
    match (value, step) {
        (Value::Object(map), Step::Field(name)) => {
            map.get_mut(name).map(|part| (part, shape.field(name)))
        }
        (Value::Array(items), _) => {
            let item = items
                .iter_mut()
                .find(|item| Step::to_item(item, shape.list()) == *step);
            item.map(|item| (item, shape.item()))
        }
        _ => None,
    }
}
