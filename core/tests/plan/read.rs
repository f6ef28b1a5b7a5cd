//! From a case to what the planner is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amity_core::api::conditions::Reason;
use amity_core::api::{
    AdoptedImage, AwsAccount, Deprecation, ImageUser, MachineImage, MachineImageStatus,
    ProgressingRevision, RegionStatus,
};
use amity_core::image::attributes::{Attributes, Protection, whole_minutes};
use amity_core::image::desired::{
    ACCOUNTS, ADOPT, AccountReference, CAPTURED, DEREGISTER_IN_USE, DISCARDED, Desired, Discarded,
    FINALIZER, Installation, LAUNCHED, LIMIT_LIFTED_UNTIL, References, Source, chain,
};
use amity_core::image::encryption::MANAGED_KEY;
use amity_core::image::encryption::{Encryption, VARIANT_SOURCE};
use amity_core::image::fast_launch::{
    FastLaunch, FastLaunchSettings, FastLaunchState, FastLaunchView, WantedFastLaunch,
};
use amity_core::image::identity::{Place, Reference, Revision, TagKeys, tag};
use amity_core::image::machines::{Launched, Machine, MachineState, Machines, MachinesView};
use amity_core::image::observed::{
    AdoptionView, Asked, ConfigMaps, Dead, Departures, EbsDefaults, Image, ImageState, Known,
    Observed, PlaceView, Refusal, Registered, Snapshot, SourceImage, SourceInstance,
    SourceSnapshot, SourceView, Unreadable, Usage, UsageReport,
};
use amity_core::image::permissions::{Grantee, Permissions, Sharing};
use amity_core::image::plan::{SourceQuery, plan, reads};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::json;

use crate::case::{self, Case, Grants, State, Whose};
use crate::parameters;

/// The account of every case.
pub const ACCOUNT: &str = "111122223333";

/// The other accounts, by the names of their `AwsAccount`s.
const OTHERS: [(&str, &str); 2] = [("spoke", "222233334444"), ("lab", "333344445555")];

/// The cluster of every case.
const CLUSTER: &str = "c1";

/// What the planner is given, and the object that it is about.
pub struct Situation {
    pub image: MachineImage,
    pub desired: Desired,
    pub observed: Observed,
    pub now: Timestamp,
}

/// The situation that a case describes.
pub fn situation(case: &Case) -> Result<Situation, String> {
    let mut image = machine_image(case)?;
    let accounts = account_references(case)?;
    let others = chain(&image, |name| {
        let other = case.machine_images.get(name)?;
        Some(another(name, other))
    });
    let of = |image: &MachineImage| {
        let references = References {
            accounts: &accounts,
            namespace_labels: &BTreeMap::new(),
            machine_images: &others,
        };
        let installation = Installation {
            owner: "o1".to_owned(),
            cluster: CLUSTER.to_owned(),
            take_over_from: case.desired.take_over_from.clone(),
            consistency_window: SignedDuration::from_mins(10),
            price_per_gib_month: None,
        };
        Desired::of(image, &installation, references)
    };
    // The record names the revision, which is known only once the spec was read.
    if let Some(captured) = &case.desired.captured {
        let revision = Names(of(&image)).revision(&captured.revision);
        let annotation = format!("{revision} {}", time(&captured.at)?);
        annotate(&mut image, CAPTURED, annotation);
    }
    if let Some(launched) = &case.desired.launched {
        let names = Names(of(&image));
        let revision = names.revision(&launched.revision);
        let (region, at) = (names.0.source.region(), time(&launched.at)?);
        let annotation = Launched::annotation(&revision, launched.attempt, region, at);
        annotate(&mut image, LAUNCHED, annotation);
    }
    if let Some(shown) = &case.desired.discarded {
        let revision = Names(of(&image)).revision(&case.desired.discarded_revision);
        let annotation = Discarded::annotation(&revision, shown);
        annotate(&mut image, DISCARDED, annotation);
    }
    if let Some(recorded) = &case.desired.recorded_accounts {
        annotate(&mut image, ACCOUNTS, recorded.clone());
    }
    if let Some(meant) = &case.desired.adoption_meant_for {
        let names = Names(of(&image));
        let revision = names.revision(meant);
        let word = match &case.desired.adoption_meant_of {
            None => names.0.adoption_word(),
            Some(listed) => {
                let listed = listed.iter().map(|(region, id)| AdoptedImage {
                    region: region.clone(),
                    image_id: id.clone(),
                });
                let mut other = image.clone();
                other.spec.adopt = listed.collect();
                of(&other).adoption_word()
            }
        };
        let (_, hash) = word.rsplit_once('-').expect("REVISION-HASH");
        annotate(&mut image, ADOPT, format!("{revision}-{hash}"));
    }
    if let Some(overridden) = &case.desired.deregister_in_use {
        annotate(&mut image, DEREGISTER_IN_USE, overridden.clone());
    }
    let names = Names(of(&image));
    if let (Some(source), Some(status)) = (
        case.before
            .as_ref()
            .and_then(|before| before.source.clone()),
        &mut image.status,
    ) {
        let revision = names.revision(case.before.as_ref().map_or("current", |it| &it.progressing));
        status.progressing = Some(ProgressingRevision {
            revision: revision.to_string(),
            source,
            start_time: Time(now()),
        });
    }
    let mut desired = of(&image);
    let names = Names(desired.clone());
    let mut observed = observed(case, &names)?;
    desired.settle(&observed);
    if let Some(followed) = &case.followed {
        observed.followed = Some(source_view(followed, &desired, &observed, true)?);
        desired.settle(&observed);
    }
    observed.source = source(case, &desired, &observed)?;
    Ok(Situation {
        image,
        desired,
        observed,
        now: now(),
    })
}

