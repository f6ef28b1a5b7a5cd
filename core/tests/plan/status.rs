//! What of a status no case shows: the message of a region, what comes first there, and what is not worth a write.

use amity_core::api::MachineImageStatus;
use amity_core::image::plan::plan;
use amity_core::image::report::{differs_only_in_progress, report};

use crate::read::situation;

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
