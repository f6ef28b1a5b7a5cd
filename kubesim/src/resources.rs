//! The resources that are served: some that every cluster has, and those of custom resource definitions.

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::shape::Shape;

/// A resource, and what is particular about it.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about a resource"
)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) is_namespaced: bool,
    /// Whether `status` is written by itself, and only by itself.
    pub(crate) has_status: bool,
    /// Whether it comes from a definition; if so, `metadata.generation` counts the changes to the rest of the object.
    pub(crate) is_custom: bool,
    /// Whether a PUT may come without a resource version.
    pub(crate) takes_unconditional_updates: bool,
    /// Whether a PUT creates what is not there.
    pub(crate) is_created_by_put: bool,
    pub(crate) shape: Shape,
}

impl Resource {
    fn built_in(group: &str, version: &str, plural: &str, kind: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            list_kind: format!("{kind}List"),
            is_namespaced: true,
            has_status: false,
            is_custom: false,
            takes_unconditional_updates: true,
            is_created_by_put: false,
            shape: Shape::of_object(&Value::Null),
        }
    }

    /// Each version of a definition that is served. They are separate stores here: nothing is converted.
    pub(crate) fn of_definition(definition: &CustomResourceDefinition) -> Vec<Self> {
        let spec = &definition.spec;
        let served = spec.versions.iter().filter(|version| version.served);
        let resources = served.map(|version| {
            let schema = version.schema.as_ref();
            let schema = schema.and_then(|schema| schema.open_api_v3_schema.as_ref());
            let schema = serde_json::to_value(schema).expect("a schema is JSON");
            let subresources = version.subresources.as_ref();
            let list_kind = spec.names.list_kind.clone();
            Self {
                list_kind: list_kind.unwrap_or_else(|| format!("{}List", spec.names.kind)),
                is_namespaced: spec.scope == "Namespaced",
                has_status: subresources.is_some_and(|some| some.status.is_some()),
                is_custom: true,
                takes_unconditional_updates: false,
                shape: Shape::of_object(&schema),
                ..Self::built_in(
                    &spec.group,
                    &version.name,
                    &spec.names.plural,
                    &spec.names.kind,
                )
            }
        });
        resources.collect()
    }

    /// What objects have as `apiVersion`.
    pub(crate) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// As the server's messages call it: `widgets.example.dev`.
    pub(crate) fn qualified(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// As the server's messages call its objects: `Widget.example.dev`.
    pub(crate) fn qualified_kind(&self) -> String {
        match self.group.as_str() {
            "" => self.kind.clone(),
            group => format!("{}.{group}", self.kind),
        }
    }

    /// Where the real server keeps an object in etcd, which some of its messages tell.
    pub(crate) fn etcd_key(&self, key: &str) -> String {
        let group = if self.is_custom {
            self.group.as_str()
        } else {
            ""
        };
        let dash = if group.is_empty() { "" } else { "/" };
        format!("/registry/{group}{dash}{}/{key}", self.plural)
    }

    pub(crate) fn is_namespaces(&self) -> bool {
        self.group.is_empty() && self.plural == NAMESPACES
    }
}

pub(crate) const NAMESPACES: &str = "namespaces";

/// What is served from the beginning; namespaces come first.
pub(crate) fn built_in() -> Vec<Arc<Resource>> {
    let namespaces = Resource {
        is_namespaced: false,
        has_status: true,
        ..Resource::built_in("", "v1", NAMESPACES, "Namespace")
    };
    let leases = Resource {
        takes_unconditional_updates: false,
        is_created_by_put: true,
        ..Resource::built_in("coordination.k8s.io", "v1", "leases", "Lease")
    };
    let events = Resource {
        is_created_by_put: true,
        ..Resource::built_in("events.k8s.io", "v1", "events", "Event")
    };
    let config_maps = Resource::built_in("", "v1", "configmaps", "ConfigMap");
    [namespaces, leases, events, config_maps]
        .map(Arc::new)
        .to_vec()
}
