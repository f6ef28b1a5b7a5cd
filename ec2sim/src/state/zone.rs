//! Availability zones.

use std::collections::{BTreeMap, BTreeSet};

/// An availability zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Its id, such as `use1-az1`.
    pub id: String,
    /// Patterns of the instance types that it does not offer.
    pub without: BTreeSet<String>,
    /// Patterns of the instance types that it has no capacity for.
    pub full: BTreeSet<String>,
}

/// The zones of a region that says nothing of them: `a`, `b` and `c`.
pub(crate) fn usual(region: &str) -> BTreeMap<String, Zone> {
    let of = |letter: &str| (format!("{region}{letter}"), Zone::default());
    with_ids(region, ["a", "b", "c"].map(of).into())
}

/// Gives ids to those that have none. Which zone has which differs between accounts at AWS (docs: EC2 `az-ids`), and does
/// not here.
pub(crate) fn with_ids(region: &str, mut zones: BTreeMap<String, Zone>) -> BTreeMap<String, Zone> {
    for (number, zone) in (1..).zip(zones.values_mut()) {
        if zone.id.is_empty() {
            zone.id = format!("{}-az{number}", short(region));
        }
    }
    zones
}

/// `us-east-1` is `use1`, `ap-northeast-1` is `apne1`.
fn short(region: &str) -> String {
    let parts: Vec<&str> = region.split('-').collect();
    match parts.as_slice() {
        [area, direction, number] => {
            let words = ["north", "south", "east", "west", "central"];
            let mut rest = *direction;
            let mut letters = String::new();
            while let Some(word) = words.iter().find(|word| rest.starts_with(**word)) {
                letters.push_str(&word[..1]);
                rest = &rest[word.len()..];
            }
            format!("{area}{letters}{number}")
        }
        _ => region.to_owned(),
    }
}
