//! Waiting for a `MachineImage`, with a line for every change of what its status says, and for every
//! image or snapshot that EC2 made or removed for it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use amity_core::api::{MachineImage, MachineImageStatus, conditions};

use amity_testbed::Call;

use super::stage::{Stage, Told, ensure};
use super::tell;

/// What nothing in the story should take.
const PATIENCE: Duration = Duration::from_mins(3);

const PAUSE: Duration = Duration::from_millis(150);

/// Waits until the image is ready, and gives it as it is then.
pub fn until_ready(stage: &Stage, name: &str) -> Told<MachineImage> {
    until_ready_while(stage, name, |_| Ok(()))
}

/// The same, and at every look something has to be so.
pub fn until_ready_while(
    stage: &Stage,
    name: &str,
    mut always: impl FnMut(&MachineImage) -> Told<()>,
) -> Told<MachineImage> {
    follow(stage, name, |image| {
        let image = image.ok_or_else(|| format!("MachineImage {name} should be there"))?;
        always(image)?;
        Ok(is_ready(image).then(|| image.clone()))
    })
}

/// Waits until the object is gone.
pub fn until_gone(stage: &Stage, name: &str) -> Told<()> {
    follow(stage, name, |image| Ok(image.is_none().then_some(())))
}

/// Looks again and again until something is found, telling what changes meanwhile.
pub fn follow<T>(
    stage: &Stage,
    name: &str,
    mut found: impl FnMut(Option<&MachineImage>) -> Told<Option<T>>,
) -> Told<T> {
    let begun = Instant::now();
    let mut told = String::new();
    let mut calls = stage.ec2.call_log()?.len();
    loop {
        let image = stage.image(name)?;
        let log = stage.ec2.call_log()?;
        for done in effects(&log[calls..]) {
            tell::progress(begun.elapsed(), &done);
        }
        calls = log.len();
        let says = match &image {
            None => format!("{name} is gone"),
            Some(image) => says(image).unwrap_or_else(|| told.clone()),
        };
        if says != told {
            tell::progress(begun.elapsed(), &says);
            told = says;
        }
        if let Some(found) = found(image.as_ref())? {
            return Ok(found);
        }
        let log = stage.amity.log();
        let last: Vec<_> = log.lines().rev().take(8).collect();
        ensure(
            begun.elapsed() < PATIENCE,
            format!(
                "waited {} s in vain; amity's log, the newest line first:\n{}",
                PATIENCE.as_secs(),
                last.join("\n")
            ),
        )?;
        thread::sleep(PAUSE);
    }
}

/// The published image of each region.
pub fn published(image: &MachineImage) -> BTreeMap<String, String> {
    let regions = image.status.iter().flat_map(|status| &status.regions);
    let published = regions.filter_map(|region| {
        let id = region.published_image_id.clone()?;
        Some((region.name.clone(), id))
    });
    published.collect()
}

/// The revision that is published.
pub fn revision(image: &MachineImage) -> String {
    let published = image
        .status
        .as_ref()
        .and_then(|status| status.published.as_ref());
    published.map_or_else(String::new, |published| published.revision.clone())
}

/// Whether the condition is true.
pub fn holds(image: &MachineImage, type_: &str) -> bool {
    image.status.as_ref().is_some_and(|status| {
        let mut conditions = status.conditions.iter();
        conditions.any(|condition| condition.type_ == type_ && condition.status == "True")
    })
}

/// Whether EC2 matches the spec as it is now.
pub fn is_ready(image: &MachineImage) -> bool {
    let observed = image
        .status
        .as_ref()
        .map(|status| status.observed_generation);
    observed == image.metadata.generation && holds(image, conditions::READY)
}

/// What these calls made or removed, those of a kind in a line.
fn effects(calls: &[Call]) -> Vec<String> {
    let told = [
        "CreateImage",
        "CopyImage",
        "DeregisterImage",
        "DeleteSnapshot",
    ];
    let mut regions: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.succeeded()) {
        if let Some(kind) = told.iter().position(|action| *action == call.action) {
            regions.entry(kind).or_default().push(&call.region);
        }
    }
    let lines = regions.into_iter().map(|(kind, mut regions)| {
        regions.sort_unstable();
        regions.dedup();
        format!("→    {} in {}", told[kind], regions.join(", "))
    });
    lines.collect()
}

/// The status in a line, if it is about the spec as it is now: how many regions stand, and what is
/// awaited.
fn says(image: &MachineImage) -> Option<String> {
    let status = image.status.as_ref()?;
    if Some(status.observed_generation) != image.metadata.generation {
        return None;
    }
    let regions = status.regions_ready.as_deref().unwrap_or("-");
    Some(format!(
        "{regions:<3}  {}",
        awaited(status).replace(" %", "%")
    ))
}

fn awaited(status: &MachineImageStatus) -> String {
    let mut conditions = status.conditions.iter();
    let Some(ready) = conditions.find(|condition| condition.type_ == conditions::READY) else {
        return "not looked at yet".to_owned();
    };
    if ready.status == "True" {
        return format!("Ready: {}", ready.message);
    }
    let busy = [conditions::PROGRESSING.name, conditions::DELETING.name];
    if !busy.contains(&ready.reason.as_str()) {
        return format!("{}: {}", ready.reason, ready.message);
    }
    let mut steps = status.next_steps.iter();
    if let Some(step) = steps.clone().find(|step| step.waits_for.is_none()) {
        return format!("next: {} ({})", step.step, step.why);
    }
    match steps.find_map(|step| step.waits_for.as_deref()) {
        Some(waits_for) => format!("waits for {waits_for}"),
        None => ready.message.clone(),
    }
}
