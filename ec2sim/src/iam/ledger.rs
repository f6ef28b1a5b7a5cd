//! The ledger: what each part of each policy did, so that a test can fail on a part that nothing
//! needed, and every denial.
//!
//! It is no part of the world's state: clones share it, worlds are equal whatever is in it.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::document::Effect;
use super::evaluate::{Check, Voice};
use super::pattern::fits_arn;
use super::policy::{Policy, Statement, fits_action};

/// The uses of the parts of all policies, and the denials.
#[derive(Clone, Debug, Default)]
pub struct PolicyLedger(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    policies: BTreeMap<String, Vec<StatementUse>>,
    denials: Vec<DenialRecord>,
}

/// What the statements of a policy did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyUse {
    /// The policy's name.
    pub policy: String,
    /// Its statements in their order.
    pub statements: Vec<StatementUse>,
}

/// What a statement did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementUse {
    /// Its `Sid`, or its number from 1 on.
    pub sid: String,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
    /// By action as the policy writes it. One line for each where it is `NotAction`, too.
    pub actions: BTreeMap<String, ActionUse>,
    /// How often each resource pattern had a say in a use.
    pub resources: BTreeMap<String, u64>,
}

/// What one action pattern of a statement did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionUse {
    /// How often it allowed a call that went through, or denied one, by the statement's effect.
    pub used: u64,
    /// How often nothing else would have allowed it.
    pub needed: u64,
    /// By operator and condition key, such as `StringEquals aws:ResourceTag/owner`.
    pub conditions: BTreeMap<String, ConditionUse>,
}

/// What one condition key did for one action pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionUse {
    /// How often it held in such a use, and the call had the key.
    pub held: u64,
    /// How often it was what kept the statement from being used.
    pub failed: u64,
    /// How often each of its values was the one of such a use.
    pub values: BTreeMap<String, u64>,
}

/// A call that was denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DenialRecord {
    /// When, by the world's clock.
    pub time: String,
    /// Who called.
    pub principal: String,
    /// The region of the call.
    pub region: String,
    /// The action that was called, such as `CopyImage`.
    pub call: String,
    /// The action that is not allowed, such as `ec2:CreateTags`.
    pub action: String,
    /// The resource, or `*`.
    pub resource: String,
    /// Why, as AWS words it.
    pub reason: String,
    /// Whether the resource is not there: what may be removed by its tags only is denied for that
    /// alone when it is to be removed once more (`facts: missingResourcesAreDenied`).
    pub missing: bool,
}

impl PolicyLedger {
    /// What the policies did so far, by name.
    pub fn policies(&self) -> Vec<PolicyUse> {
        let inner = self.lock();
        let all = inner.policies.iter().map(|(policy, statements)| PolicyUse {
            policy: policy.clone(),
            statements: statements.clone(),
        });
        all.collect()
    }

    /// The calls that were denied so far.
    pub fn denials(&self) -> Vec<DenialRecord> {
        self.lock().denials.clone()
    }

