//! From a request to what is done, and from that to an answer.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::delete::{Deleted, Preconditions};
use crate::kubernetes::Kubernetes;
use crate::managers::Manager;
use crate::object::{Object, View};
use crate::query::Query;
use crate::refusal::Refusal;
use crate::request::{Summary, Verb};
use crate::resources::Resource;
use crate::selection::Selection;
use crate::state::{State, key};
use crate::watch::{Body, Opened};
use crate::write::{Target, Written};

/// What is answered.
pub(crate) enum Answer {
    Json(u16, Bytes),
    Refused(Refusal),
    Watch(Opened),
}

impl State {
    /// Does what is asked for.
    pub(crate) fn answer(&mut self, request: &Request<Bytes>, now: Timestamp) -> Answer {
        let Some(summary) = Summary::of(request) else {
            return Answer::Refused(Refusal::no_such_path());
        };
        match self.perform(&summary, request, now) {
            Ok(answer) => {
                if summary.verb.writes() {
                    *self.writes.entry(summary.endpoint()).or_default() += 1;
                }
                answer
            }
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    fn perform(
        &mut self,
        summary: &Summary,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let at = self.find(&summary.group, &summary.version, &summary.resource);
        let at = at.ok_or_else(Refusal::no_such_path)?;
        let resource = self.resource(at);
        let status = is_status(summary, &resource)?;
        let query = Query::parse(request.uri().query())?;
        let view = view(request);
        let namespace = summary.namespace.as_deref();
        let lacks_namespace = resource.is_namespaced && namespace.is_none();
        if (lacks_namespace && summary.name.is_some())
            || (!resource.is_namespaced && namespace.is_some())
        {
            return Err(Refusal::misplaced(&resource));
        }
        let Some(name) = summary.name.as_deref() else {
            return self.perform_on_all(summary, at, &query, request, now);
        };
        let target = Target {
            at,
            namespace,
            name,
            status,
        };
        let manager = manager(&query, request, summary.verb, status);
        match summary.verb {
            Verb::Get => {
                let object = self.get(at, &target.key());
                let object = object.ok_or_else(|| Refusal::not_found(&resource, name))?;
                Ok(Answer::Json(200, object.json(view).clone()))
            }
            Verb::Update => self
                .replace(target, parsed(request)?, &manager, now)
                .map(|written| Answer::of(&written, view)),
            Verb::Patch if !is_merge_patch(request) => Err(Refusal::unsupported_media_type(
                "kubesim knows JSON merge patches and server-side apply",
            )),
            Verb::Patch => self
                .patch(target, &parsed(request)?, &manager)
                .map(|written| Answer::of(&written, view)),
            Verb::Apply if query.get("fieldManager").is_none() => Err(Refusal::no_field_manager()),
            Verb::Apply => self
                .apply(target, parsed(request)?, &manager, query.flag("force"), now)
                .map(|written| Answer::of(&written, view)),
            Verb::Delete if summary.subresource.is_none() => {
                let preconditions = Preconditions::of(&options(request)?)?;
                let deleted = self.delete(at, &target.key(), &preconditions, now)?;
                Ok(Answer::of_deleted(&deleted, &resource, view))
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    /// What is asked of a whole collection.
    fn perform_on_all(
        &mut self,
        summary: &Summary,
        at: usize,
        query: &Query,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let view = view(request);
        let namespace = summary.namespace.as_deref();
        let selection = || Selection::of(namespace, query);
        let is_namespaced = self.collections[at].resource.is_namespaced;
        match summary.verb {
            Verb::List => self
                .list(at, view, &selection()?, query)
                .map(|list| Answer::Json(200, list)),
            Verb::Watch => self.watch(at, view, selection()?, query).map(Answer::Watch),
            Verb::Create if is_namespaced == namespace.is_some() => {
                let manager = manager(query, request, Verb::Create, false);
                self.create(at, namespace, parsed(request)?, &manager, now)
                    .map(|written| Answer::of(&written, view))
            }
            Verb::DeleteCollection if is_namespaced == namespace.is_some() => {
                let preconditions = Preconditions::of(&options(request)?)?;
                let selection = selection()?;
                let list = self.list(at, view, &selection, query)?;
                let there = self.collections[at].objects.values();
                let there = there.filter(|object| selection.takes(object));
                let keys: Vec<_> = there
                    .map(|object| key(object.namespace(), object.name()))
                    .collect();
                for key in keys {
                    self.delete(at, &key, &preconditions, now)?;
                }
                Ok(Answer::Json(200, list))
            }
            // Of all namespaces at once nothing can be written.
            Verb::Create | Verb::DeleteCollection if self.collections[at].resource.is_custom => {
                Err(Refusal::no_such_path())
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }
}

impl Answer {
    pub(crate) fn bad_request(error: &dyn fmt::Display) -> Self {
        Self::Refused(Refusal::bad_request(error.to_string()))
    }

    fn of(written: &Written, view: View) -> Self {
        let status = if written.is_new { 201 } else { 200 };
        Self::Json(status, written.object.json(view).clone())
    }

    fn of_deleted(deleted: &Deleted, resource: &Resource, view: View) -> Self {
        match deleted {
            Deleted::Ending(object) => Self::Json(200, object.json(view).clone()),
            Deleted::Gone(object) => Self::Json(200, success(object, resource)),
        }
    }

    pub(crate) fn into_response(self, kubernetes: &Kubernetes) -> Response<Body> {
        match self {
            Self::Json(status, json) => answered(status, JSON, full(json)),
            Self::Watch(opened) => answered(200, JSON, opened.body(kubernetes.clone())),
            Self::Refused(refusal) => refusal.response(),
        }
    }
}

const JSON: &str = "application/json";

pub(crate) fn answered(status: u16, type_: &str, body: Body) -> Response<Body> {
    let response = Response::builder().status(status);
    let response = response.header(CONTENT_TYPE, type_);
    response.body(body).expect("a status and a header")
}

pub(crate) fn full(body: Bytes) -> Body {
    Full::new(body).boxed_unsync()
}

/// What is answered about an object that is gone.
fn success(object: &Object, resource: &Resource) -> Bytes {
    let mut details = json!({"name": object.name(), "kind": resource.plural, "uid": object.uid()});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    status.to_string().into()
}

/// Whether only the status is meant, of a resource that has one of its own.
fn is_status(summary: &Summary, resource: &Resource) -> Result<bool, Refusal> {
    match summary.subresource.as_deref() {
        None => Ok(false),
        Some("status") if resource.has_status => Ok(true),
        Some(_) => {
            let name = summary.name.as_deref().unwrap_or_default();
            Err(Refusal::no_such_subresource(resource, name))
        }
    }
}

fn view(request: &Request<Bytes>) -> View {
    let accepted = request.headers().get(ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("as=PartialObjectMetadata")) {
        View::Metadata
    } else {
        View::Full
    }
}

fn is_merge_patch(request: &Request<Bytes>) -> bool {
    let type_ = request.headers().get(CONTENT_TYPE);
    type_.is_some_and(|type_| type_.as_bytes().starts_with(b"application/merge-patch"))
}

/// Who writes, as the real server tells: by the parameter, or by the first word of the user agent.
fn manager(query: &Query, request: &Request<Bytes>, verb: Verb, status: bool) -> Manager {
    let agent = request.headers().get(http::header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let agent = agent.and_then(|agent| agent.split('/').next());
    let name = query.get("fieldManager").or(agent).unwrap_or("unknown");
    Manager {
        name: name.to_owned(),
        applies: verb == Verb::Apply,
        status,
    }
}

fn parsed(request: &Request<Bytes>) -> Result<Value, Refusal> {
    serde_json::from_slice(request.body())
        .map_err(|error| Refusal::bad_request(format!("the body is no JSON: {error}")))
}

/// `DeleteOptions`, which may be left out.
fn options(request: &Request<Bytes>) -> Result<Value, Refusal> {
    if request.body().is_empty() {
        return Ok(Value::Null);
    }
    parsed(request)
}
