//! What others make of an object in each phase of its life: kstatus, by which Flux and others wait, and Argo CD, with the
//! script that we ship.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use amity_testbed::{Kubectl, eventually, health, workspace_root};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::lab::{Alone, Lab, PATIENCE, account, start_controller, without_finalizers};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// An object at one moment, and what is to be made of it.
struct Phase {
    name: &'static str,
    object: Value,
    kstatus: &'static str,
    argo_cd: &'static str,
}

/// What was made of it.
#[derive(Debug, Deserialize)]
struct Verdicts {
    kstatus: Verdict,
    argocd: Verdict,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    status: String,
    message: String,
}

#[test]
fn kstatus_and_argo_cd_make_of_each_phase_what_it_is() {
    let mut alone = Alone::ready();
    let mut phases = phases_of_accounts(&alone.lab);
    phases.extend(phases_of_images(&alone.lab));
    phases.extend(phases_without_ec2(&mut alone.lab));

    let judged = judged(&phases);

    for (phase, verdicts) in phases.iter().zip(&judged) {
        assert_says_why(phase, &verdicts.kstatus);
        assert_says_why(phase, &verdicts.argocd);
    }
    let wanted = phases.iter();
    let wanted: Vec<_> = wanted
        .map(|phase| (phase.name, phase.kstatus, phase.argo_cd))
        .collect();
    let found = phases.iter().zip(&judged);
    let found: Vec<_> = found
        .map(|(phase, both)| (phase.name, &*both.kstatus.status, &*both.argocd.status))
        .collect();
    assert_eq!(found, wanted);
}

/// As docs/gitops.md says it.
#[test]
fn argo_cd_keeps_its_settings_when_the_script_is_added() {
    let control_plane = Lab::shared().cluster.control_plane;
    let kubectl = control_plane.namespace("argocd").unwrap();
    let settings =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm}\ndata: {url: here}\n";
    kubectl.apply_yaml(settings).unwrap();

    let key = |kind: &str| format!("resource.customizations.health.amity.dev_{kind}");
    let keys = ["AwsAccount", "MachineImage"].map(key);
    let file = workspace_root().join("deploy/argocd/health.lua");
    let from = keys
        .each_ref()
        .map(|key| format!("--from-file={key}={}", file.display()));
    let words = "create configmap argocd-cm --dry-run=client --output=json";
    let create: Vec<_> = words
        .split(' ')
        .chain(from.iter().map(String::as_str))
        .collect();
    let manifest = kubectl.run(&create).unwrap().ok().unwrap();
    let words = "patch configmap argocd-cm --type=merge --patch-file=/dev/stdin";
    let patch: Vec<_> = words.split(' ').collect();
    let answer = kubectl.run_with_input(&patch, &manifest).unwrap();
    answer.ok().unwrap();

    let data = kubectl.get_json(&["configmap", "argocd-cm"]).unwrap()["data"].take();
    let script = fs::read_to_string(file).unwrap();
    let [account, image] = keys;
    assert_eq!(data, json!({"url": "here", account: script, image: script}));
}

/// That the message is that of a condition, where the status is about this generation, and kstatus is not content with
/// "Resource is Ready" or "scheduled for deletion".
fn assert_says_why(phase: &Phase, verdict: &Verdict) {
    let Phase { name, object, .. } = phase;
    let is_observed = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    assert!(!verdict.message.is_empty(), "{name}: {object:#}");
    if is_observed && !["Current", "Terminating"].contains(&verdict.status.as_str()) {
        let mut conditions = object["status"]["conditions"].as_array().unwrap().iter();
        let is_said = conditions.any(|one| one["message"] == verdict.message.as_str());
        assert!(is_said, "{name}: {verdict:?} {object:#}");
    }
}

