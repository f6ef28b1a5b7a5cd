//! What of a status no case shows: the message of a region, what comes first there, and what is not worth a write.

use amity_core::api::MachineImageStatus;
use amity_core::image::plan::{Step, WaitsFor, plan};
use amity_core::image::report::{differs_only_in_progress, report};

use crate::read::{Situation, situation};

#[track_caller]
fn status(case: &str) -> MachineImageStatus {
    let case = serde_saphyr::from_str(case).unwrap();
    let it = situation(&case).unwrap();
    let plan = plan(&it.desired, &it.observed, it.now);
    let plan = plan.checked(&it.desired, &it.observed, it.now);
    report(&it.image, &it.desired, &it.observed, &plan, it.now)
}

const DESIRED: &str =
    "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1, eu-west-1]}\nobserved:";

fn pending(progress: u8) -> MachineImageStatus {
    status(&format!(
        "{DESIRED}\n  us-east-1: {{images: [{{id: ami-a}}]}}\n  \
         eu-west-1: {{images: [{{id: ami-b, from: us-east-1/ami-a, state: pending, progress: {progress}}}]}}"
    ))
}

#[test]
fn the_progress_of_a_copy_alone_is_not_worth_a_write() {
    let (some, more) = (pending(20), pending(70));
    assert_ne!(some, more, "the progress is shown");
    assert!(differs_only_in_progress(&some, &more));
    let done = status(&format!(
        "{DESIRED}\n  us-east-1: {{images: [{{id: ami-a}}]}}\n  \
         eu-west-1: {{images: [{{id: ami-b, from: us-east-1/ami-a}}]}}"
    ));
    assert!(!differs_only_in_progress(&more, &done));
}

#[test]
fn a_region_says_what_is_the_matter_there_and_nowhere_else() {
    let status = status(&format!(
        "{DESIRED}\n  us-east-1: {{images: [{{id: ami-a, published: true}}]}}\n  \
         eu-west-1: {{unreadable: no answer}}"
    ));
    let messages: Vec<_> = status
        .regions
        .iter()
        .map(|region| region.message.as_deref())
        .collect();
    assert_eq!(messages, [None, Some("no answer")]);
}

#[test]
fn the_published_revision_is_the_one_of_most_regions_and_says_since_when_and_of_what() {
    let others = "us-east-1: {images: [{id: ami-1, revision: last, published: true}, {id: ami-a}]}";
    let status = status(&format!(
        "{DESIRED}\n  {others}\n  eu-west-1: {{images: [{{id: ami-2, revision: last, published: true}}]}}"
    ));
    let published = status.published.expect("something is published");
    assert_eq!(published.source, "us-east-1/i-1");
    assert_ne!(
        published.revision,
        status.progressing.expect("another is on its way").revision
    );
    assert!(published.time.0.as_second() > 0);
}

#[test]
fn of_two_published_revisions_in_as_many_regions_the_wanted_one_is_told() {
    let status = status(&format!(
        "{DESIRED}\n  us-east-1: {{images: [{{id: ami-1, revision: last, published: true}}]}}\n  \
         eu-west-1: {{images: [{{id: ami-a, published: true}}]}}"
    ));
    let (published, progressing) = (status.published.unwrap(), status.progressing.unwrap());
    assert_eq!(published.revision, progressing.revision);
}

/// Whoever takes the images over goes by what the status says.
#[test]
fn the_revision_that_followed_is_the_one_that_is_told_while_another_cluster_holds_it() {
    let told = |cluster: &str| {
        let followed =
            "revision: of us-east-1/ami-2, origin: us-east-1/ami-2, from: us-east-1/ami-2";
        let status = status(&format!(
            "desired: {{source: {{image: us-east-1, parameter: /base}}, regions: [us-east-1, eu-west-1]}}\n\
             source: {{id: ami-2}}\nobserved:\n  \
             us-east-1: {{images: [{{id: ami-c, {followed}, published: true{cluster}}}]}}\n  eu-west-1: {{}}"
        ));
        status.progressing.expect("a region lacks it").revision
    };
    assert_eq!(told(", cluster: former"), told(""));
}

#[test]
fn what_is_published_everywhere_is_not_progressing() {
    let everywhere = "us-east-1: {images: [{id: ami-a, published: true}]}";
    let status = status(&format!(
        "{DESIRED}\n  {everywhere}\n  \
         eu-west-1: {{images: [{{id: ami-b, from: us-east-1/ami-a, published: true}}]}}"
    ));
    assert_eq!(status.progressing, None);
    assert_eq!(status.regions_ready.as_deref(), Some("2/2"));
    assert_eq!(status.source.as_deref(), Some("us-east-1/i-1"));
    assert!(status.next_steps.is_empty());
    assert!(
        status
            .regions
            .iter()
            .all(|region| region.progressing.is_none())
    );
}

