//! What is read besides the lists: only what the next plan waits for, since each costs a call.

use std::collections::BTreeSet;

use amity_core::image::identity::Place;
use amity_core::image::plan::{Reads, SourceQuery, When, plan, reads};

use crate::read::{ACCOUNT, situation};

/// What is read in the situation of a case.
#[track_caller]
fn read_in(case: &str) -> Reads {
    let case = serde_saphyr::from_str(case).unwrap();
    let it = situation(&case).unwrap();
    let plan = plan(&it.desired, &it.observed, it.now);
    reads(&it.desired, &it.observed, &plan, it.now)
}

fn usage_of(images: &[(&str, &str)]) -> BTreeSet<(Place, String)> {
    let one = |(region, id): &(&str, &str)| (Place::new(ACCOUNT, *region), (*id).to_owned());
    images.iter().map(one).collect()
}

#[track_caller]
fn asks_for_the_source(case: &str, expected: &str) {
    let asked = match read_in(case).source {
        None => "nothing".to_owned(),
        Some(SourceQuery::Instance(at)) => format!("instance {at}"),
        Some(SourceQuery::Image(at)) => format!("image {at}"),
        Some(SourceQuery::Snapshots(region, ids)) => {
            format!("snapshots {region} {}", ids.join(" "))
        }
        Some(SourceQuery::NamedImage(named)) => format!("name {named}"),
        Some(SourceQuery::Parameter(parameter)) => format!("parameter {parameter}"),
        Some(SourceQuery::Published(published)) => format!("published {published}"),
    };
    assert_eq!(asked, expected, "{case}");
}

#[test]
fn a_source_is_read_before_something_is_made_of_it() {
    asks_for_the_source(
        "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1]}",
        "instance us-east-1/i-1",
    );
    asks_for_the_source(
        "desired: {source: {image: us-east-1/ami-1}, regions: [us-east-1]}",
        "image us-east-1/ami-1",
    );
    asks_for_the_source(
        "desired: {source: {snapshot: us-east-1/snap-1, data: snap-2}, regions: [us-east-1]}",
        "snapshots us-east-1 snap-1 snap-2",
    );
}

#[test]
fn a_name_is_looked_up_until_it_is_pinned() {
    let desired = "desired: {source: {image: us-east-1, owner: self, name: golden}, regions: [us-east-1, eu-west-1]}";
    asks_for_the_source(desired, "name us-east-1/self/golden");
    let recorded = "before: {available: false, source: us-east-1/ami-7}";
    asks_for_the_source(&format!("{desired}\n{recorded}"), "image us-east-1/ami-7");
    let made = "observed: {us-east-1: {images: [{id: ami-a, origin: us-east-1/ami-8, from: us-east-1/ami-8}]}}";
    asks_for_the_source(
        &format!("{desired}\n{recorded}\n{made}"),
        "image us-east-1/ami-8",
    );
}

#[test]
fn a_parameter_is_read_until_it_is_pinned() {
    let desired =
        "desired: {source: {image: us-east-1, parameter: /base}, regions: [us-east-1, eu-west-1]}";
    asks_for_the_source(desired, "parameter us-east-1/ssm:/base");
    let recorded = "before: {available: false, source: us-east-1/ami-7}";
    asks_for_the_source(&format!("{desired}\n{recorded}"), "image us-east-1/ami-7");
}

#[test]
fn a_source_is_followed_only_while_nothing_is_being_made() {
    let follows = |follow: &str, observed: &str| {
        let of = "origin: us-east-1/ami-7, from: us-east-1/ami-7";
        let case = format!(
            "desired: {{source: {{image: us-east-1, parameter: /base}}, regions: [us-east-1], {follow}}}\n\
             observed: {{us-east-1: {{images: [{{id: ami-a, {of}, {observed}}}]}}}}"
        );
        read_in(&case).follow.is_some()
    };
    assert!(follows("follow: 24h", "published: true"));
    assert!(
        !follows("tags: {}", "published: true"),
        "it is not asked for"
    );
    assert!(!follows("follow: 24h", "published: false"));
    assert!(!follows("follow: 24h, suspend: true", "published: true"));
    assert!(!follows("follow: 24h, deleted: -1m", "published: true"));
    assert!(!follows(
        "follow: 24h, tags: {team: web}",
        "published: true, tags: {}"
    ));
}

#[test]
fn a_source_is_not_read_while_another_revision_may_be_where_nothing_can_be_read() {
    asks_for_the_source(
        "desired: {source: {image: us-east-1, parameter: /base}, regions: [us-east-1, eu-west-1], follow: 24h}\n\
         observed: {eu-west-1: {unreadable: it does not answer}}",
        "nothing",
    );
}

