//! Filling each wanted place from any available image of the revision.
//!
//! Creating needs no proof of absence here: the client token is a hash of what is wanted and of the attempt,
//! so that a repeat is the same call. Source: EC2 API, `CopyImage`; design: "Creating once", "Pinning".

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::lending::{InTheWay, can_be_lent, lend};
use super::recycle_bin;
use super::sharing;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::tagging::Field;
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::desired::Source;
use crate::image::encryption::{Encryption, VARIANT_SOURCE};
use crate::image::identity::{Foreign, Place, Reference, Revision, Standing, tag};
use crate::image::observed::{
    Asked, EbsDefaults, ImageState, Known, Refusal, Snapshot, SourceImage, SourceView,
};

/// How many copies to one place may fail before somebody has to look. What vanishes does not count: a region
/// that was taken out and put in again leaves used tokens behind.
const MOST_FAILURES: usize = 8;

/// How long after the beginning of the first failed copy the next is asked for; twice as long after each more.
const FIRST_DELAY: SignedDuration = SignedDuration::from_mins(1);

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
    for place in &view.desired.places {
        let keeper = view.keeper(place);
        let missing_since = match keeper.map(|owned| (owned, owned.image.state)) {
            None => None,
            Some((owned, _)) if recycle_bin::keeps(view, owned) => continue,
            Some((owned, ImageState::Missing { since })) => Some((owned, since)),
            Some(_) => continue,
        };
        let source = match readable_source(view, place) {
            Ok(source) => source,
            Err(finding) => {
                let finding = finding.filter(|_| keeper.is_none());
                plan.findings
                    .extend(finding.filter(|finding| !plan.findings.contains(finding)));
                continue;
            }
        };
        let Some(known) = view.known(place) else {
            continue;
        };
        if view.unproven_current().any(|owned| owned.place == place) {
            continue;
        }
        let missing = match missing_since {
            None => unlisted_original(view, place, known),
            Some((owned, since)) => Some(missing_until(view, owned, since)),
        };
        let others = view.of_another_origin_in(place).count();
        match (copy_to(view, place, known, &source), missing) {
            (Ok(step), None) if others > 0 => plan
                .steps
                .push(step.waiting_for(WaitsFor::Deletion(others))),
            (Ok(step), None) => copy_into_account(view, place, &source, step, plan),
            (Ok(step), Some(missing)) => plan.steps.push(step.waiting_for(missing)),
            (Err(finding), _) => plan.findings.push(finding),
        }
    }
}

/// The first copy into an account is noted on the object, and is of an image that is lent to that account.
fn copy_into_account(
    view: &View<'_>,
    place: &Place,
    source: &CopySource<'_, '_>,
    step: Step,
    plan: &mut Plan,
) {
    let desired = view.desired;
    let name = desired.account_name(place);
    if step.waits_for.is_some() || desired.is_at_home(place) {
        plan.steps.push(step);
        return;
    }
    if !desired.recorded_accounts.contains(name) {
        let mut names = desired.recorded_accounts.clone();
        names.insert(name.to_owned());
        let action = Action::RecordAccounts { names };
        plan.steps
            .push(Step::on_object(action, Why::NothingMayBeLeftBehind));
        return;
    }
    let lender = source.lender;
    match lender.and_then(|owned| lend(view, owned, &place.account, plan)) {
        None => plan.steps.push(step),
        Some(InTheWay::Wait(waits_for)) => plan.steps.push(step.waiting_for(waits_for)),
        Some(InTheWay::Finding(finding)) => plan.findings.push(finding),
    }
}

/// The place of an account that is filled from another account, of those that lack an image: one to which a copy goes by
/// itself and whose copies can serve all others, as far as there is one.
fn entry<'a>(view: &View<'a>, account: &str) -> Option<&'a Place> {
    let desired = view.desired;
    let places = desired
        .places
        .iter()
        .filter(|place| place.account == account);
    let lacking = places
        .filter_map(|place| Some((place, view.known(place)?)))
        .filter(|(place, _)| view.keeper(place).is_none());
    let entry = lacking.min_by_key(|(place, known)| {
        (
            hopelessness(view, place, known),
            desired.variant(place) != VARIANT_SOURCE,
            place.region != desired.source.region(),
        )
    });
    entry.map(|(place, _)| place)
}

