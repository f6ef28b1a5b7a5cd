//! Images that are kept in Git and applied by Flux's own controllers: what a commit does, when Flux calls it done, and
//! what it says where it cannot be.

use std::collections::BTreeSet;
use std::fs;
use std::sync::OnceLock;

use amity_testbed::{Flux, GitServer, Repository, eventually, flux, workspace_root};
use serde_json::Value;

use crate::lab::{Lab, Namespace, PATIENCE, account, condition, is_ready, published, revision};

const THREE: [&str; 3] = ["ap-northeast-1", "eu-west-1", "us-east-1"];

/// A repository of images, and the namespace that has Flux's objects of it.
struct Kept {
    namespace: Namespace<'static>,
    /// The namespace that the images are in.
    images: String,
    repository: Repository,
}

impl Kept {
    fn new(name: &str) -> Self {
        static GIT: OnceLock<GitServer> = OnceLock::new();
        static FLUX: OnceLock<Flux> = OnceLock::new();
        let lab = Lab::shared();
        FLUX.get_or_init(|| Flux::start(&flux().unwrap(), lab.cluster.control_plane).unwrap());
        let git = GIT.get_or_init(|| GitServer::start().unwrap());
        let repository = git.repository(name).unwrap();
        // Git keeps no empty folder, and Flux wants one to be there.
        repository.write("accounts/README.md", "None.\n").unwrap();
        Self {
            namespace: lab.namespace(name),
            images: name.to_owned(),
            repository,
        }
    }

    /// Applies the example for Flux, for this repository and these namespaces.
    fn apply_flux(&self) {
        let example = fs::read_to_string(workspace_root().join("examples/flux/images.yaml"));
        let place = format!("path: ./images\n  targetNamespace: {}", self.images);
        let changes = [
            (
                "https://git.example.com/platform/images.git",
                self.repository.url(),
            ),
            ("flux-system", &self.namespace.name),
            ("path: ./images", &place),
        ];
        let manifest = changed(example.unwrap(), &changes);
        self.namespace.kubectl.apply_yaml(&manifest).unwrap();
    }

    /// Writes the example of an image of an instance, with these changes of its text.
    fn write_example(&self, name: &str, changes: &[(&str, &str)]) {
        let example = workspace_root().join("examples/machineimage-from-instance.yaml");
        let metadata = format!("name: {name}\n");
        let always = [
            ("i-0a1b2c3d4e5f60718", self.namespace.instance.as_str()),
            ("name: web\n", &metadata),
        ];
        let text = changed(fs::read_to_string(example).unwrap(), &always);
        let file = format!("images/{name}.yaml");
        self.repository
            .write(&file, &changed(text, changes))
            .unwrap();
    }

    /// Commits what was written, and tells Flux of it.
    fn commit(&self, message: &str) -> String {
        let commit = self.repository.commit(message).unwrap();
        self.tell(&commit);
        commit
    }

    /// As `flux reconcile source git` does.
    fn tell(&self, commit: &str) {
        self.apply_flux();
        let requested = format!("reconcile.fluxcd.io/requestedAt={commit}");
        let words = "annotate --overwrite gitrepository images";
        let annotate: Vec<_> = words.split(' ').chain([requested.as_str()]).collect();
        self.namespace.kubectl.run(&annotate).unwrap().ok().unwrap();
    }

    fn kustomization(&self, name: &str) -> Value {
        let (reader, namespace) = (&self.namespace.lab.cluster.reader, &self.namespace.name);
        let group = "/apis/kustomize.toolkit.fluxcd.io/v1";
        let path = format!("{group}/namespaces/{namespace}/kustomizations/{name}");
        reader.get(&path).unwrap().unwrap_or_default()
    }