/// The accounts that a case has, the home one as `default`.
fn account_references(case: &Case) -> Result<BTreeMap<String, AccountReference>, String> {
    let mut references = BTreeMap::new();
    let home = [("default", &case.account)];
    let named = OTHERS.iter().map(|(name, _)| {
        let said = case.other_accounts.get(*name);
        (*name, said.unwrap_or(&case.account))
    });
    for (name, said) in home.into_iter().chain(named) {
        let reference = AccountReference {
            account: (!said.missing)
                .then(|| aws_account(case, name, said))
                .transpose()?,
            regions: said.enabled.clone(),
            unusable: None,
        };
        references.insert(name.to_owned(), reference);
    }
    Ok(references)
}

/// `region` of the home account, or `account/region`.
fn place(case: &Case, name: &str) -> Place {
    match name.split_once('/') {
        Some((account, region)) => Place::new(account_id(account), region),
        None if case.account.missing => Place::new("", name),
        None => Place::new(ACCOUNT, name),
    }
}

fn account_id(name: &str) -> &str {
    let mut others = OTHERS.iter();
    others
        .find(|(other, _)| *other == name)
        .map_or(ACCOUNT, |(_, id)| id)
}

/// Another object of the namespace.
fn another(name: &str, said: &case::MachineImage) -> MachineImage {
    let source = match &said.of {
        Some(other) => json!({"region": said.regions[0], "machineImageName": other}),
        None => json!({"region": said.regions[0], "imageId": "ami-1"}),
    };
    let regions = said.regions.iter().map(|region| json!({"name": region}));
    let spec = json!({
        "accountName": said.account_name.as_deref().unwrap_or("default"),
        "source": {"image": source},
        "regions": regions.collect::<Vec<_>>(),
    });
    let spec = serde_json::from_value(spec).expect("a spec");
    let mut image = MachineImage::new(name, spec);
    image.metadata.namespace = Some("prod".to_owned());
    image
}

fn annotate(image: &mut MachineImage, key: &str, value: String) {
    let annotations = image.metadata.annotations.get_or_insert_default();
    annotations.insert(key.to_owned(), value);
}

/// The time at which every case is planned.
pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub fn time(relative: &str) -> Result<Timestamp, String> {
    let complain = || format!("{relative:?} is no time such as -3m or +30s");
    let (number, unit) = relative
        .split_at_checked(relative.len() - 1)
        .ok_or_else(complain)?;
    let number: i64 = number.parse().map_err(|_| complain())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(complain()),
    };
    Ok(now() + SignedDuration::from_secs(number * seconds))
}

fn machine_image(case: &Case) -> Result<MachineImage, String> {
    let wanted = &case.desired;
    let said = &wanted.source;
    let source = match (&said.instance, &said.snapshot, &said.image) {
        (Some(instance), None, None) => {
            let it = parsed(instance)?;
            let reboot = said.reboot.as_deref().unwrap_or("Never");
            let volumes = said.volumes.as_deref().unwrap_or("All");
            json!({"instance": {
                "region": it.region, "instanceId": it.id, "reboot": reboot, "volumes": volumes,
            }})
        }
        (None, Some(snapshot), None) => {
            let it = parsed(snapshot)?;
            let data = said.data.iter();
            let volumes: Vec<_> = data
                .map(|id| json!({"deviceName": "/dev/sdb", "snapshotId": id}))
                .collect();
            json!({"snapshot": {
                "region": it.region,
                "snapshotId": it.id,
                "rootDeviceName": "/dev/xvda",
                "architecture": "arm64",
                "platformDetails": said.platform_details.as_deref().unwrap_or("Linux/UNIX"),
                "volumes": volumes,
            }})
        }
        (None, None, Some(region)) if said.name.is_some() => {
            json!({"image": {
                "region": region,
                "owner": said.owner,
                "name": said.name,
                "architecture": said.architecture,
            }})
        }
        (None, None, Some(region)) if said.machine_image.is_some() => {
            json!({"image": {"region": region, "machineImageName": said.machine_image}})
        }
        (None, None, Some(region)) if said.parameter.is_some() => {
            json!({"image": {"region": region, "ssmParameter": said.parameter}})
        }
        (None, None, Some(image)) => {
            let it = parsed(image)?;
            json!({"image": {"region": it.region, "imageId": it.id}})
        }
        _ => return Err("a source is an instance, a snapshot or an image".to_owned()),
    };
    let source = match &said.build {
        None => source,
        Some(more) => {
            let mut build = more.clone();
            build.insert("parent".to_owned(), source["image"].clone());
            build.entry("instanceType").or_insert(json!("t3.small"));
            json!({"build": build})
        }
    };
    let regions: Vec<_> = wanted
        .regions
        .iter()
        .map(|name| region(wanted, name, name))
        .collect();
    let accounts = wanted.accounts.iter().map(|(name, regions)| {
        let of_account = |name_of_region: &String| format!("{name}/{name_of_region}");
        let regions = regions
            .iter()
            .map(|name| region(wanted, name, &of_account(name)));
        json!({"name": name, "regions": regions.collect::<Vec<_>>()})
    });
    let mut spec = json!({
        "source": source,
        "regions": regions,
        "accounts": accounts.collect::<Vec<_>>(),
        "tags": wanted.tags,
        "snapshotTags": wanted.snapshot_tags,
        "publish": {
            "configMapName": wanted.config_map_name,
            "tags": wanted.publish_tags,
            "ssmParameterName": wanted.ssm_parameter_name,
        },
        "adopt": wanted.adopt.iter().map(|(region, id)| json!({"region": region, "imageId": id})).collect::<Vec<_>>(),
        "suspend": wanted.suspend,
        "follow": wanted.follow.as_ref().map(|interval| json!({"interval": interval})),
        "retention": {
            "revisions": wanted.kept_revisions,
            "minAge": wanted.kept_for.as_deref().unwrap_or("0s"),
        },
    });
    let said = [
        ("rebuild", &wanted.rebuild),
        ("description", &wanted.description),
        ("nameTemplate", &wanted.name_template),
        ("deletionPolicy", &wanted.deletion_policy),
        ("copyDuration", &wanted.copy_duration),
        ("imdsSupport", &wanted.imds_support),
        (
            "deregistrationProtection",
            &wanted.deregistration_protection,
        ),
    ];
    for (field, value) in said {
        if let Some(value) = value {
            spec[field] = json!(value);
        }
    }
    for (field, value) in [
        ("deprecation", &wanted.deprecation),
        ("sharing", &wanted.sharing),
        ("fastLaunch", &wanted.fast_launch),
    ] {
        if let Some(value) = value {
            spec[field] = value.clone();
        }
    }
    let spec = serde_json::from_value(spec).map_err(|why| why.to_string())?;
    let mut image = MachineImage::new("web", spec);
    image.metadata.namespace = Some("prod".to_owned());
    image.metadata.generation = Some(3);
    image.metadata.finalizers = wanted.finalizer.then(|| vec![FINALIZER.to_owned()]);
    image.metadata.deletion_timestamp = wanted.deleted.as_deref().map(time).transpose()?.map(Time);
    image.status = case.before.as_ref().map(status);
    Ok(image)
}

