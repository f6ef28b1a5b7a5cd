//! The parameters of Systems Manager that name an object's published images: those that carry its tags, and whatever has
//! the name that its spec says. Read before one is changed, and else once in an interval, since somebody else may.
//!
//! No call lists values and tags together: `DescribeParameters` finds names by tags, `GetParameters` gives values, and
//! `ListTagsForResource` the tags of one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, tag};
use amity_core::image::observed::Unreadable;
use amity_core::image::parameters::{Parameter, Parameters, ParametersView, Put};
use amity_core::image::plan::When;
use amity_core::image::plan::step::Action;
use amity_core::image::tags::Tags;
use aws_sdk_ssm::Client as Ssm;
use aws_sdk_ssm::types::{ParameterStringFilter, ResourceTypeForTagging};
use jiff::{SignedDuration, Timestamp};

use super::Inventory;
use super::read::Pages;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::effect::Answer;
use crate::aws::error::Failure;

const BY_TAGS: &str = "DescribeParameters";
const VALUES: &str = "GetParameters";
const TAGS: &str = "ListTagsForResource";

/// As many names as one `GetParameters` takes.
const MOST_NAMES: usize = 10;

/// How old what is known may be where it has to be known now.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// How long a failure is remembered.
const FAILURE_FRESH: SignedDuration = SignedDuration::from_mins(1);

/// Whose parameters are asked for, and under which name one shall be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Query {
    pub(super) place: Place,
    pub(super) object: String,
    pub(super) name: Option<String>,
}

impl Query {
    pub(super) fn of(desired: &Desired, place: &Place) -> Self {
        let wanted = desired.parameter.as_ref();
        Self {
            place: place.clone(),
            object: desired.identity.object.clone(),
            name: wanted.map(|wanted| wanted.name.clone()),
        }
    }
}

/// What was read and what was put, by place and object.
#[derive(Debug, Default)]
pub(super) struct ParametersRead(Mutex<BTreeMap<(Place, String), Entry>>);

#[derive(Debug, Default)]
struct Entry {
    read: Option<Read>,
    /// When one was put last, whatever came of it.
    last_put: Option<Timestamp>,
    /// The value that was put last, until it shows.
    awaited: Option<Put>,
}

/// What came of one reading.
#[derive(Debug)]
struct Read {
    name: Option<String>,
    view: ParametersView,
    /// When it had been read.
    at: Timestamp,
    /// Until when it is believed.
    until: Timestamp,
}

impl ParametersRead {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Place, String), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object is gone from the cluster.
    pub(super) fn forget(&self, object: &str) {
        self.lock().retain(|(_, of), _| of != object);
    }

    /// One is about to be put. It counts from now on, even if the answer is lost.
    pub(super) fn will_put(&self, place: &Place, object: &str, now: Timestamp) {
        let mut all = self.lock();
        let entry = all.entry((place.clone(), object.to_owned())).or_default();
        entry.last_put = Some(now);
    }

    /// What was written: a value is read back, since that it was answered says nothing; what was removed or tagged is so.
    pub(super) fn wrote(
        &self,
        place: &Place,
        object: &str,
        action: &Action,
        result: &Result<Answer, Failure>,
        now: Timestamp,
    ) {
        let mut all = self.lock();
        let Some(entry) = all.get_mut(&(place.clone(), object.to_owned())) else {
            return;
        };
        match (action, result) {
            (Action::PutParameter { name, image, .. }, Ok(Answer::Changed)) => {
                entry.last_put = Some(now);
                entry.awaited = Some(Put {
                    name: name.clone(),
                    value: image.clone(),
                    at: now,
                });
                entry.read = None;
            }
            (Action::DeleteParameter { name }, Ok(_)) => {
                if let Some(known) = entry.known() {
                    known.all.remove(name);
                }
            }
            (Action::TagParameter { name, tags }, Ok(_)) => {
                if let Some(known) = entry.known()
                    && let Some(parameter) = known.all.get_mut(name)
                {
                    parameter.tags.extend(tags.clone());
                }
            }
            _ => entry.read = None,
        }
    }
}

