//! What is read for one object is read beside the reconcile that asks for it: its source, who uses its images and who else
//! may, what launches fast, its parameters, what it is to take over or has lost, how its copies would be encrypted. A reconcile that waited for
//! a region in trouble would keep other objects from their turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amity_core::image::desired::Desired;
use amity_core::image::fast_launch::FastLaunchView;
use amity_core::image::identity::Place;
use amity_core::image::machines::MachinesView;
use amity_core::image::observed::{AdoptionView, EbsDefaults, SourceView, Usage, UsageReport};
use amity_core::image::parameters::ParametersView;
use amity_core::image::permissions::Permissions;
use amity_core::image::plan::{SourceQuery, When};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};

use super::Inventory;
use super::parameters::Query;
use super::recycle_bin::Binned;

/// How long a reconcile waits for EC2's answer. Usually it comes within that.
const A_MOMENT: Duration = Duration::from_millis(500);

/// What is asked of EC2, where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// What a source looks like.
    Source(Place, SourceQuery),
    /// An image that is to be taken over.
    Adoption(Place, String),
    /// Whether the Recycle Bin has an image, and which of these snapshots.
    RecycleBin(Place, String, Vec<String>),
    /// How copies to a place are encrypted by default.
    EbsDefaults(Place),
    /// Who uses these images.
    Usage(Place, Vec<String>),
    /// What the newest report says of the other accounts that use an image.
    UsageReport(Place, String),
    /// Who else may use an image or snapshot.
    Permissions(Place, String),
    /// Which images of a place launch fast.
    FastLaunches(Place),
    /// The machines of an object in a place.
    Machines(Place, String),
    /// The parameters of an object in a place.
    Parameters(Query),
}

/// The questions that are not answered yet. The answers are where they are remembered.
#[derive(Debug, Default)]
pub(super) struct Asked {
    questions: Mutex<BTreeMap<Question, Waiting>>,
    new: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whether it is being read.
    taken: bool,
    answered: watch::Sender<bool>,
    /// The objects that no longer wait for the answer, but are to be woken by it.
    objects: BTreeSet<String>,
}

impl Inventory {
    /// A source, if EC2 tells of it within a moment. If not, it is not read yet, and the object is woken when it
    /// is. A place that cannot be read is not asked: its reader has found out already.
    pub(super) async fn source_in_a_moment(
        &self,
        place: &Place,
        query: &SourceQuery,
        object: &str,
    ) -> SourceView {
        if let Some(view) = self.remembered_source(place, query) {
            return view;
        }
        if let Some(unreadable) = self.state().why_unreadable(place, object) {
            return SourceView::Unreadable(unreadable);
        }
        let question = Question::Source(place.clone(), query.clone());
        self.asked.wait_a_moment(question, object).await;
        self.remembered_source(place, query)
            .unwrap_or(SourceView::NotRead)
    }

    /// The images that are to be taken over, as far as EC2 tells of them within a moment; the object is woken by the rest.
    pub(super) async fn adoptions_in_a_moment(
        &self,
        images: &BTreeSet<(Place, String)>,
        object: &str,
    ) -> BTreeMap<(Place, String), AdoptionView> {
        let known = |image: &_| self.known_adoption(image, object);
        let unknown = images.iter().filter(|image| known(image).is_none());
        let questions = unknown.map(|(place, id)| Question::Adoption(place.clone(), id.clone()));
        self.asked.all_in_a_moment(questions, object).await;
        told(images, known)
    }

    /// The lost images that the Recycle Bin keeps, as far as EC2 tells within a moment; the object is woken by the rest.
    pub(super) async fn recycled_in_a_moment(
        &self,
        lost: &BTreeMap<(Place, String), Vec<String>>,
        object: &str,
    ) -> BTreeMap<(Place, String), Vec<String>> {
        let unknown = lost
            .iter()
            .filter(|(image, _)| self.known_in_recycle_bin(image).is_none());
        let questions = unknown.map(|((place, id), snapshots)| {
            Question::RecycleBin(place.clone(), id.clone(), snapshots.clone())
        });
        self.asked.all_in_a_moment(questions, object).await;
        told(lost.keys(), |image| {
            match self.known_in_recycle_bin(image)? {
                Binned::Image(snapshots) => Some(snapshots),
                Binned::Nothing => None,
            }
        })
    }

