//! Which revision is wanted of a source that has to be found out, and may be found out again (`spec.follow`).
//!
//! The first revision of a spec is the hash of what is written there. One that follows has besides in its hash what the
//! source was resolved to, so that each image says by its own tags, revision and origin, whether it is of this spec:
//! nothing else has to be remembered, and a lost status loses nothing.

use jiff::Timestamp;
use serde_json::Value;

use super::super::identity::{Reference, Revision, Standing, standing, tag};
use super::super::observed::{Image, ImageState, Observed, SourceView};
use super::super::plan::Finding;
use super::Desired;
use crate::api::{MachineImage, conditions};

/// What the revisions of a spec have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    source: Value,
    rebuild: Option<String>,
}

/// What the status says that revisions were made from. It is a hint until EC2 has shown that the spec may mean that
/// image; `amity.dev/origin` of the first image comes before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    progressing: Option<(Revision, Reference)>,
    published: Option<(Revision, Reference)>,
}

/// An image of a revision of this spec.
struct Made<'a> {
    image: &'a Image,
    revision: Revision,
    origin: Option<Reference>,
}

impl Lineage {
    /// That of a spec with this source, as it is written.
    pub(super) fn new(source: Value, rebuild: Option<String>) -> Self {
        Self { source, rebuild }
    }

    /// The first revision: what is written in the spec.
    pub fn first(&self) -> Revision {
        Revision::of(&self.source, self.rebuild.as_deref())
    }

    /// The revision that follows when the source is resolved to something else.
    pub fn following(&self, resolved: &Reference) -> Revision {
        Revision::following(&self.source, self.rebuild.as_deref(), resolved)
    }

    /// Whether `revision`, made from `origin`, is one of this spec.
    fn has(&self, revision: &Revision, origin: Option<&Reference>) -> bool {
        let follows = |origin| *revision == self.following(origin);
        *revision == self.first() || origin.is_some_and(follows)
    }
}

impl Recorded {
    /// What the status of `image` says.
    pub(super) fn of(image: &MachineImage) -> Self {
        let read = |revision: &String, source: &String| {
            let source: Reference = source.parse().ok()?;
            let revision = Revision::from(revision.as_str());
            source.is_image().then_some((revision, source))
        };
        let status = image.status.as_ref();
        let progressing = status.and_then(|status| status.progressing.as_ref());
        let published = status.and_then(|status| status.published.as_ref());
        Self {
            progressing: progressing.and_then(|one| read(&one.revision, &one.source)),
            published: published.and_then(|one| read(&one.revision, &one.source)),
        }
    }

    /// What it says that `revision` was made from, of an image in `region`.
    pub(super) fn of_revision(&self, revision: &Revision, region: &str) -> Option<Reference> {
        let mut all = self.progressing.iter().chain(&self.published);
        let (_, source) = all.find(|(of, _)| of == revision)?;
        (source.region == region).then(|| source.clone())
    }
}

impl Made<'_> {
    fn published_at(&self) -> Option<Timestamp> {
        self.image.tags.get(tag::PUBLISHED)?.parse().ok()
    }

    fn superseded_at(&self) -> Option<Timestamp> {
        self.image.tags.get(tag::SUPERSEDED)?.parse().ok()
    }

    fn was_published(&self) -> bool {
        let has = |key| self.image.tags.get(key).is_some();
        has(tag::PUBLISHED) || has(tag::SUPERSEDED)
    }
}

impl Desired {
    /// Decides which revision is wanted, by what EC2 has, and by what the source was resolved to just now. Only of a
    /// source that has to be found out is there more than the first.
    pub fn settle(&mut self, observed: &Observed) {
        if !self.source.is_resolved() {
            return;
        }
        let made = self.made(observed);
        let (last, origin) = self.last_resolved(&made);
        self.resolved = self.newer(observed, origin.as_ref());
        let revision = match &self.resolved {
            Some(newer) => {
                // Back to what it led to before: that revision may have been kept.
                let kept = made.iter().find(|one| one.origin.as_ref() == Some(newer));
                kept.map_or_else(|| self.lineage.following(newer), |one| one.revision.clone())
            }
            None => last,
        };
        let may_know_better = self.follow.is_some() && origin.is_none();
        let unread = self
            .places
            .iter()
            .filter(|place| may_know_better && observed.known_at(place).is_none());
        self.undecided = unread.cloned().collect();
        self.pinned = self.recorded.of_revision(&revision, self.source.region());
        if !self.image_name.is_empty() {
            self.image_name = self.image_names.replace("{revision}", revision.as_str());
        }
        self.revision = revision;
        self.decide_adoption();
    }

