//! What the user of a story writes: sources of all kinds, regions, tags and retention, and changes of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cast::{Account, FRIENDS, ORGANIZATION};
use crate::chance::Chance;
use crate::expected::wanted;
use crate::regions;

/// An image that its publisher replaces by newer ones under the same name.
pub const UPSTREAM: (&str, &str) = ("us-east-1", "al2023");

/// What the user has written, and wrote before.
pub struct Plot {
    account: &'static Account,
    /// The other accounts that there are.
    others: BTreeSet<&'static Account>,
    /// What there is to make images from.
    pub sources: Vec<Kind>,
    /// The spec as it is now.
    pub spec: Value,
    /// `source` and `rebuild` of specs that were published, the latest last.
    past: Vec<Content>,
}

/// What an image is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Instance,
    Snapshot,
    Image,
    Upstream,
}

/// What makes a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    source: Value,
    rebuild: Value,
}

impl Content {
    pub fn of(spec: &Value) -> Self {
        Self {
            source: spec["source"].clone(),
            rebuild: spec["rebuild"].clone(),
        }
    }
}

impl Plot {
    pub fn new(
        chance: &Chance,
        account: &'static Account,
        mut others: BTreeSet<&'static Account>,
    ) -> Self {
        use Kind::{Image, Instance, Snapshot, Upstream};
        others.remove(account);
        let sources = vec![Instance, Instance, Instance, Snapshot, Image, Upstream];
        let mut spec = json!({
            "source": source(*chance.pick(&sources), account, chance),
            "regions": regions(chance.pick::<&[&str]>(&[
                &["us-east-1", "eu-west-1", "ap-northeast-1"],
                &["eu-west-1", "ap-northeast-1"],
                &["us-east-1"],
            ])),
            "tags": {"team": "web"},
        });
        if let Some(retention) = retention(chance) {
            spec["retention"] = retention;
        }
        if chance.per_mille(300) {
            say_more(&mut spec, chance);
        }
        if chance.per_mille(200) {
            encrypt(&mut spec, chance);
        }
        if chance.per_mille(200) {
            want_in_another_account(&mut spec, &others, chance);
        }
        let mut plot = Self {
            account,
            others,
            sources,
            spec,
            past: Vec::new(),
        };
        plot.launch_fast(chance);
        plot
    }

    /// Windows only, and with what others have, off: what was on before is not left on.
    fn launch_fast(&mut self, chance: &Chance) {
        if !self.account.has_windows {
            return;
        }
        let settings = [
            json!({"targetResourceCount": 2}),
            json!({"targetResourceCount": 3, "maxParallelLaunches": 8}),
            json!({}),
        ];
        let is_windows = matches!(self.kind(), Kind::Instance | Kind::Image);
        let settings = chance.pick(&settings);
        self.spec["fastLaunch"] = if is_windows {
            settings.clone()
        } else {
            json!({})
        };
    }

    /// The spec as it stands was published. `retained` are the contents that can be had again.
    pub fn was_published(&mut self, retained: Vec<Content>) {
        self.past = retained;
    }

    /// The user wants it made anew.
    pub fn rebuild(&mut self, chance: &Chance) {
        self.spec["rebuild"] = json!(format!("again {}", chance.next()));
        self.is_made_of_what_is_there(chance);
    }

    /// Nobody wants something new of a source that is gone.
    fn is_made_of_what_is_there(&mut self, chance: &Chance) {
        let is_there = self.sources.contains(&self.kind());
        if !is_there && !self.past.contains(&Content::of(&self.spec)) {
            self.spec["source"] = source(*chance.pick(&self.sources), self.account, chance);
        }
        self.launch_fast(chance);
    }

    /// What the spec is made from.
    pub fn kind(&self) -> Kind {
        let source = &self.spec["source"];
        match () {
            () if !source["instance"].is_null() => Kind::Instance,
            () if !source["snapshot"].is_null() => Kind::Snapshot,
            () if source["image"]["imageId"].is_null() => Kind::Upstream,
            () => Kind::Image,
        }
    }

