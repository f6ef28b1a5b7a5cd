//! What must be true of the world whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::api::{MachineImage, MachineImageStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::cast::{ACCOUNTS, Key};
use crate::expected::{Expected, Images, wanted};
use crate::hands::Ours;
use crate::parameters;
use crate::process::lock;
use crate::rights;
use crate::universe::Universe;

const OWNER: &str = "amity.dev/owner";

/// `Ready` is true, for the generation that the user wrote.
pub fn is_ready(universe: &Universe, key: &Key) -> bool {
    universe.object(key).is_some_and(|image| says_ready(&image))
}

/// A capture was asked for, left no image, and is not asked for again by itself.
pub fn awaits_rebuild(universe: &Universe, key: &Key) -> bool {
    is_stalled(universe, key, "CaptureFailed")
}

/// The user has to do something, for the generation that the user wrote.
pub fn is_stalled(universe: &Universe, key: &Key, reason: &str) -> bool {
    universe.object(key).is_some_and(|image| {
        image.status.as_ref().is_some_and(|status| {
            image.metadata.generation == Some(status.observed_generation)
                && status
                    .conditions
                    .iter()
                    .any(|one| one.type_ == "Stalled" && one.reason == reason)
        })
    })
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
    account: String,
    region: String,
    id: String,
    is_image: bool,
    /// Others made it, or made it theirs, whatever tags it carries.
    is_strange: bool,
    value: Value,
}

impl Item {
    fn tag(&self, key: &str) -> Option<&str> {
        self.value["tags"][key].as_str()
    }

    fn is_ours(&self) -> bool {
        self.tag(OWNER).is_some() && !self.is_strange
    }

    /// In whatever account.
    fn is_of(&self, key: &Key) -> bool {
        self.is_ours() && self.tag("amity.dev/object") == Some(key.to_string().as_str())
    }

    /// Where it is, as the object's spec says it.
    fn place(&self, key: &Key) -> String {
        key.place(&self.account, &self.region)
    }

