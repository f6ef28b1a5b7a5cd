//! Sessions, inventory and effects over ec2sim in this process, with tokio's clock paused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use amity::aws::Settings;
use amity::aws::budget::Budget;
use amity::aws::calls::EC2Calls;
use amity::aws::effect::{Effects, Outcome};
use amity::aws::fence::Fence;
use amity::aws::inventory::Inventory;
use amity::aws::session::Sessions;
use amity::clock::Clock;
use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::{AccountReference, Desired, Installation, References};
use amity_core::image::encryption::VARIANT_SOURCE;
use amity_core::image::identity::{Place, Reference};
use amity_core::image::observed::{Image, Known, Observed, PlaceView, Snapshot, Unreadable};
use amity_core::image::plan::Reads;
use amity_core::image::plan::step::{Action, Step, Why};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::HttpClient;
use ec2sim::state::Platform;
use ec2sim::{CallSummary, Fault, InProcess, Knobs, Policy, PolicyLedger, World};
use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinHandle;

/// The account of ec2sim's example world.
pub const ACCOUNT: &str = "111122223333";
/// The key of the account that the lab calls with.
pub const ACCESS_KEY: &str = "AKIAEC2SIMHOME000001";
/// Whose images the lab makes.
const OWNER: &str = "test";
/// The role of another account that its world has.
const ROLE: &str = "arn:aws:iam::444455556666:role/amity";
/// Its instance in us-east-1.
pub const INSTANCE: &str = "i-0a1b2c3d4e5f60718";

/// What the controller may do in its own account, and what the roles may by which it reaches others.
pub const CONTROLLER: &str = include_str!("../../deploy/iam/controller.json");
pub const SPOKE: &str = include_str!("../../deploy/iam/spoke.json");

static AS_CONTROLLER: LazyLock<Policy> = LazyLock::new(|| policy("controller", CONTROLLER));
static AS_SPOKE: LazyLock<Policy> = LazyLock::new(|| policy("spoke", SPOKE));

/// Decides what goes wrong; may be changed while the lab runs.
type Faults = Arc<Mutex<Box<dyn Fn(&CallSummary) -> Fault + Send + Sync>>>;

/// One of the policies that we ship, with the owner of the lab.
pub fn policy(name: &str, json: &str) -> Policy {
    Policy::parse(name, &json.replace("OWNER_ID", OWNER)).expect("a policy")
}

pub struct Lab {
    pub sessions: Arc<Sessions>,
    pub inventory: Arc<Inventory>,
    pub effects: Effects,
    pub calls: EC2Calls,
    pub clock: Clock,
    budget: Arc<Budget>,
    ec2: InProcess,
    world: Arc<Mutex<World>>,
    faults: Faults,
    running: Option<JoinHandle<()>>,
    /// Whether the policies should allow all that is asked for, of what is there.
    is_denied_nothing: bool,
}

impl Lab {
    /// A calm world: nothing lags, nothing is refused, everything is done at once.
    pub fn calm() -> Self {
        Self::with_knobs(Knobs::calm())
    }

    /// A calm world in which EC2 asks this policy, with the owner of the lab, whether each of its calls may be made.
    pub fn under_policy(policy: &str) -> Self {
        Self::under_policies(Knobs::calm(), &[policy])
    }

    /// The same of several, in a world with other knobs.
    pub fn under_policies(knobs: Knobs, policies: &[&str]) -> Self {
        let numbered = policies.iter().enumerate();
        let policies = numbered.map(|(at, json)| policy(&format!("attached #{}", at + 1), json));
        let world = World::example().expect("the example is a world");
        let mut world = world.with_knobs(knobs);
        world
            .set_policies(ACCESS_KEY, policies.collect())
            .expect("the key is known");
        Self::over(world, |ec2| ec2)
    }

    /// What the policy did so far.
    pub fn policy_ledger(&self) -> PolicyLedger {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.policy_ledger().clone()
    }

    pub fn with_knobs(knobs: Knobs) -> Self {
        Self::build(knobs, |ec2| ec2)
    }

