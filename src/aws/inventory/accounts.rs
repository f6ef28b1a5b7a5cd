//! The tasks: one an account, which opens it and proves it now and then, and under it one reader a place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amity_core::api::conditions;
use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use super::places::PlaceState;
use super::{Inventory, pace};
use crate::aws::budget::doubled;
use crate::aws::session::{Access, PROOF_RENEWAL, Session};

/// Tasks by what they are for. All end when this is dropped.
struct Tasks<K> {
    set: JoinSet<()>,
    running: BTreeMap<K, AbortHandle>,
}

impl<K: Ord + Clone> Tasks<K> {
    fn new() -> Self {
        Self {
            set: JoinSet::new(),
            running: BTreeMap::new(),
        }
    }

    fn start(&mut self, key: &K, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.running.insert(key.clone(), handle);
    }

    /// Ends those that are not wanted any more.
    fn keep(&mut self, wanted: impl Fn(&K) -> bool) {
        self.running.retain(|key, handle| {
            let is_wanted = wanted(key);
            if !is_wanted {
                handle.abort();
            }
            is_wanted
        });
    }

    /// Waits for a task that ended of its own accord, which none should; it is then started anew.
    async fn ended(&mut self) {
        loop {
            match self.set.join_next().await {
                None => return std::future::pending().await,
                Some(Err(error)) if error.is_cancelled() => {}
                Some(ended) => {
                    tracing::error!(
                        ?ended,
                        "a reader ended, which is a bug; it is started again"
                    );
                    self.running.retain(|_, handle| !handle.is_finished());
                    return;
                }
            }
        }
    }
}

impl Inventory {
    /// Reads every place of the accounts that are set, and what is asked for one object, for ever. Dropping
    /// the future ends every task.
    pub async fn run(self: Arc<Self>) {
        tokio::select! {
            biased;
            () = Arc::clone(&self).read_accounts() => {}
            () = self.answer_questions() => {}
        }
    }

    async fn read_accounts(self: Arc<Self>) {
        let mut accounts = self.wanted.subscribe();
        let mut tasks: Tasks<String> = Tasks::new();
        let mut open: BTreeMap<String, Access> = BTreeMap::new();
        loop {
            let wanted = accounts.borrow_and_update().clone();
            // A reader goes on only while its account is reached in the same way.
            tasks.keep(|account| open.get(account) == wanted.get(account));
            for account in open.keys().filter(|account| !wanted.contains_key(*account)) {
                self.close(account, &no_longer_wanted(account));
            }
            for (account, access) in &wanted {
                if !tasks.running.contains_key(account) {
                    let door = self.door(account);
                    tasks.start(
                        account,
                        Arc::clone(&self).read_account(access.clone(), door),
                    );
                }
            }
            open = wanted;
            tokio::select! {
                biased;
                changed = accounts.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tasks.ended() => {}
            }
        }
    }

    fn door(&self, account: &str) -> Arc<Notify> {
        Arc::clone(self.state().doors.entry(account.to_owned()).or_default())
    }

    /// Keeps an account open, and its places read.
    async fn read_account(self: Arc<Self>, access: Access, door: Arc<Notify>) {
        let mut readers: Tasks<Place> = Tasks::new();
        let mut failures = 0;
        loop {
            let wait = match self.sessions.open_access(&access).await {
                Ok(session) => {
                    failures = 0;
                    self.read_regions(&session, &mut readers);
                    PROOF_RENEWAL
                }
                Err(unreadable) => {
                    failures += 1;
                    readers.keep(|_| false);
                    self.close(&access.account_id, &unreadable);
                    doubled(pace::RETRY, failures)
                }
            };
            let again_at = self.clock.now() + wait;
            tokio::select! {
                biased;
                () = door.notified() => {}
                () = readers.ended() => {}
                () = self.clock.sleep_until(again_at) => {}
            }
        }
    }

    /// Starts a reader for each region, and forgets the regions that are no longer the account's, whichever
    /// task read them: an account that is edited is read by a new one.
    fn read_regions(self: &Arc<Self>, session: &Session, readers: &mut Tasks<Place>) {
        let account = session.account_id();
        let mut state = self.state();
        state
            .accounts
            .insert(account.to_owned(), Ok(session.regions().to_vec()));
        let places: Vec<Place> = session
            .regions()
            .iter()
            .map(|region| Place::new(account, region.clone()))
            .collect();
        readers.keep(|place| places.contains(place));
        // Who waits for a region that the account does not have, or has something there, learns so now.
        let elsewhere: BTreeSet<Place> = state
            .waiting
            .keys()
            .chain(state.places.keys())
            .filter(|place| place.account == account && !places.contains(place))
            .cloned()
            .collect();
        for place in elsewhere {
            let concerned = state.concerned(&place);
            self.changes.add(concerned);
            state.places.remove(&place);
        }
        for place in &places {
            let window = self.settings.consistency_window;
            let known = state
                .places
                .entry(place.clone())
                .or_insert_with(|| PlaceState::new(place, window));
            if !readers.running.contains_key(place) {
                known.read_by(self.clock.now());
                readers.start(place, Arc::clone(self).read_place(place.clone()));
            }
        }
    }

    /// Makes every place of an account unreadable.
    fn close(&self, account: &str, unreadable: &Unreadable) {
        let mut state = self.state();
        let before = state
            .accounts
            .insert(account.to_owned(), Err(unreadable.clone()));
        if before
            .is_some_and(|before| before.is_err_and(|before| before.reason == unreadable.reason))
        {
            return;
        }
        tracing::warn!(
            account,
            reason = unreadable.reason.name,
            message = unreadable.message,
            "cannot be opened"
        );
        let mut places: Vec<Place> = state
            .waiting
            .keys()
            .chain(state.places.keys())
            .cloned()
            .collect();
        places.retain(|place| place.account == account);
        for place in places {
            if let Some(known) = state.places.get_mut(&place) {
                known.readable = Err(unreadable.clone());
            }
            let concerned = state.concerned(&place);
            self.changes.add(concerned);
        }
    }
}

fn no_longer_wanted(account: &str) -> Unreadable {
    Unreadable {
        reason: conditions::ACCOUNT_NOT_FOUND,
        message: format!("there is no AwsAccount for account {account} any more: create one"),
    }
}
