//! Which images stay (4, 5, 6 and 9).

use std::sync::Arc;

use super::*;

#[test]
fn a_published_image_goes_only_when_it_is_replaced_or_unwanted() {
    let because = "nothing replaces it";
    let older = |world: &World| {
        world.image(
            "ami-1",
            &[
                (tag::SELF, "ami-1"),
                (tag::PUBLISHED, "x"),
                (tag::REVISION, "old"),
            ],
        )
    };
    let mut replaced = world();
    let image = older(&replaced);
    replaced.known(AWAY).images.push(image);
    replaced.allows(deregister(AWAY, "ami-1"));
    let mut alone = world().without(AWAY);
    let image = older(&alone);
    alone.known(AWAY).images.push(image);
    alone.refuses(deregister(AWAY, "ami-1"), 4, because);
    alone.unwanted(AWAY).allows(deregister(AWAY, "ami-1"));
}

#[test]
fn a_held_image_stays() {
    let mut world = world().unwanted(AWAY);
    world.allows(deregister(AWAY, "ami-away"));
    let away = &mut world.known(AWAY).images[0];
    away.tags.insert(tag::HOLD, "team-x");
    world.refuses(deregister(AWAY, "ami-away"), 4, "it is held: team-x");
}

#[test]
fn a_protected_image_stays_until_its_cooldown_is_over() {
    let mut world = world().unwanted(AWAY);
    for protection in [
        Protection::Enabled,
        Protection::EnabledWithCooldown,
        Protection::DisabledAfter(NOW + SignedDuration::from_secs(1)),
    ] {
        Arc::make_mut(&mut world.known(AWAY).images[0].attributes).protection = protection;
        world.refuses(deregister(AWAY, "ami-away"), 4, "it is protected");
    }
    let over = Protection::DisabledAfter(NOW);
    Arc::make_mut(&mut world.known(AWAY).images[0].attributes).protection = over;
    world.allows(deregister(AWAY, "ami-away"));
}

#[test]
fn what_is_not_proven_ours_is_not_changed() {
    let described = |id: &str| {
        let change = AttributeChange::Description("ours".to_owned());
        let id = id.to_owned();
        step(AWAY, Action::ModifyImage { id, change })
    };
    let mut world = world();
    world.allows(described("ami-away"));
    world.known(AWAY).images[0].tags.remove(tag::SELF);
    world.refuses(described("ami-away"), 1, "is not proven");
}

#[test]
fn the_last_available_image_of_a_wanted_revision_stays() {
    let because = "the last available image";
    world()
        .unwanted(HOME)
        .without(AWAY)
        .refuses(deregister(HOME, "ami-home"), 5, because);
    let both_go = world().unwanted(HOME).unwanted(AWAY);
    both_go.allows(deregister(HOME, "ami-home"));
    let broken = both_go.broken_by(vec![
        deregister(HOME, "ami-home"),
        deregister(AWAY, "ami-away"),
    ]);
    assert!(
        broken
            .iter()
            .any(|one| one.invariant == 5 && one.message.contains(because)),
        "{broken:?}"
    );
}

#[test]
fn an_image_that_is_being_copied_stays() {
    let mut world = world().unwanted(HOME);
    let mut reader = world.image("ami-r", &[(tag::SELF, "ami-r"), (tag::REVISION, "old")]);
    reader.source_instance = None;
    reader.source_image = Some(Reference::new(HOME, "ami-home"));
    reader.state = ImageState::Pending;
    world.known(AWAY).images.push(reader);
    world.refuses(deregister(HOME, "ami-home"), 5, "is being copied from it");
    world.known(AWAY).images[1].source_image = None;
    world.allows(deregister(HOME, "ami-home"));
    let source = Reference::new(HOME, "ami-home").to_string();
    world.known(AWAY).images[1]
        .tags
        .insert(tag::SOURCE, &source);
    world.refuses(deregister(HOME, "ami-home"), 5, "is being copied from it");
}

#[test]
fn retain_destroys_nothing() {
    let mut world = world().unwanted(HOME);
    world.desired.deletion_policy = DeletionPolicy::Retain;
    world.refuses(deregister(HOME, "ami-home"), 6, "Retain");
    world.known(HOME).images.clear();
    world.refuses(delete(HOME, "snap-home"), 6, "Retain");
    world.desired.deletion_policy = DeletionPolicy::Delete;
    world.allows(delete(HOME, "snap-home"));
}

