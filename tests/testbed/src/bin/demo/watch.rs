//! Waiting for a `MachineImage`, with a line for every change of what its status says.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use amity_core::api::{MachineImage, MachineImageStatus, conditions};

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
    loop {
        let image = stage.image(name)?;
        let says = image
            .as_ref()
            .map_or_else(|| format!("{name} is gone"), says);
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

/// The status in a line: how many regions stand, and what comes next.
fn says(image: &MachineImage) -> String {
    let Some(status) = &image.status else {
        return "-  not looked at yet".to_owned();
    };
    let regions = status.regions_ready.as_deref().unwrap_or("-");
    format!("{regions}  {}", next(status))
}

fn next(status: &MachineImageStatus) -> String {
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
    // What is being done first; else what is waited for.
    let mut steps = status.next_steps.iter();
    let now: Vec<_> = steps
        .clone()
        .filter(|step| step.waits_for.is_none())
        .collect();
    if let Some(first) = now.first() {
        let same = now.iter().filter(|step| step.step == first.step);
        let regions: Vec<_> = same.filter_map(|step| step.region.as_deref()).collect();
        return format!("{} {}", first.step, regions.join(", "))
            .trim_end()
            .to_owned();
    }
    match steps.next() {
        Some(step) => {
            let waits_for = step.waits_for.as_deref().unwrap_or_default();
            format!("{} waits for {waits_for}", step.step)
        }
        None => ready.message.clone(),
    }
}
