//! Filling each wanted place from any available image of the revision.
//!
//! Creating needs no proof of absence here: the client token is a hash of what is wanted and of the attempt,
//! so that a repeat is the same call. Source: EC2 API, `CopyImage`; design: "Creating once", "Pinning".

use super::attributes::tags_with_note;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::identity::{Foreign, Place, Reference, Standing, tag};
use crate::image::observed::{ImageState, Known, SourceView};

/// How many copies to one place may fail before somebody has to look. What vanishes does not count: a region
/// that was taken out and put in again leaves used tokens behind.
const MOST_FAILURES: usize = 8;

/// Copies the revision to each wanted place that has no image of it.
pub(crate) fn fill(view: &View<'_>, plan: &mut Plan) {
    if !view.desired.refusals.is_empty() {
        return;
    }
    plan.findings.extend(
        view.desired
            .places
            .iter()
            .filter_map(|place| disabled(view.keeper(place)?)),
    );
    let source = match readable_source(view) {
        Ok(source) => source,
        Err(finding) => {
            let lacks = view
                .desired
                .places
                .iter()
                .any(|place| view.keeper(place).is_none());
            plan.findings
                .extend(finding.filter(|finding| lacks && !plan.findings.contains(finding)));
            return;
        }
    };
    for place in &view.desired.places {
        let Some(known) = view.known(place) else {
            continue;
        };
        if view.unproven_current().any(|owned| owned.place == place) {
            continue;
        }
        let missing = match view.keeper(place).map(|owned| (owned, owned.image.state)) {
            None => None,
            Some((owned, ImageState::Missing { since })) => Some(missing_until(view, owned, since)),
            Some(_) => continue,
        };
        match (copy_to(view, place, known, &source), missing) {
            (Ok(step), None) => plan.steps.push(step),
            (Ok(step), Some(missing)) => plan.steps.push(step.waiting_for(missing)),
            (Err(finding), _) => plan.findings.push(finding),
        }
    }
}

/// What a copy is made from, and what has to happen before it can be.
struct CopySource {
    from: Reference,
    waits_for: Option<WaitsFor>,
}

impl CopySource {
    fn ready(from: Reference) -> Self {
        Self {
            from,
            waits_for: None,
        }
    }

    fn waiting(from: Reference, waits_for: WaitsFor) -> Self {
        Self {
            from,
            waits_for: Some(waits_for),
        }
    }
}

/// The image to copy: the spec's own if it is one and still there, else any available sibling, the one in
/// the source's region first. An error without a finding: nothing is to be copied yet (the capture comes
/// first).
fn readable_source(view: &View<'_>) -> Result<CopySource, Option<Finding>> {
    let desired = view.desired;
    let sibling = view
        .live_current()
        .filter(|owned| owned.image.state == ImageState::Available && owned.is_sealed())
        .min_by_key(|owned| {
            (
                owned.place.region != desired.origin.region,
                owned.place,
                &owned.image.id,
            )
        });
    let mut complaint = None;
    if desired.reboot.is_none() {
        match spec_image(view) {
            Ok(source) if source.waits_for.is_none() || sibling.is_none() => return Ok(source),
            Ok(_) => {}
            Err(finding) if finding.reason == conditions::NOT_GRANTED => return Err(Some(finding)),
            Err(finding) => complaint = Some(finding),
        }
    }
    if let Some(sibling) = sibling {
        return Ok(CopySource::ready(sibling.reference()));
    }
    if let Some(owned) = view
        .live_current()
        .min_by_key(|owned| nearness(owned.image.state))
    {
        let waits_for = match owned.image.state {
            ImageState::Disabled => return Err(disabled(owned)),
            ImageState::Missing { since } => missing_until(view, owned, since),
            ImageState::Available => WaitsFor::Proof(owned.image.id.clone()),
            _ => WaitsFor::Available {
                image: owned.reference(),
                progress: owned.image.progress,
            },
        };
        return Ok(CopySource::waiting(owned.reference(), waits_for));
    }
    if let Some(unproven) = view.unproven_current().next() {
        return Ok(CopySource::waiting(
            unproven.reference(),
            WaitsFor::Proof(unproven.image.id.clone()),
        ));
    }
    Err(complaint)
}

/// How near an image is to being one that can be copied: the least is the nearest.
fn nearness(state: ImageState) -> u8 {
    match state {
        ImageState::Available => 0,
        ImageState::Pending => 1,
        ImageState::Missing { .. } => 2,
        ImageState::Disabled | ImageState::Failed => 3,
    }
}

/// An image that somebody disabled is neither copied nor replaced: that is for whoever did it to end.
fn disabled(owned: &Owned<'_>) -> Option<Finding> {
    (owned.image.state == ImageState::Disabled).then(|| Finding {
        reason: conditions::IMAGE_DISABLED,
        place: Some(owned.place.clone()),
        message: format!(
            "{} in {} is disabled, and can be neither launched nor copied: enable it (aws ec2 enable-image), or \
             deregister it, so that another is made",
            owned.image.id, owned.place.region
        ),
    })
}

