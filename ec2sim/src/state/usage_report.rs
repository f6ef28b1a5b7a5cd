//! Reports on who uses an image.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// What a report looks at: the resource types, and how many versions of a launch template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UsageQuestion {
    /// The resource types, in the caller's order.
    pub types: Vec<String>,
    pub version_depth: Option<usize>,
    /// Only these accounts; none: all.
    pub accounts: BTreeSet<String>,
}

/// A report on an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UsageReport {
    pub id: String,
    pub owner: String,
    pub image: String,
    pub question: UsageQuestion,
    pub created: Timestamp,
    /// From when on it can be read.
    pub available: Timestamp,
    /// When it is deleted by itself.
    pub expires: Timestamp,
    /// How many resources of an account and a type use the image.
    pub entries: BTreeMap<(String, String), u64>,
}
