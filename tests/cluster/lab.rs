//! What the tests share. Most live side by side in [`Lab::shared`], each in a namespace of its own
//! and with an instance of its own. Those that kill the controller, or count what it does, take
//! [`Alone`]: one after the other, on a second control plane, because every controller acts on the
//! objects of all namespaces.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use amity_core::api::{AwsAccount, MachineImage, conditions};
use amity_testbed::{
    Amity, Call, ControlPlane, Ec2Sim, Holdings, Kubectl, Output, Reader, binary,
    control_plane_assets, eventually, workspace_root,
};
use ec2sim::World;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

/// What no wait should take, with other tests on the same two cores.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// The account of the home world, in which every namespace of a test may do everything.
const ACCOUNT: &str = r#"
apiVersion: amity.dev/v1alpha1
kind: AwsAccount
metadata: {name: default}
spec:
  accountId: "111122223333"
  grants:
    capture: [{namespaces: {matchLabels: {grants: all}}}]
    snapshots: [{namespaces: {matchLabels: {grants: all}}}]
    sourceOwners: [{namespaces: {matchLabels: {grants: all}}, owners: [self]}]
    sharing:
      - namespaces: {matchLabels: {grants: all}}
        accounts: ["222233334444"]
        organizations: ["arn:aws:organizations::111122223333:organization/o-0123456789"]
    public: [{namespaces: {matchLabels: {grants: all}}}]
    adopt: [{namespaces: {matchLabels: {grants: all}}}]
    builds: [{namespaces: {matchLabels: {grants: all}}}]
    usageReports: [{namespaces: {matchNames: [used-elsewhere]}}]
    parameters: [{namespaces: {matchLabels: {grants: all}}, paths: [/published/]}]
"#;

/// The access key of the users of the home account, who may do everything in it.
pub const USER: &str = "AKIAEC2SIMHOME000001";

/// The access keys of the controller: of one that is alone, and of each of two replicas.
pub const CONTROLLERS: [&str; 3] = [
    "AKIAEC2SIMAMITY00001",
    "AKIAEC2SIMAMITY00002",
    "AKIAEC2SIMAMITY00003",
];

/// Whose images they are.
pub const OWNER: &str = "tests";

/// The manifest of another account, in which every namespace may do everything.
pub fn account(name: &str, id: &str, more: &str) -> String {
    format!(
        "apiVersion: amity.dev/v1alpha1\nkind: AwsAccount\nmetadata: {{name: {name}}}\nspec:\n  accountId: \"{id}\"\n  \
         assumeRole: {{roleArn: \"arn:aws:iam::{id}:role/amity\"}}\n  \
         grants: {{capture: [{{namespaces: {{all: true}}}}], \
         sourceOwners: [{{namespaces: {{all: true}}, owners: [self, \"111122223333\"]}}]}}\n  {more}\n"
    )
}

/// A Kubernetes that knows the resources.
pub struct Cluster {
    pub control_plane: &'static ControlPlane,
    pub reader: Reader,
}

impl Cluster {
    fn on(control_plane: &'static ControlPlane) -> Self {
        let kubectl = control_plane.kubectl();
        apply_crds(kubectl);
        let reader = Reader::start(kubectl).unwrap();
        let cluster = Self {
            control_plane,
            reader,
        };
        cluster.apply_account();
        cluster
    }

    /// What the Lease says.
    fn lease(&self) -> Value {
        let path = "/apis/coordination.k8s.io/v1/namespaces/amity-system/leases/amity";
        let lease: Option<Value> = self.reader.get(path).unwrap();
        lease.unwrap_or_default()["spec"].take()
    }

    /// Waits until the Lease is renewed.
    pub fn until_renewed(&self) {
        let before = self.lease();
        eventually(PATIENCE, "the Lease is renewed", || {
            let now = self.lease();
            let is_renewed = now["renewTime"] != before["renewTime"];
            is_renewed.then_some(()).ok_or(now.to_string())
        })
        .unwrap();
    }