#[test]
fn what_was_captured_once_is_not_looked_at_again() {
    let made = "observed: {us-east-1: {images: [{id: ami-a}]}}";
    for source in ["instance: us-east-1/i-1", "snapshot: us-east-1/snap-1"] {
        asks_for_the_source(
            &format!("desired: {{source: {{{source}}}, regions: [us-east-1, eu-west-1]}}\n{made}"),
            "nothing",
        );
    }
    asks_for_the_source(
        &format!(
            "desired: {{source: {{image: us-east-1/ami-1}}, regions: [us-east-1, eu-west-1]}}\n{made}"
        ),
        "image us-east-1/ami-1",
    );
}

#[test]
fn a_source_is_not_read_where_nothing_is_made() {
    let unwanted = [
        "suspend: true",
        "deleted: -1m",
        "regions: [us-east-1], nameTemplate: \"{revision}-012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"",
    ];
    for said in unwanted {
        let regions = if said.contains("regions") {
            ""
        } else {
            "regions: [us-east-1],"
        };
        asks_for_the_source(
            &format!("desired: {{source: {{image: us-east-1/ami-1}}, {regions} {said}}}"),
            "nothing",
        );
    }
    asks_for_the_source(
        "{desired: {source: {image: us-east-1/ami-1}, regions: [us-east-1]}, observed: {us-east-1: {images: [{id: ami-a, published: true}]}}}",
        "nothing",
    );
}

/// A published image, and others of which nobody asked yet who uses them.
fn with_old(old: &str, more: &str) -> Reads {
    read_in(&format!(
        "desired: {{source: {{instance: us-east-1/i-1}}, regions: [us-east-1], keptRevisions: 1}}\n\
         observed:\n  us-east-1: {{images: [{{id: ami-a, published: true}}, {old}]}}\n{more}"
    ))
}

#[test]
fn who_uses_an_image_is_read_when_it_is_to_go() {
    let reads = with_old("{id: ami-1, revision: old, usageUnread: true}", "");
    assert_eq!(reads.usage, usage_of(&[("us-east-1", "ami-1")]));
    assert!(!reads.departures, "it is not published");
}

#[test]
fn who_uses_an_image_that_stays_is_not_read() {
    for stays in [
        "{id: ami-1, revision: old, superseded: -1h, usageUnread: true}",
        "{id: ami-1, revision: old, heldBy: team-x, usageUnread: true}",
        "{id: ami-1, revision: old, state: failed, usageUnread: true}",
        "{id: ami-1, revision: old, published: true, usageUnread: true}",
        "{id: ami-1, revision: old, attributes: {protected: +20h}, usageUnread: true}",
        "{id: ami-1, whose: copiedTags, revision: old, usageUnread: true}",
    ] {
        assert_eq!(with_old(stays, ""), Reads::default(), "{stays}");
    }
    let elsewhere = "  eu-west-1: {unreadable: eu-west-1 does not answer}";
    let old = "{id: ami-1, revision: old, usageUnread: true}";
    assert_eq!(with_old(old, elsewhere), Reads::default());
}

#[test]
fn who_uses_an_image_is_read_once_and_again_where_it_was_not_said() {
    let known = "{id: ami-1, revision: old, usedBy: [i-9]}";
    assert_eq!(with_old(known, ""), Reads::default());
    let denied = "{id: ami-1, revision: old, usageDenied: not allowed}";
    assert_eq!(
        with_old(denied, "").usage,
        usage_of(&[("us-east-1", "ami-1")])
    );
}

#[test]
fn a_config_map_is_looked_for_when_the_object_has_none_of_that_name() {
    let reads = |more: &str| {
        read_in(&format!(
            "desired: {{source: {{instance: us-east-1/i-1}}, regions: [us-east-1], configMapName: web}}\n\
             observed: {{us-east-1: {{images: [{{id: ami-a, published: true}}]}}}}\n{more}"
        ))
    };
    assert!(reads("configMapsUnread: true").config_map);
    let there = reads("configMaps: {web: {us-east-1: ami-a}}");
    assert!(!there.config_map);
    let looked_for = reads("configMapNameTaken: true");
    assert!(!looked_for.config_map);
}

#[test]
fn departures_are_counted_before_who_uses_a_published_image_is_read() {
    let goes = "  eu-west-1: {images: [{id: ami-b, published: true, usageUnread: true}]}";
    let none = "{id: ami-1, revision: old, superseded: -1h}";
    let uncounted = with_old(none, &format!("{goes}\ndeparturesUncounted: true"));
    assert!(uncounted.departures);
    assert_eq!(uncounted.usage, usage_of(&[]));
    let counted = with_old(none, &format!("{goes}\ndepartures: [1, 10]"));
    assert!(!counted.departures);
    assert_eq!(counted.usage, usage_of(&[("eu-west-1", "ami-b")]));
    let too_many = with_old(none, &format!("{goes}\ndepartures: [21, 25]"));
    assert_eq!(too_many, Reads::default());
}

