//! Whose each image is, which stands where, and what of it a rule of the planner asks.

use jiff::Timestamp;

use crate::api::DeletionPolicy;
use crate::image::desired::Desired;
use crate::image::encryption::VARIANT_SOURCE;
use crate::image::identity::{self, Place, Reference, Revision, Standing, is_sealed_snapshot, tag};
use crate::image::observed::{Image, ImageState, Known, Observed, Snapshot, SourceView};

/// The question, with every image sorted by whose it is.
pub(crate) struct View<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub now: Timestamp,
    /// What the wanted revision is made from, resolved; `None` while a name or a parameter is not.
    pub origin: Option<Origin>,
    /// The images whose tags claim the object, in the order of places.
    pub claimed: Vec<Owned<'a>>,
}

/// What a revision is made from, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub reference: Reference,
    /// Whether it can no longer turn out to be another: the spec, an image or the status says so.
    pub is_settled: bool,
}

/// An image whose tags claim the object, and what can be said of the claim.
#[derive(Clone, Debug)]
pub(crate) struct Owned<'a> {
    pub place: &'a Place,
    pub image: &'a Image,
    pub standing: Standing,
}

impl<'a> View<'a> {
    pub fn new(desired: &'a Desired, observed: &'a Observed, now: Timestamp) -> Self {
        let claimed: Vec<_> = observed
            .known()
            .flat_map(|(place, known)| known.images.iter().map(move |image| (place, image)))
            .filter(|(_, image)| desired.identity.is_claimed_by(&image.tags))
            .map(|(place, image)| Owned {
                place,
                image,
                standing: identity::standing(image, &desired.identity),
            })
            .collect();
        Self {
            desired,
            observed,
            now,
            origin: origin(desired, observed, &claimed),
            claimed,
        }
    }

