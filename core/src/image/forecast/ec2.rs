//! A copy of what was observed, in which steps are taken as EC2 would take them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Outset, estimate};
use crate::api::MachineImage;
use crate::image::desired::{
    ACCOUNTS, CAPTURED, Captured, DISCARDED, Desired, Discarded, FINALIZER, LAUNCHED,
    accounts_annotation,
};
use crate::image::fast_launch::{FastLaunch, FastLaunchState, FastLaunchView};
use crate::image::identity::{Identity, Place, Reference, tag};
use crate::image::machines::Launched;
use crate::image::observed::{
    ConfigMaps, Dead, Image, ImageState, Known, Observed, PlaceView, Registered, Snapshot,
    SourceView, Usage, UsageReport,
};
use crate::image::parameters::{DATA_TYPE, Parameter, ParametersView};
use crate::image::permissions::Permissions;
use crate::image::plan::{Action, Plan, Reads, SourceQuery, Step, plan, reads};
use crate::image::tags::Tags;

/// What is made has an id that begins so, behind `ami-` or `snap-`: EC2 gives out none like it.
pub(super) const MADE: &str = "new-";

/// What EC2 has, and the object.
pub(super) struct Ec2 {
    pub(super) image: MachineImage,
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
    identity: Identity,
    /// How long lists may lag.
    window: SignedDuration,
    /// What is being made, by its id.
    pending: BTreeMap<String, Pending>,
    /// When each machine stops itself, by its id.
    pub(super) stops: BTreeMap<String, Timestamp>,
    pub(super) made: u32,
}

/// An image that is being made.
struct Pending {
    place: Place,
    done_at: Timestamp,
    snapshots: Vec<Snapshot>,
}

impl Ec2 {
    pub(super) fn new(outset: &Outset<'_>, now: Timestamp) -> Self {
        let desired = Desired::of(outset.image, outset.installation, outset.references);
        let mut ec2 = Self {
            image: outset.image.clone(),
            observed: outset.observed.clone(),
            now,
            identity: desired.identity,
            window: outset.installation.consistency_window,
            pending: BTreeMap::new(),
            stops: BTreeMap::new(),
            made: 0,
        };
        // What is not asked of a cluster is as if there were none of the name.
        ec2.observed.config_maps.get_or_insert(ConfigMaps {
            name_is_taken: Some(false),
            ..ConfigMaps::default()
        });
        ec2.find_pending();
        ec2.find_machines();
        ec2
    }

    /// What is made already will be done some time.
    fn find_pending(&mut self) {
        for (place, known) in self.observed.known() {
            for image in &known.images {
                if image.state != ImageState::Pending {
                    continue;
                }
                let snapshots = unfinished_snapshots(known, image);
                let left = estimate::rest(
                    image.created,
                    image.progress,
                    gib(snapshots.iter().copied()),
                    self.now,
                );
                let pending = Pending {
                    place: place.clone(),
                    done_at: self.now + left,
                    snapshots: snapshots.into_iter().cloned().collect(),
                };
                self.pending.insert(image.id.clone(), pending);
            }
        }
    }

    /// What is wanted and to be done now, as the controller finds it out.
    pub(super) fn plan(&mut self, outset: &Outset<'_>) -> Result<(Desired, Plan), Box<Reads>> {
        let mut desired = Desired::of(&self.image, outset.installation, outset.references);
        let now = self.now;
        for view in self.observed.places.values_mut() {
            if let PlaceView::Known(known) = view {
                known.as_of = now;
            }
        }
        (self.observed.source, self.observed.followed) = (SourceView::NotRead, None);
        let mut read = Reads::default();
        loop {
            desired.settle(&self.observed);
            let plan = plan(&desired, &self.observed, now);
            if !read.add(reads(&desired, &self.observed, &plan, now)) {
                return Ok((desired, plan));
            }
            self.answer(&read, outset)?;
        }
    }

