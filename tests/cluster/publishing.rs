//! The parameters that name published images, and whoever launches by what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use amity_core::api::MachineImage;
use amity_testbed::{eventually, karpenter};
use serde_json::{Value, json};

use crate::lab::{Lab, Namespace, PATIENCE, USER, element, published, revision};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// What Systems Manager answers a user.
fn ssm(lab: &Lab, region: &str, action: &str, body: &Value) -> Result<Value, String> {
    let answer = lab.ec2.call_ssm(USER, region, action, body);
    answer.map_err(|error| error.to_string())
}

/// The value of a parameter.
fn value(lab: &Lab, region: &str, name: &str) -> Option<String> {
    let answer = ssm(lab, region, "GetParameter", &json!({"Name": name})).ok()?;
    let parameter = &answer["Parameter"];
    assert_eq!(parameter["DataType"], "aws:ec2:image");
    Some(parameter["Value"].as_str()?.to_owned())
}

/// The values of a parameter by region.
fn values(lab: &Lab, name: &str) -> BTreeMap<String, String> {
    let all = REGIONS.map(|region| Some((region.to_owned(), value(lab, region, name)?)));
    all.into_iter().flatten().collect()
}

/// Waits until the parameter is in these regions as `image` says.
fn until_told(namespace: &Namespace<'_>, name: &str, told: &BTreeMap<String, String>) {
    eventually(PATIENCE, &format!("{name} names the images"), || {
        let is = values(namespace.lab, name);
        (is == *told).then_some(()).ok_or(format!("{is:?}"))
    })
    .unwrap();
}

fn writes(name: &str) -> String {
    format!(
        "publish: {{ssmParameterName: {name}, configMapName: images, tags: {{publishing: \"{name}\"}}}}"
    )
}

