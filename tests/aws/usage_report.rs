//! Which other accounts use an image that is to go, as EC2's reports tell a day late.

use amity_core::api::{ImageUser, conditions};
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::UsageReport;
use amity_core::image::plan::Reads;
use amity_core::image::plan::step::Action;
use ec2sim::state::{Instance, InstanceState};
use ec2sim::{Fault, Knobs, World};

use crate::lab::{ACCOUNT, INSTANCE, Lab, capture, desired};
use crate::scripted::Scripted;

const REGION: &str = "us-east-1";
const FRIEND: &str = "444455556666";
const REPORTS: &str = "DescribeImageUsageReports";
const ENTRIES: &str = "DescribeImageUsageReportEntries";
const DAY: u64 = 24 * 3600;
/// How long EC2 writes a report here.
const WRITES: u64 = 300;

fn knobs() -> Knobs {
    Knobs {
        usage_report_milliseconds: WRITES * 1000,
        ..Knobs::calm()
    }
}

/// A lab with an image of ours.
async fn with_image(lab: Lab) -> (Lab, Desired, String) {
    let lab = lab.started().await;
    let desired = desired("web", &[REGION]);
    let image = lab.make(&desired, REGION, capture(&desired)).await;
    lab.pass(60).await;
    (lab, desired, image)
}

/// Somebody else runs an instance of the image.
fn launch_as_friend(lab: &Lab, image: &str, id: &str) {
    let now = lab.clock.now();
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let like = region.instances.get(INSTANCE).expect("an instance").clone();
        let instance = Instance {
            id: id.to_owned(),
            owner: FRIEND.to_owned(),
            image: image.to_owned(),
            state: InstanceState::Running,
            launched: now,
            ..like
        };
        region.instances.insert(id.to_owned(), instance);
    });
}

/// What is told of the image within a moment.
async fn told(lab: &Lab, desired: &Desired, image: &str) -> Option<UsageReport> {
    let key = (Place::new(ACCOUNT, REGION), image.to_owned());
    let reads = Reads {
        usage_reports: [key.clone()].into(),
        ..Reads::default()
    };
    let mut observed = lab.inventory.observe(desired, &reads).await;
    observed.usage_reports.remove(&key)
}

