//! Watches: what is told, in which order, and when a stream ends.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::kubernetes::Kubernetes;
use crate::object::{Object, View};
use crate::query::Query;
use crate::refusal::Refusal;
use crate::resources::Resource;
use crate::selection::Selection;
use crate::state::{Change, Collection, State};

/// How long a watch lasts that does not say it. The real server draws a time from this to twice as much.
const LASTS: Duration = Duration::from_mins(30);

/// How often the resource version is told to those who want bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// How long before its end a watch gets its last bookmark.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Where the store puts what a watch is to be told.
pub(crate) struct Watcher {
    selection: Selection,
    /// What happened until then is known there.
    since: u64,
    sender: UnboundedSender<Arc<Change>>,
}

impl Watcher {
    /// Gives whether anybody listens.
    pub(crate) fn tell(&self, change: &Arc<Change>) -> bool {
        if change.version > self.since && self.selection.sees(change) {
            self.sender.send(Arc::clone(change)).is_ok()
        } else {
            !self.sender.is_closed()
        }
    }
}

/// A watch that was opened: what it is told at once, and where the rest comes from.
pub(crate) struct Opened {
    resource: Arc<Resource>,
    view: View,
    selection: Selection,
    since: u64,
    first: VecDeque<Bytes>,
    changes: UnboundedReceiver<Arc<Change>>,
    ends: Instant,
    bookmark: Option<Instant>,
}

impl State {
    /// Opens a watch.
    pub(crate) fn watch(
        &mut self,
        at: usize,
        view: View,
        selection: Selection,
        query: &Query,
    ) -> Result<Opened, Refusal> {
        let lasts = query.seconds("timeoutSeconds")?.unwrap_or(LASTS);
        let ends = Instant::now() + lasts;
        let wants_bookmarks = query.flag("allowWatchBookmarks");
        let (sender, changes) = unbounded_channel();
        let mut opened = Opened {
            resource: self.resource(at),
            view,
            selection,
            since: query.version()?.unwrap_or_default(),
            first: VecDeque::new(),
            changes,
            ends,
            bookmark: wants_bookmarks.then(|| next_bookmark(ends)).flatten(),
        };
        let (version, told) = (self.version, self.told());
        let collection = &mut self.collections[at];
        if opened.since == 0 || query.flag("sendInitialEvents") {
            opened.since = version;
            opened.begin_with_all(&collection.objects);
            if wants_bookmarks && query.flag("sendInitialEvents") {
                let end_of_list = opened.bookmark_line(version, true);
                opened.first.push_back(end_of_list);
            }
        } else if opened.since < collection.begins {
            // As an event of a stream that is opened all the same, and then ends.
            opened.begin_with_error(&Refusal::too_old(opened.since, collection.begins));
            return Ok(opened);
        } else {
            opened.begin_with(collection.changes(opened.since, told));
        }
        collection.add_watcher(Watcher {
            selection: opened.selection.clone(),
            since: opened.since,
            sender,
        });
        Ok(opened)
    }
}

impl Opened {
    fn begin_with_all(&mut self, objects: &BTreeMap<String, Arc<Object>>) {
        let all = Collection::within(objects, self.selection.namespace.as_deref());
        let taken = all.filter(|(_, object)| self.selection.takes(object));
        let lines = taken.map(|(_, object)| event_line("ADDED", object.json(self.view)));
        self.first = lines.collect();
    }

    fn begin_with<'a>(&mut self, changes: impl Iterator<Item = &'a Arc<Change>>) {
        let lines = changes.filter_map(|change| self.line(change));
        self.first = lines.collect();
    }

    fn begin_with_error(&mut self, refusal: &Refusal) {
        let status = refusal.status().to_string();
        self.first.push_back(event_line("ERROR", status.as_bytes()));
    }

    fn line(&self, change: &Change) -> Option<Bytes> {
        let (type_, object) = self.selection.told(change)?;
        Some(event_line(type_, object.json(self.view)))
    }

    fn bookmark_line(&self, version: u64, ends_list: bool) -> Bytes {
        let (api_version, kind) = match self.view {
            View::Full => (self.resource.api_version(), self.resource.kind.as_str()),
            View::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata"),
        };
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if ends_list {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let bookmark = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        event_line("BOOKMARK", bookmark.to_string().as_bytes())
    }

    /// The body of the answer: a line for each event. `kubernetes` tells which version bookmarks have.
    pub(crate) fn body(self, kubernetes: Kubernetes) -> Body {
        let timer = Box::pin(sleep_until(self.ends));
        let lines = stream::unfold((self, timer), move |(mut watch, mut timer)| {
            let kubernetes = kubernetes.clone();
            async move {
                let line = watch.next(&kubernetes, timer.as_mut()).await?;
                Some((Ok::<_, Infallible>(Frame::data(line)), (watch, timer)))
            }
        });
        StreamBody::new(lines).boxed_unsync()
    }

    async fn next(&mut self, kubernetes: &Kubernetes, mut timer: Pin<&mut Sleep>) -> Option<Bytes> {
        if let Some(line) = self.first.pop_front() {
            return Some(line);
        }
        loop {
            timer.as_mut().reset(self.bookmark.unwrap_or(self.ends));
            tokio::select! {
                biased;
                change = self.changes.recv() => {
                    let change = change?;
                    if let Some(line) = self.line(&change) {
                        return Some(line);
                    }
                }
                () = timer.as_mut() => {
                    self.bookmark.take()?;
                    self.bookmark = next_bookmark(self.ends);
                    let version = kubernetes.told();
                    // Not to those who begin in the future: after a restore they would go back.
                    if version > self.since {
                        return Some(self.bookmark_line(version, false));
                    }
                }
            }
        }
    }
}

/// When the next bookmark is due: each minute, and shortly before the end.
fn next_bookmark(ends: Instant) -> Option<Instant> {
    let now = Instant::now();
    let last = ends.checked_sub(LAST_BOOKMARK).filter(|last| *last > now)?;
    Some(last.min(now + BOOKMARK_EVERY))
}

/// A line of a watch's stream.
fn event_line(type_: &str, object: &[u8]) -> Bytes {
    [
        b"{\"type\":\"",
        type_.as_bytes(),
        b"\",\"object\":",
        object,
        b"}\n",
    ]
    .concat()
    .into()
}
