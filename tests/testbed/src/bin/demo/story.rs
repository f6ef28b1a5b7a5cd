//! The chapters. Each says what it shows, does it as a user would, waits, and checks what it claims.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use amity_core::api::{MachineImage, conditions};
use amity_testbed::{Call, HeldImage, workspace_root};

use super::balance::Took;
use super::stage::{NAMESPACE, Stage, Told, ensure};
use super::tell;
use super::watch::{
    follow, holds, published, revision, until_gone, until_ready, until_ready_while,
};

/// The image that the story is about.
const WEB: &str = "web";
const WEB_KEY: &str = "images/web";

/// From an instance to an image in three regions.
pub fn an_image_in_three_regions(stage: &Stage) -> Told<Took> {
    tell::chapter(
        1,
        "An image of an instance, in three regions",
        "The manifest names an instance in us-east-1 and three regions. Amity captures the \
         instance without restarting it, copies the image, and publishes all three together.",
    );
    let calls_before = stage.ec2.call_log()?.len();
    let begun = Instant::now();
    for file in ["00-namespace", "awsaccount", "machineimage-from-instance"] {
        stage.kubectl(&["apply", "-f", &format!("examples/{file}.yaml")])?;
    }
    println!();
    let image = until_ready(stage, WEB)?;
    let took = Took {
        time: begun.elapsed(),
        calls: stage.ec2.call_log()?.split_off(calls_before),
    };
    stage.kubectl(&["get", "machineimages", "-n", NAMESPACE])?;
    println!();
    tell_ids(&image);
    is_served_in(stage, &image, 3)?;
    tell::seen("published in three regions, and EC2 has exactly these three images");
    let restarts = restarts(stage)?;
    ensure(restarts == 0, "the instance should not have been restarted")?;
    tell::seen("the instance was not restarted (reboot: Never)");
    Ok(took)
}

/// The other sources: a snapshot, an image by its id, an image by owner and name.
pub fn other_sources(stage: &Stage) -> Told<()> {
    tell::chapter(
        2,
        "The other sources",
        "The rest of the examples: a snapshot is registered as an image, an image that was there \
         before is copied, and so is the newest one of a name, of one owner. What was applied \
         already is left as it is.",
    );
    let calls_before = stage.ec2.call_log()?.len();
    stage.kubectl(&["apply", "-f", "examples/"])?;
    println!();
    let registered = until_ready(stage, "restored")?;
    println!();
    tell_ids(&registered);
    let calls = stage.ec2.call_log()?.split_off(calls_before);
    ensure(
        published(&registered).len() == 2 && made_by(&calls, "RegisterImage") == 1,
        "the snapshot should have been registered once, for two regions",
    )?;
    tell::seen("registered once, of a snapshot that stays the user's, and copied");
    println!();
    let named = until_ready(stage, "amazon-linux")?;
    println!();
    let source = named.status.iter().find_map(|status| status.source.clone());
    let source = source.unwrap_or_default();
    tell::quote(&format!("made from {source}"));
    ensure(
        source == "us-east-1/ami-0a2b3c4d5e6f70819",
        "the name should have been resolved to Amazon's image",
    )?;
    tell::seen("the name was resolved to an image of Amazon, and stays so for this revision");
    println!();
    let image = until_ready(stage, "base")?;
    println!();
    tell_ids(&image);
    ensure(
        published(&image).len() == 2,
        "two regions should have the image",
    )?;
    ensure(
        !published(&image)
            .values()
            .any(|id| id == "ami-0feedfacefeedface"),
        "the original should not be published, but copies of it",
    )?;
    tell::seen("both are copies: the original stays its owner's");
    Ok(())
}

