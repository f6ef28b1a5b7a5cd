//! Two replicas over one cluster and one EC2: one acts, the other takes over. Each has an access key of its own, so
//! that EC2's log tells who asked for what.

use std::sync::{LazyLock, MutexGuard};
use std::time::{Duration, Instant};

use amity_testbed::{Amity, Call, eventually};

use crate::lab::{CONTROLLERS, Lab, Namespace, PATIENCE, Stage, start_controller};

const NAMES: [&str; 2] = ["first", "second"];
const KEYS: [&str; 2] = [CONTROLLERS[1], CONTROLLERS[2]];
const TWO: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Where replicas are tested, one test at a time.
pub static STAGE: LazyLock<Stage> = LazyLock::new(Stage::default);

/// A lab with two controllers.
pub struct Replicas {
    /// Its `amity` is the first of them.
    pub lab: Lab,
    second: Amity,
    _turn: MutexGuard<'static, ()>,
}

impl Replicas {
    /// Waits for its turn, and until one of them leads and the other could, with further arguments of both.
    fn ready(arguments: &[&str]) -> Self {
        Self::ready_on(&STAGE, arguments)
    }

    /// The same on another stage.
    pub fn ready_on(stage: &'static Stage, arguments: &[&str]) -> Self {
        let (turn, cluster) = stage.cleared();
        let arguments = |which: usize| [&["--replica", NAMES[which]], arguments].concat();
        let environment = |which: usize| [("AWS_ACCESS_KEY_ID", KEYS[which])];
        let lab = Lab::start(cluster, &arguments(0), &environment(0));
        let second = start_controller(cluster, &lab.ec2, &arguments(1), &environment(1));
        let mut replicas = Self {
            lab,
            second,
            _turn: turn,
        };
        for which in [0, 1] {
            replicas.amity(which).wait_ready().unwrap();
        }
        replicas
    }

    pub fn amity(&mut self, which: usize) -> &mut Amity {
        match which {
            0 => &mut self.lab.amity,
            _ => &mut self.second,
        }
    }

    /// Which of them holds the Lease, and by what name.
    pub fn leader(&self) -> (usize, String) {
        self.lab.cluster.until_held("a replica", |holder| {
            Some((which(holder)?, holder.to_owned()))
        })
    }

    /// Waits until another process holds the Lease than the one of that name; it may be the same replica, started
    /// again.
    pub fn until_held_by_another_than(&self, before: &str) -> usize {
        self.lab.cluster.until_held("another", |holder| {
            which(holder).filter(|_| holder != before)
        })
    }

    /// Lets a replica go on (SIGCONT) that was stopped until another took over, waits until it stands by, and
    /// checks that it changed nothing in EC2.
    pub fn wake(&mut self, which: usize) {
        let woken = self.lab.calls().len();
        self.amity(which).process().resume().unwrap();
        eventually(PATIENCE, "it stands by", || {
            let metrics = self.amity(which).metrics();
            let metrics = metrics.map_err(|error| error.to_string())?;
            let stands_by = metrics.lines().any(|line| line == "amity_leader 0");
            stands_by.then_some(()).ok_or(metrics)
        })
        .unwrap();
        let calls = self.calls_of(which, woken).into_iter();
        let writes: Vec<_> = calls.filter(Call::is_write).collect();
        assert!(writes.is_empty(), "{writes:?}");
    }

    /// What a replica asked EC2, of all calls from the `since`th on.
    fn calls_of(&self, which: usize, since: usize) -> Vec<Call> {
        let calls = self.lab.calls().split_off(since).into_iter();
        calls
            .filter(|call| call.access_key_id.as_deref() == Some(KEYS[which]))
            .collect()
    }

    /// Waits until a replica has changed something in EC2 after the `since`th call.
    fn until_writes(&self, which: usize, since: usize) {
        let what = format!("the {} replica changes EC2", NAMES[which]);
        eventually(PATIENCE, &what, || {
            let calls = self.calls_of(which, since);
            let wrote = calls.iter().any(|call| call.is_write() && call.succeeded());
            wrote.then_some(()).ok_or(format!("{calls:?}"))
        })
        .unwrap();
    }
}