/// A region as a user writes it, with what is said of it under `key`.
fn region(wanted: &case::Desired, name: &str, key: &str) -> serde_json::Value {
    let encryption = wanted.encryption.get(key).map(|key| encryption_of(key));
    let tags = wanted.region_tags.get(key).cloned().unwrap_or_default();
    json!({"name": name, "encryption": encryption, "tags": tags})
}

/// As a user writes it.
fn encryption_of(key: &str) -> serde_json::Value {
    match key {
        "default" => json!({}),
        key => json!({"kmsKeyId": key}),
    }
}

fn parsed(text: &str) -> Result<Reference, String> {
    text.parse()
        .map_err(|()| format!("{text} is not region/id"))
}

fn status(before: &case::Before) -> MachineImageStatus {
    let condition = |type_: &str, status: bool| Condition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: if type_ == "Ready" {
            "InSync"
        } else {
            "Published"
        }
        .to_owned(),
        message: "as before".to_owned(),
        last_transition_time: Time(now()),
        observed_generation: Some(before.generation),
    };
    let ready = before.ready.map(|status| condition("Ready", status));
    let region = |(name, id): (&String, &String)| RegionStatus {
        account_name: "default".to_owned(),
        stored_gib: None,
        name: name.clone(),
        published_image_id: Some(id.clone()),
        progressing: None,
        message: None,
        in_use_by: Vec::new(),
    };
    MachineImageStatus {
        observed_generation: before.generation,
        conditions: ready
            .into_iter()
            .chain([condition("Available", before.available)])
            .collect(),
        regions: before.published.iter().map(region).collect(),
        ..MachineImageStatus::default()
    }
}

/// With the grants that are said, and that of images of the home account.
fn aws_account(case: &Case, name: &str, said: &case::Account) -> Result<AwsAccount, String> {
    let everybody = json!({"all": true});
    let capture = match said.grants {
        Grants::All => json!([{"namespaces": everybody}]),
        Grants::TaggedInstances => {
            json!([{"namespaces": everybody, "instanceTags": {"amity-capture": "allowed"}}])
        }
        Grants::None => json!([]),
    };
    let builds = match said.grants {
        Grants::All => json!([{"namespaces": everybody, "instanceProfiles": ["builder"]}]),
        _ => json!([]),
    };
    let adopt = match said.grants {
        Grants::All => json!([{"namespaces": everybody}]),
        _ => json!([]),
    };
    let snapshots = match said.grants {
        Grants::All => json!([{"namespaces": everybody}]),
        _ => json!([]),
    };
    let owners = match said.grants {
        Grants::None => json!([]),
        _ => json!([{"namespaces": everybody, "owners": ["self", "amazon", ACCOUNT]}]),
    };
    let sharing = match (said.grants, &case.desired.sharing) {
        (Grants::All, Some(asked)) => {
            let mut grant = asked.clone();
            let fields = grant.as_object_mut().ok_or("sharing has fields")?;
            fields.remove("visibility");
            fields.insert("namespaces".to_owned(), everybody.clone());
            json!([grant])
        }
        _ => json!([]),
    };
    let public = match said.grants {
        Grants::All => json!([{"namespaces": everybody}]),
        _ => json!([]),
    };
    let parameters = match case.account.grants {
        Grants::All => json!([{"namespaces": everybody, "paths": ["/"]}]),
        _ => json!([]),
    };
    let spec = json!({
        "accountId": account_id(name),
        "regions": said.regions,
        "grants": {
            "capture": capture,
            "builds": builds,
            "snapshots": snapshots,
            "sourceOwners": owners,
            "sharing": sharing,
            "public": public,
            "parameters": parameters,
            "adopt": adopt,
            "usageReports": if said.usage_reports { json!([{"namespaces": everybody}]) } else { json!([]) },
        },
    });
    let spec = serde_json::from_value(spec).map_err(|why| why.to_string())?;
    let mut account = AwsAccount::new(name, spec);
    account.metadata.deletion_timestamp = said.deleted.then(|| Time(now()));
    let until = said.limit_lifted_until.as_deref().map(time);
    let until = until.transpose()?.map(|until| until.to_string());
    if let Some(until) = until.or_else(|| said.limit_lifted_until_text.clone()) {
        let annotation = (LIMIT_LIFTED_UNTIL.to_owned(), until);
        account.metadata.annotations = Some(BTreeMap::from([annotation]));
    }
    Ok(account)
}

