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
fn the_finalizer_stays_while_something_is_left_or_unknown() {
    let release = || Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    world().refuses(release(), 2, "is left");
    world()
        .without(HOME)
        .unreadable(AWAY)
        .refuses(release(), 2, "cannot be read");
    world().without(HOME).without(AWAY).allows(release());
    let mut retaining = world().unreadable(AWAY);
    retaining.desired.deletion_policy = DeletionPolicy::Retain;
    retaining.allows(release());
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
    let mut named = world().without(AWAY);
    named.desired.source = Source::Image(Reference::new(HOME, "ami-home"));
    assert_eq!(named.broken_by(vec![release()]), []);
    named.desired.source = Source::Image(Reference::new(AWAY, "ami-home"));
    assert_eq!(named.broken_by(vec![release()]).len(), 1);
}
