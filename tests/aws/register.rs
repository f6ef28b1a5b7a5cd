//! Images that are made of snapshots, and captures without some of the volumes.

use amity::aws::effect::Answer;
use amity_core::api::conditions;
use amity_core::image::desired::{Desired, RegisteredVolume, Registration};
use amity_core::image::identity::{Place, Reference, Standing, standing, tag};
use amity_core::image::observed::{Asked, ImageState};
use amity_core::image::plan::step::Action;
use ec2sim::{Fault, Knobs};

use crate::lab::{ACCOUNT, Lab, birth_tags, capture, desired, ids};

const REGION: &str = "us-east-1";
/// A snapshot that the user brought, of the example world.
pub const ROOT: &str = "snap-0feedfacefeedface";
/// Another one, of a volume with data.
const DATA: &str = "snap-0da7a0da7a0da7a00";

pub fn registration() -> Registration {
    Registration {
        snapshot: ROOT.into(),
        root_device: "/dev/xvda".into(),
        architecture: "arm64",
        boot_mode: Some("uefi"),
        ena_support: true,
        volumes: Vec::new(),
        platform_details: "Linux/UNIX",
    }
}

fn data_volume() -> RegisteredVolume {
    RegisteredVolume {
        device: "/dev/sdf".into(),
        snapshot: DATA.into(),
        delete_on_termination: false,
    }
}

pub fn register(desired: &Desired, registration: Registration) -> Action {
    Action::RegisterImage {
        name: desired.image_name.clone(),
        description: Some("of a snapshot".into()),
        tags: birth_tags(desired, &Reference::new(REGION, ROOT)),
        registration,
    }
}

/// A lab with a second snapshot of the user's.
fn with_data_volume(lab: Lab) -> Lab {
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let mut snapshot = region.snapshots[ROOT].clone();
        snapshot.id = DATA.into();
        region.snapshots.insert(DATA.into(), snapshot);
    });
    lab
}

#[tokio::test(start_paused = true)]
async fn a_registration_says_everything_that_ec2_would_guess() {
    let lab = with_data_volume(Lab::calm()).started().await;
    let desired = desired("web", &[REGION]);
    let registration = Registration {
        volumes: vec![data_volume()],
        ..registration()
    };
    let id = lab
        .make(&desired, REGION, register(&desired, registration))
        .await;
    let image = lab.world(|world| world.regions()[REGION].images[&id].clone());
    let machine = &image.machine;
    assert_eq!(
        (
            machine.architecture.as_str(),
            machine.virtualization.as_str()
        ),
        ("arm64", "hvm"),
        "EC2 itself would take i386 and paravirtual"
    );
    assert_eq!(
        (machine.ena, machine.boot_mode.as_deref()),
        (true, Some("uefi"))
    );
    assert_eq!(machine.root_device, "/dev/xvda");
    assert_eq!(image.name, desired.image_name);
    assert_eq!(image.description.as_deref(), Some("of a snapshot"));
    let devices: Vec<_> = image
        .devices
        .iter()
        .filter_map(|device| Some((device.name.as_str(), device.ebs.as_ref()?)))
        .map(|(name, ebs)| (name, ebs.snapshot.as_deref(), ebs.delete_on_termination))
        .collect();
    assert_eq!(
        devices,
        [
            ("/dev/xvda", Some(ROOT), true),
            ("/dev/sdf", Some(DATA), false)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_boot_mode_that_is_not_said_is_not_sent_and_no_ena_is() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    let registration = Registration {
        boot_mode: None,
        ena_support: false,
        ..registration()
    };
    let id = lab
        .make(&desired, REGION, register(&desired, registration))
        .await;
    let machine = lab.world(|world| world.regions()[REGION].images[&id].machine.clone());
    assert_eq!((machine.ena, machine.boot_mode), (false, None));
}

#[tokio::test(start_paused = true)]
async fn a_registration_tags_the_image_and_leaves_the_users_snapshots_as_they_were() {
    let lab = with_data_volume(Lab::calm()).started().await;
    let tags_of = |id: &str| lab.world(|world| world.regions()[REGION].tags(id, ACCOUNT));
    let before = [tags_of(ROOT), tags_of(DATA)];
    let desired = desired("web", &[REGION]);
    let registration = Registration {
        volumes: vec![data_volume()],
        ..registration()
    };
    let id = lab
        .make(&desired, REGION, register(&desired, registration))
        .await;
    assert_eq!(
        tags_of(&id),
        birth_tags(&desired, &Reference::new(REGION, ROOT))
    );
    assert_eq!([tags_of(ROOT), tags_of(DATA)], before);
    lab.pass(600).await;
    let known = lab.known(&desired, REGION).await;
    assert_eq!(ids(&known.images), [&id]);
    assert!(known.snapshots.is_empty(), "{:?}", known.snapshots);
    assert_eq!(known.images[0].snapshots, [ROOT, DATA]);
}

#[tokio::test(start_paused = true)]
async fn a_registered_image_is_proven_as_soon_as_its_root_snapshot_is_listed() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 60,
        ..Knobs::calm()
    })
    .started()
    .await;
    let desired = desired("web", &[REGION]);
    let action = register(&desired, registration());
    let id = lab.make(&desired, REGION, action).await;
    let known = lab.known(&desired, REGION).await;
    assert_eq!(
        (ids(&known.images), known.images[0].state),
        (vec![id.as_str()], ImageState::Pending)
    );
    assert_eq!(
        standing(&known.images[0], &desired.identity),
        Standing::Unproven
    );
    lab.pass(120).await;
    let known = lab.known(&desired, REGION).await;
    let registered = known.images[0]
        .registered
        .as_ref()
        .expect("it shows no source");
    assert_eq!(registered.root_snapshot.as_deref(), Some(ROOT));
    assert_eq!(registered.platform_details.as_deref(), Some("Linux/UNIX"));
    assert_eq!(
        standing(&known.images[0], &desired.identity),
        Standing::Newborn
    );
}