    /// How copies to these places are encrypted by default, as far as EC2 tells within a moment; the object is woken by the
    /// rest.
    pub(super) async fn ebs_defaults_in_a_moment(
        &self,
        places: &BTreeSet<Place>,
        object: &str,
    ) -> BTreeMap<Place, EbsDefaults> {
        let known = |place: &_| self.known_ebs_defaults(place, object);
        let unknown = places.iter().filter(|place| known(place).is_none());
        let questions = unknown.map(|place| Question::EbsDefaults(place.clone()));
        self.asked.all_in_a_moment(questions, object).await;
        told(places, known)
    }

    /// Who uses these images, as far as EC2 tells within a moment; the object is woken by the rest. Until then what was
    /// used counts as used. A place that cannot be read is not asked here either: there everything does.
    pub(super) async fn usage_in_a_moment(
        &self,
        images: &BTreeSet<(Place, String)>,
        object: &str,
    ) -> BTreeMap<(Place, String), Usage> {
        let known = |(place, id): &(Place, String)| self.known_usage(place, id, object);
        let mut unknown: BTreeMap<&Place, Vec<String>> = BTreeMap::new();
        for (place, id) in images.iter().filter(|image| known(image).is_none()) {
            unknown.entry(place).or_default().push(id.clone());
        }
        let questions = unknown
            .into_iter()
            .map(|(place, ids)| Question::Usage(place.clone(), ids));
        self.asked.all_in_a_moment(questions, object).await;
        let last = |image: &_| self.usages.last(image).filter(Usage::is_use);
        told(images, |image| known(image).or_else(|| last(image)))
    }

    /// Which other accounts use these images, as far as EC2 tells within a moment; the object is woken by the rest. Until
    /// then what was used counts as used.
    pub(super) async fn usage_reports_in_a_moment(
        &self,
        images: &BTreeSet<(Place, String)>,
        object: &str,
    ) -> BTreeMap<(Place, String), UsageReport> {
        let known = |image: &_| self.known_usage_report(image, object);
        let unknown = images.iter().filter(|image| known(image).is_none());
        let questions = unknown.map(|(place, id)| Question::UsageReport(place.clone(), id.clone()));
        self.asked.all_in_a_moment(questions, object).await;
        let last = |image: &_| {
            self.usage_reports
                .last(image)
                .filter(UsageReport::tells_of_use)
        };
        told(images, |image| known(image).or_else(|| last(image)))
    }

    /// Who else may use these images and snapshots, as far as it is their turn and EC2 tells within a moment; the object
    /// is woken by the rest.
    pub(super) async fn permissions_in_a_moment(
        &self,
        permissions: &BTreeMap<(Place, String), When>,
        object: &str,
    ) -> BTreeMap<(Place, String), Permissions> {
        let unknown = permissions
            .iter()
            .filter(|(key, when)| !self.knows_permissions(key, **when, object));
        let questions =
            unknown.map(|((place, id), _)| Question::Permissions(place.clone(), id.clone()));
        self.asked.all_in_a_moment(questions, object).await;
        told(permissions.keys(), |key| {
            self.known_permissions(key, object)
        })
    }

    /// What launches fast in these places, as far as it is their turn and EC2 tells within a moment; the object is woken by
    /// the rest.
    pub(super) async fn fast_launches_in_a_moment(
        &self,
        places: &BTreeMap<Place, When>,
        object: &str,
    ) -> BTreeMap<Place, FastLaunchView> {
        let unknown = places
            .iter()
            .filter(|(place, when)| !self.knows_fast_launches(place, **when, object));
        let questions = unknown.map(|(place, _)| Question::FastLaunches(place.clone()));
        self.asked.all_in_a_moment(questions, object).await;
        told(places.keys(), |place| {
            self.known_fast_launches(place, object)
        })
    }

    /// The object's machines in these places, as far as it is their turn and EC2 tells within a moment; the object is woken
    /// by the rest.
    pub(super) async fn machines_in_a_moment(
        &self,
        places: &BTreeMap<Place, When>,
        object: &str,
    ) -> BTreeMap<Place, MachinesView> {
        let unknown = places
            .iter()
            .filter(|(place, when)| !self.knows_machines(place, **when, object));
        let questions =
            unknown.map(|(place, _)| Question::Machines(place.clone(), object.to_owned()));
        self.asked.all_in_a_moment(questions, object).await;
        told(places.keys(), |place| self.known_machines(place, object))
    }