/// What is asked of the source in this situation.
fn source_query(desired: &Desired, observed: &Observed) -> Option<SourceQuery> {
    reads(desired, observed, &plan(desired, observed, now()), now()).source
}

fn source(case: &Case, desired: &Desired, observed: &Observed) -> Result<SourceView, String> {
    let default = case::Source {
        state: None,
        tags: BTreeMap::new(),
        unsupported: None,
        owner: None,
        alias: None,
        id: None,
        name: None,
        architecture: None,
        devices: Vec::new(),
        missing: None,
        object: None,
        unpublished: false,
        no_image: None,
        unreadable: None,
        unreadable_reason: None,
        unread: source_query(desired, observed).is_none(),
    };
    let said = case.source.as_ref().unwrap_or(&default);
    source_view(said, desired, observed, false)
}

/// What is said of a source, or of what it leads to `anew`.
fn source_view(
    said: &case::Source,
    desired: &Desired,
    observed: &Observed,
    anew: bool,
) -> Result<SourceView, String> {
    if said.unread {
        return Ok(SourceView::NotRead);
    }
    if let Some(message) = &said.missing {
        return Ok(SourceView::Missing {
            message: message.clone(),
        });
    }
    if said.unpublished {
        return Ok(SourceView::Unpublished);
    }
    if let Some(message) = &said.no_image {
        return Ok(SourceView::NoImage {
            message: message.clone(),
        });
    }
    if let Some(message) = &said.unreadable {
        return Ok(SourceView::Unreadable(unreadable(
            message,
            said.unreadable_reason.as_deref(),
        )?));
    }
    let (id, name) = match desired.source.looked_up() {
        Source::Build(_) => return Err("what is looked up is an image".to_owned()),
        Source::Instance { .. } => {
            return Ok(SourceView::Instance(SourceInstance {
                state: said.state.clone().unwrap_or_else(|| "running".to_owned()),
                tags: said.tags.clone(),
                data_devices: said.devices.clone(),
                unsupported: said.unsupported.clone(),
            }));
        }
        Source::Snapshot { registration, .. } => {
            let snapshot = |id: &str| SourceSnapshot {
                id: id.to_owned(),
                state: said.state.clone().unwrap_or_else(|| "completed".to_owned()),
                owner: said.owner.clone().unwrap_or_else(|| ACCOUNT.to_owned()),
                tags: said.tags.clone(),
            };
            return Ok(SourceView::Snapshots(
                registration.snapshots().map(snapshot).collect(),
            ));
        }
        Source::Image(image) => (image.id.clone(), "any".to_owned()),
        found @ (Source::NamedImage(_) | Source::Parameter(_) | Source::Published(_)) => {
            let newest = said.id.clone().unwrap_or_else(|| "ami-newest".to_owned());
            // What was resolved once is read by its id.
            let id = match source_query(desired, observed) {
                Some(SourceQuery::Image(pinned)) if !anew => pinned.id,
                _ => newest,
            };
            let name = match found {
                Source::NamedImage(named) => named.name.clone(),
                _ => "any".to_owned(),
            };
            (id, name)
        }
    };
    let state = match said.state.as_deref() {
        None | Some("available") => ImageState::Available,
        Some("pending") => ImageState::Pending,
        Some("disabled") => ImageState::Disabled,
        Some("failed") => ImageState::Failed,
        Some(other) => return Err(format!("{other} is no state of a source image")),
    };
    Ok(SourceView::Image(SourceImage {
        id,
        name: said.name.clone().unwrap_or(name),
        architecture: said
            .architecture
            .clone()
            .unwrap_or_else(|| "arm64".to_owned()),
        state,
        owner: said.owner.clone().unwrap_or_else(|| ACCOUNT.to_owned()),
        size_gib: None,
        owner_alias: said.alias.clone(),
        object: match &desired.source {
            Source::Published(published) => Some(
                said.object
                    .clone()
                    .unwrap_or_else(|| published.object.clone()),
            ),
            _ => said.object.clone(),
        },
    }))
}

fn machines(case: &Case, names: &Names) -> Result<MachinesView, String> {
    if let Some(message) = &case.machines_unreadable {
        return Ok(MachinesView::Unknown(unreadable(message, None)?));
    }
    let (identity, place) = (&names.0.identity, names.0.source_place());
    let parent = Reference::new(place.region.as_str(), "ami-parent");
    let machine = |said: &case::Machine| {
        let revision = names.revision(&said.revision);
        let token = identity.machine_token(&revision, &place, said.attempt);
        let tags = identity.machine_tags(&revision, &parent, said.attempt);
        Ok(Machine {
            id: said.id.clone(),
            state: match said.state.as_deref() {
                None | Some("running") => MachineState::Running,
                Some("pending") => MachineState::Pending,
                Some("stopping") => MachineState::Stopping,
                Some("stopped") => MachineState::Stopped,
                Some("terminated") => MachineState::Terminated,
                Some(other) => return Err(format!("{other} is no state of a machine")),
            },
            launched: time(&said.launched)?,
            token: if said.stranger { String::new() } else { token },
            state_reason: said.reason.clone(),
            tags: tags.into(),
        })
    };
    let all = case
        .machines
        .iter()
        .map(machine)
        .collect::<Result<_, String>>()?;
    Ok(MachinesView::Known(Machines { all, as_of: now() }))
}

