//! What must be true of the world whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::api::{MachineImage, MachineImageStatus};
use serde_json::{Value, json};

use crate::process::lock;
use crate::universe::{ACCOUNT, Universe};

const OWNER: &str = "amity.dev/owner";

/// `Ready` is true, for the generation that the user wrote.
pub fn is_ready(universe: &Universe) -> bool {
    universe.object().is_some_and(|image| says_ready(&image))
}

/// The same of any object.
pub fn says_ready(image: &MachineImage) -> bool {
    image.status.as_ref().is_some_and(|status| {
        image.metadata.generation == Some(status.observed_generation)
            && status
                .conditions
                .iter()
                .any(|one| one.type_ == "Ready" && one.status == "True")
    })
}

/// A status in a few words.
pub fn explain(status: Option<MachineImageStatus>) -> String {
    let Some(status) = status else {
        return "no status".to_owned();
    };
    let conditions = status.conditions.iter().map(|one| {
        format!(
            "{}={} {}: {}",
            one.type_, one.status, one.reason, one.message
        )
    });
    let steps = status
        .next_steps
        .iter()
        .map(|step| format!("{} {:?} {:?}", step.step, step.region, step.waits_for));
    conditions.chain(steps).collect::<Vec<_>>().join("\n    ")
}

/// An image or snapshot in the simulator's state.
struct Item {
    region: String,
    id: String,
    is_image: bool,
    value: Value,
}

impl Item {
    fn tag(&self, key: &str) -> Option<&str> {
        self.value["tags"][key].as_str()
    }

    fn is_ours(&self) -> bool {
        self.tag(OWNER).is_some()
    }

    fn is_gone(&self) -> bool {
        !self.value["deregistered"].is_null() || !self.value["deleted"].is_null()
    }

    fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.value["devices"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|device| device["snapshot"].as_str())
    }
}

fn items(universe: &Universe) -> Vec<Item> {
    let world = lock(&universe.world).to_json();
    let mut items = Vec::new();
    let regions = world["accounts"][ACCOUNT]["regions"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for (region, place) in regions {
        for (kind, is_image) in [("images", true), ("snapshots", false)] {
            for (id, value) in place[kind].as_object().cloned().unwrap_or_default() {
                items.push(Item {
                    region: region.clone(),
                    id,
                    is_image,
                    value,
                });
            }
        }
    }
    items
}

/// One published image of the spec in each wanted region, nothing else of ours, and every snapshot of ours in use.
pub fn matches(universe: &Universe, spec: &Value) -> Result<(), String> {
    let items = items(universe);
    let wanted: BTreeSet<_> = spec["regions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|region| region["name"].as_str())
        .collect();
    let images: Vec<_> = items
        .iter()
        .filter(|item| item.is_image && item.is_ours() && !item.is_gone())
        .collect();
    let has: Vec<_> = images.iter().map(|image| image.region.as_str()).collect();
    if has.iter().copied().collect::<BTreeSet<_>>() != wanted || has.len() != wanted.len() {
        return Err(format!("images in {has:?} instead of {wanted:?}"));
    }
    for image in &images {
        if image.value["state"] != "available" || image.tag("amity.dev/published").is_none() {
            return Err(format!(
                "{} in {} is not published: {}",
                image.id, image.region, image.value
            ));
        }
        if image.tag("amity.dev/self") != Some(image.id.as_str()) {
            return Err(format!("{} is not sealed", image.id));
        }
        for (key, value) in spec["tags"].as_object().into_iter().flatten() {
            if image.tag(key) != value.as_str() {
                return Err(format!("{} lacks the tag {key}", image.id));
            }
        }
    }
    let revisions: BTreeSet<_> = images
        .iter()
        .map(|image| image.tag("amity.dev/revision"))
        .collect();
    if revisions.len() != 1 {
        return Err(format!("more than one revision: {revisions:?}"));
    }
    let used: BTreeSet<_> = images.iter().flat_map(|image| image.snapshots()).collect();
    let stray = items.iter().find(|item| {
        !item.is_image && item.is_ours() && !item.is_gone() && !used.contains(item.id.as_str())
    });
    stray.map_or(Ok(()), |stray| {
        Err(format!(
            "{} in {} is not used: {}",
            stray.id, stray.region, stray.value
        ))
    })
}

/// An instance is captured once for each revision, and restarted no more often.
pub fn no_more_than_one_capture(universe: &Universe) -> Result<(), String> {
    let mut captures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for image in items(universe)
        .iter()
        .filter(|item| item.is_image && !item.value["sourceInstance"].is_null())
    {
        // Tags of an image that is gone may be gone, too; its name says the revision.
        let name = image.value["name"].as_str().unwrap_or_default().to_owned();
        captures.entry(name).or_default().push(image.id.clone());
    }
    match captures.iter().find(|(_, images)| images.len() > 1) {
        Some((name, images)) => Err(format!("{name} was captured more than once: {images:?}")),
        None => Ok(()),
    }
}

/// No image and no snapshot of ours is left.
pub fn nothing_is_left(universe: &Universe) -> Result<(), String> {
    match items(universe)
        .iter()
        .find(|item| item.is_ours() && !item.is_gone())
    {
        Some(item) => Err(format!(
            "{} in {} is left: {}",
            item.id, item.region, item.value
        )),
        None => Ok(()),
    }
}

/// Everything that is not ours.
pub fn foreign(universe: &Universe) -> Value {
    let home = items(universe)
        .into_iter()
        .filter(|item| !item.is_ours() && !item.is_gone());
    let home: Vec<_> = home
        .map(|item| json!([item.region, item.id, item.value]))
        .collect();
    let mut world = lock(&universe.world).to_json();
    if let Some(accounts) = world["accounts"].as_object_mut() {
        accounts.remove(ACCOUNT);
    }
    json!({"home": home, "others": world["accounts"]})
}

/// The foreign world is byte for byte as before.
pub fn unharmed(universe: &Universe, before: &Value) -> Result<(), String> {
    let after = foreign(universe);
    if after == *before {
        Ok(())
    } else {
        Err(format!("what is not ours was changed:\n{before}\n{after}"))
    }
}

/// What of ours is there, ids and times aside.
pub fn ours(universe: &Universe) -> Vec<String> {
    let ours = items(universe)
        .into_iter()
        .filter(|item| item.is_ours() && !item.is_gone());
    let mut lines: Vec<_> = ours
        .map(|item| {
            let mut tags = item.value["tags"].clone();
            for key in ["amity.dev/self", "amity.dev/source", "amity.dev/published"] {
                if tags.get(key).is_some() {
                    tags[key] = json!("…");
                }
            }
            let what = if item.is_image {
                item.value["name"].to_string()
            } else {
                item.value["size"].to_string()
            };
            format!("{} {what} {} {tags}", item.region, item.value["state"])
        })
        .collect();
    lines.sort();
    lines
}