/// Where parameters are read, and how soon.
#[track_caller]
fn reads_parameters(case: &str, expected: &[(&str, When)]) {
    let asked = read_in(case).parameters;
    let expected = expected
        .iter()
        .map(|(region, when)| (Place::new(ACCOUNT, *region), *when));
    assert_eq!(asked, expected.collect(), "{case}");
}

#[test]
fn parameters_are_read_now_and_then_where_an_image_is_published_and_never_without_the_field() {
    let published =
        "observed: {us-east-1: {images: [{id: ami-x, published: true}]}, eu-west-1: {}}";
    let asks = "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1, eu-west-1], ssmParameterName: /golden/web}";
    reads_parameters(
        &format!("{asks}\n{published}"),
        &[("us-east-1", When::InTurn)],
    );
    let nothing = "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1, eu-west-1]}";
    reads_parameters(&format!("{nothing}\n{published}"), &[]);
    let refused = format!("{asks}\n{published}\naccount: {{grants: none}}");
    reads_parameters(&refused, &[]);
}

#[test]
fn parameters_are_read_at_once_where_a_step_waits_for_that() {
    let asks = "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1], ssmParameterName: /golden/web}";
    let unread =
        "observed: {us-east-1: {images: [{id: ami-x, published: true}], parametersUnread: true}}";
    reads_parameters(&format!("{asks}\n{unread}"), &[("us-east-1", When::Now)]);
    let at_rest =
        "before: {available: true, ready: true, generation: 3, published: {us-east-1: ami-x}}";
    let at_rest = format!("{asks}\n{unread}\n{at_rest}");
    reads_parameters(&at_rest, &[("us-east-1", When::InTurn)]);
    let awaited = "observed: {us-east-1: {images: [{id: ami-x, published: true}], parameters: {}, awaited: ami-x, lastPut: -5s}}";
    reads_parameters(&format!("{asks}\n{awaited}"), &[("us-east-1", When::Now)]);
    let no_longer = "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1]}";
    let noted = "observed: {us-east-1: {images: [{id: ami-x, published: true, parameter: /golden/web}], parametersUnread: true}}";
    reads_parameters(
        &format!("{no_longer}\n{noted}"),
        &[("us-east-1", When::Now)],
    );
    let deleted =
        "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1], deleted: -1m}";
    reads_parameters(&format!("{deleted}\n{noted}"), &[("us-east-1", When::Now)]);
}

#[test]
fn parameters_that_are_gone_are_not_read_again_while_an_image_cools_down() {
    let deleted =
        "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1], deleted: -1h}";
    let with = |protected: &str| {
        format!(
            "{deleted}\nobserved: {{us-east-1: {{images: [{{id: ami-x, revision: old, superseded: -2h, parameter: /golden/web, \
             attributes: {{protected: {protected}}}}}], parameters: {{}}, parametersAsOf: -30m}}}}"
        )
    };
    reads_parameters(&with("+20h"), &[]);
    reads_parameters(&with("-1m"), &[("us-east-1", When::Now)]);
}

#[test]
fn machines_are_read_while_one_is_at_work_or_may_be() {
    let when = |more: &str, rest: &str| {
        let source = "source: {image: us-east-1/ami-parent, build: {}}";
        let read = read_in(&format!(
            "desired: {{{source}, regions: [us-east-1]{more}}}\n{rest}"
        ));
        read.machines.into_values().next()
    };
    let made = "observed:\n  us-east-1: {images: [{id: ami-a, from: us-east-1/i-9, origin: us-east-1/ami-parent, published: true}]}";
    let unread = format!("machinesUnread: true\n{made}");
    assert_eq!(when("", ""), Some(When::InTurn), "it is recorded first");
    let recorded = ", launched: {at: -1m}";
    assert_eq!(when(recorded, ""), Some(When::Now), "it is launched");
    assert_eq!(when(recorded, made), Some(When::InTurn), "at rest");
    assert_eq!(when(recorded, &unread), Some(When::Now), "after a restart");
    let long_ago = ", launched: {at: -3d}";
    assert_eq!(when(long_ago, &unread), Some(When::InTurn));
    let read = when(", deleted: -1m", "");
    assert_eq!(
        read,
        Some(When::Now),
        "nothing tells of one, but one may be"
    );
    assert!(matches!(
        when(", launched: {at: -1m}, deleted: -1m", ""),
        Some(When::After(_))
    ));
    assert!(
        read_in("desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1]}")
            .machines
            .is_empty()
    );
}