fn observed(case: &Case, names: &Names) -> Result<Observed, String> {
    let empty = case::Place::default();
    let origin = names.0.source.region().to_owned();
    let unnamed = case
        .desired
        .regions
        .iter()
        .chain([&origin])
        .cloned()
        .chain(case.desired.accounts.iter().flat_map(|(name, regions)| {
            regions.iter().map(move |region| format!("{name}/{region}"))
        }))
        .filter(|region| !case.observed.contains_key(region));
    let unnamed: Vec<_> = unnamed.collect();
    let mut observed = Observed::default();
    for (name, said) in case
        .observed
        .iter()
        .chain(unnamed.iter().map(|name| (name, &empty)))
    {
        let here = place(case, name);
        let view = match &said.unreadable {
            Some(message) => PlaceView::Unreadable(unreadable(message, said.reason.as_deref())?),
            None => PlaceView::Known(known(case, names, &here.region, said)?),
        };
        for image in &said.images {
            if let Some(usage) = usage(image)? {
                let key = (here.clone(), image.id.clone());
                observed.usage.insert(key, usage);
            }
            if let Some(report) = usage_report(image)? {
                let key = (here.clone(), image.id.clone());
                observed.usage_reports.insert(key, report);
            }
            if let PlaceView::Known(known) = &view
                && !image.taken_back_from.is_empty()
            {
                let from = grantees(&image.taken_back_from);
                let shown = known.images.iter().filter(|shown| shown.id == image.id);
                let all = shown.flat_map(|shown| shown.snapshots.iter().chain([&shown.id]));
                let taken_back = all.map(|id| ((here.clone(), id.clone()), from.clone()));
                observed.taken_back.extend(taken_back);
            }
            let asked = names.0.sharing.clone();
            let asked = asked.or_else(|| image.shared_with.as_ref().map(|_| Sharing::default()));
            if let Some(sharing) = asked
                && let PlaceView::Known(known) = &view
            {
                let permissions = permissions(image, &sharing, known)?;
                let here = |(id, it)| ((here.clone(), id), it);
                observed
                    .permissions
                    .extend(permissions.into_iter().map(here));
            }
        }
        let key = said.encrypts_with.as_deref().unwrap_or("none");
        let defaults = match key {
            "unread" => None,
            "unknown" => Some(EbsDefaults::Unknown),
            key => Some(EbsDefaults::Known {
                encrypts: key != "none" && !said.only_if_asked,
                default_key: if key == "own" { "key/own" } else { MANAGED_KEY }.to_owned(),
            }),
        };
        observed
            .ebs_defaults
            .extend(defaults.map(|defaults| (here.clone(), defaults)));
        if let PlaceView::Known(known) = &view {
            let images = known.images.iter();
            let kept = images.filter(|image| said.recycle_bin.contains(&image.id));
            observed.recycled.extend(kept.map(|image| {
                let snapshots = image.snapshots.iter();
                let snapshots = snapshots.filter(|id| said.recycle_bin.contains(*id));
                let key = (here.clone(), image.id.clone());
                (key, snapshots.cloned().collect())
            }));
        }
        if let Some(id) = case
            .desired
            .adopt
            .get(name)
            .filter(|_| !said.to_adopt_unread)
        {
            let shown = said.to_adopt.iter().find(|image| image.id == *id);
            let shown = shown
                .map(|one| image(case, names, &here.region, one))
                .transpose()?;
            let shown = shown.map_or(AdoptionView::Missing, |image| {
                AdoptionView::Image(Box::new(image))
            });
            observed.adoptions.insert((here.clone(), id.clone()), shown);
        }
        if let Some(fast_launch) = fast_launches(said, names)? {
            observed.fast_launches.insert(here.clone(), fast_launch);
        }
        if let Some(parameters) = parameters::view(case, said, names)? {
            observed.parameters.insert(here.clone(), parameters);
        }
        observed.places.insert(here, view);
    }
    let (going, published) = case.departures.unwrap_or_default();
    observed.config_maps = (!case.config_maps_unread).then(|| ConfigMaps {
        ours: case.config_maps.clone(),
        name_is_taken: Some(case.config_map_name_taken),
    });
    let counted = (ACCOUNT.to_owned(), Departures { going, published });
    let others = OTHERS.map(|(_, id)| (id.to_owned(), Departures::default()));
    let all = others.into_iter().chain([counted]);
    observed.departures = all.filter(|_| !case.departures_uncounted).collect();
    for (region, refused) in &case.refused {
        let refusal = refusal(refused)?;
        let asked = Asked {
            place: place(case, region),
            action: refusal.action,
            target: None,
        };
        observed.refusals.insert(asked, refusal);
    }
    if !case.machines_unread {
        let place = names.0.source_place();
        observed.machines.insert(place, machines(case, names)?);
    }
    for (from, reader) in &case.readers {
        observed.readers.insert(parsed(from)?, parsed(reader)?);
    }
    observed.started = time(case.started.as_deref().unwrap_or("-7d"))?;
    observed.last_creation = case
        .last_creation
        .as_deref()
        .map_or(Ok(observed.started), time)?;
    Ok(observed)
}

fn usage(image: &case::Image) -> Result<Option<Usage>, String> {
    if let Some(message) = &image.usage_denied {
        let why = unreadable(message, Some("AccessDenied"))?;
        return Ok(Some(Usage::Unknown(why)));
    }
    let users = image.used_by.iter();
    let users = users.map(|arn| ImageUser::own(&image.id, "ec2:Instance", arn));
    Ok((!image.usage_unread).then(|| Usage::By(users.collect())))
}

