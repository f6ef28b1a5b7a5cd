//! What a day costs in which nothing happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ec2sim::CallRecord;

use crate::fleet::{Fleet, account};
use crate::landscape::{HOME, Landscape, Source};
use crate::{regions, virtual_time};

const REGIONS: [&str; 5] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "ap-northeast-1",
    "ap-southeast-2",
];

/// The second of two accounts, which is reached by a role.
const OTHER: &str = "222233334444";

const OBJECTS: usize = 100;
const HOURS: u64 = 24;

/// The default of `--rest-interval`.
const REST_INTERVAL: Duration = Duration::from_mins(5);

/// What a day at rest costs, in calls, whatever the number of objects as long as a place has no more than a
/// page of images (1,000; otherwise times the number of pages):
///
/// | action | calls a day |
/// | --- | --- |
/// | `DescribeImages` | for each account and region: 24 h / R, where R is the rest interval (`--rest-interval`, 5 minutes), up to a tenth shorter so that places are spread: 288 to 320 |
/// | `DescribeSnapshots` | for each account and region: 1, to find strays |
/// | `GetCallerIdentity` | for each account: 24, the proof of which account it is |
/// | `DescribeRegions` | for each account: 24, with the proof |
/// | `AssumeRole` | for each account that is reached by a role: 24, since its credentials last for an hour |
/// | everything else | 0: no source is looked at, no name is looked up, nothing is written |
///
/// For A accounts, r of which by a role, and P places (accounts × regions):
/// P × (24 h / R + 1) + 48 A + 24 r.
struct Formula {
    accounts: usize,
    roles: usize,
    places: usize,
}

impl Formula {
    /// The fewest and the most calls of an action in so many hours. What comes at fixed intervals may come once
    /// more or less often, by when the day begins.
    fn calls(&self, action: &str) -> (u64, u64) {
        let lists = HOURS * 3600 / REST_INTERVAL.as_secs();
        let (each, fewest, most) = match action {
            // A reading takes a moment too, so that there may be one less.
            "DescribeImages" => (self.places, lists - 1, lists * 10 / 9 + 1),
            "DescribeSnapshots" => (self.places, HOURS / 24, HOURS / 24),
            "GetCallerIdentity" | "DescribeRegions" => (self.accounts, HOURS - 1, HOURS),
            "AssumeRole" => (self.roles, HOURS - 1, HOURS + 1),
            _ => (0, 0, 0),
        };
        let each = u64::try_from(each).expect("a number");
        (each * fewest, each * most)
    }
}

#[test]
fn a_day_at_rest_costs_what_the_formula_says_and_writes_nothing() {
    virtual_time(async {
        let fleet = settled_fleet();
        let all: BTreeSet<_> = (0..OBJECTS).map(key).collect();
        fleet
            .live(async {
                let ready = fleet.until_ready(&all, Duration::from_hours(6)).await;
                ready.unwrap_or_else(|error| panic!("{error}"));
                // Lists agree with what was written, and the first proof that everything is settled is in.
                tokio::time::sleep(Duration::from_hours(1)).await;
                let (calls, writes) = (fleet.calls(0).len(), fleet.status_writes());
                tokio::time::sleep(Duration::from_hours(HOURS)).await;
                assert_eq!(fleet.status_writes(), writes, "a status was written");
                let calls = fleet.calls(calls);
                cost_what_the_formula_says(&calls);
                every_place_is_read_in_time(&calls);
            })
            .await;
        assert_eq!(fleet.invariants_broken(), 0);
    });
}

fn cost_what_the_formula_says(calls: &[CallRecord]) {
    let formula = Formula {
        accounts: 2,
        roles: 1,
        places: 2 * REGIONS.len(),
    };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for call in calls {
        *counts.entry(&call.action).or_default() += 1;
    }
    eprintln!("{counts:?}");
    let known = [
        "DescribeImages",
        "DescribeSnapshots",
        "GetCallerIdentity",
        "DescribeRegions",
        "AssumeRole",
    ];
    for action in counts.keys().copied().chain(known) {
        let (fewest, most) = formula.calls(action);
        let count = counts.get(action).copied().unwrap_or_default();
        assert!(
            (fewest..=most).contains(&count),
            "{count} calls of {action} instead of {fewest} to {most}"
        );
    }
}

/// No place is left unread for longer than the rest interval, and the moment that a reading takes.
fn every_place_is_read_in_time(calls: &[CallRecord]) {
    let mut last = BTreeMap::new();
    for call in calls.iter().filter(|call| call.action == "DescribeImages") {
        let before = last.insert((&call.account, &call.region), call.time);
        let passed = before.map_or(Duration::ZERO, |before| {
            Duration::try_from(call.time.duration_since(before)).expect("in order")
        });
        assert!(
            passed <= REST_INTERVAL + Duration::from_secs(1),
            "{} was not read for {passed:?}",
            call.region
        );
    }
}

fn key(number: usize) -> String {
    format!("team-{}/image-{number}", number % 7)
}

/// Captures and copies in turn, in one account and the other, each in two regions.
fn settled_fleet() -> Fleet {
    let mut land = Landscape::new(&REGIONS);
    land.account(OTHER, true);
    for knob in ["concurrentImageCopies", "concurrentSnapshotCopies"] {
        land.knob(knob, serde_json::Value::Null);
    }
    land.knob("requestBuckets", false);
    let accounts = vec![
        account("home", HOME, false, &REGIONS),
        account("other", OTHER, true, &REGIONS),
    ];
    let specs: Vec<_> = (0..OBJECTS)
        .map(|number| {
            let account = &accounts[number % 2];
            let kind = [Source::Instance, Source::Image][number / 2 % 2];
            let [region, next] = [0, 1].map(|more| REGIONS[(number + more) % REGIONS.len()]);
            serde_json::json!({
                "accountName": account.name(),
                "source": land.source(kind, &account.spec.account_id, region),
                "regions": regions(&[region, next]),
            })
        })
        .collect();
    let fleet = Fleet::new(land.world(), &accounts, 1000, |ec2| ec2);
    for (number, spec) in specs.iter().enumerate() {
        fleet.apply(&key(number), spec);
    }
    fleet
}