    fn revision(&self) -> String {
        self.tag("amity.dev/revision")
            .unwrap_or_default()
            .to_owned()
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
    fn taken(from: &mut Value, key: &str) -> serde_json::Map<String, Value> {
        match from[key].take() {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        }
    }
    let mut world = lock(&universe.world).to_json();
    let strangers = lock(&universe.strangers);
    let mut items = Vec::new();
    for (account, mut has) in taken(&mut world, "accounts") {
        for (region, mut place) in taken(&mut has, "regions") {
            for (kind, is_image) in [("images", true), ("snapshots", false)] {
                for (id, value) in taken(&mut place, kind) {
                    items.push(Item {
                        account: account.clone(),
                        region: region.clone(),
                        is_strange: strangers.contains(&id),
                        id,
                        is_image,
                        value,
                    });
                }
            }
        }
    }
    items
}

/// One published image of the spec in each wanted region, what is expected besides and nothing else of ours, and
/// every snapshot of ours in use. `used` is what somebody uses, by region and revision.
pub fn matches(
    universe: &Universe,
    key: &Key,
    spec: &Value,
    expected: &mut Expected,
    used: &Images,
) -> Result<(), String> {
    let items = items(universe);
    let wanted = wanted(spec);
    let images: Vec<_> = items
        .iter()
        .filter(|item| item.is_image && item.is_of(key) && !item.is_gone())
        .collect();
    let published: Vec<_> = images
        .iter()
        .copied()
        .filter(|image| image.tag("amity.dev/published").is_some())
        .collect();
    for image in published
        .iter()
        .filter(|image| wanted.contains(&image.place(key)))
    {
        is_as_the_spec_says(image, spec)?;
        is_encrypted_as_the_spec_says(image, key, &items, spec, expected)?;
        is_shared_as_the_spec_says(image, &items, spec)?;
    }
    nothing_is_lent(&items, key)?;
    let is_kept = |image: &&&Item| image.tag("amity.dev/superseded").is_some();
    for image in images.iter().filter(is_kept) {
        is_shared_with_nobody_else(image, spec)?;
    }
    let has: Vec<_> = published.iter().map(|image| image.place(key)).collect();
    if !wanted.is_subset(&has.iter().cloned().collect()) {
        return Err(format!("published in {has:?} instead of {wanted:?}"));
    }
    if let Some(image) = images.iter().find(|image| {
        image.tag("amity.dev/published").is_none()
            && image.tag("amity.dev/publish-tag-keys").is_some()
    }) {
        return Err(format!("{} has tags of a published image", image.id));
    }
    config_map_names(universe, key, spec, &published)?;
    let told = published
        .iter()
        .map(|image| (image.place(key), image.id.clone()));
    parameters::name_what_is_published(universe, key, spec, told)?;
    let revisions: BTreeSet<_> = published.iter().map(|image| image.revision()).collect();
    let [revision] = revisions.iter().collect::<Vec<_>>()[..] else {
        return Err(format!(
            "more than one revision is published: {revisions:?}"
        ));
    };
    expected.learn(spec, revision)?;
    expected.settle(spec, used);
    let place_of = |image: &Item| (image.place(key), image.revision());
    // Of two of one revision, encrypted otherwise, the one that was superseded before the other was.
    let since = |image: &Item| image.tag("amity.dev/superseded").map(str::to_owned);
    let former = |image: &&Item| {
        let mut others = images
            .iter()
            .filter(|other| place_of(other) == place_of(image));
        let at = since(image);
        at.is_some() && others.any(|other| since(other).is_none_or(|later| Some(later) > at))
    };
    let (former, images): (Vec<&Item>, Vec<&Item>) = images.iter().copied().partition(former);
    let is_kept_for_long = spec["retention"]["minAge"] == "8760h";
    if let Some(image) = former
        .iter()
        .find(|image| !is_kept_for_long && !used.contains(&place_of(image)))
    {
        return Err(format!("{} of a former key is left", image.id));
    }
    let there: Vec<_> = images.iter().map(|image| place_of(image)).collect();
    let to_be = expected.images();
    if there.iter().cloned().collect::<Images>() != to_be || there.len() != to_be.len() {
        return Err(format!("images {there:?} instead of {to_be:?}"));
    }
    no_stray_snapshot(&items)
}

/// The ConfigMap that the spec asks for names what is published, and no other one is the object's.
fn config_map_names(
    universe: &Universe,
    key: &Key,
    spec: &Value,
    published: &[&Item],
) -> Result<(), String> {
    let uid = universe.object(key).and_then(|image| image.metadata.uid);
    let all: Vec<ConfigMap> = lock(&universe.kubernetes).list();
    let ours = all.into_iter().filter(|one| {
        let owners = one.metadata.owner_references.iter().flatten();
        owners
            .into_iter()
            .any(|owner| Some(&owner.uid) == uid.as_ref())
    });
    let has: BTreeMap<_, _> = ours
        .map(|one| {
            (
                one.metadata.name.unwrap_or_default(),
                one.data.unwrap_or_default(),
            )
        })
        .collect();
    let wanted = wanted(spec);
    let ids = published
        .iter()
        .filter(|image| wanted.contains(&image.place(key)))
        .map(|image| (image.place(key), image.id.clone()));
    let name = spec["publish"]["configMapName"].as_str();
    let to_be: BTreeMap<_, _> = name
        .map(|name| (name.to_owned(), ids.collect::<BTreeMap<_, _>>()))
        .into_iter()
        .collect();
    if has == to_be {
        return Ok(());
    }
    Err(format!("ConfigMaps {has:?} instead of {to_be:?}"))
}

fn is_as_the_spec_says(image: &Item, spec: &Value) -> Result<(), String> {
    if image.value["state"] != "available" {
        return Err(format!(
            "{} in {} is not available: {}",
            image.id, image.region, image.value
        ));
    }
    if image.tag("amity.dev/self") != Some(image.id.as_str()) {
        return Err(format!("{} is not sealed", image.id));
    }
    let publish_tags = &spec["publish"]["tags"];
    let fields = [&spec["tags"], publish_tags].into_iter();
    for (key, value) in fields.filter_map(Value::as_object).flatten() {
        if image.tag(key) != value.as_str() {
            return Err(format!("{} lacks the tag {key}", image.id));
        }
    }
    attributes_are_as_the_spec_says(&image.value, spec)
        .map_err(|what| format!("{} in {}: {what}", image.id, image.region))
}

/// What other accounts copied is theirs alone again: only whom the spec names may use it.
fn nothing_is_lent(items: &[Item], key: &Key) -> Result<(), String> {
    let ids: BTreeSet<_> = ACCOUNTS.iter().map(|account| account.id).collect();
    let is_lent = |item: &&Item| {
        let is_noted = item.is_image && item.tag("amity.dev/lent-to").is_some();
        is_noted || !texts(&item.value["sharedWith"]).is_disjoint(&ids)
    };
    let mut theirs = items
        .iter()
        .filter(|item| item.is_of(key) && !item.is_gone());
    theirs.find(is_lent).map_or(Ok(()), |item| {
        Err(format!(
            "{} in {} is still lent: {}",
            item.id, item.region, item.value
        ))
    })
}

/// With the key that the spec names, or else not at all.
fn is_encrypted_as_the_spec_says(
    image: &Item,
    key: &Key,
    items: &[Item],
    spec: &Value,
    expected: &mut Expected,
) -> Result<(), String> {
    // In other accounts nothing is asked to be encrypted.
    if image.account != key.account.id {
        return Ok(());
    }
    let mut regions = spec["regions"].as_array().into_iter().flatten();
    let region = regions.find(|region| region["name"] == image.region.as_str());
    let asked = region.map_or(&Value::Null, |region| &region["encryption"]);
    let name = (!asked.is_null()).then(|| asked["kmsKeyId"].as_str().unwrap_or("the default"));
    let snapshots = items
        .iter()
        .filter(|item| !item.is_image && item.account == image.account)
        .filter(|item| image.snapshots().any(|id| id == item.id));
    for snapshot in snapshots {
        let key = snapshot.value["kmsKey"].as_str();
        if !expected.is_key(&image.region, name, key) {
            return Err(format!(
                "{} of {} is encrypted with {key:?} instead of {name:?}",
                snapshot.id, image.id
            ));
        }
    }
    Ok(())
}

/// What the spec says nothing of may be anything.
fn attributes_are_as_the_spec_says(image: &Value, spec: &Value) -> Result<(), String> {
    let same = |field: &str| spec[field].is_null() || spec[field] == image[field];
    let time = |text: &Value| {
        text.as_str()
            .and_then(|text| text.parse::<Timestamp>().ok())
    };
    let deprecated = time(&image["deprecation"]);
    let deprecation = &spec["deprecation"];
    let is_deprecated_in_time = match deprecation["after"].as_str() {
        _ if deprecation.is_null() => true,
        None => deprecated.is_none(),
        // That is past before the image is published: "at once" is when it could be.
        Some("1m") => deprecated.is_some(),
        Some(after) => {
            let hours = after.trim_end_matches('h').parse().expect("hours");
            let to_be =
                time(&image["created"]).map(|made| made + SignedDuration::from_hours(hours));
            let apart = deprecated
                .zip(to_be)
                .map(|(is, to_be)| is.duration_since(to_be).abs());
            apart.is_some_and(|apart| apart <= SignedDuration::from_secs(30))
        }
    };
    let protection = image["deregistrationProtection"]
        .as_str()
        .unwrap_or_default();
    let is_protected = match spec["deregistrationProtection"].as_str() {
        None => true,
        Some("Disabled") => protection.starts_with("disabled"),
        Some(_) => protection.starts_with("enabled"),
    };
    if same("description") && same("imdsSupport") && is_deprecated_in_time && is_protected {
        return Ok(());
    }
    Err(format!("it is not as the spec says: {image}"))
}

/// Without `sharing` permissions may be whatever somebody gave.
fn is_shared_as_the_spec_says(image: &Item, items: &[Item], spec: &Value) -> Result<(), String> {
    if spec["sharing"].is_null() {
        return Ok(());
    }
    let asked = |field: &str| texts(&spec["sharing"][field]);
    let (accounts, organizations) = (asked("accounts"), asked("organizations"));
    let complain = |item: &Item| {
        Err(format!(
            "{} in {} is shared with {:?} and {:?}",
            item.id,
            item.region,
            texts(&item.value["sharedWith"]),
            texts(&item.value["sharedWithOrganizations"])
        ))
    };
    if texts(&image.value["sharedWith"]) != accounts
        || texts(&image.value["sharedWithOrganizations"]) != organizations
    {
        return complain(image);
    }
    let snapshots = items
        .iter()
        .filter(|item| !item.is_image && item.is_ours())
        .filter(|item| image.snapshots().any(|id| id == item.id));
    for snapshot in snapshots {
        if texts(&snapshot.value["sharedWith"]) != accounts {
            return complain(snapshot);
        }
    }
    Ok(())
}

/// What was superseded is shared with some of those whom the spec names.
fn is_shared_with_nobody_else(image: &Item, spec: &Value) -> Result<(), String> {
    let with = texts(&image.value["sharedWith"]);
    if spec["sharing"].is_null() || with.is_subset(&texts(&spec["sharing"]["accounts"])) {
        return Ok(());
    }
    Err(format!(
        "{} is superseded and shared with {with:?}",
        image.id
    ))
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Every snapshot of ours is of an image, be that somebody else's by now.
fn no_stray_snapshot(items: &[Item]) -> Result<(), String> {
    let images = items.iter().filter(|item| item.is_image && !item.is_gone());
    let used: BTreeSet<_> = images.flat_map(Item::snapshots).collect();
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

/// What each revision was made from, by what EC2 says of its images and not by tags, is what it was made from in
/// `known`: never two origins in one revision.
pub fn one_origin_each(
    universe: &Universe,
    key: &Key,
    known: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let items = items(universe);
    let ours = |item: &&Item| item.is_image && item.is_of(key) && !item.is_gone();
    for image in items.iter().filter(ours) {
        let origin = origin_of(image, &items);
        let known = known
            .entry(image.revision())
            .or_insert_with(|| origin.clone());
        if *known != origin {
            return Err(format!(
                "{} in {} was made from {origin}, others of revision {} from {known}",
                image.id,
                image.region,
                image.revision()
            ));
        }
    }
    Ok(())
}

/// The instance, snapshot or image of somebody else's that an image of ours goes back to.
fn origin_of(image: &Item, items: &[Item]) -> String {
    if let Some(instance) = image.value["sourceInstance"].as_str() {
        return instance.to_owned();
    }
    let source = &image.value["sourceImage"];
    let Some(id) = source["id"].as_str() else {
        return image.snapshots().next().unwrap_or_default().to_owned();
    };
    // By its name, since the tags of an image that is gone may be gone, too.
    let name = &image.value["name"];
    let sibling = items.iter().find(|item| {
        item.id == id && item.region == source["region"] && item.value["name"] == *name
    });
    sibling.map_or_else(|| id.to_owned(), |sibling| origin_of(sibling, items))
}

/// The revision of an image of ours.
pub fn revision_of(universe: &Universe, (region, id): &Ours) -> String {
    let items = items(universe);
    let mut found = items
        .iter()
        .filter(|item| item.region == *region && item.id == *id);
    found.next().map(Item::revision).unwrap_or_default()
}

/// None of these images, by region and id, was deregistered.
pub fn all_live(universe: &Universe, images: impl Iterator<Item = Ours>) -> Result<(), String> {
    let items = items(universe);
    for (region, id) in images {
        let is_gone = |item: &&Item| item.region == region && item.id == id && item.is_gone();
        if items.iter().any(|item| is_gone(&item)) {
            return Err(format!("{id} in {region} is gone although it is used"));
        }
    }
    Ok(())
}

/// The instance was restarted for the image of that name once, if that was asked for, and else not at all.
pub fn restarts_as_asked(
    universe: &Universe,
    key: &Key,
    spec: &Value,
    name: &str,
) -> Result<(), String> {
    let asked = usize::from(spec["source"]["instance"]["reboot"] == "Once");
    let world = lock(&universe.world);
    for place in world.regions().values() {
        let instance = place.instances.get(key.account.instance);
        let restarts = instance.into_iter().flat_map(|instance| &instance.reboots);
        let for_it = restarts.filter(|restart| {
            let image = place.images.get(&restart.image);
            image.is_some_and(|image| image.name == name)
        });
        let count = for_it.count();
        if count > asked {
            return Err(format!(
                "{} was restarted {count} times for {name} instead of {asked}",
                key.account.instance
            ));
        }
    }
    Ok(())
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
        let name = format!("{name} in {}", image.account);
        captures.entry(name).or_default().push(image.id.clone());
    }
    match captures.iter().find(|(_, images)| images.len() > 1) {
        Some((name, images)) => Err(format!("{name} was captured more than once: {images:?}")),
        None => Ok(()),
    }
}

/// No image of the object is left, and no snapshot but those of images that are somebody else's by now.
pub fn nothing_is_left(universe: &Universe, key: &Key) -> Result<(), String> {
    let items = items(universe);
    let is_left = |item: &&Item| item.is_image && item.is_of(key) && !item.is_gone();
    match items.iter().find(is_left) {
        Some(item) => Err(format!(
            "{} in {} is left: {}",
            item.id, item.region, item.value
        )),
        None => no_stray_snapshot(&items).and_then(|()| parameters::none_is_left(universe, key)),
    }
}

/// Everything that is not ours.
pub fn foreign(universe: &Universe) -> Value {
    let others = items(universe)
        .into_iter()
        .filter(|item| !item.is_ours() && !item.is_gone());
    let others: Vec<_> = others
        .map(|item| json!([item.account, item.region, item.id, item.value]))
        .collect();
    json!([others, parameters::foreign(universe)])
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

/// The policies that we ship allow all that the controller asked for: of what is there, and is not somebody else's by
/// now, which it may not have seen yet.
pub fn nothing_was_denied(universe: &Universe) -> Result<(), String> {
    let denials = rights::denials(&lock(&universe.world));
    let strangers = lock(&universe.strangers);
    let is_strange = |resource: &str| {
        resource
            .rsplit('/')
            .next()
            .is_some_and(|id| strangers.contains(id))
    };
    match denials.iter().find(|denial| !is_strange(&denial.resource)) {
        Some(denial) => Err(format!("EC2 denied what a policy should allow: {denial:?}")),
        None => Ok(()),
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
