//! Trouble in one region or account does not slow down the objects that need neither.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fleet::{Fleet, account};
use crate::landscape::{HOME, Landscape, Source};
use crate::trouble::{Trouble, Troubled};
use crate::{regions, side_by_side, virtual_time};

/// Regions in which all is well, in which every call is throttled but a few, and which cannot be read.
const WELL: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];
const BUSY: &str = "ap-northeast-1";
const SICK: &str = "ap-southeast-2";

/// An account in which only the regions are read in which all is well, and one whose role is refused.
const NARROW: &str = "222233334444";
const DENIED: &str = "333344445555";

/// Objects that are alike.
struct Group {
    name: &'static str,
    count: usize,
    account: &'static str,
    source: (Source, &'static str),
    regions: &'static [&'static str],
    /// Whether nothing in trouble is needed: neither a place of the object's own, nor, for a capture, what any
    /// region of its account might hold already (design: "Creating once").
    is_spared: bool,
}

/// A hundred objects in 5 regions.
const GROUPS: [Group; 9] = [
    Group {
        name: "copied-where-all-is-well",
        count: 30,
        account: HOME,
        source: (Source::Image, WELL[0]),
        regions: &WELL,
        is_spared: true,
    },
    Group {
        name: "captured-where-all-is-well",
        count: 20,
        account: NARROW,
        source: (Source::Instance, WELL[0]),
        regions: &WELL,
        is_spared: true,
    },
    Group {
        name: "copied-to-the-sick-region-too",
        count: 12,
        account: HOME,
        source: (Source::Image, WELL[1]),
        regions: &[WELL[0], SICK],
        is_spared: false,
    },
    Group {
        name: "copied-to-the-busy-region-too",
        count: 12,
        account: HOME,
        source: (Source::Image, WELL[2]),
        regions: &[WELL[1], BUSY],
        is_spared: false,
    },
    Group {
        name: "copied-from-the-sick-region",
        count: 4,
        account: HOME,
        source: (Source::Image, SICK),
        regions: &[WELL[2]],
        is_spared: false,
    },
    Group {
        name: "copied-from-the-busy-region",
        count: 4,
        account: HOME,
        source: (Source::Image, BUSY),
        regions: &[WELL[2]],
        is_spared: false,
    },
    Group {
        name: "captured-in-the-busy-region",
        count: 4,
        account: HOME,
        source: (Source::Instance, BUSY),
        regions: &[BUSY],
        is_spared: false,
    },
    Group {
        name: "captured-beside-the-sick-region",
        count: 4,
        account: HOME,
        source: (Source::Instance, WELL[0]),
        regions: &[WELL[0]],
        is_spared: false,
    },
    Group {
        name: "in-the-denied-account",
        count: 10,
        account: DENIED,
        source: (Source::Image, WELL[0]),
        regions: &[WELL[0], BUSY],
        is_spared: false,
    },
];

/// How much slower the spared objects may be, in percent.
const SLOWER_AT_MOST: u128 = 5;

/// What the sick region does, and since when.
type Sickness = (Trouble, Duration);

const SICKNESSES: [Sickness; 3] = [
    (Trouble::Denies, Duration::ZERO),
    (Trouble::IsSilent, Duration::ZERO),
    // While copies are asked for: those that are under way take as long as a call may.
    (Trouble::IsSilent, Duration::from_secs(5)),
];

#[test]
fn a_sick_region_and_a_busy_one_and_a_denied_account_slow_down_nobody_else() {
    let runs = [None].into_iter().chain(SICKNESSES.map(Some));
    let readiness = side_by_side(runs, |sick| {
        Some((sick, spared_objects_are_ready_after(sick)))
    });
    let calm = readiness
        .iter()
        .find_map(|(sick, readiness)| sick.is_none().then_some(readiness))
        .expect("a run without trouble");
    for (sick, troubled) in &readiness {
        eprintln!("{sick:?}: {troubled:?}");
    }
    for (sick, troubled) in &readiness {
        for (what, calm, troubled) in [
            ("in the mean", calm.mean, troubled.mean),
            ("the last one", calm.last, troubled.last),
        ] {
            assert!(
                troubled.as_millis() * 100 <= calm.as_millis() * (100 + SLOWER_AT_MOST),
                "{sick:?}: {what} after {troubled:?} instead of {calm:?}"
            );
        }
    }
}

/// When objects were `Ready`.
#[derive(Debug)]
struct Readiness {
    mean: Duration,
    last: Duration,
}

fn spared_objects_are_ready_after(sick: Option<Sickness>) -> Readiness {
    virtual_time(async {
        let (fleet, keys) = settle(sick);
        let spared: BTreeSet<_> = GROUPS
            .iter()
            .filter(|group| group.is_spared)
            .flat_map(|group| keys[group.name].clone())
            .collect();
        let ready = fleet
            .live(fleet.until_ready(&spared, Duration::from_hours(6)))
            .await
            .unwrap_or_else(|error| panic!("{sick:?}: {error}"));
        assert_eq!(fleet.invariants_broken(), 0);
        let count = u32::try_from(ready.len()).expect("a count");
        Readiness {
            mean: ready.iter().sum::<Duration>() / count,
            last: ready.into_iter().max().unwrap_or_default(),
        }
    })
}

/// The fleet with all its objects, and their keys by group.
fn settle(sick: Option<Sickness>) -> (Fleet, BTreeMap<&'static str, BTreeSet<String>>) {
    let everywhere: Vec<_> = WELL.into_iter().chain([BUSY, SICK]).collect();
    let mut land = Landscape::new(&everywhere);
    // Else those who are in trouble would do the others a favour: they leave them the copy slots.
    land.knob("concurrentImageCopies", serde_json::Value::Null);
    land.knob("concurrentSnapshotCopies", serde_json::Value::Null);
    land.knob("requestBuckets", false);
    land.account(NARROW, true);
    land.account(DENIED, sick.is_none());
    let accounts = vec![
        account("home", HOME, false, &everywhere),
        account("narrow", NARROW, true, &WELL),
        account("denied", DENIED, true, &everywhere),
    ];
    let mut specs = Vec::new();
    for group in &GROUPS {
        let (kind, region) = group.source;
        let account = accounts
            .iter()
            .find(|account| account.spec.account_id == group.account)
            .expect("the account of a group");
        for number in 0..group.count {
            let spec = serde_json::json!({
                "accountName": account.name(),
                "source": land.source(kind, group.account, region),
                "regions": regions(group.regions),
            });
            specs.push((number, group.name, spec));
        }
    }
    // One of each group after the other, so that no group has the better start.
    specs.sort_by_key(|(number, ..)| *number);
    let troubles = sick.map(|(sick, _)| [(SICK, sick), (BUSY, Trouble::Throttles(900))]);
    let begins_after = sick.map_or(Duration::ZERO, |(_, begins_after)| begins_after);
    let fleet = Fleet::new(land.world(), &accounts, 1000, |ec2| {
        Troubled::new(ec2, troubles.into_iter().flatten(), begins_after)
    });
    let mut keys: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (number, group, spec) in specs {
        let key = format!("{group}/image-{number}");
        fleet.apply(&key, &spec);
        keys.entry(group).or_default().insert(key);
    }
    (fleet, keys)
}