/// How much has to be done by somebody before an image is copied to a place: the least is the nearest. What EC2 refuses
/// is asked again now and then; what failed too often, or may not be made, is not. What is only throttled passes.
fn hopelessness(view: &View<'_>, place: &Place, known: &Known) -> u8 {
    let mut refusals = view.observed.refusals.iter();
    let is_refused = |(asked, refusal): (&Asked, &Refusal)| {
        asked.place == *place && asked.action == "CopyImage" && refusal.reason.stalls()
    };
    if attempt(view, place, known).is_err() || sharing::preflight(view, place).is_err() {
        2
    } else {
        u8::from(refusals.any(is_refused))
    }
}

/// What a copy is made from, and what has to happen before it can be.
pub(super) struct CopySource<'v, 'a> {
    from: Reference,
    pub(super) waits_for: Option<WaitsFor>,
    /// The image, where it is in another account, which has to let this one copy it.
    lender: Option<&'v Owned<'a>>,
}

impl CopySource<'_, '_> {
    fn ready(from: Reference) -> Self {
        Self {
            from,
            waits_for: None,
            lender: None,
        }
    }

    fn waiting(from: Reference, waits_for: WaitsFor) -> Self {
        Self {
            from,
            waits_for: Some(waits_for),
            lender: None,
        }
    }
}

/// The image to copy to `place`: the spec's own if it is one and still there, else any available sibling of the account,
/// one that is not encrypted first, and the one in the source's region. An account that has none gets one from another
/// account, in one place. What is to be as its source is copied from such a one only: what was encrypted once stays so.
/// An error without a finding: nothing is to be copied yet (the capture comes first).
fn readable_source<'v, 'a>(
    view: &'v View<'a>,
    place: &Place,
) -> Result<CopySource<'v, 'a>, Option<Finding>> {
    let desired = view.desired;
    let serves = |owned: &&Owned<'_>| {
        owned.variant() == VARIANT_SOURCE || desired.variant(place) != VARIANT_SOURCE
    };
    let is_near = |owned: &&Owned<'_>| owned.place.account == place.account;
    let can_be_copied =
        |owned: &&Owned<'_>| owned.image.state == ImageState::Available && owned.is_sealed();
    let sibling = view
        .live_current()
        .filter(serves)
        .filter(is_near)
        .filter(can_be_copied)
        .min_by_key(|owned| {
            (
                owned.variant() != VARIANT_SOURCE,
                owned.place.region != desired.source.region(),
                owned.place,
                &owned.image.id,
            )
        });
    let mut complaint = None;
    if desired.source.is_image() && desired.is_at_home(place) {
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
    if let Some(coming) = coming(view, |owned| serves(owned) && is_near(owned)) {
        return coming;
    }
    let refusal = desired.accounts.get(&place.account);
    if let Some(refusal) = refusal.and_then(|account| account.refusal.clone()) {
        return Err(Some(refusal));
    }
    let lender = view
        .live_current()
        .filter(serves)
        .filter(can_be_copied)
        .min_by_key(|owned| {
            (
                !can_be_lent(view, owned),
                // EC2 copies from no region that is not enabled for the account that copies.
                !has_region(view, &place.account, &owned.place.region),
                owned.variant() != VARIANT_SOURCE,
                owned.place.region != place.region,
                owned.place,
                &owned.image.id,
            )
        });
    match (lender, entry(view, &place.account)) {
        (Some(lender), Some(entry)) if entry != place => Ok(CopySource::waiting(
            lender.reference(),
            WaitsFor::Standing(vec![desired.said(entry)]),
        )),
        (Some(lender), _) => Ok(CopySource {
            lender: Some(lender),
            ..CopySource::ready(lender.reference())
        }),
        (None, _) => coming(view, serves)
            .unwrap_or_else(|| Err(complaint.or_else(|| only_encrypted(view, place)))),
    }
}