    /// The object's parameters in these places, as far as it is their turn and Systems Manager tells within a moment; the
    /// object is woken by the rest.
    pub(super) async fn parameters_in_a_moment(
        &self,
        places: &BTreeMap<Place, When>,
        desired: &Desired,
    ) -> BTreeMap<Place, ParametersView> {
        let query = |place: &Place| Query::of(desired, place);
        let unknown = places
            .iter()
            .filter(|(place, when)| !self.knows_parameters(&query(place), **when));
        let questions = unknown.map(|(place, _)| Question::Parameters(query(place)));
        let object = &desired.identity.object;
        self.asked.all_in_a_moment(questions, object).await;
        told(places.keys(), |place| self.known_parameters(&query(place)))
    }

    /// Reads what is asked for, for ever.
    pub(super) async fn answer_questions(&self) {
        self.asked.nobody_reads();
        let mut reading = FuturesUnordered::new();
        loop {
            for question in self.asked.untaken() {
                reading.push(async move {
                    self.read_answer(&question).await;
                    question
                });
            }
            tokio::select! {
                biased;
                Some(question) = reading.next() => self.changes.add(self.asked.answered(&question)),
                () = self.asked.new.notified() => {}
            }
        }
    }

    async fn read_answer(&self, question: &Question) {
        match question {
            Question::Source(place, query) => self.read_source(place, query).await,
            Question::Adoption(place, id) => self.read_adoption(place, id).await,
            Question::RecycleBin(place, id, snapshots) => {
                self.read_recycle_bin(place, id, snapshots).await;
            }
            Question::EbsDefaults(place) => self.read_ebs_defaults(place).await,
            Question::Usage(place, ids) => self.read_usage(place, ids).await,
            Question::UsageReport(place, id) => self.read_usage_report(place, id).await,
            Question::Permissions(place, id) => self.read_permissions(place, id).await,
            Question::FastLaunches(place) => self.read_fast_launches(place).await,
            Question::Machines(place, object) => self.read_machines(place, object).await,
            Question::Parameters(query) => self.read_parameters(query).await,
        }
    }

    fn known_usage(&self, place: &Place, id: &str, object: &str) -> Option<Usage> {
        let unreadable = self.state().why_unreadable(place, object);
        let unreadable = unreadable.map(Usage::Unknown);
        unreadable.or_else(|| self.remembered_usage(place, id))
    }
}

/// The answers that are known.
fn told<'a, K: Clone + Ord + 'a, V>(
    asked: impl IntoIterator<Item = &'a K>,
    known: impl Fn(&K) -> Option<V>,
) -> BTreeMap<K, V> {
    let asked = asked.into_iter();
    asked
        .filter_map(|key| Some((key.clone(), known(key)?)))
        .collect()
}

impl Asked {
    /// Asks all of them at once.
    async fn all_in_a_moment(&self, questions: impl Iterator<Item = Question>, object: &str) {
        futures::future::join_all(questions.map(|question| self.wait_a_moment(question, object)))
            .await;
    }

    /// Asks, unless it is asked already, and waits a moment for the answer.
    async fn wait_a_moment(&self, question: Question, object: &str) {
        let mut answered = self
            .questions()
            .entry(question.clone())
            .or_insert_with(|| {
                self.new.notify_one();
                Waiting::default()
            })
            .answered
            .subscribe();
        let answer = tokio::time::timeout(A_MOMENT, answered.wait_for(|is| *is)).await;
        if answer.is_err()
            && let Some(waiting) = self.questions().get_mut(&question)
        {
            waiting.objects.insert(object.to_owned());
        }
    }

    /// What was being read when an earlier run was dropped is still to be read.
    fn nobody_reads(&self) {
        for waiting in self.questions().values_mut() {
            waiting.taken = false;
        }
    }

    fn untaken(&self) -> Vec<Question> {
        let mut questions = self.questions();
        let untaken = questions.iter_mut().filter(|(_, waiting)| !waiting.taken);
        untaken
            .map(|(question, waiting)| {
                waiting.taken = true;
                question.clone()
            })
            .collect()
    }

    /// Gives the objects to wake.
    fn answered(&self, question: &Question) -> BTreeSet<String> {
        let waiting = self.questions().remove(question);
        waiting.map_or_else(BTreeSet::new, |waiting| {
            waiting.answered.send_replace(true);
            waiting.objects
        })
    }

    fn questions(&self) -> MutexGuard<'_, BTreeMap<Question, Waiting>> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
