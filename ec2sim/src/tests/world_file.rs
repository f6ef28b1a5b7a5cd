//! The world file.

use super::*;

#[test]
fn the_example_shows_the_default_of_every_knob_and_fact() {
    let example: crate::WorldFile =
        serde_saphyr::from_str(crate::world_file::EXAMPLE).expect("the example");
    assert_eq!(example.knobs, Knobs::default());
    assert_eq!(example.facts, crate::Facts::default());
}

#[test]
fn mistakes_are_named() {
    for (yaml, wanted) in [
        ("seeed: 1", "seeed"),
        ("accounts: {\"1\": {}}", "twelve digits"),
        (
            "accounts: {\"111122223333\": {places: {mars: {}}}}",
            "no such region",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {instances: {i-1: {image: x, volumes: []}}}}}}}",
            "expecting",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {snapshots: {snap-0feedfacefeedface: \
             {size: 1, fullBytes: 1073741825}}}}}}}",
            "more was written",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {brokenKeys: [x]}}}}}",
            "alias/NAME",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {images: {ami-0feedfacefeedface: \
             {name: web, cooldown: true, devices: []}}}}}}}",
            "protected image",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {vpcs: {vpc-0feedfacefeedface: \
             {subnets: {subnet-0feedfacefeedface: {zone: mars}}}}}}}}}",
            "no zone mars",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {vpcs: {vpc-0feedfacefeedface: \
             {securityGroups: {sg-0feedfacefeedface: {name: a}, sg-0feedfacefeedfacf: {name: a}}}}}}}}}",
            "another group",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {launchTemplates: {lt-0feedfacefeedface: \
             {name: web, versions: [{}], defaultVersion: 2}}}}}}}",
            "default version",
        ),
        (
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {instances: {i-0feedfacefeedface: \
             {image: x, volumes: [], instanceProfile: none}}}}}}}",
            "no such instance profile",
        ),
    ] {
        let error = World::from_yaml(yaml).expect_err(yaml).to_string();
        assert!(error.contains(wanted), "{yaml}: {error}");
    }
}

#[test]
fn attributes_of_images_and_parameters_are_read() {
    let yaml = format!(
        "{{regions: {{us-east-1: {{}}}}, accounts: {{\"111122223333\": {{accessKeys: [{HOME}], places: {{us-east-1: \
         {{images: {{{GOLDEN}: {{name: web, protected: true, cooldown: true, imdsSupport: v2.0, devices: []}}}}, \
         parameters: {{/web: {{value: {GOLDEN}, description: the web image, tags: {{team: web}}}}}}}}}}}}}}}}"
    );
    let mut ec2 = Ec2::calm();
    ec2.world = World::from_yaml(&yaml).expect("a world");
    let body = ec2.image(GOLDEN);
    assert_eq!(
        text(&body, "deregistrationProtection").as_deref(),
        Some("enabled-with-cooldown")
    );
    assert_eq!(text(&body, "imdsSupport").as_deref(), Some("v2.0"));
    let json = ec2.world.to_json();
    let place = &json["accounts"]["111122223333"]["regions"]["us-east-1"];
    assert_eq!(
        place["images"][GOLDEN]["deregistrationProtection"],
        "enabled-with-cooldown"
    );
    assert_eq!(place["parameters"]["/web"]["value"], GOLDEN);
    assert_eq!(place["parameters"]["/web"]["description"], "the web image");
    assert_eq!(place["parameters"]["/web"]["tags"]["team"], "web");
}

#[test]
fn the_state_is_readable_as_json() {
    let mut ec2 = Ec2::calm();
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    let json = ec2.world.to_json();
    let place = &json["accounts"]["111122223333"]["regions"]["us-east-1"];
    assert_eq!(place["images"][GOLDEN]["state"], "deregistered");
    assert_eq!(place["snapshots"][GOLDEN_SNAPSHOT]["state"], "completed");
    assert_eq!(place["instances"][INSTANCE]["tags"]["Name"], "web");
}