fn has_region(view: &View<'_>, account: &str, region: &str) -> bool {
    let place = Place::new(account, region);
    view.observed.places.contains_key(&place)
}

/// The sibling that is nearest to being one that can be copied, among some, and what it waits for.
fn coming<'v, 'a>(
    view: &'v View<'a>,
    is_meant: impl Fn(&&'v Owned<'a>) -> bool,
) -> Option<Result<CopySource<'v, 'a>, Option<Finding>>> {
    let live = view.live_current().filter(&is_meant);
    if let Some(owned) = live.min_by_key(|owned| nearness(owned.image.state)) {
        let waits_for = match owned.image.state {
            ImageState::Disabled => return Some(Err(disabled(owned))),
            ImageState::Missing { since } => missing_until(view, owned, since),
            ImageState::Available => WaitsFor::Proof(owned.image.id.clone()),
            _ => WaitsFor::Available {
                image: owned.reference(),
                progress: owned.image.progress,
            },
        };
        return Some(Ok(CopySource::waiting(owned.reference(), waits_for)));
    }
    let unproven = view.unproven_current().find(is_meant)?;
    let waits_for = WaitsFor::Proof(unproven.image.id.clone());
    Some(Ok(CopySource::waiting(unproven.reference(), waits_for)))
}

/// Every image that is left of the revision is encrypted, and one is wanted that is not.
fn only_encrypted(view: &View<'_>, place: &Place) -> Option<Finding> {
    let left = view.live_current().next()?;
    Some(Finding {
        reason: conditions::SOURCE_GONE,
        place: Some(place.clone()),
        message: format!(
            "{} is to have an image of revision {} that is encrypted as its source, and of those that are left, such as \
             {}, all were encrypted by Amity: write encryption for the region, or change spec.rebuild",
            place.region,
            view.desired.revision,
            left.reference()
        ),
    })
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

/// The image that the spec names, if it may be copied. A name is resolved once: the status has the answer before
/// the first copy is asked for (design: "Pinning").
pub(super) fn spec_image<'v, 'a>(view: &View<'_>) -> Result<CopySource<'v, 'a>, Finding> {
    let desired = view.desired;
    let finding = |reason, message| {
        Err(Finding {
            reason,
            place: Some(desired.source_place()),
            message,
        })
    };
    // `region/owner/name` or `region/ssm:parameter`, while it is only that.
    let unread_source = || {
        let said = desired.source.to_string().parse();
        said.unwrap_or_else(|()| Reference::new(desired.source.region(), ""))
    };
    let origin = view.origin.as_ref().map(|origin| &origin.reference);
    if !desired.undecided.is_empty() {
        let from = origin.cloned().unwrap_or_else(unread_source);
        let waits_for = WaitsFor::Readable(desired.undecided.clone());
        return Ok(CopySource::waiting(from, waits_for));
    }
    match &view.observed.source {
        SourceView::Image(image) => {
            let from = Reference::new(desired.source.region(), &image.id);
            desired.grants.check_image(image)?;
            if let Some(finding) = not_of_that_name(view, &from, image) {
                return Err(finding);
            }
            match image.state {
                ImageState::Available if !view.origin.as_ref().is_some_and(|it| it.is_settled) => {
                    Ok(CopySource::waiting(from.clone(), WaitsFor::Record(from)))
                }
                ImageState::Available => Ok(CopySource::ready(from)),
                ImageState::Pending => {
                    let image = from.clone();
                    let progress = None;
                    let waits_for = WaitsFor::Available { image, progress };
                    Ok(CopySource::waiting(from, waits_for))
                }
                state => finding(
                    conditions::SOURCE_NOT_SUPPORTED,
                    format!("{from} is {state}: only an available image can be copied"),
                ),
            }
        }
        SourceView::Missing { message } => {
            let has_begun = has_begun(view);
            let message = message.trim_end_matches('.');
            let what = view.origin_text();
            match (has_begun, &desired.source, origin) {
                (true, _, _) => finding(
                    conditions::SOURCE_GONE,
                    format!("{what} was not found: {message}; change spec.source or spec.rebuild"),
                ),
                (false, source, Some(_)) if source.is_resolved() => finding(
                    conditions::SOURCE_NOT_FOUND,
                    format!(
                        "{what}, to which {source} was resolved for this revision, was not found: {message}; change \
                         spec.rebuild to resolve it anew"
                    ),
                ),
                _ => finding(
                    conditions::SOURCE_NOT_FOUND,
                    format!("{what} was not found: {message}; correct spec.source"),
                ),
            }
        }
        SourceView::NoImage { message } => {
            finding(conditions::SOURCE_NOT_SUPPORTED, message.clone())
        }
        SourceView::Unpublished => {
            let awaited = desired.awaited.clone();
            let awaited = awaited.unwrap_or_else(|| not_published(&desired.source));
            finding(awaited.reason, awaited.message)
        }
        SourceView::Unreadable(unreadable) => {
            finding(unreadable.reason, unreadable.message.clone())
        }
        SourceView::NotRead | SourceView::Instance(_) | SourceView::Snapshots(_) => {
            let from = origin.cloned().unwrap_or_else(unread_source);
            Ok(CopySource::waiting(from, WaitsFor::Source))
        }
    }
}

/// Nothing more is known of the object that the spec names.
fn not_published(source: &Source) -> Finding {
    Finding {
        reason: conditions::SOURCE_NOT_PUBLISHED,
        place: None,
        message: format!("{source} is not published yet, which is awaited"),
    }
}

/// Whether something was made of the revision, or may have been.
fn has_begun(view: &View<'_>) -> bool {
    let revision = &view.desired.revision;
    view.desired
        .places
        .iter()
        .any(|place| view.has_died_in(place))
        || view.claimed.iter().any(|owned| owned.is_of(revision))
}

/// What the status or a tag says that a name was resolved to is believed only while EC2 shows that name and
/// owner, or that object: else whoever may write a status could choose the image.
fn not_of_that_name(view: &View<'_>, from: &Reference, image: &SourceImage) -> Option<Finding> {
    let desired = view.desired;
    let source = &desired.source;
    if source.may_be(image, desired.account_id.as_deref()) {
        return None;
    }
    let is = match source {
        Source::Published(_) => match &image.object {
            Some(object) => format!("is an image of {object}"),
            None => "is not an image of it".to_owned(),
        },
        _ => format!(
            "has the name {:?}, the architecture {} and the owner {}",
            image.name, image.architecture, image.owner
        ),
    };
    Some(Finding {
        reason: conditions::SOURCE_NOT_SUPPORTED,
        place: Some(desired.source_place()),
        message: format!(
            "{from}, to which {source} was resolved for this revision, {is}: change spec.rebuild to resolve it anew"
        ),
    })
}

fn copy_to(
    view: &View<'_>,
    place: &Place,
    known: &Known,
    source: &CopySource<'_, '_>,
) -> Result<Step, Finding> {
    let desired = view.desired;
    let Attempt { number, not_before } = attempt(view, place, known)?;
    let defaults = sharing::preflight(view, place)?;
    let (encryption, default_key) = encryption(view, place);
    let origin = view.origin.as_ref().map(|origin| &origin.reference);
    let variant = desired.variant(place);
    let mut tags = desired.identity.birth_tags(
        &desired.revision,
        variant,
        origin.unwrap_or(&source.from),
        &source.from,
    );
    tags.insert(tag::ATTEMPT.to_owned(), number.to_string());
    let mut snapshot_tags = tags.clone();
    tags.extend(Field::image_tags(desired, place).with_note());
    snapshot_tags.extend(Field::snapshot_tags(desired, place).with_note());
    let action = Action::CopyImage {
        from: source.from.clone(),
        name: desired.image_name.clone(),
        description: desired.description.clone(),
        encryption,
        minutes: desired.copy_minutes,
        token: desired
            .identity
            .copy_token(&desired.revision, variant, place, number),
        tags,
        snapshot_tags,
    };
    let why = match lost(known, &desired.revision) {
        Some(id) => Why::InPlaceOf(id.to_owned()),
        None if desired.is_at_home(place) => Why::WantedByRegions,
        None => Why::WantedBy("spec.accounts"),
    };
    let step = Step::at(place, action, why);
    let too_early = not_before.filter(|until| view.now < *until);
    let waits_for = source
        .waits_for
        .clone()
        .or_else(|| too_early.map(|until| WaitsFor::Retry { until }))
        .or(defaults)
        .or(default_key)
        .or_else(|| (known.free_copy_slots == Some(0)).then_some(WaitsFor::CopySlot));
    Ok(match waits_for {
        None => step,
        Some(waits_for) => step.waiting_for(waits_for),
    })
}

/// How a copy is to be encrypted, and what has to be read before. The default key is named: else EC2 takes that of what is
/// copied within its region (EBS User Guide, "Copy an Amazon EBS snapshot").
fn encryption(view: &View<'_>, place: &Place) -> (Option<Encryption>, Option<WaitsFor>) {
    let asked = view.desired.encryption.get(place).cloned();
    match (asked, view.observed.ebs_defaults.get(place)) {
        (Some(asked), None) if asked.key.is_none() => (Some(asked), Some(WaitsFor::EbsDefaults)),
        (Some(asked), Some(EbsDefaults::Known { default_key, .. })) if asked.key.is_none() => {
            let key = Some(default_key.clone());
            (Some(Encryption { key, ..asked }), None)
        }
        (asked, _) => (asked, None),
    }
}

/// The image of the revision that was there last and that somebody else took away. What is known by its token only was
/// never seen.
fn lost<'a>(known: &'a Known, revision: &Revision) -> Option<&'a str> {
    let dead = known.dead.iter();
    let seen = dead.filter(|dead| dead.revision == *revision && dead.id.starts_with("ami-"));
    let last = seen.max_by_key(|dead| dead.attempt)?;
    Some(&last.id)
}

