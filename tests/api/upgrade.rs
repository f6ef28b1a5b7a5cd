//! Definitions that are replaced under objects that are there: by those of a later version, and by
//! those of an earlier one when somebody goes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use amity_core::api::{AwsAccount, MachineImage, MachineImageStatus};
use amity_core::image::identity::Revision;
use amity_testbed::{ControlPlane, Kubectl, control_plane_assets, eventually, workspace_root};
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use serde_json::{Value, json};

use super::{full_status, yaml_files};

const FIRST_SCHEMA: &str = "tests/api/fixtures/first-schema";
/// As it is published.
const KIND: &str = "MachineImage";
const MACHINE_IMAGES: &str = "amity.dev_machineimages.yaml";

/// A cluster of these tests, one test at a time: the other tests need the definitions as they are.
struct Cluster {
    kubectl: Kubectl,
    _alone: MutexGuard<'static, ()>,
}

impl Cluster {
    /// With the definitions in `folder`, and no objects.
    fn with(folder: &Path) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        static RUNNING: OnceLock<ControlPlane> = OnceLock::new();
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let running =
            RUNNING.get_or_init(|| ControlPlane::start(&control_plane_assets().unwrap()).unwrap());
        let kubectl = running.kubectl().in_namespace("images");
        let namespace = workspace_root().join("examples/00-namespace.yaml");
        kubectl.apply(&namespace).unwrap();
        let cluster = Self {
            kubectl,
            _alone: alone,
        };
        let goes = ["delete", "crd", "--all", "--timeout=60s"];
        cluster.kubectl.run(&goes).unwrap().ok().unwrap();
        cluster.await_schema("the definitions are gone", |schema| !schema.contains(KIND));
        cluster.install(folder);
        cluster
    }

    /// Replaces the definitions, and waits until the API server goes by them.
    fn install(&self, folder: &Path) {
        self.kubectl.apply(folder).unwrap();
        let definitions = fs::read_to_string(folder.join(MACHINE_IMAGES)).unwrap();
        self.await_schema("the definitions are in force", |schema| {
            // What they differ in.
            let says = |word| schema.contains(word) == definitions.contains(word);
            schema.contains(KIND) && says("snapshotId") && says("pipeline")
        });
        let minute = Duration::from_mins(1);
        eventually(minute, "the resources can be listed", || {
            let list = ["get", "machineimages,awsaccounts"];
            let answer = self.kubectl.run(&list);
            answer
                .and_then(amity_testbed::Output::ok)
                .map_err(|error| error.to_string())
        })
        .unwrap();
    }

    /// What the API server publishes of a definition follows what it goes by.
    fn await_schema(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let published = ["get", "--raw", "/openapi/v3/apis/amity.dev/v1alpha1"];
        eventually(Duration::from_mins(1), what, || {
            let schema = self.kubectl.run(&published).map_err(|e| e.to_string())?;
            let message = || format!("{} bytes are published", schema.stdout.len());
            is_so(&schema.stdout).then_some(()).ok_or_else(message)
        })
        .unwrap();
    }

    fn create(&self, manifest: &str) {
        self.kubectl
            .run_with_input(&["create", "-f", "-"], manifest)
            .unwrap()
            .ok()
            .unwrap();
    }

    /// Stores an object with the status that it has in its file.
    fn store(&self, path: &Path) {
        let manifest = fs::read_to_string(path).unwrap();
        self.create(&manifest);
        let written: Value = serde_saphyr::from_str(&manifest).unwrap();
        if !written["status"].is_null() {
            let status = json!({"status": written["status"]});
            self.patch(&object_of(&written), &["--subresource=status"], &status)
                .unwrap();
        }
    }

    fn patch(&self, object: &str, more: &[&str], change: &Value) -> Result<(), String> {
        let change = change.to_string();
        let mut arguments = vec!["patch", object, "--type=merge", "-p", &change];
        arguments.extend(more);
        self.kubectl
            .run(&arguments)
            .and_then(amity_testbed::Output::ok)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn get(&self, object: &str) -> Value {
        self.kubectl.get_json(&[object]).unwrap()
    }

    /// As the controller lists them: one that cannot be read is an error among the others.
    fn list(&self) -> Vec<Result<MachineImage, String>> {
        let mut list = self.kubectl.get_json(&["machineimages"]).unwrap();
        let list: Vec<DeserializeGuard<MachineImage>> =
            serde_json::from_value(list["items"].take()).unwrap();
        let name = |error: InvalidObject| error.metadata.name.unwrap_or_default();
        list.into_iter()
            .map(|guard| guard.0.map_err(name))
            .collect()
    }

    /// The names of the objects that cannot be read.
    fn unreadable(&self) -> Vec<String> {
        let mut names: Vec<_> = self.list().into_iter().filter_map(Result::err).collect();
        names.sort();
        names
    }
}