    /// What was read, and what goes without saying of what is made only now.
    fn answer(&mut self, asked: &Reads, outset: &Outset<'_>) -> Result<(), Box<Reads>> {
        let mut missing = Reads::default();
        let told = |query: &Option<SourceQuery>, missing: &mut Option<SourceQuery>| {
            let query = query.as_ref()?;
            let told = outset.sources.get(query).cloned();
            if told.is_none() {
                *missing = Some(query.clone());
            }
            told
        };
        let source = told(&asked.source, &mut missing.source);
        self.observed.source = source.unwrap_or_default();
        self.observed.followed = told(&asked.follow, &mut missing.follow);
        for key in &asked.usage {
            if is_made(&key.1) {
                let nobody = Usage::By(Vec::new());
                self.observed.usage.insert(key.clone(), nobody);
            }
        }
        let before = outset.read;
        let unread = |asked: &BTreeSet<(Place, String)>, before: &BTreeSet<(Place, String)>| {
            let unread = asked.difference(before).filter(|(_, id)| !is_made(id));
            unread.cloned().collect()
        };
        missing.usage = unread(&asked.usage, &before.usage);
        missing.usage_reports = unread(&asked.usage_reports, &before.usage_reports);
        missing.adoptions = unread(&asked.adoptions, &before.adoptions);
        missing.ebs_defaults = without(&asked.ebs_defaults, &before.ebs_defaults);
        missing.copy_slots = without(&asked.copy_slots, &before.copy_slots);
        missing.recycle_bin = lacking(&asked.recycle_bin, &before.recycle_bin);
        missing.permissions = lacking(&asked.permissions, &before.permissions);
        missing.permissions.retain(|(_, id), _| !is_made(id));
        missing.fast_launches = lacking(&asked.fast_launches, &before.fast_launches);
        for place in asked.parameters.keys() {
            if let Some(ParametersView::Known(known)) = self.observed.parameters.get_mut(place) {
                // Read again then, they are what was made of them.
                (known.as_of, known.read_at) = (self.now, self.now);
            }
        }
        missing.parameters = lacking(&asked.parameters, &before.parameters);
        for place in asked.machines.keys() {
            self.read_machines(place);
        }
        missing.machines = lacking(&asked.machines, &before.machines);
        missing.departures = asked.departures && !before.departures;
        if missing == Reads::default() {
            return Ok(());
        }
        Err(Box::new(missing))
    }

