//! An image that is built: a machine is launched, does what its user data says, stops itself, is captured, and ends.

use serde_json::{Value, json};

use crate::lab::{Alone, Lab, Namespace, PATIENCE, condition, revision};
use amity_testbed::eventually;

/// Does what it has to do, and stops.
const SCRIPT: &str = r"#!/bin/sh\necho built\nshutdown -h now\n";

/// Applies an object that is built from the golden image, with this script and further fields of the build.
fn build(namespace: &Namespace<'_>, name: &str, script: &str, rest: &str) {
    let source = format!(
        "{{build: {{parent: {{region: us-east-1, imageId: ami-0feedfacefeedface}}, instanceType: t3.small, \
         userData: \"{script}\"}}}}"
    );
    namespace.apply(name, &source, &["us-east-1", "eu-west-1"], rest);
}

/// The machines that were launched for objects of a namespace, as EC2 has them.
fn machines(lab: &Lab, namespace: &str) -> Vec<Value> {
    let world = lab.ec2.world().unwrap();
    let accounts = world["accounts"].as_object().unwrap().values();
    let regions = accounts.flat_map(|account| account["regions"].as_object().unwrap().values());
    let all = regions.flat_map(|region| region["instances"].as_object().unwrap().clone());
    let of_namespace = |machine: &Value| {
        let object = machine["tags"]["amity.dev/object"].as_str();
        object.is_some_and(|object| object.starts_with(&format!("{namespace}/")))
    };
    all.map(|(_, machine)| machine)
        .filter(of_namespace)
        .collect()
}

/// Waits until none of them lives.
fn until_all_ended(lab: &Lab, namespace: &str) {
    eventually(PATIENCE, "every machine ends", || {
        let machines = machines(lab, namespace);
        let lives = |machine: &&Value| machine["state"] != "terminated";
        match machines.iter().find(lives) {
            None => Ok(()),
            Some(machine) => Err(machine.to_string()),
        }
    })
    .unwrap();
}

#[test]
fn a_machine_is_launched_captured_and_ended_once_for_each_revision() {
    let lab = Lab::shared();
    let namespace = lab.namespace("built");
    let retention = "retention: {revisions: 0}";
    build(&namespace, "web", SCRIPT, retention);
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["eu-west-1", "us-east-1"]);
    until_all_ended(lab, "built");
    let [machine] = &machines(lab, "built")[..] else {
        panic!("one machine is launched: {:?}", machines(lab, "built"));
    };
    assert_eq!(machine["httpTokens"], "required");
    assert_eq!(machine["shutdownBehavior"], "stop");
    let source = image.status.as_ref().unwrap().source.as_deref();
    assert_eq!(source, Some("us-east-1/ami-0feedfacefeedface"));

    let before = revision(&image).to_owned();
    let longer = SCRIPT.replace("built", "built anew");
    build(&namespace, "web", &longer, retention);
    let image = namespace.until("web", "has another revision", |image| {
        (crate::lab::is_ready(image) && revision(image) != before).then(|| image.clone())
    });
    namespace.assert_served(&image, &["eu-west-1", "us-east-1"]);
    until_all_ended(lab, "built");
    assert_eq!(machines(lab, "built").len(), 2);
    namespace.delete("web");
    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
}

#[test]
fn a_machine_that_does_not_stop_is_ended_with_its_object() {
    let lab = Lab::shared();
    let namespace = lab.namespace("never-stops");
    build(&namespace, "web", "#!/bin/sh\\necho forever\\n", "");
    namespace.until("web", "waits for its machine", |image| {
        let ready = condition(image, "Ready")?;
        ready
            .message
            .contains("to stop itself before")
            .then_some(())
    });
    namespace.delete("web");
    namespace.until_gone("web");
    until_all_ended(lab, "never-stops");
    assert_eq!(machines(lab, "never-stops").len(), 1);
}

#[test]
fn a_build_needs_a_grant() {
    let lab = Lab::shared();
    let namespace = lab.namespace_without_grants("builds-nothing");
    build(&namespace, "web", SCRIPT, "");
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NotGranted");
    assert!(message.contains("spec.grants.builds"), "{message}");
    assert!(machines(lab, "builds-nothing").is_empty());
}

#[test]
fn kill_9_at_any_moment_of_a_build_leaves_no_machine_and_makes_one_image() {
    let mut alone = Alone::ready();
    let namespace = alone.lab.namespace("killed-builds");
    build(&namespace, "web", SCRIPT, "");
    for _ in 0..6 {
        std::thread::sleep(std::time::Duration::from_millis(700));
        alone.lab.kill_and_restart();
    }
    alone.lab.amity.wait_ready().unwrap();
    let namespace = alone.lab.existing("killed-builds");
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["eu-west-1", "us-east-1"]);
    until_all_ended(&alone.lab, "killed-builds");
    let launched = machines(&alone.lab, "killed-builds");
    assert!(launched.len() == 1, "{}", json!(launched));
}