/// The replica that holds the Lease by this name.
fn which(holder: &str) -> Option<usize> {
    let (name, _) = holder.rsplit_once('_')?;
    NAMES.iter().position(|one| *one == name)
}

fn apply_some(namespace: &Namespace<'_>) {
    let of_image = "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}";
    namespace.apply_of_instance("web", &TWO, "");
    for name in SOME_OF_AN_IMAGE {
        namespace.apply(name, of_image, &TWO, "");
    }
}

const SOME_OF_AN_IMAGE: [&str; 3] = ["base-1", "base-2", "base-3"];

fn assert_all_served(namespace: &Namespace<'_>) {
    for name in ["web"].iter().chain(&SOME_OF_AN_IMAGE) {
        let image = namespace.until_ready(name);
        namespace.assert_served(&image, &TWO);
    }
    let made = namespace.lab.holdings();
    let made = made.images.iter().filter(|one| !one.revision().is_empty());
    assert_eq!(made.count(), 4 * TWO.len(), "nothing is doubled");
}

#[test]
fn of_two_replicas_one_acts_and_both_are_ready() {
    let mut replicas = Replicas::ready(&[]);
    let (leader, _) = replicas.leader();
    let namespace = replicas.lab.namespace("one-acts");

    apply_some(&namespace);

    assert_all_served(&namespace);
    let calls = replicas.calls_of(1 - leader, 0);
    assert!(calls.is_empty(), "the standby asks nothing: {calls:?}");
    assert!(replicas.amity(leader).leads());
    assert!(!replicas.amity(1 - leader).leads());
}

#[test]
fn when_the_leader_is_killed_the_other_takes_over_within_the_lease() {
    let mut replicas = Replicas::ready(&["--lease-duration", "6s"]);
    let (leader, name) = replicas.leader();
    apply_some(&replicas.lab.namespace("killed-leader"));
    replicas.until_writes(leader, 0);

    replicas.amity(leader).kill9();

    let killed = Instant::now();
    assert_eq!(replicas.until_held_by_another_than(&name), 1 - leader);
    let waited = killed.elapsed();
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    assert_all_served(&replicas.lab.existing("killed-leader"));
}

#[test]
fn when_the_leader_is_told_to_stop_the_other_takes_over_at_once() {
    // It would be long to wait for, and a standby looks every ten seconds.
    let mut replicas = Replicas::ready(&["--lease-duration", "5m"]);
    let (leader, name) = replicas.leader();
    apply_some(&replicas.lab.namespace("stopped-leader"));
    replicas.until_writes(leader, 0);

    let status = replicas.amity(leader).terminate().unwrap();

    assert_eq!(status.code(), Some(0), "{}", replicas.amity(leader).log());
    assert_eq!(replicas.until_held_by_another_than(&name), 1 - leader);
    assert_all_served(&replicas.lab.existing("stopped-leader"));
}

#[test]
fn a_leader_that_is_frozen_and_wakes_an_hour_later_sends_nothing() {
    let mut replicas = Replicas::ready(&["--lease-duration", "6s"]);
    let (leader, name) = replicas.leader();
    apply_some(&replicas.lab.namespace("frozen-leader"));
    replicas.until_writes(leader, 0);

    replicas.amity(leader).process().pause().unwrap();
    let frozen = replicas.lab.calls().len();
    assert_eq!(replicas.until_held_by_another_than(&name), 1 - leader);
    replicas.until_writes(1 - leader, frozen);
    replicas.lab.ec2.advance(Duration::from_hours(1)).unwrap();
    replicas.wake(leader);

    assert_all_served(&replicas.lab.existing("frozen-leader"));
    let calls = replicas.calls_of(leader, frozen).into_iter();
    let writes: Vec<_> = calls.filter(Call::is_write).collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert!(!replicas.amity(leader).leads());

    // It is whole, and takes its turn when it is asked to.
    let status = replicas.amity(1 - leader).terminate().unwrap();
    assert_eq!(status.code(), Some(0));
    let namespace = replicas.lab.existing("frozen-leader");
    namespace.patch("web", r#"{"spec": {"tags": {"team": "web"}}}"#);
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &TWO);
}