    /// Does what a step says. Gives what stands for the id of the image that it makes.
    pub(super) fn take(&mut self, step: &Step) -> Option<String> {
        let Some(place) = &step.place else {
            self.write(&step.action);
            return None;
        };
        match &step.action {
            Action::CreateImage {
                instance,
                name,
                tags,
                snapshot_tags,
                ..
            } => {
                let mut image = self.newborn(name, tags);
                image.source_instance = Some(instance.clone());
                let like = self.last_captured(place);
                let takes = estimate::capture(gib(&like));
                let snapshots = self.snapshots_like(like, snapshot_tags);
                return Some(self.make(place, image, takes, snapshots));
            }
            Action::RunInstances { token, tags, .. } => self.launch(place, token, tags),
            Action::TerminateInstances { id } => self.terminate(place, id),
            Action::RegisterImage {
                registration,
                name,
                tags,
                ..
            } => {
                let mut image = self.newborn(name, tags);
                image.snapshots = registration.snapshots().map(str::to_owned).collect();
                image.registered = Some(Box::new(Registered {
                    root_snapshot: Some(registration.snapshot.clone()),
                    platform_details: Some(registration.platform_details.to_owned()),
                }));
                return Some(self.make(place, image, estimate::REGISTRATION, Vec::new()));
            }
            Action::CopyImage {
                from,
                name,
                minutes,
                tags,
                snapshot_tags,
                ..
            } => {
                let mut image = self.newborn(name, tags);
                image.source_image = Some(from.clone());
                let like = self.snapshots_of(from);
                let takes = estimate::copy(gib(&like), *minutes);
                let snapshots = self.snapshots_like(like, snapshot_tags);
                if let Some(known) = self.known_mut(place)
                    && let Some(free) = &mut known.free_copy_slots
                {
                    *free = free.saturating_sub(1);
                }
                return Some(self.make(place, image, takes, snapshots));
            }
            Action::Adopt { id, image, tags } => self.adopt(place, id, image.as_deref(), tags),
            Action::CreateTags { id, tags } => {
                self.retag(place, id, |all| all.extend(tags.clone()));
            }
            Action::DeleteTags { id, keys } => {
                self.retag(place, id, |tags| {
                    for key in keys {
                        tags.remove(key);
                    }
                });
            }
            Action::ModifyImage { id, change } => {
                let now = self.now;
                if let Some(image) = self.image_mut(place, id) {
                    Arc::make_mut(&mut image.attributes).apply(change, now);
                }
            }
            Action::ChangePermissions { id, change } => {
                let key = (place.clone(), id.clone());
                let nobody = Permissions::Of(BTreeSet::new());
                let all = self
                    .observed
                    .permissions
                    .entry(key.clone())
                    .or_insert(nobody);
                if let Permissions::Of(all) = all {
                    change.apply(all);
                }
                // EC2 answered.
                let taken_back = self.observed.taken_back.entry(key).or_default();
                taken_back.retain(|grantee| !change.add.contains(grantee));
                taken_back.extend(change.remove.iter().cloned());
            }
            Action::EnableFastLaunch { .. } | Action::DisableFastLaunch { .. } => {
                self.launch_fast(place, &step.action);
            }
            Action::PutParameter { .. }
            | Action::DeleteParameter { .. }
            | Action::TagParameter { .. } => self.change_parameter(place, &step.action),
            Action::RestoreImage { id } => {
                if let Some(image) = self.image_mut(place, id) {
                    image.state = ImageState::Available;
                }
            }
            Action::RestoreSnapshot { id } => {
                for left in self.observed.recycled.values_mut() {
                    left.retain(|other| other != id);
                }
            }
            Action::CreateUsageReport { id, .. } => {
                // What it will say nobody knows: what is foretold is the case that it finds nobody.
                let nobody = UsageReport::Written {
                    at: self.now,
                    users: Vec::new(),
                };
                let key = (place.clone(), id.clone());
                self.observed.usage_reports.insert(key, nobody);
            }
            Action::DeregisterImage { id } => self.deregister(place, id),
            Action::DeleteSnapshot { id } => {
                if let Some(known) = self.known_mut(place) {
                    known.snapshots.retain(|snapshot| snapshot.id != *id);
                }
            }
            // Writes to the object have no place.
            Action::StoreFinalizer
            | Action::ReleaseFinalizer
            | Action::RecordCapture { .. }
            | Action::RecordLaunch { .. }
            | Action::RecordDiscard { .. }
            | Action::RecordAccounts { .. }
            | Action::WriteConfigMap { .. }
            | Action::DeleteConfigMap { .. } => {}
        }
        None
    }

    fn write(&mut self, action: &Action) {
        let now = self.now;
        let mut annotate = |key: &str, value: String| {
            self.image.annotations_mut().insert(key.to_owned(), value);
        };
        match action {
            Action::StoreFinalizer => self.image.finalizers_mut().push(FINALIZER.to_owned()),
            Action::ReleaseFinalizer => self.image.finalizers_mut().retain(|one| one != FINALIZER),
            Action::RecordCapture { revision } => {
                annotate(CAPTURED, Captured::annotation(revision, now));
            }
            Action::RecordLaunch {
                revision,
                attempt,
                region,
            } => annotate(
                LAUNCHED,
                Launched::annotation(revision, *attempt, region, now),
            ),
            Action::RecordDiscard {
                revision,
                platform_details,
            } => annotate(DISCARDED, Discarded::annotation(revision, platform_details)),
            Action::RecordAccounts { names } => annotate(ACCOUNTS, accounts_annotation(names)),
            Action::WriteConfigMap { name, data } => {
                let all = self.observed.config_maps.get_or_insert_default();
                all.ours.insert(name.clone(), data.clone());
            }
            Action::DeleteConfigMap { name } => {
                let all = self.observed.config_maps.get_or_insert_default();
                all.ours.remove(name);
            }
            _ => {}
        }
    }

    fn newborn(&mut self, name: &str, tags: &BTreeMap<String, String>) -> Image {
        self.made += 1;
        let id = format!("ami-{MADE}{}", self.made);
        let mut image = Image::newborn(&id, name, tags);
        image.created = Some(self.now);
        Arc::make_mut(&mut image.attributes).is_windows = self.is_windows();
        image
    }

