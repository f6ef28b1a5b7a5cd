//! The custom resources on a real API server: what it accepts, what it refuses and in which words,
//! what it fills in, and what kubectl shows.

mod upgrade;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use amity::cli::crds;
use amity_core::api::{
    AwsAccountStatus, ImageUser, MachineImageStatus, NextStep, ProgressingRevision,
    PublishedRevision, RegionProgress, RegionStatus, Stray, Strays, conditions,
};
use amity_testbed::{ControlPlane, Kubectl, eventually, workspace_root, yaml_files};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::{Value, json};

/// kubectl as an administrator, on an API server that knows the resources and the namespace of the
/// examples.
fn kubectl() -> &'static Kubectl {
    static READY: OnceLock<()> = OnceLock::new();
    let kubectl = ControlPlane::shared().kubectl();
    READY.get_or_init(|| {
        kubectl.apply(&workspace_root().join("crds")).unwrap();
        let wait = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=60s",
        ];
        kubectl.run(&wait).unwrap().ok().unwrap();
        // It is established before every part of the API server has heard of it.
        eventually(
            Duration::from_mins(1),
            "the resources can be listed and explained",
            || {
                for question in [
                    ["get", "machineimages,awsaccounts"],
                    ["explain", "machineimage"],
                ] {
                    kubectl
                        .run(&question)
                        .and_then(amity_testbed::Output::ok)
                        .map_err(|e| e.to_string())?;
                }
                Ok(())
            },
        )
        .unwrap();
        kubectl
            .apply(&workspace_root().join("examples/00-namespace.yaml"))
            .unwrap();
    });
    kubectl
}

/// kubectl in a new namespace of that name.
fn in_namespace(name: &str) -> Kubectl {
    kubectl();
    ControlPlane::shared().namespace(name).unwrap()
}

/// A good `MachineImage` called web, with these fields of the spec besides.
fn web(fields: &Value) -> String {
    let mut image = json!({
        "apiVersion": "amity.dev/v1alpha1",
        "kind": "MachineImage",
        "metadata": {"name": "web"},
        "spec": {
            "source": {"instance": {
                "region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never",
            }},
            "regions": [{"name": "us-east-1"}],
        },
    });
    let spec = image["spec"].as_object_mut().unwrap();
    spec.extend(fields.as_object().cloned().unwrap_or_default());
    image.to_string()
}

/// A good `AwsAccount` of that name, with these fields of the spec besides.
fn account(name: &str, fields: &Value) -> String {
    let mut account = json!({
        "apiVersion": "amity.dev/v1alpha1",
        "kind": "AwsAccount",
        "metadata": {"name": name},
        "spec": {"accountId": "111122223333"},
    });
    let spec = account["spec"].as_object_mut().unwrap();
    spec.extend(fields.as_object().cloned().unwrap_or_default());
    account.to_string()
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}

