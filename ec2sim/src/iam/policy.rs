//! A policy that was read: every word in it is one that the evaluation understands.

use super::actions;
use super::condition::Condition;
use super::document::{Document, Effect, OneOrMany, StatementDocument};
use super::pattern::{fits, fits_arn, has_wildcards};

/// Why a policy document is not one, or says what is not evaluated here.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not JSON, or has an element that is not known.
    #[error("{policy}: {error}")]
    Shape {
        /// The policy's name.
        policy: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// A statement says what is not evaluated.
    #[error("{policy}: {statement}: {reason}")]
    Content {
        /// The policy's name.
        policy: String,
        /// The statement's `Sid`, or its number.
        statement: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A policy, under a name that reports call it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    name: String,
    pub(super) statements: Vec<Statement>,
}

/// A statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Statement {
    /// Its `Sid`, or its number from 1 on.
    pub sid: String,
    pub effect: Effect,
    pub actions: Patterns,
    pub resources: Patterns,
    pub conditions: Vec<Condition>,
}

/// What a statement is for, or with `Not…` what it is not for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Patterns {
    /// As they are written.
    pub written: Vec<String>,
    pub negated: bool,
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// Where it is not JSON, or where it has an element, an operator, a condition key or an action
    /// that is not evaluated here.
    pub fn parse(name: &str, json: &str) -> Result<Self, PolicyError> {
        let document: Document =
            serde_json::from_str(json).map_err(|error| PolicyError::Shape {
                policy: name.to_owned(),
                error,
            })?;
        let wrong = |statement: &str, reason: String| PolicyError::Content {
            policy: name.to_owned(),
            statement: statement.to_owned(),
            reason,
        };
        if document.version != "2012-10-17" {
            let reason = format!("the version is 2012-10-17, not {}", document.version);
            return Err(wrong("Version", reason));
        }
        let mut statements: Vec<Statement> = Vec::new();
        for (index, statement) in document.statement.0.into_iter().enumerate() {
            let number = (index + 1).to_string();
            let sid = statement.sid.clone().unwrap_or(number);
            if statements.iter().any(|other| other.sid == sid) {
                return Err(wrong(&sid, "another statement has this Sid".to_owned()));
            }
            let read = Statement::read(sid.clone(), statement);
            statements.push(read.map_err(|reason| wrong(&sid, reason))?);
        }
        Ok(Self {
            name: name.to_owned(),
            statements,
        })
    }

    /// How reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn allows_something(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.effect == Effect::Allow)
    }
}

impl Statement {
    fn read(sid: String, from: StatementDocument) -> Result<Self, String> {
        let actions = one_of("Action", from.action, from.not_action)?;
        let resources = one_of("Resource", from.resource, from.not_resource)?;
        for action in &actions.written {
            actions::check_pattern(action)?;
        }
        for resource in &resources.written {
            check_resource(resource)?;
        }
        let mut conditions = Vec::new();
        for (operator, keys) in from.condition {
            for (key, values) in keys {
                let values = values.0.into_iter().map(super::document::Word::into_text);
                conditions.push(Condition::read(&operator, &key, values.collect())?);
            }
        }
        Ok(Self {
            sid,
            effect: from.effect,
            actions,
            resources,
            conditions,
        })
    }

    /// Whether the statement is about this, whatever its conditions are.
    pub(super) fn is_about(&self, action: &str, resource: &str) -> bool {
        self.actions.include(|pattern| fits_action(pattern, action))
            && self
                .resources
                .include(|pattern| fits_arn(pattern, resource))
    }
}

impl Patterns {
    fn include(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.fitting(fits).next().is_some() != self.negated
    }

    pub(super) fn fitting(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = &String> {
        self.written.iter().filter(move |pattern| fits(pattern))
    }
}

/// Names of actions have no case.
pub(super) fn fits_action(pattern: &str, action: &str) -> bool {
    if has_wildcards(pattern) {
        fits(&pattern.to_lowercase(), &action.to_lowercase())
    } else {
        pattern.eq_ignore_ascii_case(action)
    }
}

fn one_of(
    name: &str,
    these: Option<OneOrMany<String>>,
    not_these: Option<OneOrMany<String>>,
) -> Result<Patterns, String> {
    let (written, negated) = match (these, not_these) {
        (Some(these), None) => (these.0, false),
        (None, Some(not_these)) => (not_these.0, true),
        _ => return Err(format!("write either {name} or Not{name}")),
    };
    if written.is_empty() {
        return Err(format!("{name} is empty"));
    }
    Ok(Patterns { written, negated })
}

fn check_resource(pattern: &str) -> Result<(), String> {
    if pattern.contains("${") {
        return Err(format!(
            "policy variables are not evaluated here: {pattern}"
        ));
    }
    if pattern != "*" && !pattern.starts_with("arn:") {
        return Err(format!("{pattern} is neither * nor an ARN"));
    }
    Ok(())
}