    /// Why the source leads to nothing new, for the user to know: it harms nothing that is published.
    pub(crate) fn cannot_follow(&self, observed: &Observed) -> Option<Finding> {
        let because = match observed.followed.as_ref()? {
            SourceView::Image(image) => self.grants.check_image(image).err()?.message,
            SourceView::Missing { message } | SourceView::NoImage { message } => message.clone(),
            SourceView::Unreadable(unreadable) => unreadable.message.clone(),
            _ => return None,
        };
        Some(Finding {
            reason: conditions::SOURCE_NOT_FOUND,
            place: None,
            message: format!(
                "spec.follow finds no image of {}, and the published one stays: {}",
                self.source,
                because.trim_end_matches('.')
            ),
        })
    }

    /// The images of this spec's revisions, wherever they are. Those that another cluster holds count, too: whoever takes
    /// them over goes on with the revision that is published, and the status shall not say otherwise meanwhile.
    fn made<'a>(&self, observed: &'a Observed) -> Vec<Made<'a>> {
        let is_ours = |image: &&Image| {
            self.identity.is_claimed_by(&image.tags)
                && image.state != ImageState::Failed
                && matches!(
                    standing(image, &self.identity),
                    Standing::Ours
                        | Standing::Newborn
                        | Standing::Unproven
                        | Standing::OtherCluster(_)
                )
        };
        let all = observed.known().flat_map(|(_, known)| &known.images);
        let ours = all.filter(is_ours);
        let made = ours.filter_map(|image| {
            let origin = image.tags.get(tag::ORIGIN);
            Some(Made {
                image,
                revision: image.tags.get(tag::REVISION)?.into(),
                origin: origin.and_then(|text| text.parse().ok()),
            })
        });
        made.filter(|one| self.lineage.has(&one.revision, one.origin.as_ref()))
            .collect()
    }

    /// The revision that was resolved last, and to what: one that is being made; one that the status says is about to
    /// be; the one that was published last; after a revert the one that is kept and was superseded last; or the first.
    fn last_resolved(&self, made: &[Made<'_>]) -> (Revision, Option<Reference>) {
        let published = made
            .iter()
            .filter_map(|one| Some((one.published_at()?, one)))
            .max_by_key(|(at, one)| (*at, one.revision.clone()));
        let last_publication = published.as_ref().map(|(at, _)| *at);
        // What is older is left over from before.
        let is_new = |one: &&Made<'_>| {
            let created = one.image.created.unwrap_or(Timestamp::MAX);
            !one.was_published() && last_publication.is_none_or(|at| created > at)
        };
        let in_the_making = made.iter().filter(is_new).max_by_key(|one| {
            let created = one.image.created.unwrap_or(Timestamp::MAX);
            (created, &one.image.id)
        });
        let kept = made
            .iter()
            .filter_map(|one| Some((one.superseded_at()?, one)))
            .max_by_key(|(at, one)| (*at, one.revision.clone()));
        let of = |one: &Made<'_>| (one.revision.clone(), one.origin.clone());
        let said = |recorded: &Option<(Revision, Reference)>| {
            let (revision, source) = recorded.as_ref()?;
            let is_of_this = self.lineage.has(revision, Some(source));
            is_of_this.then(|| (revision.clone(), Some(source.clone())))
        };
        in_the_making
            .map(of)
            .or_else(|| said(&self.recorded.progressing))
            .or_else(|| published.map(|(_, one)| of(one)))
            .or_else(|| said(&self.recorded.published))
            .or_else(|| kept.map(|(_, one)| of(one)))
            .unwrap_or_else(|| (self.lineage.first(), None))
    }

    /// What the source was resolved to just now, if it may be followed there and is another image than `origin`.
    /// Before something is made there is nothing to follow.
    fn newer(&self, observed: &Observed, origin: Option<&Reference>) -> Option<Reference> {
        let (Some(SourceView::Image(image)), Some(origin), Some(_)) =
            (&observed.followed, origin, self.follow)
        else {
            return None;
        };
        let newer = Reference::new(self.source.region(), &image.id);
        let may_be_copied = image.state == ImageState::Available
            && self.source.may_be(image, self.account_id.as_deref())
            && self.grants.check_image(image).is_ok();
        (may_be_copied && newer != *origin).then_some(newer)
    }
}