impl Entry {
    fn known(&mut self) -> Option<&mut Parameters> {
        match &mut self.read.as_mut()?.view {
            ParametersView::Known(known) => Some(known),
            ParametersView::Unknown(_) => None,
        }
    }

    fn read_of(&self, query: &Query, now: Timestamp) -> Option<&Read> {
        let read = self.read.as_ref();
        read.filter(|read| read.name == query.name && now < read.until)
    }

    fn is_fresh(&self, query: &Query, when: When, now: Timestamp) -> bool {
        self.read_of(query, now).is_some_and(|read| {
            let is_unknown = matches!(read.view, ParametersView::Unknown(_));
            when == When::InTurn || is_unknown || now.duration_since(read.at) < FRESH
        })
    }
}

impl Inventory {
    /// Whether a place's parameters are known, or need not be before their turn comes.
    pub(super) fn knows_parameters(&self, query: &Query, when: When) -> bool {
        let now = self.clock.now();
        let key = (query.place.clone(), query.object.clone());
        let is_fresh = || {
            let all = self.parameters.lock();
            all.get(&key)
                .is_some_and(|entry| entry.is_fresh(query, when, now))
        };
        let is_closed = || {
            let mut state = self.state();
            state.why_unreadable(&query.place, &query.object).is_some()
        };
        is_fresh() || is_closed() || when == When::InTurn && now < self.first_turn(&key)
    }

    /// What was read, unless that is too long ago, with what was put since.
    pub(super) fn known_parameters(&self, query: &Query) -> Option<ParametersView> {
        let closed = self.state().why_unreadable(&query.place, &query.object);
        if let Some(unreadable) = closed {
            return Some(ParametersView::Unknown(unreadable));
        }
        let started = self.state().started;
        let all = self.parameters.lock();
        let entry = all.get(&(query.place.clone(), query.object.clone()))?;
        let mut view = entry.read_of(query, self.clock.now())?.view.clone();
        if let ParametersView::Known(known) = &mut view {
            known.awaited.clone_from(&entry.awaited);
            known.last_put = entry.last_put.map_or(started, |put| put.max(started));
        }
        Some(view)
    }

    /// Reads the parameters of an object in a place, and remembers what came of it.
    pub(super) async fn read_parameters(&self, query: &Query) {
        let at = self.clock.now();
        let answer = self.ask_for_parameters(query).await;
        let now = self.clock.now();
        let mut all = self.parameters.lock();
        let key = (query.place.clone(), query.object.clone());
        let entry = all.entry(key).or_default();
        // What was put meanwhile may be missing from it.
        if entry.last_put.is_some_and(|put| put > at) {
            return;
        }
        let (view, fresh) = match answer {
            Ok(all) => {
                let shows = |put: &Put| {
                    all.get(&put.name)
                        .is_some_and(|shown| shown.value == put.value)
                };
                if entry.awaited.as_ref().is_some_and(shows) {
                    entry.awaited = None;
                }
                let known = Parameters {
                    all,
                    as_of: at,
                    read_at: now,
                    ..Parameters::default()
                };
                let interval = self.settings.permissions_interval;
                (ParametersView::Known(known), interval)
            }
            Err(unreadable) => (ParametersView::Unknown(unreadable), FAILURE_FRESH),
        };
        entry.read = Some(Read {
            name: query.name.clone(),
            view,
            at: now,
            until: now + fresh,
        });
    }

