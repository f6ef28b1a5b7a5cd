//! What Amity costs and how quick it is, beside the targets: `make bench`.
//!
//! Where time is EC2's it is virtual, as in the stories; where it is ours it is that of a real process. Nothing fails
//! here: figures are read, and compared with those of another day.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use amity::clock::Clock;
use amity_testbed::{Amity, binary};
use axum::Router;
use axum::extract::Request;
use ec2sim::state::{Image, Region};
use ec2sim::{FastClock, Front};
use kubesim::Kubernetes;
use serde_json::json;
use tokio::net::TcpListener;

use crate::fleet::{Fleet, account};
use crate::landscape::{HOME, Landscape, Source};
use crate::process::{ACCESS_KEY, lock};
use crate::rights;
use crate::settled::{REGIONS, Settled};
use crate::universe::cluster;
use crate::{regions, virtual_time};

/// Wherever an image may be wanted.
const EVERYWHERE: [&str; 30] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "sa-east-1",
];

/// What a volume of the landscape holds, in GiB.
const GIB: u64 = 8;

/// A figure, and what it should be.
struct Row {
    what: String,
    is: String,
    target: &'static str,
}

/// A name, and what measures.
type Figures = (&'static str, fn() -> Vec<Row>);

/// Each by the name with which `ONLY` asks for it.
const FIGURES: [Figures; 5] = [
    ("speed", one_image),
    ("many", many_images),
    ("calls", calls_of_a_roll_out),
    ("rest", calls_at_rest),
    ("process", a_real_process),
];

#[test]
#[ignore = "measures, and tests nothing: make bench"]
fn figures() {
    let only = env::var("ONLY").unwrap_or_default();
    let mut rows = Vec::new();
    for (name, measure) in FIGURES {
        if only.is_empty() || only.split(',').any(|one| one == name) {
            eprintln!("measuring: {name}");
            rows.extend(measure());
        }
    }
    let widest = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max();
    let (what, is) = (widest(|row| &row.what), widest(|row| &row.is));
    let (what, is) = (what.unwrap_or(0), is.unwrap_or(0));
    println!("\n| {:what$} | {:is$} | target |", "figure", "is");
    println!("| {:-<what$} | {:-<is$} | ------ |", "", "");
    for row in rows {
        println!("| {:what$} | {:is$} | {} |", row.what, row.is, row.target);
    }
}

/// How much longer it takes than EC2 does, from when it is applied until it is ready: the worst of some worlds.
fn one_image() -> Vec<Row> {
    let mut rows = Vec::new();
    // Each copy takes between half and twice that, in minutes.
    for typical in [10, 45] {
        for count in [3, 10, 30] {
            let tries = (1..=5).map(|seed| ratio_of_one(seed, typical, &EVERYWHERE[..count]));
            let worst = tries.max_by(|(one, _), (other, _)| one.total_cmp(other));
            let (ratio, limit) = worst.expect("a try");
            rows.push(Row {
                what: format!(
                    "apply to Ready ÷ EC2's own time, {count} regions, copies of {} to {} min",
                    typical / 2,
                    2 * typical
                ),
                is: format!("{ratio:.3} of {:.0} min", limit.as_secs_f64() / 60.0),
                target: if limit > Duration::from_mins(20) {
                    "≤ 1.02"
                } else {
                    "≤ 1.05"
                },
            });
        }
    }
    rows
}

fn ratio_of_one(seed: u64, minutes: u64, wanted: &[&str]) -> (f64, Duration) {
    let mut land = Landscape::new(&EVERYWHERE);
    land.knob("baseMilliseconds", 0);
    land.knob("millisecondsPerGib", minutes * 60_000 / GIB);
    let source = land.source(Source::Instance, HOME, wanted[0]);
    let spec = json!({"source": source, "regions": regions(wanted)});
    let (took, fleet) = rolled_out(&land, seed, &EVERYWHERE, &[spec]);
    let world = lock(&fleet.world);
    let copies = wanted[1..]
        .iter()
        .map(|region| longest(&world.regions()[*region]));
    let limit = longest(&world.regions()[wanted[0]]) + copies.max().unwrap_or_default();
    (took.as_secs_f64() / limit.as_secs_f64(), limit)
}

/// How long EC2 took for the image that took longest.
fn longest(region: &Region) -> Duration {
    region
        .images
        .values()
        .map(|image| took(region, image))
        .max()
        .unwrap_or_default()
}

fn took(region: &Region, image: &Image) -> Duration {
    let took = image.snapshot_ids().filter_map(|id| {
        let snapshot = region.snapshots.get(id)?;
        Duration::try_from(snapshot.ends.duration_since(snapshot.started)).ok()
    });
    took.max().unwrap_or_default()
}

/// Applies these to a controller that has come up, and gives how long it took until the last was ready.
fn rolled_out(
    land: &Landscape,
    seed: u64,
    everywhere: &[&str],
    specs: &[serde_json::Value],
) -> (Duration, Fleet) {
    virtual_time(async {
        let account = account("default", HOME, false, everywhere);
        let fleet = Fleet::new(land.world().with_seed(seed), &[account], 20, |ec2| ec2);
        let keys: BTreeSet<_> = (0..specs.len())
            .map(|number| format!("team/image-{number}"))
            .collect();
        let took = fleet
            .live(async {
                tokio::time::sleep(Duration::from_mins(10)).await;
                let applied = fleet.age();
                for (number, spec) in specs.iter().enumerate() {
                    fleet.apply(&format!("team/image-{number}"), spec);
                }
                let ready = fleet.until_ready(&keys, Duration::from_hours(48)).await;
                let ready = ready.unwrap_or_else(|error| panic!("{error}"));
                ready
                    .into_iter()
                    .max()
                    .expect("one")
                    .saturating_sub(applied)
            })
            .await;
        (took, fleet)
    })
}

/// The limit is what EC2 could do at best if it copied as many images at once into each region as it allows, each as
/// soon as it is captured and another one has ended, in the order in which they were.
fn many_images() -> Vec<Row> {
    const IMAGES: usize = 100;
    const AT_ONCE: usize = 20;
    let wanted = &EVERYWHERE[..5];
    let mut land = Landscape::new(&EVERYWHERE);
    land.knob("baseMilliseconds", 0);
    land.knob("millisecondsPerGib", 10 * 60_000 / GIB);
    let specs: Vec<_> = (0..IMAGES)
        .map(|_| {
            let source = land.source(Source::Instance, HOME, wanted[0]);
            json!({"source": source, "regions": regions(wanted)})
        })
        .collect();
    let (took, fleet) = rolled_out(&land, 1, &EVERYWHERE, &specs);
    let world = lock(&fleet.world);
    let captured: BTreeMap<&str, Duration> = {
        let home = &world.regions()[wanted[0]];
        let images = home.images.values();
        images
            .map(|image| (image.name.as_str(), self::took(home, image)))
            .collect()
    };
    let copying = wanted[1..].iter().map(|region| {
        let region = &world.regions()[*region];
        let mut copies: Vec<_> = region.images.values().collect();
        copies.sort_by_key(|copy| copy.created);
        let copies = copies
            .into_iter()
            .map(|copy| (captured[copy.name.as_str()], self::took(region, copy)));
        at_best(copies, AT_ONCE)
    });
    let limit = copying.max().unwrap_or_default();
    vec![Row {
        what: format!("the same, {IMAGES} images × 5 regions, {AT_ONCE} copies at once into each"),
        is: format!(
            "{:.3} of {:.0} min",
            took.as_secs_f64() / limit.as_secs_f64(),
            limit.as_secs_f64() / 60.0
        ),
        target: "≤ 1.10",
    }]
}

/// When the last of these ends, of which each may begin at a time and takes a while, so many at once.
fn at_best(of: impl Iterator<Item = (Duration, Duration)>, at_once: usize) -> Duration {
    let mut free = vec![Duration::ZERO; at_once];
    for (may_begin, takes) in of {
        let first = free.iter_mut().min().expect("some");
        *first = may_begin.max(*first) + takes;
    }
    free.into_iter().max().expect("some")
}

fn calls_of_a_roll_out() -> Vec<Row> {
    let mut land = Landscape::new(&REGIONS);
    land.knob("baseMilliseconds", 10 * 60_000);
    let source = land.source(Source::Instance, HOME, REGIONS[0]);
    let (took, fleet) = virtual_time(async {
        let account = account("default", HOME, false, &REGIONS);
        let fleet = Fleet::new(land.world(), &[account], 20, |ec2| ec2);
        let story = async {
            tokio::time::sleep(Duration::from_mins(10)).await;
            let before = fleet.calls(0).len();
            fleet.apply(
                "team/image",
                &json!({"source": source, "regions": regions(&REGIONS)}),
            );
            let all = ["team/image".to_owned()].into();
            let ready = fleet.until_ready(&all, Duration::from_hours(6)).await;
            ready.unwrap_or_else(|error| panic!("{error}"));
            before
        };
        let before = fleet.live(story).await;
        (before, fleet)
    });
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for call in fleet.calls(took) {
        *counts.entry(call.action).or_default() += 1;
    }
    if env::var_os("TRACE").is_some() {
        for call in fleet.calls(took) {
            eprintln!("{} {} {}", call.time, call.region, call.action);
        }
    }
    eprintln!("{counts:?}");
    vec![Row {
        what: "EC2 calls from apply to Ready, 1 image × 3 regions, copies of 10 min".to_owned(),
        is: counts.values().sum::<u64>().to_string(),
        target: "≤ 60",
    }]
}

/// What an hour at rest costs in each region, once everything is proven to be as it should.
fn calls_at_rest() -> Vec<Row> {
    let of = |count: usize| {
        let settled = Settled::of(count);
        virtual_time(async {
            let fleet = Fleet::new(
                settled.world.clone(),
                std::slice::from_ref(&settled.account),
                20,
                |ec2| ec2,
            );
            settled.put_into(fleet.kubernetes()).await;
            let story = async {
                tokio::time::sleep(Duration::from_mins(30)).await;
                let (calls, writes) = (fleet.calls(0).len(), fleet.status_writes());
                tokio::time::sleep(Duration::from_hours(1)).await;
                (fleet.calls(calls), fleet.status_writes() - writes)
            };
            let (calls, status_writes) = fleet.live(story).await;
            let is_read =
                |action: &str| action.starts_with("Describe") || action.starts_with("Get");
            let writes = calls.iter().filter(|call| !is_read(&call.action)).count();
            let lists = calls
                .iter()
                .filter(|call| call.action == "DescribeImages")
                .count();
            let others = calls.len() - writes - lists;
            let number = |of: usize| f64::from(u32::try_from(of).expect("a number"));
            let an_hour = |calls: usize| number(calls) / number(REGIONS.len());
            Row {
                what: format!("reads an hour and region at rest, {count} objects × 3 regions"),
                is: format!(
                    "{:.1} of images, {:.1} other; {} writes",
                    an_hour(lists),
                    an_hour(others),
                    writes + usize::try_from(status_writes).expect("a number")
                ),
                target: match count {
                    10_000 => "12 to 13.4 × 10 pages, 0 writes",
                    _ => "12 to 13.4, 0 writes",
                },
            }
        })
    };
    [10, 1_000, 10_000].map(of).into()
}

/// A real process with ten thousand objects, over HTTP: its cluster and its EC2 are in this one.
fn a_real_process() -> Vec<Row> {
    const OBJECTS: usize = 10_000;
    /// The first pass is over when hardly anything was done for so long.
    const QUIET: Duration = Duration::from_secs(20);
    const RESTS: Duration = Duration::from_mins(6);
    let settled = Settled::of(OBJECTS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let world = rights::restricted(settled.world.clone());
    let front = Front::new(Arc::new(Mutex::new(world)));
    let log = front.log().clone();
    let (ec2, kubernetes, objects) = runtime.block_on(async {
        let kubernetes = cluster(&Clock::real(), 1);
        kubernetes.apply(&settled.account).expect("an account");
        settled.put_into(&kubernetes).await;
        let (ec2, cluster) = (listener().await, listener().await);
        let addresses = (address(&ec2), address(&cluster));
        tokio::spawn(ec2sim::serve(ec2, front, FastClock::start(1.0)));
        tokio::spawn(serve(cluster, kubernetes.clone()));
        (addresses.0, addresses.1, kubernetes)
    });
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, kubeconfig_of(kubernetes)).expect("a kubeconfig");
    let began = Instant::now();
    let mut amity = start(&kubeconfig, ec2);
    // Until each was reconciled and little more is done.
    let (first_pass, took) = loop {
        let (before, since) = (used(&mut amity), began.elapsed());
        std::thread::sleep(QUIET);
        let is_quiet = used(&mut amity).saturating_sub(before) < QUIET / 100;
        if is_quiet && reconciles(&amity) >= OBJECTS as u64 {
            break (before, since);
        }
    };
    let rests_from = (used(&mut amity), Instant::now());
    std::thread::sleep(RESTS);
    let at_rest = used(&mut amity).saturating_sub(rests_from.0).as_secs_f64()
        / rests_from.1.elapsed().as_secs_f64();
    let memory = amity.process().resident_memory().expect("a process");
    let is_read = |action: &str| {
        ["Describe", "Get", "Assume"]
            .iter()
            .any(|verb| action.starts_with(verb))
    };
    let writes = log
        .records()
        .iter()
        .filter(|call| !is_read(&call.action))
        .count();
    let status_writes = objects
        .writes()
        .get("machineimages/status")
        .copied()
        .unwrap_or(0);
    amity.kill9();
    vec![
        Row {
            what: format!("resident memory, {OBJECTS} objects × 3 regions"),
            is: format!("{} MB", memory / 1_000_000),
            target: "< 100 MB",
        },
        Row {
            what: format!(
                "processor time of the first pass after a restart, {OBJECTS} objects × 3 regions"
            ),
            is: format!(
                "{:.1} s in {:.0} s, {writes} EC2 writes, {} of statuses",
                first_pass.as_secs_f64(),
                took.as_secs_f64(),
                status_writes.saturating_sub(OBJECTS as u64)
            ),
            target: "< 60 s, no EC2 write",
        },
        Row {
            what: format!("processor time at rest, {OBJECTS} objects × 3 regions"),
            is: format!("{:.2} % of a core", at_rest * 100.0),
            target: "< 1 %",
        },
    ]
}

fn start(kubeconfig: &Path, ec2: SocketAddr) -> Amity {
    let mut amity = Amity::start_with(
        &binary("amity"),
        kubeconfig,
        &format!("http://{ec2}"),
        &[
            "--owner-id",
            rights::OWNER,
            "--lease-namespace",
            "amity-system",
        ],
        &[("AWS_ACCESS_KEY_ID", ACCESS_KEY)],
    )
    .expect("a process");
    amity.wait_ready().expect("it comes up");
    amity
}

fn used(amity: &mut Amity) -> Duration {
    amity.process().processor_time().expect("a process")
}

/// How many reconciles there were so far.
fn reconciles(amity: &Amity) -> u64 {
    let metrics = amity.metrics().unwrap_or_default();
    let counts = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("amity_reconciles_total{"));
    counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("an address")
}

/// The cluster on a port.
async fn serve(listener: TcpListener, kubernetes: Kubernetes) {
    let answer = move |request: Request| {
        let kubernetes = kubernetes.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX)
                .await
                .unwrap_or_default();
            let request = Request::from_parts(parts, kube::client::Body::from(body));
            kubernetes.answer(request).await.map(axum::body::Body::new)
        }
    };
    axum::serve(listener, Router::new().fallback(answer))
        .await
        .expect("it serves");
}

fn kubeconfig_of(server: SocketAddr) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubesim", "cluster": {"server": format!("http://{server}")}}],
        "users": [{"name": "amity", "user": {}}],
        "contexts": [{"name": "kubesim", "context": {"cluster": "kubesim", "user": "amity"}}],
        "current-context": "kubesim",
    })
    .to_string()
}
