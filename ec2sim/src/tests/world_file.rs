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
            "{regions: {r: {}}, accounts: {\"111122223333\": {places: {r: {brokenKeys: [x]}}}}}",
            "alias/NAME",
        ),
    ] {
        let error = World::from_yaml(yaml).expect_err(yaml).to_string();
        assert!(error.contains(wanted), "{yaml}: {error}");
    }
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