    /// A lab whose HTTP client is wrapped. It may do what the policies that we ship allow, and no more.
    pub fn build<C: HttpClient + 'static>(knobs: Knobs, wrap: impl FnOnce(InProcess) -> C) -> Self {
        let world = World::example().expect("the example is a world");
        let mut world = world.with_knobs(knobs);
        for (who, shipped) in [(ACCESS_KEY, &*AS_CONTROLLER), (ROLE, &*AS_SPOKE)] {
            let given = world.set_policies(who, vec![shipped.clone()]);
            given.expect("a key and a role of the example");
        }
        let mut lab = Self::over(world, wrap);
        lab.is_denied_nothing = true;
        lab
    }

    /// A calm world in which the lab may do everything: to act on what others made, as no plan would.
    pub fn unrestricted() -> Self {
        let world = World::example().expect("the example is a world");
        Self::over(world.with_knobs(Knobs::calm()), |ec2| ec2)
    }

    /// The same over another world.
    pub fn over<C: HttpClient + 'static>(world: World, wrap: impl FnOnce(InProcess) -> C) -> Self {
        let clock = Clock::virtual_from("2026-03-01T00:00:00Z".parse().expect("a time"));
        Self::at(Arc::new(Mutex::new(world)), clock, wrap)
    }

    /// A process that begins now, over the same EC2, and remembers nothing.
    pub fn another_process(&self) -> Self {
        Self::at(Arc::clone(&self.world), self.clock.clone(), |ec2| ec2)
    }

    fn at<C: HttpClient + 'static>(
        world: Arc<Mutex<World>>,
        clock: Clock,
        wrap: impl FnOnce(InProcess) -> C,
    ) -> Self {
        let faults: Faults = Arc::new(Mutex::new(Box::new(|_: &CallSummary| Fault::None)));
        let now = clock.clone();
        let decide = Arc::clone(&faults);
        let ec2 = InProcess::new(Arc::clone(&world), move || now.now()).with_faults(
            move |call: &CallSummary| decide.lock().unwrap_or_else(PoisonError::into_inner)(call),
        );
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .http_client(wrap(ec2.clone()))
            .time_source(clock.clone())
            .sleep_impl(TokioSleep::new())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(
                ACCESS_KEY, "none", None,
            )))
            .build();
        let calls = EC2Calls::default();
        let sessions = Arc::new(Sessions::over(&config, clock.clone(), calls.clone()));
        let budget = Arc::new(Budget::new(clock.clone()));
        let inventory = Inventory::new(
            Arc::clone(&sessions),
            OWNER,
            clock.clone(),
            Settings::default(),
            Arc::clone(&budget),
        );
        let effects = Effects::new(
            Arc::clone(&sessions),
            Arc::clone(&inventory),
            Arc::clone(&budget),
            Fence::absent(),
        );
        Self {
            sessions,
            inventory,
            effects,
            calls,
            clock,
            budget,
            ec2,
            world,
            faults,
            running: None,
            is_denied_nothing: false,
        }
    }

    /// The same with a fence.
    pub fn fenced(mut self, fence: Fence) -> Self {
        let (sessions, inventory) = (Arc::clone(&self.sessions), Arc::clone(&self.inventory));
        self.effects = Effects::new(sessions, inventory, Arc::clone(&self.budget), fence);
        self
    }

    /// Lets the inventory run over the default account, and waits until every place was read.
    pub async fn started(mut self) -> Self {
        self.start(account(json!({})));
        self.pass(20).await;
        self
    }

    pub fn start(&mut self, account: AwsAccount) {
        self.inventory.set_accounts([account]);
        self.running = Some(tokio::spawn(Arc::clone(&self.inventory).run()));
    }

    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }

    /// Lets time pass.
    pub async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().expect("no test panicked"))
    }

    /// The instance has Windows, and so has what is made of it.
    pub fn has_windows(&self) {
        self.world(|world| {
            let region = world.regions_mut().get_mut("us-east-1");
            let instance = region.and_then(|region| region.instances.get_mut(INSTANCE));
            let machine = &mut instance.expect("the instance").machine;
            machine.platform = Platform::Windows;
            machine.billed_as = Some(Platform::Windows);
        });
    }

    /// From now on, this goes wrong.
    pub fn faults(&self, faults: impl Fn(&CallSummary) -> Fault + Send + Sync + 'static) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(faults);
    }

    /// From now on, this goes wrong with every call of one action.
    pub fn fail(&self, action: &'static str, fault: Fault) {
        self.faults(move |call| {
            if call.action == action {
                fault
            } else {
                Fault::None
            }
        });
    }

    pub fn heal(&self) {
        self.faults(|_| Fault::None);
    }

    /// How many calls of an action reached EC2.
    pub fn reached(&self, action: &str) -> usize {
        self.ec2
            .log()
            .records()
            .iter()
            .filter(|call| call.action == action)
            .count()
    }

    pub fn all_calls(&self) -> usize {
        self.ec2.log().records().len()
    }

    /// Every call that reached EC2: when, where, what and its outcome.
    pub fn log(&self) -> Vec<(Timestamp, String, String, String)> {
        let records = self.ec2.log().records();
        records
            .into_iter()
            .map(|call| (call.time, call.region, call.action, call.outcome))
            .collect()
    }

    pub async fn observe(&self, desired: &Desired) -> Observed {
        self.inventory.observe(desired, &Reads::default()).await
    }

    pub async fn known(&self, desired: &Desired, region: &str) -> Known {
        match self.view(desired, region).await {
            PlaceView::Known(known) => known,
            PlaceView::Unreadable(unreadable) => panic!("{region} is unreadable: {unreadable:?}"),
        }
    }

    pub async fn unreadable(&self, desired: &Desired, region: &str) -> Unreadable {
        match self.view(desired, region).await {
            PlaceView::Known(known) => panic!("{region} is readable: {known:?}"),
            PlaceView::Unreadable(unreadable) => unreadable,
        }
    }

    async fn view(&self, desired: &Desired, region: &str) -> PlaceView {
        self.observe(desired)
            .await
            .places
            .remove(&Place::new(ACCOUNT, region))
            .expect("the place is there")
    }

    /// Performs one step.
    pub async fn perform(&self, desired: &Desired, region: &str, action: Action) -> Outcome {
        let step = Step::at(&Place::new(ACCOUNT, region), action, Why::WantedByRegions);
        let mut outcomes = self.effects.perform(desired, vec![&step]).await;
        outcomes.pop().expect("one outcome a step")
    }

    /// Performs one step that makes an image, and gives its id.
    pub async fn make(&self, desired: &Desired, region: &str, action: Action) -> String {
        let outcome = self.perform(desired, region, action).await;
        outcome
            .made()
            .unwrap_or_else(|| panic!("{:?}", outcome.result))
            .to_owned()
    }

    /// The ids of the live images of the account in a region, whatever lists show.
    pub fn images_in(&self, region: &str) -> Vec<String> {
        let now = self.clock.now();
        self.world(|world| {
            world.advance(now);
            world.regions()[region]
                .images
                .values()
                .filter(|image| image.owner == ACCOUNT && image.deregistered.is_none())
                .map(|image| image.id.clone())
                .collect()
        })
    }
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab").finish_non_exhaustive()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop();
        if self.is_denied_nothing && !std::thread::panicking() {
            let mut denials = self.policy_ledger().denials();
            // What is not there has no tags that could allow anything.
            denials.retain(|denial| !denial.missing);
            assert!(denials.is_empty(), "denied: {denials:#?}");
        }
    }
}

