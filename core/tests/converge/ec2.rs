//! A small pure EC2, and the object that is kept in it: what a step does, and what a minute does.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::api::{AwsAccount, ImageUser, MachineImage, MachineImageStatus, conditions};
use amity_core::image::desired::{
    AccountReference, CAPTURED, Captured, DISCARDED, Desired, Discarded, FINALIZER, Installation,
    References, Source,
};
use amity_core::image::forecast::{Forecast, Outset, forecast};
use amity_core::image::identity::{Place, Reference, Standing, is_sealed_snapshot, standing, tag};
use amity_core::image::observed::{
    Dead, Departures, Image, ImageState, Known, Observed, PlaceView, Registered, Snapshot,
    SourceImage, SourceInstance, SourceSnapshot, SourceView, Unreadable, Usage,
};
use amity_core::image::plan::step::{Action, Step};
use amity_core::image::plan::{Reads, SourceQuery, plan, reads};
use amity_core::image::tags::Tags;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use crate::start::{
    ACCOUNT, CLUSTER, NAME, ORIGIN, OTHER_ORIGIN, PREDECESSOR, REGIONS, Start, platform,
};

/// How long reads may lag.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// How long a copy or a capture takes, and how long EC2 does not show what an image was made from.
const A_WHILE: SignedDuration = SignedDuration::from_mins(3);

/// What of the account is about to go.
const FEW: Departures = Departures {
    going: 1,
    published: 10,
};

/// The account, the object and the time.
pub struct Ec2 {
    start: Start,
    account: AwsAccount,
    object: MachineImage,
    pub now: Timestamp,
    pub has_finalizer: bool,
    pub deleted: bool,
    captured: Option<String>,
    discarded: Option<String>,
    places: BTreeMap<Place, Known>,
    /// The attributes that EC2 will show of unproven images.
    unshown: BTreeMap<String, Reference>,
    /// Images that will turn out to be dead.
    doomed: BTreeSet<String>,
    tokens: BTreeMap<String, String>,
    last_creation: Timestamp,
    copies: u8,
    made: u32,
    pub captures: u32,
    pub registrations: u32,
    /// Until when images are used, and whether EC2 says so.
    used: BTreeMap<String, (Timestamp, bool)>,
    worth_keeping: BTreeSet<String>,
    pub destroyed: Vec<String>,
}

impl Ec2 {
    pub fn of(start: &Start) -> Self {
        let mut world = Self {
            start: start.clone(),
            account: account(),
            object: start.machine_image(),
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            has_finalizer: start.has_finalizer,
            deleted: start.deleted,
            captured: None,
            discarded: None,
            used: BTreeMap::new(),
            worth_keeping: BTreeSet::new(),
            registrations: 0,
            places: REGIONS
                .iter()
                .map(|region| (Place::new(ACCOUNT, *region), Known::default()))
                .collect(),
            unshown: BTreeMap::new(),
            doomed: BTreeSet::new(),
            tokens: BTreeMap::new(),
            last_creation: Timestamp::default(),
            copies: 0,
            made: 0,
            captures: 0,
            destroyed: Vec::new(),
        };
        let desired = world.desired();
        if start.recorded {
            world.captured = Some(Captured::annotation(
                &desired.revision,
                world.now - SignedDuration::from_mins(1),
            ));
        }
        for seed in &start.images {
            let used = seed.used_until(world.now);
            world.used.extend(used.map(|until| (seed.id(), until)));
            let (place, image, snapshots, shown) = seed.image(&desired, world.now);
            if let Some(shown) = shown {
                world.unshown.insert(image.id.clone(), shown);
            }
            let known = world.places.get_mut(&place).unwrap();
            known.snapshots.extend(snapshots);
            known.images.push(image);
        }
        let was_published = |image: &Image| {
            [tag::PUBLISHED, tag::SUPERSEDED]
                .iter()
                .any(|key| image.tags.contains_key(key))
        };
        let worth_keeping = world
            .of_wanted_revision(&desired, false)
            .into_iter()
            .filter(|(place, image)| desired.wants(place) && was_published(image))
            .filter(|(_, image)| image.state == ImageState::Available)
            .map(|(_, image)| {
                image
                    .tags
                    .get(tag::REVISION)
                    .expect("a revision")
                    .to_owned()
            });
        world.worth_keeping = worth_keeping.collect();
        world
    }

