//! Chance, from a seed: crashes before and after every effect and every write to the cluster, lost and broken answers,
//! throttling, stale reads, watches that are held up, and others who do what they like in EC2. One seed is one story.
//!
//! `SEEDS=1000` tells more of them, `FROM=500` others, `SEED=17` only one, with what was done to EC2; `make simulate`
//! does either. A story that fails is told again with ever less in it, so long as it fails.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ec2sim::World;

use crate::cast::{ACCOUNTS, Key};
use crate::process::lock;
use crate::tale::{self, Cut, Cuts};
use crate::universe::{Troubles, Universe};
use crate::{number, rights, side_by_side, virtual_time};

/// The longest that EC2 may take to match the specs once nothing goes wrong any more.
pub const SETTLES_WITHIN: Duration = Duration::from_hours(6);

/// How many stories are told unless `SEEDS` says otherwise.
const SEEDS: u64 = 500;

/// How many stories are compared with the same ones in another process.
const COMPARED: u64 = 100;

/// Where the numbers of all stories are written, one a line.
const DIGESTS: &str = "DIGESTS";

/// The stories of this process, told once for all tests.
fn stories() -> &'static BTreeMap<u64, Result<Told, String>> {
    static STORIES: OnceLock<BTreeMap<u64, Result<Told, String>>> = OnceLock::new();
    STORIES.get_or_init(|| {
        let seeds = match (number("SEED"), number("FROM").unwrap_or(0)) {
            (Some(seed), _) => seed..seed + 1,
            (None, from) => from..from + number("SEEDS").unwrap_or(SEEDS),
        };
        let count = AtomicU64::new(0);
        let told = side_by_side(seeds, |seed| {
            let told = tell(seed, &Cuts::default());
            let count = count.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_multiple_of(500) {
                eprintln!("{count} stories");
            }
            if let Err(error) = &told {
                eprintln!("SEED={seed}: {error}\n{}", shrunk(seed, error));
            }
            Some((seed, told))
        });
        told.into_iter().collect()
    })
}

#[test]
fn whatever_happens_ec2_matches_in_the_end_and_nothing_is_lost_or_doubled() {
    let told = stories();
    let mut summary = Told::default();
    for told in told.values().flatten() {
        summary.add(told);
    }
    let failures = told.values().filter(|told| told.is_err()).count();
    let Troubles { faults, crashes } = summary.troubles;
    eprintln!(
        "{} stories, {} virtual hours, {} requests, {} effects, {faults} faults, {crashes} crashes",
        told.len(),
        summary.lasted.as_secs() / 3600,
        summary.requests,
        summary.effects,
    );
    if let Some(file) = env::var_os(DIGESTS) {
        fs::write(file, digests()).expect("a file for the digests");
    }
    assert!(failures == 0, "{failures} of {} stories failed", told.len());
}

#[test]
fn a_seed_is_the_same_story_in_every_process() {
    let here = digests();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("digests");
    let told = Command::new(env::current_exe().expect("a program"))
        .args([
            "--exact",
            "story::whatever_happens_ec2_matches_in_the_end_and_nothing_is_lost_or_doubled",
        ])
        .env("SEEDS", COMPARED.to_string())
        .env_remove("SEED")
        .env_remove("FROM")
        .env(DIGESTS, &file)
        .output()
        .expect("a process");
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let there = fs::read_to_string(file).expect("digests");
    let different: Vec<_> = there
        .lines()
        .filter(|line| !here.lines().any(|other| other == *line))
        .collect();
    assert_eq!(there.lines().count() as u64, COMPARED);
    assert!(
        different.is_empty(),
        "told otherwise in another process: {different:?}"
    );
}

/// The numbers of all stories that went well, a line each.
fn digests() -> String {
    let told = stories().iter();
    let told = told.filter_map(|(seed, told)| Some((seed, &told.as_ref().ok()?.digest)));
    told.fold(String::new(), |mut lines, (seed, digest)| {
        let _ = writeln!(lines, "{seed} {digest}");
        lines
    })
}