    /// Images that are ours or, unless a stranger's call is in between, are about to be.
    pub fn live(&self) -> impl Iterator<Item = &Owned<'a>> {
        self.claimed
            .iter()
            .filter(|owned| owned.is_proven() && owned.image.state != ImageState::Failed)
    }

    /// The live images of the wanted revision.
    pub fn live_current(&self) -> impl Iterator<Item = &Owned<'a>> {
        self.live().filter(|owned| self.is_current(owned))
    }

    /// Whether an image is one of the wanted revision: never of another origin, nor registered as something
    /// else than the spec says.
    pub fn is_current(&self, owned: &Owned<'_>) -> bool {
        owned.is_of(&self.desired.revision)
            && !self.is_of_another_origin(owned)
            && self.desired.other_platform_of(owned.image).is_none()
    }

    /// Whether an image of the wanted revision was made from something else than the others: two processes
    /// may have resolved a name differently, if the status was lost between them.
    pub fn is_of_another_origin(&self, owned: &Owned<'_>) -> bool {
        let origin = owned.image.tags.get(tag::ORIGIN);
        let origin = origin.and_then(|text| text.parse::<Reference>().ok());
        owned.is_of(&self.desired.revision)
            && self.desired.source.is_resolved()
            && self
                .origin
                .as_ref()
                .zip(origin)
                .is_some_and(|(settled, said)| said != settled.reference)
    }

    /// The images of another origin that take the place of one of the wanted revision.
    pub fn of_another_origin_in(&self, place: &Place) -> impl Iterator<Item = &Owned<'a>> {
        self.claimed
            .iter()
            .filter(move |owned| owned.place == place && self.is_of_another_origin(owned))
            .filter(|owned| owned.image.state != ImageState::Failed)
            .filter(|owned| owned.is_proven() || owned.standing == Standing::Unproven)
    }

    /// What the revision is made from, as the user reads it.
    pub fn origin_text(&self) -> String {
        match &self.origin {
            Some(origin) => origin.reference.to_string(),
            None => self.desired.source.to_string(),
        }
    }

    /// The sealed images.
    pub fn ours(&self) -> impl Iterator<Item = &Owned<'a>> {
        self.claimed
            .iter()
            .filter(|owned| owned.standing == Standing::Ours)
    }

    /// Whether there is anything in EC2 that goes with the object.
    pub fn has_something(&self) -> bool {
        let identity = &self.desired.identity;
        let mut snapshots = self
            .observed
            .known()
            .flat_map(|(_, known)| &known.snapshots);
        self.ours().next().is_some()
            || snapshots.any(|snapshot| is_sealed_snapshot(snapshot, identity))
    }

    /// Whether an image of the wanted revision exists, or may exist as far as can be seen.
    pub fn has_sibling(&self) -> bool {
        self.live_current().next().is_some() || self.unproven_current().next().is_some()
    }

    /// Images that claim to be of the wanted revision and that EC2 does not prove yet.
    pub fn unproven_current(&self) -> impl Iterator<Item = &Owned<'a>> {
        self.claimed
            .iter()
            .filter(|owned| owned.standing == Standing::Unproven && self.is_current(owned))
            .filter(|owned| owned.image.state != ImageState::Failed)
    }

    /// Whether an image of the wanted revision is encrypted as its place asks for.
    pub fn is_wanted_variant(&self, owned: &Owned<'_>) -> bool {
        owned.variant() == self.desired.variant(owned.place)
    }

    /// Whether an image is what another one takes the place of: it is of another revision or, where its region is
    /// wanted, encrypted otherwise than the spec says.
    pub fn has_successor(&self, owned: &Owned<'_>) -> bool {
        let is_another_variant =
            || self.desired.wants(owned.place) && !self.is_wanted_variant(owned);
        !owned.is_of(&self.desired.revision) || is_another_variant()
    }

    /// The one live image of the wanted revision that counts in `place`, encrypted as asked: the published one, else one
    /// that is available, else the oldest.
    pub fn keeper(&self, place: &Place) -> Option<&Owned<'a>> {
        self.live_current()
            .filter(|owned| owned.place == place && self.is_wanted_variant(owned))
            .min_by_key(|owned| {
                let image = owned.image;
                let available = image.state == ImageState::Available;
                (
                    !owned.is_published(),
                    !available,
                    !owned.was_published(),
                    image.created.unwrap_or(Timestamp::MAX),
                    &image.id,
                )
            })
    }

    /// Whether it is what the wanted revision is made from, by the spec or by what its name was resolved to: then
    /// it is the user's, whoever made it.
    pub fn is_the_users(&self, place: &Place, id: &str) -> bool {
        let itself = Reference::new(place.region.as_str(), id);
        let origin = self.origin.as_ref().map(|origin| &origin.reference);
        self.desired.source.names(&place.region, id) || origin == Some(&itself)
    }

    /// The keeper of `place`, if it can be launched and is sealed.
    pub fn standing_in(&self, place: &Place) -> Option<&Owned<'a>> {
        self.keeper(place).filter(|owned| {
            owned.image.state == ImageState::Available && owned.standing == Standing::Ours
        })
    }

    /// The wanted places where the revision does not stand yet.
    pub fn not_standing(&self) -> Vec<&'a Place> {
        self.desired
            .places
            .iter()
            .filter(|place| self.standing_in(place).is_none())
            .collect()
    }

    /// Whether the wanted revision stands in every wanted place and is published there.
    pub fn is_published_everywhere(&self) -> bool {
        self.desired
            .places
            .iter()
            .all(|place| self.standing_in(place).is_some_and(Owned::is_published))
    }

    /// Whether a wanted place could not be read.
    pub fn is_partly_unknown(&self) -> bool {
        self.desired
            .places
            .iter()
            .any(|place| self.known(place).is_none())
    }

    /// Whether users are told to launch it: it is published, or the status says so and nothing in the place is seen to be
    /// published. That happens after a restart, when a list still lacks the tags that were sent last.
    pub fn is_told(&self, owned: &Owned<'_>) -> bool {
        let is_named = || self.desired.told.get(owned.place) == Some(&owned.image.id);
        let nothing_is_published = || {
            !self
                .ours()
                .any(|other| other.place == owned.place && other.is_published())
        };
        owned.is_published() || is_named() && nothing_is_published()
    }

    /// Whether publication of the wanted revision has begun: from then on it is only rolled forward.
    pub fn publication_has_begun(&self) -> bool {
        self.ours()
            .any(|owned| self.is_current(owned) && owned.is_published())
    }

    /// The places of the account that could not be read.
    pub fn unreadable(&self) -> Vec<Place> {
        self.observed
            .unreadable()
            .map(|(place, _)| place.clone())
            .collect()
    }

    /// Whether nothing may be destroyed.
    pub fn retains(&self) -> bool {
        self.desired.deletion_policy == DeletionPolicy::Retain
    }

    /// What is known of the place of an image.
    pub fn known(&self, place: &Place) -> Option<&'a Known> {
        self.observed.known_at(place)
    }

    /// The snapshot `id` in `place`, if it carries our tags.
    pub fn snapshot(&self, place: &Place, id: &str) -> Option<&'a Snapshot> {
        self.known(place)?.snapshots.iter().find(|snapshot| {
            snapshot.id == id && self.desired.identity.is_claimed_by(&snapshot.tags)
        })
    }

    /// A pending image that is being copied from `owned`, of this object or of another, and how far it is.
    pub fn reader_of(&self, owned: &Owned<'_>) -> Option<(Reference, Option<u8>)> {
        let itself = owned.reference();
        let mut own = self.claimed.iter();
        let own = own.find(|other| other.image.is_being_copied_from(&itself));
        let others = || self.observed.readers.get(&itself);
        own.map(|reader| (reader.reference(), reader.image.progress))
            .or_else(|| others().map(|reader| (reader.clone(), None)))
    }

    /// Whether an image of the wanted revision was in `place` once and is known to be gone.
    pub fn has_died_in(&self, place: &Place) -> bool {
        let revision = &self.desired.revision;
        self.known(place)
            .is_some_and(|known| known.dead.iter().any(|dead| dead.revision == *revision))
    }
}

