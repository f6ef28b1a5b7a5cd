//! The conditions, as kstatus and a user read them: what is true, what is awaited, or what to do about it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{LONGEST_MESSAGE, count, shortened};
use crate::api::conditions::{self, Reason};
use crate::api::{MachineImageStatus, RegionStatus};
use crate::image::identity::Place;
use crate::image::observed::SourceView;
use crate::image::plan::{Action, Finding, Plan, Step, View, WaitsFor, is_in_sync};

/// A condition before it is compared with the one that stands.
pub(super) struct Verdict {
    type_: &'static str,
    status: &'static str,
    reason: Reason,
    message: String,
}

impl Verdict {
    fn new(
        type_: &'static str,
        status: &'static str,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn into_condition(
        self,
        before: &[Condition],
        generation: i64,
        now: Timestamp,
    ) -> Condition {
        conditions::condition(
            before,
            self.type_,
            self.status,
            self.reason,
            shortened(&self.message, LONGEST_MESSAGE),
            generation,
            now,
        )
    }
}

pub(super) fn ready(view: &View<'_>, plan: &Plan) -> Verdict {
    let type_ = conditions::READY;
    if let Some(gravest) = gravest(plan) {
        let status = if is_ignorance(gravest.reason) {
            "Unknown"
        } else {
            "False"
        };
        return Verdict::new(type_, status, gravest.reason, messages(plan));
    }
    if view.desired.is_being_deleted() {
        return Verdict::new(
            type_,
            "False",
            conditions::DELETING,
            what_is_next(view, plan),
        );
    }
    if is_in_sync(view, plan) {
        let regions = view.desired.places.len();
        let revision = &view.desired.revision;
        let mut said = vec![format!(
            "revision {revision} is published in {}",
            count(regions, "region")
        )];
        said.extend(
            plan.steps
                .iter()
                .find(|step| matches!(step.waits_for, Some(WaitsFor::Readable(_))))
                .map(|_| {
                    format!(
                        "{} ({})",
                        what_is_next(view, plan),
                        what_cannot_be_read(view)
                    )
                }),
        );
        said.extend(plan.notes.iter().map(|note| note.message.clone()));
        let told = [conditions::RETAINED, conditions::IN_USE];
        let is_told = |reason: &Reason| plan.notes.iter().any(|note| note.reason == *reason);
        let reason = told.into_iter().find(is_told);
        let reason = reason.unwrap_or(conditions::IN_SYNC);
        return Verdict::new(type_, "True", reason, said.join("; "));
    }
    Verdict::new(
        type_,
        "False",
        conditions::PROGRESSING,
        what_is_next(view, plan),
    )
}

fn what_cannot_be_read(view: &View<'_>) -> String {
    let messages: Vec<_> = view
        .observed
        .unreadable()
        .map(|(_, unreadable)| unreadable.message.as_str())
        .collect();
    messages.join("; ")
}

/// A region that is added later leaves it true, and so does a roll-out; a published image that is lost does
/// not, until all are back.
pub(super) fn available(
    view: &View<'_>,
    before: &MachineImageStatus,
    regions: &[RegionStatus],
) -> Verdict {
    let type_ = conditions::AVAILABLE;
    let places = view.desired.places.iter().zip(regions);
    let (read, unread): (Vec<_>, Vec<_>) =
        places.partition(|(place, _)| view.known(place).is_some());
    let lacking: Vec<_> = read
        .into_iter()
        .filter(|(_, region)| region.published_image_id.is_none())
        .collect();
    let said = |some: &[(&Place, &RegionStatus)]| {
        let names = some.iter().map(|(place, _)| view.desired.said(place));
        names.collect::<Vec<_>>().join(", ")
    };
    if lacking.is_empty() && unread.is_empty() {
        let message = format!(
            "an image is published in {}",
            count(regions.len(), "region")
        );
        return Verdict::new(type_, "True", conditions::PUBLISHED, message);
    }
    let was = before
        .conditions
        .iter()
        .find(|old| old.type_ == type_)
        .map(|old| old.status.as_str());
    let lost = |(_, lacks): &(&Place, &RegionStatus)| {
        let mut before = before.regions.iter();
        before.any(|region| region.is_of(lacks) && region.published_image_id.is_some())
    };
    let stays = was == Some("True") && !lacking.iter().any(lost);
    if !unread.is_empty() && (stays || lacking.is_empty()) {
        let status = if stays { "True" } else { "Unknown" };
        let message = format!("{} cannot be read", said(&unread));
        return Verdict::new(type_, status, conditions::REGION_UNREADABLE, message);
    }
    if stays && lacking.len() < regions.len() {
        let message = format!("published, and on its way to {}", said(&lacking));
        return Verdict::new(type_, "True", conditions::PUBLISHED, message);
    }
    Verdict::new(
        type_,
        "False",
        conditions::PROGRESSING,
        format!("no image is published in {}", said(&lacking)),
    )
}