#[tokio::test(start_paused = true)]
async fn a_registration_whose_answer_was_lost_is_found_by_its_name() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 20,
        ..Knobs::calm()
    })
    .started()
    .await;
    let desired = desired("web", &[REGION]);
    lab.fail("RegisterImage", Fault::LostAnswer);
    let action = register(&desired, registration());
    let lost = lab.perform(&desired, REGION, action.clone()).await;
    assert!(!lost.result.expect_err("no answer").certain);
    assert_eq!(lab.reached("RegisterImage"), 1, "the SDK repeats nothing");
    lab.heal();
    lab.pass(3).await;
    let again = lab.perform(&desired, REGION, action).await;
    assert_eq!(again.result, Ok(Answer::NameTaken));
    lab.pass(60).await;
    let known = lab.known(&desired, REGION).await;
    let holders = &known.name_holders[&desired.image_name];
    assert_eq!(holders.len(), 1);
    assert_eq!(standing(&holders[0], &desired.identity), Standing::Newborn);
    assert_eq!(ids(&known.images), ids(holders), "the list shows it by now");
    let asked = Asked {
        place: Place::new(ACCOUNT, REGION),
        action: "RegisterImage",
        target: None,
    };
    assert!(!lab.observe(&desired).await.refusals[&asked].certain);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_has_is_taken_and_shows_whose_it_is() {
    let lab = Lab::calm().started().await;
    let mut desired = desired("web", &[REGION]);
    desired.image_name = "golden-2025".into();
    let taken = lab
        .perform(&desired, REGION, register(&desired, registration()))
        .await;
    assert_eq!(taken.result, Ok(Answer::NameTaken));
    lab.pass(10).await;
    let known = lab.known(&desired, REGION).await;
    let holders = &known.name_holders["golden-2025"];
    assert_eq!(ids(holders), ["ami-0feedfacefeedface"]);
    assert!(!desired.identity.is_claimed_by(&holders[0].tags));
}

#[tokio::test(start_paused = true)]
async fn a_registration_of_a_snapshot_that_is_gone_is_refused_for_certain() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    let gone = Registration {
        snapshot: "snap-0000000000000dead".into(),
        ..registration()
    };
    let outcome = lab
        .perform(&desired, REGION, register(&desired, gone))
        .await;
    let refusal = outcome.result.expect_err("no such snapshot");
    assert!(refusal.certain, "{refusal:?}");
    assert!(
        refusal.message.contains("snap-0000000000000dead"),
        "{}",
        refusal.message
    );
    assert_eq!(lab.images_in(REGION), ["ami-0feedfacefeedface"]);
}

