//! What is superseded or deleted: what stays, for how long, and who says so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amity_core::api::{ImageUser, MachineImage, conditions};
use amity_testbed::{Call, eventually};

use crate::lab::{Alone, Lab, Namespace, PATIENCE, USER, condition, is_ready, published, revision};

/// An image that an instance uses, and the instance.
struct Used {
    image: String,
    instance: String,
    revision: String,
}

/// Makes an image, launches it, and supersedes it.
fn used_and_superseded(namespace: &Namespace<'_>) -> Used {
    namespace.apply_of_instance("web", &["us-east-1"], "retention: {revisions: 0}");
    let first = namespace.until_ready("web");
    let image = published(&first)["us-east-1"].clone();
    let instance = namespace.lab.launch("us-east-1", &image);
    namespace.patch("web", r#"{"spec": {"rebuild": "again"}}"#);
    Used {
        image,
        instance,
        revision: revision(&first).to_owned(),
    }
}

/// Waits until it is `Ready` because of what still uses an image, and gives the message.
fn until_in_use(namespace: &Namespace<'_>, used: &Used) -> (MachineImage, String) {
    namespace.until("web", "is Ready, and says what is in use", |image| {
        let ready = condition(image, conditions::READY).filter(|ready| ready.reason == "InUse")?;
        let users = &image.status.as_ref()?.regions.first()?.in_use_by;
        let [only] = users.as_slice() else {
            return None;
        };
        assert!(is_ready(image), "{:#?}", image.status);
        assert_eq!(only.image_id, used.image);
        assert!(
            only.arn.as_ref().unwrap().ends_with(&used.instance),
            "{only:?}"
        );
        Some((image.clone(), ready.message.clone()))
    })
}

fn until_deregistered(lab: &Lab, id: &str) {
    // It is asked again within a minute.
    eventually(2 * PATIENCE, &format!("{id} is deregistered"), || {
        let holdings = lab.holdings();
        let image = holdings.images.iter().find(|one| one.id == id).unwrap();
        if image.is_there() {
            Err(format!("{image:?}"))
        } else {
            Ok(())
        }
    })
    .unwrap();
}

#[test]
fn a_superseded_image_stays_until_its_instance_is_terminated() {
    let lab = Lab::shared();
    let namespace = lab.namespace("in-use");
    let used = used_and_superseded(&namespace);

    let (image, message) = until_in_use(&namespace, &used);

    assert_ne!(revision(&image), used.revision);
    for word in [
        &used.image,
        &used.instance,
        &used.revision,
        "amity.dev/deregister-in-use",
    ] {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
    assert_eq!(lab.holdings().images_of("in-use/web").len(), 2);

    lab.user_does(
        USER,
        "TerminateInstances",
        &[("InstanceId.1", &used.instance)],
    );

    until_deregistered(lab, &used.image);
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["us-east-1"]);
}

#[test]
fn an_image_in_use_goes_when_the_annotation_says_so() {
    let lab = Lab::shared();
    let namespace = lab.namespace("in-use-override");
    let used = used_and_superseded(&namespace);
    until_in_use(&namespace, &used);

    namespace.annotate(
        "web",
        &format!("amity.dev/deregister-in-use={}", used.revision),
    );

    until_deregistered(lab, &used.image);
    let image = namespace.until("web", "says that all is as it should be", |image| {
        let ready = condition(image, conditions::READY)?;
        (ready.reason == "InSync").then(|| image.clone())
    });
    namespace.assert_served(&image, &["us-east-1"]);
}

#[test]
fn an_image_that_another_account_uses_stays_where_a_grant_says_so() {
    const FRIEND: (&str, &str) = ("AKIAEC2SIMUSER000006", "666677778888");
    let lab = Lab::shared();
    let namespace = lab.namespace("used-elsewhere");
    namespace.apply_of_instance("web", &["us-east-1"], "retention: {revisions: 0}");
    let first = namespace.until_ready("web");
    let image = published(&first)["us-east-1"].clone();
    let template = [
        ("LaunchTemplateName", "theirs"),
        ("LaunchTemplateData.ImageId", image.as_str()),
    ];
    lab.user_does(FRIEND.0, "CreateLaunchTemplate", &template);

    namespace.patch("web", r#"{"spec": {"rebuild": "again"}}"#);

    let (user, message) = namespace.until("web", "says who uses it elsewhere", |image| {
        let ready = condition(image, conditions::READY).filter(|ready| ready.reason == "InUse")?;
        let users = &image.status.as_ref()?.regions.first()?.in_use_by;
        Some((users.first()?.clone(), ready.message.clone()))
    });
    let expected = ImageUser::elsewhere(&image, "ec2:LaunchTemplate", FRIEND.1, 1);
    assert_eq!(user, expected);
    let said = format!("1 ec2:LaunchTemplate of account {}", FRIEND.1);
    assert!(message.contains(&said), "{message}");
    let asked = |call: &Call| call.action == "CreateImageUsageReport" && call.outcome == "ok";
    assert_eq!(lab.calls().iter().filter(|call| asked(call)).count(), 1);

    namespace.annotate(
        "web",
        &format!("amity.dev/deregister-in-use={}", revision(&first)),
    );

    until_deregistered(lab, &image);
    namespace.delete("web");
    // What nobody uses elsewhere goes once a report says so.
    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
    assert_eq!(lab.calls().iter().filter(|call| asked(call)).count(), 2);
}

#[test]
fn retain_lets_a_blocked_deletion_go() {
    let lab = Lab::shared();
    let namespace = lab.namespace("retain-blocked");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    let id = published(&namespace.until_ready("web"))["us-east-1"].clone();
    let instance = lab.launch("us-east-1", &id);

    namespace.delete("web");

    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "DeregistrationBlocked", "{message}");
    for word in [&id, &instance, "spec.deletionPolicy to Retain"] {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }

    namespace.patch("web", r#"{"spec": {"deletionPolicy": "Retain"}}"#);

    namespace.until_gone("web");
    let holdings = lab.holdings();
    let [left] = holdings.images_of("retain-blocked/web")[..] else {
        panic!("{:?}", holdings.images_of("retain-blocked/web"));
    };
    assert_eq!((&left.id, left.state.as_str()), (&id, "available"));
    assert!(left.tags.contains_key("amity.dev/retained"), "{left:?}");
    assert_eq!(holdings.snapshots_of("retain-blocked/web").len(), 1);
}

#[test]
fn more_deletions_than_are_likely_to_be_meant_wait_for_a_word() {
    const NUMBER: usize = 21;
    let mut alone = Alone::ready();
    let namespace = alone.lab.namespace("crowd");
    let image = |number: usize| {
        format!(
            "---\napiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {{name: web-{number}}}\nspec:\n  \
             regions: [{{name: us-east-1}}]\n  \
             source: {{image: {{region: us-east-1, imageId: ami-0e1ea5e0000000001}}}}\n"
        )
    };
    let names: Vec<_> = (0..NUMBER).map(|number| format!("web-{number}")).collect();
    let manifest: String = (0..NUMBER).map(image).collect();
    namespace.kubectl.apply_yaml(&manifest).unwrap();
    for name in &names {
        namespace.until_ready(name);
    }

    // Everything is deleted before the controller sees the first of it, and when EC2's lists show everybody
    // all of it: what a list does not show yet does not count among what goes.
    alone.lab.until_read_three_times("111122223333");
    alone.lab.kill();
    let all = ["delete", "machineimages", "--all", "--wait=false"];
    let kubectl = alone.lab.existing("crowd").kubectl;
    kubectl.run(&all).unwrap().ok().unwrap();
    alone.lab.restart_with(&[]);

    let namespace = alone.lab.existing("crowd");
    for name in &names {
        let (reason, message) = namespace.until_stalled(name);
        assert_eq!(reason, "DeregistrationLimit", "{message}");
        let said = format!("{NUMBER} of the {NUMBER} published images of account 111122223333");
        assert!(message.contains(&said), "{message}");
        let holdings = alone.lab.holdings();
        let images = holdings.images_of(&namespace.key(name));
        assert!(images.len() == 1 && images[0].is_published(), "{images:?}");
    }

    let lifted = format!(
        "amity.dev/deregistration-limit-lifted-until={}",
        in_an_hour()
    );
    let annotate = ["annotate", "awsaccount", "default", &lifted];
    kubectl.run(&annotate).unwrap().ok().unwrap();

    for name in &names {
        namespace.until_gone(name);
        namespace.assert_nothing_left(name, None);
    }
}

/// As `date -u -d '1 hour' +%FT%TZ` prints it.
fn in_an_hour() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_hours(1);
    let time = jiff::Timestamp::from_second(i64::try_from(now.as_secs()).unwrap()).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