    /// Looks at a Kustomization and its condition `Ready` until `look` finds something.
    fn until<T>(
        &self,
        name: &str,
        what: &str,
        mut look: impl FnMut(&Value, &Value) -> Option<T>,
    ) -> T {
        let what = format!("{}: Kustomization {name} {what}", self.namespace.name);
        let found = eventually(PATIENCE, &what, || {
            let status = self.kustomization(name)["status"].take();
            let mut conditions = status["conditions"].as_array().into_iter().flatten();
            let ready = conditions.find(|one| one["type"] == "Ready");
            look(&status, ready.unwrap_or(&Value::Null)).ok_or_else(|| status.to_string())
        });
        found.unwrap()
    }

    /// Waits until a Kustomization is `Ready` with this commit.
    fn until_applied(&self, name: &str, commit: &str) {
        let revision = format!("main@sha1:{commit}");
        self.until(name, "is Ready", |status, ready| {
            let is_applied = status["lastAppliedRevision"] == revision.as_str();
            (is_applied && ready["status"] == "True").then_some(())
        });
    }

    /// Waits until a Kustomization failed with this commit, and gives reason and message.
    fn until_failed(&self, name: &str, commit: &str) -> (String, String) {
        let revision = format!("main@sha1:{commit}");
        self.until(name, "has failed", |status, ready| {
            let is_attempted = status["lastAttemptedRevision"] == revision.as_str();
            let text = |field: &str| Some(ready[field].as_str()?.to_owned());
            let has_failed = is_attempted && ready["status"] == "False";
            has_failed.then(|| Some((text("reason")?, text("message")?)))?
        })
    }

    /// The images that EC2 has of an object, of whatever revision.
    fn images_of(&self, name: &str) -> BTreeSet<String> {
        let holdings = self.namespace.lab.holdings();
        let images = holdings.images_of(&self.namespace.key(name)).into_iter();
        images.map(|image| image.id.clone()).collect()
    }
}

/// The text with these changes, each of which changes something.
fn changed(text: String, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "no {from:?} in {text}");
        text.replace(from, to)
    })
}

#[test]
fn a_commit_is_called_ready_when_ec2_matches_and_not_before() {
    let kept = Kept::new("flux-commit");
    kept.write_example("web", &[]);
    let commit = kept.commit("The web server's image");

    let mut was_awaited = false;
    kept.until("images", "is Ready", |_, ready| {
        // Asked after the Kustomization, so that it may be further, but not behind.
        let image = kept.namespace.image("web");
        let is_made = image.as_ref().is_some_and(is_ready);
        if ready["status"] == "True" {
            assert!(is_made, "{image:#?}");
            return Some(());
        }
        was_awaited |= image.is_some() && !is_made;
        None
    });

    assert!(was_awaited, "it was never seen in the making");
    kept.until_applied("images", &commit);
    let image = kept.namespace.until_ready("web");
    kept.namespace.assert_served(&image, &THREE);
}

#[test]
fn a_commit_that_adds_a_region_makes_a_copy_there_and_no_new_revision() {
    let kept = Kept::new("flux-region");
    kept.write_example("web", &[]);
    let commit = kept.commit("The web server's image");
    kept.until_applied("images", &commit);
    let before = published(&kept.namespace.until_ready("web"));

    let one_more = (
        "    - name: us-east-1\n",
        "    - name: us-east-1\n    - name: us-west-2\n",
    );
    kept.write_example("web", &[one_more]);
    let commit = kept.commit("In us-west-2, too");
    kept.until_applied("images", &commit);

    let image = kept.namespace.until_ready("web");
    let regions: Vec<_> = THREE.into_iter().chain(["us-west-2"]).collect();
    kept.namespace.assert_served(&image, &regions);
    let mut after = published(&image);
    after.remove("us-west-2");
    assert_eq!(after, before);
}

