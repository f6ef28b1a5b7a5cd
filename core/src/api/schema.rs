//! From the types to the `CustomResourceDefinition`s that are installed.

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
            properties.insert(name, field);
        }
    }
    let names: Vec<_> = properties.keys().cloned().collect();
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
/// nulls and fills in defaults), and the object's name is bounded.
fn installable(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        without_nulls(root);
        let metadata = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "x-kubernetes-validations": [rules::object_name()]},
            },
        });
        root.properties.get_or_insert_default().insert(
            "metadata".into(),
            serde_json::from_value(metadata).expect("the literal above is a schema"),
        );
    }
    crd
}

fn without_nulls(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|map| map.values_mut())
    {
        without_nulls(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => without_nulls(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(without_nulls),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        without_nulls(values);
    }
}
