//! Every `MachineImage` that the definition admits, by construction: each strategy is a rule of `api/rules.rs` turned
//! round.

use std::collections::BTreeMap;

use amity_core::api::MachineImage;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Text of up to so many characters, of any script.
fn text(most: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..=most).prop_map(String::from_iter)
}

fn region() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "us-east-1",
            "eu-west-1",
            "ap-southeast-2",
            "us-gov-west-1"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,8}(-[a-z]{1,9}){1,2}-[0-9]{1,3}",
    ]
}

fn id(kind: &'static str) -> impl Strategy<Value = String> {
    prop_oneof!["[0-9a-f]{8}", "[0-9a-f]{17}"].prop_map(move |digits| format!("{kind}-{digits}"))
}

fn device() -> impl Strategy<Value = String> {
    "(/dev/)?(sd[a-z][0-9]{0,2}|xvd[a-z]{1,2}[0-9]{0,2})"
}

/// An object of these fields, without those that are not said.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let said = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(said.map(|(key, value)| (key.to_owned(), value)).collect())
}

fn instance() -> impl Strategy<Value = Value> {
    let volumes = option::of(select(vec!["All", "RootOnly"]));
    (region(), id("i"), select(vec!["Once", "Never"]), volumes).prop_map(
        |(region, id, reboot, volumes)| {
            let said = [
                ("region", json!(region)),
                ("instanceId", json!(id)),
                ("reboot", json!(reboot)),
                ("volumes", json!(volumes)),
            ];
            json!({"instance": object(said)})
        },
    )
}

const ARCHITECTURES: [&str; 5] = ["x86_64", "arm64", "i386", "x86_64_mac", "arm64_mac"];

fn snapshot() -> impl Strategy<Value = Value> {
    let words = (
        select(ARCHITECTURES.to_vec()),
        option::of(select(vec!["legacy-bios", "uefi", "uefi-preferred"])),
        option::of(select(vec!["Enabled", "Disabled"])),
        option::of(select(vec![
            "Linux/UNIX",
            "Windows",
            "Red Hat Enterprise Linux",
        ])),
    );
    let volumes = btree_map(device(), (id("snap"), option::of(any::<bool>())), 0..4);
    (region(), id("snap"), device(), words, volumes).prop_map(
        |(region, id, root, words, volumes)| {
            let (architecture, boot_mode, ena_support, platform) = words;
            let others = volumes.into_iter().filter(|(device, _)| *device != root);
            let volumes: Vec<_> = others
                .map(|(device, (id, goes))| {
                    let goes = ("deleteOnTermination", json!(goes));
                    object([
                        ("deviceName", json!(device)),
                        ("snapshotId", json!(id)),
                        goes,
                    ])
                })
                .collect();
            let said = [
                ("region", json!(region)),
                ("snapshotId", json!(id)),
                ("rootDeviceName", json!(root)),
                ("architecture", json!(architecture)),
                ("bootMode", json!(boot_mode)),
                ("enaSupport", json!(ena_support)),
                ("platformDetails", json!(platform)),
                ("volumes", json!(volumes)),
            ];
            json!({"snapshot": object(said)})
        },
    )
}

fn named_image() -> impl Strategy<Value = Value> {
    let owner = prop_oneof![
        Just("self".to_owned()),
        Just("amazon".to_owned()),
        "[0-9]{12}",
    ];
    let architecture = option::of(select(ARCHITECTURES.to_vec()));
    (
        region(),
        owner,
        r"[a-zA-Z0-9()\[\] ./'@_-]{3,128}",
        architecture,
    )
        .prop_map(|(region, owner, name, architecture)| {
            let said = [
                ("region", json!(region)),
                ("owner", json!(owner)),
                ("name", json!(name)),
                ("architecture", json!(architecture)),
            ];
            json!({"image": object(said)})
        })
}

fn source() -> impl Strategy<Value = Value> {
    let by_id = (region(), id("ami"))
        .prop_map(|(region, id)| json!({"image": {"region": region, "imageId": id}}));
    let parameter = (
        region(),
        "/?[a-zA-Z0-9_.-]{1,40}(/[a-zA-Z0-9_.-]{1,40}){0,8}",
    )
        .prop_map(|(region, name)| json!({"image": {"region": region, "ssmParameter": name}}));
    let other = (region(), "[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
        .prop_map(|(region, name)| json!({"image": {"region": region, "machineImageName": name}}));
    prop_oneof![
        instance(),
        snapshot(),
        by_id,
        named_image(),
        parameter,
        other
    ]
}

/// Tags of at most thirty keys, none of them reserved.
pub fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let any_key = vec(any::<char>(), 1..=127).prop_map(String::from_iter);
    let key = prop_oneof![any_key, "[a-zA-Z0-9 _.:/=+@-]{1,127}"];
    let free = |key: &String| !key.starts_with("aws:") && !key.starts_with("amity.dev/");
    btree_map(
        key.prop_filter("a key that is not reserved", free),
        text(256),
        0..=30,
    )
}