#[tokio::test(start_paused = true)]
async fn a_capture_of_the_root_alone_leaves_the_other_devices_out() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    let Action::CreateImage {
        instance,
        name,
        description,
        no_reboot,
        tags,
        snapshot_tags,
        ..
    } = capture(&desired)
    else {
        panic!("a capture");
    };
    let action = Action::CreateImage {
        instance,
        name,
        description,
        no_reboot,
        without_devices: vec!["/dev/sdf".into()],
        tags,
        snapshot_tags,
    };
    let id = lab.make(&desired, REGION, action).await;
    let devices = lab.world(|world| world.regions()[REGION].images[&id].devices.clone());
    let names: Vec<_> = devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["/dev/xvda"]);
    lab.pass(60).await;
    let known = lab.known(&desired, REGION).await;
    assert_eq!(known.snapshots.len(), 1, "no snapshot of the other volume");
    assert_eq!(known.images[0].snapshots, [known.snapshots[0].id.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn what_is_half_said_is_never_made() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    let of = |registration| register(&desired, registration);
    let named = |name: &str| match of(registration()) {
        Action::RegisterImage {
            registration,
            description,
            tags,
            ..
        } => Action::RegisterImage {
            registration,
            name: name.into(),
            description,
            tags,
        },
        other => other,
    };
    let untagged = match of(registration()) {
        Action::RegisterImage {
            registration,
            name,
            description,
            ..
        } => Action::RegisterImage {
            registration,
            name,
            description,
            tags: [].into(),
        },
        other => other,
    };
    let half_a_volume = RegisteredVolume {
        snapshot: "snap-0da7".into(),
        ..data_volume()
    };
    let from = |id: &str| Action::CopyImage {
        from: Reference::new(REGION, id),
        name: "web".into(),
        description: None,
        encryption: None,
        minutes: None,
        token: "t".into(),
        tags: birth_tags(&desired, &Reference::new(REGION, id)),
        snapshot_tags: birth_tags(&desired, &Reference::new(REGION, id)),
    };
    let before = lab.all_calls();
    for action in [
        of(Registration {
            snapshot: String::new(),
            ..registration()
        }),
        of(Registration {
            snapshot: "ami-0feedfacefeedface".into(),
            ..registration()
        }),
        of(Registration {
            volumes: vec![half_a_volume],
            ..registration()
        }),
        named(""),
        untagged,
        from(""),
        from("ami-"),
        from(ROOT),
        Action::ReleaseFinalizer,
    ] {
        let outcome = lab.perform(&desired, REGION, action.clone()).await;
        let refusal = outcome.result.expect_err("never sent");
        assert!(refusal.certain, "{action:?}: {refusal:?}");
        assert!(
            refusal.message.contains("a bug of Amity, nothing was done"),
            "{}",
            refusal.message
        );
        lab.pass(600).await;
    }
    let made = ["RegisterImage", "CopyImage", "CreateImage"];
    assert_eq!(made.map(|action| lab.reached(action)), [0, 0, 0]);
    assert!(lab.all_calls() > before, "lists are read on");
}

#[tokio::test(start_paused = true)]
async fn a_denied_registration_says_what_to_allow() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    lab.fail(
        "RegisterImage",
        Fault::Refuse {
            code: "UnauthorizedOperation",
            message: "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/a is not \
                      authorized to perform: ec2:RegisterImage on resource: x because no identity-based policy allows \
                      the ec2:RegisterImage action",
        },
    );
    let outcome = lab
        .perform(&desired, REGION, register(&desired, registration()))
        .await;
    let refusal = outcome.result.expect_err("denied");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::ACCESS_DENIED, true)
    );
    assert!(
        refusal
            .message
            .contains("allow ec2:RegisterImage in the policy"),
        "{}",
        refusal.message
    );
    let known = lab.known(&desired, REGION).await;
    assert!(
        known
            .images
            .iter()
            .all(|image| !image.tags.contains_key(tag::SELF))
    );
}

/// Its snapshots are the user's, carry no tag of ours, and are never among those that are listed.
#[tokio::test(start_paused = true)]
async fn at_rest_a_registered_image_costs_no_list_of_snapshots() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    let id = lab
        .make(&desired, REGION, register(&desired, registration()))
        .await;
    let tags = [(tag::SELF.to_owned(), id.clone())].into();
    lab.perform(&desired, REGION, Action::CreateTags { id, tags })
        .await;
    lab.pass(1500).await;
    let before = lab.reached("DescribeSnapshots");
    lab.pass(3600).await;
    assert_eq!(lab.reached("DescribeSnapshots") - before, 0);
}