    async fn ask_for_parameters(
        &self,
        query: &Query,
    ) -> Result<BTreeMap<String, Parameter>, Unreadable> {
        let place = &query.place;
        let session = self
            .sessions
            .proven(&place.account)
            .ok_or_else(|| self.why_closed(place))?;
        let (ssm, calls) = (session.ssm(&place.region), self.sessions.calls());
        let unreadable = |action| move |failure: Failure| failure.unreadable(action, place);
        let found = names_of(&ssm, calls, &self.owner, &query.object);
        let mut names = self
            .in_turn(place, BY_TAGS, found)
            .await?
            .map_err(unreadable(BY_TAGS))?;
        names.extend(query.name.clone());
        let names: Vec<_> = names.into_iter().collect();
        let mut all = BTreeMap::new();
        for names in names.chunks(MOST_NAMES) {
            let values = self.in_turn(place, VALUES, values_of(&ssm, calls, names));
            let values = values.await?.map_err(unreadable(VALUES))?;
            for (name, value, data_type) in values {
                let tags = self.in_turn(place, TAGS, tags_of(&ssm, calls, &name));
                // It may be gone by now.
                let Some(tags) = tags.await?.map_err(unreadable(TAGS))? else {
                    continue;
                };
                let parameter = Parameter {
                    value,
                    data_type,
                    tags,
                };
                all.insert(name, parameter);
            }
        }
        Ok(all)
    }
}

/// The names of the parameters that carry the object's tags.
async fn names_of(
    ssm: &Ssm,
    calls: &EC2Calls,
    owner: &str,
    object: &str,
) -> Result<BTreeSet<String>, Failure> {
    if owner.is_empty() || object.is_empty() {
        return Err(Failure::ours("there is no object to ask for"));
    }
    let mut filters = Vec::new();
    for (key, value) in [(tag::OWNER, owner), (tag::OBJECT, object)] {
        let filter = ParameterStringFilter::builder()
            .key(format!("tag:{key}"))
            .option("Equals")
            .values(value)
            .build()
            .map_err(|error| Failure::ours(error.to_string()))?;
        filters.push(filter);
    }
    let mut names = BTreeSet::new();
    let mut pages = Pages::default();
    loop {
        let request = ssm
            .describe_parameters()
            .set_parameter_filters(Some(filters.clone()))
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, BY_TAGS, || request.clone().send()).await?;
        let shown = page.parameters().iter().filter_map(|one| one.name());
        names.extend(shown.map(str::to_owned));
        if pages.is_last(page.next_token())? {
            return Ok(names);
        }
    }
}

/// Name, value and data type of those that are there.
async fn values_of(
    ssm: &Ssm,
    calls: &EC2Calls,
    names: &[String],
) -> Result<Vec<(String, String, String)>, Failure> {
    let request = ssm.get_parameters().set_names(Some(names.to_vec()));
    let answer = calls::read(calls, VALUES, || request.clone().send()).await?;
    let told = answer.parameters().len() + answer.invalid_parameters().len();
    if told != names.len() {
        return Err(Failure::unknown(format!(
            "Systems Manager's answer is broken: it tells of {told} of {} parameters",
            names.len()
        )));
    }
    let whole = answer.parameters().iter().map(|one| {
        let (name, value) = one.name().zip(one.value())?;
        let data_type = one.data_type().unwrap_or("text");
        Some((name.to_owned(), value.to_owned(), data_type.to_owned()))
    });
    whole
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::unknown("Systems Manager's answer is broken: half a parameter"))
}

/// The tags of a parameter, if it is there.
async fn tags_of(ssm: &Ssm, calls: &EC2Calls, name: &str) -> Result<Option<Tags>, Failure> {
    let request = ssm
        .list_tags_for_resource()
        .resource_type(ResourceTypeForTagging::Parameter)
        .resource_id(name);
    match calls::read(calls, TAGS, || request.clone().send()).await {
        Ok(answer) => {
            let tags = answer.tag_list().iter();
            let pairs = tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
            Ok(Some(pairs.collect()))
        }
        Err(failure) if failure.is_not_there() => Ok(None),
        Err(failure) => Err(failure),
    }
}
