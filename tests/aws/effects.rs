//! One step → one call, whatever becomes of its answer.

use std::collections::BTreeMap;

use amity::aws::effect::Answer;
use amity_core::api::conditions;
use amity_core::image::attributes::{AttributeChange, Protection};
use amity_core::image::desired::Desired;
use amity_core::image::encryption::VARIANT_SOURCE;
use amity_core::image::identity::{Place, Reference, tag};
use amity_core::image::observed::{Asked, ImageState};
use amity_core::image::plan::plan;
use amity_core::image::plan::step::{Action, Step, Why};
use ec2sim::{Fault, Knobs};
use jiff::SignedDuration;

use crate::lab::{ACCOUNT, Lab, capture, copy, desired, ids};

/// An action that makes an image in us-east-1.
fn asked(action: &'static str) -> Asked {
    Asked {
        place: Place::new(ACCOUNT, "us-east-1"),
        action,
        target: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_capture_is_shown_at_once_with_its_tags() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 60,
        ..Knobs::default()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    let known = lab.known(&desired, "us-east-1").await;
    assert_eq!(ids(&known.images), [&id]);
    assert_eq!(known.images[0].state, ImageState::Pending);
    assert_eq!(known.images[0].tags.get(tag::OBJECT), Some("images/web"));
}

#[tokio::test(start_paused = true)]
async fn an_image_and_its_snapshots_are_born_with_tags_of_their_own() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let with_more = |mut action| {
        if let Action::CreateImage { snapshot_tags, .. } | Action::CopyImage { snapshot_tags, .. } =
            &mut action
        {
            snapshot_tags.insert("backup".to_owned(), "never".to_owned());
        }
        action
    };
    let capture = with_more(capture(&desired));
    let origin = lab.make(&desired, "us-east-1", capture).await;
    lab.pass(60).await;
    let copy = with_more(copy(&desired, &origin, "eu-west-1"));
    lab.make(&desired, "eu-west-1", copy).await;
    lab.pass(600).await;
    for region in ["us-east-1", "eu-west-1"] {
        let known = lab.known(&desired, region).await;
        assert!(!known.images[0].tags.contains_key("backup"), "{region}");
        assert!(!known.snapshots.is_empty(), "{region}");
        for snapshot in &known.snapshots {
            assert_eq!(snapshot.tags.get("backup"), Some("never"), "{region}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_made_once_however_often_it_is_asked_for() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(5).await;
    let first = lab
        .make(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    let second = lab
        .make(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    assert_eq!(first, second);
    lab.pass(60).await;
    let known = lab.known(&desired, "eu-west-1").await;
    assert_eq!(ids(&known.images), [&first]);
    assert_eq!(
        known.images[0]
            .source_image
            .as_ref()
            .map(ToString::to_string),
        Some(format!("us-east-1/{origin}"))
    );
}

#[tokio::test(start_paused = true)]
async fn steps_in_different_places_are_taken_together() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1", "ap-northeast-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(5).await;
    let steps: Vec<Step> = ["eu-west-1", "ap-northeast-1"]
        .iter()
        .map(|region| {
            Step::at(
                &Place::new(ACCOUNT, *region),
                copy(&desired, &origin, region),
                Why::WantedByRegions,
            )
        })
        .collect();
    let outcomes = lab.effects.perform(&desired, steps.iter().collect()).await;
    assert_eq!(outcomes.len(), 2);
    assert!(
        outcomes.iter().all(|outcome| outcome.made().is_some()),
        "{outcomes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_made_can_be_tagged_deregistered_and_deleted() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(30).await;

    let tags = [(tag::SELF.to_owned(), id.clone())].into();
    lab.perform(
        &desired,
        "us-east-1",
        Action::CreateTags {
            id: id.clone(),
            tags,
        },
    )
    .await;
    let sealed = |known: &amity_core::image::observed::Known| {
        known.images[0].tags.get(tag::SELF).map(str::to_owned)
    };
    assert_eq!(
        sealed(&lab.known(&desired, "us-east-1").await),
        Some(id.clone()),
        "shown before it is read"
    );
    lab.pass(30).await;
    assert_eq!(
        sealed(&lab.known(&desired, "us-east-1").await),
        Some(id.clone())
    );
    lab.perform(
        &desired,
        "us-east-1",
        Action::DeleteTags {
            id: id.clone(),
            keys: vec![tag::SELF.into()],
        },
    )
    .await;
    lab.pass(30).await;
    let known = lab.known(&desired, "us-east-1").await;
    assert_eq!(sealed(&known), None);
    assert_eq!(
        known.images[0].tags.iter().count(),
        7,
        "the other tags are still there"
    );

    let snapshots: Vec<String> = known
        .snapshots
        .iter()
        .map(|snapshot| snapshot.id.clone())
        .collect();
    assert_eq!(snapshots.len(), 2, "the instance has two volumes");
    let in_use = lab
        .perform(
            &desired,
            "us-east-1",
            Action::DeleteSnapshot {
                id: snapshots[0].clone(),
            },
        )
        .await;
    let refusal = in_use.result.expect_err("in use");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::PROGRESSING, true),
        "{refusal:?}"
    );

    let deregister = Action::DeregisterImage { id: id.clone() };
    let done = lab.perform(&desired, "us-east-1", deregister.clone()).await;
    assert_eq!(done.result, Ok(Answer::Changed));
    assert!(lab.known(&desired, "us-east-1").await.images.is_empty());
    lab.world(|world| world.facts_mut().missing_resources_are_denied = false);
    let again = lab.perform(&desired, "us-east-1", deregister).await;
    assert_eq!(again.result, Ok(Answer::AlreadyGone));

    lab.pass(60).await;
    let known = lab.known(&desired, "us-east-1").await;
    assert!(
        known
            .snapshots
            .iter()
            .all(|snapshot| snapshot.used_by == Some(vec![])),
        "{:?}",
        known.snapshots
    );
    for id in snapshots {
        let done = lab
            .perform(&desired, "us-east-1", Action::DeleteSnapshot { id })
            .await;
        assert_eq!(done.result, Ok(Answer::Changed));
    }
    lab.pass(60).await;
    assert!(lab.known(&desired, "us-east-1").await.snapshots.is_empty());
    assert!(lab.world(|world| {
        world.regions()["us-east-1"]
            .snapshots
            .contains_key("snap-0feedfacefeedface")
    }));
}

/// What is gone has no tags by which its removal could be allowed once more, so that IAM may deny it.
#[tokio::test(start_paused = true)]
async fn a_denial_is_no_proof_that_something_is_gone() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(60).await;
    let deregister = Action::DeregisterImage { id };
    lab.fail("DeregisterImage", Fault::LostAnswer);
    let lost = lab.perform(&desired, "us-east-1", deregister.clone()).await;
    assert!(lost.result.is_err(), "{lost:?}");
    lab.heal();
    // Longer than it is put off.
    lab.pass(400).await;

    let again = lab.perform(&desired, "us-east-1", deregister).await;

    let refusal = again.result.expect_err("denied");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::ACCESS_DENIED, false),
        "the one before may have been done: {refusal:?}"
    );
    // That it is gone is what the lists say.
    lab.pass(1000).await;
    assert!(lab.known(&desired, "us-east-1").await.images.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_never_reaches_ec2() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let before = lab.all_calls();
    let id = "ami-0feedfacefeedface".to_owned();
    for action in [
        Action::DeleteTags {
            id: id.clone(),
            keys: vec![],
        },
        Action::CreateTags {
            id,
            tags: [].into(),
        },
        Action::DeregisterImage { id: String::new() },
        Action::DeleteSnapshot { id: "snap-".into() },
    ] {
        let outcome = lab.perform(&desired, "us-east-1", action).await;
        assert!(outcome.result.is_err(), "{outcome:?}");
    }
    assert_eq!(lab.all_calls(), before);
}

#[tokio::test(start_paused = true)]
async fn a_capture_whose_answer_was_lost_is_found_by_its_name() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 20,
        ..Knobs::calm()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    lab.fail("CreateImage", Fault::LostAnswer);
    let lost = lab
        .perform(&desired, "us-east-1", capture(&desired))
        .await
        .result
        .expect_err("no answer");
    assert!(!lost.certain, "{lost:?}");
    assert_eq!(lab.reached("CreateImage"), 1, "the SDK repeats nothing");

    lab.heal();
    let at_once = lab
        .perform(&desired, "us-east-1", capture(&desired))
        .await
        .result
        .expect_err("not yet");
    assert_eq!(at_once, lost, "it is not asked again before its time");
    assert_eq!(lab.reached("CreateImage"), 1);

    lab.pass(3).await;
    let again = lab.perform(&desired, "us-east-1", capture(&desired)).await;
    assert_eq!(again.result, Ok(Answer::NameTaken));
    lab.pass(60).await;
    let known = lab.known(&desired, "us-east-1").await;
    let holders = &known.name_holders[&desired.image_name];
    assert_eq!(
        ids(holders),
        lab.images_in("us-east-1")
            .iter()
            .filter(|id| *id != "ami-0feedfacefeedface")
            .collect::<Vec<_>>()
    );
    assert!(desired.identity.is_claimed_by(&holders[0].tags));
    assert_eq!(
        ids(&known.images),
        ids(holders),
        "and the list shows it by now"
    );
    let refusal = &lab.observe(&desired).await.refusals[&asked("CreateImage")];
    assert!(!refusal.certain, "an earlier answer was lost");
}

