//! Every field of the resources, with what may stand there and what the API server refuses.

use std::fmt::Write;

use serde_json::Value;

use super::{cell, check, code};

#[test]
fn the_page_of_each_resource_has_every_field() {
    for (_, crd) in amity_core::api::crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let names = &crd["spec"]["names"];
        let kind = names["kind"].as_str().unwrap();
        let page = page(&crd, kind);
        check(&format!("{}.md", kind.to_lowercase()), &page);
    }
}

fn page(crd: &Value, kind: &str) -> String {
    let version = &crd["spec"]["versions"][0];
    let root = &version["schema"]["openAPIV3Schema"];
    let short: Vec<_> = strings(&crd["spec"]["names"]["shortNames"]);
    let mut page = format!(
        "<!-- Written from core/src/api/. -->\n# {kind}\n\n{}\n\n\
         `apiVersion: {}/{}`, `kind: {kind}`, {}, short `{}`. The same is shown by `kubectl explain {kind}.spec --recursive`. \
         The API server refuses what the lists *What is refused* name, with that sentence.\n",
        root["description"].as_str().unwrap_or_default(),
        crd["spec"]["group"].as_str().unwrap(),
        version["name"].as_str().unwrap(),
        match crd["spec"]["scope"].as_str() {
            Some("Namespaced") => "namespaced",
            _ => "cluster-scoped",
        },
        short.join("`, `"),
    );
    columns(&mut page, version);
    object(&mut page, "spec", &root["properties"]["spec"]);
    object(&mut page, "status", &root["properties"]["status"]);
    page
}

fn columns(page: &mut String, version: &Value) {
    page.push_str("\n## What kubectl get shows\n\n| column | from | |\n| --- | --- | --- |\n");
    for column in version["additionalPrinterColumns"].as_array().unwrap() {
        let said = column["description"].as_str().unwrap_or_default();
        let wide = if column["priority"].as_i64().unwrap_or_default() > 0 {
            " With `-o wide`."
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| {} | {} | {}{wide} |",
            column["name"].as_str().unwrap(),
            code(column["jsonPath"].as_str().unwrap()),
            cell(said)
        );
    }
}

/// A section for the object at `path`, and after it one for each object below.
fn object(page: &mut String, path: &str, schema: &Value) {
    let _ = writeln!(page, "\n## {path}\n");
    if let Some(said) = schema["description"].as_str() {
        let _ = writeln!(page, "{}\n", cell(said));
    }
    let Some(fields) = schema["properties"].as_object() else {
        return;
    };
    page.push_str("| field | | |\n| --- | --- | --- |\n");
    let required = strings(&schema["required"]);
    for (name, field) in fields {
        let must = if required.contains(&name.as_str()) {
            ", **required**"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| {} | {}{must} | {} |",
            title(path, name, field),
            kind(field),
            cell(field["description"].as_str().unwrap_or_default())
        );
    }
    refused(page, schema);
    for (name, field) in fields {
        // What belongs to Kubernetes is said by Kubernetes.
        if name != "conditions" {
            below(page, &format!("{path}.{name}"), field);
        }
    }
}

fn below(page: &mut String, path: &str, field: &Value) {
    if field["properties"].is_object() {
        object(page, path, field);
    } else if field["items"]["properties"].is_object() {
        object(page, &format!("{path}[]"), &field["items"]);
    }
}

/// The name of a field, which leads to its own section where it has one.
fn title(path: &str, name: &str, field: &Value) -> String {
    let is_object = field["properties"].is_object();
    let is_list = field["items"]["properties"].is_object();
    if name == "conditions" || !is_object && !is_list {
        return code(name);
    }
    let anchor: String = format!("{path}{name}")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("[{}](#{})", code(name), anchor.to_lowercase())
}

/// What may stand in a field, how much of it, and what stands there if nothing is written.
fn kind(field: &Value) -> String {
    let mut parts = vec![type_of(field)];
    for (key, before, after) in [
        ("minimum", "at least ", ""),
        ("maximum", "at most ", ""),
        ("maxLength", "at most ", " characters"),
        ("maxItems", "at most ", ""),
        ("maxProperties", "at most ", ""),
    ] {
        if let Some(number) = field[key].as_f64() {
            parts.push(format!("{before}{number}{after}"));
        }
    }
    match &field["default"] {
        Value::Null => {}
        Value::Object(_) => parts.push("always there".to_owned()),
        default => parts.push(format!(
            "default {}",
            code(default.to_string().trim_matches('"'))
        )),
    }
    parts.join(", ")
}

fn type_of(field: &Value) -> String {
    if field["enum"].is_array() {
        let values: Vec<_> = strings(&field["enum"]).into_iter().map(code).collect();
        return values.join(" or ");
    }
    if let Some(format) = field["format"]
        .as_str()
        .filter(|format| *format == "date-time")
    {
        return format.replace("date-time", "time");
    }
    match field["type"].as_str().unwrap_or("anything") {
        "array" => format!("list of {}", plural(&type_of(&field["items"]))),
        "object" if field["additionalProperties"].is_object() => {
            format!(
                "map to {}",
                plural(&type_of(&field["additionalProperties"]))
            )
        }
        other => other.to_owned(),
    }
}

fn plural(type_: &str) -> String {
    match type_ {
        "string" | "object" | "integer" => format!("{type_}s"),
        other => other.to_owned(),
    }
}

/// What the rules of the object and of its fields refuse.
fn refused(page: &mut String, schema: &Value) {
    let mut sentences = Vec::new();
    rules(&mut sentences, schema);
    for field in schema["properties"].as_object().into_iter().flatten() {
        let field = field.1;
        for rules_of in [field, &field["additionalProperties"]] {
            rules(&mut sentences, rules_of);
        }
        if !field["items"]["properties"].is_object() {
            rules(&mut sentences, &field["items"]);
        }
    }
    sentences.dedup();
    if sentences.is_empty() {
        return;
    }
    page.push_str("\nWhat is refused:\n\n");
    for sentence in sentences {
        let _ = writeln!(page, "- {sentence}");
    }
}

fn rules(sentences: &mut Vec<String>, schema: &Value) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        // One that is put together names what it found; its text is in the definition.
        let said = rule["message"].as_str().map(cell);
        let made = rule["messageExpression"].as_str().map(code);
        sentences.extend(said.or(made));
    }
}

fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}
