//! Who uses an image that is to go: what does keeps it (invariant 4), and what EC2 does not say counts as use.
//!
//! The image's own account is asked as soon as nothing else keeps it. Other accounts, which can use only what was
//! published, are in a report that EC2 writes when it is asked to, and that is a day late (EC2 User Guide, "View your AMI
//! usage"): it is asked for where the `AwsAccount` says that they count.

use jiff::{SignedDuration, Timestamp};

use super::restraint::{Kept, with_way_out};
use super::step::{Action, Finding, Step, WaitsFor};
use super::view::{Owned, View};
use crate::api::ImageUser;
use crate::api::conditions;
use crate::image::desired::DEREGISTER_IN_USE;
use crate::image::observed::{ImageState, Unreadable, Usage, UsageReport};

/// How many users of an image are named before "N more".
const SAID_USERS: usize = 3;

/// How long a report serves: EC2 has nothing newer to say than of the day before.
const REPORT_SERVES: SignedDuration = SignedDuration::from_hours(24);

/// After what time another report is asked for where EC2 could not write one.
const REPORT_IS_TRIED_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// An image that can be launched goes only when EC2 says that nothing of its account uses it.
pub(super) fn in_use(view: &View<'_>, owned: &Owned<'_>) -> Option<Kept> {
    if !counts(view, owned) {
        return None;
    }
    let id = owned.image.id.clone();
    match view.observed.usage.get(&owned.key()) {
        None => Some(Kept {
            waits_for: WaitsFor::Usage(id),
            finding: None,
        }),
        Some(Usage::By(users)) => by(view, owned, users),
        Some(Usage::Unknown(unreadable)) => Some(Kept {
            finding: not_told(view, owned, "who uses it", unreadable),
            waits_for: WaitsFor::Usage(id),
        }),
    }
}

/// One that was published goes only when EC2's report says that no other account uses it, where the `AwsAccount` asks for
/// that. Where there is no report, it is asked for instead.
pub(super) fn in_use_elsewhere(
    view: &View<'_>,
    owned: &Owned<'_>,
    step: &mut Step,
) -> Option<Kept> {
    let account = view.desired.accounts.get(&owned.place.account)?;
    if step.waits_for.is_some()
        || !account.reports_usage
        || !owned.was_published()
        || !counts(view, owned)
    {
        return None;
    }
    let id = owned.image.id.clone();
    let not_told = |unreadable: &Unreadable| Kept {
        finding: not_told(view, owned, "which other accounts use it", unreadable),
        waits_for: WaitsFor::UsageReport(id.clone()),
    };
    // What was still published may have been launched since.
    let serves = |at: Timestamp| {
        view.now < at + REPORT_SERVES && owned.superseded_at().is_none_or(|since| since <= at)
    };
    let last = match view.observed.usage_reports.get(&owned.key()) {
        Some(UsageReport::Written { at, users }) if serves(*at) => return by(view, owned, users),
        Some(UsageReport::Failed { at, message }) if view.now < *at + REPORT_IS_TRIED_AGAIN => {
            return Some(not_told(&Unreadable {
                reason: conditions::REFUSED,
                message: format!(
                    "it could not write its report of {at} ({message}); another is asked for an hour after it"
                ),
            }));
        }
        Some(UsageReport::Unknown(unreadable)) => return Some(not_told(unreadable)),
        None | Some(UsageReport::Pending) => {
            return Some(Kept {
                waits_for: WaitsFor::UsageReport(id),
                finding: None,
            });
        }
        Some(UsageReport::Written { at, .. } | UsageReport::Failed { at, .. }) => Some(*at),
        Some(UsageReport::Absent) => None,
    };
    let identity = &view.desired.identity;
    step.action = Action::CreateUsageReport {
        token: identity.usage_report_token(owned.place, &id, last),
        tags: identity.usage_report_tags(),
        id,
    };
    None
}

/// Whether use keeps it: it can be launched, and nobody said that it goes all the same.
fn counts(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let can_be_launched = matches!(
        owned.image.state,
        ImageState::Available | ImageState::Disabled
    );
    let overridden = view.desired.deregister_in_use.as_ref();
    can_be_launched && !overridden.is_some_and(|revision| owned.is_of(revision))
}

/// Somebody uses it, if so.
fn by(view: &View<'_>, owned: &Owned<'_>, users: &[ImageUser]) -> Option<Kept> {
    let (first, others) = users.split_at(users.len().min(SAID_USERS));
    if first.is_empty() {
        return None;
    }
    let named = first.iter().map(ToString::to_string);
    let more = (!others.is_empty()).then(|| format!("{} more", others.len()));
    let by: Vec<_> = named.chain(more).collect();
    let id = owned.image.id.clone();
    let revision = owned
        .revision()
        .map(|revision| revision.to_string())
        .unwrap_or_default();
    let said = format!(
        "{id} in {} is no longer wanted, but in use by {}: it goes when nothing uses it, or annotate the MachineImage \
         with {DEREGISTER_IN_USE}={revision}",
        owned.place.region,
        by.join(", ")
    );
    let finding = Finding {
        reason: if view.desired.is_being_deleted() {
            conditions::DEREGISTRATION_BLOCKED
        } else {
            conditions::IN_USE
        },
        place: Some(owned.place.clone()),
        message: with_way_out(view, said),
    };
    Some(Kept {
        waits_for: WaitsFor::Unused { id, by },
        finding: Some(finding),
    })
}

/// EC2 does not say. What passes by itself is no matter of an object that is as it should be.
fn not_told(
    view: &View<'_>,
    owned: &Owned<'_>,
    what: &str,
    unreadable: &Unreadable,
) -> Option<Finding> {
    let said = format!(
        "{} in {} counts as used, since EC2 does not say {what}: {}",
        owned.image.id, owned.place.region, unreadable.message
    );
    let matters = view.desired.is_being_deleted() || unreadable.lasts();
    matters.then(|| Finding {
        reason: unreadable.reason,
        place: Some(owned.place.clone()),
        message: with_way_out(view, said),
    })
}
