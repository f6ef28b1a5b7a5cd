//! From the types to the `CustomResourceDefinition`s that are installed.

use k8s_openapi::DeepMerge as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::{AwsAccount, MachineImage, rules};

/// Every definition, with the name of the file that it is kept in.
pub fn crds() -> Vec<(String, CustomResourceDefinition)> {
    [
        installable(AwsAccount::crd()),
        installable(MachineImage::crd()),
    ]
    .into_iter()
    .map(|crd| {
        (
            format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural),
            crd,
        )
    })
    .collect()
}

/// Turns the schema of an enum whose variants each hold one thing into an object with optional
/// properties, of which exactly one is there: `kubectl explain` lists them, and the API server's
/// answer is one sentence instead of one per variant.
pub(super) fn exactly_one(schema: &mut Schema) {
    let Some(Value::Array(variants)) = schema.remove("oneOf") else {
        return;
    };
    let mut properties = Map::new();
    let mut names = Vec::new();
    for mut variant in variants {
        let description = variant.get_mut("description").map(Value::take);
        let Some(Value::Object(fields)) = variant.get_mut("properties").map(Value::take) else {
            continue;
        };
        for (name, mut field) in fields {
            if let (Some(field), Some(description)) = (field.as_object_mut(), &description) {
                // Of a referenced type: schemars inlines it and keeps what stands beside it.
                field.insert("description".into(), description.clone());
            }
            names.push(name.clone());
            properties.insert(name, field);
        }
    }
    let present: Vec<_> = names
        .iter()
        .map(|name| format!("has(self.{name})"))
        .collect();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    schema.insert(
        "x-kubernetes-validations".into(),
        json!([{
            "rule": format!("[{}].filter(present, present).size() == 1", present.join(", ")),
            "message": format!("write exactly one of {}", names.join(", ")),
        }]),
    );
}

/// What the derived definition lacks: no field takes an explicit null (the API server then prunes
/// nulls and fills in defaults), descriptions are not broken into lines, conditions are bounded,
/// and so is the object's name.
fn installable(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        tidy(root);
        if let Some(conditions) = property(root, "status").and_then(|s| property(s, "conditions")) {
            bound_conditions(conditions);
        }
        root.properties
            .get_or_insert_default()
            .insert("metadata".into(), metadata());
    }
    crd
}

fn property<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> Option<&'a mut JSONSchemaProps> {
    schema.properties.as_mut()?.get_mut(name)
}

/// The only part of the metadata that a definition may bound is the name. Its length is known to
/// the API server, but not to the rules, which want a `maxLength`.
fn metadata() -> JSONSchemaProps {
    literal(json!({
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "maxLength": 253,
                "x-kubernetes-validations": [
                    {"rule": "size(self) <= 63", "message": rules::OBJECT_NAME},
                ],
            },
        },
    }))
}

/// Kubernetes' own bounds of a condition, which are markers in its source and lost in ours.
fn bound_conditions(conditions: &mut JSONSchemaProps) {
    let Some(JSONSchemaPropsOrArray::Schema(condition)) = &mut conditions.items else {
        return;
    };
    for (name, bounds) in [
        ("type", json!({"maxLength": 316})),
        ("status", json!({"enum": ["True", "False", "Unknown"]})),
        ("reason", json!({"minLength": 1, "maxLength": 1024})),
        ("message", json!({"maxLength": 32768})),
        ("observedGeneration", json!({"minimum": 0})),
    ] {
        if let Some(field) = property(condition, name) {
            field.merge_from(literal(bounds));
        }
    }
}

fn literal(schema: Value) -> JSONSchemaProps {
    serde_json::from_value(schema).expect("what is written here is a schema")
}

fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        // Lines end where our source does, and kubectl would keep that: only paragraphs do count.
        let paragraphs: Vec<_> = description
            .split("\n\n")
            .map(|p| p.replace('\n', " "))
            .collect();
        *description = paragraphs.join("\n\n");
    }
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|map| map.values_mut())
    {
        tidy(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everywhere(schema: &Value, look: &mut impl FnMut(&Map<String, Value>)) {
        match schema {
            Value::Object(fields) => {
                look(fields);
                fields.values().for_each(|value| everywhere(value, look));
            }
            Value::Array(values) => values.iter().for_each(|value| everywhere(value, look)),
            _ => {}
        }
    }

    fn schemas() -> Value {
        let schemas: Vec<_> = crds()
            .into_iter()
            .flat_map(|(_, crd)| crd.spec.versions)
            .map(|version| version.schema)
            .collect();
        serde_json::to_value(schemas).unwrap()
    }

    #[test]
    fn the_files_are_named_for_group_and_plural() {
        let files: Vec<_> = crds().into_iter().map(|(file, _)| file).collect();
        assert_eq!(
            files,
            ["amity.dev_awsaccounts.yaml", "amity.dev_machineimages.yaml"]
        );
    }

    #[test]
    fn what_is_installed_is_what_the_types_say() {
        for (file, crd) in crds() {
            let path = format!("{}/../crds/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap();
            let installed: Value = serde_saphyr::from_str(&text).unwrap();
            let made = serde_json::to_value(crd).unwrap();
            assert_eq!(installed, made, "{file}: make crds");
        }
    }

    #[test]
    fn every_list_and_map_is_bounded() {
        everywhere(&schemas(), &mut |schema| {
            if schema.get("type") == Some(&json!("array")) {
                assert!(schema.contains_key("maxItems"), "{schema:?}");
            }
            if schema.contains_key("additionalProperties") {
                assert!(schema.contains_key("maxProperties"), "{schema:?}");
            }
        });
    }

    #[test]
    fn every_string_is_bounded() {
        everywhere(&schemas(), &mut |schema| {
            if schema.get("type") == Some(&json!("string")) {
                let bounded = ["maxLength", "enum", "format"]
                    .iter()
                    .any(|k| schema.contains_key(*k));
                assert!(bounded, "{schema:?}");
            }
        });
    }

    #[test]
    fn every_rule_says_what_to_write_instead() {
        everywhere(&schemas(), &mut |schema| {
            if schema.contains_key("rule") {
                let says =
                    schema.contains_key("message") || schema.contains_key("messageExpression");
                assert!(says, "{schema:?}");
            }
        });
    }

    #[test]
    fn every_field_is_documented() {
        everywhere(&schemas(), &mut |schema| {
            for (name, field) in schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                // Kubernetes documents its own, and the root of a status is known by its name.
                if !["metadata", "name", "apiVersion", "kind"].contains(&name.as_str()) {
                    assert!(field.get("description").is_some(), "{name}");
                }
            }
        });
    }

    #[test]
    fn nothing_takes_a_null() {
        everywhere(&schemas(), &mut |schema| {
            assert!(!schema.contains_key("nullable"), "{schema:?}");
        });
    }
}
