//! `CreateTags` and `DeleteTags`.

use super::*;

fn keys(ec2: &mut Ec2, image: &str) -> Vec<String> {
    texts(&ec2.image(image), "key")
}

#[test]
fn tags_are_added_and_replaced() {
    let mut ec2 = Ec2::calm();
    let tags = [
        ("Tag.1.Key", "a"),
        ("Tag.1.Value", "1"),
        ("Tag.2.Key", "team"),
        ("Tag.2.Value", "x"),
    ];
    let mut parameters = vec![("ResourceId.1", GOLDEN), ("ResourceId.2", GOLDEN_SNAPSHOT)];
    parameters.extend(tags);
    ec2.ok("CreateTags", &parameters);
    assert_eq!(keys(&mut ec2, GOLDEN), ["Name", "a", "team"]);
    assert_eq!(texts(&ec2.snapshot(GOLDEN_SNAPSHOT), "value"), ["1", "x"]);
}

#[test]
fn deleting_without_tags_deletes_all_of_them() {
    let mut ec2 = Ec2::calm();
    ec2.ok("DeleteTags", &[("ResourceId.1", GOLDEN)]);
    assert!(keys(&mut ec2, GOLDEN).is_empty());
}

#[test]
fn a_tag_is_deleted_by_key_or_by_key_and_value() {
    let mut ec2 = Ec2::calm();
    ec2.ok(
        "DeleteTags",
        &[
            ("ResourceId.1", GOLDEN),
            ("Tag.1.Key", "team"),
            ("Tag.1.Value", ""),
        ],
    );
    assert_eq!(
        keys(&mut ec2, GOLDEN),
        ["Name", "team"],
        "an empty value means an empty value"
    );
    ec2.ok(
        "DeleteTags",
        &[("ResourceId.1", GOLDEN), ("Tag.1.Key", "team")],
    );
    assert_eq!(keys(&mut ec2, GOLDEN), ["Name"]);
}

#[test]
fn tags_on_somebody_elses_image_are_seen_by_who_set_them() {
    let mut ec2 = Ec2::calm();
    ec2.ok(
        "CreateTags",
        &[
            ("ResourceId.1", SHARED),
            ("Tag.1.Key", "mine"),
            ("Tag.1.Value", "1"),
        ],
    );
    assert_eq!(keys(&mut ec2, SHARED), ["mine"]);
    assert!(keys(ec2.as_key(PARTNER), SHARED).is_empty());
}

#[test]
fn one_unknown_resource_and_nothing_is_tagged() {
    let mut ec2 = Ec2::calm();
    let parameters = [
        ("ResourceId.1", GOLDEN),
        ("ResourceId.2", "ami-00000000000000000"),
        ("Tag.1.Key", "a"),
        ("Tag.1.Value", ""),
    ];
    assert_eq!(ec2.code("CreateTags", &parameters), "InvalidAMIID.NotFound");
    assert_eq!(keys(&mut ec2, GOLDEN), ["Name", "team"]);
}

#[test]
fn fifty_tags_are_the_most() {
    let mut ec2 = Ec2::calm();
    let names: Vec<(String, String)> = (1..=49)
        .map(|n| (format!("Tag.{n}.Key"), format!("key-{n}")))
        .collect();
    let mut parameters = vec![("ResourceId.1", GOLDEN)];
    parameters.extend(
        names
            .iter()
            .map(|(name, key)| (name.as_str(), key.as_str())),
    );
    assert_eq!(ec2.code("CreateTags", &parameters), "TagLimitExceeded");
    parameters.pop();
    ec2.ok("CreateTags", &parameters);
}

#[test]
fn a_new_tag_is_seen_at_the_latest_after_the_lag() {
    let mut ec2 = Ec2::with(Knobs {
        max_read_lag_seconds: 60,
        ..Knobs::calm()
    });
    ec2.ok(
        "CreateTags",
        &[
            ("ResourceId.1", GOLDEN),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", "1"),
        ],
    );
    assert_eq!(keys(&mut ec2, GOLDEN), ["Name", "team"]);
    ec2.wait(60);
    assert_eq!(keys(&mut ec2, GOLDEN), ["Name", "a", "team"]);
}

#[test]
fn tags_are_listed_by_resource_and_by_what_they_say() {
    let mut ec2 = Ec2::calm();
    let mut found = |name: &str, value: &str| {
        let body = ec2.ok(
            "DescribeTags",
            &[("Filter.1.Name", name), ("Filter.1.Value.1", value)],
        );
        let mut found: Vec<_> = texts(&body, "resourceId")
            .into_iter()
            .zip(texts(&body, "key"))
            .collect();
        found.sort();
        found
    };
    let pair = |id: &str, key: &str| (id.to_owned(), key.to_owned());
    assert_eq!(
        found("resource-id", GOLDEN),
        [pair(GOLDEN, "Name"), pair(GOLDEN, "team")]
    );
    assert_eq!(found("resource-type", "instance"), [pair(INSTANCE, "Name")]);
    assert_eq!(
        found("key", "te*"),
        [pair(GOLDEN, "team"), pair(GOLDEN_SNAPSHOT, "team")]
    );
    assert_eq!(found("value", "web"), [pair(INSTANCE, "Name")]);
    assert_eq!(found("tag:Name", "golden"), [pair(GOLDEN, "Name")]);
    assert!(found("tag:Name", "Golden").is_empty());
}

#[test]
fn tags_of_others_and_of_what_is_gone_are_not_listed() {
    let mut ec2 = Ec2::calm();
    let of = |image| {
        [
            ("Filter.1.Name", "resource-id"),
            ("Filter.1.Value.1", image),
        ]
    };
    let body = ec2.as_key(PARTNER).ok("DescribeTags", &of(GOLDEN));
    assert!(texts(&body, "key").is_empty());
    ec2.as_key(HOME)
        .ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    let body = ec2.ok("DescribeTags", &of(GOLDEN));
    assert!(texts(&body, "key").is_empty());
}

#[test]
fn a_filter_for_mere_keys_is_not_one_of_describe_tags() {
    let filter = [("Filter.1.Name", "tag-key"), ("Filter.1.Value.1", "a")];
    assert_eq!(
        Ec2::calm().code("DescribeTags", &filter),
        "InvalidParameterValue"
    );
}
