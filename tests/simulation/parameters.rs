//! Parameters of Systems Manager in a story: what must be true of ours, and what others do to them.

use std::collections::{BTreeMap, BTreeSet};

use ec2sim::{CallSummary, Caller};
use serde_json::{Value, json};

use crate::cast::{Account, Key};
use crate::expected::wanted;
use crate::hands::call_as;
use crate::process::lock;
use crate::universe::Universe;

/// A parameter, by account, region and name.
type Named = (String, String, String);

/// Every parameter.
fn all(universe: &Universe) -> Vec<(Named, Value)> {
    let world = lock(&universe.world).to_json();
    let mut all = Vec::new();
    for (account, has) in world["accounts"].as_object().into_iter().flatten() {
        for (region, place) in has["regions"].as_object().into_iter().flatten() {
            for (name, value) in place["parameters"].as_object().into_iter().flatten() {
                let named = (account.clone(), region.clone(), name.clone());
                all.push((named, value.clone()));
            }
        }
    }
    all
}

fn is_of_somebody_here(value: &Value) -> bool {
    value["tags"]["amity.dev/owner"].is_string()
}

/// Those that are not ours.
pub fn foreign(universe: &Universe) -> Value {
    let others = all(universe)
        .into_iter()
        .filter(|(_, value)| !is_of_somebody_here(value));
    let others: BTreeMap<_, _> = others
        .map(|(named, value)| (format!("{named:?}"), value))
        .collect();
    json!(others)
}

/// Those of an object, as place, name and value.
fn of(universe: &Universe, key: &Key) -> BTreeSet<(String, String, String)> {
    let object = key.to_string();
    let ours = all(universe).into_iter().filter(|(_, value)| {
        is_of_somebody_here(value) && value["tags"]["amity.dev/object"] == object
    });
    ours.map(|((account, region, name), value)| {
        let value = value["value"].as_str().unwrap_or_default().to_owned();
        (key.place(&account, &region), name, value)
    })
    .collect()
}

/// Each wanted place has the parameter that the spec asks for with the image that is published there, by place and id;
/// no other one of the object is anywhere.
pub fn name_what_is_published(
    universe: &Universe,
    key: &Key,
    spec: &Value,
    published: impl Iterator<Item = (String, String)>,
) -> Result<(), String> {
    let wanted = wanted(spec);
    let name = spec["publish"]["ssmParameterName"].as_str();
    let to_be: BTreeSet<_> = published
        .filter(|(place, _)| wanted.contains(place))
        .filter_map(|(place, id)| Some((place, name?.to_owned(), id)))
        .collect();
    let has = of(universe, key);
    if has == to_be {
        return Ok(());
    }
    Err(format!("parameters {has:?} instead of {to_be:?}"))
}

/// No parameter of the object is left.
pub fn none_is_left(universe: &Universe, key: &Key) -> Result<(), String> {
    let left = of(universe, key);
    if left.is_empty() {
        return Ok(());
    }
    Err(format!("parameters are left: {left:?}"))
}

/// The parameter of ours, if any, that names what is about to be deregistered.
pub fn that_names(universe: &Universe, call: &CallSummary) -> Option<String> {
    if call.action != "DeregisterImage" {
        return None;
    }
    let mut ours = all(universe)
        .into_iter()
        .filter(|((_, region, _), value)| *region == call.region && is_of_somebody_here(value));
    let names_it = |value: &Value| call.ids.iter().any(|id| value["value"] == *id);
    ours.find(|(_, value)| names_it(value))
        .map(|((_, _, name), _)| name)
}

/// The regions of its own account in which an object has its parameter.
pub fn regions(universe: &Universe, key: &Key, spec: &Value) -> Vec<String> {
    let name = spec["publish"]["ssmParameterName"].as_str();
    let has = of(universe, key).into_iter();
    has.filter(|(place, named, _)| Some(named.as_str()) == name && !place.contains('.'))
        .map(|(region, _, _)| region)
        .collect()
}

/// Somebody lets the parameter name something else.
pub fn write(universe: &Universe, account: &Account, region: &str, name: &str) {
    universe.note(&format!("by hand: {name} in {region} is overwritten"));
    let mut world = lock(&universe.world);
    let place = world.regions_mut().get_mut(region).expect("a region");
    let own = place.parameters.get_mut(account.id).expect("parameters");
    let held = own.get_mut(name).expect("the parameter");
    "ami-0123456789abcdef0".clone_into(&mut held.value);
    held.version += 1;
}

/// Somebody deletes the parameter.
pub fn delete(universe: &Universe, account: &Account, region: &str, name: &str) {
    let caller = Caller::ssm(account.access_key, region);
    call_as(universe, &caller, "DeleteParameter", &[("Name", name)]);
}

/// Somebody has a parameter of the name.
pub fn take(universe: &Universe, account: &Account, region: &str, name: &str) {
    let theirs = [("Name", name), ("Value", "theirs"), ("Type", "String")];
    let caller = Caller::ssm(account.access_key, region);
    call_as(universe, &caller, "PutParameter", &theirs);
}
