//! What the user of a story writes: sources of all kinds, regions, tags and retention, and changes of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cast::{Account, FRIENDS, Key, ORGANIZATION, UNIT};
use crate::chance::Chance;
use crate::expected::wanted;
use crate::regions;
use crate::sources::{Content, Kind, Sources};

/// What the user has written, and wrote before.
pub struct Plot {
    /// Whether the instance and the image of its account are of Windows.
    has_windows: bool,
    /// The other accounts that there are.
    others: BTreeSet<&'static Account>,
    sources: Sources,
    /// Whether another object may be made from what it publishes.
    is_built_upon: bool,
    /// The spec as it is now.
    pub spec: Value,
    /// `source` and `rebuild` of specs that were published, the latest last.
    past: Vec<Content>,
}

impl Plot {
    /// That of one of these objects, of the accounts that there are.
    pub fn new(
        chance: &Chance,
        key: &Key,
        all: &[Key],
        mut others: BTreeSet<&'static Account>,
    ) -> Self {
        others.remove(key.account);
        let is_like_it =
            |other: &&Key| (other.account, other.namespace) == (key.account, key.namespace);
        let mut alike = all.iter().filter(is_like_it);
        let before = alike.by_ref().take_while(|other| *other != key).last();
        let is_built_upon = alike.next().is_some();
        let sources = Sources::new(key.account, before);
        let mut spec = json!({
            "source": sources.any(chance),
            "regions": regions(chance.pick::<&[&str]>(&[
                &["us-east-1", "eu-west-1", "ap-northeast-1"],
                &["eu-west-1", "ap-northeast-1"],
                &["us-east-1"],
            ])),
            "tags": {"team": "web"},
        });
        if chance.per_mille(200) {
            spec["nameTemplate"] = "{namespace} ({name}) {revision}".into();
        }
        follow(&mut spec, chance);
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
            has_windows: key.account.has_windows,
            others,
            sources,
            is_built_upon,
            spec,
            past: Vec::new(),
        };
        plot.serves_others();
        plot.launch_fast(chance);
        plot
    }

    /// Windows only, and with what others have, off: what was on before is not left on.
    fn launch_fast(&mut self, chance: &Chance) {
        if !self.has_windows {
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

    /// What others are made from is in the region in which they look for it, and as plain as they want it.
    fn serves_others(&mut self) {
        if !self.is_built_upon {
            return;
        }
        let names = self.spec["regions"].as_array().into_iter().flatten();
        let mut names: Vec<_> = names.filter_map(|region| region["name"].as_str()).collect();
        if !names.contains(&"us-east-1") {
            names.push("us-east-1");
        }
        self.spec["regions"] = regions(&names);
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
        let is_there = self.sources.have(self.kind());
        let was_published = |past: &Content| past.is_of(&self.spec);
        if !is_there && !self.past.iter().any(was_published) {
            self.spec["source"] = self.sources.any(chance);
        }
        if !self.kind().can_be_followed() {
            follow_no_more(&mut self.spec);
        }
        self.launch_fast(chance);
    }

    /// What the spec is made from.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.spec)
    }

    /// Whether another object may be made from what it publishes.
    pub fn is_built_upon(&self) -> bool {
        self.is_built_upon
    }

    /// Whether its source is looked at again by itself.
    pub fn follows(&self) -> bool {
        !self.spec["follow"].is_null()
    }

    /// Whether an object with this spec can take back what it left: where it is, as it is, and for the same revision.
    pub fn can_be_taken_back(&self) -> bool {
        let spec = &self.spec;
        let is_left_out = |field: &Value| field.is_null() || *field == json!([]);
        !self.kind().can_be_followed()
            && is_left_out(&spec["follow"])
            && is_left_out(&spec["accounts"])
            && is_left_out(&spec["regions"][0]["encryption"])
            && is_left_out(&spec["publish"]["ssmParameterName"])
            && is_left_out(&spec["publish"]["configMapName"])
    }

    /// There is no such source any more; the user makes it of another one.
    pub fn source_is_gone(&mut self, kind: Kind, chance: &Chance) {
        self.sources.lose(kind);
        self.spec["source"] = self.sources.any(chance);
        self.rebuild(chance);
    }

    /// The user changes something, and says what.
    pub fn change(&mut self, chance: &Chance) -> &'static str {
        let what = self.changed(chance);
        if chance.per_mille(200) {
            follow(&mut self.spec, chance);
        }
        self.serves_others();
        self.is_made_of_what_is_there(chance);
        what
    }

    fn changed(&mut self, chance: &Chance) -> &'static str {
        let new_rebuild = || json!(format!("again {}", chance.next()));
        let choice = chance.next() % 9;
        let spec = &mut self.spec;
        match (choice, self.past.last()) {
            (0 | 1, Some(_)) => {
                let Content {
                    source, rebuild, ..
                } = chance.pick(&self.past).clone();
                (spec["source"], spec["rebuild"]) = (source, rebuild);
                "reverted"
            }
            (0 | 2, _) => {
                spec["rebuild"] = new_rebuild();
                "rebuilt"
            }
            (1 | 3, _) => {
                (spec["source"], spec["rebuild"]) = (self.sources.any(chance), new_rebuild());
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
        json!({}),
    ];
    let encryption = chance.pick(&keys);
    encrypt_with(spec, encryption);
    // What is encrypted is not for everybody, and with the default key of EBS for nobody else.
    let is_public = !spec["sharing"]["visibility"].is_null();
    if !spec["sharing"].is_null() && (is_public || *encryption == json!({})) {
        spec["sharing"] = json!({});
    }
}

fn encrypt_with(spec: &mut Value, encryption: &Value) {
    let regions = spec["regions"].as_array_mut().into_iter().flatten();
    for region in regions.filter(|_| !encryption.is_null()) {
        region["encryption"] = encryption.clone();
    }
}

/// Looks at the source again now and then, or no more; what cannot lead elsewhere is not looked at.
fn follow(spec: &mut Value, chance: &Chance) {
    let interval = *chance.pick(&[Some("10m"), Some("30m"), None]);
    match interval.filter(|_| Kind::of(spec).can_be_followed()) {
        Some(interval) => spec["follow"] = json!({"interval": interval}),
        None => follow_no_more(spec),
    }
}

fn follow_no_more(spec: &mut Value) {
    spec.as_object_mut().expect("a spec").remove("follow");
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
            chance.pick(&[
                json!("Enabled"),
                json!("Enabled"),
                json!("Enabled"),
                json!("EnabledWithCooldown"),
                json!("Disabled"),
                json!("Disabled"),
                json!("Disabled"),
                json!("Disabled"),
            ]),
        ),
        ("imdsSupport", chance.pick(&[json!("v2.0"), Value::Null])),
        (
            "copyDuration",
            chance.pick(&[json!("15m"), json!("30m"), Value::Null]),
        ),
        (
            "sharing",
            chance.pick(&[
                json!({"accounts": FRIENDS}),
                json!({"accounts": [FRIENDS[0]], "organizations": [ORGANIZATION]}),
                json!({"organizations": [ORGANIZATION], "organizationalUnits": [UNIT]}),
                json!({"visibility": "Public"}),
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