fn usage_report(image: &case::Image) -> Result<Option<UsageReport>, String> {
    if let Some(message) = &image.usage_report_denied {
        let why = unreadable(message, Some("AccessDenied"))?;
        return Ok(Some(UsageReport::Unknown(why)));
    }
    let users = image
        .used_elsewhere
        .iter()
        .map(|(account, count)| ImageUser::elsewhere(&image.id, "ec2:Instance", account, *count));
    let at = image.usage_report_at.as_deref().map(time);
    let at = at.transpose()?.unwrap_or_else(now);
    match image.usage_report.as_deref() {
        None => Ok(Some(UsageReport::Written {
            at,
            users: users.collect(),
        })),
        Some("failed") => Ok(Some(UsageReport::Failed {
            at,
            message: "internal error".to_owned(),
        })),
        Some("absent") => Ok(Some(UsageReport::Absent)),
        Some("pending") => Ok(Some(UsageReport::Pending)),
        Some("unread") => Ok(None),
        Some(other) => Err(format!("{other} is no state of a report")),
    }
}

/// Who else may use an image and its snapshots.
fn permissions(
    said: &case::Image,
    asked: &Sharing,
    known: &Known,
) -> Result<Vec<(String, Permissions)>, String> {
    if said.permissions_unread {
        return Ok(Vec::new());
    }
    let as_asked = if said.published {
        asked.with.clone()
    } else {
        BTreeSet::new()
    };
    let of_image = said.shared_with.as_deref().map_or(as_asked, grantees);
    let accounts = of_image.iter().filter(|one| one.is_account()).cloned();
    let of_snapshots = said
        .snapshots_shared_with
        .as_deref()
        .map_or_else(|| accounts.collect(), grantees);
    let image = known.images.iter().find(|image| image.id == said.id);
    let snapshots = image.into_iter().flat_map(|image| &image.snapshots);
    let all = snapshots
        .map(|id| (id, of_snapshots.clone()))
        .chain([(&said.id, of_image.clone())]);
    let told = |who| match &said.permissions_denied {
        Some(message) => unreadable(message, Some("AccessDenied")).map(Permissions::Unknown),
        None => Ok(Permissions::Of(who)),
    };
    all.map(|(id, who)| Ok((id.clone(), told(who)?))).collect()
}

/// Which images of a place launch fast.
fn fast_launches(place: &case::Place, names: &Names) -> Result<Option<FastLaunchView>, String> {
    if let Some(message) = &place.fast_launch_denied {
        let why = unreadable(message, Some("AccessDenied"))?;
        return Ok(Some(FastLaunchView::Unknown(why)));
    }
    if place.fast_launch_unread || names.0.fast_launch.is_none() {
        return Ok(None);
    }
    let asked = match names.0.fast_launch {
        Some(WantedFastLaunch::On(settings)) => settings,
        _ => FastLaunchSettings {
            target_resource_count: 5,
            max_parallel_launches: 6,
        },
    };
    let states = [
        FastLaunchState::Enabling,
        FastLaunchState::EnablingFailed,
        FastLaunchState::Enabled,
        FastLaunchState::EnabledFailed,
        FastLaunchState::Disabling,
        FastLaunchState::DisablingFailed,
    ];
    let mut known = BTreeMap::new();
    for image in &place.images {
        let Some(said) = &image.fast_launch else {
            continue;
        };
        let state = states.iter().find(|state| state.to_string() == said.state);
        let state = *state.ok_or_else(|| format!("{} is no state", said.state))?;
        let settings = FastLaunchSettings {
            target_resource_count: said.target.unwrap_or(asked.target_resource_count),
            max_parallel_launches: said.parallel.unwrap_or(asked.max_parallel_launches),
        };
        let reason = said.reason.clone();
        let one = FastLaunch {
            settings,
            state,
            reason,
            since: None,
        };
        known.insert(image.id.clone(), one);
    }
    Ok(Some(FastLaunchView::Known(known)))
}

fn grantees(ids: &[String]) -> BTreeSet<Grantee> {
    let grantee = |id: &String| match id {
        id if id.contains(":organization/") => Grantee::Organization(id.clone()),
        id if id.contains(":ou/") => Grantee::OrganizationalUnit(id.clone()),
        id => Grantee::Account(id.clone()),
    };
    ids.iter().map(grantee).collect()
}

pub fn unreadable(message: &str, reason: Option<&str>) -> Result<Unreadable, String> {
    Ok(Unreadable {
        reason: named(reason.unwrap_or("RegionUnreadable"))?,
        message: message.to_owned(),
    })
}

fn named(reason: &str) -> Result<Reason, String> {
    Reason::named(reason)
        .copied()
        .ok_or_else(|| format!("{reason} is no reason"))
}

fn refusal(refused: &case::Refused) -> Result<Refusal, String> {
    const ACTIONS: [&str; 11] = [
        "EnableFastLaunch",
        "PutParameter",
        "DeleteParameter",
        "CreateImage",
        "RegisterImage",
        "CopyImage",
        "CreateTags",
        "DeleteTags",
        "RestoreImageFromRecycleBin",
        "DeregisterImage",
        "DeleteSnapshot",
    ];
    Ok(Refusal {
        action: ACTIONS
            .into_iter()
            .find(|action| *action == refused.action)
            .ok_or_else(|| format!("{} is no action", refused.action))?,
        reason: named(&refused.reason)?,
        message: refused.message.clone(),
        certain: refused.certain,
        at: time(&refused.at)?,
        retry_at: time(&refused.retry)?,
    })
}

