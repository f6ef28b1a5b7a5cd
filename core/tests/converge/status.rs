//! A status that anybody may have written: of this revision or of another, with ids of images that are there,
//! that are somebody else's, or that never were.

use amity_core::api::{
    MachineImageStatus, ProgressingRevision, PublishedRevision, RegionProgress, RegionStatus,
};
use amity_core::image::identity::Revision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::start::REGIONS;

/// What a status says.
#[derive(Clone, Debug)]
pub struct Said {
    generation: i64,
    conditions: Vec<(&'static str, bool)>,
    published: Option<Of>,
    progressing: Option<Of>,
    regions: Vec<(Option<String>, Option<String>)>,
}

/// A revision, where `None` is the wanted one, and what it is said to be made from.
type Of = (Option<&'static str>, &'static str);

/// Any status.
pub fn any() -> impl Strategy<Value = Said> {
    let conditions = prop::sample::subsequence(
        vec![
            "Ready",
            "Available",
            "SourceResolved",
            "Reconciling",
            "Stalled",
        ],
        0..=5,
    );
    let conditions = conditions.prop_flat_map(|types| {
        let count = types.len();
        vec(proptest::bool::ANY, count)
            .prop_map(move |values| types.iter().copied().zip(values).collect::<Vec<_>>())
    });
    let region = (prop::option::of(id()), prop::option::of(id()));
    (
        -1..3_i64,
        conditions,
        prop::option::of(of()),
        prop::option::of(of()),
        vec(region, 0..=REGIONS.len()),
    )
        .prop_map(
            |(generation, conditions, published, progressing, regions)| Said {
                generation,
                conditions,
                published,
                progressing,
                regions,
            },
        )
}

fn of() -> impl Strategy<Value = Of> {
    let revision =
        prop::sample::select(vec![None, None, Some("old"), Some("older"), Some("never")]);
    let source = prop::sample::select(vec![
        "us-east-1/i-1",
        "us-east-1/i-2",
        "us-east-1/snap-origin",
        "us-east-1/ami-origin",
        "us-east-1/ami-origin-before",
        "us-east-1/ami-seed0",
        "eu-west-1/ami-origin",
        "nonsense",
    ]);
    (revision, source)
}

fn id() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["seed", "stranger", "never"]);
    (kind, 0..7_u8).prop_map(|(kind, number)| format!("ami-{kind}{number}"))
}

impl Said {
    /// The same, where `revision` is the wanted one.
    pub fn of(&self, revision: &Revision) -> MachineImageStatus {
        let time = || Time("2026-02-01T00:00:00Z".parse().unwrap());
        let name = |said: Option<&str>| said.map_or_else(|| revision.to_string(), str::to_owned);
        let condition = |(type_, value): &(&str, bool)| Condition {
            type_: (*type_).to_owned(),
            status: if *value { "True" } else { "False" }.to_owned(),
            reason: "Progressing".to_owned(),
            message: "as somebody wrote it".to_owned(),
            last_transition_time: time(),
            observed_generation: Some(self.generation),
        };
        let region = |(name, (published, made)): (&&str, &(Option<String>, Option<String>))| {
            let progress = |id: &String| RegionProgress::of(id, "pending", 50);
            RegionStatus {
                account_name: "default".to_owned(),
                stored_gib: None,
                name: (*name).to_owned(),
                published_image_id: published.clone(),
                progressing: made.as_ref().map(progress),
                message: None,
                in_use_by: Vec::new(),
            }
        };
        MachineImageStatus {
            observed_generation: self.generation,
            conditions: self.conditions.iter().map(condition).collect(),
            regions_ready: Some("3/3".to_owned()),
            stored_gib: None,
            cost_per_month: None,
            source: self.published.map(|(_, source)| source.to_owned()),
            published: self.published.map(|(revision, source)| PublishedRevision {
                revision: name(revision),
                time: time(),
                source: source.to_owned(),
            }),
            progressing: self
                .progressing
                .map(|(revision, source)| ProgressingRevision {
                    revision: name(revision),
                    source: source.to_owned(),
                    start_time: time(),
                }),
            next_steps: Vec::new(),
            regions: REGIONS.iter().zip(&self.regions).map(region).collect(),
        }
    }
}
