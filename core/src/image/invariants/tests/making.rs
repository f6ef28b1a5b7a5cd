//! What may be made, and how often (8 and 10).

use super::*;

#[test]
fn a_capture_is_recorded_first() {
    let world = world().without(HOME).without(AWAY);
    world.refuses(capture(), 8, "not recorded");
    let mut of_another = world.recorded();
    of_another.allows(capture());
    of_another.desired.captured.as_mut().unwrap().revision = Revision::from("old");
    of_another.refuses(capture(), 8, "not recorded");
}

#[test]
fn nothing_is_captured_twice() {
    world()
        .without(HOME)
        .recorded()
        .refuses(capture(), 8, "ami-away was made");
    let mut lost = world().without(HOME).without(AWAY).recorded();
    lost.allows(capture());
    let revision = lost.desired.revision.clone();
    lost.known(HOME).dead.push(Dead {
        id: "ami-away".to_owned(),
        revision,
        attempt: 0,
    });
    lost.refuses(capture(), 8, "ami-away was made");
}

#[test]
fn grants_gate_creation() {
    let mut world = world().without(HOME).without(AWAY).recorded();
    let because = "does not let namespace";
    world.observed.source = SourceView::Instance(SourceInstance {
        data_devices: Vec::new(),
        state: "running".to_owned(),
        tags: BTreeMap::new(),
        unsupported: None,
    });
    world.refuses(capture(), 10, because);
    world.allows(copy(AWAY));
    world.observed.source = SourceView::Image(SourceImage {
        id: "ami-source".to_owned(),
        name: "golden".to_owned(),
        architecture: "x86_64".to_owned(),
        state: ImageState::Available,
        owner: "999988887777".to_owned(),
        owner_alias: None,
        object: None,
        size_gib: None,
    });
    world.refuses(copy(AWAY), 10, because);
}

#[test]
fn nothing_is_made_where_it_is_not_wanted_or_what_is_refused() {
    let mut world = world()
        .without(HOME)
        .without(AWAY)
        .unwanted(AWAY)
        .recorded();
    world.refuses(copy(AWAY), 10, "not wanted");
    world.allows(copy(HOME));
    world.desired.refusals.push(Finding {
        reason: conditions::ACCOUNT_NOT_FOUND,
        place: None,
        message: "there is no such account".to_owned(),
    });
    world.refuses(copy(HOME), 10, "no such account");
    world.refuses(capture(), 10, "no such account");
}

#[test]
fn a_registration_needs_no_record() {
    world()
        .registered()
        .without(HOME)
        .without(AWAY)
        .allows(register());
}

#[test]
fn nothing_is_registered_while_an_image_of_the_revision_lives() {
    let mut world = world().registered().without(HOME);
    world.refuses(register(), 8, "ami-away was made");
    world.known(AWAY).images.clear();
    let revision = world.desired.revision.clone();
    world.known(HOME).dead.push(Dead {
        id: "ami-home".to_owned(),
        revision,
        attempt: 0,
    });
    world.allows(register());
}

#[test]
fn grants_gate_registration() {
    let mut world = world().registered().without(HOME).without(AWAY);
    let snapshot = SourceSnapshot {
        id: "snap-root".to_owned(),
        state: "completed".to_owned(),
        owner: "111122223333".to_owned(),
        tags: BTreeMap::new(),
    };
    world.observed.source = SourceView::Snapshots(vec![snapshot]);
    world.refuses(register(), 10, "does not let namespace");
    world.observed.source = SourceView::NotRead;
    world.desired.refusals.push(Finding {
        reason: conditions::ACCOUNT_NOT_READY,
        place: None,
        message: "the account is being deleted".to_owned(),
    });
    world.refuses(register(), 10, "is being deleted");
    world.desired.refusals.clear();
    world.unwanted(HOME).allows(register());
}

#[test]
fn an_origin_may_be_made_where_it_is_not_wanted() {
    let captured = world().without(HOME).without(AWAY).unwanted(HOME);
    captured.recorded().allows(capture());
}
