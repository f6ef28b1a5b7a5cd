//! Who else may use images and snapshots (10).

use std::collections::BTreeSet;

use super::Facts;
use crate::image::attributes::AttributeChange;
use crate::image::identity::{Place, Standing, is_sealed_snapshot, tag};
use crate::image::observed::Image;
use crate::image::permissions::Grantee;
use crate::image::plan::{Action, Step};

/// Nobody is let use what was not published, nor anybody whom the spec does not name or no grant allows.
pub(super) fn only_published_images_are_shared_as_granted(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let (target, added) = match &step.action {
        Action::ChangePermissions { id, change } => (id, change.add.iter().collect::<Vec<_>>()),
        Action::ModifyImage {
            id,
            change: AttributeChange::Public(true),
        } => (id, Vec::new()),
        _ => return None,
    };
    let is_public = matches!(step.action, Action::ModifyImage { .. });
    if added.is_empty() && !is_public {
        return None;
    }
    if !is_public
        && added
            .iter()
            .all(|grantee| is_lent(facts, place, target, grantee))
    {
        return None;
    }
    let Some(sharing) = &facts.desired.sharing else {
        return Some("spec.sharing does not say with whom it is shared".to_owned());
    };
    let is_allowed = |grantee: &&&Grantee| {
        sharing.with.contains(**grantee) && !sharing.not_granted.contains(**grantee)
    };
    if is_public && !(sharing.public && sharing.public_is_granted) {
        return Some("nothing allows to make it public".to_owned());
    }
    if let Some(grantee) = added.iter().find(|grantee| !is_allowed(grantee)) {
        return Some(format!("nothing allows to share it with {}", grantee.id()));
    }
    let mut images = facts.observed.known_at(place)?.images.iter();
    let is_published = images.any(|image| {
        (image.id == *target || image.snapshots.contains(target))
            && facts.is_ours(image)
            && image.tags.contains_key(tag::PUBLISHED)
    });
    (!is_published).then(|| "it is not published".to_owned())
}

/// Whether the image, or the one of the snapshot, is ours and says that it is lent to that account, which the spec
/// wants the image in and whose grants allow it.
fn is_lent(facts: &Facts<'_>, place: &Place, target: &str, grantee: &Grantee) -> bool {
    let Grantee::Account(id) = grantee else {
        return false;
    };
    let is_wanted = facts.desired.places.iter().any(|one| one.account == *id);
    let is_granted = |id| {
        facts
            .desired
            .accounts
            .get(id)
            .is_some_and(|one| one.refusal.is_none())
    };
    let says_so = |image: &Image| {
        let lent = image.tags.get(tag::LENT_TO).unwrap_or_default();
        facts.standing(image) == Some(Standing::Ours) && lent.split(' ').any(|one| one == id)
    };
    let known = facts.observed.known_at(place);
    let mut images = known.into_iter().flat_map(|known| &known.images);
    is_wanted
        && is_granted(id)
        && images.any(|image| {
            (image.id == target || image.snapshots.iter().any(|one| one == target))
                && says_so(image)
        })
}

/// The note of whom an image is lent to is all that would ever take it back: it goes when EC2 has answered that each
/// permission is gone.
pub(super) fn what_is_lent_is_taken_back_first(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let (id, still) = match &step.action {
        Action::DeleteTags { id, keys } if keys.iter().any(|key| key == tag::LENT_TO) => (id, ""),
        Action::CreateTags { id, tags } => (id, tags.get(tag::LENT_TO)?.as_str()),
        _ => return None,
    };
    let image = facts.image(place, id)?;
    let lent = image.tags.get(tag::LENT_TO).unwrap_or_default();
    let of = |text: &'_ str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
    let known = facts.observed.known_at(place)?;
    let made_with_it = |snapshot: &&String| {
        let mut snapshots = known.snapshots.iter();
        snapshots
            .any(|one| one.id == **snapshot && is_sealed_snapshot(one, &facts.desired.identity))
    };
    let sharing = facts.desired.sharing.as_ref();
    of(lent).difference(&of(still)).find_map(|account| {
        let grantee = Grantee::Account(account.clone());
        let stays = sharing.is_some_and(|sharing| sharing.with.contains(&grantee));
        let is_back = |id: &String| {
            let key = (place.clone(), id.clone());
            let from = facts.observed.taken_back.get(&key);
            from.is_some_and(|from| from.contains(&grantee))
        };
        let mut all = image.snapshots.iter().filter(made_with_it).chain([id]);
        let not_back = all.find(|id| !account.is_empty() && !stays && !is_back(id))?;
        Some(format!("{not_back} may still be shared with {account}"))
    })
}