#[test]
fn an_image_in_use_stays() {
    let unwanted = || world().unwanted(AWAY);
    let used = || unwanted().used_by(AWAY, "ami-away", &["arn:i-9", "arn:i-8"]);
    let step = || deregister(AWAY, "ami-away");
    used().refuses(step(), 4, "in use by arn:i-9");
    unwanted().used_by(AWAY, "ami-away", &[]).allows(step());
    let mut overridden = used();
    overridden.desired.deregister_in_use = Some(Revision::from("another"));
    overridden.refuses(step(), 4, "in use by arn:i-9");
    overridden.desired.deregister_in_use = Some(overridden.desired.revision.clone());
    overridden.allows(step());
    used().deleted().refuses(step(), 4, "in use by arn:i-9");
}

#[test]
fn an_image_that_another_account_uses_stays_where_that_counts() {
    let step = || deregister(AWAY, "ami-away");
    let counts = |report: Option<UsageReport>| {
        let mut world = world().unwanted(AWAY);
        let accounts = world.desired.accounts.values_mut();
        accounts.for_each(|account| account.reports_usage = true);
        let key = (place(AWAY), "ami-away".to_owned());
        let report = report.map(|report| (key, report));
        world.observed.usage_reports = report.into_iter().collect();
        world
    };
    let written = |users| UsageReport::Written { at: NOW, users };
    let used = ImageUser::elsewhere("ami-away", "ec2:Instance", "222233334444", 3);
    counts(Some(written(vec![used]))).refuses(
        step(),
        4,
        "in use by 3 ec2:Instance of account 2222",
    );
    counts(Some(written(Vec::new()))).allows(step());
    let failed = UsageReport::Failed {
        at: NOW,
        message: "internal error".to_owned(),
    };
    for report in [
        None,
        Some(UsageReport::Absent),
        Some(UsageReport::Pending),
        Some(failed),
    ] {
        let world = counts(report);
        world.refuses(step(), 4, "which other accounts use it was not read");
    }
    let mut never_published = counts(None);
    never_published.known(AWAY).images[0]
        .tags
        .remove(tag::PUBLISHED);
    never_published.allows(step());
    let mut overridden = counts(None);
    overridden.desired.deregister_in_use = Some(overridden.desired.revision.clone());
    overridden.allows(step());
}

#[test]
fn an_image_whose_use_was_not_read_stays() {
    let mut world = world().unwanted(AWAY);
    let key = (place(AWAY), "ami-away".to_owned());
    let why = Unreadable {
        reason: conditions::ACCESS_DENIED,
        message: "not allowed".to_owned(),
    };
    world.observed.usage.insert(key, Usage::Unknown(why));
    world.refuses(deregister(AWAY, "ami-away"), 4, "was not read");
    world.observed.usage.clear();
    let plan = Plan {
        steps: vec![deregister(AWAY, "ami-away")],
        ..Plan::default()
    };
    let broken = violations(&plan, &world.desired, &world.observed, NOW);
    assert!(
        broken.len() == 1 && broken[0].message.contains("was not read"),
        "{broken:?}"
    );
    world.known(AWAY).images[0].state = ImageState::Failed;
    assert_eq!(
        violations(&plan, &world.desired, &world.observed, NOW),
        [],
        "what cannot be launched is not asked about"
    );
    world.known(AWAY).images[0].state = ImageState::Disabled;
    assert_eq!(
        violations(&plan, &world.desired, &world.observed, NOW).len(),
        1
    );
}

#[test]
fn a_superseded_image_stays_for_its_time() {
    let hours = SignedDuration::from_hours;
    let superseded = || {
        let mut world = world().superseded(AWAY, "ami-1", "old", hours(36));
        world.desired.kept_for = hours(48);
        world
    };
    let (step, because) = (|| deregister(AWAY, "ami-1"), "spec.retention.minAge");
    superseded().refuses(step(), 4, because);
    superseded().unwanted(AWAY).allows(step());
    superseded().deleted().allows(step());
    let mut old_enough = superseded();
    old_enough.desired.kept_for = hours(36);
    old_enough.allows(step());
    superseded()
        .superseded(HOME, "ami-2", "old", hours(1))
        .refuses(step(), 4, because);
    let mut late = superseded();
    late.desired.kept_for = hours(36);
    late.superseded(HOME, "ami-2", "old", hours(1))
        .refuses(step(), 4, because);
}