    pub fn image(&self) -> MachineImage {
        let mut image = self.object.clone();
        image.metadata.finalizers = self.has_finalizer.then(|| vec![FINALIZER.to_owned()]);
        image.metadata.deletion_timestamp = self
            .deleted
            .then(|| Time(self.now - SignedDuration::from_secs(1)));
        let records = [(CAPTURED, &self.captured), (DISCARDED, &self.discarded)];
        let records = records.map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        image.metadata.annotations = Some(records.into_iter().flatten().collect());
        image
    }

    pub fn desired(&self) -> Desired {
        let accounts = BTreeMap::from([AccountReference::to(self.account.clone())]);
        let references = References {
            accounts: &accounts,
            namespace_labels: &BTreeMap::new(),
            machine_images: &[],
        };
        Desired::of(&self.image(), &self.installation(), references)
    }

    fn installation(&self) -> Installation {
        Installation {
            owner: "o1".to_owned(),
            cluster: CLUSTER.to_owned(),
            take_over_from: self.start.takes_over.then(|| PREDECESSOR.to_owned()),
            consistency_window: WINDOW,
            price_per_gib_month: None,
        }
    }

    /// What is foretold of the object as it is now.
    pub fn forecast(&self) -> Forecast {
        let accounts = BTreeMap::from([AccountReference::to(self.account.clone())]);
        let desired = self.desired();
        let mut observed = self.observed(&desired);
        let (mut read, mut sources) = (Reads::default(), BTreeMap::new());
        loop {
            let outset = Outset {
                image: &self.image(),
                installation: &self.installation(),
                references: References {
                    accounts: &accounts,
                    namespace_labels: &BTreeMap::new(),
                    machine_images: &[],
                },
                observed: &observed,
                sources: &sources,
                read: &read,
            };
            let more = match forecast(&outset, self.now) {
                Ok(forecast) => return forecast,
                Err(more) => *more,
            };
            for query in more.source.iter().chain(&more.follow) {
                sources.insert(query.clone(), source(&desired, query));
            }
            for (place, id) in &more.usage {
                let key = (place.clone(), id.clone());
                observed.usage.insert(key, self.usage(id));
            }
            let counted = more.departures.then(|| (ACCOUNT.to_owned(), FEW));
            observed.departures.extend(counted);
            assert!(read.add(more), "asked again");
        }
    }

    pub fn observed(&self, desired: &Desired) -> Observed {
        let mut observed = Observed {
            last_creation: self.last_creation,
            ..Observed::default()
        };
        for (place, known) in &self.places {
            let mut known = Known {
                as_of: self.now,
                ..known.clone()
            };
            for snapshot in &mut known.snapshots {
                let users = known
                    .images
                    .iter()
                    .filter(|image| image.snapshots.contains(&snapshot.id));
                snapshot.used_by = Some(users.map(|image| image.id.clone()).collect());
            }
            observed
                .places
                .insert(place.clone(), PlaceView::Known(known));
        }
        let mut needed = Reads::default();
        while needed.add(reads(
            desired,
            &observed,
            &plan(desired, &observed, self.now),
            self.now,
        )) {
            if let Some(query) = &needed.source {
                observed.source = source(desired, query);
            }
            for (place, id) in &needed.usage {
                let usage = self.usage(id);
                observed.usage.insert((place.clone(), id.clone()), usage);
            }
            let counted = needed.departures.then(|| (ACCOUNT.to_owned(), FEW));
            observed.departures = counted.into_iter().collect();
        }
        observed
    }