    /// Waits until somebody holds the Lease of whom `look` finds something.
    pub fn until_held<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let held = eventually(PATIENCE, &format!("the Lease is held by {what}"), || {
            let lease = self.lease();
            let holder = lease["holderIdentity"].as_str().unwrap_or_default();
            look(holder).ok_or(lease.to_string())
        });
        held.unwrap()
    }

    /// Makes the `AwsAccount` that the tests use.
    pub fn apply_account(&self) {
        self.control_plane.kubectl().apply_yaml(ACCOUNT).unwrap();
    }

    pub fn account(&self, name: &str) -> Option<AwsAccount> {
        let path = format!("/apis/amity.dev/v1alpha1/awsaccounts/{name}");
        self.reader.get(&path).unwrap()
    }

    /// Looks at the account until `look` finds something in it.
    pub fn until_account<T>(
        &self,
        name: &str,
        what: &str,
        mut look: impl FnMut(&AwsAccount) -> Option<T>,
    ) -> T {
        let found = eventually(PATIENCE, &format!("AwsAccount {name} {what}"), || {
            let account = self.account(name).ok_or("it is not there")?;
            look(&account).ok_or_else(|| format!("{:#?}", account.status))
        });
        found.unwrap()
    }

    /// Waits until `Ready` of the account has this reason, and gives its message.
    pub fn until_account_says(&self, name: &str, reason: &str) -> String {
        self.until_account(name, &format!("says {reason}"), |account| {
            let conditions = &account.status.as_ref()?.conditions;
            let ready = conditions.iter().find(|one| one.type_ == "Ready")?;
            (ready.reason == reason).then(|| ready.message.clone())
        })
    }

    pub fn until_account_gone(&self, name: &str) {
        let what = format!("AwsAccount {name} is gone");
        let gone = eventually(PATIENCE, &what, || match self.account(name) {
            None => Ok(()),
            Some(account) => Err(format!("{:#?}", account.status)),
        });
        gone.unwrap();
    }
}

/// Installs the custom resource definitions and waits until they are served.
pub fn apply_crds(kubectl: &Kubectl) {
    kubectl.apply(&workspace_root().join("crds")).unwrap();
    let question = ["get", "machineimages,awsaccounts", "-A"];
    eventually(PATIENCE, "the resources are served", || {
        let answer = kubectl.run(&question).and_then(Output::ok);
        answer.map_err(|error| error.to_string())
    })
    .unwrap();
}

/// A controller with its EC2 and its cluster.
pub struct Lab {
    pub ec2: Ec2Sim,
    pub amity: Amity,
    /// What users had in EC2 in the beginning.
    pub before: Value,
    pub cluster: &'static Cluster,
}

