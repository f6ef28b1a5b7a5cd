//! What must be there once EC2 matches the spec, worked out from what the user wrote and from nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::sources::Content;

/// What was published, and what of it is still there.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    current: Option<Kept>,
    /// The one that was superseded last comes last.
    superseded: Vec<Kept>,
    /// When EC2 matched last, and whether the source was followed then.
    settled: Option<Timestamp>,
    followed: bool,
    /// What each name of a key led to, by region.
    keys: BTreeMap<(String, String), String>,
}

/// Images by region and revision.
pub type Images = BTreeSet<(String, String)>;

/// A content of the spec that was published before the present one.
pub struct Superseded {
    pub content: Content,
    /// Since when another is published in its stead.
    pub at: Timestamp,
    /// Where it still is.
    pub places: BTreeSet<String>,
}

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
    /// none, if there is no such image at all, or where its source may lead to another one meanwhile.
    pub fn has_already(&self, spec: &Value) -> Option<BTreeSet<String>> {
        if self.may_be_followed(spec) {
            return None;
        }
        let kept = self.last_of(spec)?;
        if kept.was_otherwise || kept.encryption != spec["regions"][0]["encryption"] {
            return Some(BTreeSet::new());
        }
        Some(kept.regions.intersection(&wanted(spec)).cloned().collect())
    }

    /// Of what is there, what was made for this spec and published last.
    fn last_of(&self, spec: &Value) -> Option<&Kept> {
        let mut all = self.current.iter().chain(self.superseded.iter().rev());
        all.find(|kept| kept.content.is_of(spec))
    }

    /// Whether the source is looked at again, or was by a process that does not know yet that it shall not be.
    fn may_be_followed(&self, spec: &Value) -> bool {
        self.followed || !spec["follow"].is_null()
    }

    /// What is published, of this revision and made from this image: the spec's first content, or one that its source was
    /// followed to. It is what there was already, unless the source may have been followed.
    pub fn published(&self, spec: &Value, revision: &str, origin: &str) -> Result<Content, String> {
        let content = content_of(spec, revision, origin)
            .ok_or_else(|| format!("revision {revision}, made from {origin}, is none of {spec}"))?;
        let last = self.last_of(spec).map(|kept| kept.content.clone());
        let to_be = last.unwrap_or_else(|| Content::of(spec));
        if content == to_be || self.may_be_followed(spec) {
            return Ok(content);
        }
        Err(format!("{content:?} is published instead of {to_be:?}"))
    }

    /// The spec's `content` is published everywhere, and what it asks to be retired is gone, but for what is used, by region
    /// and revision. `meanwhile` was superseded, some of it since EC2 matched last: what the source led to for a while.
    pub fn settle(
        &mut self,
        spec: &Value,
        content: &Content,
        meanwhile: Vec<Superseded>,
        used: &Images,
        now: Timestamp,
    ) {
        let wanted = wanted(spec);
        let mut current = Kept {
            content: content.clone(),
            encryption: spec["regions"][0]["encryption"].clone(),
            was_otherwise: false,
            regions: wanted.clone(),
        };
        self.superseded.extend(self.current.take());
        let settled = self.settled;
        let is_new = |one: &Superseded| settled.is_none_or(|settled| settled < one.at);
        for one in meanwhile.into_iter().filter(is_new) {
            let mut before = self.superseded.iter();
            let known = before.position(|kept| kept.content == one.content);
            let known = known.map(|at| self.superseded.remove(at));
            let mut kept = known.unwrap_or_else(|| Kept {
                content: one.content,
                regions: BTreeSet::new(),
                ..current.clone()
            });
            // Of the regions that were added, it got those that were wanted before the source led elsewhere.
            kept.regions.extend(one.places);
            self.superseded.push(kept);
        }
        (self.settled, self.followed) = (Some(now), !spec["follow"].is_null());
        for mut kept in std::mem::take(&mut self.superseded) {
            let revision = kept.content.revision().to_string();
            let is_used = |region: &String| used.contains(&(region.clone(), revision.clone()));
            kept.regions
                .retain(|region| wanted.contains(region) || is_used(region));
            if kept.content == *content {
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
                let revision = kept.content.revision().to_string();
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
            let revision = kept.content.revision().to_string();
            let in_region = move |region: &String| (region.clone(), revision.clone());
            kept.regions.iter().map(in_region)
        });
        images.collect()
    }
}

/// The content of a spec that has this revision and was made from this image.
pub fn content_of(spec: &Value, revision: &str, origin: &str) -> Option<Content> {
    let all = [Content::of(spec), Content::following(spec, origin)];
    let mut all = all.into_iter();
    all.find(|content| content.revision().as_str() == revision)
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