    fn usage(&self, id: &str) -> Usage {
        match self.used.get(id) {
            Some((until, true)) if self.now < *until => Usage::By(vec![ImageUser::own(
                id,
                "ec2:Instance",
                &format!("arn:aws:ec2:{id}"),
            )]),
            Some((until, false)) if self.now < *until => Usage::Unknown(Unreadable {
                reason: conditions::REGION_UNREADABLE,
                message: "no answer".to_owned(),
            }),
            _ => Usage::By(Vec::new()),
        }
    }

    /// What was made known of the source is in the status.
    pub fn record(&mut self, status: MachineImageStatus) {
        self.object.status = Some(status);
    }

    pub fn delete(&mut self) {
        self.deleted = true;
    }

    /// What the step does. EC2 refuses what cannot be; a plan that asks for it is wrong.
    pub fn perform(&mut self, step: &Step) {
        let Some(place) = &step.place else {
            return self.write(&step.action);
        };
        match &step.action {
            Action::CreateImage {
                instance,
                name,
                tags,
                snapshot_tags,
                ..
            } => {
                assert!(
                    self.places[place]
                        .images
                        .iter()
                        .all(|image| image.name != *name),
                    "the name is taken"
                );
                self.captures += 1;
                let id = self.make(place, name, (tags, snapshot_tags), false);
                let image = self.image_mut(place, &id);
                image.source_instance = Some(instance.clone());
                image.source_image = Some(Reference::new(place.region.clone(), "ami-launched"));
            }
            Action::RegisterImage {
                registration,
                name,
                tags,
                ..
            } => {
                assert!(
                    self.places[place]
                        .images
                        .iter()
                        .all(|image| image.name != *name),
                    "the name is taken"
                );
                let id = self.make(place, name, (tags, tags), false);
                self.registrations += 1;
                let theirs = format!("snap-made{}", self.made);
                let known = self.places.get_mut(place).unwrap();
                known.snapshots.retain(|one| one.id != theirs);
                let bills = platform(self.start.bills_otherwise);
                let image = self.image_mut(place, &id);
                image.registered = Some(Box::new(Registered {
                    root_snapshot: Some(registration.snapshot.clone()),
                    platform_details: Some(bills),
                }));
                image.snapshots = registration.snapshots().map(str::to_owned).collect();
            }
            Action::CopyImage {
                from,
                name,
                token,
                tags,
                snapshot_tags,
                ..
            } => {
                let source = Place::new(ACCOUNT, from.region.clone());
                let is_there =
                    from.region == REGIONS[0] && [ORIGIN, OTHER_ORIGIN].contains(&from.id.as_str())
                        || self.places[&source].images.iter().any(|image| {
                            image.id == from.id && image.state == ImageState::Available
                        });
                assert!(is_there, "{from} cannot be copied");
                if self.tokens.contains_key(token) {
                    // The answer names the image of then; the inventory knows that it is dead.
                    let id = self.tokens[token].clone();
                    let known = self.places.get_mut(place).unwrap();
                    assert!(
                        known.images.iter().all(|image| image.id != id),
                        "made already, and there"
                    );
                    if known.dead.iter().all(|dead| dead.id != id) {
                        known.dead.extend(Dead::with_tags(id, &tags.into()));
                    }
                    return;
                }
                self.copies += 1;
                let fails = self.copies <= self.start.failing_copies;
                let id = self.make(place, name, (tags, snapshot_tags), fails);
                self.tokens.insert(token.clone(), id.clone());
                self.image_mut(place, &id).source_image = Some(from.clone());
            }
            Action::CreateTags { id, tags } => self.tags_mut(place, id).extend(tags.clone()),
            Action::DeleteTags { id, keys } => {
                let tags = self.tags_mut(place, id);
                for key in keys {
                    tags.remove(key);
                }
            }
            Action::DeregisterImage { id } => {
                let used = self
                    .used
                    .get(id)
                    .is_some_and(|(until, _)| self.now < *until);
                let image = self.image_mut(place, id);
                let can_be_launched = image.state == ImageState::Available;
                assert!(!used || !can_be_launched, "{id} is in use");
                self.destroyed.push(id.clone());
                let images = &mut self.places.get_mut(place).unwrap().images;
                let before = images.len();
                images.retain(|image| image.id != *id);
                assert_eq!(images.len() + 1, before, "{id} is not there");
            }
            Action::DeleteSnapshot { id } => {
                self.destroyed.push(id.clone());
                let known = self.places.get_mut(place).unwrap();
                assert!(
                    known
                        .images
                        .iter()
                        .all(|image| !image.snapshots.contains(id)),
                    "{id} is in use"
                );
                known.snapshots.retain(|snapshot| snapshot.id != *id);
            }
            on_object => panic!("{on_object} has no place"),
        }
    }