impl Lab {
    /// The one that most tests share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Lab> = OnceLock::new();
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| {
            let cluster = CLUSTER.get_or_init(|| Cluster::on(ControlPlane::shared()));
            // Some take over what others made, which needs a policy of its own.
            let ec2 = start_ec2(&["controller", "adopt", "build"]);
            let mut lab = Self::over(ec2, cluster, &[], &[]);
            lab.amity.wait_ready().unwrap();
            lab
        })
    }

    /// Starts a controller, with further arguments and variables in its environment, and its EC2; it need not be
    /// ready yet.
    pub fn start(
        cluster: &'static Cluster,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::over(
            start_ec2(&["controller", "build"]),
            cluster,
            arguments,
            environment,
        )
    }

    fn over(
        ec2: Ec2Sim,
        cluster: &'static Cluster,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let before = ec2.holdings().unwrap().of_users();
        let amity = start_controller(cluster, &ec2, arguments, environment);
        Self {
            ec2,
            amity,
            before,
            cluster,
        }
    }

    /// Kills the controller and starts it anew with further arguments.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.kill();
        self.amity = start_controller(self.cluster, &self.ec2, arguments, &[]);
        self.amity.wait_ready().unwrap();
    }

    /// Kills the controller (SIGKILL) and starts it again; it need not be ready yet.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.amity.restart().unwrap();
    }

    /// Kills the controller (SIGKILL), and says that it is dead: the next one need not wait for its lease.
    pub fn kill(&mut self) {
        self.amity.kill9();
        self.cluster.control_plane.free_lease().unwrap();
    }

    /// What a user of the account with this key does in us-east-1, and EC2's answer.
    pub fn user_does(&self, key: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        self.user_does_in("us-east-1", key, action, parameters)
    }

    /// The same in another region.
    pub fn user_does_in(
        &self,
        region: &str,
        key: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        self.ec2.call(key, region, action, parameters).unwrap()
    }

    /// Launches an instance, and gives its id.
    pub fn launch(&self, region: &str, image: &str) -> String {
        let parameters = [("ImageId", image), ("MinCount", "1"), ("MaxCount", "1")];
        let answer = self.ec2.call(USER, region, "RunInstances", &parameters);
        element(&answer.unwrap(), "instanceId")
    }

    /// Waits until every region of the account was read three times: what is still being read after the last
    /// write has been read then.
    pub fn until_read_three_times(&self, account: &str) {
        let reads = || {
            let mut reads: BTreeMap<String, usize> = BTreeMap::new();
            for call in self.calls() {
                if call.action == "DescribeImages" && call.account.as_deref() == Some(account) {
                    *reads.entry(call.region).or_default() += 1;
                }
            }
            reads
        };
        let before = reads();
        eventually(PATIENCE, "every region is read three times", || {
            let now = reads();
            let done = before
                .iter()
                .all(|(region, count)| now[region] >= count + 3);
            if done {
                Ok(())
            } else {
                Err(format!("{before:?} {now:?}"))
            }
        })
        .unwrap();
    }

    /// That what users had in the beginning is as it was, whatever they added since.
    pub fn assert_users_keep_all(&self) {
        let now = self.holdings().of_users();
        for (id, thing) in self.before.as_object().unwrap() {
            assert_eq!(&now[id], thing, "{id}");
        }
    }

    /// A namespace in which everything is granted.
    pub fn namespace(&self, name: &str) -> Namespace<'_> {
        let namespace = self.namespace_without_grants(name);
        let label = ["label", "namespace", name, "grants=all"];
        namespace.kubectl.run(&label).unwrap().ok().unwrap();
        namespace
    }

    /// A namespace in which nothing is granted.
    pub fn namespace_without_grants(&self, name: &str) -> Namespace<'_> {
        let kubectl = self.cluster.control_plane.namespace(name).unwrap();
        Namespace {
            lab: self,
            name: name.to_owned(),
            kubectl,
            instance: next_instance(),
        }
    }

    /// The namespace that a test has made before.
    pub fn existing(&self, name: &str) -> Namespace<'_> {
        let kubectl = self.cluster.control_plane.kubectl().in_namespace(name);
        Namespace {
            lab: self,
            name: name.to_owned(),
            kubectl,
            instance: String::new(),
        }
    }

    pub fn holdings(&self) -> Holdings {
        self.ec2.holdings().unwrap()
    }

    pub fn calls(&self) -> Vec<Call> {
        self.ec2.call_log().unwrap()
    }

    /// That the policies that we ship allowed all that was asked for so far. What is not there has no tags by which
    /// its removal could be allowed again.
    pub fn assert_nothing_denied(&self) {
        let mut denials = self.ec2.denials().unwrap();
        denials.retain(|denial| !denial.missing);
        assert!(denials.is_empty(), "{denials:#?}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.assert_nothing_denied();
        }
    }
}

/// EC2 where the controller has these of the policies that we ship, and the roles by which it reaches other accounts
/// the one for them.
fn start_ec2(policies: &[&str]) -> Ec2Sim {
    let world = world_file(policies);
    let arguments = ["--world", world.path().to_str().unwrap()];
    Ec2Sim::start(&binary("ec2sim"), &arguments).unwrap()
}