/// Tags of a region or of snapshots, whose keys `spec.tags` has not.
fn more_tags(of: &str) -> impl Strategy<Value = BTreeMap<String, String>> + use<> {
    let key = format!("{of}-[a-zA-Z0-9 _.:/=+@-]{{1,60}}");
    let key = proptest::string::string_regex(&key).expect("a pattern");
    btree_map(key, text(256), 0..=10)
}

/// A template that has the revision, of EC2's characters, without a space at either end.
fn name_template() -> impl Strategy<Value = String> {
    let part = || {
        prop_oneof![
            r"[a-zA-Z0-9()\[\] ./'@_-]{0,20}",
            select(vec!["{name}", "{namespace}", "{revision}"]).prop_map(str::to_owned),
        ]
    };
    (vec(part(), 0..4), vec(part(), 0..4)).prop_map(|(before, after)| {
        let template = before.concat() + "{revision}" + &after.concat();
        template.trim_matches(' ').to_owned()
    })
}

/// A time as users and Amity write it, at the ends of what can be written, too.
fn time() -> impl Strategy<Value = String> {
    select(vec![
        "2026-03-01T12:00:00Z",
        "2026-03-01T11:55:00Z",
        "1970-01-01T00:00:00Z",
        "-009999-01-02T01:59:59Z",
        "9999-12-30T22:00:00Z",
        "tomorrow",
        "",
    ])
    .prop_map(str::to_owned)
}

fn annotations() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let revision = || prop_oneof![Just("REVISION".to_owned()), "[0-9a-f]{10}", text(12)];
    let captured = (revision(), time())
        .prop_map(|(revision, time)| ("amity.dev/captured", format!("{revision} {time}")));
    let discarded = (revision(), text(20))
        .prop_map(|(revision, what)| ("amity.dev/discarded", format!("{revision} {what}")));
    let in_use = revision().prop_map(|revision| ("amity.dev/deregister-in-use", revision));
    vec(prop_oneof![captured, discarded, in_use], 0..3)
}

/// Keys that `spec.tags` has not.
fn publish() -> impl Strategy<Value = Value> {
    let tags = btree_map("publish-[a-zA-Z0-9 _.:/=+@-]{1,119}", text(256), 0..=6);
    let name = option::of("[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?");
    let parameter = option::of("(/[b-rt-z][a-zA-Z0-9_.-]{0,15}){1,15}");
    (name, tags, parameter).prop_map(|(name, tags, parameter)| {
        object([
            ("configMapName", json!(name)),
            ("tags", json!(tags)),
            ("ssmParameterName", json!(parameter)),
        ])
    })
}

fn deprecation() -> impl Strategy<Value = Value> {
    let after = option::of("[0-9]{1,4}[hms]([0-9]{1,3}[ms]){0,2}");
    let superseded = option::of(select(vec!["Keep", "DeprecateAtOnce"]));
    (after, superseded).prop_map(|(after, superseded)| {
        object([("after", json!(after)), ("superseded", json!(superseded))])
    })
}

fn sharing() -> impl Strategy<Value = Value> {
    let root = "arn:aws[a-z-]{0,8}:organizations::[0-9]{12}:";
    let organization = format!("{root}organization/o-[a-z0-9]{{10,32}}");
    let unit = format!("{root}ou/o-[a-z0-9]{{10,32}}/ou-[a-z0-9]{{4,32}}-[a-z0-9]{{8,32}}");
    let texts = |pattern: &str, most| {
        let pattern = proptest::string::string_regex(pattern).expect("a pattern");
        btree_set(pattern, 0..=most)
    };
    let visibility = option::of(select(vec!["Private", "Public"]));
    (
        texts("[0-9]{12}", 300),
        texts(&organization, 20),
        texts(&unit, 100),
        visibility,
    )
        .prop_map(|(accounts, organizations, units, visibility)| {
            object([
                ("accounts", json!(accounts)),
                ("organizations", json!(organizations)),
                ("organizationalUnits", json!(units)),
                ("visibility", json!(visibility)),
            ])
        })
}

