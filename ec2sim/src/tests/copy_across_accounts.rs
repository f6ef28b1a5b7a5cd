//! `CopyImage` of an image of another account.

use super::*;

const PARTNER_ID: &str = "444455556666";
const DENIED: &str = "You do not have permission to access the storage of this ami";

/// An image of two snapshots of ours, which takes ten seconds to copy; and the snapshots.
fn captured() -> (Ec2, String, Vec<String>) {
    let mut ec2 = Ec2::slow();
    let image = ec2.capture("web-1");
    ec2.wait(10);
    let snapshots = ec2.snapshots_of(&image);
    assert_eq!(snapshots.len(), 2);
    (ec2, image, snapshots)
}

fn change_image(ec2: &mut Ec2, image: &str, how: &str) {
    let name = format!("LaunchPermission.{how}.1.UserId");
    let parameters = [("ImageId", image), (name.as_str(), PARTNER_ID)];
    ec2.as_key(HOME)
        .at("us-east-1")
        .ok("ModifyImageAttribute", &parameters);
}

fn change_snapshot(ec2: &mut Ec2, snapshot: &str, how: &str) {
    let name = format!("CreateVolumePermission.{how}.1.UserId");
    let parameters = [("SnapshotId", snapshot), (name.as_str(), PARTNER_ID)];
    ec2.as_key(HOME)
        .at("us-east-1")
        .ok("ModifySnapshotAttribute", &parameters);
}

/// Code and message of what the partner is answered, or the copy's id.
fn copy_as_partner(ec2: &mut Ec2, image: &str) -> Result<String, (String, String)> {
    let answer = ec2
        .as_key(PARTNER)
        .at("eu-west-1")
        .call("CopyImage", &copy_of(image, &[]));
    match answer.error {
        None => Ok(text(&answer.body, "imageId").expect("an id")),
        Some(code) => Err((code, text(&answer.body, "Message").unwrap_or_default())),
    }
}

/// The same, with everything shared.
fn shared_and_copied() -> (Ec2, String, Vec<String>, String) {
    let (mut ec2, image, snapshots) = captured();
    change_image(&mut ec2, &image, "Add");
    for snapshot in &snapshots {
        change_snapshot(&mut ec2, snapshot, "Add");
    }
    let copy = copy_as_partner(&mut ec2, &image).expect("a copy");
    (ec2, image, snapshots, copy)
}

fn state_of_copy(ec2: &mut Ec2, copy: &str) -> String {
    ec2.as_key(PARTNER).at("eu-west-1").state(copy)
}

#[test]
fn the_image_and_every_snapshot_of_it_must_be_shared() {
    let (mut ec2, image, snapshots) = captured();
    let denied = Err(("InvalidRequest".to_owned(), DENIED.to_owned()));
    change_image(&mut ec2, &image, "Add");
    assert_eq!(copy_as_partner(&mut ec2, &image), denied);
    change_snapshot(&mut ec2, &snapshots[0], "Add");
    assert_eq!(copy_as_partner(&mut ec2, &image), denied);
    change_snapshot(&mut ec2, &snapshots[1], "Add");
    let copy = copy_as_partner(&mut ec2, &image).expect("a copy");
    ec2.wait(10);
    let body = ec2.image(&copy);
    assert_eq!(text(&body, "imageOwnerId").as_deref(), Some(PARTNER_ID));
    assert_eq!(text(&body, "imageState").as_deref(), Some("available"));
    assert_eq!(text(&body, "sourceImageId"), Some(image));
}

#[test]
fn shared_snapshots_alone_do_not_show_the_image() {
    let (mut ec2, image, snapshots) = captured();
    for snapshot in &snapshots {
        change_snapshot(&mut ec2, snapshot, "Add");
    }
    let answer = copy_as_partner(&mut ec2, &image);
    assert_eq!(
        answer.map_err(|(code, _)| code),
        Err("InvalidAMIID.NotFound".to_owned())
    );
}

#[test]
fn a_public_image_of_private_snapshots_is_not_copied() {
    let (mut ec2, image, _) = captured();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    region.images.get_mut(&image).expect("the image").public = true;
    let answer = copy_as_partner(&mut ec2, &image);
    assert_eq!(
        answer,
        Err(("InvalidRequest".to_owned(), DENIED.to_owned()))
    );
}

#[test]
fn a_pending_copy_fails_when_its_source_is_no_longer_shared() {
    let (mut ec2, image, _, copy) = shared_and_copied();
    change_image(&mut ec2, &image, "Remove");
    assert_eq!(state_of_copy(&mut ec2, &copy), "pending", "it shows late");
    ec2.wait(10);
    assert_eq!(state_of_copy(&mut ec2, &copy), "failed");
    let snapshot = ec2.snapshots_of(&copy)[0].clone();
    assert_eq!(
        text(&ec2.snapshot(&snapshot), "status").as_deref(),
        Some("error")
    );
}

#[test]
fn a_pending_copy_fails_when_one_snapshot_is_no_longer_shared() {
    let (mut ec2, _, snapshots, copy) = shared_and_copied();
    change_snapshot(&mut ec2, &snapshots[1], "Remove");
    ec2.wait(10);
    assert_eq!(state_of_copy(&mut ec2, &copy), "failed");
}

#[test]
fn resetting_takes_the_grants_of_pending_copies_away() {
    let (mut ec2, image, _, copy) = shared_and_copied();
    let reset = [
        ("ImageId", image.as_str()),
        ("Attribute", "launchPermission"),
    ];
    ec2.as_key(HOME)
        .at("us-east-1")
        .ok("ResetImageAttribute", &reset);
    ec2.wait(10);
    assert_eq!(state_of_copy(&mut ec2, &copy), "failed");

    let (mut ec2, _, snapshots, copy) = shared_and_copied();
    let reset = [
        ("SnapshotId", snapshots[0].as_str()),
        ("Attribute", "createVolumePermission"),
    ];
    ec2.as_key(HOME)
        .at("us-east-1")
        .ok("ResetSnapshotAttribute", &reset);
    ec2.wait(10);
    assert_eq!(state_of_copy(&mut ec2, &copy), "failed");
}

#[test]
fn copies_that_are_done_or_still_allowed_stay() {
    let (mut ec2, image, snapshots, copy) = shared_and_copied();
    change_snapshot(&mut ec2, &snapshots[0], "Add");
    ec2.wait(10);
    change_image(&mut ec2, &image, "Remove");
    assert_eq!(state_of_copy(&mut ec2, &copy), "available");
    let own = ec2.as_key(HOME).copy(&image, &[]);
    change_snapshot(&mut ec2, &snapshots[0], "Remove");
    ec2.wait(10);
    assert_eq!(ec2.at("eu-west-1").state(&own), "available");
}

#[test]
fn a_copy_may_outlive_its_grant() {
    let (mut ec2, image, _, copy) = shared_and_copied();
    ec2.world.facts_mut().copies_outlive_their_grants = true;
    change_image(&mut ec2, &image, "Remove");
    ec2.wait(10);
    assert_eq!(state_of_copy(&mut ec2, &copy), "available");
}