/// The `AwsAccount` of the example world, with more in its spec.
pub fn account(more: serde_json::Value) -> AwsAccount {
    let mut spec = json!({"accountId": ACCOUNT});
    if let (Some(spec), serde_json::Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    serde_json::from_value(json!({
        "apiVersion": "amity.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": "default"}, "spec": spec,
    }))
    .expect("an account")
}

/// What an object called `name` asks for: its instance in these regions.
pub fn desired(name: &str, regions: &[&str]) -> Desired {
    let regions: Vec<_> = regions.iter().map(|name| json!({"name": name})).collect();
    let image: MachineImage = serde_json::from_value(json!({
        "apiVersion": "amity.dev/v1alpha1",
        "kind": "MachineImage",
        "metadata": {"name": name, "namespace": "images"},
        "spec": {
            "source": {"instance": {"region": "us-east-1", "instanceId": INSTANCE, "reboot": "Never"}},
            "regions": regions,
        },
    }))
    .expect("a machine image");
    let installation = Installation {
        owner: "test".into(),
        cluster: "c".into(),
        take_over_from: None,
        consistency_window: Settings::default().consistency_window,
        price_per_gib_month: None,
    };
    let references = References {
        accounts: &BTreeMap::from([AccountReference::to(account(json!({})))]),
        namespace_labels: &BTreeMap::new(),
        machine_images: &[],
    };
    Desired::of(&image, &installation, references)
}

pub fn capture(desired: &Desired) -> Action {
    Action::CreateImage {
        instance: INSTANCE.into(),
        name: desired.image_name.clone(),
        description: None,
        no_reboot: true,
        without_devices: Vec::new(),
        tags: birth_tags(desired, &Reference::new("us-east-1", INSTANCE)),
        snapshot_tags: birth_tags(desired, &Reference::new("us-east-1", INSTANCE)),
    }
}

pub fn copy(desired: &Desired, from: &str, to: &str) -> Action {
    let from = Reference::new("us-east-1", from);
    Action::CopyImage {
        name: desired.image_name.clone(),
        description: Some("a copy".into()),
        encryption: None,
        minutes: None,
        token: desired.identity.copy_token(
            &desired.revision,
            VARIANT_SOURCE,
            &Place::new(ACCOUNT, to),
            1,
        ),
        tags: birth_tags(desired, &from),
        snapshot_tags: birth_tags(desired, &from),
        from,
    }
}

/// The tags of an image that is made from `source`.
pub fn birth_tags(desired: &Desired, source: &Reference) -> BTreeMap<String, String> {
    let origin = if source.is_snapshot() {
        source.clone()
    } else {
        Reference::new("us-east-1", INSTANCE)
    };
    desired
        .identity
        .birth_tags(&desired.revision, VARIANT_SOURCE, &origin, source)
}

pub fn ids(images: &[Image]) -> Vec<&str> {
    images.iter().map(|image| image.id.as_str()).collect()
}

pub fn users(snapshots: &[Snapshot]) -> Vec<Option<Vec<String>>> {
    snapshots
        .iter()
        .map(|snapshot| snapshot.used_by.clone())
        .collect()
}

/// Seconds since the lab began.
pub fn since_start(time: Timestamp) -> i64 {
    time.as_second()
        - "2026-03-01T00:00:00Z"
            .parse::<Timestamp>()
            .expect("a time")
            .as_second()
}