/// Which attempt the next copy is.
struct Attempt {
    number: u32,
    /// When the last failure is long enough ago.
    not_before: Option<Timestamp>,
}

/// One more than how many attempts are known to be over, and than the number of any of them: an earlier process may
/// have known of more. The longer they fail, the later the next; a copy that failed by its key is not tried again.
fn attempt(view: &View<'_>, place: &Place, known: &Known) -> Result<Attempt, Finding> {
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
    let dead: Vec<_> = known
        .dead
        .iter()
        .filter(|dead| dead.revision == view.desired.revision)
        .collect();
    let counted = u32::try_from(failed.len() + retained.len() + dead.len()).unwrap_or(u32::MAX);
    let said = failed
        .iter()
        .chain(&retained)
        .filter_map(|owned| owned.image.tags.get(tag::ATTEMPT)?.parse().ok())
        .chain(dead.iter().map(|dead| dead.attempt))
        .max();
    // Another key is another try.
    let failed: Vec<_> = failed
        .into_iter()
        .filter(|owned| view.is_wanted_variant(owned))
        .collect();
    let last = failed.iter().max_by_key(|owned| owned.image.created);
    let words = last.map(|owned| words_of_failure(owned, known));
    let what_to_change = if view.desired.encryption.contains_key(place) {
        "spec.rebuild or the region's encryption"
    } else {
        "spec.rebuild"
    };
    let finding = |how_many: String, words: &str| Finding {
        reason: conditions::COPY_FAILED,
        place: Some(place.clone()),
        message: format!(
            "{how_many} to {} failed: {words}; mend that and change {what_to_change}",
            view.desired.said(place)
        ),
    };
    match words {
        Some(words) if is_about_a_key(&words) => {
            let words = format!("{words}; {}", statement_for(place));
            Err(finding("a copy".to_owned(), &words))
        }
        Some(words) if failed.len() >= MOST_FAILURES => {
            Err(finding(format!("{MOST_FAILURES} copies"), &words))
        }
        _ => {
            let number = counted.max(said.unwrap_or(0)).saturating_add(1);
            let delay = FIRST_DELAY * (1_i32 << failed.len().saturating_sub(1).min(10));
            let not_before = last.and_then(|owned| owned.image.created?.checked_add(delay).ok());
            Ok(Attempt { number, not_before })
        }
    }
}

