//! What EC2 lets change of an image that stands, besides its tags: description, IMDS, deprecation, protection.
//! What the spec does not say is not managed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::publish::why_superseded;
use super::step::{Action, Plan, Step, Why};
use super::view::{Owned, View};
use crate::api::{Deprecation, SupersededImages};
use crate::image::attributes::{AttributeChange, whole_minutes};
use crate::image::identity::tag;
use crate::image::observed::ImageState;

/// "At once" for EC2, which takes no time that is past: its minute must still be to come when the call arrives.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(2);

/// Brings the standing images into line with the spec, and what they superseded.
pub(crate) fn bring_into_line(view: &View<'_>, plan: &mut Plan) {
    let standing = view
        .desired
        .places
        .iter()
        .filter_map(|place| view.standing_in(place));
    for owned in standing {
        for (change, why) in wanted(view, owned) {
            if !owned.image.attributes.show(&change) && is_possible(owned, &change) {
                plan.steps.push(modify(owned, change, why));
            }
        }
    }
    let superseded = view
        .ours()
        .filter(|owned| view.has_successor(owned) && !owned.is_published());
    for owned in superseded {
        plan.steps.extend(deprecate_superseded(view, owned));
    }
}

/// What the spec says of an image that stands.
fn wanted(view: &View<'_>, owned: &Owned<'_>) -> Vec<(AttributeChange, Why)> {
    let desired = view.desired;
    let description = desired
        .description
        .clone()
        .map(AttributeChange::Description);
    let imds = desired
        .requires_imds_v2
        .then_some(AttributeChange::RequireImdsV2);
    let deprecation = desired.deprecation.as_ref();
    let deprecation = deprecation.and_then(|asked| deprecation_of(view, owned, asked));
    let protection = desired.protection.map(AttributeChange::Protection);
    [
        (description, "spec.description"),
        (imds, "spec.imdsSupport"),
        (deprecation, "spec.deprecation"),
        (protection, "spec.deregistrationProtection"),
    ]
    .into_iter()
    .filter_map(|(change, field)| Some((change?, Why::WantedBy(field))))
    .collect()
}

/// The deprecation of a public image can be neither taken off nor put off while it is public, and each has one of two years
/// at most (EC2 User Guide, "Deprecate an AMI"). When it ends is told in time (`sharing::ageing`).
fn is_possible(owned: &Owned<'_>, change: &AttributeChange) -> bool {
    let attributes = &owned.image.attributes;
    let comes_later = |of: Timestamp| match change {
        AttributeChange::Deprecation(Some(at)) => *at > whole_minutes(of),
        AttributeChange::Deprecation(None) => true,
        _ => false,
    };
    !attributes.public || !attributes.deprecation.is_some_and(comes_later)
}

/// From when on an image shall be deprecated; nothing, where it was not made long enough ago to know.
fn deprecation_of(
    view: &View<'_>,
    owned: &Owned<'_>,
    asked: &Deprecation,
) -> Option<AttributeChange> {
    let Some(after) = asked.after() else {
        return Some(AttributeChange::Deprecation(None));
    };
    let at = whole_minutes(owned.image.created?.saturating_add(after).ok()?);
    if at > view.now + AT_ONCE {
        return Some(AttributeChange::Deprecation(Some(at)));
    }
    at_once(view, owned)
}

/// Deprecates an image now, unless it is or is about to be.
fn at_once(view: &View<'_>, owned: &Owned<'_>) -> Option<AttributeChange> {
    // Rounded as it is written, or what was written up would be written again until its time came near.
    let soon = whole_minutes(view.now + AT_ONCE);
    let is_deprecated = owned
        .image
        .attributes
        .deprecation
        .is_some_and(|at| at <= soon);
    (!is_deprecated).then_some(AttributeChange::Deprecation(Some(soon)))
}

/// A superseded image that is kept names its successor, and then is deprecated, where that is asked for.
fn deprecate_superseded(view: &View<'_>, owned: &Owned<'_>) -> Option<Step> {
    let asked = view.desired.deprecation.as_ref()?.superseded;
    let is_kept = owned.image.state == ImageState::Available && view.desired.wants(owned.place);
    if asked != SupersededImages::DeprecateAtOnce || !is_kept || owned.superseded_at().is_none() {
        return None;
    }
    let successor = view
        .standing_in(owned.place)
        .filter(|successor| successor.is_published())?;
    let why = why_superseded(view, owned);
    if owned.image.tags.get(tag::SUCCESSOR) != Some(successor.image.id.as_str()) {
        let action = Action::CreateTags {
            id: owned.image.id.clone(),
            tags: BTreeMap::from([(tag::SUCCESSOR.to_owned(), successor.image.id.clone())]),
        };
        return Some(Step::at(owned.place, action, why));
    }
    at_once(view, owned).map(|change| modify(owned, change, why))
}

fn modify(owned: &Owned<'_>, change: AttributeChange, why: Why) -> Step {
    let action = Action::ModifyImage {
        id: owned.image.id.clone(),
        change,
    };
    Step::at(owned.place, action, why)
}