/// Starts a controller with further arguments, and variables in its environment.
pub fn start_controller(
    cluster: &Cluster,
    ec2: &Ec2Sim,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Amity {
    let usually = [
        ("AMITY_OWNER_ID", OWNER),
        ("AWS_ACCESS_KEY_ID", CONTROLLERS[0]),
        ("AMITY_CONSISTENCY_WINDOW", "3s"),
        ("AMITY_REST_INTERVAL", "2s"),
    ];
    Amity::start_with(
        &binary("amity"),
        cluster.control_plane.controller_kubeconfig(),
        &ec2.endpoint(),
        arguments,
        &[&usually, environment].concat(),
    )
    .unwrap()
}

/// The text of the first element called `name`.
pub fn element(xml: &str, name: &str) -> String {
    let rest = xml.split_once(&format!("<{name}>"));
    let text = rest.and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    text.unwrap_or_else(|| panic!("no {name} in {xml}"))
        .0
        .to_owned()
}

/// A cluster for one test at a time.
#[derive(Default)]
pub struct Stage {
    turn: Mutex<()>,
    control_plane: OnceLock<ControlPlane>,
    cluster: OnceLock<Cluster>,
}

impl Stage {
    /// Waits for the turn of whoever asks, and gives a cluster in which nothing is left of earlier tests.
    pub fn cleared(&'static self) -> (MutexGuard<'static, ()>, &'static Cluster) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = self.cluster();
        remove_everything(cluster);
        cluster.apply_account();
        cluster.control_plane.free_lease().unwrap();
        (turn, cluster)
    }

    fn cluster(&'static self) -> &'static Cluster {
        self.cluster.get_or_init(|| {
            let start = || ControlPlane::start(&control_plane_assets().unwrap()).unwrap();
            Cluster::on(self.control_plane.get_or_init(start))
        })
    }
}

/// A lab for one test at a time.
pub struct Alone {
    pub lab: Lab,
    _turn: MutexGuard<'static, ()>,
}

impl Alone {
    /// Waits for its turn; the controller is ready then.
    pub fn ready() -> Self {
        let mut alone = Self::prepared(|_| {});
        alone.lab.amity.wait_ready().unwrap();
        alone
    }

    /// Waits for its turn, and starts the controller when the cluster was prepared.
    pub fn prepared(prepare: impl FnOnce(&Kubectl)) -> Self {
        static STAGE: LazyLock<Stage> = LazyLock::new(Stage::default);
        let (turn, cluster) = STAGE.cleared();
        prepare(cluster.control_plane.kubectl());
        Self {
            lab: Lab::start(cluster, &[], &[]),
            _turn: turn,
        }
    }

    /// The cluster is lost with all that it knew, and another one is built in its place, over the same EC2.
    pub fn rebuild_cluster(&mut self) {
        static STAGE: LazyLock<Stage> = LazyLock::new(Stage::default);
        self.lab.cluster = STAGE.cluster();
        self.lab.restart_with(&[]);
    }
}

/// What an earlier test left goes without its controller.
fn remove_everything(cluster: &Cluster) {
    let kubectl = cluster.control_plane.kubectl();
    for kind in ["machineimages", "awsaccounts"] {
        let path = format!("/apis/amity.dev/v1alpha1/{kind}");
        // The test before may have restored etcd a moment ago.
        let list = eventually(PATIENCE, "what was left is listed", || {
            let list = cluster.reader.get::<Value>(&path);
            list.map_err(|error| error.to_string())
        });
        let list = list.unwrap();
        for object in list
            .iter()
            .flat_map(|list| list["items"].as_array().unwrap())
        {
            let name = object["metadata"]["name"].as_str().unwrap();
            let kubectl = match object["metadata"]["namespace"].as_str() {
                Some(namespace) => kubectl.in_namespace(namespace),
                None => kubectl.clone(),
            };
            let _ = kubectl
                .run(&["delete", kind, name, "--wait=false"])
                .unwrap();
            let _ = kubectl.run(&without_finalizers(kind, name)).unwrap();
        }
    }
}

/// What a user types who wants a finalizer gone.
pub fn without_finalizers<'a>(kind: &'a str, name: &'a str) -> [&'a str; 6] {
    let patch = r#"{"metadata": {"finalizers": null}}"#;
    ["patch", kind, name, "--type=merge", "-p", patch]
}

/// The world, with an instance for each test, and with what the controller may do in it.
fn world_file(policies: &[&str]) -> tempfile::NamedTempFile {
    let template = fs::read_to_string(workspace_root().join("tests/cluster/world.yaml")).unwrap();
    let instance = |number| {
        let id = instance_id(number);
        format!(
            "          {id}: {{image: ami-0feedfacefeedface, volumes: [{{device: /dev/xvda, size: 4}}]}}\n"
        )
    };
    let instances: Vec<_> = (1..=INSTANCES).map(instance).collect();
    let world = template.replace("          INSTANCES: {}\n", &instances.concat());
    let rights = rights(&World::from_yaml(&world).unwrap(), policies);
    let file = tempfile::NamedTempFile::new().unwrap();
    // JSON is YAML.
    fs::write(file.path(), format!("{world}iam: {rights}\n")).unwrap();
    file
}

/// The account whose role lets things be changed for one namespace only, by the tag of the session.
pub const TAGGED: &str = "999911112222";

/// The namespace that may.
pub const TAGGED_NAMESPACE: &str = "session-tags";

fn for_one_namespace() -> Value {
    let condition =
        json!({"StringEquals": {"aws:PrincipalTag/amity.dev/namespace": TAGGED_NAMESPACE}});
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:Get*", "ec2:List*", "ssm:Describe*", "ssm:Get*", "imagebuilder:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": condition},
        ],
    })
}

