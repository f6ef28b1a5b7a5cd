//! What must be true of the world whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::api::{MachineImage, MachineImageStatus, Source};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::cast::{ACCOUNTS, Key};
use crate::expected::{Expected, Images, Superseded, content_of, wanted};
use crate::hands::{self, Ours};
use crate::parameters;
use crate::process::lock;
use crate::rights;
use crate::universe::Universe;

const OWNER: &str = "amity.dev/owner";

/// `Ready` is true, for the generation that the user wrote.
pub fn is_ready(universe: &Universe, key: &Key) -> bool {
    universe.object(key).is_some_and(|image| says_ready(&image))
}

/// Where the source is followed, what is published was made from what it leads to now.
pub fn has_followed(universe: &Universe, key: &Key) -> bool {
    let Some(image) = universe.object(key) else {
        return false;
    };
    if image.spec.follow.is_none() {
        return true;
    }
    let region = image.spec.source.region().to_owned();
    let spec = serde_json::to_value(&image.spec).expect("a spec");
    let published = image.status.and_then(|status| status.published);
    let is_from = |id: String| {
        let from = format!("{region}/{id}");
        published.is_some_and(|published| published.source == from)
    };
    hands::leads_to(universe, key, &spec).is_none_or(is_from)
}

/// A capture was asked for, left no image, and is not asked for again by itself; or what another object had published went
/// before anything was made from it.
pub fn awaits_rebuild(universe: &Universe, key: &Key) -> bool {
    let stalled = |reason: &str| is_stalled(universe, key, reason);
    let source_is_gone = || stalled("SourceNotFound") || stalled("SourceGone");
    stalled("CaptureFailed") || source_of(universe, key).is_some() && source_is_gone()
}

/// The same, or the object that it is made from does.
pub fn comes_after_rebuild(universe: &Universe, key: &Key) -> bool {
    awaits_rebuild(universe, key)
        || source_of(universe, key).is_some_and(|other| comes_after_rebuild(universe, &other))
}

/// The object that one is made from.
fn source_of(universe: &Universe, key: &Key) -> Option<Key> {
    match universe.object(key)?.spec.source {
        Source::Image(source) => Some(Key {
            name: source.machine_image_name?,
            ..key.clone()
        }),
        _ => None,
    }
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
        is_tagged_as_the_spec_says(image, key, &items, spec)?;
        is_encrypted_as_the_spec_says(image, key, &items, spec, expected)?;
        is_shared_as_the_spec_says(image, &items, spec)?;
    }
    for image in &images {
        launches_fast_as_the_spec_says(image, spec)?;
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
    let origins: BTreeSet<_> = published
        .iter()
        .map(|image| origin_of(image, &items))
        .collect();
    let [origin] = origins.iter().collect::<Vec<_>>()[..] else {
        return Err(format!("published is what was made from {origins:?}"));
    };
    if let Some(leads_to) = hands::leads_to(universe, key, spec)
        && !spec["follow"].is_null()
        && *origin != leads_to
    {
        return Err(format!(
            "made from {origin}, although the source leads to {leads_to}"
        ));
    }
    let content = expected.published(spec, revision, origin)?;
    let meanwhile = superseded(&images, &items, key, spec);
    expected.settle(spec, &content, meanwhile, used, universe.clock.now());
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
    no_stray_snapshot(&items, |_| true)
}

/// The contents of the spec that were published before the present one, the last one last.
fn superseded(images: &[&Item], items: &[Item], key: &Key, spec: &Value) -> Vec<Superseded> {
    let mut all: Vec<Superseded> = Vec::new();
    for image in images {
        let at = image.tag("amity.dev/superseded");
        let at = at.and_then(|text| text.parse::<Timestamp>().ok());
        let content = content_of(spec, &image.revision(), &origin_of(image, items));
        let (Some(at), Some(content)) = (at, content) else {
            continue;
        };
        let place = image.place(key);
        match all.iter_mut().find(|one| one.content == content) {
            Some(one) => {
                one.at = one.at.max(at);
                one.places.insert(place);
            }
            None => all.push(Superseded {
                content,
                at,
                places: [place].into(),
            }),
        }
    }
    all.sort_by_key(|one| one.at);
    all
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
    attributes_are_as_the_spec_says(&image.value, spec)
        .map_err(|what| format!("{} in {}: {what}", image.id, image.region))
}

/// Those of the region go before those of all, and those of snapshots before both.
fn is_tagged_as_the_spec_says(
    image: &Item,
    key: &Key,
    items: &[Item],
    spec: &Value,
) -> Result<(), String> {
    // In other accounts no region has tags of its own.
    let mut regions = spec["regions"].as_array().into_iter().flatten();
    let region = regions
        .find(|region| image.account == key.account.id && region["name"] == image.region.as_str());
    let of_region = region.map_or(&Value::Null, |region| &region["tags"]);
    let lacks = |item: &Item, fields: &[&Value]| {
        let all = fields
            .iter()
            .filter_map(|field| field.as_object())
            .flatten();
        let all: BTreeMap<_, _> = all.collect();
        let lacking = all
            .into_iter()
            .find(|(key, value)| item.tag(key) != value.as_str());
        lacking.map_or(Ok(()), |(key, value)| {
            Err(format!(
                "{} in {} lacks the tag {key}={value}",
                item.id, item.region
            ))
        })
    };
    lacks(image, &[&spec["tags"], of_region, &spec["publish"]["tags"]])?;
    let mut snapshots = items
        .iter()
        .filter(|item| !item.is_image && item.is_ours() && item.account == image.account)
        .filter(|item| image.snapshots().any(|id| id == item.id));
    snapshots.try_for_each(|one| lacks(one, &[&spec["tags"], of_region, &spec["snapshotTags"]]))
}

