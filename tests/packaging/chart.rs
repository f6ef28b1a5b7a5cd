//! What the chart renders, and which values it refuses. No cluster is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use amity_testbed::{binary, workspace_root, yaml_files};
use serde_json::{Value, json};

use crate::helm::{Helm, chart, values};
use crate::manifests::{self, kinds, only};

/// What the pod says itself, whatever the values are.
const FROM_THE_POD: [&str; 2] = ["AMITY_REPLICA", "AMITY_LEASE_NAMESPACE"];

fn rendered(name: &str) -> Vec<Value> {
    Helm::alone().template(&["--values", &values(name)])
}

fn pod(manifests: &[Value]) -> &Value {
    &only(manifests, "Deployment")["spec"]["template"]["spec"]
}

/// The environment of the only container; `None` is the value of what the pod says itself.
fn environment(manifests: &[Value]) -> BTreeMap<&str, Option<&str>> {
    let containers = pod(manifests)["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    let variables = containers[0]["env"].as_array().unwrap().iter();
    variables
        .map(|one| (one["name"].as_str().unwrap(), one["value"].as_str()))
        .collect()
}

#[test]
fn helm_lint_has_nothing_to_say() {
    for name in ["least", "all"] {
        let arguments = ["lint", &chart(), "--strict", "--values", &values(name)];
        let answer = Helm::alone().run(&arguments);
        // What it thinks of every chart without an icon.
        let said = answer.ok();
        let complaints: Vec<_> = said
            .lines()
            .filter(|line| line.starts_with('[') && !line.contains("icon is recommended"))
            .collect();
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
    }
}

#[test]
fn values_that_cannot_be_meant_are_refused_with_the_sentence_in_their_first_line() {
    let helm = Helm::alone();
    let mut wrong = Vec::new();
    for path in yaml_files("tests/packaging/values/refused") {
        let text = fs::read_to_string(&path).unwrap();
        let sentence = text.lines().next().unwrap().trim_start_matches("# ");
        let name = path.display().to_string();
        let answer = helm.run(&["template", "amity", &chart(), "--values", &name]);
        if answer.succeeded {
            wrong.push(format!("{name} is accepted"));
        } else if !answer.stderr.contains(sentence) {
            wrong.push(format!("{name} is refused otherwise: {}", answer.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_definitions_in_the_chart_are_those_of_the_repository() {
    let kept = yaml_files("crds");
    let copied = yaml_files("deploy/helm/amity/files/crds");
    let content = |path: &PathBuf| {
        (
            path.file_name().unwrap().to_owned(),
            fs::read_to_string(path).unwrap(),
        )
    };
    assert!(
        kept.iter().map(content).eq(copied.iter().map(content)),
        "the chart's copies are out of date: run `make crds`"
    );

    let manifests = rendered("least");
    let of_chart: Vec<_> = manifests
        .iter()
        .filter(|one| one["kind"] == "CustomResourceDefinition")
        .cloned()
        .map(|mut one| {
            let annotations = one["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("annotations");
            assert_eq!(
                annotations,
                Some(json!({"helm.sh/resource-policy": "keep"}))
            );
            one
        })
        .collect();
    let of_repository: Vec<_> = kept
        .iter()
        .flat_map(|path| manifests::all(&fs::read_to_string(path).unwrap()))
        .collect();
    assert!(of_chart == of_repository);
}

#[test]
fn each_flag_of_run_is_a_value_with_the_same_default() {
    let help = Command::new(binary("amity"))
        .args(["run", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // Each flag has its variable, and then its default.
    let mut flags: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut flag = "";
    for line in help.lines().map(str::trim) {
        let told = |what: &str| line.strip_prefix(what)?.strip_suffix(']');
        if let Some(variable) = told("[env: ").map(|text| text.trim_end_matches('=')) {
            flag = variable;
            flags.insert(variable, None);
        } else if let Some(default) = told("[default: ") {
            flags.insert(flag, Some(default));
        }
    }
    assert!(
        flags.len() > 10 && flags.contains_key("AMITY_OWNER_ID"),
        "{help}"
    );

    let (least, all) = (rendered("least"), rendered("all"));
    let (least, all) = (environment(&least), environment(&all));
    for (variable, default) in &flags {
        assert!(all.contains_key(variable), "no value is {variable}");
        if FROM_THE_POD.contains(variable) {
            assert_eq!((least[variable], all[variable]), (None, None), "{variable}");
            continue;
        }
        // A person reads what a process writes; a machine reads what a pod does.
        if let (Some(default), false) = (default, *variable == "AMITY_LOG_FORMAT") {
            assert_eq!(least[variable], Some(*default), "{variable}");
            assert_ne!(all[variable], Some(*default), "{variable}");
        }
    }
    let unknown: Vec<_> = all
        .keys()
        .filter(|name| name.starts_with("AMITY_") && !flags.contains_key(*name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_rights_are_those_of_the_base() {
    let of_chart = rendered("least");
    let base =
        fs::read_to_string(workspace_root().join("deploy/kustomize/base/rbac.yaml")).unwrap();
    assert_eq!(
        manifests::rules(&of_chart),
        manifests::rules(&manifests::all(&base))
    );
}

#[test]
fn nothing_is_rendered_that_was_not_asked_for() {
    let common = [
        "ClusterRole",
        "ClusterRoleBinding",
        "Deployment",
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "ServiceAccount",
    ];
    let with = |more: &[&'static str]| {
        let mut kinds = [&common, more].concat();
        kinds.sort_unstable();
        kinds
    };
    let crd = "CustomResourceDefinition";
    assert_eq!(
        kinds(&rendered("least")),
        with(&[crd, crd, "PodDisruptionBudget"])
    );
    assert_eq!(
        kinds(&rendered("all")),
        with(&["AwsAccount", "Service", "ServiceMonitor"])
    );
    let off = [
        "--values",
        &values("least"),
        "--set",
        "rbac.create=false,serviceAccount.create=false,serviceAccount.name=mine,networkPolicy.enabled=false",
    ];
    let manifests = Helm::alone().template(&off);
    assert_eq!(
        kinds(&manifests),
        [crd, crd, "Deployment", "PodDisruptionBudget"]
    );
    assert_eq!(pod(&manifests)["serviceAccountName"], "mine");
}

#[test]
fn the_values_arrive() {
    let manifests = rendered("all");
    let account = only(&manifests, "ServiceAccount");
    assert_eq!(
        account["metadata"]["annotations"],
        json!({
            "eks.amazonaws.com/role-arn": "arn:aws-us-gov:iam::111122223333:role/amity-controller",
            "example.com/team": "platform",
        })
    );
    assert_eq!(account["metadata"]["name"], "images");
    for one in &manifests {
        let name = &one["metadata"]["name"];
        let known = ["image-keeper", "images", "default"];
        assert!(known.iter().any(|known| name == known), "{name}");
    }

    let deployment = only(&manifests, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 3);
    let pod = pod(&manifests);
    assert_eq!(
        pod["containers"][0]["image"],
        "registry.example.com:5000/platform/amity:0.1.0-rc.1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    );
    let given: Value = serde_saphyr::from_str(&fs::read_to_string(values("all")).unwrap()).unwrap();
    for field in [
        "imagePullSecrets",
        "priorityClassName",
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "terminationGracePeriodSeconds",
    ] {
        assert_eq!(pod[field], given[field], "{field}");
    }
    assert_eq!(pod["containers"][0]["resources"], given["resources"]);
    assert_eq!(
        environment(&manifests)["AWS_USE_FIPS_ENDPOINT"],
        Some("true")
    );
    assert_eq!(environment(&manifests)["AWS_REGION"], Some("us-gov-west-1"));
    assert_eq!(environment(&manifests)["AMITY_LISTEN"], Some("[::]:9090"));

    let monitor = only(&manifests, "ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(
        monitor["spec"]["endpoints"],
        json!([{"port": "http", "path": "/metrics", "interval": "1m"}])
    );
    let service = only(&manifests, "Service");
    let pods = deployment["spec"]["template"]["metadata"]["labels"]
        .as_object()
        .unwrap();
    let selects = |selector: &Value| {
        let selector = selector.as_object().unwrap();
        !selector.is_empty()
            && selector
                .iter()
                .all(|(key, value)| pods.get(key) == Some(value))
    };
    assert!(selects(&service["spec"]["selector"]));
    let policy = only(&manifests, "NetworkPolicy");
    assert!(selects(&policy["spec"]["podSelector"]["matchLabels"]));
    // A policy with no such rule lets nobody in.
    assert_eq!(policy["spec"]["ingress"], Value::Null);
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        only(&manifests, "AwsAccount")["spec"],
        given["awsAccount"]["spec"]
    );
}

#[test]
fn the_readme_lists_every_value() {
    let text = fs::read_to_string(workspace_root().join("deploy/helm/amity/values.yaml")).unwrap();
    let given: Value = serde_saphyr::from_str(&text).unwrap();
    let mut names = BTreeSet::new();
    for (name, value) in given.as_object().unwrap() {
        match value
            .as_object()
            .filter(|inner| !inner.is_empty() && name != "resources")
        {
            Some(inner) => names.extend(inner.keys().map(|key| format!("{name}.{key}"))),
            None => drop(names.insert(name.clone())),
        }
    }
    let readme = fs::read_to_string(workspace_root().join("deploy/helm/amity/README.md")).unwrap();
    let listed: BTreeSet<_> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(listed, names);
}
