//! Which snapshots stay, and what the user brought (7).

use super::*;

#[test]
fn a_snapshot_goes_only_when_it_is_ours_and_unused() {
    world().refuses(delete(HOME, "snap-home"), 7, "ami-home uses it");
    let mut world = world().without(HOME);
    world.allows(delete(HOME, "snap-home"));
    world.known(HOME).snapshots[0].used_by = Some(vec!["ami-users".to_owned()]);
    world.refuses(delete(HOME, "snap-home"), 7, "ami-users uses it");
    world.known(HOME).snapshots[0].used_by = None;
    world.refuses(delete(HOME, "snap-home"), 7, "was not read");
    world.known(HOME).snapshots[0].used_by = Some(Vec::new());
    let mut pending = world.image("ami-p", &[]);
    pending.state = ImageState::Pending;
    pending.snapshots.clear();
    world.known(HOME).images.push(pending);
    world.refuses(
        delete(HOME, "snap-home"),
        7,
        "ami-p of its revision is pending",
    );
    world.known(HOME).snapshots[0].tags.remove(tag::SELF);
    world.refuses(delete(HOME, "snap-home"), 7, "not sealed");
}

#[test]
fn the_image_that_the_spec_names_stays() {
    let because = "the source that the spec names";
    let named = |region| {
        let mut world =
            world()
                .unwanted(AWAY)
                .superseded(AWAY, "ami-1", "old", SignedDuration::from_hours(1));
        world.desired.source = Source::Image(Reference::new(region, "ami-1"));
        world
    };
    named(AWAY).refuses(deregister(AWAY, "ami-1"), 7, because);
    named(AWAY)
        .deleted()
        .refuses(deregister(AWAY, "ami-1"), 7, because);
    named(AWAY).allows(write(AWAY, "ami-1", "a", "b"));
    named(HOME).allows(deregister(AWAY, "ami-1"));
}

#[test]
fn the_snapshots_that_the_spec_names_stay() {
    let because = "the source that the spec names";
    let mut world = world().registered();
    for id in ["snap-root", "snap-data", "snap-other"] {
        let snapshot = world.snapshot(id, &[(tag::SELF, id)]);
        let away = snapshot.clone();
        world.known(HOME).snapshots.push(snapshot);
        world.known(AWAY).snapshots.push(away);
    }
    let world = world.deleted();
    world.refuses(delete(HOME, "snap-root"), 7, because);
    world.refuses(delete(HOME, "snap-data"), 7, because);
    world.allows(delete(HOME, "snap-other"));
    world.allows(delete(AWAY, "snap-root"));
}

#[test]
fn the_image_that_a_name_was_resolved_to_stays_whether_the_status_or_a_tag_says_so() {
    let because = "the source that the spec names";
    let mut named = world().unwanted(HOME);
    named.desired.source = Source::NamedImage(ImageName {
        region: HOME.to_owned(),
        owner: "self".to_owned(),
        name: "golden".to_owned(),
        architecture: None,
    });
    named.allows(deregister(HOME, "ami-home"));
    let itself = Reference::new(HOME, "ami-home");
    named.desired.pinned = Some(itself.clone());
    named.refuses(deregister(HOME, "ami-home"), 7, because);
    named.desired.pinned = None;
    let away = &mut named.known(AWAY).images[0];
    away.tags.insert(tag::ORIGIN, &itself.to_string());
    named.refuses(deregister(HOME, "ami-home"), 7, because);
    named.known(AWAY).images[0]
        .tags
        .insert(tag::SELF, "ami-of-ours");
    named.refuses(deregister(HOME, "ami-home"), 5, "the last available image");
}
