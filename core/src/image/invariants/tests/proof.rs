//! What is touched is proven ours, and whose it is stays on it (1).

use super::*;

#[test]
fn only_what_is_proven_ours_is_touched() {
    let mut world = world();
    let because = "not proven";
    world.refuses(write(HOME, "ami-strange", "a", "b"), 1, because);
    let carried_off = world.image("ami-x", &[(tag::SELF, "ami-home")]);
    let newborn = world.image("ami-n", &[]);
    let unused = world.snapshot("snap-x", &[]);
    let used = world.snapshot("snap-home-2", &[]);
    world.known(HOME).images.extend([carried_off, newborn]);
    world.known(HOME).snapshots.extend([unused, used]);
    world.known(HOME).images[0]
        .snapshots
        .push("snap-home-2".to_owned());
    world.refuses(write(HOME, "ami-x", "a", "b"), 1, because);
    world.refuses(write(HOME, "ami-x", tag::SELF, "ami-x"), 1, because);
    world.refuses(deregister(HOME, "ami-n"), 1, because);
    world.refuses(write(HOME, "ami-n", "a", "b"), 1, because);
    world.refuses(write(HOME, "snap-x", tag::SELF, "snap-x"), 1, because);
    world.refuses(delete(HOME, "snap-home-2"), 1, because);
    world.allows(write(HOME, "ami-home", "a", "b"));
    world.allows(write(HOME, "ami-n", tag::SELF, "ami-n"));
    world.allows(write(HOME, "snap-home-2", tag::SELF, "snap-home-2"));
}

#[test]
fn what_another_object_made_is_not_touched() {
    let mut world = world();
    let because = "not proven";
    let others = [
        ("object", tag::OBJECT, "prod/db"),
        ("namespace", tag::OBJECT, "test/web"),
        ("owner", tag::OWNER, "o2"),
    ];
    for (whose, key, value) in others {
        let (image, snapshot) = (format!("ami-{whose}"), format!("snap-{whose}"));
        let mut made = world.image(&image, &[(tag::SELF, &image), (key, value)]);
        made.snapshots = vec![snapshot.clone()];
        let stored = world.snapshot(&snapshot, &[(tag::SELF, &snapshot), (key, value)]);
        let known = world.known(HOME);
        known.images.push(made);
        known.snapshots.push(stored);
        for id in [&image, &snapshot] {
            world.refuses(write(HOME, id, "a", "b"), 1, because);
            world.refuses(write(HOME, id, tag::SELF, id), 1, because);
            world.refuses(unwrite(HOME, id, &["a"]), 1, because);
        }
        world.refuses(deregister(HOME, &image), 1, because);
        world.refuses(delete(HOME, &snapshot), 1, because);

        // Nor is what it left behind, when its image is gone.
        world.known(HOME).images.retain(|one| one.id != image);
        world.refuses(delete(HOME, &snapshot), 1, because);
    }
}

#[test]
fn only_a_lost_image_of_ours_is_brought_back_and_what_was_made_with_it() {
    let mut world = world();
    let restore = |id: &str| step(HOME, Action::RestoreImage { id: id.to_owned() });
    let restore_snapshot = |id: &str| step(HOME, Action::RestoreSnapshot { id: id.to_owned() });
    let because = "not proven";
    world.refuses(restore("ami-home"), 1, because);
    world.refuses(restore_snapshot("snap-home"), 1, because);
    let carried_off = world.image("ami-x", &[(tag::SELF, "ami-home")]);
    world.known(HOME).images.push(carried_off);
    for image in &mut world.known(HOME).images {
        image.state = ImageState::Missing { since: NOW };
    }
    world.refuses(restore("ami-strange"), 1, because);
    world.refuses(restore("ami-x"), 1, because);
    world.refuses(restore_snapshot("snap-x"), 1, because);
    world.allows(restore("ami-home"));
    world.allows(restore_snapshot("snap-home"));
}

#[test]
fn a_seal_names_its_bearer() {
    let world = world();
    world.refuses(
        write(HOME, "ami-home", tag::SELF, "ami-away"),
        1,
        "would name ami-away",
    );
    let mut born_sealed = copy(AWAY);
    if let Action::CopyImage { tags, .. } = &mut born_sealed.action {
        tags.insert(tag::SELF.to_owned(), "ami-home".to_owned());
    }
    world.refuses(born_sealed, 1, "born with the seal");
}

#[test]
fn whose_it_is_is_not_taken_from_it() {
    let world = world();
    world.refuses(unwrite(HOME, "ami-home", &[]), 1, "every key");
    world.refuses(
        unwrite(HOME, "ami-home", &["team", tag::SELF]),
        1,
        "part of whose it is",
    );
    world.refuses(
        unwrite(HOME, "ami-home", &[tag::OWNER]),
        1,
        "part of whose it is",
    );
    world.allows(unwrite(
        HOME,
        "ami-home",
        &["team", tag::TAG_KEYS, tag::PUBLISHED],
    ));
}

#[test]
fn an_image_is_tagged_as_no_other_clusters() {
    let world = world();
    world.refuses(
        write(HOME, "ami-home", tag::CLUSTER, "c2"),
        1,
        "would name c2",
    );
    world.allows(write(HOME, "ami-home", tag::CLUSTER, "c1"));
}

#[test]
fn what_another_cluster_made_is_touched_only_by_its_successor() {
    let mut world = world();
    let because = "not proven";
    let theirs = |key: &str| [(tag::SELF, key.to_owned()), (tag::CLUSTER, "c0".to_owned())];
    let image = theirs("ami-c");
    let image = image.each_ref().map(|(key, value)| (*key, value.as_str()));
    let snapshot = theirs("snap-c");
    let snapshot = snapshot
        .each_ref()
        .map(|(key, value)| (*key, value.as_str()));
    let image = world.image("ami-c", &[&image[..], &[(tag::REVISION, "old")]].concat());
    let snapshot = world.snapshot("snap-c", &snapshot);
    let known = world.known(HOME);
    known.images.push(image);
    known.snapshots.push(snapshot);
    known.images[1].snapshots.clear();
    let steps = || {
        [
            write(HOME, "ami-c", tag::CLUSTER, "c1"),
            write(HOME, "snap-c", tag::CLUSTER, "c1"),
            deregister(HOME, "ami-c"),
            delete(HOME, "snap-c"),
        ]
    };
    for step in steps() {
        world.refuses(step, 1, because);
    }
    world.desired.identity.predecessor = Some("c9".to_owned());
    for step in steps() {
        world.refuses(step, 1, because);
    }
    world.desired.identity.predecessor = Some("c0".to_owned());
    for step in steps() {
        world.allows(step);
    }
}

#[test]
fn a_registered_image_is_not_born_sealed() {
    let mut born_sealed = register();
    if let Action::RegisterImage { tags, .. } = &mut born_sealed.action {
        tags.insert(tag::SELF.to_owned(), "ami-home".to_owned());
    }
    world()
        .registered()
        .refuses(born_sealed, 1, "born with the seal");
}

#[test]
fn what_marks_a_superseded_image_may_be_taken_away() {
    world().allows(unwrite(HOME, "ami-home", &[tag::SUPERSEDED]));
    world().refuses(unwrite(HOME, "ami-home", &[tag::HOLD]), 1, "part of whose");
}