impl Owned<'_> {
    /// Sealed, or proven by EC2 and about to be sealed.
    pub fn is_proven(&self) -> bool {
        matches!(self.standing, Standing::Ours | Standing::Newborn)
    }

    pub fn is_sealed(&self) -> bool {
        self.standing == Standing::Ours
    }

    pub fn is_of(&self, revision: &Revision) -> bool {
        self.image.tags.get(tag::REVISION) == Some(revision.as_str())
    }

    /// How it was asked to be encrypted.
    pub fn variant(&self) -> &str {
        self.image.tags.get(tag::VARIANT).unwrap_or(VARIANT_SOURCE)
    }

    pub fn revision(&self) -> Option<Revision> {
        self.image.tags.get(tag::REVISION).map(Revision::from)
    }

    pub fn is_published(&self) -> bool {
        self.image.tags.contains_key(tag::PUBLISHED)
    }

    /// Whether it was registered of snapshots, which are the user's and not to be sealed.
    pub fn is_registered(&self) -> bool {
        let source = self.image.tags.get(tag::SOURCE);
        source
            .and_then(|text| text.parse().ok())
            .is_some_and(|source: Reference| source.is_snapshot())
    }

    /// Whether somebody may have been told to use it.
    pub fn was_published(&self) -> bool {
        self.image.tags.tell_of_publication()
    }

    /// When it was published, if it is.
    pub fn published_at(&self) -> Option<Timestamp> {
        self.image.tags.get(tag::PUBLISHED)?.parse().ok()
    }

    /// Since when another revision is published in its stead.
    pub fn superseded_at(&self) -> Option<Timestamp> {
        self.image.tags.get(tag::SUPERSEDED)?.parse().ok()
    }

    /// By what it is found where something was read of it.
    pub fn key(&self) -> (Place, String) {
        (self.place.clone(), self.image.id.clone())
    }

    pub fn reference(&self) -> Reference {
        Reference::new(self.place.region.clone(), self.image.id.clone())
    }
}

/// What the spec names; for a name, what the images of the revision were made from (the published one counts,
/// else the oldest that is alive), else what the status says, else what EC2 answers now.
fn origin(desired: &Desired, observed: &Observed, claimed: &[Owned<'_>]) -> Option<Origin> {
    let settled = |reference| Origin {
        reference,
        is_settled: true,
    };
    if let Some(reference) = desired.source.reference() {
        return Some(settled(reference));
    }
    let of_revision = claimed.iter().filter(|owned| {
        owned.is_of(&desired.revision)
            && (owned.is_proven() || owned.standing == Standing::Unproven)
    });
    let tagged = of_revision.filter_map(|owned| {
        let origin: Reference = owned.image.tags.get(tag::ORIGIN)?.parse().ok()?;
        Some((owned, origin))
    });
    let first = tagged.min_by_key(|(owned, _)| {
        let created = owned.image.created.unwrap_or(Timestamp::MAX);
        let is_dead = owned.image.state == ImageState::Failed;
        (!owned.is_published(), is_dead, created, &owned.image.id)
    });
    let tagged = first.map(|(_, origin)| origin);
    if let Some(reference) = tagged.or_else(|| desired.pinned.clone()) {
        return Some(settled(reference));
    }
    let found = match (&desired.resolved, &observed.source) {
        (Some(resolved), _) => resolved.clone(),
        (None, SourceView::Image(image)) => Reference::new(desired.source.region(), &image.id),
        _ => return None,
    };
    Some(Origin {
        reference: found,
        is_settled: false,
    })
}
