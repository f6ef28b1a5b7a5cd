//! What EC2 has, shared by every object: read place by place, kept in memory, asked for without a call.
//!
//! One reader a place lists what carries the owner's tag; every object's part is cut out of that. A place
//! that cannot be read is unreadable with the reason, never empty. What was written is shown before EC2
//! shows it, what was deleted is hidden while EC2 still does ([`memory`]). When an object's part changes,
//! the object is woken ([`Inventory::differences`]).

mod accounts;
mod adoption;
mod asked;
mod changes;
mod ebs_defaults;
mod entry;
mod fast_launch;
mod figures;
mod machines;
mod memory;
mod named;
mod pace;
mod parameters;
mod permissions;
mod places;
mod read;
mod recycle_bin;
mod remembered;
#[cfg(test)]
mod size;
mod slots;
mod source;
mod usage;
mod usage_report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amity_core::account::Holdings;
use amity_core::api::AwsAccount;
use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Identity, Place, Reference};
use amity_core::image::machines::MachinesView;
use amity_core::image::observed::{
    AdoptionView, EbsDefaults, Observed, PlaceView, SourceView, Unreadable, Usage, UsageReport,
};
use amity_core::image::permissions::{Grantee, Permissions};
use amity_core::image::plan::Reads;
use amity_core::image::plan::step::Action;
use futures::Stream;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::Settings;
use super::budget::Budget;
use super::effect::Answer;
use super::error::Failure;
use super::session::{Access, Sessions};
use crate::clock::Clock;
use asked::Asked;
use changes::Changes;
use fast_launch::FastLaunches;
pub use figures::PlaceFigures;
pub use named::{NamedImage, images_named};
use parameters::ParametersRead;
use places::PlaceState;
use recycle_bin::Binned;
use remembered::Remembered;
pub(super) use slots::CopySlot;
use slots::Slots;
use source::Sources;
pub(super) use usage::EVERY_VERSION;

/// What EC2 has.
#[derive(Debug)]
pub struct Inventory {
    sessions: Arc<Sessions>,
    owner: String,
    clock: Clock,
    settings: Settings,
    budget: Arc<Budget>,
    wanted: watch::Sender<BTreeMap<String, Access>>,
    state: Mutex<State>,
    changes: Changes,
    sources: Sources,
    usages: Remembered<(Place, String), Usage>,
    usage_reports: Remembered<(Place, String), UsageReport>,
    permissions: Remembered<(Place, String), Permissions>,
    /// From whom images and snapshots were taken back.
    taken_back: Remembered<(Place, String), BTreeSet<Grantee>>,
    parameters: ParametersRead,
    adoptions: Remembered<(Place, String), AdoptionView>,
    recycled: Remembered<(Place, String), Binned>,
    ebs_defaults: Remembered<Place, EbsDefaults>,
    fast_launches: FastLaunches,
    /// The machines of each object, by place and object.
    machines: Remembered<(Place, String), MachinesView>,
    asked: Asked,
}

/// What changes while the process runs.
#[derive(Debug)]
struct State {
    started: Timestamp,
    /// The regions of each account, or why it could not be opened.
    accounts: BTreeMap<String, Result<Vec<String>, Unreadable>>,
    /// Wakes the task that opens an account.
    doors: BTreeMap<String, Arc<Notify>>,
    places: BTreeMap<Place, PlaceState>,
    /// When each object last asked for an image.
    creations: BTreeMap<String, Timestamp>,
    /// The objects that looked at a place when it could not be read.
    waiting: BTreeMap<Place, BTreeSet<String>>,
    /// The copies that no list shows yet, and who waits for one to end.
    slots: BTreeMap<Place, Slots>,
}

impl Inventory {
    /// An inventory of what carries the tag of `owner`. Nothing is read before [`Inventory::run`].
    pub fn new(
        sessions: Arc<Sessions>,
        owner: impl Into<String>,
        clock: Clock,
        settings: Settings,
        budget: Arc<Budget>,
    ) -> Arc<Self> {
        let state = State {
            started: clock.now(),
            accounts: BTreeMap::new(),
            doors: BTreeMap::new(),
            places: BTreeMap::new(),
            creations: BTreeMap::new(),
            waiting: BTreeMap::new(),
            slots: BTreeMap::new(),
        };
        Arc::new(Self {
            sessions,
            owner: owner.into(),
            clock,
            settings,
            budget,
            wanted: watch::Sender::new(BTreeMap::new()),
            state: Mutex::new(state),
            changes: Changes::default(),
            sources: Sources::default(),
            usages: Remembered::default(),
            usage_reports: Remembered::default(),
            permissions: Remembered::default(),
            taken_back: Remembered::default(),
            parameters: ParametersRead::default(),
            adoptions: Remembered::default(),
            recycled: Remembered::default(),
            ebs_defaults: Remembered::default(),
            fast_launches: FastLaunches::default(),
            machines: Remembered::default(),
            asked: Asked::default(),
        })
    }