    /// What no call needed of what policies allow, in words: actions, resources, condition keys
    /// and their values. Statements that deny are not in it: that they do nothing is well.
    pub fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        for PolicyUse { policy, statements } in self.policies() {
            for statement in statements.iter().filter(|one| one.effect == "Allow") {
                statement.tell_unused(&policy, &mut unused);
            }
        }
        unused
    }

    /// Lists a policy with nothing used; one of the same name that says the same goes on.
    pub(super) fn register(&self, policy: &Policy) {
        let rows: Vec<_> = policy.statements.iter().map(StatementUse::none).collect();
        let mut inner = self.lock();
        let held = inner.policies.entry(policy.name().to_owned()).or_default();
        let same = held.len() == rows.len()
            && held
                .iter()
                .zip(&rows)
                .all(|(old, new)| old.is_of_the_same(new));
        if !same {
            *held = rows;
        }
    }

    /// Counts a check that went well in a call that did, with all the statements that allow it.
    pub(super) fn allowed(&self, check: &Check, voices: &[Voice<'_>]) {
        let mut inner = self.lock();
        for voice in voices {
            inner.used(check, *voice, voices.len() == 1);
        }
    }

    /// Counts a statement that denied.
    pub(super) fn denied(&self, check: &Check, voice: Voice<'_>) {
        self.lock().used(check, voice, true);
    }

    /// Counts the one condition that kept a statement from being used, if it was one.
    pub(super) fn considered(&self, check: &Check, (policy, statement): Voice<'_>) {
        let mut failing = statement
            .conditions
            .iter()
            .filter(|one| !one.holds(&check.context));
        if let (Some(condition), None) = (failing.next(), failing.next()) {
            let mut inner = self.lock();
            if let Some(row) = inner.row(policy, statement) {
                for action in row.actions_for(statement, &check.action) {
                    let held = action.conditions.entry(condition.name()).or_default();
                    held.failed += 1;
                }
            }
        }
    }

    pub(super) fn denial(&self, record: DenialRecord) {
        self.lock().denials.push(record);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn row(&mut self, policy: &Policy, statement: &Statement) -> Option<&mut StatementUse> {
        let rows = self.policies.get_mut(policy.name())?;
        rows.iter_mut().find(|row| row.sid == statement.sid)
    }

    fn used(&mut self, check: &Check, (policy, statement): Voice<'_>, needed: bool) {
        let Some(row) = self.row(policy, statement) else {
            return;
        };
        let resources = &statement.resources;
        for pattern in
            resources.fitting(|pattern| fits_arn(pattern, &check.resource) != resources.negated)
        {
            *row.resources.entry(pattern.clone()).or_default() += 1;
        }
        for action in row.actions_for(statement, &check.action) {
            action.used += 1;
            action.needed += u64::from(needed);
            for condition in &statement.conditions {
                let held = action.conditions.entry(condition.name()).or_default();
                held.held += u64::from(condition.is_about(&check.context));
                for value in condition.values_met(&check.context) {
                    *held.values.entry(value.clone()).or_default() += 1;
                }
            }
        }
    }
}

impl StatementUse {
    fn none(statement: &Statement) -> Self {
        let conditions: BTreeMap<_, _> = statement
            .conditions
            .iter()
            .map(|condition| {
                let values = condition.values.iter().map(|value| (value.clone(), 0));
                let none = ConditionUse {
                    values: values.collect(),
                    ..ConditionUse::default()
                };
                (condition.name(), none)
            })
            .collect();
        let action = ActionUse {
            conditions,
            ..ActionUse::default()
        };
        let actions = statement.actions.written.iter();
        let resources = statement.resources.written.iter();
        Self {
            sid: statement.sid.clone(),
            effect: match statement.effect {
                Effect::Allow => "Allow",
                Effect::Deny => "Deny",
            },
            actions: actions.map(|name| (name.clone(), action.clone())).collect(),
            resources: resources.map(|arn| (arn.clone(), 0)).collect(),
        }
    }

    fn is_of_the_same(&self, other: &Self) -> bool {
        let conditions = |row: &Self| {
            let first = row.actions.values().next();
            let all = first
                .into_iter()
                .flat_map(|action| action.conditions.clone());
            all.map(|(name, one)| (name, one.values.into_keys().collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        };
        self.sid == other.sid
            && self.effect == other.effect
            && self.actions.keys().eq(other.actions.keys())
            && self.resources.keys().eq(other.resources.keys())
            && conditions(self) == conditions(other)
    }

    fn actions_for(
        &mut self,
        statement: &Statement,
        action: &str,
    ) -> impl Iterator<Item = &mut ActionUse> {
        let negated = statement.actions.negated;
        self.actions
            .iter_mut()
            .filter(move |(pattern, _)| fits_action(pattern, action) != negated)
            .map(|(_, row)| row)
    }

    fn tell_unused(&self, policy: &str, unused: &mut Vec<String>) {
        let place = format!("{policy}: {}", self.sid);
        for (action, row) in &self.actions {
            if row.used == 0 {
                unused.push(format!("{place}: {action}"));
            }
        }
        for (resource, used) in &self.resources {
            if *used == 0 {
                unused.push(format!("{place}: {resource}"));
            }
        }
        let first = self.actions.values().next();
        for (name, condition) in first.into_iter().flat_map(|row| &row.conditions) {
            let of_all = || {
                self.actions
                    .values()
                    .filter_map(|row| row.conditions.get(name))
            };
            if of_all().all(|one| one.held == 0) {
                unused.push(format!("{place}: {name}"));
            }
            for value in condition.values.keys() {
                let met = |one: &ConditionUse| one.values.get(value).is_some_and(|met| *met > 0);
                if !of_all().any(met) {
                    unused.push(format!("{place}: {name}: {value}"));
                }
            }
        }
    }
}

impl PartialEq for PolicyLedger {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for PolicyLedger {}

impl Hash for PolicyLedger {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