    /// EC2 begins to make an image, which nobody but its owner may use. Gives its id.
    fn make(
        &mut self,
        place: &Place,
        image: Image,
        takes: SignedDuration,
        snapshots: Vec<Snapshot>,
    ) -> String {
        self.observed.last_creation = self.now;
        let made = image.id.clone();
        for id in snapshots.iter().map(|snapshot| &snapshot.id).chain([&made]) {
            let nobody = Permissions::Of(BTreeSet::new());
            let key = (place.clone(), id.clone());
            self.observed.permissions.insert(key, nobody);
        }
        let pending = Pending {
            place: place.clone(),
            done_at: self.now + takes,
            snapshots,
        };
        self.pending.insert(made.clone(), pending);
        if let Some(known) = self.known_mut(place) {
            known.images.push(image);
        }
        made
    }

    /// The object's images are all of one system.
    fn is_windows(&self) -> bool {
        let all = self.observed.known().flat_map(|(_, known)| &known.images);
        all.filter(|image| self.identity.is_claimed_by(&image.tags))
            .any(|image| image.attributes.is_windows)
    }

    /// What the newest image of the place that was captured stores: the next one will be like it.
    fn last_captured(&self, place: &Place) -> Vec<Snapshot> {
        let Some(known) = self.observed.known_at(place) else {
            return Vec::new();
        };
        let captured = known
            .images
            .iter()
            .filter(|image| image.source_instance.is_some() && !image.snapshots.is_empty());
        let last = captured.max_by_key(|image| image.created);
        last.map(|image| snapshots_in(known, image))
            .unwrap_or_default()
    }

    /// What an image stores, as far as it is known.
    fn snapshots_of(&self, image: &Reference) -> Vec<Snapshot> {
        let in_region = |(place, known): (&Place, &_)| {
            let known: &Known = known;
            let there = known.images.iter().find(|one| one.id == image.id);
            let there = there.filter(|_| place.region == image.region)?;
            Some(snapshots_in(known, there))
        };
        let mut found = self.observed.known().filter_map(in_region);
        if let Some(snapshots) = found.next() {
            return snapshots;
        }
        let told = match &self.observed.source {
            SourceView::Image(source) if source.id == image.id => source.size_gib,
            _ => None,
        };
        let like = told.map(|size_gib| Snapshot {
            size_gib,
            ..Snapshot::told("", &BTreeMap::new())
        });
        like.into_iter().collect()
    }

    /// New snapshots; one of unknown size, where nothing is known.
    fn snapshots_like(
        &self,
        like: Vec<Snapshot>,
        tags: &BTreeMap<String, String>,
    ) -> Vec<Snapshot> {
        let like = if like.is_empty() {
            vec![Snapshot::told("", tags)]
        } else {
            like
        };
        let made = like.into_iter().enumerate().map(|(number, like)| Snapshot {
            id: format!("snap-{MADE}{}-{}", self.made, number + 1),
            size_gib: like.size_gib,
            full_bytes: like.full_bytes,
            ..Snapshot::told("", tags)
        });
        made.collect()
    }

    fn adopt(
        &mut self,
        place: &Place,
        id: &str,
        image: Option<&Image>,
        tags: &BTreeMap<String, String>,
    ) {
        let Some(known) = self.known_mut(place) else {
            return;
        };
        if let Some(image) = image {
            let mut image = image.clone();
            image.tags.extend(tags.clone());
            known.images.retain(|other| other.id != id);
            known.images.push(image);
            return;
        }
        let users = known.images.iter();
        let users = users.filter(|image| image.snapshots.iter().any(|one| one == id));
        let used_by = users.map(|image| image.id.clone()).collect();
        known.snapshots.retain(|other| other.id != id);
        known.snapshots.push(Snapshot {
            used_by: Some(used_by),
            ..Snapshot::told(id, tags)
        });
    }

    fn retag(&mut self, place: &Place, id: &str, change: impl Fn(&mut Tags)) {
        let Some(known) = self.known_mut(place) else {
            return;
        };
        let images = known.images.iter_mut();
        let images = images.map(|image| (&image.id, &mut image.tags));
        let snapshots = known.snapshots.iter_mut();
        let snapshots = snapshots.map(|snapshot| (&snapshot.id, &mut snapshot.tags));
        for (_, tags) in images.chain(snapshots).filter(|(other, _)| *other == id) {
            change(tags);
        }
    }