    /// Whether an object with this spec can take back what it left: where it is, as it is, and for the same revision.
    pub fn can_be_taken_back(&self) -> bool {
        let spec = &self.spec;
        let is_left_out = |field: &Value| field.is_null() || *field == json!([]);
        self.kind() != Kind::Upstream
            && is_left_out(&spec["follow"])
            && is_left_out(&spec["accounts"])
            && is_left_out(&spec["regions"][0]["encryption"])
            && is_left_out(&spec["publish"]["ssmParameterName"])
            && is_left_out(&spec["publish"]["configMapName"])
    }

    /// There is no such source any more; the user makes it of another one.
    pub fn source_is_gone(&mut self, kind: Kind, chance: &Chance) {
        self.sources.retain(|other| *other != kind);
        self.spec["source"] = source(*chance.pick(&self.sources), self.account, chance);
        self.rebuild(chance);
    }

    /// The user changes something, and says what.
    pub fn change(&mut self, chance: &Chance) -> &'static str {
        let what = self.changed(chance);
        self.is_made_of_what_is_there(chance);
        what
    }

    fn changed(&mut self, chance: &Chance) -> &'static str {
        let (sources, account) = (&self.sources, self.account);
        let new_rebuild = || json!(format!("again {}", chance.next()));
        let choice = chance.next() % 9;
        let spec = &mut self.spec;
        match (choice, self.past.last()) {
            (0 | 1, Some(_)) => {
                let Content { source, rebuild } = chance.pick(&self.past).clone();
                (spec["source"], spec["rebuild"]) = (source, rebuild);
                "reverted"
            }
            (0 | 2, _) => {
                spec["rebuild"] = new_rebuild();
                "rebuilt"
            }
            (1 | 3, _) => {
                let other = source(*chance.pick(sources), account, chance);
                (spec["source"], spec["rebuild"]) = (other, new_rebuild());
                "made from another source"
            }
            (4, _) => {
                let elsewhere = chance.pick::<&[&str]>(&[
                    &["us-east-1", "eu-west-1", "ap-southeast-2"],
                    &["ap-northeast-1"],
                ]);
                want_in(spec, elsewhere);
                "wanted elsewhere"
            }
            (5, _) => {
                spec["tags"] = json!({"team": "api", "stage": "prod"});
                "tagged"
            }
            (6, _) => {
                spec["retention"] = retention(chance).unwrap_or_else(|| json!({"revisions": 0}));
                spec["rebuild"] = new_rebuild();
                "retained otherwise"
            }
            (7, _) => {
                say_more(spec, chance);
                encrypt(spec, chance);
                want_in_another_account(spec, &self.others, chance);
                "described otherwise"
            }
            _ => {
                spec["rebuild"] = new_rebuild();
                want_in(spec, &["us-west-2", "eu-west-1"]);
                spec["tags"] = json!({});
                "changed all over"
            }
        }
    }
}

/// In one more account, or in none. What was registered is lent by its copies only, so that there has to be one.
fn want_in_another_account(spec: &mut Value, others: &BTreeSet<&Account>, chance: &Chance) {
    let Some(other) = others.last() else {
        return;
    };
    let has_a_copy = wanted(spec).iter().any(|region| region != "us-east-1");
    let in_regions = chance.pick::<&[&str]>(&[&["us-east-1"], &["eu-west-1", "us-east-1"], &[]]);
    // What is encrypted with the default key of EBS cannot be lent.
    let is_plain = spec["regions"][0]["encryption"].is_null();
    spec["accounts"] = if has_a_copy && is_plain && !in_regions.is_empty() {
        json!([{"name": other.name, "regions": regions(in_regions)}])
    } else {
        json!([])
    };
}

/// In other regions, encrypted as before.
fn want_in(spec: &mut Value, names: &[&str]) {
    let encryption = spec["regions"][0]["encryption"].clone();
    spec["regions"] = regions(names);
    encrypt_with(spec, &encryption);
}