    fn write(&mut self, action: &Action) {
        match action {
            Action::StoreFinalizer => self.has_finalizer = true,
            Action::ReleaseFinalizer => self.has_finalizer = false,
            Action::RecordCapture { revision } => {
                self.captured = Some(Captured::annotation(revision, self.now));
            }
            Action::RecordDiscard {
                revision,
                platform_details,
            } => self.discarded = Some(Discarded::annotation(revision, platform_details)),
            other => panic!("{other} is no write to the object"),
        }
    }

    fn make(
        &mut self,
        place: &Place,
        name: &str,
        (tags, snapshot_tags): (&BTreeMap<String, String>, &BTreeMap<String, String>),
        fails: bool,
    ) -> String {
        assert!(
            self.has_finalizer,
            "the finalizer comes before the first effect"
        );
        self.made += 1;
        self.last_creation = self.now;
        let id = format!("ami-made{}", self.made);
        if fails {
            self.doomed.insert(id.clone());
        }
        let known = self.places.get_mut(place).unwrap();
        let its_snapshot = format!("snap-made{}", self.made);
        let its_snapshot = snapshot(&its_snapshot, snapshot_tags.clone());
        known.snapshots.push(its_snapshot);
        known.images.push(Image {
            progress: Some(0),
            created: Some(self.now),
            registered: Some(Box::new(Registered {
                root_snapshot: None,
                platform_details: Some("Linux/UNIX".to_owned()),
            })),
            ..Image::newborn(&id, name, tags)
        });
        id
    }

    /// What goes on by itself: images become available or fail, attributes are shown, the missing are gone.
    pub fn minute(&mut self) {
        self.now += SignedDuration::from_mins(1);
        let now = self.now;
        for known in self.places.values_mut() {
            for image in &mut known.images {
                let since = image.created.unwrap();
                if image.state == ImageState::Pending && now >= since + A_WHILE {
                    image.state = if self.doomed.contains(&image.id) {
                        ImageState::Failed
                    } else {
                        ImageState::Available
                    };
                    if let Some(number) = image.id.strip_prefix("ami-made")
                        && image.snapshots.is_empty()
                    {
                        image.snapshots = vec![format!("snap-made{number}")];
                    }
                }
                if now >= since + A_WHILE
                    && let Some(shown) = self.unshown.remove(&image.id)
                {
                    show(image, shown);
                }
            }
            let (gone, there) = known.images.drain(..).partition(
                |image| matches!(image.state, ImageState::Missing { since } if now >= since + WINDOW),
            );
            known.images = there;
            let gone: Vec<Image> = gone;
            let dead = gone
                .into_iter()
                .filter_map(|image| Dead::with_tags(image.id, &image.tags));
            known.dead.extend(dead);
        }
    }

    fn image_mut(&mut self, place: &Place, id: &str) -> &mut Image {
        self.places
            .get_mut(place)
            .unwrap()
            .images
            .iter_mut()
            .find(|image| image.id == id)
            .unwrap()
    }

