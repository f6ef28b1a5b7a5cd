//! A world that goes step by step: what chance and the clock do elsewhere, the caller does here, so
//! that every possibility can be tried, one after the other.
//!
//! The clock may stand still. A call is answered by a fresh replica; a reading says which kind
//! answers it. What is under way ends when it is told to, and things grow older when they are told
//! to. Ids are counted and what is over is forgotten, so that equal situations are equal worlds.

use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::lag::View;
use crate::state::{Image, ImageState, Protection, Snapshot, Tags};
use crate::world::{Due, World};

/// An image as a reader sees it.
#[derive(Clone, Debug)]
pub struct ImageSeen<'a> {
    /// The image; of what changes only the fields below are what the reader sees.
    pub image: &'a Image,
    /// Its state.
    pub state: ImageState,
    /// Whether what it was made from is shown yet.
    pub shows_source: bool,
    /// Its tags.
    pub tags: Tags,
}

/// A snapshot as a reader sees it.
#[derive(Clone, Debug)]
pub struct SnapshotSeen<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Its tags.
    pub tags: Tags,
}

impl World {
    /// The same world, step by step. Stale replicas stay `window` behind. Where
    /// `max_source_lag_seconds` is not 0, fresh ones do, too, for what an image was made from.
    #[must_use]
    pub fn step_by_step(mut self, window: SignedDuration) -> Self {
        self.chance = Chance::none();
        self.by_step = Some(window);
        self
    }

