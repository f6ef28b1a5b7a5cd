//! Commands of Systems Manager.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::lag::Lag;

/// A command that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Command {
    pub owner: String,
    pub document: String,
    pub comment: String,
    /// The lines of the script.
    pub commands: Vec<String>,
    pub sent: Timestamp,
    /// Until when it must have begun.
    pub delivered_until: Timestamp,
    /// How long it may run.
    pub execution_seconds: u64,
    pub born: Lag,
    /// By instance.
    pub invocations: BTreeMap<String, Invocation>,
}

/// A command on one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Invocation {
    /// When the agent took it.
    pub begins: Timestamp,
    /// Whether it did.
    pub began: bool,
    /// Its end, once there is one.
    pub end: Option<CommandEnd>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CommandEnd {
    pub at: Timestamp,
    pub exit_code: i32,
    pub output: String,
    pub errors: String,
}
