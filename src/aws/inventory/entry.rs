//! One image or snapshot of a place, and what is known of it besides what EC2 listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use amity_core::image::attributes::{AttributeChange, Attributes};
use amity_core::image::identity::tag;
use amity_core::image::observed::{Image, Snapshot};
use amity_core::image::tags::Tags;
use jiff::{SignedDuration, Timestamp};

use super::pace;

/// What carries tags.
pub(super) trait Tagged: Clone + PartialEq {
    /// Its tags.
    fn tags(&self) -> &Tags;

    /// What else of it may change; snapshots have nothing.
    fn attributes(&self) -> Arc<Attributes> {
        Arc::default()
    }
}

impl Tagged for Image {
    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn attributes(&self) -> Arc<Attributes> {
        Arc::clone(&self.attributes)
    }
}

impl Tagged for Snapshot {
    fn tags(&self) -> &Tags {
        &self.tags
    }
}

/// An image or snapshot as it was last listed, or as the answer to our own call told.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    /// As it was last listed.
    pub(super) item: T,
    /// Since when it is known.
    since: Timestamp,
    /// Whether a list ever showed it.
    listed: bool,
    /// In a box, since most of tens of thousands are as they were listed.
    news: Option<Box<News>>,
}

/// What is known of something besides what was listed.
#[derive(Clone, Debug, Default)]
struct News {
    /// The end of the first reading that lacked it.
    missing_since: Option<Timestamp>,
    /// Tags that were written or, with `None`, deleted, and when: for a window, after which no list lags behind it.
    written: BTreeMap<String, (Option<String>, Timestamp)>,
    /// Attributes that were changed, and when, for as long.
    changed: Vec<(AttributeChange, Timestamp)>,
    /// Whether a list agreed with all of that. The next one may lag behind again.
    agreed: bool,
    /// How far it was, and since when; nowhere since it is known, if it never moved.
    progress: Option<(Option<u8>, Timestamp)>,
}

impl News {
    /// Whether lists have yet to agree with it.
    fn is_unsettled(&self) -> bool {
        self.missing_since.is_some() || !self.agreed && self.last_write().is_some()
    }

    /// When something was written last of what lists may yet lag behind.
    fn last_write(&self) -> Option<Timestamp> {
        let changed = self.changed.iter().map(|(_, at)| *at);
        self.written
            .values()
            .map(|(_, at)| *at)
            .chain(changed)
            .max()
    }

    /// Whether there is nothing to remember.
    fn is_over(&self) -> bool {
        self.missing_since.is_none() && self.last_write().is_none() && self.progress.is_none()
    }
}

/// The memory of something that was deregistered or deleted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grave {
    since: Timestamp,
    /// When a list last showed it nevertheless.
    pub(super) last_listed: Timestamp,
}

impl<T: Tagged> Entry<T> {
    /// Our own call's answer tells of it.
    pub(super) fn told(item: T, now: Timestamp) -> Self {
        Self {
            item,
            since: now,
            listed: false,
            news: None,
        }
    }

    /// A list shows it.
    pub(super) fn found(item: T, now: Timestamp) -> Self {
        Self {
            listed: true,
            ..Self::told(item, now)
        }
    }

    /// A list shows it again: gives whether anything of it is, or was to be, otherwise than before. What was written
    /// stays until a list that cannot lag behind it: one that agrees may be followed by one that does not yet.
    pub(super) fn listed(&mut self, item: T, started: Timestamp, window: SignedDuration) -> bool {
        let item = if self.is_known_better(&item, started, window) {
            self.item.clone()
        } else {
            item
        };
        let was_unsettled = self.is_unsettled();
        let looked = self
            .news
            .is_some()
            .then(|| (self.tags(), self.attributes()));
        if let Some(news) = &mut self.news {
            let shown = item.attributes();
            let mut written = news.written.iter();
            let mut changed = news.changed.iter();
            news.agreed |= news.last_write().is_none_or(|at| started >= at)
                && written.all(|(key, (value, _))| item.tags().get(key) == value.as_deref())
                && changed.all(|(change, _)| shown.show(change));
            news.written.retain(|_, (_, at)| started < *at + window);
            news.changed.retain(|(_, at)| started < *at + window);
            news.missing_since = None;
        }
        self.news.take_if(|news| news.is_over());
        // What was read anew and is the same is dropped: tens of thousands that change places in memory leave gaps in it.
        let is_otherwise = self.item != item;
        if is_otherwise {
            self.item = item;
        }
        self.listed = true;
        let looks_otherwise = looked.is_some_and(|(tags, attributes)| {
            tags != self.tags() || attributes != self.attributes()
        });
        was_unsettled || is_otherwise || looks_otherwise
    }

    /// Whether a list shows it as it was before it was sealed, by an earlier process perhaps: a seal that was seen stays.
    fn is_known_better(&self, item: &T, started: Timestamp, window: SignedDuration) -> bool {
        let is_sealed = |item: &T| item.tags().contains_key(tag::SELF);
        started < self.since + window && is_sealed(&self.item) && !is_sealed(item)
    }

