//! What an operator sees of the process: metrics that promtool takes, one line of the log for each change and none at
//! rest, spans for a collector, and the plan of an object.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use amity_testbed::{eventually, get_json, get_text, promtool};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::lab::{Alone, Lab, PATIENCE};

#[test]
fn promtool_has_nothing_to_say_of_the_metrics() {
    let lab = Lab::shared();
    let namespace = lab.namespace("promtool");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");

    let metrics = lab.amity.metrics().unwrap();

    let mut check = Command::new(promtool().unwrap())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let answer = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&answer.stdout) + String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success() && said.is_empty(), "{said}");
}

/// The lines at level info, of which each is one JSON object.
fn told(lab: &Lab) -> Vec<Value> {
    let log = lab.amity.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["level"] == "INFO").collect()
}

#[test]
fn a_change_is_one_line_of_the_log_and_at_rest_there_is_none() {
    let mut alone = Alone::ready();
    alone.lab.restart_with(&["--log-format", "json"]);
    let lab = &alone.lab;
    let namespace = lab.namespace("lines");
    let published = "publish: {configMapName: images}\n  tags: {team: web}";
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], published);
    namespace.until_ready("web");
    namespace.patch("web", r#"{"spec": {"tags": {"team": "db"}}}"#);
    namespace.until_ready("web");
    lab.until_read_three_times("111122223333");

    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for call in lab.calls() {
        if call.is_write() && call.succeeded() {
            *done.entry(call.action).or_default() += 1;
        }
    }
    done.insert("WriteConfigMap".to_owned(), 1);
    let lines = told(lab);
    let of_changes = lines.iter().map(|line| &line["fields"]);
    let of_changes = of_changes.filter(|fields| fields["object"] == "lines/web");
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for fields in of_changes {
        let has = |field: &str| fields[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(has("id") && has("why"), "{fields}");
        assert!(
            has("region") || fields["action"] == "WriteConfigMap",
            "{fields}"
        );
        let action = fields["action"].as_str().unwrap().to_owned();
        *said.entry(action).or_default() += 1;
    }
    assert_eq!(said, done);
    lab.until_read_three_times("111122223333");
    assert_eq!(told(lab).len(), lines.len(), "something is told at rest");
}

/// A collector of spans that keeps them.
fn collect() -> (SocketAddr, Arc<Mutex<Vec<Span>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let spans = Arc::new(Mutex::new(Vec::new()));
    let kept = spans.clone();
    // It ends with the test's process.
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let kept = kept.clone();
            thread::spawn(move || while take(&connection, &kept).is_some() {});
        }
    });
    (address, spans)
}

/// Takes one request of a connection; `None` at its end.
fn take(connection: &TcpStream, kept: &Mutex<Vec<Span>>) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut lines = reader.by_ref().lines();
    let request = lines.next()?.ok()?;
    assert_eq!(request, "POST /v1/traces HTTP/1.1");
    let mut length = 0;
    loop {
        let line = lines.next()?.ok()?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    let resources = request.resource_spans.into_iter();
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    kept.lock()
        .unwrap()
        .extend(scopes.flat_map(|scope| scope.spans));
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let mut connection = connection;
    connection.write_all(answer.as_bytes()).ok()
}

/// The text of an attribute; empty, where it is not there.
fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == key);
    let value = found.and_then(|found| found.value.as_ref()?.value.as_ref());
    match value {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

#[test]
fn a_collector_gets_a_span_of_each_reconcile_with_its_effects_and_of_each_list() {
    let (address, spans) = collect();
    let mut alone = Alone::ready();
    let endpoint = format!("http://{address}");
    alone.lab.restart_with(&["--otlp-endpoint", &endpoint]);
    let namespace = alone.lab.namespace("spans");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");

    eventually(PATIENCE, "the spans are collected", || {
        let spans = spans.lock().unwrap();
        let is_of = |span: &Span, name: &str, attributes: &[(&str, &str)]| {
            let mut attributes = attributes.iter();
            span.name == name && attributes.all(|(key, value)| attribute(span, key) == *value)
        };
        let capture = [
            ("action", "CreateImage"),
            ("outcome", "changed"),
            ("region", "us-east-1"),
        ];
        let effect = spans.iter().find(|span| is_of(span, "effect", &capture));
        let effect = effect.ok_or("no capture")?;
        assert!(attribute(effect, "id").starts_with("ami-"), "{effect:?}");
        assert!(!attribute(effect, "request_id").is_empty(), "{effect:?}");
        let parent = spans
            .iter()
            .find(|span| span.span_id == effect.parent_span_id);
        let parent = parent.ok_or("no reconcile around it")?;
        assert!(is_of(
            parent,
            "reconcile",
            &[("object", "spans/web"), ("outcome", "acted")]
        ));
        assert_eq!(attribute(parent, "revision").len(), 10, "{parent:?}");
        let listed = [("region", "us-east-1"), ("outcome", "success")];
        let list = spans.iter().find(|span| is_of(span, "list", &listed));
        list.map(drop).ok_or_else(|| "no list".to_owned())
    })
    .unwrap();
}

#[test]
fn the_plan_of_an_object_says_what_is_in_the_way_and_nothing_of_what_is_written() {
    let lab = Lab::shared();
    let namespace = lab.namespace_without_grants("plan-page");
    namespace.apply_of_instance("web", &["us-east-1"], "description: hidden words");
    namespace.until_stalled("web");
    let of = |path: &str| format!("http://{}/debug/plan{path}", lab.amity.address());

    let page = get_text(&of("/plan-page/web")).unwrap();
    assert!(page.contains("in the way\n  NotGranted: "), "{page}");
    assert!(!page.contains("hidden words"), "{page}");
    let json = get_json(&of("/plan-page/web?format=json")).unwrap();
    assert_eq!(json["object"], "plan-page/web");
    assert_eq!(json["atRest"], false);
    assert_eq!(json["findings"][0]["reason"], "NotGranted");

    let none = get_text(&of("/plan-page/another")).unwrap_err().to_string();
    assert!(
        none.contains("404") && none.contains("plan-page/web"),
        "{none}"
    );
}

#[test]
fn the_plan_of_an_object_at_rest_says_when_it_was_looked_at() {
    let lab = Lab::shared();
    let namespace = lab.namespace("plan-at-rest");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");
    let page = format!("http://{}/debug/plan/plan-at-rest/web", lab.amity.address());
    eventually(PATIENCE, "it is at rest", || {
        let page = get_text(&page).map_err(|error| error.to_string())?;
        let is_told =
            page.contains("at rest: nothing to do") && page.contains("from what EC2 listed at ");
        is_told.then_some(()).ok_or(page)
    })
    .unwrap();
}
