//! Who uses an image that is to go: whatever is not answered counts as use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use amity_core::api::conditions;
use amity_core::image::identity::Place;
use amity_core::image::observed::Usage;
use amity_core::image::plan::Reads;
use ec2sim::state::{DataType, InstanceState, LaunchTemplate, Parameter};
use ec2sim::{Fault, Knobs};
use futures::future::join_all;

use crate::lab::{ACCOUNT, INSTANCE, Lab, desired};
use crate::scripted::Scripted;

const REGION: &str = "us-east-1";
/// An image of the example world, which a launch template and a parameter name.
const GOLDEN: &str = "ami-0feedfacefeedface";
/// An image that nothing names.
const LONELY: &str = "ami-000000000000a10e0";
const REFERENCES: &str = "DescribeImageReferences";

fn keys(region: &str, ids: &[impl AsRef<str>]) -> Reads {
    let place = Place::new(ACCOUNT, region);
    let usage = ids.iter().map(|id| (place.clone(), id.as_ref().to_owned()));
    Reads {
        usage: usage.collect(),
        ..Reads::default()
    }
}

/// What is told of these images within a moment.
async fn usages(lab: &Lab, region: &str, ids: &[impl AsRef<str>]) -> Vec<Option<Usage>> {
    let desired = desired("web", &[region]);
    let observed = lab.inventory.observe(&desired, &keys(region, ids)).await;
    let place = Place::new(ACCOUNT, region);
    ids.iter()
        .map(|id| {
            observed
                .usage
                .get(&(place.clone(), id.as_ref().to_owned()))
                .cloned()
        })
        .collect()
}

async fn usage(lab: &Lab, id: &str) -> Usage {
    let told = usages(lab, REGION, &[id]).await.pop();
    told.flatten().expect("it is told within a moment")
}

/// The kinds of what uses an image.
async fn users(lab: &Lab, id: &str) -> Vec<String> {
    match usage(lab, id).await {
        Usage::By(users) => {
            assert!(users.iter().all(|user| user.image_id == id), "{users:?}");
            let mut kinds: Vec<_> = users.into_iter().map(|user| user.resource_type).collect();
            kinds.sort();
            kinds
        }
        Usage::Unknown(unreadable) => panic!("{unreadable:?}"),
    }
}

fn unused() -> Usage {
    Usage::By(Vec::new())
}

/// A launch template with so many versions, of which only the first names the image.
fn template(number: usize, image: &str, versions: u64) -> LaunchTemplate {
    let of = |version| (version == 1).then(|| image.to_owned());
    LaunchTemplate::of_images(
        format!("lt-{number:017x}"),
        ACCOUNT,
        format!("template-{number}"),
        (1..=versions).map(of),
    )
}

fn add_template(lab: &Lab, template: LaunchTemplate) {
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        region
            .launch_templates
            .insert(template.id.clone(), template);
    });
}