/// EC2's words about a failed copy: those of its snapshots say more than those of the image (EBS User Guide,
/// "Copy an Amazon EBS snapshot").
fn words_of_failure(owned: &Owned<'_>, known: &Known) -> String {
    let alike = |snapshot: &&Snapshot| {
        owned.image.snapshots.contains(&snapshot.id)
            || owned.image.snapshots.is_empty()
                && snapshot.tags.get(tag::ATTEMPT) == owned.image.tags.get(tag::ATTEMPT)
                && snapshot.tags.get(tag::REVISION) == owned.image.tags.get(tag::REVISION)
    };
    let said: BTreeSet<&str> = known
        .snapshots
        .iter()
        .filter(alike)
        .filter_map(|snapshot| snapshot.failure.as_deref())
        .chain(owned.image.state_reason.as_deref())
        .collect();
    if said.is_empty() {
        return "EC2 gives no reason".to_owned();
    }
    said.into_iter().collect::<Vec<_>>().join("; ")
}

/// Whether EC2 says for certain that a key is in the way, which no further attempt changes (EBS User Guide, "Copy a
/// snapshot").
fn is_about_a_key(words: &str) -> bool {
    [
        "key ID is not accessible",
        "InvalidKMSKey",
        "DescribeKey permissions",
    ]
    .iter()
    .any(|said| words.contains(said))
}

