//! What is taken over (1).

use super::*;
use crate::image::observed::AdoptionView;

const ID: &str = "ami-packer";

/// An image of somebody else's, which the spec lists and somebody says is to be taken over. Its region has none of the
/// revision.
fn listed() -> World {
    let mut world = world().without(HOME);
    world.desired.adopt = [(place(HOME), ID.to_owned())].into();
    world.desired.adoption_is_meant = true;
    let grant = json!({"accountId": ACCOUNT, "grants": {"adopt": [{"namespaces": {"all": true}}]}});
    let spec = serde_json::from_value(grant).unwrap();
    world.desired.grants.account = Some(AwsAccount::new("default", spec));
    let mut image = world.image(ID, &[]);
    image.tags = [("Name".to_owned(), "by Packer".to_owned())]
        .into_iter()
        .collect();
    world.shown(image)
}

impl World {
    fn grants_nothing(&mut self) {
        let account = self.desired.grants.account.as_mut().unwrap();
        account.spec.grants.adopt.clear();
    }

    fn shown(mut self, image: Image) -> Self {
        let key = (place(HOME), image.id.clone());
        let view = AdoptionView::Image(Box::new(image));
        self.observed.adoptions.insert(key, view);
        self
    }

    fn shown_with(self, tags: &[(&str, &str)]) -> Self {
        let image = self.image(ID, tags);
        self.shown(image)
    }

    fn adopt(&self, id: &str, seal: &str) -> Step {
        let image = (!id.starts_with("snap-")).then(|| Box::new(self.image(id, &[])));
        let tags = self.tags(&[(tag::SELF, seal)]);
        let id = id.to_owned();
        step(HOME, Action::Adopt { id, image, tags })
    }

    /// The image was taken over, and shows neither of its sources if it is `registered`.
    fn taken_over(mut self, registered: bool) -> Self {
        let mut image = self.image(
            ID,
            &[(tag::SELF, ID), (tag::ADOPTED, "2026-03-01T00:00:00Z")],
        );
        image.source_instance = (!registered).then(|| "i-9".to_owned());
        self.known(HOME).images.push(image);
        self
    }
}

#[test]
fn only_what_is_listed_and_meant_and_granted_is_taken_over() {
    let adopt = |world: &World| world.adopt(ID, ID);
    listed().allows(adopt(&listed()));
    let mut reported = listed();
    reported.desired.adoption_is_meant = false;
    reported.refuses(adopt(&reported), 1, "nobody says");
    listed().refuses(listed().adopt("ami-home2", "ami-home2"), 1, "nobody says");
    let mut unread = listed();
    unread.observed.adoptions.clear();
    unread.refuses(adopt(&unread), 1, "not read");
    let mut denied = listed();
    denied.grants_nothing();
    denied.refuses(adopt(&denied), 1, "spec.grants.adopt");
    listed().refuses(listed().adopt(ID, "ami-other"), 1, "would name another");
}

#[test]
fn what_is_another_objects_is_not_taken_over_before_it_is_retained() {
    let theirs = [(tag::SELF, ID), (tag::OBJECT, "prod/other")];
    let world = listed().shown_with(&theirs);
    world.refuses(world.adopt(ID, ID), 1, "another object");
    let retained = [&theirs[..], &[(tag::RETAINED, "2026-02-01T00:00:00Z")]].concat();
    let mut world = listed().shown_with(&retained);
    world.grants_nothing();
    world.allows(world.adopt(ID, ID));
    let of_another_namespace = [&retained[..], &[(tag::OBJECT, "stage/other")]].concat();
    let mut world = listed().shown_with(&of_another_namespace);
    world.allows(world.adopt(ID, ID));
    world.grants_nothing();
    world.refuses(world.adopt(ID, ID), 1, "spec.grants.adopt");
}

#[test]
fn a_region_that_has_an_image_of_the_revision_gets_no_second_one() {
    let mut world = listed();
    let other = world.image("ami-other", &[(tag::SELF, "ami-other")]);
    world.known(HOME).images.push(other);
    world.refuses(world.adopt(ID, ID), 3, "of the same revision is there");
}

#[test]
fn only_the_snapshots_that_were_made_with_the_image_are_taken_over() {
    let adopt = |world: &World| world.adopt("snap-packer", "snap-packer");
    let world = listed().taken_over(false);
    world.allows(adopt(&world));
    let world = listed().taken_over(true);
    world.refuses(adopt(&world), 1, "was made with");
    let mut made = listed();
    let image = made.image(ID, &[(tag::SELF, ID)]);
    made.known(HOME).images.push(image);
    made.refuses(adopt(&made), 1, "was made with");
}

#[test]
fn the_mark_of_what_was_retained_comes_off_only_what_was_taken_over() {
    let retained = |more: &[(&str, &str)]| {
        let mut world = listed();
        let tags = [
            &[(tag::SELF, ID), (tag::RETAINED, "2026-02-01T00:00:00Z")],
            more,
        ]
        .concat();
        let image = world.image(ID, &tags);
        world.known(HOME).images.push(image);
        world
    };
    let free = || unwrite(HOME, ID, &[tag::RETAINED, tag::PUBLISHED]);
    let adopted = [(tag::ADOPTED, "2026-03-01T00:00:00Z")];
    retained(&adopted).allows(free());
    retained(&[]).refuses(free(), 1, "not proven");
    let mut unlisted = retained(&adopted);
    unlisted.desired.adopt.clear();
    unlisted.refuses(free(), 1, "not proven");
    listed()
        .taken_over(false)
        .refuses(unwrite(HOME, ID, &[tag::OWNER]), 1, "whose it is");
}