/// Published ones do, if the spec asks for it, and no others. Without `fastLaunch` it may be whatever it was.
fn launches_fast_as_the_spec_says(image: &Item, spec: &Value) -> Result<(), String> {
    let asked = &spec["fastLaunch"];
    if asked.is_null() {
        return Ok(());
    }
    let is_published = image.tag("amity.dev/published").is_some();
    let to_be = match asked["targetResourceCount"].as_i64() {
        Some(target) if is_published => json!({
            "state": "enabled",
            "targetResourceCount": target,
            "maxParallelLaunches": asked["maxParallelLaunches"].as_i64().unwrap_or(6),
        }),
        _ => Value::Null,
    };
    let is = &image.value["fastLaunch"];
    if *is == to_be {
        return Ok(());
    }
    Err(format!(
        "the fast launch of {} in {} is {is} instead of {to_be}",
        image.id, image.region
    ))
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
        // EC2 keeps that of a public one.
        _ if image["public"] == true && deprecated.is_some() => true,
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

/// The protection of an image of ours was taken away, and EC2 does not deregister it yet.
pub fn something_cools_down(universe: &Universe) -> bool {
    let cools = |item: &Item| {
        let protection = item.value["deregistrationProtection"].as_str();
        protection.is_some_and(|protection| protection.starts_with("disabled after"))
    };
    let items = items(universe);
    items
        .iter()
        .any(|item| item.is_image && item.is_ours() && !item.is_gone() && cools(item))
}

/// Without `sharing` permissions may be whatever somebody gave.
fn is_shared_as_the_spec_says(image: &Item, items: &[Item], spec: &Value) -> Result<(), String> {
    if spec["sharing"].is_null() {
        return Ok(());
    }
    let asked = |field: &str| texts(&spec["sharing"][field]);
    let accounts = asked("accounts");
    let mut organizations = asked("organizations");
    organizations.extend(asked("organizationalUnits"));
    let complain = |item: &Item| {
        Err(format!(
            "{} in {} is {}shared with {:?} and {:?}",
            item.id,
            item.region,
            if item.value["public"] == true {
                "public, and "
            } else {
                ""
            },
            texts(&item.value["sharedWith"]),
            texts(&item.value["sharedWithOrganizations"])
        ))
    };
    let is_public = spec["sharing"]["visibility"] == "Public";
    if texts(&image.value["sharedWith"]) != accounts
        || image.value["public"] != is_public
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
    let is_public = image.value["public"] == true && spec["sharing"]["visibility"] != "Public";
    let is_like_it = with.is_subset(&texts(&spec["sharing"]["accounts"])) && !is_public;
    if spec["sharing"].is_null() || is_like_it {
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

/// Every snapshot of ours, of some objects, is of an image, be that somebody else's by now.
fn no_stray_snapshot(items: &[Item], is_meant: impl Fn(&Item) -> bool) -> Result<(), String> {
    let images = items.iter().filter(|item| item.is_image && !item.is_gone());
    let used: BTreeSet<_> = images.flat_map(Item::snapshots).collect();
    let stray = items.iter().find(|item| {
        let is_stray = !item.is_gone() && !used.contains(item.id.as_str());
        !item.is_image && item.is_ours() && is_stray && is_meant(item)
    });
    stray.map_or(Ok(()), |stray| {
        Err(format!(
            "{} in {} is not used: {}",
            stray.id, stray.region, stray.value
        ))
    })
}

/// What each revision was made from, by what EC2 says of its images and not by tags, is what it was made from in
/// `known`: never two origins in one revision. A new one was made from where its source led of late, if that is known.
pub fn one_origin_each(
    universe: &Universe,
    key: &Key,
    known: &mut BTreeMap<String, String>,
    led_to: Option<&BTreeSet<String>>,
) -> Result<(), String> {
    let items = items(universe);
    let ours = |item: &&Item| item.is_image && item.is_of(key) && !item.is_gone();
    let ours: Vec<_> = items.iter().filter(ours).collect();
    // What is made anew of a revision that went may be made from something else.
    known.retain(|revision, _| ours.iter().any(|image| image.revision() == *revision));
    for image in ours {
        let origin = origin_of(image, &items);
        let is_new = !known.contains_key(&image.revision());
        if is_new && led_to.is_some_and(|led_to| !led_to.contains(&origin)) {
            return Err(format!(
                "{} in {} was made from {origin}, although its source led to {led_to:?}",
                image.id, image.region
            ));
        }
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
        // Those of others may still be on their way out.
        None => no_stray_snapshot(&items, |item| item.is_of(key))
            .and_then(|()| parameters::none_is_left(universe, key)),
    }
}

/// Everything that is not ours, nor EC2's own.
pub fn foreign(universe: &Universe) -> Value {
    let others = items(universe)
        .into_iter()
        .filter(|item| !item.is_ours() && !item.is_gone())
        .filter(|item| item.tag("CreatedBy") != Some("EC2 Fast Launch"));
    let others: Vec<_> = others
        .map(|mut item| {
            // It goes on by itself of what others made theirs.
            item.value["fastLaunch"].take();
            json!([item.account, item.region, item.id, item.value])
        })
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
