//! Lists: in order, page by page, each page as of the version of the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::object::{Object, View};
use crate::query::Query;
use crate::refusal::Refusal;
use crate::resources::Resource;
use crate::selection::Selection;
use crate::state::{Collection, State};

/// Where the next page begins: the version of the first page, and the key after which it goes on. Without a version
/// the list goes on with what there is now.
struct Continue {
    version: Option<u64>,
    after: String,
}

impl State {
    /// The objects that are selected, as JSON.
    pub(crate) fn list(
        &self,
        at: usize,
        view: View,
        selection: &Selection,
        query: &Query,
    ) -> Result<Bytes, Refusal> {
        let next = query.get("continue").map(Continue::parse).transpose()?;
        let collection = &self.collections[at];
        let exactly = match (&next, query.version()?) {
            (Some(next), _) => next.version,
            (None, Some(asked)) if asked > self.version => {
                return Err(Refusal::too_new(asked, self.version));
            }
            (None, asked) => asked.filter(|_| query.get("resourceVersionMatch") == Some("Exact")),
        };
        let version = exactly.unwrap_or(self.version);
        let as_they_were;
        let objects = if version == self.version {
            &collection.objects
        } else {
            let then = collection.objects_at(version);
            as_they_were =
                then.ok_or_else(|| Refusal::forgotten(next.as_ref().map(Continue::anyway)))?;
            &as_they_were
        };
        let limit = query.number("limit")?.filter(|limit| *limit > 0);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let after = next.as_ref().map(|next| next.after.as_str());
        let page = Page::of(objects, selection, after, limit);
        Ok(page.json(&collection.resource, view, version, selection))
    }
}

struct Page<'a> {
    objects: Vec<&'a Object>,
    /// The key of the last one, and how many come after it.
    rest: Option<(&'a str, usize)>,
}

impl<'a> Page<'a> {
    fn of(
        objects: &'a BTreeMap<String, Arc<Object>>,
        selection: &Selection,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> Self {
        let all = Collection::within(objects, selection.namespace.as_deref());
        let mut wanted = all
            .skip_while(|(key, _)| after.is_some_and(|after| key.as_str() <= after))
            .filter(|(_, object)| selection.takes(object));
        let mut last = None;
        let mut page = Vec::new();
        for (key, object) in wanted.by_ref().take(limit.unwrap_or(usize::MAX)) {
            last = Some(key.as_str());
            page.push(object.as_ref());
        }
        let left = wanted.count();
        Self {
            objects: page,
            rest: last.filter(|_| left > 0).map(|last| (last, left)),
        }
    }

    fn json(&self, resource: &Resource, view: View, version: u64, selection: &Selection) -> Bytes {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let Some((after, left)) = self.rest {
            let next = Continue {
                version: Some(version),
                after: after.to_owned(),
            };
            metadata["continue"] = json!(next.token());
            if selection.takes_all() {
                metadata["remainingItemCount"] = json!(left);
            }
        }
        let (api_version, kind) = match view {
            View::Full => (resource.api_version(), resource.list_kind.as_str()),
            View::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList"),
        };
        let head = format!(
            "{{\"apiVersion\":\"{api_version}\",\"kind\":\"{kind}\",\"metadata\":{metadata},\"items\":["
        );
        let items = self.objects.iter().map(|object| object.json(view));
        let length: usize = items.clone().map(|item| item.len() + 1).sum();
        let mut list = Vec::with_capacity(head.len() + length + 2);
        list.extend_from_slice(head.as_bytes());
        for (index, item) in items.enumerate() {
            if index > 0 {
                list.push(b',');
            }
            list.extend_from_slice(item);
        }
        list.extend_from_slice(b"]}");
        list.into()
    }
}

impl Continue {
    fn token(&self) -> String {
        let version = self.version.map(|version| version.to_string());
        format!("{}:{}", version.unwrap_or_default(), self.after)
    }

    /// The token with which the list goes on although its version is forgotten.
    fn anyway(&self) -> String {
        let after = self.after.clone();
        Self {
            version: None,
            after,
        }
        .token()
    }

    fn parse(token: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::bad_request("continue key is not valid");
        let (version, after) = token.split_once(':').ok_or_else(invalid)?;
        let version = Some(version).filter(|version| !version.is_empty());
        Ok(Self {
            version: version.map(str::parse).transpose().map_err(|_| invalid())?,
            after: after.to_owned(),
        })
    }
}