    /// Which accounts are read. Of two with one id the first is taken: grants are in one place.
    pub fn set_accounts(&self, accounts: impl IntoIterator<Item = AwsAccount>) {
        let mut wanted = BTreeMap::new();
        for account in accounts {
            let access = Access::from(&account);
            wanted.entry(access.account_id.clone()).or_insert(access);
        }
        self.wanted.send_if_modified(|before| {
            let differs = *before != wanted;
            *before = wanted;
            differs
        });
    }

    /// What is known of everything that one object could own or need: from memory, except for `reads`, which
    /// EC2 is asked unless somebody asked of late.
    pub async fn observe(&self, desired: &Desired, reads: &Reads) -> Observed {
        let object = &desired.identity.object;
        let source = match &reads.source {
            Some(query) => self.source_of(desired, query).await,
            None => SourceView::NotRead,
        };
        let followed = match (&reads.follow, desired.follow) {
            (Some(query), Some(interval)) => Some(self.followed(desired, query, interval).await),
            _ => None,
        };
        let adoptions = self.adoptions_in_a_moment(&reads.adoptions, object).await;
        let recycled = self.recycled_in_a_moment(&reads.recycle_bin, object).await;
        let ebs_defaults = self
            .ebs_defaults_in_a_moment(&reads.ebs_defaults, object)
            .await;
        let usage = self.usage_in_a_moment(&reads.usage, object).await;
        let usage_reports = self
            .usage_reports_in_a_moment(&reads.usage_reports, object)
            .await;
        let permissions = self
            .permissions_in_a_moment(&reads.permissions, object)
            .await;
        let fast_launches = self
            .fast_launches_in_a_moment(&reads.fast_launches, object)
            .await;
        let machines = self.machines_in_a_moment(&reads.machines, object).await;
        let parameters = self
            .parameters_in_a_moment(&reads.parameters, desired)
            .await;
        let refusals = self.budget.refusals(desired);
        let mut state = self.state();
        let places = state
            .places_of(desired)
            .into_iter()
            .map(|place| {
                let mut view = state.view(&place, object);
                if let PlaceView::Known(known) = &mut view
                    && reads.copy_slots.contains(&place)
                {
                    known.free_copy_slots = Some(self.free_slots(&state, &place, object));
                }
                (place, view)
            })
            .collect();
        Observed {
            readers: state.readers(&places, object),
            places,
            source,
            followed,
            adoptions,
            recycled,
            ebs_defaults,
            usage,
            usage_reports,
            permissions,
            taken_back: self.taken_back.all(self.clock.now()),
            fast_launches,
            machines,
            parameters,
            departures: BTreeMap::new(),
            config_maps: None,
            refusals,
            started: state.started,
            last_creation: state.last_creation(object),
        }
    }

    /// Lets the next reading of each of the account's regions list snapshots too: somebody is about to remove
    /// some by hand, which is else seen once a day.
    pub fn watch_snapshots(&self, account_id: &str) {
        let mut state = self.state();
        let places = state.places.iter_mut();
        for (_, known) in places.filter(|(place, _)| place.account == account_id) {
            known.watch_snapshots();
        }
    }

    /// All that the account holds of this installation, from memory, whatever object it is of.
    pub fn holdings(&self, account_id: &str) -> Holdings {
        let state = self.state();
        let mut holdings = Holdings::default();
        let whole = Place::new(account_id, "");
        match state.accounts.get(account_id) {
            Some(Ok(_)) => {}
            Some(Err(unreadable)) => {
                drop(holdings.unreadable.insert(whole, unreadable.clone()));
            }
            None => drop(
                holdings
                    .unreadable
                    .insert(whole.clone(), not_read_yet(&whole)),
            ),
        }
        let places = state.places.iter();
        for (place, known) in places.filter(|(place, _)| place.account == account_id) {
            match known.held(place) {
                Ok(held) => holdings.held.extend(held),
                Err(unreadable) => drop(holdings.unreadable.insert(place.clone(), unreadable)),
            }
        }
        holdings
    }