#[tokio::test(start_paused = true)]
async fn an_image_is_used_by_every_instance_that_is_not_terminated() {
    use InstanceState as State;
    for (state, is_use) in [
        (State::Pending, true),
        (State::Running, true),
        (State::Stopping, true),
        (State::Stopped, true),
        (State::ShuttingDown, true),
        (State::Terminated, false),
    ] {
        let lab = Lab::calm().started().await;
        lab.world(|world| {
            let region = world.regions_mut().get_mut(REGION).expect("a region");
            let instance = region.instances.get_mut(INSTANCE).expect("an instance");
            (instance.state, instance.image) = (state, LONELY.to_owned());
        });
        let expected: &[&str] = if is_use { &["ec2:Instance"] } else { &[] };
        assert_eq!(users(&lab, LONELY).await, expected, "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_told_by_its_arn() {
    let lab = Lab::calm().started().await;
    let Usage::By(users) = usage(&lab, GOLDEN).await else {
        panic!("it can be read");
    };
    let mut users: Vec<_> = users
        .iter()
        .map(|user| {
            (
                user.resource_type.as_str(),
                user.arn.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    users.sort_unstable();
    assert_eq!(
        users,
        [
            (
                "ec2:LaunchTemplate",
                "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-0123456789abcdef0"
            ),
            (
                "ssm:Parameter",
                "arn:aws:ssm:us-east-1:111122223333:parameter/golden/web"
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_oldest_version_of_a_launch_template_is_a_use() {
    let lab = Lab::calm().started().await;
    add_template(&lab, template(1, LONELY, 200));
    assert_eq!(users(&lab, LONELY).await, ["ec2:LaunchTemplate"]);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_holds_the_image_is_a_use() {
    let lab = Lab::calm().started().await;
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let parameter = Parameter {
            value: LONELY.into(),
            data_type: DataType::Image,
            version: 1,
            modified: "2026-01-01T00:00:00Z".parse().expect("a time"),
        };
        let ours = region.parameters.entry(ACCOUNT.into()).or_default();
        ours.insert("/web/current".into(), parameter);
    });
    assert_eq!(users(&lab, LONELY).await, ["ssm:Parameter"]);
}

#[tokio::test(start_paused = true)]
async fn eleven_images_are_two_calls_and_each_is_told_of_its_own_users() {
    let lab = Lab::calm().started().await;
    let ids: Vec<String> = (0..11).map(|number| format!("ami-{number:017x}")).collect();
    for (number, id) in ids.iter().enumerate().skip(6) {
        add_template(&lab, template(number, id, 1));
    }
    let told = usages(&lab, REGION, &ids).await;
    let counts: Vec<_> = told
        .iter()
        .map(|usage| match usage {
            Some(Usage::By(users)) => users.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    assert_eq!(lab.reached(REFERENCES), 2);
}

#[tokio::test(start_paused = true)]
async fn images_of_two_regions_are_asked_for_where_they_are() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION, "eu-west-1"]);
    let mut reads = keys(REGION, &[GOLDEN]);
    reads.usage.extend(keys("eu-west-1", &[GOLDEN]).usage);
    let observed = lab.inventory.observe(&desired, &reads).await;
    let of = |region| &observed.usage[&(Place::new(ACCOUNT, region), GOLDEN.to_owned())];
    assert!(matches!(of(REGION), Usage::By(users) if users.len() == 2));
    assert_eq!(of("eu-west-1"), &unused());
}

#[tokio::test(start_paused = true)]
async fn every_page_is_read_and_an_empty_one_is_not_the_last() {
    let lab = Lab::with_knobs(Knobs {
        default_page_size: 1,
        empty_pages_per_mille: 700,
        ..Knobs::calm()
    })
    .started()
    .await;
    for number in 0..7 {
        add_template(&lab, template(number, LONELY, 1));
    }
    assert_eq!(users(&lab, LONELY).await.len(), 7);
    assert!(lab.reached(REFERENCES) > 7);
}

/// Nothing of this is told as "not used", whichever page it happens to.
#[tokio::test(start_paused = true)]
async fn whatever_is_not_answered_counts_as_use() {
    let denied = Fault::Refuse {
        code: "UnauthorizedOperation",
        message: "You are not authorized to perform this operation.",
    };
    let unsupported = Fault::Refuse {
        code: "UnsupportedOperation",
        message: "The functionality you requested is not available in this region.",
    };
    for (fault, reason) in [
        (denied, conditions::ACCESS_DENIED),
        (unsupported, conditions::REFUSED),
        (Fault::Truncated, conditions::REGION_UNREADABLE),
        (Fault::LostAnswer, conditions::REGION_UNREADABLE),
        (
            Fault::InternalError { effect: true },
            conditions::REGION_UNREADABLE,
        ),
        (Fault::Throttle, conditions::THROTTLED),
        (Fault::Hang { effect: true }, conditions::REGION_UNREADABLE),
    ] {
        for pages_before in [0, 1] {
            let lab = Lab::with_knobs(Knobs {
                default_page_size: 1,
                ..Knobs::calm()
            })
            .started()
            .await;
            let calls = AtomicUsize::new(0);
            lab.faults(move |call| {
                let is_late = || calls.fetch_add(1, Ordering::Relaxed) >= pages_before;
                if call.action == REFERENCES && is_late() {
                    fault
                } else {
                    Fault::None
                }
            });
            let at_once = usages(&lab, REGION, &[GOLDEN, LONELY]).await;
            assert!(
                at_once
                    .iter()
                    .all(|usage| !matches!(usage, Some(Usage::By(_)))),
                "{fault:?}: {at_once:?}"
            );
            let told = loop {
                let told = usages(&lab, REGION, &[GOLDEN, LONELY]).await;
                if let [Some(golden), Some(lonely)] = &told[..] {
                    break [golden.clone(), lonely.clone()];
                }
                lab.pass(1).await;
            };
            for usage in told {
                let Usage::Unknown(unreadable) = usage else {
                    panic!("{fault:?}: {usage:?}");
                };
                assert_eq!(
                    unreadable.reason, reason,
                    "{fault:?}: {}",
                    unreadable.message
                );
                assert!(
                    unreadable
                        .message
                        .contains("DescribeImageReferences in us-east-1"),
                    "{}",
                    unreadable.message
                );
            }
        }
    }
}

/// A lab in which `DescribeImageReferences` is answered so.
async fn answering(inner: &str) -> Lab {
    let body = format!(
        "<DescribeImageReferencesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>r</requestId>{inner}</DescribeImageReferencesResponse>"
    );
    let script = move |action: &str, _: &str| (action == REFERENCES).then(|| (200, body.clone()));
    Lab::build(Knobs::calm(), |ec2| Scripted::new(ec2, script))
        .started()
        .await
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_counts_as_use() {
    for broken in [
        // A reference to nobody, and one by nobody.
        "<imageReferenceSet><item><arn>arn:a</arn></item></imageReferenceSet>",
        "<imageReferenceSet><item><imageId>ami-000000000000a10e0</imageId></item></imageReferenceSet>",
        // A list without an end.
        "<imageReferenceSet/><nextToken>again</nextToken>",
    ] {
        let lab = answering(broken).await;
        let told = usage(&lab, LONELY).await;
        assert!(matches!(told, Usage::Unknown(_)), "{broken}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_of_a_kind_that_nobody_knows_yet_is_a_user() {
    let lab = answering(
        "<imageReferenceSet><item><imageId>ami-000000000000a10e0</imageId><resourceType>ecs:TaskSet</resourceType>\
         <arn>arn:a</arn></item></imageReferenceSet>",
    )
    .await;
    assert_eq!(users(&lab, LONELY).await, ["ecs:TaskSet"]);
}

#[tokio::test(start_paused = true)]
async fn in_a_place_that_cannot_be_read_everything_counts_as_used() {
    let lab = Lab::calm();
    let told = usages(&lab, REGION, &[LONELY]).await;
    assert!(!matches!(told[0], Some(Usage::By(_))), "{told:?}");
    let lab = lab.started().await;
    let told = usages(&lab, "af-south-1", &[LONELY]).await;
    assert!(matches!(told[0], Some(Usage::Unknown(_))), "{told:?}");
    lab.inventory.set_accounts([]);
    lab.pass(1).await;
    let before = lab.reached(REFERENCES);
    let told = usages(&lab, "eu-west-1", &[LONELY]).await;
    assert!(!matches!(told[0], Some(Usage::By(_))), "{told:?}");
    assert_eq!(lab.reached(REFERENCES), before);
}

#[tokio::test(start_paused = true)]
async fn a_denied_read_names_what_to_allow() {
    let lab = Lab::calm().started().await;
    lab.fail(
        REFERENCES,
        Fault::Refuse {
            code: "UnauthorizedOperation",
            message: "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/a is not \
                      authorized to perform: ssm:DescribeParameters on resource: x because no identity-based policy \
                      allows the ssm:DescribeParameters action",
        },
    );
    let Usage::Unknown(unreadable) = usage(&lab, LONELY).await else {
        panic!("it is denied");
    };
    assert!(
        unreadable
            .message
            .contains("allow ssm:DescribeParameters in the policy"),
        "{}",
        unreadable.message
    );
}

#[tokio::test(start_paused = true)]
async fn that_nothing_uses_an_image_is_believed_for_a_minute() {
    let lab = Lab::calm().started().await;
    assert_eq!(usage(&lab, LONELY).await, unused());
    add_template(&lab, template(1, LONELY, 1));
    lab.pass(59).await;
    assert_eq!(usage(&lab, LONELY).await, unused());
    assert_eq!(lab.reached(REFERENCES), 1);
    lab.pass(1).await;
    assert_eq!(users(&lab, LONELY).await, ["ec2:LaunchTemplate"]);
    assert_eq!(lab.reached(REFERENCES), 2);
}

#[tokio::test(start_paused = true)]
async fn that_something_uses_an_image_is_believed_for_ten_minutes() {
    let lab = Lab::calm().started().await;
    add_template(&lab, template(1, LONELY, 1));
    assert_eq!(users(&lab, LONELY).await.len(), 1);
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        region.launch_templates.clear();
    });
    for _ in 0..59 {
        lab.pass(10).await;
        assert_eq!(users(&lab, LONELY).await.len(), 1);
    }
    assert_eq!(lab.reached(REFERENCES), 1);
    lab.pass(10).await;
    assert_eq!(usage(&lab, LONELY).await, unused());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_believed_for_a_minute() {
    let lab = Lab::calm().started().await;
    lab.fail(REFERENCES, Fault::InternalError { effect: false });
    let told = loop {
        if let Some(told) = usages(&lab, REGION, &[LONELY]).await.remove(0) {
            break told;
        }
    };
    assert!(matches!(told, Usage::Unknown(_)), "{told:?}");
    lab.heal();
    lab.pass(50).await;
    assert_eq!(usage(&lab, LONELY).await, told);
    lab.pass(11).await;
    assert_eq!(usage(&lab, LONELY).await, unused());
}

#[tokio::test(start_paused = true)]
async fn who_asks_at_the_same_time_shares_one_call() {
    let lab = Lab::calm().started().await;
    let asked = (0..20).map(|_| usage(&lab, LONELY));
    let told = join_all(asked).await;
    assert!(told.iter().all(|usage| *usage == unused()));
    assert_eq!(lab.reached(REFERENCES), 1);
}

/// The cost that `docs/architecture.md` states.
#[tokio::test(start_paused = true)]
async fn twenty_five_images_that_are_used_cost_three_calls_in_ten_minutes() {
    let lab = Lab::calm().started().await;
    let ids: Vec<String> = (0..25).map(|number| format!("ami-{number:017x}")).collect();
    for (number, id) in ids.iter().enumerate() {
        add_template(&lab, template(number, id, 1));
    }
    let ends = lab.clock.now() + jiff::SignedDuration::from_hours(1);
    while lab.clock.now() < ends {
        let told = usages(&lab, REGION, &ids).await;
        assert!(
            told.iter()
                .all(|usage| matches!(usage, Some(Usage::By(users)) if users.len() == 1))
        );
        lab.pass(20).await;
    }
    assert_eq!(lab.reached(REFERENCES), 3 * 6);
}

#[tokio::test(start_paused = true)]
async fn calls_are_shared_by_region() {
    let lab = Arc::new(Lab::calm().started().await);
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for region in [REGION, "eu-west-1"] {
        let asked = (0..3).map(|_| usages(&lab, region, &[LONELY]));
        join_all(asked).await;
    }
    for (_, region, action, _) in lab.log() {
        if action == REFERENCES {
            *calls.entry(region).or_default() += 1;
        }
    }
    assert_eq!(calls.into_values().collect::<Vec<_>>(), [1, 1]);
}
