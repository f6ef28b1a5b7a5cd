//! What nobody could say about EC2: each switch with either answer. Those of `RegisterImage` and
//! `DescribeImageReferences`, and those of deprecation, protection and parameters, are with their actions.

use super::*;
use crate::state::Protection;
use crate::{Facts, PendingSource};

fn with(facts: Facts) -> Ec2 {
    let mut ec2 = Ec2::slow();
    *ec2.world.facts_mut() = facts;
    ec2
}

fn golden(ec2: &mut Ec2) -> &mut crate::state::Image {
    let region = ec2.world.regions_mut().get_mut("us-east-1");
    let images = &mut region.expect("the region").images;
    images.get_mut(GOLDEN).expect("the image")
}

#[test]
fn a_copys_token_may_answer_a_dead_image_or_make_another() {
    for copy_token_outlives_image in [true, false] {
        let mut ec2 = with(Facts {
            copy_token_outlives_image,
            ..Facts::default()
        });
        let token = [("ClientToken", "t")];
        let image = ec2.at("eu-west-1").copy(GOLDEN, &token);
        assert_eq!(ec2.copy(GOLDEN, &token), image);
        ec2.ok("DeregisterImage", &[("ImageId", &image)]);
        let again = ec2.copy(GOLDEN, &token);
        assert_eq!(again == image, copy_token_outlives_image);
        assert_eq!(ec2.copy(GOLDEN, &token), again);
    }
}

#[test]
fn a_pending_source_is_refused_in_either_way() {
    for (copy_of_pending_source, code) in [
        (PendingSource::Unavailable, "InvalidAMIID.Unavailable"),
        (PendingSource::InvalidRequest, "InvalidRequest"),
    ] {
        let mut ec2 = with(Facts {
            copy_of_pending_source,
            ..Facts::default()
        });
        let source = ec2.capture("web-1");
        ec2.at("eu-west-1");
        assert_eq!(ec2.code("CopyImage", &copy_of(&source, &[])), code);
    }
}

#[test]
fn a_copy_of_a_pending_source_may_fail_late() {
    let mut ec2 = with(Facts {
        copy_of_pending_source: PendingSource::FailsLate,
        ..Facts::default()
    });
    let source = ec2.capture("web-1");
    let image = ec2.at("eu-west-1").copy(&source, &[]);
    assert_eq!(ec2.state(&image), "pending");
    ec2.wait(10);
    assert_eq!(ec2.state(&image), "failed");
}

#[test]
fn the_code_of_a_failed_copy_is_what_the_facts_say() {
    for code in ["Client.InternalError", "Client.InvalidKMSKey.InvalidState"] {
        let mut ec2 = with(Facts {
            failed_copy_code: code.to_owned(),
            ..Facts::default()
        });
        let broken = [("Encrypted", "true"), ("KmsKeyId", "alias/broken")];
        let image = ec2.at("eu-west-1").copy(GOLDEN, &broken);
        ec2.wait(10);
        let body = ec2.image(&image);
        assert_eq!(text(&body, "code").as_deref(), Some(code));
    }
}

#[test]
fn a_copy_keeps_the_deprecation_or_not() {
    for copies_keep_deprecation in [false, true] {
        let mut ec2 = with(Facts {
            copies_keep_deprecation,
            ..Facts::default()
        });
        golden(&mut ec2).deprecation = Some(Timestamp::MAX);
        let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
        let deprecated = ec2.image(&image).contains("<deprecationTime>");
        assert_eq!(deprecated, copies_keep_deprecation);
    }
}

#[test]
fn a_copy_keeps_the_imds_support_or_not() {
    for copies_keep_imds_support in [true, false] {
        let mut ec2 = with(Facts {
            copies_keep_imds_support,
            ..Facts::default()
        });
        golden(&mut ec2).machine.imds_v2 = true;
        let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
        let kept = ec2
            .image(&image)
            .contains("<imdsSupport>v2.0</imdsSupport>");
        assert_eq!(kept, copies_keep_imds_support);
    }
}