fn ask(desired: &Desired, image: &str) -> Action {
    let place = Place::new(ACCOUNT, REGION);
    Action::CreateUsageReport {
        id: image.to_owned(),
        token: desired.identity.usage_report_token(&place, image, None),
        tags: desired.identity.usage_report_tags(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_is_asked_for_once_and_names_the_other_accounts() {
    let (lab, desired, image) = with_image(Lab::with_knobs(knobs())).await;
    launch_as_friend(&lab, &image, "i-00000000000000001");
    launch_as_friend(&lab, &image, "i-00000000000000002");
    lab.pass(DAY).await;
    assert_eq!(
        told(&lab, &desired, &image).await,
        Some(UsageReport::Absent)
    );
    let at = lab.clock.now();
    for _ in 0..2 {
        let done = lab.perform(&desired, REGION, ask(&desired, &image)).await;
        assert!(done.result.is_ok(), "{done:?}");
        lab.pass(10).await;
    }
    assert_eq!(
        told(&lab, &desired, &image).await,
        Some(UsageReport::Pending)
    );
    lab.pass(120).await;
    assert_eq!(
        told(&lab, &desired, &image).await,
        Some(UsageReport::Pending)
    );
    lab.pass(WRITES).await;
    let Some(UsageReport::Written { at: written, users }) = told(&lab, &desired, &image).await
    else {
        panic!("it is written");
    };
    let since = written.as_second() - at.as_second();
    assert!(since < 10, "the same token is the same report: {since} s");
    assert_eq!(
        users,
        [ImageUser::elsewhere(&image, "ec2:Instance", FRIEND, 2)]
    );
    let after =
        desired
            .identity
            .usage_report_token(&Place::new(ACCOUNT, REGION), &image, Some(written));
    let again = Action::CreateUsageReport {
        id: image.clone(),
        token: after,
        tags: desired.identity.usage_report_tags(),
    };
    let done = lab.perform(&desired, REGION, again).await;
    assert!(done.result.is_ok(), "{done:?}");
    lab.pass(2 * WRITES).await;
    let told = told(&lab, &desired, &image).await;
    assert!(
        matches!(told, Some(UsageReport::Written { at, .. }) if at > written),
        "after it, another token is another report: {told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_counts_every_version_of_a_launch_template() {
    let (lab, desired, image) = with_image(Lab::with_knobs(knobs())).await;
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let template = ec2sim::state::LaunchTemplate::of_images(
            "lt-00000000000000001",
            FRIEND,
            "theirs",
            (1..=30).map(|version| (version == 1).then(|| image.clone())),
        );
        let id = template.id.clone();
        region.launch_templates.insert(id, template);
    });
    lab.perform(&desired, REGION, ask(&desired, &image)).await;
    lab.pass(2 * WRITES).await;
    let told = told(&lab, &desired, &image).await;
    let Some(UsageReport::Written { users, .. }) = told else {
        panic!("{told:?}");
    };
    let template = ImageUser::elsewhere(&image, "ec2:LaunchTemplate", FRIEND, 1);
    assert_eq!(users, [template]);
}

/// One that the account's user asked for may leave out what counts.
#[tokio::test(start_paused = true)]
async fn a_report_of_somebody_else_is_none() {
    let world = World::example().expect("the example is a world");
    let unrestricted = Lab::over(world.with_knobs(knobs()), |ec2| ec2);
    let (lab, desired, image) = with_image(unrestricted).await;
    let Action::CreateUsageReport {
        id,
        token,
        mut tags,
    } = ask(&desired, &image)
    else {
        unreachable!("it is one");
    };
    tags.insert("amity.dev/owner".into(), "another".into());
    let theirs = Action::CreateUsageReport { id, token, tags };
    let done = lab.perform(&desired, REGION, theirs).await;
    assert!(done.result.is_ok(), "{done:?}");
    lab.pass(2 * WRITES).await;
    assert_eq!(
        told(&lab, &desired, &image).await,
        Some(UsageReport::Absent)
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_anew_finds_the_report() {
    let (lab, desired, image) = with_image(Lab::with_knobs(knobs())).await;
    lab.perform(&desired, REGION, ask(&desired, &image)).await;
    lab.pass(2 * WRITES).await;
    let another = lab.another_process().started().await;
    let told = told(&another, &desired, &image).await;
    assert!(
        matches!(&told, Some(UsageReport::Written { users, .. }) if users.is_empty()),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_is_unknown() {
    let denied = Fault::Refuse {
        code: "UnauthorizedOperation",
        message: "You are not authorized to perform this operation.",
    };
    for action in [REPORTS, ENTRIES] {
        for (fault, reason) in [
            (denied, conditions::ACCESS_DENIED),
            (Fault::Truncated, conditions::REGION_UNREADABLE),
        ] {
            let (lab, desired, image) = with_image(Lab::calm()).await;
            lab.perform(&desired, REGION, ask(&desired, &image)).await;
            lab.pass(120).await;
            lab.fail(action, fault);
            let told = loop {
                if let Some(told) = told(&lab, &desired, &image).await {
                    break told;
                }
                lab.pass(1).await;
            };
            let UsageReport::Unknown(unreadable) = told else {
                panic!("{action}, {fault:?}: {told:?}");
            };
            assert_eq!(unreadable.reason, reason, "{action}, {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_ec2_could_not_write_says_why() {
    let body = format!(
        "<{REPORTS}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\
         <imageUsageReportSet><item><reportId>amiur-00000000000000001</reportId><state>error</state>\
         <stateReason>internal error</stateReason><creationTime>2026-03-01T00:00:00Z</creationTime></item>\
         </imageUsageReportSet></{REPORTS}Response>"
    );
    let script = move |action: &str, _: &str| (action == REPORTS).then(|| (200, body.clone()));
    let lab = Lab::build(Knobs::calm(), |ec2| Scripted::new(ec2, script));
    let (lab, desired, image) = with_image(lab).await;
    let told = told(&lab, &desired, &image).await;
    assert!(
        matches!(&told, Some(UsageReport::Failed { message, .. }) if message == "internal error"),
        "{told:?}"
    );
}
