//! What a spec names as its source, as EC2 shows it.

use amity_core::api::conditions;
use amity_core::image::desired::{ImageName, Parameter, Published};
use amity_core::image::identity::{Place, Reference, tag};
use amity_core::image::observed::{ImageState, SourceImage, SourceSnapshot, SourceView};
use amity_core::image::plan::step::Action;
use amity_core::image::plan::{Reads, SourceQuery};
use ec2sim::state::{self, SnapshotState};
use ec2sim::{Fault, Knobs};

use crate::lab::{ACCOUNT, INSTANCE, Lab, capture, copy, desired};
use crate::scripted::Scripted;

const REGION: &str = "us-east-1";
const GOLDEN: &str = "ami-0feedfacefeedface";
const SNAPSHOT: &str = "snap-0feedfacefeedface";
const AMAZON: &str = "137112412989";
const STRANGER: &str = "444455556666";

async fn source(lab: &Lab, query: SourceQuery) -> SourceView {
    let reads = Reads {
        source: Some(query),
        ..Reads::default()
    };
    let desired = desired("web", &[REGION]);
    loop {
        let source = lab.inventory.observe(&desired, &reads).await.source;
        if source != SourceView::NotRead {
            return source;
        }
    }
}

async fn snapshots(lab: &Lab, ids: &[&str]) -> SourceView {
    let ids = ids.iter().map(|&id| id.to_owned()).collect();
    source(lab, SourceQuery::Snapshots(REGION.into(), ids)).await
}

async fn named(lab: &Lab, owner: &str, name: &str) -> SourceView {
    named_for(lab, owner, name, None).await
}

async fn named_for(
    lab: &Lab,
    owner: &str,
    name: &str,
    architecture: Option<&'static str>,
) -> SourceView {
    let named = ImageName {
        region: REGION.into(),
        owner: owner.into(),
        name: name.into(),
        architecture,
    };
    source(lab, SourceQuery::NamedImage(named)).await
}

async fn parameter(lab: &Lab, name: &str) -> SourceView {
    let parameter = Parameter {
        region: REGION.into(),
        name: name.into(),
    };
    source(lab, SourceQuery::Parameter(parameter)).await
}

/// Gives a parameter of the account another value.
fn put(lab: &Lab, name: &str, value: &str) {
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let own = region.parameters.get_mut(ACCOUNT).expect("it has some");
        own.get_mut(name).expect("it is there").value = value.into();
    });
}

fn found(view: SourceView) -> SourceImage {
    match view {
        SourceView::Image(image) => image,
        other => panic!("no image: {other:?}"),
    }
}

fn missing(view: SourceView) -> String {
    match view {
        SourceView::Missing { message } => message,
        other => panic!("not missing: {other:?}"),
    }
}

/// Adds an image that is like the user's, except for what `change` says.
fn add(lab: &Lab, id: &str, change: impl FnOnce(&mut state::Image)) {
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let mut image = region.images[GOLDEN].clone();
        image.id = id.into();
        change(&mut image);
        region.images.insert(id.into(), image);
    });
}

fn add_snapshot(lab: &Lab, id: &str, change: impl FnOnce(&mut state::Snapshot)) {
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let mut snapshot = region.snapshots[SNAPSHOT].clone();
        snapshot.id = id.into();
        change(&mut snapshot);
        region.snapshots.insert(id.into(), snapshot);
    });
}

