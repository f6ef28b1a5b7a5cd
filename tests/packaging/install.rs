//! The chart on a real API server: installed, upgraded and uninstalled by helm, and Amity with the
//! rights that it gives. There are no nodes, so that pods are admitted and not run.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amity_testbed::{
    Amity, ControlPlane, Ec2Sim, Kubectl, Output, binary, control_plane_assets, eventually,
    workspace_root,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helm::{Answer, Helm, chart, values};

const WITHIN: Duration = Duration::from_secs(90);
const NAMESPACE: &str = "platform";
const RELEASE: &str = "images";
/// What the release is called in the cluster.
const NAME: &str = "images-amity";

/// A control plane of its own, since the resource definitions belong to one release only; one at a time.
struct Cluster {
    helm: Helm,
    control_plane: ControlPlane,
    _alone: MutexGuard<'static, ()>,
}

impl Cluster {
    /// One with a namespace that lets in only pods which keep to the strictest of the Pod Security Standards.
    fn start() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let control_plane = ControlPlane::start(&control_plane_assets().unwrap()).unwrap();
        control_plane.namespace(NAMESPACE).unwrap();
        let label = [
            "label",
            "namespace",
            NAMESPACE,
            "pod-security.kubernetes.io/enforce=restricted",
        ];
        control_plane.kubectl().run(&label).unwrap().ok().unwrap();
        Self {
            helm: Helm::on(control_plane.admin_kubeconfig()),
            control_plane,
            _alone: alone,
        }
    }

    fn kubectl(&self) -> Kubectl {
        self.control_plane.kubectl().in_namespace(NAMESPACE)
    }

    fn helm(&self, verb: &str, chart: &str, more: &[&str]) -> Answer {
        let least = values("least");
        let command = [
            verb,
            RELEASE,
            chart,
            "--namespace",
            NAMESPACE,
            "--values",
            &least,
        ];
        self.helm.run(&[&command, more].concat())
    }

    fn get(&self, what: &[&str]) -> Value {
        self.kubectl().get_json(what).unwrap()
    }

    fn is_there(&self, what: &[&str]) -> bool {
        let arguments = [&["get"], what, &["--ignore-not-found", "-o", "name"]].concat();
        !self
            .kubectl()
            .run(&arguments)
            .unwrap()
            .ok()
            .unwrap()
            .is_empty()
    }

    fn until_served(&self) {
        eventually(WITHIN, "the resources are served", || {
            let get = ["get", "machineimages,awsaccounts", "-A"];
            self.kubectl()
                .run(&get)
                .and_then(Output::ok)
                .map_err(|error| error.to_string())
        })
        .unwrap();
    }

    /// What the first column of an account is told to be.
    fn column(&self) -> Value {
        let crd = self.get(&["crd", "awsaccounts.amity.dev"]);
        crd["spec"]["versions"][0]["additionalPrinterColumns"][0]["description"].clone()
    }
}

/// The chart as an earlier version might have been.
fn earlier(folder: &Path) -> String {
    let to = folder.join("amity");
    copy(Path::new(&chart()), &to);
    let edit = |file: &str, from: &str, with: &str| {
        let path = to.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replacen(from, with, 1)).unwrap();
    };
    edit("Chart.yaml", "\nversion: 0.1.0", "\nversion: 0.0.9");
    edit(
        "files/crds/amity.dev_awsaccounts.yaml",
        "The account's id.",
        "As it was.",
    );
    to.display().to_string()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The account of the examples, as values.
fn account_values(folder: &Path) -> String {
    let example = fs::read_to_string(workspace_root().join("examples/awsaccount.yaml")).unwrap();
    let account: Value = serde_saphyr::from_str(&example).unwrap();
    let path = folder.join("account.yaml");
    let given = json!({"awsAccount": {"name": "default", "spec": account["spec"]}});
    // JSON is YAML.
    fs::write(&path, given.to_string()).unwrap();
    path.display().to_string()
}

/// What a `MachineImage` of the instance in the examples is.
const IMAGE: &str = "apiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {name: web}\nspec:\n  \
    source: {instance: {region: us-east-1, instanceId: i-0a1b2c3d4e5f60718, reboot: Never}}\n  \
    regions: [{name: us-east-1}, {name: eu-west-1}]\n  publish: {configMapName: web-images}\n";