/// A region more.
pub fn a_region_is_added(stage: &Stage) -> Told<()> {
    tell::chapter(
        3,
        "A region is added",
        "It is filled with a copy of the published revision. The instance is not captured again.",
    );
    let before = published(&image(stage)?);
    let captures = captures(&stage.ec2.call_log()?);
    patch(
        stage,
        "json",
        r#"[{"op": "add", "path": "/spec/regions/-", "value": {"name": "us-west-2"}}]"#,
    )?;
    let image = until_ready_while(stage, WEB, |image| {
        ensure(
            holds(image, conditions::AVAILABLE),
            "the image should stay available meanwhile",
        )
    })?;
    println!();
    tell_ids(&image);
    is_served_in(stage, &image, 4)?;
    let after = published(&image);
    let same = before
        .iter()
        .all(|(region, id)| after.get(region) == Some(id));
    ensure(same, "the other regions should keep their images")?;
    tell::seen("four ids, three of them the same as before, and Available all the time");
    ensure(
        captures == self::captures(&stage.ec2.call_log()?),
        "the instance should not have been captured again",
    )?;
    tell::seen("the instance was not captured again");
    Ok(())
}

/// A region less.
pub fn a_region_is_removed(stage: &Stage) -> Told<()> {
    tell::chapter(
        4,
        "A region is removed",
        "Its image is deregistered, and then its snapshots are deleted. EC2 keeps snapshots of \
         images that are gone, and bills them, unless somebody deletes them.",
    );
    let region = image(stage)?.spec.regions[1].name.clone();
    patch(
        stage,
        "json",
        r#"[{"op": "remove", "path": "/spec/regions/1"}]"#,
    )?;
    let image = until_ready(stage, WEB)?;
    println!();
    tell_ids(&image);
    is_served_in(stage, &image, 3)?;
    let holdings = stage.holdings()?;
    let images = holdings
        .images_of(WEB_KEY)
        .iter()
        .filter(|one| one.region == region)
        .count();
    let snapshots = holdings
        .snapshots_of(WEB_KEY)
        .iter()
        .filter(|one| one.region == region)
        .count();
    ensure(
        images + snapshots == 0,
        format!("{region} should hold nothing of the image any more"),
    )?;
    tell::seen(&format!(
        "no image and no snapshot of it is left in {region}"
    ));
    Ok(())
}

