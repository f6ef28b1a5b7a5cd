//! Sources are read beside the reconciles that ask for them: one that waited for a region in trouble would
//! keep other objects from their turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, Reference};
use amity_core::image::observed::{SourceView, Unreadable};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};

use super::Inventory;

/// How long a reconcile waits for EC2's answer. Usually it comes within that.
const A_MOMENT: Duration = Duration::from_millis(500);

/// The sources that are asked for and not read yet.
#[derive(Debug, Default)]
pub(super) struct Asked {
    sources: Mutex<BTreeMap<Key, Question>>,
    new: Notify,
}

/// Where it is asked, and for what.
type Key = (Place, Reference);

#[derive(Debug)]
struct Question {
    /// The spec that names the source, until somebody reads it.
    unread: Option<Desired>,
    answer: watch::Sender<Option<SourceView>>,
    /// The objects that no longer wait for the answer, but are to be woken by it.
    objects: BTreeSet<String>,
}

impl Inventory {
    /// The source of a spec, if EC2 tells it within a moment. If not, it is not read yet, and the object is
    /// woken when it is. A place that cannot be read is not asked: its reader has found out already.
    pub(super) async fn source_in_a_moment(&self, desired: &Desired) -> SourceView {
        let place = desired.origin_place();
        if let Some(unreadable) = self.why_unreadable(&place) {
            return SourceView::Unreadable(unreadable);
        }
        let key = (place, desired.origin.clone());
        let mut answer = self.asked.ask(&key, desired);
        match tokio::time::timeout(A_MOMENT, answer.wait_for(Option::is_some)).await {
            Ok(Ok(view)) => view.clone().unwrap_or(SourceView::NotRead),
            _ => {
                self.asked.wake(&key, &desired.identity.object);
                SourceView::NotRead
            }
        }
    }

    /// Reads what is asked for, for ever.
    pub(super) async fn read_sources(&self) {
        let mut reading = FuturesUnordered::new();
        loop {
            for (key, desired) in self.asked.unread() {
                reading.push(async move { (key, self.source(&desired).await) });
            }
            tokio::select! {
                biased;
                Some((key, view)) = reading.next() => self.changes.add(self.asked.answered(&key, view)),
                () = self.asked.new.notified() => {}
            }
        }
    }

    fn why_unreadable(&self, place: &Place) -> Option<Unreadable> {
        let state = self.state();
        state.places.get(place)?.readable.clone().err()
    }
}

impl Asked {
    fn ask(&self, key: &Key, desired: &Desired) -> watch::Receiver<Option<SourceView>> {
        let mut sources = self.sources();
        let question = sources.entry(key.clone()).or_insert_with(|| {
            self.new.notify_one();
            Question {
                unread: Some(desired.clone()),
                answer: watch::Sender::default(),
                objects: BTreeSet::new(),
            }
        });
        question.answer.subscribe()
    }

    fn wake(&self, key: &Key, object: &str) {
        if let Some(question) = self.sources().get_mut(key) {
            question.objects.insert(object.to_owned());
        }
    }

    fn unread(&self) -> Vec<(Key, Desired)> {
        let mut sources = self.sources();
        let unread = sources
            .iter_mut()
            .filter_map(|(key, question)| Some((key.clone(), question.unread.take()?)));
        unread.collect()
    }

    /// Gives the objects to wake.
    fn answered(&self, key: &Key, view: SourceView) -> BTreeSet<String> {
        let question = self.sources().remove(key);
        question.map_or_else(BTreeSet::new, |question| {
            question.answer.send_replace(Some(view));
            question.objects
        })
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<Key, Question>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
