//! Where nothing may be done or made, and until when the finalizer stays (2 and 3).

use super::*;

#[test]
fn nothing_is_done_in_an_unreadable_place() {
    world()
        .unreadable(AWAY)
        .refuses(copy(AWAY), 2, "cannot be read");
    world().refuses(copy("sa-east-1"), 2, "cannot be read");
}

#[test]
fn nothing_is_retired_or_captured_while_a_place_is_unknown() {
    let unwanted = || world().unwanted(HOME);
    unwanted()
        .unreadable(AWAY)
        .refuses(deregister(HOME, "ami-home"), 2, "may still need it");
    unwanted().allows(deregister(HOME, "ami-home"));
    world()
        .without(HOME)
        .unreadable(AWAY)
        .recorded()
        .refuses(capture(), 2, "may hold an image");
    let mut deleted = world().unreadable(AWAY);
    deleted.desired.deleted_since = Some(Timestamp::UNIX_EPOCH);
    deleted.allows(deregister(HOME, "ami-home"));
}

#[test]
fn no_snapshot_goes_while_a_copy_that_cannot_be_seen_may_read_it() {
    let unused = || {
        let mut world = world();
        let mut snapshot = world.snapshot("snap-old", &[(tag::SELF, "snap-old")]);
        snapshot.used_by = Some(Vec::new());
        world.known(HOME).snapshots.push(snapshot);
        world
    };
    unused().allows(delete(HOME, "snap-old"));
    unused()
        .unreadable(AWAY)
        .refuses(delete(HOME, "snap-old"), 2, "may still need it");
    let mut deleted = unused().unreadable(AWAY);
    deleted.desired.deleted_since = Some(Timestamp::UNIX_EPOCH);
    deleted.allows(delete(HOME, "snap-old"));
}

#[test]
fn the_finalizer_stays_while_something_is_left_or_unknown() {
    let release = || Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    world().refuses(release(), 2, "is left");
    world()
        .empty()
        .unreadable(AWAY)
        .refuses(release(), 2, "cannot be read");
    world().empty().allows(release());
    let mut retaining = world().unreadable(AWAY);
    retaining.desired.deletion_policy = DeletionPolicy::Retain;
    retaining.allows(release());
}

#[test]
fn the_finalizer_stays_while_an_image_may_turn_out_to_be_the_objects() {
    let release = || Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    let mut unproven = world().empty();
    let mut image = unproven.image("ami-u", &[]);
    image.source_instance = None;
    unproven.known(AWAY).images.push(image.clone());
    unproven.refuses(release(), 2, "ami-u is left");
    image.source_instance = Some("i-2".to_owned());
    unproven.known(AWAY).images = vec![image];
    unproven.allows(release());
}

#[test]
fn the_finalizer_stays_while_a_sealed_snapshot_that_nothing_uses_is_left() {
    let release = || Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    let mut left = world().empty();
    let mut snapshot = left.snapshot("snap-1", &[(tag::SELF, "snap-1")]);
    left.known(AWAY).snapshots.push(snapshot.clone());
    left.refuses(release(), 2, "snap-1 is left");
    snapshot.used_by = Some(vec!["ami-of-somebody".to_owned()]);
    left.known(AWAY).snapshots = vec![snapshot];
    left.allows(release());
}

#[test]
fn there_is_one_live_image_per_place() {
    let mut world = world();
    world.refuses(copy(AWAY), 3, "ami-away of the same revision is there");
    world.known(AWAY).images[0].state = ImageState::Failed;
    world.allows(copy(AWAY));
    let mut unproven = world.image("ami-u", &[]);
    unproven.source_instance = None;
    world.known(AWAY).images.push(unproven);
    world.refuses(copy(AWAY), 3, "ami-u of the same revision is there");
}

#[test]
fn a_second_image_that_was_published_or_launched_stays() {
    let mut world = world();
    let second = world.image("ami-2", &[(tag::SELF, "ami-2")]);
    world.known(AWAY).images.push(second);
    world.allows(deregister(AWAY, "ami-2"));
    world.known(AWAY).images[1].last_launched = Some(Timestamp::UNIX_EPOCH);
    world.refuses(deregister(AWAY, "ami-2"), 3, "may be in use");
    world.refuses(deregister(AWAY, "ami-away"), 3, "may be in use");
}

#[test]
fn nothing_is_registered_while_a_place_is_unknown() {
    let empty = || world().registered().without(HOME).without(AWAY);
    empty().allows(register());
    empty()
        .unreadable(AWAY)
        .refuses(register(), 2, "may hold an image");
    empty()
        .unreadable(HOME)
        .refuses(register(), 2, "the place cannot be read");
}

#[test]
fn nothing_is_registered_beside_an_image_of_the_revision() {
    world().registered().without(AWAY).refuses(
        register(),
        3,
        "ami-home of the same revision is there",
    );
}

#[test]
fn a_second_image_that_was_superseded_stays() {
    let mut world = world();
    let second = world.image("ami-2", &[(tag::SELF, "ami-2"), (tag::SUPERSEDED, "x")]);
    world.known(AWAY).images.push(second);
    world.refuses(deregister(AWAY, "ami-2"), 3, "may be in use");
    world.deleted().allows(deregister(AWAY, "ami-2"));
}

#[test]
fn the_finalizer_goes_although_the_image_that_the_spec_names_is_left() {
    let release = || Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    let mut named = world();
    for region in [HOME, AWAY] {
        named.known(region).snapshots.clear();
    }
    let mut named = named.without(AWAY);
    named.desired.source = Source::Image(Reference::new(HOME, "ami-home"));
    assert_eq!(named.broken_by(vec![release()]), []);
    named.desired.source = Source::Image(Reference::new(AWAY, "ami-home"));
    assert_eq!(named.broken_by(vec![release()]).len(), 1);
}
