//! Launch templates, as far as they name images.

use std::collections::BTreeMap;

/// A launch template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaunchTemplate {
    /// `lt-…`
    pub id: String,
    /// The account that it belongs to.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// The image of each version by the version's number: an id, `resolve:ssm:…`, or none.
    pub versions: BTreeMap<u64, Option<String>>,
}
