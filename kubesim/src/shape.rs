//! What of a schema matters here: defaults, which nulls are none, and which lists and maps are merged item by
//! item in a server-side apply.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The shape of a value. What it does not say holds for values without a schema: maps are merged key by key, lists
/// are one piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    default: Option<Value>,
    fields: BTreeMap<String, Shape>,
    /// Of the values of a map with keys of the user's choice.
    values: Option<Box<Shape>>,
    items: Option<Box<Shape>>,
    list: List,
    is_nullable: bool,
    is_atomic_map: bool,
    /// What no manager owns, because the server writes it.
    is_untracked: bool,
}

/// How a list is merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum List {
    /// As one piece.
    #[default]
    Atomic,
    /// By the items themselves.
    Set,
    /// By these fields of the items.
    Map(Vec<String>),
}

static PLAIN: Shape = Shape {
    default: None,
    fields: BTreeMap::new(),
    values: None,
    items: None,
    list: List::Atomic,
    is_nullable: false,
    is_atomic_map: false,
    is_untracked: false,
};

/// What the server writes into `metadata`, or knows from the path.
const OF_THE_SERVER: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generateName",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Shape {
    /// The shape of objects with this `OpenAPI` schema; `Value::Null` for those without.
    pub(crate) fn of_object(schema: &Value) -> Self {
        let mut shape = Self::of(schema);
        let untracked = || Self {
            is_untracked: true,
            ..Self::default()
        };
        let list = |list| Self {
            list,
            ..Self::default()
        };
        let mut metadata = Self::default();
        for name in OF_THE_SERVER {
            metadata.fields.insert(name.to_owned(), untracked());
        }
        let merged = [
            ("finalizers", List::Set),
            ("ownerReferences", List::Map(vec!["uid".to_owned()])),
        ];
        for (name, how) in merged {
            metadata.fields.insert(name.to_owned(), list(how));
        }
        shape.fields.insert("metadata".to_owned(), metadata);
        for name in ["apiVersion", "kind"] {
            shape.fields.insert(name.to_owned(), untracked());
        }
        shape
    }

    fn of(schema: &Value) -> Self {
        let below = |key: &str| {
            let schema = schema.get(key).filter(|schema| schema.is_object());
            schema.map(|schema| Box::new(Self::of(schema)))
        };
        let fields = schema["properties"].as_object().into_iter().flatten();
        let keys = schema["x-kubernetes-list-map-keys"].as_array();
        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
        Self {
            default: schema.get("default").cloned(),
            fields: fields
                .map(|(name, schema)| (name.clone(), Self::of(schema)))
                .collect(),
            values: below("additionalProperties"),
            items: below("items"),
            list: match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => List::Set,
                Some("map") => List::Map(keys.map(str::to_owned).collect()),
                _ => List::Atomic,
            },
            is_nullable: schema["nullable"] == json!(true),
            is_atomic_map: schema["x-kubernetes-map-type"] == json!("atomic"),
            is_untracked: false,
        }
    }

    /// The shape of a field.
    pub(crate) fn field(&self, name: &str) -> &Self {
        let known = self.fields.get(name);
        known.or(self.values.as_deref()).unwrap_or(&PLAIN)
    }

    /// The shape of the items of a list.
    pub(crate) fn item(&self) -> &Self {
        self.items.as_deref().unwrap_or(&PLAIN)
    }

    /// How a list of this shape is merged.
    pub(crate) fn list(&self) -> &List {
        &self.list
    }

    /// Whether a map is one piece.
    pub(crate) fn is_atomic_map(&self) -> bool {
        self.is_atomic_map
    }

    /// Whether no manager owns it.
    pub(crate) fn is_untracked(&self) -> bool {
        self.is_untracked
    }

    /// Whether there is something below it that no manager owns.
    pub(crate) fn has_untracked_fields(&self) -> bool {
        self.fields.values().any(Self::is_untracked)
    }

    /// Takes nulls that the schema does not allow out of `value`, and puts defaults in.
    pub(crate) fn complete(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|name, value| !value.is_null() || self.keeps_null(name));
                for (name, shape) in &self.fields {
                    if let (Some(default), false) = (&shape.default, map.contains_key(name)) {
                        map.insert(name.clone(), default.clone());
                    }
                }
                for (name, value) in map {
                    self.field(name).complete(value);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.item().complete(item);
                }
            }
            _ => {}
        }
    }

    fn keeps_null(&self, name: &str) -> bool {
        let known = self.fields.get(name).or(self.values.as_deref());
        known.is_none_or(|shape| shape.is_nullable)
    }
}