    fn deregister(&mut self, place: &Place, id: &str) {
        if let Some(known) = self.known_mut(place) {
            known.images.retain(|image| image.id != id);
            for snapshot in &mut known.snapshots {
                if let Some(users) = &mut snapshot.used_by {
                    users.retain(|user| user != id);
                }
            }
        }
    }

    fn launch_fast(&mut self, place: &Place, action: &Action) {
        let Some(FastLaunchView::Known(all)) = self.observed.fast_launches.get_mut(place) else {
            return;
        };
        match action {
            Action::EnableFastLaunch { id, settings } => {
                let on = FastLaunch {
                    settings: *settings,
                    state: FastLaunchState::Enabled,
                    reason: None,
                    since: Some(self.now),
                };
                all.insert(id.clone(), on);
            }
            Action::DisableFastLaunch { id } => drop(all.remove(id)),
            _ => {}
        }
    }

    fn change_parameter(&mut self, place: &Place, action: &Action) {
        let Some(ParametersView::Known(known)) = self.observed.parameters.get_mut(place) else {
            return;
        };
        (known.as_of, known.read_at) = (self.now, self.now);
        match action {
            Action::PutParameter { name, image, tags } => {
                known.last_put = self.now;
                let parameter = known.all.entry(name.clone()).or_insert(Parameter {
                    value: String::new(),
                    data_type: DATA_TYPE.to_owned(),
                    tags: Tags::default(),
                });
                parameter.value.clone_from(image);
                parameter.tags.extend(tags.clone());
            }
            Action::TagParameter { name, tags } => {
                if let Some(parameter) = known.all.get_mut(name) {
                    parameter.tags.extend(tags.clone());
                }
            }
            Action::DeleteParameter { name } => drop(known.all.remove(name)),
            _ => {}
        }
    }

    /// Lets time pass until something happens by itself. Whether anything does before the horizon.
    pub(super) fn wait(&mut self, desired: &Desired, plan: &Plan, horizon: Timestamp) -> bool {
        let done = self.pending.values().map(|pending| pending.done_at);
        let awaited = plan.wakes_at().into_iter();
        let stopped = self.stops.values().copied();
        let next = done.chain(stopped).chain(awaited);
        let next = next.chain(self.kept_until(desired));
        let next = next.filter(|at| self.now < *at && *at <= horizon);
        let Some(next) = next.min() else {
            return false;
        };
        self.now = self.now.max(next);
        self.stop_machines();
        let done: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.done_at <= self.now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in done {
            if let Some(pending) = self.pending.remove(&id) {
                self.finish(&id, pending);
            }
        }
        self.bury_the_missing();
        true
    }

    /// Until when superseded images are kept at least: nothing says of a plan that it will be another one then.
    fn kept_until(&self, desired: &Desired) -> Option<Timestamp> {
        let images = self.observed.known().flat_map(|(_, known)| &known.images);
        let superseded = images
            .filter(|image| self.identity.is_claimed_by(&image.tags))
            .filter_map(|image| image.tags.get(tag::SUPERSEDED)?.parse::<Timestamp>().ok());
        let ends = superseded.filter_map(|at| at.checked_add(desired.kept_for).ok());
        ends.filter(|end| *end > self.now).min()
    }

    fn finish(&mut self, id: &str, pending: Pending) {
        let Some(known) = self.known_mut(&pending.place) else {
            return;
        };
        let Some(image) = known.images.iter_mut().find(|image| image.id == id) else {
            return;
        };
        (image.state, image.progress) = (ImageState::Available, None);
        if image.source_image.is_none()
            && image.source_instance.is_none()
            && image.registered.is_none()
        {
            // EC2 had not shown it yet.
            let source = image
                .tags
                .get(tag::SOURCE)
                .and_then(|text| text.parse().ok());
            match source {
                Some(source) if Reference::is_instance(&source) => {
                    image.source_instance = Some(source.id);
                }
                source => image.source_image = source,
            }
        }
        for snapshot in pending.snapshots {
            if !image.snapshots.contains(&snapshot.id) {
                image.snapshots.push(snapshot.id.clone());
            }
            known.snapshots.retain(|other| other.id != snapshot.id);
            known.snapshots.push(Snapshot {
                pending: false,
                used_by: Some(vec![id.to_owned()]),
                ..snapshot
            });
        }
        if let Some(free) = &mut known.free_copy_slots {
            *free += 1;
        }
    }

