//! `amity plan`, `apply`, `status` and `import`, with EC2 as a process and no cluster.

use std::path::PathBuf;
use std::sync::LazyLock;

use amity_testbed::{Ec2Sim, binary, workspace_root};
use assert_cmd::Command;
use serde_json::{Value, json};

/// An EC2 that is quick, in which `examples/` has what it names.
static WORLD: LazyLock<PathBuf> = LazyLock::new(|| workspace_root().join("tests/cli/world.yaml"));

const ACCESS_KEY: &str = "AKIAEC2SIMHOME000001";

struct Lab {
    ec2: Ec2Sim,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let world = WORLD.to_str().unwrap();
        Self {
            ec2: Ec2Sim::start(&binary("ec2sim"), &["--world", world]).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn amity(&self, arguments: &[&str]) -> Command {
        let mut command = super::amity(arguments);
        command
            .env("AWS_ENDPOINT_URL", self.ec2.endpoint())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", "not-checked")
            .env("AWS_REGION", "us-east-1")
            .env("AMITY_OWNER_ID", "test");
        command
    }

    /// A manifest in a file.
    fn file(&self, name: &str, manifest: &Value) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, manifest.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn web(&self, spec: &Value) -> String {
        let mut manifest = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"name": "web", "namespace": "images"},
            "spec": {
                "source": {"instance": {
                    "region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never",
                }},
                "regions": [{"name": "us-east-1"}, {"name": "eu-west-1"}],
                "retention": {"revisions": 0},
            },
        });
        let fields = spec.as_object().unwrap().clone();
        manifest["spec"].as_object_mut().unwrap().extend(fields);
        self.file("web.json", &manifest)
    }

    fn writes(&self) -> usize {
        let calls = self.ec2.calls().unwrap();
        let calls = calls.as_array().expect("a list of calls").iter();
        let writes = calls.filter(|call| {
            let action = call["action"].as_str().unwrap_or_default();
            !["Describe", "Get", "List", "Assume"]
                .iter()
                .any(|read| action.starts_with(read))
        });
        writes.count()
    }
}

fn text(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

#[test]
fn a_plan_says_what_would_be_done_and_does_nothing() {
    let lab = Lab::new();
    let web = lab.web(&json!({}));
    let plan = text(&mut lab.amity(&["plan", "-f", &web]));
    for line in [
        "images/web is new, revision ",
        "+ capture i-0a1b2c3d4e5f60718 in us-east-1, without a restart",
        "+ copy the new image in us-east-1 to eu-west-1",
        "~ publish the new image in eu-west-1",
        "1 MachineImage: 1 to make, 1 to copy, 2 to publish",
    ] {
        assert!(plan.contains(line), "{line:?} is not in\n{plan}");
    }
    assert_eq!(lab.writes(), 0);
}

#[test]
fn what_is_planned_is_what_is_applied_and_then_there_is_nothing_to_do() {
    let lab = Lab::new();
    let web = lab.web(&json!({"tags": {"team": "web"}}));
    let plan = |output: &str| {
        let mut command = lab.amity(&["plan", "-f", &web, "-o", output, "--detailed-exitcode"]);
        let output = command.assert().get_output().clone();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, json) = plan("json");
    assert_eq!(code, Some(2), "{json}");
    let applied = lab.amity(&["apply", "-f", &web]).assert().success();
    let said = String::from_utf8(applied.get_output().stderr.clone()).unwrap();
    assert!(said.contains("images/web  Ready 2/2"), "{said}");
    let planned: Value = serde_json::from_str(&json).unwrap();
    let planned = planned["objects"][0]["steps"].as_array().unwrap().iter();
    let mut planned: Vec<_> = planned
        .filter(|step| !step["region"].is_null())
        .map(|step| (step["region"].to_string(), step["action"].to_string()))
        .collect();
    let done = lab.ec2.calls().unwrap();
    let mut done: Vec<_> = done
        .as_array()
        .unwrap()
        .iter()
        .filter(|call| {
            let action = call["action"].as_str().unwrap_or_default();
            !["Describe", "Get", "List"]
                .iter()
                .any(|read| action.starts_with(read))
        })
        .map(|call| (call["region"].to_string(), call["action"].to_string()))
        .collect();
    planned.sort();
    done.sort();
    assert_eq!(planned, done);
    let (code, text) = plan("text");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing to do"), "{text}");
    let (_, markdown) = plan("markdown");
    assert!(
        markdown.starts_with("### Amity: 1 MachineImage: nothing to do"),
        "{markdown}"
    );
}

#[test]
fn a_parameter_that_is_not_there_yet_is_foretold() {
    let lab = Lab::new();
    let web = lab.web(&json!({"publish": {"ssmParameterName": "/golden/web"}}));
    let plan = text(&mut lab.amity(&["plan", "-f", &web]));
    assert!(plan.contains("parameter /golden/web"), "{plan}");
    assert!(plan.contains("\n  done in about "), "{plan}");
    lab.amity(&["apply", "-f", &web]).assert().success();
    let plan = text(&mut lab.amity(&["plan", "-f", &web]));
    assert!(plan.contains("nothing to do"), "{plan}");
}

#[test]
fn what_goes_is_shown_first() {
    let lab = Lab::new();
    let web = lab.web(&json!({}));
    lab.amity(&["apply", "-f", &web]).assert().success();
    let web = lab.web(&json!({"rebuild": "again", "regions": [{"name": "us-east-1"}]}));
    let plan = text(&mut lab.amity(&["plan", "-f", &web, "--price-per-gib-month", "0.05"]));
    let lines: Vec<_> = plan.lines().collect();
    assert!(lines[1].contains("- deregister ami-"), "{plan}");
    assert!(plan.contains("a month)"), "{plan}");
    assert!(
        plan.contains("2 to deregister, 2 snapshots to delete, 1 to make"),
        "{plan}"
    );
}

#[test]
fn a_preflight_finds_what_ec2_would_refuse() {
    let lab = Lab::new();
    let web = lab.web(&json!({}));
    let mut fine = lab.amity(&["plan", "-f", &web, "--preflight"]);
    fine.assert().success();
    let writes = lab.writes();
    let refused = lab.ec2.calls().unwrap();
    assert!(refused.to_string().contains("DryRunOperation"), "{refused}");
    assert!(writes > 0, "EC2 was asked");
    let images = lab.ec2.world().unwrap();
    assert!(
        !images.to_string().contains("amity.dev/owner"),
        "nothing was made"
    );
}

#[test]
fn a_bad_manifest_is_refused_with_the_sentence_of_the_api_server() {
    let lab = Lab::new();
    let bad = lab.web(&json!({"regions": [{"name": "us-east-1a"}]}));
    let output = lab.amity(&["plan", "-f", &bad]).assert().failure();
    let words = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(words.contains("MachineImage web: spec.regions"), "{words}");
    assert_eq!(lab.writes(), 0);
}

#[test]
fn status_shows_what_is_there_and_what_nobody_asks_for() {
    let lab = Lab::new();
    let web = lab.web(&json!({}));
    lab.amity(&["apply", "-f", &web]).assert().success();
    let status = text(&mut lab.amity(&["status", "-f", &web]));
    for line in [
        "images/web",
        ", published",
        "us-east-1",
        "1 snapshot, 8 GiB",
    ] {
        assert!(status.contains(line), "{line:?} is not in\n{status}");
    }
    let other = lab.file(
        "other.json",
        &json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "amity.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": "default"},
             "spec": {"accountId": "111122223333"}},
        ]}),
    );
    let status = text(&mut lab.amity(&["status", "-f", &other]));
    assert!(
        status.contains("images/web  of no MachineImage here  "),
        "{status}"
    );
}