#[test]
fn a_parameter_names_the_published_image_in_every_region_until_nothing_asks_for_it() {
    let lab = Lab::shared();
    let namespace = lab.namespace("parameters");
    let (name, other) = ("/published/life", "/published/renamed");
    namespace.apply_of_instance("web", &REGIONS, &writes(name));
    let image = namespace.until_ready("web");
    assert_eq!(values(lab, name), published(&image));

    // By hand; it is looked at again before the next revision is told of, and else twice a day.
    let foreign = json!({"Name": name, "Value": "ami-0feedfacefeedface", "Overwrite": true});
    ssm(lab, "us-east-1", "PutParameter", &foreign).unwrap();
    ssm(lab, "eu-west-1", "DeleteParameter", &json!({"Name": name})).unwrap();
    namespace.patch(
        "web",
        r#"{"spec": {"rebuild": "again", "retention": {"revisions": 0}}}"#,
    );
    let image = namespace.until_ready("web");
    assert_eq!(values(lab, name), published(&image));

    // Under another name the new one comes first.
    let patch = format!(r#"{{"spec": {{"publish": {{"ssmParameterName": "{other}"}}}}}}"#);
    namespace.patch("web", &patch);
    until_told(&namespace, other, &published(&image));
    until_told(&namespace, name, &BTreeMap::new());
    namespace.until_ready("web");

    // A region that is not wanted any more has none.
    namespace.patch("web", r#"{"spec": {"regions": [{"name": "us-east-1"}]}}"#);
    let image = namespace.until_ready("web");
    until_told(&namespace, other, &published(&image));
    assert_eq!(published(&image).len(), 1);

    // Nor has one without the field, nor the image a tag that says so.
    namespace.patch(
        "web",
        r#"{"spec": {"publish": {"ssmParameterName": null}}}"#,
    );
    until_told(&namespace, other, &BTreeMap::new());
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["us-east-1"]);
    let noted = |one: &&amity_testbed::HeldImage| one.tags.contains_key("amity.dev/parameter");
    let images = lab.holdings().images;
    let of_it = images
        .iter()
        .filter(|one| published(&image)["us-east-1"] == one.id);
    assert_eq!(of_it.filter(noted).count(), 0);

    let patch = format!(r#"{{"spec": {{"publish": {{"ssmParameterName": "{name}"}}}}}}"#);
    namespace.patch("web", &patch);
    until_told(&namespace, name, &published(&image));
    namespace.delete("web");
    namespace.until_gone("web");
    assert_eq!(values(lab, name), BTreeMap::new());
    namespace.assert_nothing_left("web", None);
}

#[test]
fn a_parameter_of_somebody_else_is_left_alone_until_it_is_gone() {
    let lab = Lab::shared();
    let namespace = lab.namespace("parameter-taken");
    let name = "/published/taken";
    let theirs = json!({"Name": name, "Value": "theirs", "Type": "String"});
    ssm(lab, "us-east-1", "PutParameter", &theirs).unwrap();
    namespace.apply_of_instance("web", &["us-east-1"], &writes(name));
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NameTaken", "{message}");
    for said in [name, "us-east-1", "spec.publish.ssmParameterName"] {
        assert!(message.contains(said), "{message}");
    }
    let held = ssm(lab, "us-east-1", "GetParameter", &json!({"Name": name})).unwrap();
    assert_eq!(held["Parameter"]["Value"], "theirs");
    assert_eq!(held["Parameter"]["Version"], 1);

    ssm(lab, "us-east-1", "DeleteParameter", &json!({"Name": name})).unwrap();
    namespace.patch("web", r#"{"spec": {"description": "free"}}"#);
    let image = namespace.until_ready("web");
    assert_eq!(values(lab, name), published(&image));

    // Without its tags it is nobody's, and outlives the object.
    let keys = ["owner", "object"].map(|key| format!("amity.dev/{key}"));
    let tags = json!({"ResourceType": "Parameter", "ResourceId": name, "TagKeys": keys});
    ssm(lab, "us-east-1", "RemoveTagsFromResource", &tags).unwrap();
    let patch =
        |name: &str| format!(r#"{{"spec": {{"publish": {{"ssmParameterName": "{name}"}}}}}}"#);
    namespace.patch("web", &patch("/published/taken-not"));
    namespace.until_ready("web");
    assert_eq!(
        values(lab, name),
        published(&image),
        "it is not ours to delete"
    );
    namespace.patch("web", &patch(name));
    assert_eq!(namespace.until_stalled("web").0, "NameTaken");
    namespace.annotate(
        "web",
        &format!("amity.dev/deregister-in-use={}", revision(&image)),
    );
    namespace.delete("web");
    namespace.until_gone("web");
    assert_eq!(values(lab, name), published(&image));
}

#[test]
fn a_parameter_that_is_not_granted_is_named_with_the_grant_that_is_missing() {
    let namespace = Lab::shared().namespace("parameter-not-granted");
    namespace.apply_of_instance("web", &["us-east-1"], &writes("/elsewhere/web"));
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NotGranted", "{message}");
    for said in ["/elsewhere/", "spec.grants.parameters"] {
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_revert_names_the_revision_before_everywhere_and_makes_no_image() {
    let lab = Lab::shared();
    let namespace = lab.namespace("reverted");
    let name = "/published/reverted";
    // As in Git: what is applied says the whole spec.
    let apply = |rebuild: &str| {
        let more = format!("rebuild: {rebuild}\n  {}", writes(name));
        namespace.apply_of_instance("web", &REGIONS, &more);
        let image = namespace.until_ready("web");
        until_told(&namespace, name, &published(&image));
        image
    };
    let first = apply("one");
    let second = apply("two");
    assert_ne!(revision(&first), revision(&second));
    let launched = |namespace: &Namespace<'_>| {
        let by = [
            ("ImageId", format!("resolve:ssm:{name}")),
            ("MinCount", "1".to_owned()),
            ("MaxCount", "1".to_owned()),
        ];
        let by = by.each_ref().map(|(key, value)| (*key, value.as_str()));
        let answer = namespace.lab.user_does(USER, "RunInstances", &by);
        let ended = [("InstanceId.1", element(&answer, "instanceId"))];
        let ended = ended.each_ref().map(|(key, value)| (*key, value.as_str()));
        namespace.lab.user_does(USER, "TerminateInstances", &ended);
        element(&answer, "imageId")
    };
    assert_eq!(launched(&namespace), published(&second)["us-east-1"]);

    let again = apply("one");
    assert_eq!(published(&again), published(&first));
    assert_eq!(revision(&again), revision(&first));
    // Gone ones count, too: each region has one of each revision, and never had another.
    let held = lab.holdings().images;
    let all: Vec<_> = [&first, &second]
        .map(published)
        .into_iter()
        .flatten()
        .collect();
    let is_named = |id: &String| held.iter().find(|one| one.id == *id).map(|one| &one.name);
    let names: BTreeSet<_> = all.iter().filter_map(|(_, id)| is_named(id)).collect();
    let made = held.iter().filter(|one| names.contains(&one.name));
    assert_eq!((names.len(), made.count()), (2, 4));
    assert_eq!(launched(&namespace), published(&first)["us-east-1"]);
    let config_map = ["get", "configmap", "images", "--output=jsonpath={.data}"];
    let data = namespace.kubectl.run(&config_map).unwrap().ok().unwrap();
    let data: BTreeMap<String, String> = serde_json::from_str(&data).unwrap();
    assert_eq!(data, published(&first));
}

/// What Karpenter would make a node of, by a term of its `amiSelectorTerms`.
fn selected(lab: &Lab, term: &str) -> Vec<String> {
    let node_class = format!(
        "apiVersion: karpenter.k8s.aws/v1\nkind: EC2NodeClass\nmetadata: {{name: test}}\n\
         spec:\n  amiFamily: Custom\n  amiSelectorTerms:\n    - {term}\n"
    );
    let mut command = Command::new(karpenter().unwrap());
    let environment = [
        ("AWS_ENDPOINT_URL", lab.ec2.endpoint()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", USER.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "none".to_owned()),
    ];
    let mut running = command
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(node_class.as_bytes()).unwrap();
    drop(stdin);
    let answer = running.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{stderr}");
    let printed = String::from_utf8(answer.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

/// Waits until each term selects this image, and nothing else: lists show late what was tagged.
fn until_selected(lab: &Lab, terms: &[String], image: &str) {
    for term in terms {
        eventually(PATIENCE, &format!("{term} selects {image}"), || {
            let found = selected(lab, term);
            (found == [image]).then_some(()).ok_or(format!("{found:?}"))
        })
        .unwrap();
    }
}

#[test]
fn karpenter_finds_the_published_image_and_never_another() {
    let lab = Lab::shared();
    let namespace = lab.namespace("karpenter");
    let name = "/published/karpenter";
    let terms = [
        format!("tags: {{publishing: {name}}}"),
        format!("ssmParameter: {name}"),
    ];
    namespace.apply_of_instance("web", &REGIONS, &writes(name));
    let here = |image: &MachineImage| published(image)["us-east-1"].clone();
    let first = here(&namespace.until_ready("web"));
    until_selected(lab, &terms, &first);

    namespace.patch("web", r#"{"spec": {"rebuild": "again"}}"#);
    // While the next one is made and copied, and after it took over.
    eventually(PATIENCE, "Karpenter finds the next one", || {
        let found: Vec<_> = terms.iter().map(|term| selected(lab, term)).collect();
        let holdings = lab.holdings();
        for image in found.iter().flatten() {
            let held = holdings.images.iter().find(|one| one.id == *image).unwrap();
            let was_published = *image == first || held.is_published();
            assert!(was_published, "{image} is selected: {held:?}");
        }
        let is_next = found.iter().all(|one| one.len() == 1 && one[0] != first);
        is_next.then_some(()).ok_or(format!("{found:?}"))
    })
    .unwrap();
    until_selected(lab, &terms, &here(&namespace.until_ready("web")));
    assert_eq!(
        lab.holdings().images_of("karpenter/web").len(),
        4,
        "the old one is kept"
    );
}