/// The image that the spec names, if it may be copied.
fn spec_image(view: &View<'_>) -> Result<CopySource, Finding> {
    let desired = view.desired;
    let finding = |reason, message| {
        Err(Finding {
            reason,
            place: Some(desired.origin_place()),
            message,
        })
    };
    match &view.observed.source {
        SourceView::Image(image) => {
            desired.grants.check_image(image)?;
            match image.state {
                ImageState::Available => Ok(CopySource::ready(desired.origin.clone())),
                ImageState::Pending => {
                    let image = desired.origin.clone();
                    Ok(CopySource::waiting(
                        image.clone(),
                        WaitsFor::Available {
                            image,
                            progress: None,
                        },
                    ))
                }
                state => finding(
                    conditions::SOURCE_NOT_SUPPORTED,
                    format!(
                        "{} is {state}: only an available image can be copied",
                        desired.origin
                    ),
                ),
            }
        }
        SourceView::Missing { message } => {
            let begun = view
                .desired
                .places
                .iter()
                .any(|place| view.has_died_in(place))
                || view
                    .claimed
                    .iter()
                    .any(|owned| owned.is_of(&desired.revision));
            let reason = if begun {
                conditions::SOURCE_GONE
            } else {
                conditions::SOURCE_NOT_FOUND
            };
            let remedy = if begun {
                "change spec.source or spec.rebuild"
            } else {
                "correct spec.source"
            };
            finding(
                reason,
                format!("{} was not found: {message}; {remedy}", desired.origin),
            )
        }
        SourceView::Unreadable(unreadable) => {
            finding(unreadable.reason, unreadable.message.clone())
        }
        SourceView::NotRead | SourceView::Instance(_) => Ok(CopySource::waiting(
            desired.origin.clone(),
            WaitsFor::Source,
        )),
    }
}

fn copy_to(
    view: &View<'_>,
    place: &Place,
    known: &Known,
    source: &CopySource,
) -> Result<Step, Finding> {
    let desired = view.desired;
    let attempt = attempt(view, place, known)?;
    let mut tags = desired
        .identity
        .birth_tags(&desired.revision, &desired.origin, &source.from);
    tags.extend(tags_with_note(&desired.tags));
    tags.insert(tag::ATTEMPT.to_owned(), attempt.to_string());
    let action = Action::CopyImage {
        from: source.from.clone(),
        name: desired.image_name.clone(),
        description: desired.description.clone(),
        token: desired
            .identity
            .copy_token(&desired.revision, place, attempt),
        tags,
    };
    let step = Step::at(place, action, Why::WantedByRegions);
    Ok(match &source.waits_for {
        None => step,
        Some(waits_for) => step.waiting_for(waits_for.clone()),
    })
}

/// One more than the attempts that are known to be dead, and than any that is still shown.
fn attempt(view: &View<'_>, place: &Place, known: &Known) -> Result<u32, Finding> {
    let failed: Vec<_> = view
        .claimed
        .iter()
        .filter(|owned| owned.place == place && owned.image.state == ImageState::Failed)
        .filter(|owned| {
            owned.is_of(&view.desired.revision) && !matches!(owned.standing, Standing::Foreign(_))
        })
        .collect();
    let retained: Vec<_> = view
        .claimed
        .iter()
        .filter(|owned| owned.place == place && owned.is_of(&view.desired.revision))
        .filter(|owned| has_been_retained(owned))
        .collect();
    let dead = known
        .dead
        .iter()
        .filter(|dead| dead.revision == view.desired.revision)
        .count();
    let counted = u32::try_from(failed.len() + retained.len() + dead).unwrap_or(u32::MAX);
    let said = failed
        .iter()
        .chain(&retained)
        .filter_map(|owned| owned.image.tags.get(tag::ATTEMPT)?.parse().ok())
        .max();
    if failed.len() < MOST_FAILURES {
        return Ok(counted.max(said.unwrap_or(0)).saturating_add(1));
    }
    let last = failed
        .last()
        .and_then(|owned| owned.image.state_reason.clone());
    Err(Finding {
        reason: conditions::COPY_FAILED,
        place: Some(place.clone()),
        message: format!(
            "{MOST_FAILURES} copies to {} failed: {}; mend that and change spec.rebuild",
            place.region,
            last.as_deref().unwrap_or("EC2 gives no reason")
        ),
    })
}

/// An image that an object of this name left behind when it was deleted. Its token is used up: EC2 would
/// answer with this very image again, for ever. The seal tells it from a stranger's copy of its tags.
fn has_been_retained(owned: &Owned<'_>) -> bool {
    owned.standing == Standing::Foreign(Foreign::Retained)
        && owned.image.tags.get(tag::SELF) == Some(&owned.image.id)
}

/// Until when an image that is no longer listed is not called gone.
fn missing_until(view: &View<'_>, owned: &Owned<'_>, since: jiff::Timestamp) -> WaitsFor {
    WaitsFor::Missing {
        id: owned.image.id.clone(),
        until: since + view.desired.consistency_window,
    }
}