/// The policies of the controller's keys, and of each role.
fn rights(world: &World, policies: &[&str]) -> Value {
    let shipped = |name: &str| -> Value {
        let file = workspace_root().join(format!("deploy/iam/{name}.json"));
        let text = fs::read_to_string(file).unwrap();
        serde_json::from_str(&text.replace("OWNER_ID", OWNER)).unwrap()
    };
    let own: Vec<_> = policies.iter().map(|name| shipped(name)).collect();
    let keys = CONTROLLERS.map(|key| (key.to_owned(), json!(own)));
    let spoke = json!([shipped("spoke")]);
    let roles = world.accounts().iter().flat_map(|(id, account)| {
        let names = account.roles.keys();
        let rights = if id == TAGGED {
            json!([for_one_namespace()])
        } else {
            spoke.clone()
        };
        names.map(move |name| (format!("arn:aws:iam::{id}:role/{name}"), rights.clone()))
    });
    let all: serde_json::Map<_, _> = roles.chain(keys).collect();
    json!({"policies": all})
}

const INSTANCES: usize = 150;

/// The instances in us-east-1, from 1.
pub fn instance_id(number: usize) -> String {
    format!("i-{number:017x}")
}

fn next_instance() -> String {
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let number = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
    assert!(number <= INSTANCES, "the world needs more instances");
    instance_id(number)
}

/// Where a test lives.
pub struct Namespace<'a> {
    pub lab: &'a Lab,
    pub name: String,
    pub kubectl: Kubectl,
    /// An instance in us-east-1 that no other test takes.
    pub instance: String,
}