#[test]
fn the_definitions_in_the_repository_are_those_of_the_source() {
    let generated = crds::files().unwrap();
    let kept: Vec<_> = yaml_files("crds")
        .iter()
        .map(|path| {
            (
                file_name(path).to_owned(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    assert!(
        kept == generated,
        "crds/ is out of date: run `amity crds --directory crds`"
    );
}

#[test]
fn the_page_of_conditions_is_that_of_the_source() {
    let path = workspace_root().join("docs/conditions.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, conditions::page()).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap() == conditions::page(),
        "docs/conditions.md is out of date; UPDATE_DOCS=1 writes it anew"
    );
}

#[test]
fn every_example_is_accepted() {
    for folder in ["examples", "examples/course"] {
        let answer = kubectl().apply(&workspace_root().join(folder)).unwrap();
        assert_eq!(answer.lines().count(), yaml_files(folder).len(), "{answer}");
    }
}

#[test]
fn every_invalid_manifest_is_refused_with_the_sentence_in_its_first_line() {
    let mut wrong = Vec::new();
    for path in yaml_files("examples/invalid") {
        let manifest = fs::read_to_string(&path).unwrap();
        let sentence = manifest.lines().next().unwrap().trim_start_matches("# ");
        match kubectl().apply_yaml(&manifest) {
            Ok(_) => wrong.push(format!("{} is accepted", file_name(&path))),
            Err(error) if !error.to_string().contains(sentence) => {
                wrong.push(format!(
                    "{} is refused otherwise: {error}",
                    file_name(&path)
                ));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_field_that_cannot_be_changed_says_what_to_do_instead() {
    let images = in_namespace("unchangeable");
    images.apply_yaml(&web(&json!({}))).unwrap();
    images
        .apply_yaml(&account("unchangeable", &json!({})))
        .unwrap();
    for (manifest, sentence) in [
        (
            web(&json!({"accountName": "other"})),
            "spec.accountName: Invalid value: \"other\": accountName cannot be changed, since the \
             images are in that account; make another MachineImage for another account",
        ),
        (
            web(&json!({"nameTemplate": "web-{revision}"})),
            "spec.nameTemplate: Invalid value: \"web-{revision}\": nameTemplate cannot be changed, \
             since the name keeps EC2 from making an image twice; make another MachineImage for \
             another name",
        ),
        (
            account("unchangeable", &json!({"accountId": "444455556666"})),
            "spec.accountId: Invalid value: \"444455556666\": accountId cannot be changed, since \
             images of this account are managed under it; make another AwsAccount for another \
             account",
        ),
    ] {
        let answer = images.apply_yaml(&manifest).unwrap_err().to_string();
        assert!(answer.contains(sentence), "{answer}");
    }
}

#[test]
fn all_other_fields_can_be_changed() {
    let images = in_namespace("changeable");
    images.apply_yaml(&web(&json!({}))).unwrap();
    for change in [
        json!({"source": {"image": {"region": "eu-west-1", "imageId": "ami-0b1c2d3e4f5061728"}}}),
        json!({"source": {"image": {"region": "eu-west-1", "owner": "self", "name": "base 1"}}}),
        json!({"source": {"image": {"region": "eu-west-1", "ssmParameter": "/golden/web"}}}),
        json!({
            "source": {"image": {"region": "eu-west-1", "machineImageName": "base"}},
            "follow": {"interval": "24h"},
        }),
        json!({"source": {"snapshot": {
            "region": "eu-west-1", "snapshotId": "snap-0b1c2d3e4f5061728",
            "rootDeviceName": "/dev/sda1", "architecture": "arm64",
        }}}),
        json!({"retention": {"revisions": 0, "minAge": "1h30m"}}),
        json!({"regions": [{"name": "eu-west-1"}, {"name": "us-gov-west-1"}]}),
        json!({"description": "other", "rebuild": "2026-03-01", "tags": {"team": "web"}}),
        json!({"deletionPolicy": "Retain", "suspend": true}),
        json!({"publish": {"ssmParameterName": "/golden/web"}}),
        json!({"publish": {"ssmParameterName": "/golden/other.name_2"}}),
    ] {
        images.apply_yaml(&web(&change)).unwrap();
    }
}

#[test]
fn the_largest_object_that_the_bounds_allow_is_accepted() {
    let images = in_namespace("largest");
    let regions: Vec<_> = (0..40)
        .map(|i| json!({"name": format!("us-east-{i}")}))
        .collect();
    let tags: serde_json::Map<_, _> = (0..30)
        .map(|i| (format!("{i:k<127}"), json!("v".repeat(256))))
        .collect();
    images
        .apply_yaml(&web(&json!({
            "nameTemplate": format!("{}{{revision}}", "n".repeat(118)),
            "description": "d".repeat(255),
            "rebuild": "r".repeat(256),
            "regions": regions,
            "tags": tags,
        })))
        .unwrap();

    let volumes: Vec<_> = ('a'..='z')
        .map(|letter| {
            json!({
                "deviceName": format!("/dev/xvdb{letter}"),
                "snapshotId": "snap-0b1c2d3e4f5061728",
                "deleteOnTermination": false,
            })
        })
        .collect();
    let from_snapshot = json!({"source": {"snapshot": {
        "region": "us-east-1", "snapshotId": "snap-0b1c2d3e4f5061728",
        "rootDeviceName": "/dev/xvda", "architecture": "x86_64_mac",
        "bootMode": "uefi-preferred", "enaSupport": "Disabled",
        "platformDetails": "Red Hat Enterprise Linux with SQL Server Enterprise and HA",
        "volumes": volumes,
    }}});
    let others = in_namespace("largest-of-others");
    others.apply_yaml(&web(&from_snapshot)).unwrap();
    let by_name = json!({
        "source": {"image": {
            "region": "us-east-1", "owner": "111122223333",
            "name": format!("a(b)[c] d./-'@_{}", "n".repeat(113)), "architecture": "arm64_mac",
        }},
        "retention": {"revisions": 20, "minAge": "8759h60m0s"},
        "publish": {"ssmParameterName": format!("{}/{}", "/p".repeat(14), "n".repeat(227))},
    });
    others.apply_yaml(&web(&by_name)).unwrap();

    let by_parameter = json!({
        "source": {"image": {
            "region": "us-east-1", "ssmParameter": format!("/{}", "p/".repeat(199) + "p"),
        }},
        "follow": {"interval": "8759h60m0s"},
    });
    others.apply_yaml(&web(&by_parameter)).unwrap();
    let by_other = json!({
        "source": {"image": {"region": "us-east-1", "machineImageName": "b".repeat(63)}},
        "follow": {"interval": "600s"},
    });
    others.apply_yaml(&web(&by_other)).unwrap();

    let names: Vec<_> = (0..64).map(|i| format!("{i:n<63}")).collect();
    let owners: Vec<_> = (0..64).map(|i| format!("{i:012}")).collect();
    let tags: serde_json::Map<_, _> = (0..16)
        .map(|i| (format!("{i:k<127}"), json!("v".repeat(256))))
        .collect();
    let capture = json!({"namespaces": {"matchNames": names}, "instanceTags": tags});
    let snapshots = json!({"namespaces": {"matchNames": names}, "snapshotTags": tags});
    let source_owner = json!({"namespaces": {"matchNames": names}, "owners": owners});
    let paths: Vec<_> = (0..64).map(|i| format!("/{i:p<254}/")).collect();
    let parameters = json!({"namespaces": {"matchNames": names}, "paths": paths});
    let largest = account(
        "largest",
        &json!({
            "assumeRole": {
                "roleArn": format!("arn:aws:iam::111122223333:role/{}", "r".repeat(576)),
                "externalId": "e".repeat(1224),
            },
            "regions": (0..40).map(|i| format!("us-east-{i}")).collect::<Vec<_>>(),
            "grants": {
                "capture": vec![capture; 32],
                "snapshots": vec![snapshots; 32],
                "sourceOwners": vec![source_owner; 32],
                "parameters": vec![parameters; 32],
            },
        }),
    );
    // Not applied: that would keep a second copy in an annotation, which is bounded too.
    images
        .run_with_input(&["create", "-f", "-"], &largest)
        .unwrap()
        .ok()
        .unwrap();
}

#[test]
fn the_defaults_are_filled_in_and_nulls_are_not_kept() {
    let images = in_namespace("defaults");
    images
        .apply_yaml(&web(
            &json!({"accountName": null, "description": null, "tags": null}),
        ))
        .unwrap();
    let spec = images.get_json(&["machineimage", "web"]).unwrap()["spec"].take();
    assert_eq!(
        spec,
        json!({
            "accountName": "default",
            "nameTemplate": "{name}-{revision}",
            "source": {"instance": {
                "region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never",
            }},
            "regions": [{"name": "us-east-1"}],
            "deletionPolicy": "Delete",
            "retention": {"revisions": 1, "minAge": "0s"},
        })
    );
}

#[test]
fn no_status_passes_for_current_before_it_was_written() {
    let images = in_namespace("status-default");
    images.apply_yaml(&web(&json!({}))).unwrap();
    images
        .apply_yaml(&account("status-default", &json!({})))
        .unwrap();
    for object in ["machineimage/web", "awsaccount/status-default"] {
        let status = || images.get_json(&[object]).unwrap()["status"].take();
        assert_eq!(status(), json!({"observedGeneration": -1}), "{object}");
        let wipe = r#"{"status": null}"#;
        let patch = [
            "patch",
            object,
            "--subresource=status",
            "--type=merge",
            "-p",
            wipe,
        ];
        images.run(&patch).unwrap().ok().unwrap();
        assert_eq!(status(), json!({"observedGeneration": -1}), "{object}");
    }
}

#[test]
fn a_status_is_kept_as_it_is_written_and_shown_in_the_columns() {
    let images = in_namespace("status");
    images.apply_yaml(&web(&json!({}))).unwrap();
    let status = serde_json::to_value(full_status()).unwrap();
    let body = json!({"status": status}).to_string();
    let patch = [
        "patch",
        "ami",
        "web",
        "--subresource=status",
        "--type=merge",
        "-p",
        &body,
    ];
    images.run(&patch).unwrap().ok().unwrap();
    assert_eq!(
        images.get_json(&["ami", "web"]).unwrap()["status"].take(),
        status
    );

    let get = |what| {
        images
            .run(&["get", what, "-o", "wide"])
            .unwrap()
            .ok()
            .unwrap()
    };
    let table = get("ami");
    let lines: Vec<_> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines[0], "NAME READY REVISION REGIONS SOURCE AGE MESSAGE",
        "{table}"
    );
    let row = "web False 3f9a1c07d2 1/2 us-east-1/i-0a1b2c3d4e5f60718 ";
    assert!(lines[1].starts_with(row), "{table}");
    assert!(lines[1].ends_with(" waits for a copy"), "{table}");

    let everything = get("amity");
    assert!(
        everything.contains("machineimage.amity.dev/web "),
        "{everything}"
    );
}

fn full_status() -> MachineImageStatus {
    let time = || Time("2026-03-01T12:00:00Z".parse().unwrap());
    let source = "us-east-1/i-0a1b2c3d4e5f60718";
    MachineImageStatus {
        observed_generation: 1,
        conditions: vec![Condition {
            type_: "Ready".into(),
            status: "False".into(),
            reason: "Progressing".into(),
            message: "waits for a copy".into(),
            observed_generation: Some(1),
            last_transition_time: time(),
        }],
        regions_ready: Some("1/2".into()),
        source: Some(source.into()),
        published: Some(PublishedRevision {
            revision: "3f9a1c07d2".into(),
            time: time(),
            source: source.into(),
        }),
        progressing: Some(ProgressingRevision {
            revision: "8b20e4f6a1".into(),
            source: source.into(),
            start_time: time(),
        }),
        stored_gib: Some(16),
        cost_per_month: Some("0.80".into()),
        next_steps: vec![NextStep {
            account_name: Some("partner".into()),
            step: "CopyImage".into(),
            region: Some("eu-west-1".into()),
            why: "wanted by spec.regions".into(),
            waits_for: Some("a copy slot".into()),
        }],
        regions: vec![RegionStatus {
            account_name: "default".into(),
            stored_gib: Some(8),
            name: "us-east-1".into(),
            published_image_id: Some("ami-0b1c2d3e4f5061728".into()),
            progressing: Some(RegionProgress::of("ami-0c1d2e3f405162738", "pending", 47)),
            message: Some("EC2 is slow today".into()),
            in_use_by: vec![
                ImageUser::own(
                    "ami-0d1e2f30415263748",
                    "ec2:LaunchTemplate",
                    "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-0a1b2c3d4e5f60718",
                ),
                ImageUser::elsewhere("ami-0d1e2f30415263748", "ec2:Instance", "222233334444", 3),
            ],
        }],
    }
}

#[test]
fn what_has_no_object_is_kept_in_the_status_of_the_account() {
    let images = in_namespace("strays");
    images.apply_yaml(&account("strays", &json!({}))).unwrap();
    let stray = Stray {
        region: "eu-west-1".into(),
        id: "ami-0b1c2d3e4f5061728".into(),
        object: "images/web".into(),
    };
    let status = serde_json::to_value(AwsAccountStatus {
        observed_generation: 1,
        strays: Some(Strays {
            images: 12,
            snapshots: 24,
            gib: 3_000_000_000,
            examples: vec![stray; 10],
        }),
        ..AwsAccountStatus::default()
    })
    .unwrap();
    let body = json!({"status": status}).to_string();
    let patch = [
        "patch",
        "awsaccount",
        "strays",
        "--subresource=status",
        "--type=merge",
        "-p",
        &body,
    ];
    images.run(&patch).unwrap().ok().unwrap();
    let kept = images.get_json(&["awsaccount", "strays"]).unwrap()["status"].take();
    assert_eq!(kept, status);
}

#[test]
fn kubectl_explains_the_fields_and_their_values() {
    for (field, words) in [
        (
            "machineimage",
            "It is made of revisions, as a Deployment is of ReplicaSets",
        ),
        (
            "machineimage.spec.source",
            "What the image is made from: exactly one of instance, snapshot, image.",
        ),
        (
            "machineimage.spec.source.instance",
            "Needs a capture grant in the AwsAccount.",
        ),
        (
            "machineimage.spec.source.instance.reboot",
            "Once restarts it once per revision",
        ),
        (
            "machineimage.spec.source.instance.volumes",
            "All takes every volume that is attached",
        ),
        (
            "machineimage.spec.source.snapshot",
            "Needs a snapshots grant in the AwsAccount.",
        ),
        (
            "machineimage.spec.source.snapshot.architecture",
            "Required, since EC2 would take i386.",
        ),
        (
            "machineimage.spec.source.snapshot.platformDetails",
            "They are checked and not set",
        ),
        (
            "machineimage.spec.source.image.owner",
            "known as the whoAMI attack",
        ),
        (
            "machineimage.spec.source.image.name",
            "the newest by CreationDate is taken, once for each revision",
        ),
        (
            "machineimage.spec.source.image.ssmParameter",
            "It is read once for each revision",
        ),
        (
            "machineimage.spec.source.image.machineImageName",
            "whose published image in this region is taken",
        ),
        (
            "machineimage.spec.follow.interval",
            "How often the source is looked at",
        ),
        (
            "machineimage.spec.retention",
            "Which superseded revisions are kept",
        ),
        (
            "machineimage.spec.retention.minAge",
            "counted from when it was superseded",
        ),
        (
            "machineimage.status.regions.inUseBy",
            "What still uses images here that are no longer wanted",
        ),
        (
            "awsaccount.status.strays",
            "Amity never deletes it by itself",
        ),
        (
            "machineimage.spec.deletionPolicy",
            "Delete (the default) deregisters the images",
        ),
        (
            "awsaccount.spec.grants.capture.namespaces",
            "exactly one of matchNames, matchLabels, all",
        ),
        (
            "awsaccount.spec.grants.capture.namespaces.all",
            "Every namespace, if true",
        ),
    ] {
        let explained = kubectl().run(&["explain", field]).unwrap().ok().unwrap();
        let text = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{explained}");
    }
}