    /// The object is as its spec says: what it asked about names need not be read any more.
    pub fn at_rest(&self, object: &str) {
        for place in self.state().places.values_mut() {
            place.memory.stop_asking(object);
        }
    }

    /// The object is gone from the cluster: what only this process remembers of it is dropped.
    pub fn forget(&self, object: &str) {
        self.budget.forget(object);
        self.parameters.forget(object);
        let mut state = self.state();
        state.creations.remove(object);
        for place in state.places.values_mut() {
            place.memory.forget(object);
        }
        for waiting in state.waiting.values_mut() {
            waiting.remove(object);
        }
        self.forget_copies(&mut state, object);
    }

    /// Reads a place soon.
    pub fn poke(&self, place: &Place) {
        let soon = self.clock.now() + pace::AFTER_WRITE;
        if let Some(state) = self.state().places.get_mut(place) {
            state.read_by(soon);
        }
    }

    /// The regions of an account that is open, sorted: what a spec may want.
    pub fn regions(&self, account_id: &str) -> Option<Vec<String>> {
        self.state()
            .accounts
            .get(account_id)?
            .as_ref()
            .ok()
            .cloned()
    }

    /// Whether every account that is wanted was tried, and every place of those that opened was read or
    /// tried: what readiness may wait for.
    pub fn was_read_once(&self) -> bool {
        let state = self.state();
        self.wanted
            .borrow()
            .keys()
            .all(|account| state.accounts.contains_key(account))
            && state.places.values().all(PlaceState::was_tried)
    }