fn encryption() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "alias/[a-zA-Z0-9/_-]{1,250}",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "arn:aws:kms:us-east-1:[0-9]{12}:key/mrk-[0-9a-f]{32}",
    ];
    option::of(key).prop_map(|key| object([("kmsKeyId", json!(key))]))
}

fn fast_launch() -> impl Strategy<Value = Value> {
    option::of((1..=1000, option::of(6..=1000))).prop_map(|said| {
        let (target, parallel) = said.unzip();
        object([
            ("targetResourceCount", json!(target)),
            ("maxParallelLaunches", json!(parallel.flatten())),
        ])
    })
}

/// What is said of an image that stands.
fn standing() -> impl Strategy<Value = Value> {
    let protection = option::of(select(vec!["Disabled", "Enabled", "EnabledWithCooldown"]));
    (
        option::of(publish()),
        option::of(deprecation()),
        option::of(sharing()),
        protection,
        option::of(Just("v2.0")),
        option::of(fast_launch()),
    )
        .prop_map(
            |(publish, deprecation, sharing, protection, imds, fast_launch)| {
                object([
                    ("publish", json!(publish)),
                    ("deprecation", json!(deprecation)),
                    ("sharing", json!(sharing)),
                    ("deregistrationProtection", json!(protection)),
                    ("imdsSupport", json!(imds)),
                    ("fastLaunch", json!(fast_launch)),
                ])
            },
        )
}

/// An object in any part of its life.
pub fn image() -> impl Strategy<Value = MachineImage> {
    let said = (
        source(),
        option::of(text(256)),
        option::of(text(255)),
        (tags(), more_tags("snapshot")),
        btree_map(
            region(),
            (option::of(encryption()), more_tags("region")),
            1..=40,
        ),
        name_template(),
    );
    let rules = (
        select(vec!["Delete", "Retain"]),
        0..=20,
        prop_oneof![
            Just("0s".to_owned()),
            "[0-9]{1,3}[hms]([0-9]{1,3}[ms]){0,2}"
        ],
        any::<bool>(),
    );
    let object = (
        "[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?",
        "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        annotations(),
        any::<bool>(),
        any::<bool>(),
    );
    (said, rules, standing(), object).prop_map(|(said, rules, standing, object)| {
        let (source, rebuild, description, (tags, snapshot_tags), regions, template) = said;
        // Thirty keys in all.
        let free = 30 - tags.len();
        let snapshot_tags: BTreeMap<_, _> = snapshot_tags.into_iter().take(free).collect();
        let free = free - snapshot_tags.len();
        let (policy, revisions, min_age, suspend) = rules;
        let (name, namespace, annotations, has_finalizer, is_deleted) = object;
        let filled = template
            .replace("{name}", &name)
            .replace("{namespace}", "")
            .replace("{revision}", "0123456789");
        let template = if filled.len() <= 128 {
            template
        } else {
            "{revision}".to_owned()
        };
        let regions: Vec<_> = regions
            .into_iter()
            .map(|(name, (encryption, tags))| {
                let tags: BTreeMap<_, _> = tags.into_iter().take(free).collect();
                json!({"name": name, "encryption": encryption, "tags": tags})
            })
            .collect();
        let mut spec = json!({
            "source": source,
            "regions": regions,
            "tags": tags,
            "snapshotTags": snapshot_tags,
            "nameTemplate": template,
            "deletionPolicy": policy,
            "retention": {"revisions": revisions, "minAge": min_age},
            "suspend": suspend,
        });
        let optional: Map<_, _> = [("rebuild", rebuild), ("description", description)]
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), json!(text?))))
            .collect();
        let standing = standing.as_object().cloned().unwrap_or_default();
        let fields = spec.as_object_mut().expect("an object");
        fields.extend(optional.into_iter().chain(standing));
        let mut image = MachineImage::new(&name, serde_json::from_value(spec).expect("a spec"));
        let metadata = &mut image.metadata;
        metadata.namespace = Some(namespace);
        metadata.finalizers = has_finalizer.then(|| vec!["amity.dev/cleanup".to_owned()]);
        let deleted = serde_json::from_value(json!("2026-03-01T11:59:00Z")).expect("a time");
        metadata.deletion_timestamp = is_deleted.then_some(deleted);
        // The revision is not known before the spec is.
        let revision = crate::desired(&image).revision.to_string();
        let annotations = annotations.into_iter();
        image.metadata.annotations = Some(
            annotations
                .map(|(key, value)| (key.to_owned(), value.replace("REVISION", &revision)))
                .collect(),
        );
        image
    })
}