impl Drop for Cluster {
    /// Nothing that ends by itself: with their finalizers, the objects would hold up the next test.
    fn drop(&mut self) {
        for object in self
            .kubectl
            .get_json(&["machineimages"])
            .unwrap_or_default()["items"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let change = json!({"metadata": {"finalizers": null}});
            let _ = self.patch(&object_of(object), &[], &change);
        }
    }
}

/// `machineimage/web`, as kubectl takes it.
fn object_of(object: &Value) -> String {
    let said = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    format!(
        "{}/{}",
        said(&object["kind"]),
        said(&object["metadata"]["name"])
    )
}

fn today() -> PathBuf {
    workspace_root().join("crds")
}

fn first_schema() -> PathBuf {
    workspace_root().join(FIRST_SCHEMA).join("crds")
}

fn revision(image: &MachineImage) -> String {
    let source = serde_json::to_value(&image.spec.source).unwrap();
    Revision::of(&source, image.spec.rebuild.as_deref()).to_string()
}

#[test]
fn objects_of_the_first_schema_are_the_same_after_an_upgrade() {
    let cluster = Cluster::with(&first_schema());
    let files = yaml_files(&format!("{FIRST_SCHEMA}/objects"));
    for file in &files {
        cluster.store(file);
    }
    let before: Vec<_> = cluster.list();
    assert_eq!(before.len() + 1, files.len());

    cluster.install(&today());

    for (name, expected) in [
        ("at-rest", "8d5de8a2e0"),
        ("rolling-out", "0651c10bb0"),
        ("never-seen", "9d7135df65"),
    ] {
        let object = format!("machineimage/{name}");
        let image: MachineImage = serde_json::from_value(cluster.get(&object)).unwrap();
        assert_eq!(
            revision(&image),
            expected,
            "{name}: its images would be made anew"
        );
        let stood = before
            .iter()
            .filter_map(|image| image.as_ref().ok())
            .find(|old| old.name() == name)
            .unwrap();
        assert_eq!(&image, stood, "{name}");

        // The controller writes its status and its finalizer, and the user the way out.
        let status = serde_json::to_value(full_status()).unwrap();
        let change = json!({"status": status});
        cluster
            .patch(&object, &["--subresource=status"], &change)
            .unwrap();
        assert_eq!(cluster.get(&object)["status"], status, "{name}");
        for change in [
            json!({"metadata": {"annotations": {"amity.dev/captured": "8d5de8a2e0 2026-03-03T12:00:00Z"}}}),
            json!({"spec": {"deletionPolicy": "Delete"}}),
            json!({"spec": {"deletionPolicy": "Retain"}}),
            json!({"metadata": {"finalizers": ["amity.dev/cleanup"]}}),
            json!({"metadata": {"finalizers": null}}),
        ] {
            cluster.patch(&object, &[], &change).unwrap();
        }
    }
    let account: AwsAccount = serde_json::from_value(cluster.get("awsaccount/default")).unwrap();
    assert!(
        account
            .status
            .is_some_and(|status| status.observed_generation == 1)
    );
    assert_eq!(account.spec.grants.capture.len(), 1);
}

#[test]
fn an_object_of_the_first_schema_can_be_deleted_after_an_upgrade() {
    let cluster = Cluster::with(&first_schema());
    cluster.store(
        &workspace_root()
            .join(FIRST_SCHEMA)
            .join("objects/at-rest.yaml"),
    );
    let object = "machineimage/at-rest";
    let delete = ["delete", object, "--wait=false"];
    cluster.kubectl.run(&delete).unwrap().ok().unwrap();

    cluster.install(&today());

    let image: MachineImage = serde_json::from_value(cluster.get(object)).unwrap();
    assert!(image.is_being_deleted());
    let status = json!({"status": MachineImageStatus::default()});
    cluster
        .patch(object, &["--subresource=status"], &status)
        .unwrap();
    cluster
        .patch(object, &[], &json!({"spec": {"deletionPolicy": "Retain"}}))
        .unwrap();
    cluster
        .patch(object, &[], &json!({"metadata": {"finalizers": null}}))
        .unwrap();
    assert!(cluster.list().is_empty());
}

/// Objects that the first schema has no words for.
fn new_objects() -> [Value; 3] {
    let object = |name: &str, source: Value| {
        json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"name": name, "namespace": "images", "finalizers": ["amity.dev/cleanup"]},
            "spec": {
                "source": source,
                "regions": [{"name": "us-east-1"}],
                "retention": {"revisions": 3, "minAge": "168h"},
            },
        })
    };
    [
        object(
            "from-snapshot",
            json!({"snapshot": {
                "region": "us-east-1", "snapshotId": "snap-0123456789abcdef0",
                "rootDeviceName": "/dev/xvda", "architecture": "arm64",
                "volumes": [{"deviceName": "/dev/sdf", "snapshotId": "snap-0feedfacefeedface"}],
            }}),
        ),
        object(
            "by-name",
            json!({"image": {"region": "us-east-1", "owner": "amazon", "name": "al2023"}}),
        ),
        object(
            "retained",
            json!({"instance": {
                "region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never",
            }}),
        ),
    ]
}

