//! The admission policies of `deploy/policies`, tried on the API server that evaluates them.

use std::sync::OnceLock;
use std::time::Duration;

use amity_testbed::{ControlPlane, Kubectl, Output, eventually, workspace_root};

const WITHIN: Duration = Duration::from_mins(1);

/// kubectl in a new namespace, on an API server that keeps to the policies.
fn in_namespace(name: &str) -> Kubectl {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        let kubectl = ControlPlane::shared().kubectl();
        kubectl.apply(&workspace_root().join("crds")).unwrap();
        eventually(WITHIN, "the resources are served", || {
            kubectl
                .run(&["get", "machineimages", "-A"])
                .and_then(Output::ok)
                .map_err(|error| error.to_string())
        })
        .unwrap();
        // What was there before the policies.
        let older = ControlPlane::shared().namespace("older").unwrap();
        older
            .apply_yaml(&image("public", &EVERYTHING_WRONG))
            .unwrap();
        kubectl
            .apply(&workspace_root().join("deploy/policies"))
            .unwrap();
        // A policy holds some moments after it was made.
        for (name, fields) in [
            ("public", &PUBLIC),
            ("region", &ELSEWHERE),
            ("tags", &WITHOUT_TAGS),
        ] {
            eventually(
                WITHIN,
                &format!("the policy on {name} holds"),
                || match create(&older, &image(name, fields)).and_then(Output::ok) {
                    Ok(accepted) => Err(accepted),
                    Err(_) => Ok(()),
                },
            )
            .unwrap();
        }
    });
    ControlPlane::shared().namespace(name).unwrap()
}

fn create(kubectl: &Kubectl, manifest: &str) -> Result<Output, amity_testbed::Error> {
    kubectl.run_with_input(&["create", "--dry-run=server", "-f", "-"], manifest)
}

/// Regions, tags, and the rest of the spec.
type Fields = [&'static str; 3];

const GOOD: Fields = [
    "[{name: us-east-1}, {name: eu-west-1}]",
    "{team: web, cost-center: '17'}",
    "sharing: {accounts: ['222233334444']}",
];
const PUBLIC: Fields = [GOOD[0], GOOD[1], "sharing: {visibility: Public}"];
const ELSEWHERE: Fields = ["[{name: us-east-1}, {name: us-west-2}]", GOOD[1], GOOD[2]];
const WITHOUT_TAGS: Fields = [GOOD[0], "{cost-center: ''}", GOOD[2]];
const EVERYTHING_WRONG: Fields = [ELSEWHERE[0], WITHOUT_TAGS[1], PUBLIC[2]];

fn image(name: &str, [regions, tags, more]: &Fields) -> String {
    format!(
        "apiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {{name: {name}}}\nspec:\n  \
         source: {{image: {{region: us-east-1, imageId: ami-0b1c2d3e4f5061728}}}}\n  \
         regions: {regions}\n  tags: {tags}\n  {more}\n"
    )
}

fn refusal(kubectl: &Kubectl, fields: &Fields) -> String {
    let answer = create(kubectl, &image("web", fields)).unwrap();
    answer.ok().unwrap_err().to_string()
}

#[test]
fn what_keeps_to_the_policies_is_admitted() {
    let kubectl = in_namespace("admitted");
    kubectl.apply_yaml(&image("web", &GOOD)).unwrap();
    let least = [
        GOOD[0],
        GOOD[1],
        "accounts: [{name: partner, regions: [{name: eu-west-1}]}]",
    ];
    kubectl.apply_yaml(&image("web", &least)).unwrap();
}

#[test]
fn public_images_are_refused() {
    let words = refusal(&in_namespace("public"), &PUBLIC);
    let sentence =
        "images are not shared with everybody here; name the accounts in spec.sharing.accounts";
    assert!(words.contains(sentence), "{words}");
}

#[test]
fn other_regions_are_refused_by_name() {
    let kubectl = in_namespace("regions");
    let words = refusal(&kubectl, &ELSEWHERE);
    let sentence = "images are not kept in us-west-2; take a region of us-east-1, eu-west-1";
    assert!(words.contains(sentence), "{words}");

    let partner = [
        GOOD[0],
        GOOD[1],
        "accounts: [{name: partner, regions: [{name: eu-west-1}, {name: eu-north-1}]}]",
    ];
    let words = refusal(&kubectl, &partner);
    assert!(
        words.contains("images are not kept in partner: eu-north-1; take"),
        "{words}"
    );
}

#[test]
fn tags_that_are_missing_are_named() {
    let words = refusal(&in_namespace("tags"), &WITHOUT_TAGS);
    assert!(
        words.contains("spec.tags must have a value for team, cost-center"),
        "{words}"
    );
}

#[test]
fn a_change_is_judged_as_a_new_object_is() {
    let kubectl = in_namespace("changed");
    kubectl.apply_yaml(&image("web", &GOOD)).unwrap();
    let words = kubectl
        .apply_yaml(&image("web", &PUBLIC))
        .unwrap_err()
        .to_string();
    assert!(
        words.contains("images are not shared with everybody here"),
        "{words}"
    );
}

#[test]
fn what_stands_already_is_not_held_up() {
    in_namespace("held-up");
    let older = ControlPlane::shared().kubectl().in_namespace("older");
    let patch = |patch: &str| {
        older
            .run(&[
                "patch",
                "machineimage",
                "public",
                "--type=merge",
                "-p",
                patch,
            ])
            .and_then(Output::ok)
    };
    // As Amity does.
    patch(r#"{"metadata": {"finalizers": ["amity.dev/images"]}}"#).unwrap();
    patch(r#"{"spec": {"rebuild": "again"}}"#).unwrap_err();
    older
        .run(&["delete", "machineimage", "public", "--wait=false"])
        .unwrap()
        .ok()
        .unwrap();
    // As a user does who has to, and then Amity.
    patch(r#"{"spec": {"deletionPolicy": "Retain"}}"#).unwrap();
    patch(r#"{"metadata": {"finalizers": null}}"#).unwrap();
    let left = older
        .run(&["get", "machineimage", "public", "--ignore-not-found"])
        .unwrap();
    assert_eq!(left.ok().unwrap(), "");
}