fn known(case: &Case, names: &Names, region: &str, place: &case::Place) -> Result<Known, String> {
    let image = |one: &case::Image| image(case, names, region, one);
    let images = place
        .images
        .iter()
        .map(image)
        .collect::<Result<Vec<_>, _>>()?;
    let mut snapshots = Vec::new();
    for (said, image) in place
        .images
        .iter()
        .zip(&images)
        .filter(|(said, _)| said.whose != Whose::Stranger && !said.adopted)
    {
        for id in image
            .snapshots
            .iter()
            .filter(|id| place.snapshots.iter().all(|one| one.id != **id))
            .filter(|id| image.root_snapshot() != Some(id.as_str()))
        {
            let settled = case::Snapshot {
                id: id.clone(),
                revision: said.revision.clone(),
                sealed: said.sealed,
                seal: None,
                used_by: Vec::new(),
                unread: false,
                pending: image.state == ImageState::Pending,
                retained: said.whose == Whose::Retained,
                adopted: false,
                failure: None,
                cluster: said.cluster.clone(),
                tags: said.tags.clone(),
                noted: said.noted.clone(),
            };
            snapshots.push(snapshot(names, region, &settled, &images));
        }
    }
    snapshots.extend(
        place
            .snapshots
            .iter()
            .map(|one| snapshot(names, region, one, &images)),
    );
    let holders = place
        .holders
        .as_ref()
        .map(|holders| holders.iter().map(image).collect::<Result<Vec<_>, _>>());
    let dead = |one: &case::Dead| Dead {
        id: one.id.clone(),
        revision: names.revision(&one.revision),
        attempt: one.attempt,
    };
    Ok(Known {
        images,
        snapshots,
        dead: place.dead.iter().map(dead).collect(),
        name_holders: holders
            .transpose()?
            .into_iter()
            .map(|who| (names.0.image_name.clone(), who))
            .collect(),
        free_copy_slots: place.free_copy_slots,
        as_of: time(place.as_of.as_deref().unwrap_or("-10s"))?,
    })
}

fn image(case: &Case, names: &Names, region: &str, said: &case::Image) -> Result<Image, String> {
    let source = match &said.from {
        Some(from) => parsed(from)?,
        None => names.source_of(case, region, said),
    };
    let shown = match (&said.shown, said.whose) {
        (Some(shown), _) => Some(parsed(shown)?),
        (None, Whose::Unproven | Whose::Stranger) => None,
        (None, Whose::Contradicting) => Some(Reference::new(region, "ami-else")),
        (None, _) => Some(source.clone()),
    };
    let (instance, made_from, root) = match shown {
        Some(shown) if shown.is_instance() => (Some(shown.id), None, None),
        Some(shown) if shown.is_snapshot() => (None, None, Some(shown.id)),
        shown => (None, shown, None),
    };
    let users = said.tags.clone();
    let users = users.unwrap_or_else(|| {
        let here = Place::new(ACCOUNT, region);
        names.0.image_tags(&here).into_owned()
    });
    let mut tags = names.tags(&said.revision, &source, &users, said.noted.as_deref());
    if let Some(cluster) = &said.cluster {
        tags.insert(tag::CLUSTER.to_owned(), cluster.clone());
    }
    match said.whose {
        Whose::Stranger => tags.clear(),
        Whose::CopiedTags => drop(tags.insert(tag::SELF.to_owned(), "ami-another".to_owned())),
        Whose::Ours | Whose::Retained if said.sealed => {
            drop(tags.insert(tag::SELF.to_owned(), said.id.clone()));
        }
        _ => {}
    }
    if said.whose == Whose::Retained {
        tags.insert(tag::RETAINED.to_owned(), time("-1d")?.to_string());
    }
    if let Some(origin) = &said.origin {
        tags.insert(tag::ORIGIN.to_owned(), origin.clone());
    }
    if let Some(since) = &said.superseded {
        tags.insert(tag::SUPERSEDED.to_owned(), time(since)?.to_string());
    }
    if let Some(key) = &said.encrypted {
        let asked = serde_json::from_value(encryption_of(key)).map_err(|why| why.to_string())?;
        let encrypted = Encryption::of(&asked, &Place::new(ACCOUNT, region));
        tags.insert(tag::VARIANT.to_owned(), encrypted.variant);
    }
    if let Some(who) = &said.lent_to {
        tags.insert(tag::LENT_TO.to_owned(), who.clone());
    }
    if said.adopted {
        tags.insert(tag::ADOPTED.to_owned(), time("-1h")?.to_string());
    }
    if let Some(object) = &said.object {
        tags.insert(tag::OBJECT.to_owned(), object.clone());
    }
    if let Some(who) = &said.held_by {
        tags.insert(tag::HOLD.to_owned(), who.clone());
    }
    if said.published {
        tags.insert(tag::PUBLISHED.to_owned(), time("-1d")?.to_string());
    }
    if let Some(name) = parameters::noted(said, names) {
        tags.insert(tag::PARAMETER.to_owned(), name);
    }
    let suffix = said.id.trim_start_matches("ami-");
    let one = match (&root, said.state) {
        (Some(root), _) => vec![root.clone()],
        (None, State::Pending) => vec![],
        (None, _) => vec![format!("snap-{suffix}")],
    };
    let created = time(said.created.as_deref().unwrap_or("-1d"))?;
    Ok(Image {
        id: said.id.clone(),
        name: names.0.image_name.clone(),
        state: match (&said.missing, said.state) {
            (Some(since), _) => ImageState::Missing {
                since: time(since)?,
            },
            (None, State::Pending) => ImageState::Pending,
            (None, State::Available) => ImageState::Available,
            (None, State::Failed) => ImageState::Failed,
            (None, State::Disabled) => ImageState::Disabled,
        },
        state_reason: said.state_reason.clone(),
        progress: said.progress,
        created: Some(created),
        source_instance: instance,
        source_image: made_from,
        last_launched: said.launched.as_deref().map(time).transpose()?,
        snapshots: said.snapshots.clone().unwrap_or(one),
        registered: Some(Box::new(Registered {
            root_snapshot: root,
            platform_details: Some(
                said.platform
                    .clone()
                    .unwrap_or_else(|| "Linux/UNIX".to_owned()),
            ),
        })),
        attributes: Arc::new(Attributes {
            is_windows: is_windows(said),
            ..match &said.attributes {
                Some(said) => attributes(said)?,
                None => as_asked(&names.0, created, said.published),
            }
        }),
        tags: tags.into(),
    })
}