#[test]
fn a_revert_publishes_the_former_revision_and_makes_nothing() {
    let kept = Kept::new("flux-revert");
    kept.write_example("web", &[]);
    let commit = kept.commit("The web server's image");
    kept.until_applied("images", &commit);
    let first = kept.namespace.until_ready("web");
    kept.write_example("web", &[("spec:\n", "spec:\n  rebuild: \"2\"\n")]);
    let rebuild = kept.commit("The web server's image anew");
    kept.until_applied("images", &rebuild);
    let second = kept.namespace.until_ready("web");
    assert_ne!(revision(&second), revision(&first));
    let made = kept.images_of("web");

    let reverted = kept.repository.revert(&rebuild).unwrap();
    kept.tell(&reverted);
    kept.until_applied("images", &reverted);

    let third = kept.namespace.until_ready("web");
    assert_eq!(revision(&third), revision(&first));
    assert_eq!(published(&third), published(&first));
    let kept_now = kept.images_of("web");
    assert!(kept_now.is_subset(&made), "{kept_now:?} {made:?}");
}

#[test]
fn what_a_commit_removes_is_removed_from_ec2_but_for_what_is_retained() {
    let kept = Kept::new("flux-prune");
    kept.write_example("web", &[]);
    kept.write_example("kept", &[("spec:\n", "spec:\n  deletionPolicy: Retain\n")]);
    kept.write_example("other", &[]);
    let commit = kept.commit("Three images");
    kept.until_applied("images", &commit);
    let stays = published(&kept.namespace.until_ready("kept"));
    let other = kept.namespace.until_ready("other");

    for name in ["web", "kept"] {
        kept.repository
            .remove(&format!("images/{name}.yaml"))
            .unwrap();
    }
    let commit = kept.commit("Two of them are no longer needed");
    kept.until_applied("images", &commit);

    for name in ["web", "kept"] {
        kept.namespace.until_gone(name);
    }
    kept.namespace.assert_nothing_left("web", None);
    assert_eq!(kept.images_of("kept"), stays.into_values().collect());
    kept.namespace.assert_served(&other, &THREE);
}

#[test]
fn a_newer_commit_is_applied_while_an_older_one_is_awaited() {
    let kept = Kept::new("flux-newer");
    let suspend = "  suspend: true\n";
    kept.write_example("web", &[("spec:\n", &format!("spec:\n{suspend}"))]);
    kept.commit("An image that is never Ready");
    kept.namespace.until("web", "is suspended", |image| {
        let ready = condition(image, "Ready")?;
        (ready.reason == "Suspended").then_some(())
    });

    kept.write_example("web", &[]);
    let commit = kept.commit("It goes on");

    kept.until_applied("images", &commit);
    kept.namespace.until_ready("web");
}

#[test]
fn a_bad_manifest_fails_with_the_sentence_that_says_what_to_write() {
    let kept = Kept::new("flux-bad");
    kept.write_example("web", &[]);
    let file = "machineimage-region-is-a-zone.yaml";
    let bad = fs::read_to_string(workspace_root().join("examples/invalid").join(file)).unwrap();
    let sentence = bad.lines().next().unwrap().trim_start_matches("# ");
    kept.repository.write("images/bad.yaml", &bad).unwrap();
    let commit = kept.commit("A zone in place of a region");

    let (_, message) = kept.until_failed("images", &commit);
    assert!(message.contains(sentence), "{message:?} lacks {sentence:?}");
    assert!(
        kept.namespace.image("web").is_none(),
        "half of it is applied"
    );

    kept.repository.remove("images/bad.yaml").unwrap();
    let commit = kept.commit("Without it");
    kept.until_applied("images", &commit);
    kept.namespace.until_ready("web");
}

#[test]
fn images_wait_for_the_accounts_that_they_depend_on() {
    let kept = Kept::new("flux-accounts");
    let without_id = account("flux", "141414141414", "");
    kept.repository
        .write("accounts/flux.yaml", &without_id)
        .unwrap();
    let changes = [
        (kept.namespace.instance.as_str(), "i-0141414141414141a"),
        ("spec:\n", "spec:\n  accountName: flux\n"),
    ];
    kept.write_example("web", &changes);
    let commit = kept.commit("An account without the external id that its role asks for");

    let (_, message) = kept.until_failed("accounts", &commit);
    for said in ["AwsAccount/flux", "Failed"] {
        assert!(message.contains(said), "{message}");
    }
    kept.until("images", "waits for them", |_, ready| {
        (ready["reason"] == "DependencyNotReady").then_some(())
    });
    assert!(kept.namespace.image("web").is_none());

    let role = "role/amity\"";
    let with_id = without_id.replace(role, &format!("{role}, externalId: right"));
    kept.repository
        .write("accounts/flux.yaml", &with_id)
        .unwrap();
    let commit = kept.commit("With it");
    kept.until_applied("accounts", &commit);
    kept.until_applied("images", &commit);
    let image = kept.namespace.until_ready("web");
    kept.namespace.assert_served(&image, &THREE);
}

