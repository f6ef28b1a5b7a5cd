//! KMS keys.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The state of a key (docs: KMS key-state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Can be used.
    #[default]
    Enabled,
    /// Switched off.
    Disabled,
    /// Without key material yet, or no longer.
    PendingImport,
    /// About to be deleted.
    PendingDeletion,
    /// Cut off from its key store.
    Unavailable,
}

/// A customer managed key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its state.
    pub state: KeyState,
    /// Whether its policy lets its own account use it for EBS.
    pub usable: bool,
    /// Its aliases, such as `alias/ami`.
    pub aliases: BTreeSet<String>,
    /// The other accounts that its policy lets use it.
    pub shared_with: BTreeSet<String>,
}
