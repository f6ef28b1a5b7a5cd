//! Who else may use images and snapshots, and that what is lent comes back (10).

use super::*;
use crate::image::permissions::{Grantee, PermissionChange, Sharing};

const FRIEND: &str = "222233334444";

fn accounts(ids: &[&str]) -> BTreeSet<Grantee> {
    let accounts = ids.iter().map(|id| Grantee::Account((*id).to_owned()));
    accounts.collect()
}

fn share(id: &str, add: &[&str]) -> Step {
    let change = PermissionChange {
        add: accounts(add),
        remove: BTreeSet::new(),
    };
    let id = id.to_owned();
    step(HOME, Action::ChangePermissions { id, change })
}

fn shared_with(mut world: World, ids: &[&str]) -> World {
    world.desired.sharing = Some(Sharing {
        with: accounts(ids),
        ..Sharing::default()
    });
    world
}

#[test]
fn only_what_is_published_is_shared_with_whom_the_spec_names() {
    world().refuses(
        share("ami-home", &[FRIEND]),
        10,
        "spec.sharing does not say",
    );
    let mut world = shared_with(world(), &[FRIEND]);
    world.allows(share("ami-home", &[FRIEND]));
    world.allows(share("snap-home", &[FRIEND]));
    world.refuses(share("ami-home", &["999988887777"]), 10, "nothing allows");
    if let Some(sharing) = &mut world.desired.sharing {
        sharing.not_granted = accounts(&[FRIEND]);
    }
    world.refuses(share("ami-home", &[FRIEND]), 10, "nothing allows");

    let mut unpublished = shared_with(super::world(), &[FRIEND]);
    let image = unpublished.image("ami-home", &[(tag::SELF, "ami-home")]);
    unpublished.known(HOME).images = vec![image];
    unpublished.refuses(share("ami-home", &[FRIEND]), 10, "not published");
}

#[test]
fn everybody_is_let_in_only_where_that_is_granted() {
    let public = || {
        let id = "ami-home".to_owned();
        let change = AttributeChange::Public(true);
        step(HOME, Action::ModifyImage { id, change })
    };
    let mut world = shared_with(world(), &[]);
    world.refuses(public(), 10, "make it public");
    if let Some(sharing) = &mut world.desired.sharing {
        (sharing.public, sharing.public_is_granted) = (true, true);
    }
    world.allows(public());
}

/// `ami-home` is lent to an account, to which nothing else is shared.
fn lent() -> World {
    let mut world = world();
    world.known(HOME).images[0]
        .tags
        .insert(tag::LENT_TO, FRIEND);
    world
}

fn taken_back(world: &mut World, id: &str) {
    let key = (place(HOME), id.to_owned());
    world.observed.taken_back.insert(key, accounts(&[FRIEND]));
}

#[test]
fn the_note_of_what_is_lent_goes_when_all_of_it_is_back() {
    let mut world = lent();
    let forget = || unwrite(HOME, "ami-home", &[tag::LENT_TO]);
    world.refuses(forget(), 10, "snap-home may still be shared");
    taken_back(&mut world, "snap-home");
    world.refuses(forget(), 10, "ami-home may still be shared");
    let other = || write(HOME, "ami-home", tag::LENT_TO, "999988887777");
    world.refuses(other(), 10, "ami-home may still be shared");
    let more = format!("{FRIEND} 999988887777");
    world.allows(write(HOME, "ami-home", tag::LENT_TO, &more));
    taken_back(&mut world, "ami-home");
    world.allows(forget());
    world.allows(other());
}

#[test]
fn what_the_spec_shares_besides_need_not_come_back() {
    let world = shared_with(lent(), &[FRIEND]);
    world.allows(unwrite(HOME, "ami-home", &[tag::LENT_TO]));
}