impl Namespace<'_> {
    /// Applies a `MachineImage` of the instance in these regions, with further lines of its spec.
    pub fn apply_of_instance(&self, name: &str, regions: &[&str], more: &str) {
        let source = format!(
            "{{instance: {{region: us-east-1, instanceId: {}, reboot: Never}}}}",
            self.instance
        );
        self.apply(name, &source, regions, more);
    }

    /// Applies a `MachineImage`, with further lines of its spec.
    pub fn apply(&self, name: &str, source: &str, regions: &[&str], more: &str) {
        let regions: Vec<_> = regions
            .iter()
            .map(|region| format!("{{name: {region}}}"))
            .collect();
        let manifest = format!(
            "apiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {{name: {name}}}\n\
             spec:\n  source: {source}\n  regions: [{}]\n  {more}\n",
            regions.join(", ")
        );
        self.kubectl.apply_yaml(&manifest).unwrap();
    }

    /// `kubectl patch --type=merge`.
    pub fn patch(&self, name: &str, patch: &str) {
        let arguments = ["patch", "machineimage", name, "--type=merge", "-p", patch];
        self.kubectl.run(&arguments).unwrap().ok().unwrap();
    }

    /// `kubectl delete`, without waiting.
    pub fn delete(&self, name: &str) {
        let arguments = ["delete", "machineimage", name, "--wait=false"];
        self.kubectl.run(&arguments).unwrap().ok().unwrap();
    }

    pub fn image(&self, name: &str) -> Option<MachineImage> {
        let (reader, namespace) = (&self.lab.cluster.reader, &self.name);
        let path = format!("/apis/amity.dev/v1alpha1/namespaces/{namespace}/machineimages/{name}");
        reader.get(&path).unwrap()
    }

    /// What the tag `amity.dev/object` holds.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// Looks at the image until `look` finds something in it. By then nothing was denied, of whatever object: the lab
    /// that is shared has no end at which that could be seen.
    pub fn until<T>(
        &self,
        name: &str,
        what: &str,
        mut look: impl FnMut(&MachineImage) -> Option<T>,
    ) -> T {
        let what = format!("{}: {what}", self.key(name));
        let found = eventually(PATIENCE, &what, || {
            let image = self.image(name).ok_or("it is not there")?;
            look(&image).ok_or_else(|| told(&image))
        });
        self.lab.assert_nothing_denied();
        found.unwrap()
    }

    /// Waits until EC2 matches the spec as it is now.
    pub fn until_ready(&self, name: &str) -> MachineImage {
        self.until(name, "is Ready", |image| {
            is_ready(image).then(|| image.clone())
        })
    }

    /// `kubectl annotate`.
    pub fn annotate(&self, name: &str, annotation: &str) {
        let arguments = ["annotate", "machineimage", name, annotation];
        self.kubectl.run(&arguments).unwrap().ok().unwrap();
    }

    /// Waits until it is stalled, and gives reason and message.
    pub fn until_stalled(&self, name: &str) -> (String, String) {
        self.until(name, "is Stalled", |image| {
            let stalled = condition(image, conditions::STALLED)?;
            Some((stalled.reason.clone(), stalled.message.clone()))
        })
    }

    /// Waits until it is gone; nothing was denied, as in [`Self::until`].
    pub fn until_gone(&self, name: &str) {
        let gone = eventually(PATIENCE, &format!("{} is gone", self.key(name)), || {
            self.image(name)
                .as_ref()
                .map_or(Ok(()), |image| Err(told(image)))
        });
        self.lab.assert_nothing_denied();
        gone.unwrap();
    }

    /// That EC2 has what the status says: one published image in each region, and nothing else.
    pub fn assert_served(&self, image: &MachineImage, regions: &[&str]) {
        let published = published(image);
        assert_eq!(
            published.keys().map(String::as_str).collect::<Vec<_>>(),
            regions
        );
        let holdings = self.lab.holdings();
        let there: BTreeMap<_, _> = holdings
            .images_of(&self.key(image.name()))
            .into_iter()
            .filter(|one| one.is_published())
            .map(|one| (one.region.clone(), one.id.clone()))
            .collect();
        assert_eq!(published, there);
        assert_eq!(
            holdings.images_of(&self.key(image.name())).len(),
            there.len(),
            "there are others"
        );
    }

    /// That EC2 has nothing of the object, in this region or, with `None`, in any.
    pub fn assert_nothing_left(&self, name: &str, region: Option<&str>) {
        let holdings = self.lab.holdings();
        let here = |found: &str| region.is_none_or(|region| region == found);
        let images = holdings.images_of(&self.key(name));
        let images: Vec<_> = images.iter().filter(|one| here(&one.region)).collect();
        assert!(images.is_empty(), "{images:?}");
        let snapshots = holdings.snapshots_of(&self.key(name));
        let snapshots: Vec<_> = snapshots.iter().filter(|one| here(&one.region)).collect();
        assert!(snapshots.is_empty(), "{snapshots:?}");
    }
}

/// The published image of each region.
pub fn published(image: &MachineImage) -> BTreeMap<String, String> {
    let regions = image.status.iter().flat_map(|status| &status.regions);
    regions
        .filter_map(|region| Some((region.name.clone(), region.published_image_id.clone()?)))
        .collect()
}

/// The published revision.
pub fn revision(image: &MachineImage) -> &str {
    let published = image
        .status
        .as_ref()
        .and_then(|status| status.published.as_ref());
    published.map_or("", |published| &published.revision)
}

pub fn condition<'a>(image: &'a MachineImage, type_: &str) -> Option<&'a Condition> {
    image
        .status
        .as_ref()?
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

pub fn is_true(image: &MachineImage, type_: &str) -> bool {
    condition(image, type_).is_some_and(|condition| condition.status == "True")
}

/// Whether EC2 matches the spec as it is now.
pub fn is_ready(image: &MachineImage) -> bool {
    let observed = image
        .status
        .as_ref()
        .map(|status| status.observed_generation);
    observed == image.metadata.generation && is_true(image, conditions::READY)
}

/// The status, for the message of a test that fails.
fn told(image: &MachineImage) -> String {
    format!(
        "generation {:?}, status {:#?}",
        image.metadata.generation, image.status
    )
}