    /// Whether a list would show that what was written need not be remembered any more.
    pub(super) fn can_be_forgotten(&self, now: Timestamp, window: SignedDuration) -> bool {
        let last_write = self.news.as_ref().and_then(|news| news.last_write());
        last_write.is_some_and(|at| now >= at + window)
    }

    /// A list lacks it.
    pub(super) fn not_listed(&mut self, ended: Timestamp) {
        if self.listed {
            self.news_mut().missing_since.get_or_insert(ended);
        }
    }

    /// Whether a list that began at `started` and lacks it proves that it is gone.
    pub(super) fn is_gone(&self, started: Timestamp, window: SignedDuration) -> bool {
        started >= self.missing_since().unwrap_or(self.since) + window
    }

    /// Since when lists lack it, if they did not always.
    pub(super) fn missing_since(&self) -> Option<Timestamp> {
        self.news.as_ref()?.missing_since
    }

    /// It is there again as it was, which lists show later.
    pub(super) fn restored(&mut self, now: Timestamp) {
        self.news_mut().missing_since = None;
        self.since = now;
        self.listed = false;
    }

    fn news_mut(&mut self) -> &mut News {
        self.news.get_or_insert_default()
    }

    /// Tags were written or deleted. The others are kept as they were seen then: a list that lags behind may show
    /// them as they were before, and together with what was written that would be a state that never was.
    pub(super) fn tagged(&mut self, written: &[(String, Option<String>)], now: Timestamp) {
        let before = self.tags().to_map();
        let news = self.news_mut();
        news.agreed = false;
        for (key, value) in before {
            news.written.entry(key).or_insert((Some(value), now));
        }
        news.written.extend(
            written
                .iter()
                .map(|(key, value)| (key.clone(), (value.clone(), now))),
        );
    }

    /// An attribute was changed.
    pub(super) fn changed(&mut self, change: &AttributeChange, now: Timestamp) {
        let news = self.news_mut();
        news.agreed = false;
        news.changed.push((change.clone(), now));
    }

    /// The attributes, with what was changed laid over what was listed.
    pub(super) fn attributes(&self) -> Arc<Attributes> {
        let mut attributes = self.item.attributes();
        for (change, at) in self.news.iter().flat_map(|news| &news.changed) {
            Arc::make_mut(&mut attributes).apply(change, *at);
        }
        attributes
    }

    /// A tag, with what was written laid over what was listed.
    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        let written = self.news.as_ref().and_then(|news| news.written.get(key));
        match written {
            Some((value, _)) => value.as_deref(),
            None => self.item.tags().get(key),
        }
    }

    /// The tags, with what was written laid over what was listed.
    pub(super) fn tags(&self) -> Tags {
        let Some(news) = self.news.as_ref().filter(|news| !news.written.is_empty()) else {
            return self.item.tags().clone();
        };
        let mut tags = self.item.tags().to_map();
        for (key, (value, _)) in &news.written {
            match value {
                Some(value) => tags.insert(key.clone(), value.clone()),
                None => tags.remove(key),
            };
        }
        tags.into()
    }

    /// Whether lists have yet to agree with what we know.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.listed || self.news.as_ref().is_some_and(|news| news.is_unsettled())
    }

    /// How far it was, and since when.
    fn progress(&self) -> (Option<u8>, Timestamp) {
        let noted = self.news.as_ref().and_then(|news| news.progress);
        noted.unwrap_or((None, self.since))
    }

    /// Notes how far it is, which is asked only of what is pending.
    pub(super) fn moved(&mut self, progress: Option<u8>, now: Timestamp) {
        if self.progress().0 != progress {
            self.news_mut().progress = Some((progress, now));
        }
    }

    /// Since when it is known.
    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    /// How long until a reading could show something new of it, which has been pending since
    /// `pending` if it is.
    pub(super) fn next_change(
        &self,
        pending: Option<Timestamp>,
        now: Timestamp,
        window: SignedDuration,
    ) -> Option<SignedDuration> {
        let unsettled_since = [(!self.listed).then_some(self.since), self.missing_since()];
        let settles = unsettled_since
            .into_iter()
            .flatten()
            .map(|since| pace::until_settled(since, now, window));
        let awaited = self.news.as_ref().filter(|news| !news.agreed);
        let tagged = awaited.and_then(|news| news.last_write());
        let tagged = tagged.map(|since| pace::until_tagged(since, now, window));
        let (progress, moved) = self.progress();
        let ends = pending.map(|since| pace::until_done(since, progress, moved, now));
        settles.chain(tagged).chain(ends).min()
    }
}

impl Grave {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            last_listed: now,
        }
    }

    /// Until when it is hidden: a window after it was last listed. After two windows, though, a list that
    /// still shows it is right: it was restored from the Recycle Bin.
    pub(super) fn until(&self, window: SignedDuration) -> Timestamp {
        (self.last_listed + window).min(self.since + window + window)
    }
}