#[test]
fn what_is_installed_is_upgraded_and_leaves_nothing_but_what_holds_images() {
    let cluster = Cluster::start();
    let folder = TempDir::new().unwrap();
    let (before, account) = (earlier(folder.path()), account_values(folder.path()));

    // An account before its definition: helm would say it in words that help nobody.
    let words = cluster
        .helm("install", &before, &["--values", &account])
        .refusal();
    let sentence =
        "install the chart without awsAccount, which brings it, and then upgrade with awsAccount";
    assert!(words.contains(sentence), "{words}");
    assert!(!cluster.is_there(&["deployment"]));

    let told = cluster.helm("install", &before, &[]).ok();
    for words in [
        "kubectl rollout status deployment/images-amity -n platform",
        "--service-account images-amity --role-arn ROLE_ARN",
        "kind: AwsAccount",
    ] {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
    cluster.until_served();
    assert_eq!(cluster.column(), "As it was.");
    let deployment = cluster.get(&["deployment", NAME]);
    assert_eq!(deployment["spec"]["replicas"], 2);
    for what in [
        "serviceaccount",
        "role",
        "rolebinding",
        "poddisruptionbudget",
        "networkpolicy",
    ] {
        assert!(cluster.is_there(&[what, NAME]), "{what}");
    }
    assert!(!cluster.is_there(&["secret", "--field-selector=type!=helm.sh/release.v1"]));

    // The definitions come with the chart.
    let role = "aws.roleArn=arn:aws:iam::111122223333:role/amity-controller";
    let settings = ["--values", &account, "--set", role];
    let told = cluster.helm("upgrade", &chart(), &settings).ok();
    assert!(told.contains("kubectl get awsaccount default"), "{told}");
    assert!(told.contains("platform:images-amity"), "{told}");
    assert_eq!(cluster.column(), "The account's id.");
    let annotations = &cluster.get(&["serviceaccount", NAME])["metadata"]["annotations"];
    assert_eq!(
        annotations["eks.amazonaws.com/role-arn"],
        "arn:aws:iam::111122223333:role/amity-controller"
    );
    assert_eq!(
        cluster.get(&["awsaccount", "default"])["spec"]["accountId"],
        "111122223333"
    );

    // Back to the earlier controller, under the definitions of the later.
    let back = ["--values", &account, "--set", "crds.install=false"];
    cluster.helm("upgrade", &before, &back).ok();
    assert_eq!(cluster.column(), "The account's id.");

    let images = cluster.control_plane.namespace("images").unwrap();
    images.apply_yaml(IMAGE).unwrap();
    cluster
        .helm
        .run(&["uninstall", RELEASE, "--namespace", NAMESPACE])
        .ok();
    for kind in [
        "deployment",
        "serviceaccount",
        "role",
        "rolebinding",
        "clusterrole",
        "clusterrolebinding",
        "poddisruptionbudget",
        "networkpolicy",
    ] {
        let of_release = "--selector=app.kubernetes.io/instance=images";
        assert!(!cluster.is_there(&[kind, of_release]), "{kind}");
    }
    assert!(cluster.is_there(&["awsaccount", "default"]));
    images.get_json(&["machineimage", "web"]).unwrap();

    // And it takes up what it left.
    cluster
        .helm("install", &chart(), &["--values", &account])
        .ok();
    assert_eq!(cluster.get(&["deployment", NAME])["spec"]["replicas"], 2);
}

#[test]
fn amity_runs_with_the_rights_and_the_settings_of_the_chart() {
    let cluster = Cluster::start();
    let kubectl = cluster.kubectl();
    // Whoever had the definitions before hands them over.
    kubectl.apply(&workspace_root().join("crds")).unwrap();
    cluster.until_served();
    let words = cluster.helm("install", &chart(), &[]).refusal();
    assert!(words.contains("invalid ownership metadata"), "{words}");
    let folder = TempDir::new().unwrap();
    let account = account_values(folder.path());
    let quick = "consistencyWindow=5s,restInterval=10s,leaseDuration=6s,logFormat=text";
    let settings = ["--take-ownership", "--values", &account, "--set", quick];
    cluster.helm("install", &chart(), &settings).ok();

    let deployment = cluster.get(&["deployment", NAME]);
    let pod = &deployment["spec"]["template"];
    assert_restricted_pods_are_admitted(&kubectl, pod);

    // What the pod would have: its environment, and its token.
    let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let environment: Vec<_> = variables
        .iter()
        .filter_map(|one| Some((one["name"].as_str()?, one["value"].as_str()?)))
        .filter(|(name, _)| !["AMITY_LISTEN", "AWS_REGION"].contains(name))
        .collect();
    assert!(
        environment.contains(&("AMITY_OWNER_ID", "platform-prod")),
        "{environment:?}"
    );
    let kubeconfig = kubeconfig_of_service_account(&cluster, folder.path());
    let ec2 = Ec2Sim::start(&binary("ec2sim"), &["--speed", "30"]).unwrap();
    let arguments = [
        "--replica",
        "images-amity-7d4b9c",
        "--lease-namespace",
        NAMESPACE,
    ];
    let mut amity = Amity::start_with(
        &binary("amity"),
        &kubeconfig,
        &ec2.endpoint(),
        &arguments,
        &environment,
    )
    .unwrap();
    amity.wait_ready().unwrap();

    let images = cluster.control_plane.namespace("images").unwrap();
    images.apply_yaml(IMAGE).unwrap();
    let until = |condition: &str, what: &str| {
        let wait = ["wait", condition, what, "--timeout=90s"];
        let waited = images.run(&wait).unwrap();
        assert!(waited.status.success(), "{waited}{}", amity.log());
    };
    until("--for=condition=Ready", "machineimage/web");
    let published = images.get_json(&["configmap", "web-images"]).unwrap();
    assert_eq!(
        published["data"].as_object().unwrap().len(),
        2,
        "{published}"
    );
    let holder = cluster.get(&["lease", "amity"])["spec"]["holderIdentity"].clone();
    assert!(
        holder.as_str().unwrap().starts_with("images-amity-7d4b9c_"),
        "{holder}"
    );
    eventually(WITHIN, "events tell what was done", || {
        let events = images
            .get_json(&["events"])
            .map_err(|error| error.to_string())?;
        let told = events["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["reason"] == "InSync");
        told.then_some(()).ok_or(events.to_string())
    })
    .unwrap();
    images
        .run(&["delete", "machineimage", "web", "--wait=false"])
        .unwrap()
        .ok()
        .unwrap();
    until("--for=delete", "machineimage/web");
    kubectl
        .run(&["delete", "awsaccount", "default", "--timeout=90s"])
        .unwrap()
        .ok()
        .unwrap();

    let log = amity.log();
    assert!(!log.contains("forbidden"), "{log}");
    let user = Kubectl::new(
        &control_plane_assets().unwrap().join("kubectl"),
        &kubeconfig,
    );
    for question in [
        ["get", "secrets", "-A"],
        ["create", "pods", "-A"],
        ["delete", "machineimages.amity.dev", "-A"],
    ] {
        let answer = user
            .run(&[&["auth", "can-i"][..], &question].concat())
            .unwrap();
        assert!(!answer.status.success(), "{question:?}");
    }
}

/// The namespace admits such a pod, and would not one that may do more.
fn assert_restricted_pods_are_admitted(kubectl: &Kubectl, template: &Value) {
    let create = |template: &Value| {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": template["spec"]});
        pod["metadata"]["labels"] = template["metadata"]["labels"].clone();
        kubectl
            .run_with_input(&["create", "--dry-run=server", "-f", "-"], &pod.to_string())
            .unwrap()
    };
    let answer = create(template);
    assert!(
        answer.status.success() && answer.stderr.is_empty(),
        "{answer}"
    );

    let mut more = template.clone();
    more["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let answer = create(&more);
    assert!(
        answer.stderr.contains("violates PodSecurity \"restricted"),
        "{answer}"
    );
}

/// A kubeconfig with a token such as the kubelet gives to the pod.
fn kubeconfig_of_service_account(cluster: &Cluster, folder: &Path) -> std::path::PathBuf {
    let token = cluster
        .kubectl()
        .run(&["create", "token", NAME])
        .unwrap()
        .ok()
        .unwrap();
    let kubeconfig = folder.join("kubeconfig");
    fs::copy(cluster.control_plane.admin_kubeconfig(), &kubeconfig).unwrap();
    let kubectl = Kubectl::new(
        &control_plane_assets().unwrap().join("kubectl"),
        &kubeconfig,
    );
    for change in [
        [
            "config",
            "set-credentials",
            "pod",
            &format!("--token={}", token.trim()),
        ],
        ["config", "set-context", "--current", "--user=pod"],
    ] {
        kubectl.run(&change).unwrap().ok().unwrap();
    }
    kubeconfig
}