pub(super) fn source_resolved(view: &View<'_>, plan: &Plan) -> Verdict {
    let type_ = conditions::SOURCE_RESOLVED;
    let about_source = |finding: &&Finding| {
        finding.reason.conditions.contains(&type_)
            && finding.reason != conditions::REGION_UNREADABLE
    };
    if view.has_sibling() {
        let message = format!(
            "revision {} was made from {}",
            view.desired.revision,
            view.origin_text()
        );
        return Verdict::new(type_, "True", conditions::RESOLVED, message);
    }
    if let Some(finding) = plan.findings.iter().find(about_source) {
        let status = if is_ignorance(finding.reason) {
            "Unknown"
        } else {
            "False"
        };
        return Verdict::new(type_, status, finding.reason, finding.message.clone());
    }
    if matches!(
        view.observed.source,
        SourceView::Instance(_) | SourceView::Snapshots(_) | SourceView::Image(_)
    ) {
        let message = format!("{} was found and may be used", view.origin_text());
        return Verdict::new(type_, "True", conditions::RESOLVED, message);
    }
    let message = match (view.desired.is_being_deleted(), view.desired.suspended) {
        (true, _) => "the source is not looked at while the object is being deleted",
        (_, true) => "the source is not looked at while spec.suspend is true",
        _ => "the source was not looked at yet",
    };
    Verdict::new(type_, "Unknown", conditions::WAITING_FOR_INVENTORY, message)
}

pub(super) fn reconciling(plan: &Plan, view: &View<'_>) -> Option<Verdict> {
    let stalled = plan.findings.iter().any(|finding| finding.reason.stalls());
    let is_deleted = view.desired.is_being_deleted();
    let has_ended = is_deleted && plan.steps.is_empty() && plan.findings.is_empty();
    if stalled || has_ended || is_in_sync(view, plan) || (view.desired.suspended && !is_deleted) {
        return None;
    }
    let otherwise = if is_deleted {
        conditions::DELETING
    } else {
        conditions::PROGRESSING
    };
    let reason = gravest(plan).map_or(otherwise, |finding| finding.reason);
    Some(Verdict::new(
        conditions::RECONCILING,
        "True",
        reason,
        what_is_next(view, plan),
    ))
}

pub(super) fn stalled(plan: &Plan) -> Option<Verdict> {
    let finding = gravest(plan).filter(|finding| finding.reason.stalls())?;
    Some(Verdict::new(
        conditions::STALLED,
        "True",
        finding.reason,
        finding.message.clone(),
    ))
}

/// What waits for somebody comes before what mends itself.
pub(super) fn gravest(plan: &Plan) -> Option<&Finding> {
    plan.findings
        .iter()
        .min_by_key(|finding| (!finding.reason.stalls(), is_ignorance(finding.reason)))
}

/// Reasons that say that something is not known, and not that it is wrong.
fn is_ignorance(reason: Reason) -> bool {
    reason == conditions::WAITING_FOR_INVENTORY || reason == conditions::REGION_UNREADABLE
}

fn messages(plan: &Plan) -> String {
    let mut findings: Vec<_> = plan.findings.iter().collect();
    findings.sort_by_key(|finding| (!finding.reason.stalls(), is_ignorance(finding.reason)));
    let mut said: Vec<&str> = Vec::new();
    for finding in findings {
        if !said.contains(&finding.message.as_str()) {
            said.push(&finding.message);
        }
    }
    said.join("; ")
}

fn what_is_next(view: &View<'_>, plan: &Plan) -> String {
    let Some(step) = plan.steps.iter().min_by_key(|step| remoteness(step)) else {
        return if plan.findings.is_empty() {
            "nothing is left to do".to_owned()
        } else {
            messages(plan)
        };
    };
    match &step.waits_for {
        None => format!("{}: {}", what_is_done(view, step), step.why),
        Some(waits_for) => format!("{} waits for {waits_for}", what_is_done(view, step)),
    }
}

/// The call with what it is about and where.
fn what_is_done(view: &View<'_>, step: &Step) -> String {
    let name = step.action.name();
    let Some(place) = &step.place else {
        return name.to_owned();
    };
    let region = view.desired.said(place);
    let to = match &step.action {
        Action::CopyImage { .. } => "to",
        _ => "in",
    };
    match step.action.subject() {
        Some(subject) => format!("{name} of {subject} {to} {region}"),
        None => format!("{name} {to} {region}"),
    }
}

/// What is done now comes first, then what waits for EC2, and last what waits for other steps.
fn remoteness(step: &Step) -> u8 {
    match &step.waits_for {
        None => 0,
        Some(
            WaitsFor::Standing(_)
            | WaitsFor::Published(_)
            | WaitsFor::SealedSnapshots(_)
            | WaitsFor::Deletion(_),
        ) => 2,
        Some(_) => 1,
    }
}