fn phases_of_accounts(lab: &Lab) -> Vec<Phase> {
    let kubectl = lab.cluster.control_plane.kubectl();
    let mut phases = Vec::new();
    let mut add = |name, object, kstatus, argo_cd| {
        phases.push(Phase {
            name,
            object,
            kstatus,
            argo_cd,
        });
    };
    let reached = created(kubectl, &account("reached", "555566667777", ""));
    add("account just applied", reached, "InProgress", "Progressing");
    let until =
        |name: &str, reason: &str| until_ready_says(lab, &format!("awsaccounts/{name}"), reason);
    add(
        "account reached",
        until("reached", "Verified"),
        "Current",
        "Healthy",
    );
    kubectl
        .apply_yaml(&account("reached-twice", "555566667777", ""))
        .unwrap();
    let duplicate = until("reached-twice", "DuplicateAccount");
    add("account twice", duplicate, "Failed", "Degraded");
    kubectl
        .apply_yaml(&account("locked", "444455556666", ""))
        .unwrap();
    let locked = until("locked", "NoCredentials");
    add("account that lets nobody in", locked, "Failed", "Degraded");
    let patch = r#"{"spec": {"regions": ["us-east-1", "eu-west-1"]}}"#;
    let changed = patched(kubectl, "awsaccount", "reached", patch);
    add("account just changed", changed, "InProgress", "Progressing");
    until("reached", "Verified");

    // An object that names it keeps it.
    let namespace = lab.namespace("names-it");
    namespace.apply_of_instance(
        "web",
        &["us-east-1"],
        "accountName: reached\n  suspend: true",
    );
    let delete = ["delete", "awsaccount", "reached", "--wait=false"];
    kubectl.run(&delete).unwrap().ok().unwrap();
    let deleted = until("reached", "Deleting");
    add(
        "account being deleted",
        deleted,
        "Terminating",
        "Progressing",
    );
    phases
}

fn phases_of_images(lab: &Lab) -> Vec<Phase> {
    let mut phases = Vec::new();
    let mut add = |name, object, kstatus, argo_cd| {
        phases.push(Phase {
            name,
            object,
            kstatus,
            argo_cd,
        });
    };
    let namespace = lab.namespace("judged");
    let kubectl = &namespace.kubectl;
    let until = |name: &str, reason: &str| {
        let path = format!("namespaces/judged/machineimages/{name}");
        until_ready_says(lab, &path, reason)
    };
    let manifest = |name: &str| {
        format!(
            "apiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {{name: {name}}}\nspec:\n  \
             source: {{instance: {{region: us-east-1, instanceId: {}, reboot: Never}}}}\n  \
             regions: [{{name: us-east-1}}, {{name: eu-west-1}}]\n",
            namespace.instance
        )
    };
    let web = created(kubectl, &manifest("web"));
    add("just applied", web, "InProgress", "Progressing");
    let made = until("web", "Progressing");
    assert!(made["status"]["progressing"].is_object(), "{made:#}");
    add("being made", made, "InProgress", "Progressing");
    add("standing", until("web", "InSync"), "Current", "Healthy");
    let patch = r#"{"spec": {"rebuild": "2"}}"#;
    let changed = patched(kubectl, "machineimage", "web", patch);
    add("just changed", changed, "InProgress", "Progressing");
    let rolling_out = until("web", "Progressing");
    let status = &rolling_out["status"];
    assert!(status["published"].is_object(), "{rolling_out:#}");
    assert!(status["progressing"].is_object(), "{rolling_out:#}");
    add("rolling out", rolling_out, "InProgress", "Progressing");
    add(
        "standing again",
        until("web", "InSync"),
        "Current",
        "Healthy",
    );
    let patch = r#"{"spec": {"suspend": true}}"#;
    patched(kubectl, "machineimage", "web", patch);
    let suspended = until("web", "Suspended");
    add("suspended", suspended, "InProgress", "Suspended");

    let refused = lab.namespace_without_grants("refused");
    refused.apply_of_instance("web", &["us-east-1"], "");
    let refused = until_ready_says(lab, "namespaces/refused/machineimages/web", "NotGranted");
    add("refused", refused, "Failed", "Degraded");

    // Somebody else's finalizer, so that it can be looked at for long enough.
    let held = manifest("going").replace(
        "{name: going}",
        "{name: going, finalizers: [example.com/hold]}",
    );
    kubectl.apply_yaml(&held).unwrap();
    until("going", "InSync");
    namespace.delete("going");
    let deleted = until("going", "Deleting");
    add("being deleted", deleted, "Terminating", "Progressing");
    let release = without_finalizers("machineimage", "going");
    kubectl.run(&release).unwrap().ok().unwrap();
    phases
}

