//! What is served is what the catalogue says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prometheus_client::encoding::text::encode;

use super::*;
use crate::aws::inventory::PlaceFigures;
use crate::telemetry::catalogue::{ALL, Kind};
use crate::telemetry::figures::{Condition, Figures, Leader, NoPlan};
use crate::telemetry::plan_page::PlanPage;

struct Somebody;

impl Leader for Somebody {
    fn figures(&self) -> Figures {
        let condition = Condition {
            kind: "MachineImage",
            r#type: "Ready",
            status: "True",
            reason: "InSync",
        };
        let place = ("default".to_owned(), "eu-west-1".to_owned());
        let figures = PlaceFigures {
            age: 1.5,
            slots_used: 1,
            slots_free: 19,
            copies_waiting: 2,
            throttled: 0,
            stored_bytes: 3 << 30,
        };
        Figures {
            objects: BTreeMap::from([("MachineImage", 1)]),
            conditions: BTreeMap::from([(condition, 1)]),
            places: BTreeMap::from([(place, figures)]),
            price: Some("0.05".parse().expect("a price")),
        }
    }

    fn plan(&self, _: &str) -> Result<PlanPage, NoPlan> {
        Err(NoPlan::default())
    }
}

/// Metrics in which each has been used once.
fn used() -> Metrics {
    let metrics = Metrics::default();
    metrics.ec2_calls.record_effect("CopyImage", "changed");
    metrics.reconciled("at_rest", Duration::from_millis(3));
    metrics.wrote("configmaps", "success");
    metrics.became_ready(Waited::SinceChange, Duration::from_secs(90));
    metrics.leads(true);
    metrics.ec2_calls.record("CopyImage", "success");
    metrics
}

fn text(metrics: &Metrics) -> String {
    let mut text = String::new();
    encode(&mut text, &metrics.registry()).expect("text");
    text
}

/// The type and help of each metric, and the labels of its samples.
fn served(text: &str) -> BTreeMap<String, (String, String, BTreeSet<String>)> {
    let mut served: BTreeMap<String, (String, String, BTreeSet<String>)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            served.entry(name.to_owned()).or_default().1 = help.to_owned();
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        {
            served.entry(name.to_owned()).or_default().0 = kind.to_owned();
        } else if let Some((sample, labels)) = line.split_once('{') {
            let (_, of) = served
                .iter_mut()
                .rfind(|(name, _)| sample.starts_with(name.as_str()))
                .expect("it was announced");
            let labels = labels.split_once('}').expect("an end").0;
            let names = labels.split(',').filter_map(|label| label.split_once('='));
            of.2.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
    served
}

#[test]
fn what_is_served_is_in_the_catalogue_with_the_same_labels_and_nothing_else_is() {
    let metrics = used();
    let leader: Arc<dyn Leader> = Arc::new(Somebody);
    metrics.led.by(&leader);
    let described = ALL.iter().map(|one| {
        let mut labels: BTreeSet<String> = one.labels.iter().map(|l| l.name.to_owned()).collect();
        if one.kind == Kind::Histogram {
            labels.insert("le".to_owned());
        }
        let of = (one.kind.name().to_owned(), format!("{}.", one.help), labels);
        (format!("{PREFIX}_{}", one.name), of)
    });
    let described: BTreeMap<_, _> = described.collect();
    assert_eq!(served(&text(&metrics)), described);
}

#[test]
fn what_only_the_leader_knows_is_gone_with_it() {
    let metrics = used();
    let leader: Arc<dyn Leader> = Arc::new(Somebody);
    metrics.led.by(&leader);
    assert!(
        text(&metrics)
            .contains("amity_inventory_age_seconds{account=\"default\",region=\"eu-west-1\"} 1.5")
    );
    assert!(
        text(&metrics).contains(
            "amity_storage_cost_per_month{account=\"default\",region=\"eu-west-1\"} 0.15"
        )
    );
    drop(leader);
    assert!(!text(&metrics).contains("eu-west-1"));
}

#[test]
fn an_invariant_that_was_never_broken_is_shown_as_zero() {
    assert!(text(&Metrics::default()).contains("amity_invariants_broken_total{invariant=\"4\"} 0"));
}
