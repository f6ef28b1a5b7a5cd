//! What is shipped for Prometheus and Grafana says what the code says: the page of metrics, the alerts with their
//! runbooks, and the dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use amity::telemetry::catalogue::{self, Described, Kind, Values};
use amity_core::api::conditions::{Reason, TYPES};
use amity_testbed::{promtool, workspace_root};
use serde_json::Value;

/// What Prometheus adds to whatever it scrapes, and the bounds of histograms.
const OF_TARGETS: [&str; 5] = ["namespace", "pod", "instance", "job", "le"];

fn read(path: &str) -> String {
    fs::read_to_string(workspace_root().join(path)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The rules that alert.
fn alerts() -> Vec<Value> {
    let rules = yaml(&read("deploy/monitoring/prometheusrule.yaml"));
    let groups = rules["spec"]["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap().clone());
    rules.collect()
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap_or_else(|| panic!("{of} is no text"))
}

/// Every query of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let queries = targets
        .flatten()
        .map(|target| text(&target["expr"]).to_owned());
    queries.collect()
}

#[test]
fn the_page_of_metrics_is_that_of_the_source() {
    let path = workspace_root().join("docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, catalogue::page()).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap() == catalogue::page(),
        "docs/metrics.md is out of date; UPDATE_DOCS=1 writes it anew"
    );
}

#[test]
fn what_the_alerts_and_the_dashboard_ask_for_is_there() {
    let of_alerts = alerts()
        .into_iter()
        .map(|alert| text(&alert["expr"]).to_owned());
    for query in of_alerts.chain(queries()) {
        check(&query);
    }
}

#[test]
fn every_metric_is_on_the_dashboard_or_in_an_alert() {
    let of_alerts = alerts()
        .into_iter()
        .map(|alert| text(&alert["expr"]).to_owned());
    let all: Vec<String> = of_alerts.chain(queries()).collect();
    for described in catalogue::ALL {
        let name = described.full_name();
        let is_info = name.ends_with("_info");
        assert!(
            is_info || all.iter().any(|query| query.contains(&name)),
            "nobody looks at {name}"
        );
    }
}

/// That a query names metrics that there are, with labels and values that they may have.
fn check(query: &str) {
    let mut named: Vec<&Described> = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find("amity_") {
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let described =
            catalogue::named(name).unwrap_or_else(|| panic!("there is no {name}, in {query}"));
        if let Some(selector) = after.strip_prefix('{') {
            let selector = selector.split_once('}').unwrap().0;
            selector
                .split(',')
                .for_each(|one| check_selector(described, one, query));
        }
        named.push(described);
        rest = after;
    }
    assert!(!named.is_empty(), "{query} asks for nothing of Amity");
    for words in ["by (", "on ("] {
        for grouping in query.split(words).skip(1) {
            let grouping = grouping.split_once(')').unwrap().0;
            for label in grouping.split(',').map(str::trim) {
                let is_of = |one: &&Described| one.labels.iter().any(|of| of.name == label);
                let is_there = OF_TARGETS.contains(&label) || named.iter().any(is_of);
                assert!(is_there, "nothing has the label {label}, in {query}");
            }
        }
    }
}

fn check_selector(described: &Described, selector: &str, query: &str) {
    let operator = selector.find(['=', '!']).unwrap();
    let (label, value) = selector.split_at(operator);
    let label = label.trim();
    let value = value.trim_start_matches(['=', '!', '~']).trim_matches('"');
    if OF_TARGETS.contains(&label) {
        return;
    }
    let found = described.labels.iter().find(|of| of.name == label);
    let found = found.unwrap_or_else(|| panic!("{} has no {label}, in {query}", described.name));
    for value in value.split('|') {
        let may_be = match (label, found.values) {
            (_, Values::These(values)) => values.contains(&value),
            ("type", _) => TYPES.iter().any(|(name, _)| *name == value),
            ("reason", _) => Reason::named(value).is_some(),
            _ => true,
        };
        assert!(may_be, "{label} is never {value}, in {query}");
    }
}

#[test]
fn the_kinds_of_metrics_are_asked_as_such() {
    for query in queries() {
        for name in query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let Some(described) = catalogue::named(name) else {
                continue;
            };
            let is_rated = ["rate(", "increase("]
                .iter()
                .any(|word| query.contains(&format!("{word}{name}")));
            assert_eq!(is_rated, described.kind != Kind::Gauge, "{name} in {query}");
        }
    }
}

/// The anchors of the headings of a page, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let text = read(page);
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |title: &str| -> String {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(anchor).collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let mut of_alerts = BTreeSet::new();
    for alert in alerts() {
        let runbook = text(&alert["annotations"]["runbook"]).to_owned();
        let (page, anchor) = runbook.split_once('#').unwrap();
        assert_eq!(page, "docs/runbooks.md");
        assert_eq!(anchor, text(&alert["alert"]).to_lowercase());
        of_alerts.insert(anchor.to_owned());
    }
    let mut there = anchors("docs/runbooks.md");
    there.remove("runbooks");
    assert_eq!(there, of_alerts);
}

#[test]
fn the_links_of_these_pages_lead_somewhere() {
    for page in [
        "docs/runbooks.md",
        "docs/observability.md",
        "docs/metrics.md",
    ] {
        for link in read(page).split("](").skip(1) {
            let link = link.split_once(')').unwrap().0;
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = match file.strip_prefix("../") {
                Some(file) => file.to_owned(),
                None if file.is_empty() => page.to_owned(),
                None => format!("docs/{file}"),
            };
            assert!(workspace_root().join(&file).exists(), "{link} in {page}");
            let is_there = anchor.is_empty() || anchors(&file).contains(anchor);
            assert!(is_there, "{link} in {page}");
        }
    }
}

#[test]
fn prometheus_takes_the_alerts_and_each_fires_when_it_should_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let rules = yaml(&read("deploy/monitoring/prometheusrule.yaml"));
    // JSON is YAML.
    fs::write(folder.path().join("rules.yaml"), rules["spec"].to_string()).unwrap();
    fs::write(
        folder.path().join("alerts.yaml"),
        read("tests/monitoring/alerts.yaml"),
    )
    .unwrap();
    for arguments in [
        &["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"][..],
        &["test", "rules", "alerts.yaml"],
    ] {
        let answer = Command::new(promtool().unwrap())
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&answer.stdout) + String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{said}");
    }
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let cases = yaml(&read("tests/monitoring/alerts.yaml"));
    let mut seen: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for case in cases["tests"].as_array().unwrap() {
        for one in case["alert_rule_test"].as_array().unwrap() {
            let fires = one.get("exp_alerts").is_some();
            let of_alert = seen.entry(text(&one["alertname"]).to_owned());
            of_alert.or_default().insert(fires);
        }
    }
    let both = BTreeSet::from([false, true]);
    let expected = alerts().into_iter();
    let expected = expected.map(|alert| (text(&alert["alert"]).to_owned(), both.clone()));
    assert_eq!(seen, expected.collect());
}
