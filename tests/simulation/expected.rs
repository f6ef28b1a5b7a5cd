//! What must be there once EC2 matches the spec, worked out from what the user wrote and from nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::plot::Content;

/// What was published, and what of it is still there.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    current: Option<Kept>,
    /// The one that was superseded last comes last.
    superseded: Vec<Kept>,
    /// The revision of each content that was ever published.
    revisions: Vec<(Content, String)>,
    /// What each name of a key led to, by region.
    keys: BTreeMap<(String, String), String>,
}

/// Images by region and revision.
pub type Images = BTreeSet<(String, String)>;

/// A content, and the regions in which it has an image.
#[derive(Clone, Debug)]
struct Kept {
    content: Content,
    /// How the images were encrypted that were published last.
    encryption: Value,
    /// Whether there were others of the same content, encrypted otherwise: what stays since it is used may be one of those.
    was_otherwise: bool,
    regions: BTreeSet<String>,
}

impl Expected {
    /// Which regions have an image of the spec's content already, so that nothing is made or copied there;
    /// none, if there is no such image at all.
    pub fn has_already(&self, spec: &Value) -> Option<BTreeSet<String>> {
        let content = Content::of(spec);
        let all = self.current.iter().chain(&self.superseded);
        let kept = all.into_iter().find(|kept| kept.content == content)?;
        if kept.was_otherwise || kept.encryption != spec["regions"][0]["encryption"] {
            return Some(BTreeSet::new());
        }
        Some(kept.regions.intersection(&wanted(spec)).cloned().collect())
    }

    /// The spec is published everywhere, and what it asks to be retired is gone, but for what is used, by region
    /// and revision.
    pub fn settle(&mut self, spec: &Value, used: &Images) {
        let (content, wanted) = (Content::of(spec), wanted(spec));
        let mut current = Kept {
            content: content.clone(),
            encryption: spec["regions"][0]["encryption"].clone(),
            was_otherwise: false,
            regions: wanted.clone(),
        };
        self.superseded.extend(self.current.take());
        for mut kept in std::mem::take(&mut self.superseded) {
            let revision = self.revision(&kept.content);
            let is_used = |region: &String| used.contains(&(region.clone(), revision.clone()));
            kept.regions
                .retain(|region| wanted.contains(region) || is_used(region));
            if kept.content == content {
                current.was_otherwise |=
                    kept.was_otherwise || kept.encryption != current.encryption;
                current.regions.extend(kept.regions);
            } else {
                self.superseded.push(kept);
            }
        }
        self.current = Some(current);
        self.retire(&spec["retention"], &wanted, used);
    }

    fn retire(&mut self, retention: &Value, wanted: &BTreeSet<String>, used: &Images) {
        let mut left = match (&retention["minAge"], &retention["revisions"]) {
            (Value::Null, Value::Null) => 1,
            (Value::Null, revisions) => revisions.as_u64().expect("a number"),
            _ => u64::MAX,
        };
        let mut superseded = std::mem::take(&mut self.superseded);
        for kept in superseded.iter_mut().rev() {
            if kept.regions.is_disjoint(wanted) {
                continue;
            }
            if left == 0 {
                let revision = self.revision(&kept.content);
                kept.regions
                    .retain(|region| used.contains(&(region.clone(), revision.clone())));
            }
            left = left.saturating_sub(1);
        }
        superseded.retain(|kept| !kept.regions.is_empty());
        self.superseded = superseded;
    }

    /// The object was deleted, and nothing of it is left.
    pub fn all_is_gone(&mut self) {
        (self.current, self.superseded) = (None, Vec::new());
    }

    /// The contents that a revert publishes again.
    pub fn retained(&self) -> Vec<Content> {
        self.superseded
            .iter()
            .map(|kept| kept.content.clone())
            .collect()
    }

    /// The spec's content was seen to have this revision.
    pub fn learn(&mut self, spec: &Value, revision: &str) -> Result<(), String> {
        let content = Content::of(spec);
        let known = self.revisions.iter().find(|(other, _)| *other == content);
        match known {
            Some((_, known)) if known == revision => Ok(()),
            Some((_, known)) => Err(format!(
                "revision {revision} instead of {known} for {content:?}"
            )),
            None => {
                self.revisions.push((content, revision.to_owned()));
                Ok(())
            }
        }
    }

    /// Whether a key of the region is the one that is called `name`, or none if that is `None`: one name leads to one key,
    /// and no key has two of the names that users write.
    pub fn is_key(&mut self, region: &str, name: Option<&str>, key: Option<&str>) -> bool {
        let (Some(name), Some(key)) = (name, key) else {
            return name == key;
        };
        let named = (region.to_owned(), name.to_owned());
        let known = self.keys.entry(named).or_insert_with(|| key.to_owned());
        let is_it = known == key;
        let of_key = self
            .keys
            .iter()
            .filter(|((of, _), one)| of == region && *one == key);
        is_it && of_key.count() == 1
    }

    /// Every image that is to be there.
    pub fn images(&self) -> Images {
        let all = self.current.iter().chain(&self.superseded);
        let images = all.flat_map(|kept| {
            let revision = self.revision(&kept.content);
            let in_region = move |region: &String| (region.clone(), revision.clone());
            kept.regions.iter().map(in_region)
        });
        images.collect()
    }

    fn revision(&self, content: &Content) -> String {
        let mut known = self.revisions.iter();
        let known = known.find(|(other, _)| other == content);
        known.map_or_else(String::new, |(_, revision)| revision.clone())
    }
}

/// The places of a spec: the regions of the home account, and `account.region` of others.
pub fn wanted(spec: &Value) -> BTreeSet<String> {
    let names = |regions: &Value| -> Vec<String> {
        let regions = regions.as_array().into_iter().flatten();
        let names = regions.filter_map(|region| region["name"].as_str());
        names.map(str::to_owned).collect()
    };
    let accounts = spec["accounts"].as_array().into_iter().flatten();
    let elsewhere = accounts.flat_map(|account| {
        let name = account["name"].as_str().unwrap_or_default();
        let regions = names(&account["regions"]).into_iter();
        regions.map(move |region| format!("{name}.{region}"))
    });
    names(&spec["regions"])
        .into_iter()
        .chain(elsewhere)
        .collect()
}