/// From here on EC2 cannot be reached.
fn phases_without_ec2(lab: &mut Lab) -> Vec<Phase> {
    lab.namespace("unreachable")
        .apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    lab.existing("unreachable").until_ready("web");
    lab.kill();
    lab.amity = start_controller(lab.cluster, &lab.ec2, &[], &[("AWS_ENDPOINT_URL", NOWHERE)]);
    let kubectl = lab.cluster.control_plane.kubectl();
    kubectl
        .apply_yaml(&account("unreachable", "888899990000", ""))
        .unwrap();
    let reason = "RegionUnreadable";
    vec![
        Phase {
            name: "regions that cannot be read",
            object: until_ready_says(lab, "namespaces/unreachable/machineimages/web", reason),
            kstatus: "InProgress",
            argo_cd: "Progressing",
        },
        Phase {
            name: "account that cannot be reached",
            object: until_ready_says(lab, "awsaccounts/unreachable", reason),
            kstatus: "InProgress",
            argo_cd: "Progressing",
        },
    ]
}

/// What the API server stored of a new object, before anybody looked at it.
fn created(kubectl: &Kubectl, manifest: &str) -> Value {
    let create = ["create", "-f", "-", "-o", "json"];
    let stored = kubectl.run_with_input(&create, manifest).unwrap().ok();
    serde_json::from_str(&stored.unwrap()).unwrap()
}

/// What the API server stored of a change, before anybody looked at it.
fn patched(kubectl: &Kubectl, kind: &str, name: &str, patch: &str) -> Value {
    let patch = [
        "patch",
        kind,
        name,
        "--type=merge",
        "-p",
        patch,
        "-o",
        "json",
    ];
    let stored = kubectl.run(&patch).unwrap().ok();
    serde_json::from_str(&stored.unwrap()).unwrap()
}

/// The object at this path when `Ready` has this reason, and is of the spec as it is now.
fn until_ready_says(lab: &Lab, path: &str, reason: &str) -> Value {
    let seen = eventually(PATIENCE, &format!("{path} says {reason}"), || {
        let reader = &lab.cluster.reader;
        let object: Option<Value> = reader
            .get(&format!("/apis/amity.dev/v1alpha1/{path}"))
            .unwrap();
        let object = object.unwrap_or_default();
        let status = &object["status"];
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        let says = conditions.any(|one| one["type"] == "Ready" && one["reason"] == reason);
        let is_observed = status["observedGeneration"] == object["metadata"]["generation"];
        if says && is_observed {
            Ok(object)
        } else {
            Err(status.to_string())
        }
    });
    seen.unwrap()
}

/// What kstatus makes of the objects, and Argo CD with our script.
fn judged(phases: &[Phase]) -> Vec<Verdicts> {
    let objects = phases.iter().map(|phase| phase.object.to_string());
    let mut running = Command::new(health().unwrap())
        .arg(workspace_root().join("deploy/argocd/health.lua"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    stdin
        .write_all(objects.collect::<String>().as_bytes())
        .unwrap();
    drop(stdin);
    let answer = running.wait_with_output().unwrap();
    assert!(answer.status.success());
    let printed = String::from_utf8(answer.stdout).unwrap();
    let verdicts = printed.lines().map(serde_json::from_str);
    verdicts.collect::<Result<_, _>>().unwrap()
}
