//! From a plan and a status to the text that a case expects.

use std::collections::BTreeMap;
use std::fmt::Write;

use amity_core::api::{MachineImageStatus, RegionStatus};
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, tag};
use amity_core::image::invariants::Checked;
use amity_core::image::plan::step::Action;
use amity_core::image::plan::{Finding, Step};

use crate::read::now;

/// More attempts to copy than any case has.
const MOST_ATTEMPTS: u32 = 20;

/// The plan and the status, with names instead of hashes.
pub fn outcome(desired: &Desired, plan: &Checked, status: &MachineImageStatus) -> String {
    let mut text = String::from("plan:");
    let next = plan.next_steps();
    if plan.steps.is_empty() {
        text.push_str(" []\n");
    } else {
        text.push('\n');
    }
    for step in &plan.steps {
        let is_next = next.iter().any(|one| std::ptr::eq(*one, step));
        writeln!(text, "  - {}", line(desired, step, is_next)).unwrap();
    }
    findings(&mut text, "findings", desired, &plan.findings);
    findings(&mut text, "notes", desired, &plan.notes);
    text.push_str("conditions:\n");
    let found: Vec<_> = plan
        .findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    let mut ready = None;
    for condition in &status.conditions {
        // What was said above is not said again.
        let message = match &condition.message {
            message if *message == found.join("; ") && !found.is_empty() => {
                "the findings".to_owned()
            }
            message if ready == Some(message) => "as Ready".to_owned(),
            message => quoted(message),
        };
        ready.get_or_insert(&condition.message);
        writeln!(
            text,
            "  {}: [{}, {}, {message}]",
            condition.type_, condition.status, condition.reason
        )
        .unwrap();
    }
    let standing = status.regions_ready.as_deref().unwrap_or_default();
    writeln!(text, "regions:  # {standing} ready").unwrap();
    for region in &status.regions {
        let name = match region.account_name.as_str() {
            "default" => region.name.clone(),
            account => format!("{account}/{}", region.name),
        };
        writeln!(text, "  {name}: {}", in_region(region)).unwrap();
    }
    text.replace(desired.revision.as_str(), "current")
        .replace(desired.lineage.first().as_str(), "first")
}

fn line(desired: &Desired, step: &Step, is_next: bool) -> String {
    let what = match (&step.place, &step.action) {
        (Some(place), action) => in_place(desired, place, action),
        (None, action) => action.to_string(),
    };
    let when = match &step.waits_for {
        Some(waits_for) => format!("; waits for {waits_for}"),
        None if is_next => String::new(),
        None => "; later".to_owned(),
    };
    format!("{what}  # {}{when}", step.why)
}

/// A region of the home account by its name, one of another as `account/region`.
fn said_place(desired: &Desired, place: &Place) -> String {
    if desired.is_at_home(place) {
        return place.region.clone();
    }
    format!("{}/{}", desired.account_name(place), place.region)
}