#[test]
fn a_namespace_and_its_image_may_be_in_one_commit() {
    let kept = Kept {
        images: "flux-new".to_owned(),
        ..Kept::new("flux-together")
    };
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-new, labels: {grants: all}}\n";
    kept.repository
        .write("images/00-namespace.yaml", namespace)
        .unwrap();
    kept.write_example("web", &[("namespace: images", "namespace: flux-new")]);
    let commit = kept.commit("A namespace and its image");

    kept.until("images", "is Ready, and fails never", |_, ready| {
        assert_ne!(ready["reason"], "HealthCheckFailed", "{ready}");
        (ready["status"] == "True").then_some(())
    });

    kept.until_applied("images", &commit);
    let image = kept.namespace.lab.existing("flux-new").until_ready("web");
    assert_eq!(published(&image).len(), 3);
}

/// Who applied or updated an object, and what.
fn managers(object: &Value) -> BTreeSet<(String, String, String)> {
    let managers = object["metadata"]["managedFields"].as_array().unwrap();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let said = |one| {
        (
            text(one, "manager"),
            text(one, "operation"),
            text(one, "subresource"),
        )
    };
    managers.iter().map(said).collect()
}

#[test]
fn flux_a_user_and_amity_write_one_object_and_none_undoes_what_another_did() {
    let kept = Kept::new("flux-managers");
    let namespace = &kept.namespace;
    kept.write_example("web", &[]);
    let commit = kept.commit("The web server's image");
    kept.until_applied("images", &commit);

    // A region more, and what Git says nothing of.
    let more = "apiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {name: web}\nspec:\n  \
                regions: [{name: us-west-2}]\n  deprecation: {after: 2160h}\n";
    let apply = [
        "apply",
        "--server-side",
        "--field-manager=keeper",
        "-f",
        "-",
    ];
    let answer = namespace.kubectl.run_with_input(&apply, more).unwrap();
    assert_eq!(
        (answer.status.code(), answer.stderr.as_str()),
        (Some(0), "")
    );
    let image = namespace.until_ready("web");
    let regions: Vec<_> = THREE.into_iter().chain(["us-west-2"]).collect();
    namespace.assert_served(&image, &regions);

    let read = || {
        let show = ["machineimage", "web", "--show-managed-fields"];
        namespace.kubectl.get_json(&show).unwrap()
    };
    let before = read();
    for round in ["once", "twice"] {
        let requested = format!("reconcile.fluxcd.io/requestedAt={round}");
        let annotate = [
            "annotate",
            "--overwrite",
            "kustomization",
            "images",
            &requested,
        ];
        namespace.kubectl.run(&annotate).unwrap().ok().unwrap();
        kept.until("images", "was applied again", |status, ready| {
            let is_handled = status["lastHandledReconcileAt"] == round;
            (is_handled && ready["status"] == "True").then_some(())
        });
        let answer = namespace.kubectl.run_with_input(&apply, more).unwrap();
        assert!(answer.status.success(), "{answer}");
        namespace.lab.until_read_three_times("111122223333");
    }
    let after = read();

    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&after), version(&before), "{before:#} {after:#}");
    let managers = managers(&after);
    let wanted = [
        ("amity", "Update", ""),
        ("amity", "Update", "status"),
        ("keeper", "Apply", ""),
        ("kustomize-controller", "Apply", ""),
    ];
    let wanted = wanted.map(|(who, how, what)| (who.to_owned(), how.to_owned(), what.to_owned()));
    assert_eq!(managers, wanted.into());
}