    /// What lists lack for a whole window is gone.
    fn bury_the_missing(&mut self) {
        let (now, window) = (self.now, self.window);
        for view in self.observed.places.values_mut() {
            let PlaceView::Known(known) = view else {
                continue;
            };
            let is_gone = |image: &Image| matches!(image.state, ImageState::Missing { since } if since + window <= now);
            let (gone, there): (Vec<_>, Vec<_>) = known.images.drain(..).partition(is_gone);
            known.images = there;
            let gone = gone.into_iter();
            let dead = gone.filter_map(|image| Dead::with_tags(image.id, &image.tags));
            known.dead.extend(dead);
        }
    }

    /// How many bytes the object stores at most, by place, and whether that is known of all.
    pub(super) fn stored(&self) -> (BTreeMap<Place, u64>, bool) {
        let mut is_known = true;
        let mut stored = BTreeMap::new();
        for (place, known) in self.observed.known() {
            let snapshots = known.snapshots.iter();
            let ours = snapshots.filter(|one| self.identity.is_claimed_by(&one.tags));
            for snapshot in ours.filter(|one| !one.tags.contains_key(tag::RETAINED)) {
                is_known &= !is_made(&snapshot.id) || snapshot.size_gib > 0;
                *stored.entry(place.clone()).or_default() += snapshot.stored_bytes();
            }
        }
        (stored, is_known)
    }

    fn known_mut(&mut self, place: &Place) -> Option<&mut Known> {
        match self.observed.places.get_mut(place) {
            Some(PlaceView::Known(known)) => Some(known),
            _ => None,
        }
    }

    fn image_mut(&mut self, place: &Place, id: &str) -> Option<&mut Image> {
        let images = self.known_mut(place)?.images.iter_mut();
        images.into_iter().find(|image| image.id == id)
    }
}

/// Whether it is only made in the forecast.
fn is_made(id: &str) -> bool {
    id.split_once('-')
        .is_some_and(|(_, rest)| rest.starts_with(MADE))
}

fn gib<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Option<u32> {
    let sizes = snapshots
        .into_iter()
        .map(|one| u32::try_from(one.size_gib).unwrap_or_default());
    Some(sizes.sum()).filter(|sum| *sum > 0)
}

fn snapshots_in(known: &Known, image: &Image) -> Vec<Snapshot> {
    let snapshots = known.snapshots.iter();
    let its = snapshots.filter(|snapshot| image.snapshots.contains(&snapshot.id));
    its.cloned().collect()
}

/// The snapshots that will turn out to be those of a pending image: it does not name them yet, and they have its tags.
fn unfinished_snapshots<'a>(known: &'a Known, image: &Image) -> Vec<&'a Snapshot> {
    let same = |snapshot: &Snapshot, key| snapshot.tags.get(key) == image.tags.get(key);
    let snapshots = known.snapshots.iter().filter(|snapshot| {
        let is_like_it = [tag::OBJECT, tag::REVISION, tag::VARIANT]
            .into_iter()
            .all(|key| same(snapshot, key));
        image.snapshots.contains(&snapshot.id)
            || is_like_it && snapshot.pending && !snapshot.tags.contains_key(tag::SELF)
    });
    snapshots.collect()
}

fn without<T: Ord + Clone>(asked: &BTreeSet<T>, before: &BTreeSet<T>) -> BTreeSet<T> {
    asked.difference(before).cloned().collect()
}

fn lacking<K: Ord + Clone, V: Clone>(
    asked: &BTreeMap<K, V>,
    before: &BTreeMap<K, V>,
) -> BTreeMap<K, V> {
    let asked = asked.iter();
    let lacking = asked.filter(|(key, _)| !before.contains_key(*key));
    lacking
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
