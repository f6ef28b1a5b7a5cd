//! The evaluation of one action on one resource (IAM user guide:
//! `reference_policies_evaluation-logic`): an explicit deny wins, then an allow is needed.

use std::sync::Arc;

use super::context::Context;
use super::document::Effect;
use super::policy::{Policy, Statement};

/// One action on one resource, as IAM is asked about it.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// Such as `ec2:CopyImage`.
    pub action: String,
    /// The ARN, or `*` for an action that is about no resource.
    pub resource: String,
    pub context: Context,
    /// Whether the resource is not there, so that it has no tags that could allow anything.
    pub missing: bool,
}

impl Check {
    pub(super) fn of(action: &str, resource: &str, context: Context) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context,
            missing: false,
        }
    }

    /// The same of a resource that may not be there.
    pub(super) fn of_what_may_be_missing(
        action: &str,
        resource: &str,
        context: Context,
        is_there: bool,
    ) -> Self {
        Self {
            missing: !is_there,
            ..Self::of(action, resource, context)
        }
    }
}

/// A statement that has a say, with its policy.
pub(super) type Voice<'a> = (&'a Policy, &'a Statement);

/// What came of it.
#[derive(Debug)]
pub(super) enum Decision<'a> {
    /// These statements allow it, each by itself.
    Allowed(Vec<Voice<'a>>),
    /// This statement denies it.
    Denied(Voice<'a>),
    /// Nothing allows it.
    NotAllowed,
}

pub(super) fn evaluate<'a>(policies: &'a [Arc<Policy>], check: &Check) -> Decision<'a> {
    let mut allowing = Vec::new();
    for (policy, statement) in about(policies, check) {
        if statement
            .conditions
            .iter()
            .all(|one| one.holds(&check.context))
        {
            match statement.effect {
                Effect::Deny => return Decision::Denied((policy, statement)),
                Effect::Allow => allowing.push((policy, statement)),
            }
        }
    }
    if allowing.is_empty() {
        Decision::NotAllowed
    } else {
        Decision::Allowed(allowing)
    }
}

/// The statements that are about an action and a resource, whatever their conditions are.
pub(super) fn about<'a>(
    policies: &'a [Arc<Policy>],
    check: &Check,
) -> impl Iterator<Item = Voice<'a>> {
    let all = policies
        .iter()
        .flat_map(|policy| policy.statements.iter().map(move |one| (&**policy, one)));
    all.filter(|(_, statement)| statement.is_about(&check.action, &check.resource))
}
