//! What a request asks for, told from its method, path and headers alone.

use std::fmt;

use http::header::CONTENT_TYPE;
use http::{Method, Request};

/// A request in short: for those who make requests fail or wait, and for traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What is to be done.
    pub verb: Verb,
    /// The API group; empty for the oldest resources.
    pub group: String,
    /// The version of the group, as in `v1`.
    pub version: String,
    /// The plural, as in `widgets`.
    pub resource: String,
    /// The namespace, unless the resource has none or all are meant.
    pub namespace: Option<String>,
    /// The object, unless all are meant.
    pub name: Option<String>,
    /// Such as `status`.
    pub subresource: Option<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object is read.
    Get,
    /// Many are read.
    List,
    /// Changes are told.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// JSON Merge Patch.
    Patch,
    /// Server-side apply.
    Apply,
    /// One object is deleted.
    Delete,
    /// Many are deleted.
    DeleteCollection,
}

impl Verb {
    /// Whether it changes anything.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Apply => "apply",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        })
    }
}

impl Summary {
    /// What a request asks for; `None` under a path that is no resource's.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let uri = request.uri();
        let mut path = uri.path().trim_matches('/').split('/');
        let (group, version) = match path.next()? {
            "api" => ("", path.next()?),
            "apis" => (path.next()?, path.next()?),
            _ => return None,
        };
        let rest: Vec<_> = path.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..]
                if !rest.is_empty() && !["status", "finalize"].contains(&rest[0]) =>
            {
                (Some(*namespace), rest)
            }
            rest => (None, rest),
        };
        let (resource, name, subresource) = match *rest {
            [resource] => (resource, None, None),
            [resource, name] => (resource, Some(name), None),
            [resource, name, subresource] => (resource, Some(name), Some(subresource)),
            _ => return None,
        };
        let watches = || {
            let query = uri.query().unwrap_or_default().as_bytes();
            form_urlencoded::parse(query)
                .any(|(key, value)| key == "watch" && (value == "true" || value == "1"))
        };
        let applies = || {
            let type_ = request.headers().get(CONTENT_TYPE);
            type_.is_some_and(|type_| type_.as_bytes().starts_with(b"application/apply-patch"))
        };
        let verb = match (request.method(), name) {
            (&Method::GET, Some(_)) => Verb::Get,
            (&Method::GET, None) if watches() => Verb::Watch,
            (&Method::GET, None) => Verb::List,
            (&Method::POST, _) => Verb::Create,
            (&Method::PUT, _) => Verb::Update,
            (&Method::PATCH, _) if applies() => Verb::Apply,
            (&Method::PATCH, _) => Verb::Patch,
            (&Method::DELETE, Some(_)) => Verb::Delete,
            (&Method::DELETE, None) => Verb::DeleteCollection,
            _ => return None,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Self {
            verb,
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
            namespace: owned(namespace),
            name: owned(name),
            subresource: owned(subresource),
        })
    }

    /// As in `widgets/status`.
    pub fn endpoint(&self) -> String {
        let subresource = self.subresource.as_ref();
        subresource.map_or_else(
            || self.resource.clone(),
            |subresource| format!("{}/{subresource}", self.resource),
        )
    }
}

/// As in `update widgets/status team/web`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.endpoint())?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (Some(only), None) => write!(f, " {only}/"),
            (None, Some(only)) => write!(f, " {only}"),
            (None, None) => Ok(()),
        }
    }
}
