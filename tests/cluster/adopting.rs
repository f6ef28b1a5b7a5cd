//! Taking over what others made, and what a deletion left.

use std::collections::{BTreeMap, BTreeSet};

use amity_testbed::eventually;

use crate::lab::{Lab, Namespace, PATIENCE, USER, condition, element, published, revision};

const TWO: [&str; 2] = ["us-east-1", "eu-west-1"];

/// The source of images that are not made: no instance of this id is asked for.
const SOURCE: &str =
    "{instance: {region: us-east-1, instanceId: i-00000000000000000, reboot: Never}}";

/// An image as Packer leaves it: one in a region, with a copy in another.
fn by_packer(lab: &Lab, name: &str) -> BTreeMap<String, String> {
    let parameters = [
        ("InstanceId", "i-0da7a000000000001"),
        ("Name", name),
        ("NoReboot", "true"),
        ("Description", "by Packer"),
    ];
    let made = element(&lab.user_does(USER, "CreateImage", &parameters), "imageId");
    until_available(lab, &made);
    let parameters = [
        ("Name", name),
        ("SourceRegion", "us-east-1"),
        ("SourceImageId", &made),
    ];
    let copy = lab.user_does_in("eu-west-1", USER, "CopyImage", &parameters);
    let copy = element(&copy, "imageId");
    until_available(lab, &copy);
    [("us-east-1", made), ("eu-west-1", copy)]
        .map(|(region, id)| (region.to_owned(), id))
        .into()
}

fn until_available(lab: &Lab, id: &str) {
    eventually(PATIENCE, "the image is available", || {
        match lab.holdings().images.iter().find(|one| one.id == id) {
            Some(image) if image.state == "available" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .unwrap();
}

/// The field that lists them.
fn listed(images: &BTreeMap<String, String>) -> String {
    let listed = images
        .iter()
        .map(|(region, id)| format!("{{region: {region}, imageId: {id}}}"));
    format!("adopt: [{}]", listed.collect::<Vec<_>>().join(", "))
}

/// Waits for the report, and says that it is meant.
fn agree(namespace: &Namespace<'_>, name: &str) -> String {
    // What was retained a moment ago may not show it yet.
    let message = namespace.until(name, "it says what would change", |image| {
        let stalled = condition(image, "Stalled").filter(|one| one.reason == "Adopting")?;
        Some(stalled.message.clone())
    });
    let (_, said) = message.split_once("amity.dev/adopt=").expect("the way on");
    let (revision, _) = said.split_once(':').expect("the end of the revision");
    namespace.annotate(name, &format!("amity.dev/adopt={revision}"));
    message
}

#[test]
fn images_of_packers_are_taken_over_with_their_snapshots_once_somebody_says_so() {
    let lab = Lab::shared();
    let images = by_packer(lab, "packer-web-1");
    let namespace = lab.namespace("adopting");
    let more = format!(
        "{}\n  description: golden\n  tags: {{team: web}}",
        listed(&images)
    );
    namespace.apply("web", SOURCE, &TWO, &more);

    let message = agree(&namespace, "web");

    for id in images.values() {
        assert!(message.contains(id.as_str()), "{message}");
    }
    for word in ["packer-web-1", "team=web", "golden"] {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }

    let ready = namespace.until_ready("web");
    assert_eq!(published(&ready), images);
    let holdings = lab.holdings();
    let snapshots: BTreeSet<_> = holdings
        .snapshots_of("adopting/web")
        .iter()
        .map(|one| one.id.clone())
        .collect();
    assert_eq!(snapshots.len(), 4, "two of each: {snapshots:?}");
    for image in holdings.images_of("adopting/web") {
        assert_eq!(image.tags["amity.dev/revision"], revision(&ready));
        assert_eq!(image.tags["team"], "web");
    }
    let captures = lab
        .calls()
        .into_iter()
        .filter(|call| call.action == "CreateImage")
        .filter(|call| call.ids.iter().any(|id| id == "i-00000000000000000"))
        .count();
    assert_eq!(captures, 0, "nothing is captured");

    namespace.delete("web");

    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
    lab.assert_users_keep_all();
}

#[test]
fn what_was_retained_comes_back_with_the_same_ids() {
    let lab = Lab::shared();
    let namespace = lab.namespace("retained-and-back");
    namespace.apply_of_instance("web", &TWO, "deletionPolicy: Retain");
    let before = namespace.until_ready("web");
    namespace.delete("web");
    namespace.until_gone("web");

    namespace.apply_of_instance("again", &TWO, &listed(&published(&before)));
    agree(&namespace, "again");

    let after = namespace.until_ready("again");
    assert_eq!(published(&after), published(&before));
    let holdings = lab.holdings();
    assert_eq!(holdings.images_of("retained-and-back/web").len(), 0);
    assert_eq!(holdings.snapshots_of("retained-and-back/again").len(), 2);

    namespace.delete("again");

    namespace.until_gone("again");
    namespace.assert_nothing_left("again", None);
    lab.assert_users_keep_all();
}

#[test]
fn taking_over_without_a_grant_is_refused_with_the_grant_that_is_missing() {
    let lab = Lab::shared();
    let namespace = lab.namespace_without_grants("adopting-denied");
    let golden = [("us-east-1".to_owned(), "ami-0feedfacefeedface".to_owned())];
    namespace.apply("web", SOURCE, &["us-east-1"], &listed(&golden.into()));

    let (reason, message) = namespace.until_stalled("web");

    assert_eq!(reason, "NotGranted", "{message}");
    assert!(message.contains("spec.grants.adopt"), "{message}");
    namespace.delete("web");
    namespace.until_gone("web");
    lab.assert_users_keep_all();
}