/// The same source again.
pub fn the_image_is_rebuilt(stage: &Stage) -> Told<()> {
    tell::chapter(
        5,
        "The image is rebuilt",
        "A new value of rebuild takes the same source again. The new revision is published when \
         it is complete in every region; until then the old one stays published. After that it \
         is kept for a revert, as spec.retention says.",
    );
    let before = image(stage)?;
    patch(stage, "merge", r#"{"spec": {"rebuild": "2026-04-01"}}"#)?;
    let image = until_ready_while(stage, WEB, |image| {
        let holdings = stage.holdings()?;
        for region in image.spec.region_names() {
            let images = holdings.images_of(WEB_KEY);
            let served = images
                .iter()
                .any(|one| one.region == region && one.is_published());
            ensure(served, format!("{region} is without a published image"))?;
        }
        Ok(())
    })?;
    println!();
    tell_ids(&image);
    is_served_in(stage, &image, 3)?;
    ensure(
        revision(&image) != revision(&before),
        "another revision should be published",
    )?;
    tell::seen("at every moment each region had a published image");
    is_kept_in(stage, &revision(&before), 3)?;
    tell::seen("the images of the old revision are kept, and no longer published");
    Ok(())
}

/// Back to what was.
pub fn the_rebuild_is_reverted(stage: &Stage) -> Told<()> {
    tell::chapter(
        6,
        "The rebuild is reverted",
        "As a revert in Git would: rebuild is taken out again. The kept revision is published \
         anew, and nothing is built or copied for it.",
    );
    let before = image(stage)?;
    let calls_before = stage.ec2.call_log()?.len();
    patch(stage, "merge", r#"{"spec": {"rebuild": null}}"#)?;
    let image = until_ready(stage, WEB)?;
    println!();
    tell_ids(&image);
    is_served_in(stage, &image, 3)?;
    is_kept_in(stage, &revision(&before), 3)?;
    let calls = stage.ec2.call_log()?.split_off(calls_before);
    let made = made_by(&calls, "CreateImage") + made_by(&calls, "CopyImage");
    ensure(made == 0, "nothing should have been made for a revert")?;
    tell::seen("the first revision is published again; EC2 was asked to tag, and to make nothing");
    Ok(())
}

/// Twice in the middle of a roll-out.
pub fn amity_is_killed(stage: &mut Stage) -> Told<()> {
    tell::chapter(
        7,
        "Amity is killed, twice, in the middle of a roll-out",
        "Once as soon as it has asked for the capture, once as soon as it has asked for a copy. \
         What it remembers is in EC2, so nothing is lost and nothing is made twice.",
    );
    let calls_before = stage.ec2.call_log()?.len();
    let before = image(stage)?;
    let oldest = kept_revision(stage, &revision(&before))?;
    patch(stage, "merge", r#"{"spec": {"rebuild": "2026-05-01"}}"#)?;
    for action in ["CreateImage", "CopyImage"] {
        follow(stage, WEB, |_| {
            let calls = stage.ec2.call_log()?.split_off(calls_before);
            let asked = calls
                .iter()
                .any(|call| call.action == action && call.succeeded());
            Ok(asked.then_some(()))
        })?;
        let process = stage.amity.process().id();
        tell::command(&format!(
            "kill -9 {process}    # EC2 has just been asked to {action}"
        ));
        stage.amity.restart()?;
        stage.amity.wait_ready()?;
        tell::quote(&format!(
            "amity runs again, as process {}",
            stage.amity.process().id()
        ));
        println!();
    }
    let image = until_ready(stage, WEB)?;
    println!();
    tell_ids(&image);
    is_served_in(stage, &image, 3)?;
    let holdings = stage.holdings()?;
    let of_revision: Vec<&HeldImage> = holdings
        .images
        .iter()
        .filter(|one| one.is_of(WEB_KEY) && one.revision() == revision(&image))
        .collect();
    let regions: BTreeSet<_> = of_revision.iter().map(|one| &one.region).collect();
    ensure(
        of_revision.len() == regions.len() && regions.len() == 3,
        format!(
            "each region should have had one image of the revision, but there were {}",
            of_revision.len()
        ),
    )?;
    tell::seen("in each region EC2 made one image of this revision, and never a second one");
    let calls = stage.ec2.call_log()?.split_off(calls_before);
    ensure(
        captures(&calls) == 1,
        "the instance should have been captured once",
    )?;
    tell::seen("the instance was captured once");
    is_kept_in(stage, &revision(&before), 3)?;
    no_trace_of(stage, &oldest)?;
    tell::seen(
        "one superseded revision is kept; of the one before no image and no snapshot is left",
    );
    Ok(())
}

/// What the API server says.
pub fn a_mistake_is_explained(stage: &Stage) -> Told<()> {
    const FILE: &str = "examples/invalid/machineimage-region-is-a-zone.yaml";
    tell::chapter(
        8,
        "A mistake is explained",
        "A manifest that cannot be right is refused at once, in words that say what to write.",
    );
    let manifest = fs::read_to_string(workspace_root().join(FILE))?;
    let regions = manifest
        .split_once("  regions:")
        .map_or("", |(_, regions)| regions);
    println!();
    tell::quote(&format!("  regions:{regions}"));
    let answer = stage.kubectl_refused(&["apply", "-f", FILE])?;
    println!();
    ensure(
        answer.contains("availability zone"),
        "the answer should name the mistake",
    )?;
    ensure(
        stage.image("bad")?.is_none(),
        "nothing should have been stored",
    )?;
    tell::seen("nothing was stored");
    Ok(())
}

/// The end of all images.
pub fn everything_is_deleted(stage: &Stage) -> Told<()> {
    tell::chapter(
        9,
        "The images are deleted",
        "They go with all their images and snapshots. base says deletionPolicy: Retain, so that \
         its images stay in EC2, marked as retained.",
    );
    let all = ["web", "restored", "amazon-linux", "base"];
    let delete: Vec<&str> = ["delete", "machineimage"]
        .into_iter()
        .chain(all)
        .chain(["-n", NAMESPACE, "--wait=false"])
        .collect();
    stage.kubectl(&delete)?;
    println!();
    for name in all {
        until_gone(stage, name)?;
    }
    println!();
    let holdings = stage.holdings()?;
    let left: usize = all[..3]
        .iter()
        .map(|name| format!("{NAMESPACE}/{name}"))
        .map(|key| holdings.images_of(&key).len() + holdings.snapshots_of(&key).len())
        .sum();
    ensure(left == 0, "something of the deleted ones is left in EC2")?;
    tell::seen("of the others no image and no snapshot is left");
    let retained = holdings.images_of("images/base");
    ensure(
        retained.len() == 2
            && retained
                .iter()
                .all(|one| one.tags.contains_key("amity.dev/retained")),
        "the two images of base should be there, marked as retained",
    )?;
    tell::seen("the two images of base are there, with the tag amity.dev/retained");
    ensure(
        holdings.of_users() == stage.before,
        "something that users brought was changed",
    )?;
    tell::seen("all that users brought is as it was before: instance, image, snapshots, tags");
    Ok(())
}

fn image(stage: &Stage) -> Told<MachineImage> {
    Ok(stage
        .image(WEB)?
        .ok_or("MachineImage web should be there")?)
}

fn patch(stage: &Stage, type_: &str, patch: &str) -> Told<()> {
    let type_ = format!("--type={type_}");
    stage.kubectl(&[
        "patch",
        "machineimage",
        WEB,
        "-n",
        NAMESPACE,
        &type_,
        "-p",
        patch,
    ])?;
    println!();
    Ok(())
}

fn tell_ids(image: &MachineImage) {
    let rows = published(image)
        .into_iter()
        .map(|(region, id)| vec![region, id]);
    tell::table(&rows.collect::<Vec<_>>());
}

/// Whether EC2 has the images that the status names, one a region, all published, and no others but those that
/// are kept for a revert.
fn is_served_in(stage: &Stage, image: &MachineImage, regions: usize) -> Told<()> {
    let told: BTreeSet<_> = published(image).into_values().collect();
    let holdings = stage.holdings()?;
    let all = holdings.images_of(WEB_KEY);
    let (there, kept): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|one| one.revision() == revision(image));
    let all_published =
        there.iter().all(|one| one.is_published()) && !kept.iter().any(|one| one.is_published());
    let there: BTreeSet<_> = there.iter().map(|one| one.id.clone()).collect();
    ensure(
        told.len() == regions && told == there && all_published,
        format!("the status says {told:?} in {regions} regions, EC2 has {there:?}"),
    )
}

/// Whether the superseded revision is there in so many regions, and published in none.
fn is_kept_in(stage: &Stage, revision: &str, regions: usize) -> Told<()> {
    let holdings = stage.holdings()?;
    let images = holdings.images_of(WEB_KEY);
    let kept = images
        .iter()
        .filter(|one| one.revision() == revision && !one.is_published())
        .count();
    ensure(
        kept == regions,
        format!("revision {revision} should be kept in {regions} regions, but is in {kept}"),
    )
}

/// The one revision that is there besides the published one.
fn kept_revision(stage: &Stage, published: &str) -> Told<String> {
    let holdings = stage.holdings()?;
    let images = holdings.images_of(WEB_KEY);
    let kept: BTreeSet<_> = images
        .iter()
        .map(|one| one.revision())
        .filter(|revision| *revision != published)
        .collect();
    ensure(kept.len() == 1, "one superseded revision should be kept")?;
    Ok(kept.into_iter().collect())
}

fn no_trace_of(stage: &Stage, revision: &str) -> Told<()> {
    let holdings = stage.holdings()?;
    let images = holdings
        .images_of(WEB_KEY)
        .iter()
        .any(|one| one.revision() == revision);
    let snapshots = holdings.snapshots_of(WEB_KEY);
    let snapshots = snapshots.iter().any(|one| {
        one.tags
            .get("amity.dev/revision")
            .is_some_and(|of| of == revision)
    });
    ensure(
        !images && !snapshots,
        format!("something of revision {revision} is left in EC2"),
    )
}

fn captures(calls: &[Call]) -> usize {
    made_by(calls, "CreateImage")
}

/// How often EC2 did as `action` asked.
fn made_by(calls: &[Call], action: &str) -> usize {
    let calls = calls.iter();
    calls
        .filter(|call| call.action == action && call.succeeded())
        .count()
}

fn restarts(stage: &Stage) -> Told<usize> {
    let world = stage.ec2.world()?;
    let instance = &world["accounts"]["111122223333"]["regions"]["us-east-1"]["instances"]["i-0a1b2c3d4e5f60718"];
    let reboots = instance["reboots"]
        .as_array()
        .ok_or("ec2sim should know the instance")?;
    Ok(reboots.len())
}