    /// An account's own images, as a fresh or a stale replica lists them now.
    pub fn images_seen(
        &self,
        account: &str,
        region: &str,
        stale: bool,
    ) -> impl Iterator<Item = ImageSeen<'_>> {
        let view = self.view(stale);
        let found = self.regions.get(region).into_iter();
        let all = found.flat_map(|region| region.images.values().map(move |one| (region, one)));
        all.filter(move |(_, image)| image.owner == account)
            .filter_map(move |(region, image)| {
                Some(ImageSeen {
                    image,
                    state: image.seen(view)?,
                    shows_source: image.sourced.seen(view),
                    tags: region.tags_seen(&image.id, account, view),
                })
            })
    }

    /// An account's own snapshots, likewise.
    pub fn snapshots_seen(
        &self,
        account: &str,
        region: &str,
        stale: bool,
    ) -> impl Iterator<Item = SnapshotSeen<'_>> {
        let view = self.view(stale);
        let found = self.regions.get(region).into_iter();
        let all = found.flat_map(|region| region.snapshots.values().map(move |one| (region, one)));
        all.filter(move |(_, snapshot)| snapshot.owner == account && snapshot.seen(view))
            .map(move |(region, snapshot)| SnapshotSeen {
                snapshot,
                tags: region.tags_seen(&snapshot.id, account, view),
            })
    }

    fn view(&self, stale: bool) -> View {
        View {
            now: self.now,
            stale,
        }
    }

    /// What is being made, by region and id: images, the snapshots of no such image, values of
    /// parameters, by ARN and version, that are being validated, fast launch, by its image, and what
    /// machines come to, by a key of its own.
    pub fn under_way(&self) -> Vec<(&str, &str)> {
        let is_of_an_image = |region: &str, snapshot: &str| {
            self.agenda.values().any(|due| match due {
                Due::Image { region: other, id } if other == region => {
                    let image = self.regions.get(region).and_then(|it| it.images.get(id));
                    image.is_some_and(|image| image.maps(snapshot))
                }
                _ => false,
            })
        };
        let all = self.agenda.values().filter_map(|due| match due {
            Due::Image { region, id } => Some((region.as_str(), id.as_str())),
            Due::Snapshot { region, id } => {
                (!is_of_an_image(region, id)).then_some((region.as_str(), id.as_str()))
            }
            Due::Parameter { region, put } => Some((region.as_str(), put.id.as_str())),
            Due::FastLaunch { region, image, .. } => Some((region.as_str(), image.as_str())),
            Due::Machine { region, key, .. } => Some((region.as_str(), key.as_str())),
        });
        all.collect()
    }

    /// Ends what is being made: an image with its snapshots, a snapshot of no such image, or the
    /// validation of a parameter's value. An image may fail; a copy that has lost its source
    /// does. A value may be refused; one that names no image that is there is.
    pub fn finish(&mut self, region: &str, id: &str, fails: bool) {
        let failure = self.lost_source();
        let image = self
            .regions
            .get_mut(region)
            .and_then(|it| it.images.get_mut(id));
        let parts = image.map(|image| {
            if let Some(work) = image.work.as_mut().filter(|_| fails) {
                work.failure.get_or_insert(failure);
            }
            image.snapshot_ids().map(str::to_owned).collect()
        });
        let parts: Vec<String> = parts.unwrap_or_default();
        // The snapshots first: an image that fails then says of its copies that they did, too.
        for id in parts.iter().map(String::as_str).chain([id]) {
            let due = self.agenda.iter().find(|(_, due)| due.id() == id);
            if let Some(due) = due
                .map(|(at, _)| *at)
                .and_then(|at| self.agenda.remove(&at))
            {
                match &due {
                    Due::Parameter { region, put } if fails => self.refuse_value(region, put),
                    _ => self.end(&due),
                }
            }
        }
    }

    /// As if everything had been at another time: `to` says which. What readers have forgotten by
    /// then, deregistered images and deleted snapshots, is not kept, except in the Recycle Bin.
    pub fn grow_older(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        let now = self.now;
        let places = self.accounts.values_mut();
        for place in places.flat_map(|account| account.places.values_mut()) {
            if let Some((from, _)) = &mut place.allows_public_images_from {
                *from = to(*from);
            }
        }
        for region in self.regions.values_mut() {
            for image in region.images.values_mut() {
                image.created = to(image.created);
                image.born = image.born.moved(now, &to);
                image.sourced = image.sourced.moved(now, &to);
                if let Protection::CoolingDown { until } = &mut image.protection {
                    *until = to(*until);
                }
                if let Some(end) = &mut image.deregistered {
                    end.at = to(end.at);
                    end.listed_until = to(end.listed_until);
                    end.lag = end.lag.moved(now, &to);
                    end.recycled_until = end.recycled_until.map(&to);
                }
            }
            for snapshot in region.snapshots.values_mut() {
                snapshot.started = to(snapshot.started);
                snapshot.born = snapshot.born.moved(now, &to);
                snapshot.deleted = snapshot.deleted.map(&to);
                snapshot.recycled_until = snapshot.recycled_until.map(&to);
                snapshot.gone = snapshot.gone.map(|lag| lag.moved(now, &to));
            }
            for tags in region.tags.values_mut().flat_map(|by| by.values_mut()) {
                tags.move_times(now, &to);
            }
            let reboots = region
                .instances
                .values_mut()
                .flat_map(|one| &mut one.reboots);
            for reboot in reboots {
                reboot.at = to(reboot.at);
            }
            let own = region
                .parameters
                .values_mut()
                .flat_map(|own| own.values_mut());
            let earlier = region
                .records
                .values_mut()
                .flat_map(|record| record.earlier.values_mut());
            for parameter in own.chain(earlier) {
                parameter.modified = to(parameter.modified);
            }
            let views = [false, true].map(|stale| View { now, stale });
            let binned = |until: Option<Timestamp>| until.is_some_and(|until| now < until);
            region.images.retain(|_, image| match &image.deregistered {
                Some(end) if !binned(end.recycled_until) => {
                    views.iter().any(|view| image.seen(*view).is_some())
                }
                _ => true,
            });
            region.snapshots.retain(|_, snapshot| {
                snapshot.deleted.is_none()
                    || binned(snapshot.recycled_until)
                    || views.iter().any(|view| snapshot.seen(*view))
            });
            let (images, snapshots) = (&region.images, &region.snapshots);
            region.tags.retain(|id, _| {
                images.contains_key(id)
                    || snapshots.contains_key(id)
                    || !(id.starts_with("ami-") || id.starts_with("snap-"))
            });
        }
    }
}