/// As EC2 says it in `Platform`, too.
fn is_windows(said: &case::Image) -> bool {
    let platform = said.platform.as_deref().unwrap_or_default();
    platform.starts_with("Windows")
}

fn attributes(said: &case::Attributes) -> Result<Attributes, String> {
    Ok(Attributes {
        description: said.description.clone(),
        requires_imds_v2: said.imds_v2,
        deprecation: said.deprecated.as_deref().map(time).transpose()?,
        protection: match said.protected.as_deref() {
            None => Protection::Disabled,
            Some("Enabled") => Protection::Enabled,
            Some("EnabledWithCooldown") => Protection::EnabledWithCooldown,
            Some(until) => Protection::DisabledAfter(time(until)?),
        },
        public: said.public,
        is_windows: false,
    })
}

/// As the spec asks of an image that was made at `created`.
fn as_asked(desired: &Desired, created: Timestamp, is_published: bool) -> Attributes {
    let after = desired.deprecation.as_ref().and_then(Deprecation::after);
    Attributes {
        description: desired.description.clone().unwrap_or_default(),
        requires_imds_v2: desired.requires_imds_v2,
        deprecation: after.map(|after| whole_minutes(created + after)),
        protection: desired.protection.unwrap_or_default(),
        public: is_published && desired.sharing.as_ref().is_some_and(|asked| asked.public),
        is_windows: false,
    }
}

fn snapshot(names: &Names, region: &str, said: &case::Snapshot, images: &[Image]) -> Snapshot {
    let source = Reference::new(region, "ami-any");
    let users = said.tags.clone();
    let users = users.unwrap_or_else(|| {
        let here = Place::new(ACCOUNT, region);
        names.0.snapshot_tags(&here).into_owned()
    });
    let mut tags = names.tags(&said.revision, &source, &users, said.noted.as_deref());
    if let Some(seal) = said.seal.as_ref().or(said.sealed.then_some(&said.id)) {
        tags.insert(tag::SELF.to_owned(), seal.clone());
    }
    if let Some(cluster) = &said.cluster {
        tags.insert(tag::CLUSTER.to_owned(), cluster.clone());
    }
    if said.adopted {
        tags.insert(tag::ADOPTED.to_owned(), now().to_string());
    }
    if said.retained {
        tags.insert(tag::RETAINED.to_owned(), now().to_string());
    }
    let users = images
        .iter()
        .filter(|image| image.snapshots.contains(&said.id))
        .map(|image| image.id.clone());
    Snapshot {
        id: said.id.clone(),
        pending: said.pending,
        progress: None,
        failure: said.failure.as_deref().map(Into::into),
        used_by: (!said.unread).then(|| users.chain(said.used_by.iter().cloned()).collect()),
        size_gib: 8,
        full_bytes: None,
        tags: tags.into(),
    }
}

/// The names that a case uses, and what they stand for.
pub struct Names(pub Desired);

impl Names {
    fn revision(&self, name: &str) -> Revision {
        if name == "current" {
            self.0.lineage.first()
        } else if let Some(Ok(resolved)) = name.strip_prefix("of ").map(str::parse) {
            self.0.lineage.following(&resolved)
        } else {
            Revision::from(name)
        }
    }

    /// In the source's region, what the spec names; elsewhere the first image of the revision there.
    fn source_of(&self, case: &Case, region: &str, said: &case::Image) -> Reference {
        let origin = self.origin();
        if origin.is_image() || origin.region == region {
            return origin;
        }
        let there = case
            .observed
            .get(&origin.region)
            .into_iter()
            .flat_map(|place| &place.images);
        let first = there
            .into_iter()
            .find(|image| image.revision == said.revision);
        Reference::new(
            origin.region.clone(),
            first.map_or("ami-origin", |image| &image.id),
        )
    }

    /// What the revision is made from; a name or a parameter is resolved to `ami-newest`.
    fn origin(&self) -> Reference {
        let source = &self.0.source;
        let newest = || Reference::new(source.region(), "ami-newest");
        source.reference().unwrap_or_else(newest)
    }

    fn tags(
        &self,
        revision: &str,
        source: &Reference,
        users: &BTreeMap<String, String>,
        noted: Option<&[String]>,
    ) -> BTreeMap<String, String> {
        let mut tags = self.0.identity.birth_tags(
            &self.revision(revision),
            VARIANT_SOURCE,
            &self.origin(),
            source,
        );
        tags.extend(users.clone());
        let noted = noted.map_or_else(|| TagKeys::of(users.keys()), TagKeys::of);
        if !noted.is_empty() {
            tags.insert(tag::TAG_KEYS.to_owned(), noted.value());
        }
        tags
    }
}