fn in_place(desired: &Desired, place: &Place, action: &Action) -> String {
    let region = &said_place(desired, place);
    match action {
        Action::CreateImage {
            instance,
            name,
            description,
            no_reboot,
            without_devices,
            tags,
            snapshot_tags,
        } => {
            let mut without = String::new();
            for device in without_devices {
                write!(without, " without {device}").unwrap();
            }
            let reboot = if *no_reboot { "without" } else { "with" };
            let description = description
                .as_ref()
                .map(|text| format!(" described {text:?}"))
                .unwrap_or_default();
            let of = origin(tags, &format!("{region}/{instance}"));
            format!(
                "CreateImage {region}/{instance}{of} as {name}{description} {reboot} a reboot{without}{}{}",
                said(tags),
                of_snapshots(tags, snapshot_tags)
            )
        }
        Action::RegisterImage {
            registration,
            name,
            tags,
            ..
        } => {
            let snapshots: Vec<_> = registration.snapshots().collect();
            let snapshots = snapshots.join(" and ");
            let of = origin(tags, &format!("{region}/{}", registration.snapshot));
            format!(
                "RegisterImage {region}/{snapshots}{of} as {name}{}",
                said(tags)
            )
        }
        Action::CopyImage {
            from,
            encryption,
            minutes,
            token,
            tags,
            snapshot_tags,
            ..
        } => {
            let attempt = (1..=MOST_ATTEMPTS).find(|attempt| {
                desired.identity.copy_token(
                    &desired.revision,
                    desired.variant(place),
                    place,
                    *attempt,
                ) == *token
            });
            let attempt = match attempt {
                Some(1) => String::new(),
                Some(attempt) => format!(", attempt {attempt}"),
                None => ", with a strange token".to_owned(),
            };
            let of = origin(tags, &from.to_string());
            let within = minutes.map(|minutes| format!(", within {minutes} min"));
            let within = within.unwrap_or_default();
            let encrypted = encryption.as_ref().map(|how| format!(", {how}"));
            let encrypted = encrypted.unwrap_or_default();
            format!(
                "CopyImage {from} → {region}{of}{attempt}{encrypted}{within}{}{}",
                said(tags),
                of_snapshots(tags, snapshot_tags)
            )
        }
        Action::CreateTags { id, tags } => {
            let tags: Vec<_> = tags
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let noon = now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            format!(
                "CreateTags {region}/{id} {}",
                tags.join(" ").replace(&noon, "now")
            )
        }
        Action::DeleteTags { id, keys } => format!("DeleteTags {region}/{id} {}", keys.join(" ")),
        Action::ModifyImage { id, change } => {
            let call = format!("{} {region}/{id} {change}", change.action());
            call.trim_end().to_owned()
        }
        Action::ChangePermissions { id, change } => {
            format!("{} {region}/{id} {change}", action.name())
        }
        Action::PutParameter { name, image, tags } => {
            let how = if tags.is_empty() { ", overwriting" } else { "" };
            let ours = tags.is_empty() || *tags == desired.identity.parameter_tags(name);
            let strange = if ours { "" } else { ", with strange tags" };
            format!("PutParameter {region}{name} = {image}{how}{strange}")
        }
        Action::DeleteParameter { name } => format!("DeleteParameter {region}{name}"),
        Action::TagParameter { name, tags } => {
            let tags: Vec<_> = tags
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let noon = now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let tags = tags.join(" ").replace(&noon, "now");
            format!("AddTagsToResource {region}{name} {tags}")
        }
        Action::CreateUsageReport { id, tags, .. } => {
            let ours = *tags == desired.identity.usage_report_tags();
            let strange = if ours { "" } else { ", with strange tags" };
            format!("{} {region}/{id}{strange}", action.name())
        }
        Action::EnableFastLaunch { id, settings } => {
            format!("EnableFastLaunch {region}/{id} {settings}")
        }
        Action::RunInstances { image, launch, .. } => {
            let with = [
                launch.subnet.clone(),
                (!launch.security_groups.is_empty()).then(|| launch.security_groups.join(" ")),
                launch.instance_profile.clone(),
                launch.user_data.as_ref().map(|text| format!("{text:?}")),
            ];
            let mut said = String::new();
            for one in with.iter().flatten() {
                write!(said, " with {one}").unwrap();
            }
            let what = &launch.instance_type;
            format!("RunInstances {region}/{image} {what}{said}")
        }
        Action::TerminateInstances { id }
        | Action::DisableFastLaunch { id }
        | Action::RestoreImage { id }
        | Action::RestoreSnapshot { id }
        | Action::DeregisterImage { id }
        | Action::DeleteSnapshot { id } => format!("{} {region}/{id}", action.name()),
        on_object => on_object.to_string(),
    }
}

/// What a newborn is said to be made of in the end, unless the line has it already.
fn origin(tags: &BTreeMap<String, String>, made_from: &str) -> String {
    match tags.get(tag::ORIGIN).map(String::as_str) {
        Some(origin) if origin == made_from => String::new(),
        Some(origin) => format!(", of {origin}"),
        None => ", of nothing".to_owned(),
    }
}

/// The user's tags among those of a newborn.
fn said(tags: &BTreeMap<String, String>) -> String {
    let users: Vec<_> = tags
        .iter()
        .filter(|(key, _)| !key.starts_with("amity.dev/"))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if users.is_empty() {
        String::new()
    } else {
        format!(", tagged {}", users.join(" "))
    }
}

/// The user's tags of the snapshots of a newborn, unless they are its own.
fn of_snapshots(
    tags: &BTreeMap<String, String>,
    snapshot_tags: &BTreeMap<String, String>,
) -> String {
    if snapshot_tags == tags {
        return String::new();
    }
    format!(
        ", its snapshots{}",
        said(snapshot_tags).trim_start_matches(',')
    )
}

fn findings(text: &mut String, title: &str, desired: &Desired, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    writeln!(text, "{title}:").unwrap();
    for finding in findings {
        let region = finding
            .place
            .as_ref()
            .map(|place| format!(" in {}", said_place(desired, place)))
            .unwrap_or_default();
        writeln!(
            text,
            "  - {}{region}: {}",
            finding.reason,
            quoted(&finding.message)
        )
        .unwrap();
    }
}

fn in_region(region: &RegionStatus) -> String {
    let progressing = region.progressing.as_ref().map(|it| match &it.image_id {
        Some(id) => format!("{id} {} {} %", it.state, it.percent),
        None => it.state.clone(),
    });
    let users = region
        .in_use_by
        .iter()
        .map(|user| format!("{} in use by {user}", user.image_id));
    let parts: Vec<_> = region
        .published_image_id
        .iter()
        .cloned()
        .chain(progressing)
        .chain(users)
        .collect();
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join(", then ")
    }
}

/// As YAML takes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