/// With one key or another, everywhere. What was encrypted once stays so: no plain image might be left to copy.
fn encrypt(spec: &mut Value, chance: &Chance) {
    if spec["accounts"]
        .as_array()
        .is_some_and(|accounts| !accounts.is_empty())
    {
        return;
    }
    let keys = [
        json!({"kmsKeyId": "alias/images"}),
        json!({"kmsKeyId": "alias/other"}),
    ];
    encrypt_with(spec, chance.pick(&keys));
}

fn encrypt_with(spec: &mut Value, encryption: &Value) {
    let regions = spec["regions"].as_array_mut().into_iter().flatten();
    for region in regions.filter(|_| !encryption.is_null()) {
        region["encryption"] = encryption.clone();
    }
}

fn source(kind: Kind, account: &Account, chance: &Chance) -> Value {
    match kind {
        Kind::Instance => {
            let mut instance = json!({
                "region": "us-east-1",
                "instanceId": account.instance,
                "reboot": chance.pick(&["Once", "Never"]),
            });
            if chance.per_mille(300) {
                instance["volumes"] = json!("RootOnly");
            }
            json!({"instance": instance})
        }
        Kind::Snapshot => json!({"snapshot": {
            "region": "us-east-1",
            "snapshotId": account.snapshot,
            "rootDeviceName": "/dev/xvda",
            "architecture": "x86_64",
        }}),
        Kind::Image => json!({"image": {"region": "us-east-1", "imageId": account.image}}),
        Kind::Upstream => {
            json!({"image": {"region": UPSTREAM.0, "owner": "amazon", "name": UPSTREAM.1}})
        }
    }
}

/// What EC2 lets change of an image that stands.
fn say_more(spec: &mut Value, chance: &Chance) {
    let fields = [
        (
            "description",
            chance.pick(&[json!("the web server"), json!("another"), Value::Null]),
        ),
        (
            "deprecation",
            chance.pick(&[
                json!({"after": "2160h"}),
                json!({"after": "1m", "superseded": "DeprecateAtOnce"}),
                json!({}),
                Value::Null,
            ]),
        ),
        (
            "deregistrationProtection",
            // What somebody protected stays while the spec says nothing of it.
            chance.pick(&[json!("Enabled"), json!("Disabled")]),
        ),
        ("imdsSupport", chance.pick(&[json!("v2.0"), Value::Null])),
        (
            "sharing",
            chance.pick(&[
                json!({"accounts": FRIENDS}),
                json!({"accounts": [FRIENDS[0]], "organizations": [ORGANIZATION]}),
                json!({}),
                Value::Null,
            ]),
        ),
        (
            "publish",
            chance.pick(&[
                json!({"tags": {"channel": "stable"}}),
                json!({"configMapName": format!("images-{}", chance.next())}),
                json!({"tags": {"channel": "beta", "live": ""}}),
                json!({"ssmParameterName": format!("/published/{}", chance.next())}),
                json!({
                    "ssmParameterName": format!("/published/{}", chance.next()),
                    "configMapName": format!("images-{}", chance.next()),
                }),
                json!({}),
            ]),
        ),
    ]
    .map(|(field, value)| (field, value.clone()));
    for (field, value) in fields {
        spec[field] = value;
    }
    tag_more(spec, chance);
}

/// Some regions and snapshots otherwise than the rest.
fn tag_more(spec: &mut Value, chance: &Chance) {
    let more = [
        json!({"team": "region"}),
        json!({"stage": "test", "zone": "a"}),
        json!({}),
    ];
    spec["snapshotTags"] = chance.pick(&more).clone();
    spec["regions"][0]["tags"] = chance.pick(&more).clone();
}

/// None for the default. No age is such that it ends within a story.
fn retention(chance: &Chance) -> Option<Value> {
    match chance.next() % 5 {
        0 | 1 => Some(json!({"revisions": 0})),
        2 => Some(json!({"revisions": 2})),
        3 => Some(json!({"revisions": 0, "minAge": "8760h"})),
        _ => None,
    }
}