/// What was told.
#[derive(Debug, Default)]
pub struct Told {
    /// How often something was done to EC2.
    pub effects: usize,
    /// How much was asked of it and of the cluster.
    pub requests: u64,
    /// All of that, with its times, as one number.
    pub digest: String,
    pub lasted: Duration,
    pub troubles: Troubles,
}

impl Told {
    fn add(&mut self, other: &Self) {
        self.effects += other.effects;
        self.requests += other.requests;
        self.lasted += other.lasted;
        self.troubles.faults += other.troubles.faults;
        self.troubles.crashes += other.troubles.crashes;
    }
}

/// Which objects, and how many replicas, there are in a story.
fn cast(seed: u64) -> (Vec<Key>, usize) {
    let many = |count| (0..count).map(Key::of_many).collect();
    let objects = match seed % 200 {
        157 => many(20),
        1 | 51 | 101 => many(4),
        number if number % 20 == 7 => Key::in_a_row(2),
        number if number % 40 == 23 => Key::in_a_row(3),
        _ => many(1),
    };
    (objects, if seed % 10 == 3 { 2 } else { 1 })
}

/// Where a story begins.
fn universe(seed: u64) -> Arc<Universe> {
    universe_of(seed, rights::restricted(world(seed)))
}

/// A world of which nobody has seen anything yet.
pub fn world(seed: u64) -> World {
    let world = World::from_yaml(include_str!("world.yaml")).expect("a world");
    let mut world = world.with_seed(seed);
    // Nobody has written down which of the two EC2 does.
    world.facts_mut().missing_resources_are_denied = !seed.is_multiple_of(3);
    // Block public access is off.
    let regions: Vec<_> = world.regions().keys().cloned().collect();
    for account in ACCOUNTS.iter().map(|account| account.id) {
        for region in &regions {
            let place = world.place_mut(account, region).expect("an account");
            place.allows_public_images = true;
        }
    }
    world
}

/// The universe of a story around its world.
pub fn universe_of(seed: u64, world: World) -> Arc<Universe> {
    // So that kube's and the SDK's own chance is the seed's, too.
    fastrand::seed(seed);
    let (objects, replicas) = cast(seed);
    Universe::new(world, seed, replicas, objects)
}

/// Tells one story.
fn tell(seed: u64, cuts: &Cuts) -> Result<Told, String> {
    let (told, lines, outcome) = virtual_time(async {
        let began = tokio::time::Instant::now();
        let universe = universe(seed);
        let outcome = universe.live(tale::tell(&universe, cuts)).await;
        let mut lines = lock(&universe.effects).clone();
        let effects = lines.len();
        for (number, note) in lock(&universe.notes).iter().rev() {
            lines.insert(*number, note.clone());
        }
        let (requests, digest) = universe.gate.trace();
        let told = Told {
            effects,
            requests,
            digest,
            lasted: began.elapsed(),
            troubles: *lock(&universe.troubles),
        };
        (told, lines, outcome)
    });
    if number("SEED").is_some() && cuts.is_empty() {
        eprintln!(
            "{}\n{} requests, {}",
            lines.join("\n"),
            told.requests,
            told.digest
        );
    }
    match outcome {
        Ok(()) => Ok(told),
        Err(error) if cuts.is_empty() => Err(error),
        Err(error) => Err(format!("{error}\n{}", last_lines(&lines))),
    }
}

/// The end of a story, in which it went wrong.
fn last_lines(lines: &[String]) -> String {
    let from = lines.len().saturating_sub(30);
    lines[from..].join("\n")
}

/// The failing story with as little in it as fails.
fn shrunk(seed: u64, error: &str) -> String {
    let (mut cuts, mut error) = (Cuts::default(), error.to_owned());
    for cut in Cut::all() {
        let tried = cuts.with(cut);
        if let Err(other) = tell(seed, &tried) {
            (cuts, error) = (tried, other);
        }
    }
    let mut text = String::new();
    let _ = write!(text, "without {cuts:?} still: {error}");
    text
}