#[test]
fn as_many_superseded_revisions_stay_as_are_kept() {
    let hours = SignedDuration::from_hours;
    let kept = |revisions| {
        let mut world = world()
            .superseded(AWAY, "ami-1", "last", hours(1))
            .superseded(AWAY, "ami-2", "older", hours(2));
        world.desired.kept_revisions = revisions;
        world
    };
    let because = "that spec.retention keeps";
    kept(0).allows(deregister(AWAY, "ami-1"));
    kept(1).refuses(deregister(AWAY, "ami-1"), 4, because);
    kept(1).allows(deregister(AWAY, "ami-2"));
    kept(2).refuses(deregister(AWAY, "ami-2"), 4, because);
    kept(2).deleted().allows(deregister(AWAY, "ami-2"));
    kept(2).unwanted(AWAY).allows(deregister(AWAY, "ami-2"));
}

#[test]
fn an_image_that_was_never_published_is_not_kept() {
    let mut world = world();
    world.desired.kept_revisions = 5;
    world.desired.kept_for = SignedDuration::from_hours(48);
    let image = world.image("ami-1", &[(tag::SELF, "ami-1"), (tag::REVISION, "old")]);
    world.known(AWAY).images.push(image);
    world.allows(deregister(AWAY, "ami-1"));
}

#[test]
fn not_too_many_published_images_go_at_once() {
    let step = || deregister(AWAY, "ami-away");
    let going = |going, published| {
        let mut world = world().unwanted(AWAY);
        let counted = Departures { going, published };
        world.observed.departures = BTreeMap::from([(ACCOUNT.to_owned(), counted)]);
        world
    };
    going(20, 25).allows(step());
    going(21, 200).allows(step());
    going(21, 25).refuses(step(), 9, "21 of 25 published images would go");
    going(21, 25).deleted().refuses(step(), 9, "21 of 25");
    let mut lifted = going(21, 25);
    lifted.lift_limit_until(NOW + SignedDuration::from_secs(1));
    lifted.allows(step());
    lifted.lift_limit_until(NOW);
    lifted.refuses(step(), 9, "21 of 25");
    let mut unpublished = going(21, 25);
    unpublished.known(AWAY).images[0]
        .tags
        .remove(tag::PUBLISHED);
    unpublished.allows(step());
}

#[test]
fn what_else_would_go_is_counted_first() {
    let mut world = world().unwanted(AWAY);
    world.observed.departures.clear();
    world.refuses(deregister(AWAY, "ami-away"), 9, "was not counted");
    world.known(AWAY).images[0].tags.remove(tag::PUBLISHED);
    world.allows(deregister(AWAY, "ami-away"));
}

#[test]
fn an_image_of_another_platform_is_none_of_the_revision() {
    let mut world = world().registered().without(AWAY);
    let source = Reference::new(HOME, "snap-root").to_string();
    let image = &mut world.known(HOME).images[0];
    image.tags.insert(tag::SOURCE, &source);
    image.tags.remove(tag::PUBLISHED);
    world.refuses(deregister(HOME, "ami-home"), 5, "the last available image");
    world.known(HOME).images[0].registered = Some(Box::new(Registered {
        root_snapshot: None,
        platform_details: Some("Windows".to_owned()),
    }));
    world.allows(deregister(HOME, "ami-home"));
}

/// With the tags of `ami-away` on an image that is not it.
fn with_a_strangers_copy(mut world: World) -> World {
    let away = &mut world.known(AWAY).images[0];
    away.tags.insert(tag::SELF, "ami-of-ours");
    world
}

#[test]
fn what_carries_copied_tags_replaces_nothing() {
    let mut world = world();
    let tags = [
        (tag::SELF, "ami-1"),
        (tag::PUBLISHED, "x"),
        (tag::REVISION, "old"),
    ];
    let image = world.image("ami-1", &tags);
    world.known(AWAY).images.push(image);
    world.allows(deregister(AWAY, "ami-1"));
    with_a_strangers_copy(world).refuses(deregister(AWAY, "ami-1"), 4, "nothing replaces it");
}

#[test]
fn what_carries_copied_tags_is_no_image_that_stays() {
    let world = world().unwanted(HOME);
    world.allows(deregister(HOME, "ami-home"));
    with_a_strangers_copy(world).refuses(
        deregister(HOME, "ami-home"),
        5,
        "the last available image",
    );
}

#[test]
fn what_carries_copied_tags_is_no_revision_that_was_superseded_later() {
    let hours = SignedDuration::from_hours;
    let mut world = world()
        .superseded(AWAY, "ami-1", "last", hours(1))
        .superseded(AWAY, "ami-2", "older", hours(2));
    world.desired.kept_revisions = 1;
    world.allows(deregister(AWAY, "ami-2"));
    let last = &mut world.known(AWAY).images[1];
    last.tags.insert(tag::SELF, "ami-of-ours");
    world.refuses(deregister(AWAY, "ami-2"), 4, "that spec.retention keeps");
}
