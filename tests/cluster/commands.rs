//! `amity plan` and `amity status` beside a controller: they read the cluster that it acts on, and change nothing.

use std::process::Output;

use amity_testbed::binary;
use assert_cmd::Command;
use serde_json::{Value, json};

use crate::lab::{CONTROLLERS, Lab, Namespace, OWNER};

/// The context of the kubeconfig.
const CONTEXT: &str = "testbed";

/// Runs the program as somebody who may read the cluster, with the controller's rights in EC2.
fn amity(lab: &Lab, arguments: &[&str], input: &str) -> Output {
    let output = Command::new(binary("amity"))
        .args(arguments)
        .write_stdin(input)
        .env("KUBECONFIG", lab.cluster.control_plane.admin_kubeconfig())
        .env("AMITY_OWNER_ID", OWNER)
        .env("AMITY_CONSISTENCY_WINDOW", "3s")
        .env("AWS_ENDPOINT_URL", lab.ec2.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", CONTROLLERS[0])
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert!(
        output.status.code().is_some_and(|code| code != 1),
        "{output:?}"
    );
    output
}

/// The manifest of an object of the namespace, as a repository has it.
fn manifest(namespace: &Namespace<'_>, name: &str, regions: &[&str]) -> String {
    let regions: Vec<_> = regions.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "amity.dev/v1alpha1",
        "kind": "MachineImage",
        "metadata": {"namespace": namespace.name, "name": name},
        "spec": {
            "source": {"instance": {"region": "us-east-1", "instanceId": namespace.instance, "reboot": "Never"}},
            "regions": regions,
        },
    })
    .to_string()
}

/// What is to be done with each object, by its name: the kinds of steps, and where.
fn planned(output: &Output) -> Value {
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = summary["objects"].as_array().unwrap();
    objects
        .iter()
        .map(|object| {
            let steps = object["steps"].as_array().unwrap().iter();
            let mut steps: Vec<_> = steps
                .filter(|step| step["kind"] != "note")
                .map(|step| format!("{} {}", step["kind"], step["region"]).replace('"', ""))
                .collect();
            steps.sort_unstable();
            steps.dedup();
            let name = object["object"].as_str().unwrap().to_owned();
            (name, json!({"change": object["change"], "steps": steps}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn a_plan_compares_files_with_the_cluster_and_foretells_what_pruning_deletes() {
    let lab = Lab::shared();
    let namespace = lab.namespace("planned");
    namespace.apply_of_instance("kept", &["us-east-1"], "");
    namespace.apply_of_instance("pruned", &["us-east-1"], "");
    for name in ["kept", "pruned"] {
        namespace.until_ready(name);
    }
    let files = manifest(&namespace, "kept", &["us-east-1", "eu-west-1"]);
    let plan = [
        "plan",
        "-f",
        "-",
        "--context",
        CONTEXT,
        "-o",
        "json",
        "--detailed-exitcode",
    ];
    let output = amity(lab, &plan, &files);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let kept = json!({"change": "update", "steps": ["copy eu-west-1", "publish eu-west-1"]});
    assert_eq!(planned(&output), json!({"planned/kept": kept}));

    let output = amity(lab, &[&plan[..], &["--prune"]].concat(), &files);
    let pruned = json!({
        "change": "delete",
        "steps": ["deleteSnapshot us-east-1", "deregister us-east-1"],
    });
    assert_eq!(
        planned(&output),
        json!({"planned/kept": kept, "planned/pruned": pruned})
    );

    let same = manifest(&namespace, "kept", &["us-east-1"]);
    let output = amity(lab, &plan, &same);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(namespace.image("pruned").is_some(), "nothing is done");
}

#[test]
fn the_status_of_a_cluster_shows_what_each_object_has_and_what_belongs_to_none() {
    let lab = Lab::shared();
    let namespace = lab.namespace("looked-at");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    let image = namespace.until_ready("web");
    let output = amity(lab, &["status", "looked-at/web", "--context", CONTEXT], "");
    let text = String::from_utf8(output.stdout).unwrap();
    let published = crate::lab::published(&image);
    for (region, id) in &published {
        let is_shown = |line: &str| line.contains(region.as_str()) && line.contains(id.as_str());
        assert!(
            text.lines().any(is_shown),
            "{region} {id} is not in\n{text}"
        );
    }
    assert!(text.starts_with("looked-at/web"), "{text}");

    namespace.patch("web", r#"{"spec": {"deletionPolicy": "Retain"}}"#);
    namespace.delete("web");
    namespace.until_gone("web");
    let output = amity(lab, &["status", "looked-at/web"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("looked-at/web  of no MachineImage here"),
        "{text}"
    );
}