    fn tags_mut(&mut self, place: &Place, id: &str) -> &mut Tags {
        let known = self.places.get_mut(place).unwrap();
        let images = known
            .images
            .iter_mut()
            .map(|image| (&image.id, &mut image.tags));
        let snapshots = known
            .snapshots
            .iter_mut()
            .map(|snapshot| (&snapshot.id, &mut snapshot.tags));
        images
            .chain(snapshots)
            .find(|(other, _)| *other == id)
            .expect("what is tagged is there")
            .1
    }

    pub fn wanted(&self) -> BTreeMap<String, usize> {
        self.start
            .wanted
            .iter()
            .map(|region| (region.clone(), 1))
            .collect()
    }

    /// How many images of the wanted revision are published, by region.
    pub fn published(&self, desired: &Desired) -> BTreeMap<String, usize> {
        let mut published = BTreeMap::new();
        for (place, image) in self
            .all()
            .filter(|(_, image)| standing(image, &desired.identity) == Standing::Ours)
        {
            let current = image.tags.get(tag::REVISION) == Some(desired.revision.as_str());
            let counts = current && image.tags.contains_key(tag::PUBLISHED) && desired.wants(place);
            if counts && image.state == ImageState::Available {
                *published.entry(place.region.clone()).or_default() += 1;
            }
        }
        published
    }

    /// The images that are ours, or would be, whether they are of the wanted revision.
    pub fn of_wanted_revision(&self, desired: &Desired, wanted: bool) -> Vec<(&Place, &Image)> {
        let ids = self.ours(desired);
        let is_of =
            |image: &Image| image.tags.get(tag::REVISION) == Some(desired.revision.as_str());
        let all = self.all().filter(|(_, image)| ids.contains(&image.id));
        all.filter(|(_, image)| is_of(image) == wanted).collect()
    }

    /// The superseded revisions that could be kept where they are wanted, as it was at the start.
    pub fn was_worth_keeping(&self) -> &BTreeSet<String> {
        &self.worth_keeping
    }

    /// The available images that users were told of.
    pub fn published_at_all(&self) -> BTreeSet<String> {
        self.all()
            .filter(|(_, image)| image.id.starts_with("ami-seed"))
            .filter(|(_, image)| image.tags.contains_key(tag::PUBLISHED))
            .filter(|(_, image)| image.state == ImageState::Available)
            .map(|(_, image)| image.id.clone())
            .collect()
    }

    pub fn bills_otherwise(&self) -> bool {
        self.start.bills_otherwise
    }

    /// Everything of ours that another cluster's tag is on.
    pub fn not_taken_over(&self, desired: &Desired) -> Vec<String> {
        let is_old = |tags: &Tags| tags.get(tag::CLUSTER) != Some(CLUSTER);
        let images = self.all().filter(|(_, image)| is_old(&image.tags));
        let images =
            images.filter(|(_, image)| standing(image, &desired.identity) == Standing::Ours);
        let snapshots = self.places.values().flat_map(|known| &known.snapshots);
        let snapshots =
            snapshots.filter(|one| is_sealed_snapshot(one, &desired.identity) && is_old(&one.tags));
        let ids = images.map(|(_, image)| &image.id);
        ids.chain(snapshots.map(|one| &one.id)).cloned().collect()
    }

    /// The ids that are ours, or would be.
    pub fn ours(&self, desired: &Desired) -> Vec<String> {
        let is_ours = |image: &Image| {
            desired.identity.is_claimed_by(&image.tags)
                && matches!(
                    standing(image, &desired.identity),
                    Standing::Ours | Standing::Newborn | Standing::Unproven
                )
        };
        self.all()
            .filter(|(_, image)| is_ours(image))
            .map(|(_, image)| image.id.clone())
            .collect()
    }