/// The same copy, as it is asked for after a tag was added to the spec.
fn with_one_more_tag(mut desired: Desired, origin: &str) -> (Desired, Action) {
    desired.tags = [("team".to_owned(), "web".to_owned())].into();
    let mut action = copy(&desired, origin, "eu-west-1");
    if let Action::CopyImage { tags, .. } = &mut action {
        tags.extend(desired.tags.clone());
    }
    (desired, action)
}

/// An origin to copy, and a copy of it to eu-west-1 that EC2 made without telling anybody.
async fn copied_and_not_told(knobs: Knobs) -> (Lab, Desired, String) {
    let lab = Lab::with_knobs(knobs).started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    let tags = [(tag::SELF.to_owned(), origin.clone())].into();
    let id = origin.clone();
    lab.pass(600).await;
    lab.perform(&desired, "us-east-1", Action::CreateTags { id, tags })
        .await;
    lab.fail("CopyImage", Fault::LostAnswer);
    lab.perform(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await
        .result
        .expect_err("no answer");
    lab.heal();
    (lab, desired, origin)
}

#[tokio::test(start_paused = true)]
async fn a_copy_repeated_with_other_tags_is_already_made_and_looked_for() {
    let (lab, desired, origin) = copied_and_not_told(Knobs {
        max_read_lag_seconds: 120,
        ..Knobs::calm()
    })
    .await;
    let (desired, again) = with_one_more_tag(desired, &origin);
    let outcome = lab.perform(&desired, "eu-west-1", again).await;
    assert_eq!(outcome.result, Ok(Answer::AlreadyMade));
    let log = lab.log();
    let copies = log.iter().filter(|(_, _, action, _)| action == "CopyImage");
    let outcomes: Vec<_> = copies.map(|(.., outcome)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["ok", "IdempotentParameterMismatch"]);
    let made = lab.images_in("eu-west-1");
    assert_eq!(made.len(), 1);

    for _ in 0..4 {
        lab.pass(300).await;
        let known = lab.known(&desired, "eu-west-1").await;
        assert_eq!(
            (ids(&known.images), known.dead.len()),
            (vec![made[0].as_str()], 0)
        );
    }
    assert_eq!(lab.images_in("eu-west-1"), made);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_already_made_but_gone_is_dead_and_the_next_has_another_token() {
    let (lab, desired, origin) = copied_and_not_told(Knobs::calm()).await;
    let made = lab.images_in("eu-west-1");
    lab.world(|world| {
        let region = world.regions_mut().get_mut("eu-west-1").expect("a region");
        region.images.remove(&made[0]).expect("it was made");
    });
    let (desired, again) = with_one_more_tag(desired, &origin);
    let outcome = lab.perform(&desired, "eu-west-1", again).await;
    assert_eq!(outcome.result, Ok(Answer::AlreadyMade));
    let place = Place::new(ACCOUNT, "eu-west-1");
    let next_copy = async || {
        let observed = lab.observe(&desired).await;
        let plan = plan(&desired, &observed, lab.clock.now());
        let mut steps = plan.steps.into_iter();
        let step = steps.find(|step| step.place.as_ref() == Some(&place));
        step.expect("eu-west-1 is wanted").action
    };
    let token = |attempt| {
        desired
            .identity
            .copy_token(&desired.revision, VARIANT_SOURCE, &place, attempt)
    };
    let token_of = |action: &Action| match action {
        Action::CopyImage { token, .. } => token.clone(),
        other => panic!("{other}"),
    };

    lab.pass(500).await;
    assert!(lab.known(&desired, "eu-west-1").await.dead.is_empty());
    assert_eq!(token_of(&next_copy().await), token(1), "it may show yet");
    lab.pass(500).await;
    let dead = lab.known(&desired, "eu-west-1").await.dead;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0].revision, desired.revision);
    let next = next_copy().await;
    assert_eq!(token_of(&next), token(2));
    let id = lab.make(&desired, "eu-west-1", next).await;
    assert_eq!(lab.images_in("eu-west-1"), [id]);
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_no_answer() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(5).await;
    lab.fail("CopyImage", Fault::Truncated);
    let cut = lab
        .perform(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await
        .result
        .expect_err("cut");
    assert_eq!(
        (cut.reason, cut.certain),
        (conditions::PROGRESSING, false),
        "{cut:?}"
    );
    lab.heal();
    lab.pass(3).await;
    lab.make(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    assert_eq!(lab.images_in("eu-west-1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_may_have_been_done() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    lab.fail("CreateImage", Fault::Hang { effect: true });
    let hung = lab
        .perform(&desired, "us-east-1", capture(&desired))
        .await
        .result
        .expect_err("no answer");
    assert!(!hung.certain);
    assert_eq!(
        lab.observe(&desired).await.last_creation,
        hung.at,
        "the window runs from when the answer was given up"
    );
}

#[tokio::test(start_paused = true)]
async fn throttling_puts_off_every_object_there_and_nowhere_else() {
    let lab = Lab::calm().started().await;
    let (web, db) = (
        desired("web", &["us-east-1"]),
        desired("db", &["us-east-1"]),
    );
    lab.fail("CreateImage", Fault::Throttle);
    let refused = lab
        .perform(&web, "us-east-1", capture(&web))
        .await
        .result
        .expect_err("throttled");
    assert_eq!(
        (refused.reason, refused.certain),
        (conditions::THROTTLED, true)
    );
    let calls = lab.calls.count("CreateImage", "throttled");
    let other = lab
        .perform(&db, "us-east-1", capture(&db))
        .await
        .result
        .expect_err("held back");
    assert_eq!(other.reason, conditions::THROTTLED);
    assert!(
        other.retry_at > refused.retry_at,
        "each has a moment of its own"
    );
    let shown = &lab.observe(&db).await.refusals[&asked("CreateImage")];
    assert_eq!(shown, &other, "so that the planner waits");
    assert_eq!(
        lab.calls.count("CreateImage", "throttled"),
        calls,
        "it was not sent"
    );

    lab.heal();
    lab.pass(2).await;
    lab.make(&db, "us-east-1", capture(&db)).await;
    lab.make(&web, "us-east-1", capture(&web)).await;
    assert!(
        lab.observe(&web).await.refusals.is_empty(),
        "success clears it"
    );
}

/// Which revision follows is known only once everything was read, refusals too.
#[tokio::test(start_paused = true)]
async fn what_was_refused_of_a_revision_that_followed_its_source_is_not_forgotten() {
    let lab = Lab::calm().started().await;
    let read = desired("web", &["us-east-1"]);
    let mut settled = read.clone();
    settled.revision = settled
        .lineage
        .following(&Reference::new("us-east-1", "ami-1"));
    assert_ne!(settled.revision, read.revision);
    lab.fail("CreateImage", Fault::Throttle);
    let refused = lab.perform(&settled, "us-east-1", capture(&settled)).await;
    let refusal = refused.result.expect_err("throttled");
    let shown = lab.observe(&read).await.refusals;
    assert_eq!(shown.get(&asked("CreateImage")), Some(&refusal));
}

#[tokio::test(start_paused = true)]
async fn throttling_holds_up_no_other_region_and_no_other_action() {
    let lab = Lab::calm().started().await;
    let wanted = ["us-east-1", "eu-west-1", "us-west-2"];
    let (web, db) = (desired("web", &wanted), desired("db", &wanted));
    let origin = lab.make(&web, "us-east-1", capture(&web)).await;
    lab.pass(5).await;
    let id = lab
        .make(&web, "eu-west-1", copy(&web, &origin, "eu-west-1"))
        .await;
    lab.faults(|call| match (call.action.as_str(), call.region.as_str()) {
        ("CopyImage", "eu-west-1") => Fault::Throttle,
        _ => Fault::None,
    });
    let copy_db = |region| lab.perform(&db, region, copy(&db, &origin, region));
    let refusal = copy_db("eu-west-1").await.result.expect_err("throttled");
    assert_eq!(refusal.reason, conditions::THROTTLED);

    let elsewhere = copy_db("us-west-2").await;
    assert!(elsewhere.made().is_some(), "{elsewhere:?}");
    let tags = [(tag::SELF.to_owned(), id.clone())].into();
    let tagged = lab
        .perform(&web, "eu-west-1", Action::CreateTags { id, tags })
        .await;
    assert_eq!(tagged.result, Ok(Answer::Changed));

    assert!(refusal.retry_at > lab.clock.now(), "no time has passed");
    let still = copy_db("eu-west-1").await.result.expect_err("held back");
    assert_eq!(still.reason, conditions::THROTTLED);
}

/// Two hundred objects that write a tag at the same moment, and come back when they are told to.
#[tokio::test(start_paused = true)]
async fn a_burst_of_many_objects_is_spread_and_never_throttled() {
    let lab = Lab::with_knobs(Knobs {
        request_buckets: true,
        ..Knobs::calm()
    })
    .started()
    .await;
    let origin = desired("origin", &["us-east-1"]);
    let id = lab.make(&origin, "us-east-1", capture(&origin)).await;
    lab.pass(60).await;
    let tags: Vec<_> = (0..200)
        .map(|number| desired(&format!("web-{number}"), &["us-east-1"]))
        .map(|desired| {
            let tags = [("team".to_owned(), desired.identity.object.clone())].into();
            let id = id.clone();
            (desired, Action::CreateTags { id, tags })
        })
        .collect();
    let began = lab.clock.now();
    let mut later = BTreeMap::new();
    for (number, (desired, action)) in tags.iter().enumerate() {
        let outcome = lab.perform(desired, "us-east-1", action.clone()).await;
        if let Err(refusal) = outcome.result {
            assert_eq!(
                (refusal.reason, refusal.certain),
                (conditions::PROGRESSING, true)
            );
            assert!(
                refusal.message.contains("waits for its turn"),
                "{}",
                refusal.message
            );
            assert_eq!(
                lab.observe(desired).await.refusals.len(),
                1,
                "so that the planner waits"
            );
            later.insert(refusal.retry_at, number);
        }
    }
    assert_eq!(later.len(), 150, "each has a moment of its own");
    for (moment, number) in later {
        lab.clock.sleep_until(moment).await;
        let (desired, action) = &tags[number];
        let outcome = lab.perform(desired, "us-east-1", action.clone()).await;
        assert_eq!(outcome.result, Ok(Answer::Changed));
    }
    assert_eq!(lab.calls.count("CreateTags", "throttled"), 0);
    let took = lab.clock.now().duration_since(began).as_secs();
    assert_eq!(took, 150 / 8, "8 a second");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_and_asked_again_ever_later() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let foreign = copy(&desired, "ami-0beefcafebeefcaf0", "us-east-1");
    let mut waits = Vec::new();
    for _ in 0..10 {
        let refused = lab
            .perform(&desired, "us-east-1", foreign.clone())
            .await
            .result
            .expect_err("no such image");
        waits.push(refused.retry_at.duration_since(lab.clock.now()).as_secs());
        lab.pass(301).await;
    }
    assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30, 30, 30, 30]);
    let refusal = &lab.observe(&desired).await.refusals[&asked("CopyImage")];
    assert_eq!(
        refusal.reason,
        conditions::REFUSED,
        "it lasted too long to be a lag"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_open_is_not_touched() {
    let lab = Lab::calm();
    let desired = desired("web", &["us-east-1"]);
    let outcome = lab.perform(&desired, "us-east-1", capture(&desired)).await;
    assert!(outcome.result.is_err_and(|refusal| refusal.certain));
    assert_eq!(lab.all_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_changed_attribute_is_shown_before_and_after_it_is_read() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 60,
        ..Knobs::default()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(1200).await;
    let at = "2030-01-01T00:00:00Z".parse().expect("a time");
    let changes = [
        AttributeChange::Description("the web server".to_owned()),
        AttributeChange::RequireImdsV2,
        AttributeChange::Deprecation(Some(at)),
        AttributeChange::Deprecation(None),
        AttributeChange::Protection(Protection::EnabledWithCooldown),
        AttributeChange::Protection(Protection::Disabled),
    ];
    let attributes = async || {
        let known = lab.known(&desired, "us-east-1").await;
        known.images[0].attributes.clone()
    };
    for change in changes {
        assert!(!attributes().await.show(&change), "{change:?}");
        let action = Action::ModifyImage {
            id: id.clone(),
            change: change.clone(),
        };
        let outcome = lab.perform(&desired, "us-east-1", action).await;
        assert_eq!(outcome.result, Ok(Answer::Changed), "{change:?}");
        assert!(attributes().await.show(&change), "{change:?}, before");
        lab.pass(1200).await;
        assert!(attributes().await.show(&change), "{change:?}, after");
    }
    let Protection::DisabledAfter(until) = attributes().await.protection else {
        panic!("no cooldown: {:?}", attributes().await)
    };
    let left = until.duration_since(lab.clock.now());
    assert!(left > SignedDuration::from_hours(23), "{left}");
}