/// `ami-` and 17 times the same digit.
fn id(digit: char) -> String {
    format!("ami-{}", digit.to_string().repeat(17))
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_told_in_the_order_of_the_spec() {
    let lab = Lab::calm().started().await;
    let data = "snap-00000000000000da7";
    add_snapshot(&lab, data, |snapshot| snapshot.owner = ACCOUNT.into());
    let of = |view| match view {
        SourceView::Snapshots(snapshots) => snapshots,
        other => panic!("{other:?}"),
    };
    let ids = |snapshots: &[SourceSnapshot]| -> Vec<String> {
        snapshots.iter().map(|one| one.id.clone()).collect()
    };
    let told = of(snapshots(&lab, &[SNAPSHOT, data]).await);
    assert_eq!(ids(&told), [SNAPSHOT, data]);
    assert_eq!(
        (
            told[0].state.as_str(),
            told[0].owner.as_str(),
            told[0].tags["team"].as_str()
        ),
        ("completed", ACCOUNT, "platform")
    );
    let told = of(snapshots(&lab, &[data, SNAPSHOT]).await);
    assert_eq!(ids(&told), [data, SNAPSHOT]);
}

#[tokio::test(start_paused = true)]
async fn the_state_and_the_owner_of_a_snapshot_are_told_as_they_are() {
    for (state, owner, told) in [
        (SnapshotState::Pending, ACCOUNT, "pending"),
        (SnapshotState::Error, ACCOUNT, "error"),
        (SnapshotState::Completed, STRANGER, "completed"),
    ] {
        let lab = Lab::calm().started().await;
        add_snapshot(&lab, "snap-00000000000000da7", |snapshot| {
            snapshot.state = state;
            snapshot.owner = owner.into();
            snapshot.shared_with = [ACCOUNT.to_owned()].into();
        });
        let SourceView::Snapshots(snapshots) = snapshots(&lab, &["snap-00000000000000da7"]).await
        else {
            panic!("it is shown");
        };
        assert_eq!(
            (snapshots[0].state.as_str(), snapshots[0].owner.as_str()),
            (told, owner)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_snapshot_that_is_not_there_makes_the_source_missing() {
    let lab = Lab::calm().started().await;
    let gone = "snap-0000000000000dead";
    let message = missing(snapshots(&lab, &[SNAPSHOT, gone]).await);
    assert!(message.contains(gone), "{message}");
    add_snapshot(&lab, "snap-00000000000005ec7", |snapshot| {
        snapshot.owner = STRANGER.into();
    });
    missing(snapshots(&lab, &["snap-00000000000005ec7"]).await);
}

#[tokio::test(start_paused = true)]
async fn the_newest_image_of_a_name_is_taken_and_of_two_as_new_the_one_with_the_greater_id() {
    let lab = Lab::calm().started().await;
    let at = |text: &str| text.parse().expect("a time");
    for (digit, created) in [
        ('c', "2026-02-01T00:00:00Z"),
        ('b', "2026-02-03T00:00:00Z"),
        ('a', "2026-02-03T00:00:00Z"),
        ('d', "2026-02-02T23:59:59Z"),
    ] {
        add(&lab, &id(digit), |image| {
            (image.name, image.created) = ("web".into(), at(created));
        });
    }
    assert_eq!(found(named(&lab, "self", "web").await).id, id('b'));
}

#[tokio::test(start_paused = true)]
async fn only_an_image_that_is_available_is_taken() {
    use state::ImageState as State;
    let lab = Lab::calm().started().await;
    let later = [
        ('1', State::Pending),
        ('2', State::Failed),
        ('3', State::Disabled),
    ];
    for (digit, state) in later {
        add(&lab, &id(digit), |image| {
            image.created = "2026-02-01T00:00:00Z".parse().expect("a time");
            image.state = state;
        });
    }
    assert_eq!(found(named(&lab, "self", "golden-2025").await).id, GOLDEN);
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        region.images.remove(GOLDEN);
    });
    lab.pass(31).await;
    missing(named(&lab, "self", "golden-2025").await);
}

/// Somebody publishes a newer image of the name that others take by name ("whoAMI").
#[tokio::test(start_paused = true)]
async fn a_strangers_public_image_of_the_same_name_is_never_taken() {
    let lab = Lab::calm().started().await;
    let amazons = "al2023-ami-2023.9.20260105.0-kernel-6.1-x86_64";
    for (digit, name) in [('e', "golden-2025"), ('f', amazons)] {
        add(&lab, &id(digit), |image| {
            image.name = name.into();
            image.owner = STRANGER.into();
            image.public = true;
            image.created = "2026-02-28T00:00:00Z".parse().expect("a time");
        });
    }
    for owner in ["self", ACCOUNT] {
        assert_eq!(found(named(&lab, owner, "golden-2025").await).id, GOLDEN);
    }
    for owner in ["amazon", AMAZON] {
        let image = found(named(&lab, owner, amazons).await);
        assert_eq!(
            (image.owner.as_str(), image.owner_alias.as_deref()),
            (AMAZON, Some("amazon"))
        );
    }
    missing(named(&lab, "self", amazons).await);
    assert_eq!(
        found(named(&lab, STRANGER, "golden-2025").await).id,
        id('e'),
        "it is there, and would be found by whoever asks for its owner"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_shared_with_the_account_is_found_by_its_owner() {
    let lab = Lab::calm().started().await;
    let image = found(named(&lab, STRANGER, "partner-base").await);
    assert_eq!(
        (image.id.as_str(), image.owner.as_str(), image.state),
        ("ami-0beefcafebeefcafe", STRANGER, ImageState::Available)
    );
    missing(named(&lab, "self", "partner-base").await);
}

/// Others leave it out of their lists, unless they say that they want it: who names it wants it.
#[tokio::test(start_paused = true)]
async fn a_deprecated_image_of_another_owner_is_found_by_its_name_too() {
    let lab = Lab::calm().started().await;
    let partners = "ami-0beefcafebeefcafe";
    lab.world(|world| {
        let region = world.regions_mut().get_mut(REGION).expect("a region");
        let image = region.images.get_mut(partners).expect("it is there");
        let deprecated = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
        image.deprecation = deprecated;
        let own = region.images.get_mut(GOLDEN).expect("it is there");
        own.deprecation = deprecated;
    });
    assert_eq!(
        found(named(&lab, STRANGER, "partner-base").await).id,
        partners
    );
    let by_id = SourceQuery::Image(Reference::new(REGION, partners));
    assert_eq!(found(source(&lab, by_id).await).id, partners);
    assert_eq!(
        found(named(&lab, "self", "golden-2025").await).id,
        GOLDEN,
        "its owner finds it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_with_wildcards_means_no_other_name() {
    let lab = Lab::calm().started().await;
    for name in [
        "golden-*",
        "golden-202?",
        "*",
        "golden-2025*",
        "golden\\-2025",
        "GOLDEN-2025",
    ] {
        missing(named(&lab, "self", name).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_architecture_decides_between_images_of_one_name() {
    let lab = Lab::calm().started().await;
    add(&lab, &id('a'), |image| {
        image.machine.architecture = "arm64".into();
        image.created = "2026-02-28T00:00:00Z".parse().expect("a time");
    });
    let of = async |architecture| found(named_for(&lab, "self", "golden-2025", architecture).await);
    let intel = of(Some("x86_64")).await;
    assert_eq!(
        (intel.id.as_str(), intel.architecture.as_str()),
        (GOLDEN, "x86_64")
    );
    assert_eq!(of(Some("arm64")).await.id, id('a'));
    assert_eq!(of(None).await.id, id('a'), "the newest");
    missing(named_for(&lab, "self", "golden-2025", Some("x86_64_mac")).await);
}

#[tokio::test(start_paused = true)]
async fn a_missing_name_is_told_with_its_owner() {
    let lab = Lab::calm().started().await;
    assert_eq!(
        missing(named(&lab, STRANGER, "golden-2025").await),
        "EC2 shows no available image \"golden-2025\" of owner 444455556666 to account 111122223333"
    );
}

#[tokio::test(start_paused = true)]
async fn the_newest_image_may_be_on_any_page() {
    let lab = Lab::with_knobs(Knobs {
        default_page_size: 1,
        empty_pages_per_mille: 500,
        ..Knobs::calm()
    })
    .started()
    .await;
    for (number, digit) in "0123456789abcdef".chars().enumerate() {
        add(&lab, &id(digit), |image| {
            let day = 1 + (number * 7) % 16;
            image.created = format!("2026-02-{day:02}T00:00:00Z")
                .parse()
                .expect("a time");
        });
    }
    let newest = (0..16).find(|number| (number * 7) % 16 == 15).expect("one");
    let newest = "0123456789abcdef".chars().nth(newest).expect("its digit");
    assert_eq!(
        found(named(&lab, "self", "golden-2025").await).id,
        id(newest)
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_cut_off_names_no_newest_image() {
    let lab = Lab::calm().started().await;
    lab.fail("DescribeImages", Fault::Truncated);
    let view = named(&lab, "self", "golden-2025").await;
    assert!(matches!(view, SourceView::Unreadable(_)), "{view:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_may_not_be_read_names_what_to_allow() {
    for (action, query) in [
        (
            "DescribeInstances",
            SourceQuery::Instance(Reference::new(REGION, INSTANCE)),
        ),
        (
            "DescribeSnapshots",
            SourceQuery::Snapshots(REGION.into(), vec![SNAPSHOT.into()]),
        ),
        (
            "DescribeImages",
            SourceQuery::Image(Reference::new(REGION, GOLDEN)),
        ),
        (
            "DescribeImages",
            SourceQuery::Parameter(Parameter {
                region: REGION.into(),
                name: "/golden/web".into(),
            }),
        ),
    ] {
        let lab = Lab::calm().started().await;
        lab.fail(
            action,
            Fault::Refuse {
                code: "UnauthorizedOperation",
                message: "You are not authorized to perform this operation.",
            },
        );
        let SourceView::Unreadable(unreadable) = source(&lab, query).await else {
            panic!("{action} is denied");
        };
        assert_eq!(unreadable.reason, conditions::ACCESS_DENIED);
        assert!(
            unreadable.message.contains(&format!("allow ec2:{action}")),
            "{}",
            unreadable.message
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_never_reaches_ec2() {
    let lab = Lab::calm().started().await;
    let before = lab.all_calls();
    for query in [
        SourceQuery::Instance(Reference::new(REGION, "")),
        SourceQuery::Image(Reference::new(REGION, "")),
        SourceQuery::Snapshots(REGION.into(), Vec::new()),
    ] {
        let view = source(&lab, query).await;
        assert!(matches!(view, SourceView::Unreadable(_)), "{view:?}");
    }
    let view = parameter(&lab, "").await;
    assert!(matches!(view, SourceView::Unreadable(_)), "{view:?}");
    for (owner, name) in [("", "golden-2025"), ("self", "")] {
        let view = named(&lab, owner, name).await;
        assert!(matches!(view, SourceView::Unreadable(_)), "{view:?}");
    }
    assert_eq!(lab.all_calls(), before);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_read_once_in_half_a_minute_for_everybody() {
    let lab = Lab::calm().started().await;
    lab.pass(300).await;
    let before = lab.reached("DescribeImages");
    for _ in 0..29 {
        found(named(&lab, "self", "golden-2025").await);
        lab.pass(1).await;
    }
    let lists = lab.reached("DescribeImages") - before;
    assert!(
        lists <= 1 + 5,
        "{lists}: one for the name, one a place at rest"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_leads_to_the_image_whose_id_is_its_value() {
    let lab = Lab::calm().started().await;
    let own = found(parameter(&lab, "/golden/web").await);
    assert_eq!((own.id.as_str(), own.owner.as_str()), (GOLDEN, ACCOUNT));
    let public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let amazons = found(parameter(&lab, public).await);
    assert_eq!(
        (amazons.owner.as_str(), amazons.owner_alias.as_deref()),
        (AMAZON, Some("amazon"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_not_there_is_told_with_its_region() {
    let lab = Lab::calm().started().await;
    assert_eq!(
        missing(parameter(&lab, "/golden/other").await),
        "Systems Manager shows no such parameter in us-east-1 to account 111122223333"
    );
    let strange = missing(parameter(&lab, "golden web").await);
    assert!(strange.contains("no such parameter"), "{strange}");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_with_another_value_is_no_image_and_its_value_is_not_told() {
    let lab = Lab::calm().started().await;
    put(&lab, "/golden/web", "hunter2");
    let SourceView::NoImage { message } = parameter(&lab, "/golden/web").await else {
        panic!("it is no image");
    };
    assert!(
        message.contains("/golden/web") && !message.contains("hunter2"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_with_the_id_of_an_image_that_is_gone_says_so() {
    let lab = Lab::calm().started().await;
    let gone = "ami-0000000000000dead";
    put(&lab, "/golden/web", gone);
    let message = missing(parameter(&lab, "/golden/web").await);
    assert!(
        message.starts_with(&format!("the value of the parameter is {gone}, and ")),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_may_not_be_read_names_what_to_allow() {
    let lab = Lab::calm().started().await;
    lab.fail(
        "GetParameter",
        Fault::Refuse {
            code: "AccessDeniedException",
            message: "User: arn:aws:iam::111122223333:user/amity is not authorized to perform: ssm:GetParameter",
        },
    );
    let SourceView::Unreadable(unreadable) = parameter(&lab, "/golden/web").await else {
        panic!("it is denied");
    };
    assert_eq!(unreadable.reason, conditions::ACCESS_DENIED);
    let allow = "allow ssm:GetParameter in the policy";
    assert!(unreadable.message.contains(allow), "{}", unreadable.message);
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_a_parameter_that_is_cut_off_names_no_image() {
    let lab = Lab::calm().started().await;
    lab.fail("GetParameter", Fault::Truncated);
    let view = parameter(&lab, "/golden/web").await;
    assert!(matches!(view, SourceView::Unreadable(_)), "{view:?}");
}

fn published_by(object: &str) -> SourceQuery {
    SourceQuery::Published(Published {
        region: REGION.into(),
        object: object.into(),
    })
}

async fn tag_with(lab: &Lab, id: &str, key: &str, value: &str) {
    let action = Action::CreateTags {
        id: id.into(),
        tags: [(key.to_owned(), value.to_owned())].into(),
    };
    let done = lab
        .perform(&desired("base", &[REGION]), REGION, action)
        .await;
    assert!(done.result.is_ok(), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn what_another_object_has_published_is_known_from_the_lists() {
    let lab = Lab::calm().started().await;
    let base = desired("base", &[REGION]);
    let object = base.identity.object.clone();
    assert_eq!(
        source(&lab, published_by(&object)).await,
        SourceView::Unpublished
    );
    let id = lab.make(&base, REGION, capture(&base)).await;
    lab.pass(60).await;
    tag_with(&lab, &id, tag::PUBLISHED, "2026-03-01T00:00:00Z").await;
    assert_eq!(
        source(&lab, published_by(&object)).await,
        SourceView::Unpublished,
        "it is not sealed"
    );
    tag_with(&lab, &id, tag::SELF, &id).await;
    let before = lab.all_calls();
    let image = found(source(&lab, published_by(&object)).await);
    assert_eq!(
        (
            image.id.as_str(),
            image.owner.as_str(),
            image.object.as_ref()
        ),
        (id.as_str(), ACCOUNT, Some(&object))
    );
    assert_eq!(lab.all_calls(), before, "nothing is asked");
    let by_id = found(source(&lab, SourceQuery::Image(Reference::new(REGION, &id))).await);
    assert_eq!(by_id.object, Some(object), "its seal says so");
    let others = found(source(&lab, SourceQuery::Image(Reference::new(REGION, GOLDEN))).await);
    assert_eq!(others.object, None);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_another_object_is_made_of_has_a_reader_while_it_is_copied() {
    let lab = Lab::with_knobs(Knobs {
        base_milliseconds: 60_000,
        ..Knobs::calm()
    })
    .started()
    .await;
    let (base, web) = (desired("base", &[REGION]), desired("web", &["eu-west-1"]));
    let id = lab.make(&base, REGION, capture(&base)).await;
    lab.pass(200).await;
    let read = Reference::new(REGION, &id);
    assert!(lab.observe(&base).await.readers.is_empty());
    let copied = lab
        .make(&web, "eu-west-1", copy(&web, &id, "eu-west-1"))
        .await;
    let reader = Reference::new("eu-west-1", &copied);
    for _ in 0..2 {
        let readers = lab.observe(&base).await.readers;
        assert_eq!(readers.get(&read), Some(&reader));
        lab.pass(20).await;
    }
    assert!(lab.observe(&web).await.readers.is_empty(), "it is its own");
    lab.pass(300).await;
    assert!(lab.observe(&base).await.readers.is_empty());
    let place = Place::new(ACCOUNT, "eu-west-1");
    assert!(lab.observe(&web).await.known_at(&place).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_followed_source_is_looked_at_once_in_its_interval() {
    let lab = Lab::calm().started().await;
    let mut web = desired("web", &[REGION]);
    web.follow = Some(jiff::SignedDuration::from_hours(24));
    let query = SourceQuery::Parameter(Parameter {
        region: REGION.into(),
        name: "/golden/web".into(),
    });
    let reads = Reads {
        follow: Some(query),
        ..Reads::default()
    };
    let leads_to = async || loop {
        match lab.inventory.observe(&web, &reads).await.followed {
            Some(SourceView::Image(image)) => return image.id,
            Some(SourceView::NotRead) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(leads_to().await, GOLDEN);
    let newer = id('a');
    add(&lab, &newer, |_| {});
    put(&lab, "/golden/web", &newer);
    let before = lab.reached("GetParameter");
    lab.pass(23 * 3600).await;
    assert_eq!(
        leads_to().await,
        GOLDEN,
        "it was looked at within the interval"
    );
    assert_eq!(lab.reached("GetParameter"), before);
    lab.pass(2 * 3600).await;
    assert_eq!(leads_to().await, newer);
    assert_eq!(lab.reached("GetParameter"), before + 1);
}

/// A lab whose account has this setting.
fn with_allowed_images(state: &'static str) -> Lab {
    Lab::build(Knobs::calm(), move |ec2| {
        Scripted::new(ec2, move |action, _| {
            let settings = format!(
                "<GetAllowedImagesSettingsResponse><requestId>r</requestId><state>{state}</state>\
                 <managedBy>account</managedBy></GetAllowedImagesSettingsResponse>"
            );
            (action == "GetAllowedImagesSettings").then_some((200, settings))
        })
    })
}

#[tokio::test(start_paused = true)]
async fn an_image_that_allowed_amis_may_hide_says_so() {
    let hidden = || SourceQuery::Image(Reference::new(REGION, "ami-0000000000000dead"));
    for (state, says_so) in [
        ("enabled", true),
        ("audit-mode", false),
        ("disabled", false),
    ] {
        let lab = with_allowed_images(state).started().await;
        let message = missing(source(&lab, hidden()).await);
        let said =
            message.contains("Allowed AMIs is enabled in us-east-1 for account 111122223333");
        assert_eq!(said, says_so, "{state}: {message}");
    }
    let lab = with_allowed_images("enabled").started().await;
    assert!(missing(named(&lab, STRANGER, "web").await).contains("Allowed AMIs"));
    let own = missing(named(&lab, "self", "web").await);
    assert!(!own.contains("Allowed AMIs"), "{own}");
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_may_not_be_read_explains_nothing() {
    let lab = Lab::calm().started().await;
    lab.fail(
        "GetAllowedImagesSettings",
        Fault::Refuse {
            code: "UnauthorizedOperation",
            message: "You are not authorized to perform this operation.",
        },
    );
    let hidden = SourceQuery::Image(Reference::new(REGION, "ami-0000000000000dead"));
    let message = missing(source(&lab, hidden).await);
    assert!(!message.contains("Allowed AMIs"), "{message}");
}