/// What the policy of a key has to say so that `place` can copy with it. The keys are their owner's: Amity changes none
/// (EC2 User Guide, "Copy an AMI"; AWS KMS Developer Guide, "Allowing users in other accounts to use a KMS key").
fn statement_for(place: &Place) -> String {
    let partition = match place.region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if place.region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:{partition}:iam::{}:root", place.account)},
        "Action": [
            "kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:ReEncrypt*",
            "kms:GenerateDataKeyWithoutPlaintext",
        ],
        "Resource": "*",
    });
    format!("the policies of the keys that encrypt the source and the copy have to say {statement}")
}

/// An image that an object of this name left behind when it was deleted. Its token is used up: EC2 would
/// answer with this very image again, for ever. The seal tells it from a stranger's copy of its tags.
fn has_been_retained(owned: &Owned<'_>) -> bool {
    owned.standing == Standing::Foreign(Foreign::Retained)
        && owned.image.tags.get(tag::SELF) == Some(owned.image.id.as_str())
}

/// What a place waits for of which a sibling says that it was copied from an image there: that image is not listed,
/// but may be yet, and a copy of the copy would be a second one (invariant 3). A token is no help, since what was
/// captured or registered has none.
fn unlisted_original(view: &View<'_>, place: &Place, known: &Known) -> Option<WaitsFor> {
    // It may be of another account.
    let is_known = |id: &str| {
        let there = view.observed.known();
        let mut there = there.filter(|(other, _)| other.region == place.region);
        there.any(|(_, known)| {
            let listed = known.images.iter().map(|image| &image.id);
            let dead = known.dead.iter().map(|dead| &dead.id);
            listed.chain(dead).any(|known| known == id)
        })
    };
    let is_unlisted = |owned: &Owned<'_>| {
        let source = owned.image.tags.get(tag::SOURCE);
        let source = source.and_then(|text| text.parse::<Reference>().ok());
        source.is_some_and(|source| {
            source.is_image()
                && source.region == place.region
                && !view.is_the_users(place, &source.id)
                && !is_known(&source.id)
        })
    };
    let until = view.observed.last_creation + view.desired.consistency_window;
    if !view.live_current().any(is_unlisted) {
        None
    } else if view.now < until {
        Some(WaitsFor::ConsistencyWindow { until })
    } else {
        (known.as_of < until).then(|| WaitsFor::FreshLists(vec![place.clone()]))
    }
}

/// Until when an image that is no longer listed is not called gone.
fn missing_until(view: &View<'_>, owned: &Owned<'_>, since: jiff::Timestamp) -> WaitsFor {
    WaitsFor::Missing {
        id: owned.image.id.clone(),
        until: since + view.desired.consistency_window,
    }
}