#[test]
fn a_revision_keeps_the_time_at_which_it_began() {
    let case = format!("{DESIRED}\n  us-east-1: {{}}\n  eu-west-1: {{}}");
    let began = status(&case).progressing.expect("it begins").start_time;
    let case = serde_saphyr::from_str(&case).unwrap();
    let mut it = situation(&case).unwrap();
    let plan = plan(&it.desired, &it.observed, it.now);
    it.image.status = Some(report(&it.image, &it.desired, &it.observed, &plan, it.now));
    let later = it.now + jiff::SignedDuration::from_mins(5);
    let again = report(&it.image, &it.desired, &it.observed, &plan, later);
    assert_eq!(again.progressing.expect("it goes on").start_time, began);
    it.image.status = None;
    let anew = report(&it.image, &it.desired, &it.observed, &plan, later);
    assert_ne!(anew.progressing.expect("it begins").start_time, began);
}

#[test]
fn five_steps_are_shown_each_with_where_why_and_what_it_waits_for() {
    let regions = "us-east-1, us-east-2, us-west-1, us-west-2, eu-west-1, eu-west-2, eu-west-3";
    let places: Vec<_> = regions
        .split(", ")
        .map(|region| format!("  {region}: {{}}"))
        .collect();
    let status = status(&format!(
        "desired: {{source: {{image: us-east-1/ami-1}}, regions: [{regions}]}}\nsource: {{state: pending}}\nobserved:\n{}",
        places.join("\n")
    ));
    assert_eq!(status.next_steps.len(), 5);
    let first = &status.next_steps[0];
    assert_eq!(first.step, "CopyImage");
    assert_eq!(first.region.as_deref(), Some("us-east-1"));
    assert_eq!(first.why, "wanted by spec.regions");
    assert_eq!(
        first.waits_for.as_deref(),
        Some("us-east-1/ami-1 to be available")
    );
}

#[test]
fn long_words_of_ec2_are_cut_where_a_message_ends() {
    let words = "no answer ".repeat(200);
    let status = status(&format!(
        "{DESIRED}\n  us-east-1: {{images: [{{id: ami-a, published: true}}]}}\n  eu-west-1: {{unreadable: {words:?}}}"
    ));
    let message = status.regions[1].message.as_deref().unwrap();
    assert_eq!(message.chars().count(), 1000);
    assert!(message.ends_with('…') && words.starts_with(message.trim_end_matches('…')));
}

/// The answer wakes the object, and what it says next may be what it said before.
#[test]
fn that_ec2_has_not_answered_yet_is_no_news() {
    let case = format!(
        "{DESIRED}\n  us-east-1: {{images: [{{id: ami-a, published: true}}]}}\n  \
         eu-west-1: {{images: [{{id: ami-b, from: us-east-1/ami-a, published: true}}]}}\n  \
         ap-northeast-1: {{images: [{{id: ami-c, from: us-east-1/ami-a, published: true, usageUnread: true}}]}}"
    );
    let case = serde_saphyr::from_str(&case).unwrap();
    let mut it = situation(&case).unwrap();
    let plan = plan(&it.desired, &it.observed, it.now);
    let asks = |step: &Step| matches!(step.waits_for, Some(WaitsFor::Usage(_)));
    assert!(plan.steps.iter().any(asks), "{plan:#?}");
    let told = |it: &Situation| report(&it.image, &it.desired, &it.observed, &plan, it.now);
    let mut before = told(&it);
    before.regions_ready = Some("as before".to_owned());
    it.image.status = Some(before.clone());
    assert_eq!(told(&it), before);
    it.image.metadata.generation = Some(before.observed_generation + 1);
    assert_ne!(told(&it), before, "of another generation there is news");
}

/// A list lags behind the tags of the process before: neither the revision that the status names nor one before it has the
/// tag there.
#[test]
fn what_the_status_names_stays_published_while_a_list_shows_no_tag() {
    let ids = |of_the_first: &str, before: &str| {
        let status = status(&format!(
            "before: {{available: true, published: {{us-east-1: {before}}}}}\n{DESIRED}\n  \
             us-east-1: {{images: [{{id: ami-old, revision: last{of_the_first}}}, {{id: ami-a}}]}}\n  \
             eu-west-1: {{images: [{{id: ami-b, from: us-east-1/ami-a, published: true}}]}}"
        ));
        let mut regions = status.regions.into_iter();
        regions.next().and_then(|region| region.published_image_id)
    };
    assert_eq!(ids("", "ami-a").as_deref(), Some("ami-a"));
    assert_eq!(ids("", "ami-old").as_deref(), Some("ami-old"));
    let shown = ids(", published: true", "ami-a");
    assert_eq!(shown.as_deref(), Some("ami-old"), "EC2's word comes first");
    assert_eq!(ids("", "ami-other"), None, "it is not there");
}