#[test]
fn going_back_to_the_first_schema_loses_nothing_by_itself() {
    let cluster = Cluster::with(&today());
    let objects = new_objects();
    for object in &objects {
        cluster.create(&object.to_string());
    }
    let specs = || -> Vec<_> {
        let spec = |object| cluster.get(&object_of(object))["spec"].take();
        objects.iter().map(spec).collect()
    };
    let before = specs();

    cluster.install(&first_schema());
    assert_ne!(
        specs(),
        before,
        "the API server shows what the definitions know"
    );
    assert_eq!(
        cluster.unreadable(),
        ["by-name", "from-snapshot"],
        "what is left of them must not pass for a source"
    );

    cluster.install(&today());
    assert_eq!(specs(), before);
}

/// Why the definitions are not to be taken back with the controller: what is written meanwhile is
/// written without what they do not know. It is an error then, until the manifest is applied again.
#[test]
fn what_is_written_under_the_first_schema_is_an_error_until_it_is_applied_again() {
    let cluster = Cluster::with(&today());
    let objects = new_objects();
    let specs = || -> Vec<_> {
        let spec = |object| cluster.get(&object_of(object))["spec"].take();
        objects.iter().map(spec).collect()
    };
    let apply = || {
        for object in &objects {
            cluster.kubectl.apply_yaml(&object.to_string()).unwrap();
        }
    };
    apply();
    let before = specs();

    cluster.install(&first_schema());
    for object in &objects {
        let note = json!({"metadata": {"annotations": {"noted": "meanwhile"}}});
        cluster.patch(&object_of(object), &[], &note).unwrap();
    }
    cluster.install(&today());
    assert_ne!(specs(), before);
    assert_eq!(cluster.unreadable(), ["by-name", "from-snapshot"]);

    apply();
    assert_eq!(specs(), before);
    assert_eq!(cluster.unreadable(), [""; 0]);
}

#[test]
fn an_object_that_the_first_schema_has_no_words_for_can_be_deleted_under_it() {
    let cluster = Cluster::with(&today());
    let objects = new_objects();
    for object in &objects {
        cluster.create(&object.to_string());
    }
    cluster.install(&first_schema());
    for object in objects.iter().map(object_of) {
        let delete = ["delete", &object, "--wait=false"];
        cluster.kubectl.run(&delete).unwrap().ok().unwrap();
        cluster
            .patch(&object, &[], &json!({"spec": {"deletionPolicy": "Retain"}}))
            .unwrap();
        cluster
            .patch(&object, &[], &json!({"metadata": {"finalizers": null}}))
            .unwrap();
    }
    assert!(cluster.list().is_empty());
}

/// The definitions of a later version, with a source, a field and a value that this one lacks.
fn later() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let definitions = amity::cli::crds::files().unwrap();
    for (file, yaml) in definitions {
        let mut yaml = yaml;
        if file == MACHINE_IMAGES {
            let mut crd: Value = serde_saphyr::from_str(&yaml).unwrap();
            let spec =
                &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            let source = &mut spec["properties"]["source"];
            source["x-kubernetes-validations"] = json!([]);
            source["properties"]["build"] = json!({
                "type": "object",
                "properties": {"pipeline": {"type": "string"}},
            });
            let instance = &mut source["properties"]["instance"]["properties"];
            instance["freeze"] = json!({"type": "string"});
            instance["reboot"]["enum"] = json!(["Once", "Never", "Twice"]);
            yaml = crd.to_string();
        }
        fs::write(folder.path().join(file), yaml).unwrap();
    }
    folder
}

#[test]
fn what_only_a_later_version_knows_is_an_error_and_never_another_image() {
    let cluster = Cluster::with(later().path());
    let instance = |more: &Value| {
        let mut instance = json!({
            "region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never",
        });
        let fields = instance.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        json!({"instance": instance})
    };
    for (name, source) in [
        ("a-source", json!({"build": {"pipeline": "base"}})),
        ("a-field", instance(&json!({"freeze": "Once"}))),
        ("a-value", instance(&json!({"reboot": "Twice"}))),
        ("known", instance(&json!({}))),
    ] {
        let mut object = new_objects()[0].take();
        object["metadata"]["name"] = name.into();
        object["spec"]["source"] = source;
        cluster.create(&object.to_string());
    }
    assert_eq!(cluster.unreadable(), ["a-field", "a-source", "a-value"]);
    let known: Vec<_> = cluster.list().into_iter().filter_map(Result::ok).collect();
    assert_eq!(
        known.iter().map(revision).collect::<Vec<_>>(),
        ["8d5de8a2e0"]
    );
}
