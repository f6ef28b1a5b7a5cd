//! What EC2 has, shared by every object: read place by place, kept in memory, asked for without a call.
//!
//! One reader a place lists what carries the owner's tag; every object's part is cut out of that. A place
//! that cannot be read is unreadable with the reason, never empty. What was written is shown before EC2
//! shows it, what was deleted is hidden while EC2 still does ([`memory`]). When an object's part changes,
//! the object is woken ([`Inventory::differences`]).

mod accounts;
mod asked;
mod changes;
mod entry;
mod memory;
mod pace;
mod places;
mod read;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amity_core::api::AwsAccount;
use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Identity, Place};
use amity_core::image::observed::{Observed, PlaceView, SourceView, Unreadable};
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
use places::PlaceState;
use source::Sources;

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
    /// When each object last asked for an image; `None` once it was seen at rest a window after that.
    creations: BTreeMap<String, Option<Timestamp>>,
    /// The objects that looked at a place when it could not be read.
    waiting: BTreeMap<Place, BTreeSet<String>>,
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

    /// What is known of everything that one object could own or need: from memory, except the source, for
    /// which EC2 is asked when `needs_source` and nobody asked in the last half minute.
    pub async fn observe(&self, desired: &Desired, needs_source: bool) -> Observed {
        let source = if needs_source {
            self.source_in_a_moment(desired).await
        } else {
            SourceView::NotRead
        };
        let refusals = self.budget.refusals(desired);
        let object = &desired.identity.object;
        let mut state = self.state();
        let places = state
            .places_of(desired)
            .into_iter()
            .map(|place| (place.clone(), state.view(&place, object)))
            .collect();
        Observed {
            places,
            source,
            refusals,
            last_creation: state.last_creation(object),
        }
    }

    /// The object is as its spec says. Its last creating call is forgotten once every list is a whole
    /// consistency window younger: before that, the call may still make something that the spec no longer
    /// wants, and that nobody would look for.
    pub fn at_rest(&self, object: &str) {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(last) = state.last_creation(object) {
            // The places of every account: which one is the object's is not known here, and a time that is
            // kept for longer does no harm.
            let until = last + self.settings.consistency_window;
            if now >= until && state.places.values().all(|place| place.is_known_at(until)) {
                state.creations.insert(object.to_owned(), None);
            }
        }
        for place in state.places.values_mut() {
            place.memory.stop_asking(object);
        }
    }

    /// The object is gone from the cluster: what only this process remembers of it is dropped.
    pub fn forget(&self, object: &str) {
        self.budget.forget(object);
        let mut state = self.state();
        state.creations.remove(object);
        for place in state.places.values_mut() {
            place.memory.forget(object);
        }
        for waiting in state.waiting.values_mut() {
            waiting.remove(object);
        }
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
        self.state().creations.insert(object.to_owned(), Some(now));
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
        let mut state = self.state();
        if action.creates() {
            state.creations.insert(identity.object.clone(), Some(now));
        }
        if let Some(state) = state.places.get_mut(place) {
            state
                .memory
                .wrote(&identity.object, &place.account, action, result, now);
            state.read_by(now + pace::AFTER_WRITE);
        }
        drop(state);
        if let Err(failure) = result
            && failure.concerns_credentials()
        {
            self.reopen(&place.account);
        }
    }

    /// Gets credentials and proof of an account anew.
    fn reopen(&self, account: &str) {
        self.sessions.renew(account);
        if let Some(door) = self.state().doors.get(account) {
            door.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Every place of the account that was ever read, and those that the spec names.
    fn places_of(&self, desired: &Desired) -> BTreeSet<Place> {
        let account = desired.account_id.as_deref().unwrap_or_default();
        let known = self.places.keys().filter(|place| place.account == account);
        known
            .chain(&desired.places)
            .cloned()
            .chain([desired.origin_place()])
            .collect()
    }

    fn view(&mut self, place: &Place, object: &str) -> PlaceView {
        let view = match (self.places.get(place), self.accounts.get(&place.account)) {
            (_, Some(Err(unreadable))) => Err(unreadable.clone()),
            (Some(state), _) => state.view(object),
            (None, Some(Ok(_))) => Err(not_in_account(place)),
            (None, None) => Err(not_read_yet(place)),
        };
        match view {
            Ok(known) => PlaceView::Known(known),
            Err(unreadable) => {
                self.waiting
                    .entry(place.clone())
                    .or_default()
                    .insert(object.to_owned());
                PlaceView::Unreadable(unreadable)
            }
        }
    }

    fn last_creation(&self, object: &str) -> Option<Timestamp> {
        match self.creations.get(object) {
            None => Some(self.started),
            Some(last) => last.map(|last| last.max(self.started)),
        }
    }

    /// The objects that a change of the place's readability concerns.
    fn concerned(&mut self, place: &Place) -> BTreeSet<String> {
        let mut objects = self.waiting.remove(place).unwrap_or_default();
        if let Some(state) = self.places.get(place) {
            objects.extend(state.memory.objects().cloned());
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