#[test]
fn shared_tags_come_along_with_a_copy_or_not() {
    for shared_tags_are_always_copied in [false, true] {
        let mut ec2 = with(Facts {
            shared_tags_are_always_copied,
            ..Facts::default()
        });
        let tag = [
            ("ResourceId.1", GOLDEN),
            ("Tag.1.Key", "ec2:SharedTag/line"),
        ];
        ec2.ok("CreateTags", &tag);
        let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
        let keys = texts(&ec2.image(&image), "key");
        let wanted: &[&str] = if shared_tags_are_always_copied {
            &["ec2:SharedTag/line"]
        } else {
            &[]
        };
        assert_eq!(keys, wanted);
    }
}

#[test]
fn half_made_snapshots_stay_or_go_with_the_image() {
    for pending_snapshots_outlive_image in [true, false] {
        let mut ec2 = with(Facts {
            pending_snapshots_outlive_image,
            ..Facts::default()
        });
        let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
        let snapshot = ec2.snapshots_of(&image)[0].clone();
        ec2.ok("DeregisterImage", &[("ImageId", &image)]);
        ec2.wait(10);
        let answer = ec2.call("DescribeSnapshots", &[("SnapshotId.1", &snapshot)]);
        assert_eq!(answer.error.is_none(), pending_snapshots_outlive_image);
    }
}

#[test]
fn a_protected_image_is_refused_with_the_code_of_the_facts() {
    for code in ["OperationNotPermitted", "InvalidAMIID.Unavailable"] {
        let mut ec2 = with(Facts {
            protected_image_code: code.to_owned(),
            ..Facts::default()
        });
        golden(&mut ec2).protection = Protection::Enabled {
            with_cooldown: false,
        };
        assert_eq!(ec2.code("DeregisterImage", &[("ImageId", GOLDEN)]), code);
        assert_eq!(ec2.state(GOLDEN), "available");
        assert_eq!(
            text(&ec2.image(GOLDEN), "deregistrationProtection").as_deref(),
            Some("enabled-without-cooldown")
        );
    }
}

#[test]
fn the_name_of_an_image_in_the_recycle_bin_is_taken_or_free() {
    for recycled_names_are_taken in [true, false] {
        let mut ec2 = with(Facts {
            recycled_names_are_taken,
            ..Facts::default()
        });
        let place = ec2.world.place_mut("111122223333", "us-east-1");
        place.expect("the account").recycle_bin_days = 1;
        ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
        let capture = [("InstanceId", INSTANCE), ("Name", "golden-2025")];
        let answer = ec2.call("CreateImage", &capture);
        assert_eq!(answer.error.is_some(), recycled_names_are_taken);
        if recycled_names_are_taken {
            ec2.wait(24 * 3600);
            ec2.ok("CreateImage", &capture);
        }
    }
}

#[test]
fn an_unfinished_snapshot_is_refused_with_the_code_of_the_facts() {
    for code in ["IncorrectState", "InvalidSnapshot.NotFound"] {
        let mut ec2 = with(Facts {
            unfinished_snapshot_code: code.to_owned(),
            ..Facts::default()
        });
        let image = ec2.capture("web-1");
        let snapshot = ec2.snapshots_of(&image)[0].clone();
        let parameters = [
            ("Name", "registered"),
            ("RootDeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.Ebs.SnapshotId", &snapshot),
        ];
        assert_eq!(ec2.code("RegisterImage", &parameters), code);
    }
}

#[test]
fn a_dry_run_has_the_status_of_the_facts() {
    for dry_run_status in [412, 400] {
        let mut ec2 = with(Facts {
            dry_run_status,
            ..Facts::default()
        });
        let answer = ec2.call("DescribeImages", &[("DryRun", "true")]);
        assert_eq!(answer.status, dry_run_status);
        assert_eq!(answer.error.as_deref(), Some("DryRunOperation"));
    }
}

#[test]
fn nobody_has_restricted_which_images_may_be_used() {
    let mut ec2 = Ec2::calm();
    let body = ec2.ok("GetAllowedImagesSettings", &[]);
    assert_eq!(text(&body, "state").as_deref(), Some("disabled"));
}
