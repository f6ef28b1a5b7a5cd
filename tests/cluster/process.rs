//! The process itself: killed, stopped, started before the resources are there, left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use amity_testbed::{Call, Kubectl, Output, eventually, get_text, workspace_root};
use serde_json::Value;

use crate::lab::{Alone, CONTROLLERS, Lab, Namespace, PATIENCE, apply_crds, is_ready, published};

const THREE: [&str; 3] = ["ap-northeast-1", "eu-west-1", "us-east-1"];

/// After how many writes more the controller is killed, start by start: between any two, and in the middle
/// of several.
const MOMENTS: [usize; 9] = [1, 1, 2, 1, 3, 2, 5, 1, 4];

#[test]
fn kill_9_at_any_moment_doubles_nothing() {
    const NAMES: [&str; 3] = ["killed-1", "killed-2", "killed-3"];
    let mut alone = Alone::ready();
    let each = |lab: &Lab, look: &dyn Fn(&Namespace<'_>)| {
        for name in NAMES {
            look(&lab.existing(name));
        }
    };
    for name in NAMES {
        let namespace = alone.lab.namespace(name);
        namespace.apply_of_instance("web", &THREE, "retention: {revisions: 0}");
    }
    kill_at(&mut alone.lab, &MOMENTS);
    each(&alone.lab, &|namespace| {
        let image = namespace.until_ready("web");
        namespace.assert_served(&image, &THREE);
        namespace.patch("web", r#"{"spec": {"rebuild": "again"}}"#);
    });
    kill_at(&mut alone.lab, &MOMENTS);
    each(&alone.lab, &|namespace| {
        let image = namespace.until(
            "web",
            "is Ready, and serves every region on the way",
            |image| {
                assert_eq!(published(image).len(), 3, "{:#?}", image.status);
                is_ready(image).then(|| image.clone())
            },
        );
        namespace.assert_served(&image, &THREE);
        namespace.delete("web");
    });
    kill_at(&mut alone.lab, &MOMENTS[..4]);
    each(&alone.lab, &|namespace| {
        namespace.until_gone("web");
        namespace.assert_nothing_left("web", None);
    });

    let mut made: BTreeMap<_, usize> = BTreeMap::new();
    let holdings = alone.lab.holdings();
    for image in holdings
        .images
        .iter()
        .filter(|image| !image.revision().is_empty())
    {
        let key = (
            &image.tags["amity.dev/object"],
            image.revision(),
            &image.region,
        );
        *made.entry(key).or_default() += 1;
    }
    assert_eq!(
        made.len(),
        18,
        "three objects, two revisions, three regions: {made:#?}"
    );
    assert!(made.values().all(|&count| count == 1), "{made:#?}");
    assert_eq!(holdings.of_users(), alone.lab.before);
}

/// Kills the controller as soon as EC2 has taken so many writes more, again and again.
fn kill_at(lab: &mut Lab, moments: &[usize]) {
    for &moment in moments {
        let written = |lab: &Lab| {
            lab.calls()
                .iter()
                .filter(|call| call.is_write() && call.succeeded())
                .count()
        };
        let before = written(lab);
        // Where fewer writes are left than that, it is killed at another moment, which is as good.
        let _ = eventually(Duration::from_secs(4), "writes", || {
            match written(lab) - before {
                done if done >= moment => Ok(()),
                done => Err(done.to_string()),
            }
        });
        lab.kill_and_restart();
    }
    lab.amity.wait_ready().unwrap();
}

#[test]
fn a_reboot_that_is_allowed_happens_once() {
    let mut alone = Alone::ready();
    let namespace = alone.lab.namespace("reboot");
    let instance = namespace.instance.clone();
    let source =
        format!("{{instance: {{region: us-east-1, instanceId: {instance}, reboot: Once}}}}");
    namespace.apply("web", &source, &["us-east-1"], "");
    kill_at(&mut alone.lab, &[1, 1]);
    alone.lab.existing("reboot").until_ready("web");

    let world = alone.lab.ec2.world().unwrap();
    let place = &world["accounts"]["111122223333"]["regions"]["us-east-1"];
    assert_eq!(
        place["instances"][&instance]["reboots"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn at_rest_nothing_is_written() {
    let alone = Alone::ready();
    let namespace = alone.lab.namespace("at-rest");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "tags: {team: web}");
    namespace.until_ready("web");
    let versions = || {
        let kubectl = &namespace.kubectl;
        let image = kubectl.get_json(&["machineimage", "web"]).unwrap();
        let account = kubectl.get_json(&["awsaccount", "default"]).unwrap();
        [image, account].map(|object| object["metadata"]["resourceVersion"].clone())
    };
    let (calls, before) = (alone.lab.calls().len(), versions());

    alone.lab.until_read_three_times("111122223333");

    let written: Vec<_> = alone
        .lab
        .calls()
        .split_off(calls)
        .into_iter()
        .filter(amity_testbed::Call::is_write)
        .collect();
    assert!(written.is_empty(), "{written:?}");
    assert_eq!(versions(), before, "a status was written");
}

#[test]
fn sigterm_stops_cleanly() {
    let mut alone = Alone::ready();
    let namespace = alone.lab.namespace("sigterm");
    namespace.apply_of_instance("web", &THREE, "");
    eventually(PATIENCE, "the roll-out has begun", || {
        let begun = alone.lab.calls().iter().any(amity_testbed::Call::is_write);
        if begun {
            Ok(())
        } else {
            Err("no write".to_owned())
        }
    })
    .unwrap();

    let status = alone.lab.amity.terminate().unwrap();

    assert_eq!(status.code(), Some(0), "{}", alone.lab.amity.log());
    alone.lab.amity.restart().unwrap();
    alone.lab.existing("sigterm").until_ready("web");
}

#[test]
fn readyz_waits_for_the_custom_resource_definitions() {
    let mut alone = Alone::prepared(|kubectl: &Kubectl| {
        let delete = [
            "delete",
            "crd",
            "machineimages.amity.dev",
            "awsaccounts.amity.dev",
        ];
        kubectl.run(&delete).unwrap().ok().unwrap();
    });
    let page = |page: &str| get_text(&format!("http://{}/{page}", alone.lab.amity.address()));
    eventually(PATIENCE, "it lives", || {
        page("healthz").map_err(|error| error.to_string())
    })
    .unwrap();
    let error = page("readyz").unwrap_err().to_string();
    assert!(
        error.contains("503") && error.contains("custom resource definitions"),
        "{error}"
    );
    eventually(PATIENCE, "the log says why", || {
        let log = alone.lab.amity.log();
        if log.contains("custom resource definitions") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .unwrap();

    apply_crds(alone.lab.cluster.control_plane.kubectl());
    alone.lab.cluster.apply_account();

    alone.lab.amity.wait_ready().unwrap();
    let namespace = alone.lab.namespace("before-the-crds");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");
}

#[test]
fn metrics_are_served() {
    let lab = Lab::shared();
    let namespace = lab.namespace("metrics");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");

    let metrics = lab.amity.metrics().unwrap();

    for line in [
        "amity_reconciles_total{outcome=\"acted\"}",
        "amity_kubernetes_writes_total{resource=\"machineimages/status\",outcome=\"success\"}",
        "amity_invariants_broken_total{invariant=\"4\"} 0",
        "amity_effects_total{action=\"CreateImage\",outcome=\"changed\"}",
        "amity_object_conditions{kind=\"MachineImage\",type=\"Ready\",status=\"True\",reason=\"InSync\"}",
        "amity_inventory_age_seconds{account=\"default\",region=\"us-east-1\"}",
        "amity_copy_slots{account=\"default\",region=\"us-east-1\",state=\"free\"} 20",
        "amity_stored_bytes{account=\"default\",region=\"us-east-1\"}",
        "amity_time_to_ready_seconds_count{since=\"creation\"}",
        "amity_leader 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    assert!(
        metrics.contains("CreateImage"),
        "calls are counted by action:\n{metrics}"
    );
    assert!(!metrics.contains("web"), "no label is an object's name");
}

#[test]
fn the_rights_of_the_manifest_are_enough_and_no_more() {
    let lab = Lab::shared();
    let namespace = lab.namespace("rights");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");

    eventually(PATIENCE, "events tell what was done", || {
        let events: Value = namespace
            .kubectl
            .get_json(&["events"])
            .map_err(|error| error.to_string())?;
        let reasons: Vec<_> = events["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["reason"].clone())
            .collect();
        let told = ["CreateImage", "InSync"]
            .iter()
            .all(|reason| reasons.iter().any(|found| found == reason));
        if told {
            Ok(())
        } else {
            Err(format!("{reasons:?}"))
        }
    })
    .unwrap();
    assert!(
        !lab.amity.log().contains("forbidden"),
        "{}",
        lab.amity.log()
    );
    let may = |question: &[&str]| {
        let question = [&["auth", "can-i"], question].concat();
        let answer = lab
            .cluster
            .control_plane
            .controller_kubectl()
            .run(&question);
        answer.and_then(Output::ok).is_ok()
    };
    assert!(may(&["patch", "machineimages.amity.dev", "-A"]));
    assert!(may(&["update", "leases/amity", "-n", "amity-system"]));
    for question in [
        ["delete", "machineimages.amity.dev", "-A"],
        ["create", "machineimages.amity.dev", "-A"],
        ["update", "awsaccounts.amity.dev", "-A"],
        ["get", "secrets", "-A"],
        ["create", "pods", "-A"],
        ["create", "leases", "-A"],
    ] {
        assert!(!may(&question), "{question:?}");
    }
    for question in [
        ["update", "leases/another", "-n", "amity-system"],
        ["delete", "leases/amity", "-n", "amity-system"],
        ["update", "leases/amity", "-n", "default"],
    ] {
        assert!(!may(&question), "{question:?}");
    }
}

#[test]
fn each_copy_is_told_in_an_event_of_its_own() {
    let namespace = Lab::shared().namespace("events");
    namespace.apply_of_instance("web", &THREE, "");
    namespace.until_ready("web");

    eventually(PATIENCE, "each copy is told", || {
        let events: Value = namespace
            .kubectl
            .get_json(&["events"])
            .map_err(|error| error.to_string())?;
        let events = events["items"].as_array().unwrap().iter();
        let copies: Vec<_> = events
            .filter(|event| event["reason"] == "CopyImage")
            .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
            .collect();
        let told = ["ap-northeast-1", "eu-west-1"].iter().all(|region| {
            let here = format!(" in {region} → ami-");
            copies.iter().any(|message| message.contains(&here))
        });
        if told {
            Ok(())
        } else {
            Err(format!("{copies:?}"))
        }
    })
    .unwrap();
}

#[test]
fn the_iam_policy_names_every_call_and_no_other() {
    let lab = Lab::shared();
    let namespace = lab.namespace("iam");
    namespace.apply_of_instance(
        "web",
        &["us-east-1", "eu-west-1"],
        "tags: {team: web, stage: test}\n  sharing: {accounts: [\"222233334444\"]}\n  deprecation: {after: 2160h}\n  \
         deregistrationProtection: Enabled\n  imdsSupport: v2.0\n  publish: {ssmParameterName: /published/iam}",
    );
    namespace.until_ready("web");
    let less = r#"{"spec": {"tags": {"stage": null}, "deprecation": {"after": null}}}"#;
    namespace.patch("web", less);
    namespace.until_ready("web");
    namespace.delete("web");
    namespace.until_gone("web");
    let kept = "deletionPolicy: Retain\n  publish: {ssmParameterName: /published/kept}";
    namespace.apply_of_instance("kept", &["us-east-1"], kept);
    namespace.until_ready("kept");
    namespace.delete("kept");
    namespace.until_gone("kept");
    let snapshot = "{snapshot: {region: us-east-1, snapshotId: snap-0feedfacefeedface, rootDeviceName: /dev/xvda, \
                    architecture: x86_64}}";
    namespace.apply("base", snapshot, &["us-east-1"], "");
    namespace.until_ready("base");
    let parameter = "{image: {region: us-east-1, ssmParameter: /golden/web}}";
    namespace.apply("golden", parameter, &["us-east-1"], "");
    namespace.until_ready("golden");
    let hidden = "{image: {region: us-east-1, imageId: ami-0000000000000dead}}";
    namespace.apply("hidden", hidden, &["us-east-1"], "");
    namespace.until_stalled("hidden");

    let sts = ["GetCallerIdentity", "AssumeRole"];
    // With its own key, or in a session of a role.
    let is_the_controllers = |call: &Call| {
        let key = call.access_key_id.as_deref().unwrap_or_default();
        key == CONTROLLERS[0] || key.starts_with("ASIA")
    };
    let calls = lab.calls().into_iter().filter(is_the_controllers);
    let made: BTreeSet<String> = calls
        .map(|call| call.action)
        .filter(|action| !sts.contains(&action.as_str()))
        .collect();

    let policies = ["controller", "build"].map(|name| -> Value {
        let file = workspace_root().join(format!("deploy/iam/{name}.json"));
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    });
    let statements = policies
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().unwrap());
    // What EC2 reads in our name is no call of ours.
    let statements = statements.filter(|statement| {
        statement["Condition"]["ForAnyValue:StringEquals"]["aws:CalledVia"].is_null()
    });
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    let actions: Vec<_> = actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<_> = actions
        .iter()
        .filter_map(|action| {
            let call = action.strip_prefix("ec2:").or(action.strip_prefix("ssm:"));
            call.map(str::to_owned)
        })
        .collect();
    // Nothing is lost here: tests/aws/policy.rs has these.
    let of_what_is_lost = |action: &String| action.ends_with("RecycleBin");
    let named: BTreeSet<_> = named
        .into_iter()
        .filter(|it| !of_what_is_lost(it))
        .collect();
    assert_eq!(made, named);
}