    /// Sealed snapshots that no image uses.
    pub fn unused_snapshots(&self, desired: &Desired) -> BTreeSet<String> {
        let used: BTreeSet<_> = self.all().flat_map(|(_, image)| &image.snapshots).collect();
        let all = self.places.values().flat_map(|known| &known.snapshots);
        all.filter(|snapshot| !used.contains(&snapshot.id))
            .filter(|snapshot| {
                desired.identity.is_claimed_by(&snapshot.tags)
                    && snapshot.tags.get(tag::SELF) == Some(&snapshot.id)
            })
            .map(|snapshot| snapshot.id.clone())
            .collect()
    }

    /// The images that are somebody else's, with every tag.
    pub fn strangers(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let strangers = self
            .all()
            .filter(|(_, image)| image.id.starts_with("ami-stranger"));
        strangers
            .map(|(_, image)| (image.id.clone(), image.tags.to_map()))
            .collect()
    }

    /// The snapshots that are somebody else's, with every tag.
    pub fn foreign_snapshots(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let all = self.places.values().flat_map(|known| &known.snapshots);
        let foreign = all.filter(|snapshot| snapshot.id.starts_with("snap-stranger"));
        foreign
            .map(|snapshot| (snapshot.id.clone(), snapshot.tags.to_map()))
            .collect()
    }

    fn all(&self) -> impl Iterator<Item = (&Place, &Image)> {
        self.places
            .iter()
            .flat_map(|(place, known)| known.images.iter().map(move |image| (place, image)))
    }
}

/// The source as it should be.
fn source(desired: &Desired, query: &SourceQuery) -> SourceView {
    let id = match query {
        SourceQuery::Image(pinned) => pinned.id.clone(),
        _ => ORIGIN.to_owned(),
    };
    match desired.source.looked_up() {
        Source::Instance { .. } => SourceView::Instance(SourceInstance {
            state: "running".to_owned(),
            tags: BTreeMap::new(),
            data_devices: Vec::new(),
            unsupported: None,
        }),
        Source::Snapshot { registration, .. } => {
            let snapshot = |id: &str| SourceSnapshot {
                id: id.to_owned(),
                state: "completed".to_owned(),
                owner: ACCOUNT.to_owned(),
                tags: BTreeMap::new(),
            };
            SourceView::Snapshots(registration.snapshots().map(snapshot).collect())
        }
        Source::Image(_) | Source::NamedImage(_) | Source::Parameter(_) | Source::Published(_) => {
            SourceView::Image(SourceImage {
                id,
                name: NAME.to_owned(),
                architecture: "x86_64".to_owned(),
                state: ImageState::Available,
                owner: ACCOUNT.to_owned(),
                owner_alias: None,
                object: None,
                size_gib: None,
            })
        }
        Source::Build(_) => unreachable!("what is looked up is what it is built from"),
    }
}

/// An account that grants everything to everybody.
fn account() -> AwsAccount {
    let everybody = json!({"all": true});
    let spec = json!({"accountId": ACCOUNT, "grants": {
        "capture": [{"namespaces": everybody}],
        "snapshots": [{"namespaces": everybody}],
        "sourceOwners": [{"namespaces": everybody, "owners": ["self"]}],
    }});
    AwsAccount::new("default", serde_json::from_value(spec).unwrap())
}

/// A snapshot with these tags.
pub fn snapshot(id: &str, tags: BTreeMap<String, String>) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        pending: false,
        progress: None,
        failure: None,
        used_by: None,
        size_gib: 8,
        full_bytes: None,
        tags: tags.into(),
    }
}

/// EC2 shows what the image was made from.
pub fn show(image: &mut Image, made_from: Reference) {
    if made_from.is_instance() {
        image.source_instance = Some(made_from.id);
    } else if made_from.is_snapshot() {
        let registered = image.registered.get_or_insert_default();
        registered.root_snapshot = Some(made_from.id);
    } else {
        image.source_image = Some(made_from);
    }
}