#[test]
fn what_others_made_is_imported_planned_and_taken_over() {
    let lab = Lab::new();
    let manifests = text(&mut lab.amity(&["import", "golden-*", "--namespace", "images"]));
    assert!(
        manifests.contains("imageId: ami-0feedfacefeedface"),
        "{manifests}"
    );
    let path = lab.folder.path().join("golden.yaml");
    std::fs::write(&path, &manifests).unwrap();
    let path = path.to_str().unwrap();
    let plan = lab
        .amity(&["plan", "-f", path])
        .assert()
        .get_output()
        .stdout
        .clone();
    let plan = String::from_utf8(plan).unwrap();
    assert!(
        plan.contains("take over ami-0feedfacefeedface in us-east-1"),
        "{plan}"
    );
    assert!(plan.contains("Adopting"), "{plan}");
}

#[test]
fn an_apply_that_was_stopped_is_gone_on_with() {
    let lab = Lab::new();
    let web = lab.web(&json!({}));
    for _ in 0..3 {
        let mut command = lab.amity(&["apply", "-f", &web]);
        // It is killed where it is.
        command.timeout(std::time::Duration::from_millis(1_500));
        command.assert().failure();
    }
    lab.amity(&["apply", "-f", &web]).assert().success();
    let world = lab.ec2.world().unwrap().to_string();
    assert_eq!(
        world.matches("\"amity.dev/self\":\"ami-").count(),
        2,
        "{world}"
    );
}

#[test]
fn what_the_api_server_refuses_is_refused_with_the_same_sentence() {
    let folder = workspace_root().join("examples/invalid");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let manifest = std::fs::read_to_string(&path).unwrap();
        let expected = manifest.lines().next().unwrap().trim_start_matches("# ");
        let mut command = super::amity(&["plan", "--owner-id", "test", "-f"]);
        let output = command.arg(&path).assert().failure().get_output().clone();
        let words = String::from_utf8(output.stderr).unwrap();
        let sentence = ["write ", "say ", "choose ", "leave "]
            .iter()
            .filter_map(|verb| expected.find(&format!(": {verb}")))
            .min()
            .map_or("", |at| &expected[at + 2..]);
        assert!(
            words.contains(sentence) && words.contains("/examples/invalid/"),
            "{} is refused with\n{words}\ninstead of\n{expected}",
            path.display()
        );
    }
}