    /// The keys (`namespace/name`) of objects whose part of some place changed between two readings, or
    /// became readable or unreadable. Each is given once, however often it changed before it was taken. For
    /// one taker.
    pub fn differences(self: &Arc<Self>) -> impl Stream<Item = String> + Send + 'static {
        futures::stream::unfold(Arc::clone(self), |inventory| async move {
            let object = inventory.changes.next().await;
            Some((object, inventory))
        })
    }

    /// A call that makes an image is about to be sent. It counts from now on, even if its answer is lost.
    pub(super) fn will_create(&self, object: &str) {
        let now = self.clock.now();
        self.state().creations.insert(object.to_owned(), now);
    }

    /// A value is about to be put. It may show from now on, even if the answer is lost.
    pub(super) fn will_put(&self, object: &str, place: &Place) {
        self.parameters.will_put(place, object, self.clock.now());
    }

    /// Lays what came of a step over what was listed, and has the place read soon.
    pub(super) fn wrote(
        &self,
        identity: &Identity,
        place: &Place,
        action: &Action,
        result: &Result<Answer, Failure>,
    ) {
        let now = self.clock.now();
        if let Action::ChangePermissions { id, change } = action {
            self.wrote_permissions(place, id, change, result.is_ok());
        }
        self.wrote_fast_launch(place, action, result.is_ok());
        self.wrote_machine(identity, place, action, result);
        if action.restores() {
            self.recycled.forget(|(other, _)| other == place);
        }
        if let Action::CreateUsageReport { id, .. } = action
            && result.is_ok()
        {
            self.asked_for_usage_report(place, id);
        }
        if action.parameter().is_some() {
            let object = &identity.object;
            self.parameters.wrote(place, object, action, result, now);
        }
        let mut state = self.state();
        if action.creates() {
            state.creations.insert(identity.object.clone(), now);
        }
        if let Some(state) = state.places.get_mut(place) {
            state.memory.wrote(&identity.object, action, result, now);
            if matches!(action, Action::Adopt { image: None, .. }) {
                state.watch_snapshots();
            }
            match action {
                // What they are is known: that lists agree is awaited with what else goes on.
                // Neither does any list show who else may use something, or whether it launches fast.
                Action::CreateTags { .. }
                | Action::DeleteTags { .. }
                | Action::ChangePermissions { .. }
                | Action::CreateUsageReport { .. }
                | Action::EnableFastLaunch { .. }
                | Action::DisableFastLaunch { .. }
                | Action::PutParameter { .. }
                | Action::DeleteParameter { .. }
                | Action::TagParameter { .. }
                | Action::RunInstances { .. }
                | Action::TerminateInstances { .. } => {}
                _ if action.creates() => state.read_by(now + pace::AFTER_CREATION),
                _ => state.read_by(now + pace::AFTER_WRITE),
            }
        }
        self.call_next(&mut state, place);
        drop(state);
        if let Err(failure) = result {
            self.doubt(&place.account, failure);
        }
    }

    /// Gets credentials, or only the proof of an account, anew when a failure is about them.
    fn doubt(&self, account: &str, failure: &Failure) {
        if failure.concerns_credentials() {
            self.sessions.renew(account);
        } else if failure.concerns_region() {
            self.sessions.prove_again(account);
        } else {
            return;
        }
        if let Some(door) = self.state().doors.get(account) {
            door.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Every place of the object's accounts that was ever read, those of others that hold something of it, and those
    /// that the spec names.
    fn places_of(&self, desired: &Desired) -> BTreeSet<Place> {
        let object = &desired.identity.object;
        let holds = |place: &Place, state: &PlaceState| {
            desired.accounts.contains_key(&place.account) || state.memory.holds(object)
        };
        let known = self
            .places
            .iter()
            .filter(|(place, state)| holds(place, state));
        known
            .map(|(place, _)| place)
            .chain(&desired.places)
            .cloned()
            .chain([desired.source_place()])
            .collect()
    }

    fn view(&mut self, place: &Place, object: &str) -> PlaceView {
        if let Some(unreadable) = self.why_unreadable(place, object) {
            return PlaceView::Unreadable(unreadable);
        }
        let state = self.places.get(place);
        let known = state.and_then(|state| state.memory.view(object));
        known.map_or_else(
            || PlaceView::Unreadable(not_read_yet(place)),
            PlaceView::Known,
        )
    }

    /// Why a place cannot be read, if so; then the object is woken when that changes.
    fn why_unreadable(&mut self, place: &Place, object: &str) -> Option<Unreadable> {
        let unreadable = match (self.accounts.get(&place.account), self.places.get(place)) {
            (Some(Err(closed)), _) => closed.clone(),
            (_, Some(state)) => state.readable.clone().err()?,
            (Some(Ok(_)), None) => not_in_account(place),
            (None, None) => not_read_yet(place),
        };
        let waiting = self.waiting.entry(place.clone()).or_default();
        waiting.insert(object.to_owned());
        Some(unreadable)
    }

    fn last_creation(&self, object: &str) -> Timestamp {
        let last = self.creations.get(object).copied();
        last.map_or(self.started, |last| last.max(self.started))
    }

    /// Which images of `object` in these places others are copying at the moment.
    fn readers(
        &self,
        places: &BTreeMap<Place, PlaceView>,
        object: &str,
    ) -> BTreeMap<Reference, Reference> {
        let copying = places.keys().filter_map(|place| {
            let memory = &self.places.get(place)?.memory;
            memory.copies_anything().then_some((place, memory))
        });
        let copying: Vec<_> = copying.collect();
        let mut readers = BTreeMap::new();
        for (place, view) in places {
            let PlaceView::Known(known) = view else {
                continue;
            };
            for image in known.images.iter().filter(|_| !copying.is_empty()) {
                let itself = Reference::new(place.region.as_str(), image.id.as_str());
                let text = itself.to_string();
                let reader = copying.iter().find_map(|(to, memory)| {
                    let id = memory.reader_of(&text, object)?;
                    Some(Reference::new(to.region.as_str(), id))
                });
                if let Some(reader) = reader {
                    readers.insert(itself, reader);
                }
            }
        }
        readers
    }

    /// The objects that a change of the place's readability concerns.
    fn concerned(&mut self, place: &Place) -> BTreeSet<String> {
        let mut objects = self.waiting.remove(place).unwrap_or_default();
        if let Some(state) = self.places.get(place) {
            objects.extend(state.memory.objects().map(ToString::to_string));
        }
        objects
    }
}

fn not_read_yet(place: &Place) -> Unreadable {
    Unreadable {
        reason: conditions::WAITING_FOR_INVENTORY,
        message: if place.account.is_empty() {
            format!(
                "{} is not read, since its AwsAccount is not known",
                place.region
            )
        } else {
            format!(
                "{} of account {} has not been read yet; it will be by itself",
                place.region, place.account
            )
        },
    }
}

fn not_in_account(place: &Place) -> Unreadable {
    Unreadable {
        reason: conditions::REGION_NOT_IN_ACCOUNT,
        message: format!(
            "{} is not among the regions of the AwsAccount of account {}, or not enabled for it: add it to \
             spec.regions of the AwsAccount, or enable it",
            place.region, place.account
        ),
    }
}
