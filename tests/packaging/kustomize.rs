//! The base and the overlays, rendered by `kubectl kustomize`.

use amity_testbed::{ControlPlane, workspace_root};
use serde_json::{Value, json};

use crate::helm::{Helm, values};
use crate::manifests::{self, only};

const OVERLAYS: [&str; 2] = ["irsa", "pod-identity"];

fn rendered(folder: &str) -> String {
    let path = workspace_root().join("deploy/kustomize").join(folder);
    let kubectl = ControlPlane::shared().kubectl();
    kubectl
        .run(&["kustomize", &path.display().to_string()])
        .unwrap()
        .ok()
        .unwrap()
}

#[test]
fn each_overlay_is_accepted_as_a_whole() {
    let kubectl = ControlPlane::shared().kubectl();
    for overlay in OVERLAYS {
        let manifest = rendered(&format!("overlays/{overlay}"));
        let answer = kubectl
            .run_with_input(&["apply", "--dry-run=server", "-f", "-"], &manifest)
            .unwrap();
        assert!(
            answer.status.success() && answer.stderr.is_empty(),
            "{answer}"
        );
        assert!(
            answer.stdout.contains("deployment.apps/amity created"),
            "{answer}"
        );
    }
}

#[test]
fn an_overlay_says_what_is_yours_and_nothing_else() {
    let base = manifests::all(&rendered("base"));
    for overlay in OVERLAYS {
        let of_overlay = manifests::all(&rendered(&format!("overlays/{overlay}")));
        let pod =
            |manifests: &[Value]| only(manifests, "Deployment")["spec"]["template"]["spec"].clone();
        let mut container = pod(&of_overlay)["containers"][0].clone();
        assert_eq!(container["image"], "YOUR_REGISTRY/amity:0.1.0");
        // The name is that of its content, so that a change rolls the Deployment.
        let settings = only(&of_overlay, "ConfigMap");
        assert_eq!(
            container["envFrom"],
            json!([{"configMapRef": {"name": settings["metadata"]["name"]}}])
        );
        assert_eq!(
            settings["data"],
            json!({
                "AMITY_LOG_FORMAT": "json",
                "AMITY_OWNER_ID": "<your owner id>",
                "AWS_REGION": "us-east-1",
            })
        );
        let expected = pod(&base)["containers"][0].clone();
        container["image"] = expected["image"].clone();
        container["envFrom"] = expected["envFrom"].clone();
        assert_eq!(container, expected);

        let role = &only(&of_overlay, "ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
        assert_eq!(role.is_string(), overlay == "irsa", "{role}");
    }
}

#[test]
fn an_overlay_that_was_not_filled_in_is_refused_by_amity() {
    let owner = ["run", "--owner-id", "<your owner id>"];
    let answer = std::process::Command::new(amity_testbed::binary("amity"))
        .args(owner)
        .output()
        .unwrap();
    assert!(!answer.status.success());
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(words.contains("such as platform-prod"), "{words}");
}

#[test]
fn the_chart_and_the_base_make_the_same_pods() {
    let base = manifests::all(&rendered("base"));
    let chart = Helm::alone().template(&["--values", &values("least")]);
    let part = |kind: &str, pointer: &str| {
        let of = |manifests: &[Value]| {
            let mut found = only(manifests, kind).pointer(pointer).cloned();
            // The chart has a label more, by which a release knows its own, and says a default of the API server's.
            if let Some(found) = &mut found {
                strip(found, &["app.kubernetes.io/instance", "imagePullPolicy"]);
            }
            found.unwrap_or_else(|| panic!("{kind} has no {pointer}"))
        };
        (of(&chart), of(&base))
    };
    for (kind, pointer) in [
        ("NetworkPolicy", "/spec"),
        ("PodDisruptionBudget", "/spec"),
        ("Deployment", "/spec/replicas"),
        ("ServiceAccount", "/automountServiceAccountToken"),
    ] {
        let (of_chart, of_base) = part(kind, pointer);
        assert_eq!(of_chart, of_base, "{kind} {pointer}");
    }
    let (mut of_chart, mut of_base) = part("Deployment", "/spec/template/spec");
    // The one has its settings in the environment, the other in a ConfigMap; the image is the user's.
    for pod in [&mut of_chart, &mut of_base] {
        strip(pod, &["env", "envFrom", "image"]);
    }
    assert_eq!(of_chart, of_base);
}

/// Takes these fields out, wherever they are.
fn strip(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Object(inner) => {
            inner.retain(|name, _| !fields.contains(&name.as_str()));
            inner.values_mut().for_each(|one| strip(one, fields));
        }
        Value::Array(inner) => inner.iter_mut().for_each(|one| strip(one, fields)),
        _ => {}
    }
}
