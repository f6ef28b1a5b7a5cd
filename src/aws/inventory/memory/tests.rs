//! Each test tells one story of a list that lags behind what we know.

use amity_core::image::plan::step::Action;

use super::*;

const OBJECT: &str = "web/base";
const AMI: &str = "ami-0123456789abcdef0";
const OTHER: &str = "ami-0fedcba9876543210";
const SNAP: &str = "snap-0123456789abcdef0";
const WINDOW: SignedDuration = SignedDuration::from_secs(600);

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn tags() -> BTreeMap<String, String> {
    [
        (tag::OWNER, "o"),
        (tag::OBJECT, OBJECT),
        (tag::REVISION, "3f9a1c07d2"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

fn image(id: &str, state: ImageState) -> Image {
    Image {
        state,
        created: Some(at(0)),
        ..Image::newborn(id, "base-3f9a1c07d2", &tags())
    }
}

fn snapshot(id: &str, pending: bool) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        pending,
        progress: None,
        failure: None,
        used_by: None,
        size_gib: 8,
        full_bytes: None,
        tags: tags().into(),
    }
}

/// A reading that began and ended at `seconds`.
fn reading(seconds: i64, images: impl IntoIterator<Item = Image>) -> Reading {
    let images = images
        .into_iter()
        .map(|image| (image.id.clone(), image))
        .collect();
    Reading {
        started: at(seconds),
        ended: at(seconds),
        images,
        ..Reading::default()
    }
}

fn with_snapshots(reading: Reading, snapshots: impl IntoIterator<Item = Snapshot>) -> Reading {
    let snapshots = snapshots
        .into_iter()
        .map(|snapshot| (snapshot.id.clone(), snapshot))
        .collect();
    Reading {
        snapshots: Some(snapshots),
        ..reading
    }
}

fn copy() -> Action {
    Action::CopyImage {
        from: "us-east-1/ami-00000000000000000"
            .parse()
            .expect("a reference"),
        name: "base-3f9a1c07d2".into(),
        description: None,
        encryption: None,
        minutes: None,
        token: "t".into(),
        tags: tags(),
        snapshot_tags: tags(),
    }
}

fn capture() -> Action {
    Action::CreateImage {
        instance: "i-0".into(),
        name: "base-3f9a1c07d2".into(),
        description: None,
        no_reboot: true,
        without_devices: Vec::new(),
        tags: tags(),
        snapshot_tags: tags(),
    }
}

/// A place that was read once and was empty.
fn memory() -> Memory {
    let mut memory = Memory::new(WINDOW);
    memory.absorb(with_snapshots(reading(0, []), []));
    memory
}

impl Memory {
    fn write(&mut self, action: &Action, answer: Answer, seconds: i64) {
        self.wrote(OBJECT, action, &Ok(answer), at(seconds));
    }

    fn known(&self) -> Known {
        self.view(OBJECT).expect("it was read")
    }

    fn ids(&self) -> Vec<String> {
        self.known()
            .images
            .into_iter()
            .map(|image| image.id)
            .collect()
    }

    fn state(&self) -> ImageState {
        self.known().images.first().expect("an image").state
    }

    fn dead(&self) -> Vec<String> {
        self.known().dead.into_iter().map(|dead| dead.id).collect()
    }
}

#[test]
fn a_place_that_was_never_read_has_no_view() {
    assert_eq!(Memory::new(WINDOW).view(OBJECT), None);
}

#[test]
fn what_was_made_is_shown_before_a_list_shows_it() {
    let mut memory = memory();
    memory.write(&copy(), Answer::Made(AMI.into()), 10);
    let shown = memory.known().images;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (shown[0].state, shown[0].created, &shown[0].tags),
        (ImageState::Pending, None, &tags().into())
    );

    memory.absorb(reading(20, []));
    assert_eq!(memory.ids(), [AMI], "a list that lags does not hide it");
    memory.absorb(reading(30, [image(AMI, ImageState::Available)]));
    assert_eq!(memory.state(), ImageState::Available);
}

#[test]
fn what_was_made_and_is_denied_for_a_whole_window_is_dead() {
    let mut memory = memory();
    memory.write(&copy(), Answer::Made(AMI.into()), 10);
    memory.absorb(reading(609, []));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![AMI.to_owned()], vec![])
    );
    let changed = memory.absorb(reading(610, []));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![], vec![AMI.to_owned()])
    );
    assert!(
        changed.contains(OBJECT),
        "the object is woken for its next attempt"
    );
}

#[test]
fn a_list_that_began_before_the_window_ended_proves_nothing() {
    let mut memory = memory();
    memory.write(&copy(), Answer::Made(AMI.into()), 10);
    memory.absorb(Reading {
        ended: at(700),
        ..reading(600, [])
    });
    assert_eq!(memory.ids(), [AMI]);
}

#[test]
fn a_list_is_as_old_as_its_beginning() {
    let mut memory = memory();
    memory.absorb(Reading {
        ended: at(700),
        ..reading(600, [])
    });
    let known = memory.view(OBJECT).expect("a place that was read");
    assert_eq!(
        known.as_of,
        at(600),
        "what was written since may not be in it"
    );
}

#[test]
fn an_answer_that_names_a_dead_image_counts_as_dead_at_once() {
    let mut memory = memory();
    memory.write(&copy(), Answer::Made(AMI.into()), 10);
    memory.absorb(reading(20, [image(AMI, ImageState::Failed)]));
    memory.write(
        &Action::DeregisterImage { id: AMI.into() },
        Answer::Changed,
        30,
    );
    assert_eq!((memory.ids(), memory.dead()), (vec![], vec![]));
    memory.write(&copy(), Answer::Made(AMI.into()), 40);
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![], vec![AMI.to_owned()])
    );
}

#[test]
fn every_token_that_answers_with_the_same_dead_image_is_used_up() {
    let mut memory = memory();
    for attempt in [2, 1] {
        let mut copy = copy();
        if let Action::CopyImage { tags, .. } = &mut copy {
            tags.insert(tag::ATTEMPT.to_owned(), attempt.to_string());
        }
        memory.write(&copy, Answer::Made(AMI.into()), 10);
        memory.absorb(reading(620, []));
    }
    let dead = memory.known().dead;
    assert_eq!(
        dead.iter().map(|dead| dead.attempt).collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn a_token_whose_image_is_called_one_of_another_revision_by_somebody_stays_used_up() {
    let mut memory = memory();
    let mut other = image(AMI, ImageState::Available);
    other.tags.insert(tag::REVISION, "0000000000");
    memory.absorb(reading(5, [other.clone()]));
    memory.write(&copy(), Answer::Made(AMI.into()), 10);
    assert_eq!(memory.dead(), [AMI]);
    memory.absorb(reading(20, [other]));
    assert_eq!(memory.dead(), [AMI], "else it is asked for again, for ever");
}

#[test]
fn a_token_that_was_used_for_an_image_that_is_never_listed_is_a_dead_attempt() {
    let mut memory = memory();
    memory.absorb(reading(5, [image(OTHER, ImageState::Failed)]));
    memory.write(&copy(), Answer::AlreadyMade, 10);
    memory.write(&copy(), Answer::AlreadyMade, 300);
    memory.absorb(reading(609, [image(OTHER, ImageState::Failed)]));
    assert_eq!(memory.dead(), [""; 0]);
    memory.absorb(reading(610, [image(OTHER, ImageState::Failed)]));
    assert_eq!(
        memory.dead(),
        ["t"],
        "the window runs from the first such answer"
    );
}

#[test]
fn a_token_whose_image_is_listed_after_all_is_no_dead_attempt() {
    let mut memory = memory();
    memory.write(&copy(), Answer::AlreadyMade, 10);
    memory.absorb(reading(20, [image(AMI, ImageState::Pending)]));
    memory.absorb(reading(610, [image(AMI, ImageState::Available)]));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![AMI.to_owned()], vec![])
    );
}

#[test]
fn what_was_deregistered_is_hidden_while_it_is_still_listed() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    memory.write(
        &Action::DeregisterImage { id: AMI.into() },
        Answer::Changed,
        20,
    );
    assert_eq!(memory.ids(), [""; 0]);
    memory.absorb(reading(30, [image(AMI, ImageState::Available)]));
    memory.absorb(reading(600, [image(AMI, ImageState::Available)]));
    memory.absorb(reading(630, []));
    memory.absorb(reading(640, [image(AMI, ImageState::Available)]));
    assert_eq!(
        memory.ids(),
        [""; 0],
        "the window runs from when it was last listed"
    );
}

#[test]
fn what_is_listed_long_after_it_was_deregistered_was_restored() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    memory.write(
        &Action::DeregisterImage { id: AMI.into() },
        Answer::Changed,
        20,
    );
    for seconds in [300, 600, 900, 1200] {
        memory.absorb(reading(seconds, [image(AMI, ImageState::Available)]));
    }
    assert_eq!(memory.ids(), [""; 0]);
    memory.absorb(reading(1220, [image(AMI, ImageState::Available)]));
    assert_eq!(memory.ids(), [AMI]);
}

#[test]
fn an_image_that_a_list_lacks_is_missing_and_not_gone() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    memory.absorb(reading(20, []));
    memory.absorb(reading(30, []));
    assert_eq!(memory.state(), ImageState::Missing { since: at(20) });
    memory.absorb(reading(40, [image(AMI, ImageState::Available)]));
    assert_eq!(memory.state(), ImageState::Available);
    memory.absorb(reading(50, []));
    memory.absorb(reading(649, []));
    assert_eq!(
        memory.state(),
        ImageState::Missing { since: at(50) },
        "it is counted from the last list that had it"
    );
    memory.absorb(reading(650, []));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![], vec![AMI.to_owned()])
    );
}

/// EC2 itself calls the image deregistered.
fn deregistered(seconds: i64) -> Reading {
    Reading {
        deregistered: [AMI.to_owned()].into(),
        ..reading(seconds, [])
    }
}

#[test]
fn an_image_that_was_never_available_and_that_ec2_calls_deregistered_is_gone_at_once() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Pending)]));
    memory.absorb(deregistered(20));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![], vec![AMI.to_owned()])
    );
}

#[test]
fn an_image_that_was_available_and_that_ec2_calls_deregistered_is_missing_as_any_other() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    memory.absorb(deregistered(20));
    assert_eq!(memory.state(), ImageState::Missing { since: at(20) });
    memory.absorb(deregistered(619));
    assert_eq!(memory.dead(), [""; 0]);
    memory.absorb(deregistered(620));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![], vec![AMI.to_owned()])
    );
}

#[test]
fn what_was_restored_is_there_until_lists_have_lacked_it_for_a_window() {
    let mut memory = memory();
    let listed = reading(10, [image(AMI, ImageState::Available)]);
    memory.absorb(with_snapshots(listed, [snapshot(SNAP, false)]));
    memory.absorb(with_snapshots(reading(20, []), []));
    assert_eq!(memory.state(), ImageState::Missing { since: at(20) });
    let restore = Action::RestoreImage { id: AMI.into() };
    memory.write(&restore, Answer::Changed, 500);
    let restore = Action::RestoreSnapshot { id: SNAP.into() };
    memory.write(&restore, Answer::Changed, 500);
    for lagging in [deregistered(510), with_snapshots(reading(1099, []), [])] {
        memory.absorb(lagging);
        assert_eq!(memory.state(), ImageState::Available);
        assert_eq!(memory.known().snapshots.len(), 1);
    }
    memory.absorb(with_snapshots(reading(1100, []), []));
    assert_eq!(memory.dead(), [AMI]);
    assert_eq!(memory.known().snapshots.len(), 0);
}

#[test]
fn what_is_not_known_is_not_there_for_being_restored() {
    let mut memory = memory();
    let restore = Action::RestoreImage { id: AMI.into() };
    memory.write(&restore, Answer::Changed, 500);
    assert_eq!(memory.ids(), [""; 0]);
}

#[test]
fn a_dead_image_that_is_listed_again_lives() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    memory.absorb(reading(20, []));
    memory.absorb(reading(620, []));
    assert_eq!(memory.dead(), [AMI]);
    memory.absorb(reading(630, [image(AMI, ImageState::Available)]));
    assert_eq!(
        (memory.ids(), memory.dead()),
        (vec![AMI.to_owned()], vec![])
    );
}

#[test]
fn tags_that_were_written_lie_over_lists() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    let sealed = BTreeMap::from([(tag::SELF.to_owned(), AMI.to_owned())]);
    memory.write(
        &Action::CreateTags {
            id: AMI.into(),
            tags: sealed.clone(),
        },
        Answer::Changed,
        20,
    );
    let tag_of = |memory: &Memory| {
        memory.known().images[0]
            .tags
            .get(tag::SELF)
            .map(str::to_owned)
    };
    assert_eq!(tag_of(&memory).as_deref(), Some(AMI));
    memory.absorb(reading(30, [image(AMI, ImageState::Available)]));
    assert_eq!(tag_of(&memory).as_deref(), Some(AMI), "the list lags");

    let mut listed = image(AMI, ImageState::Available);
    listed.tags.extend(sealed);
    memory.absorb(reading(40, [listed]));
    memory.absorb(reading(619, [image(AMI, ImageState::Available)]));
    assert_eq!(tag_of(&memory).as_deref(), Some(AMI), "it lags again");
    memory.absorb(reading(620, [image(AMI, ImageState::Available)]));
    assert_eq!(tag_of(&memory), None, "somebody else took it away");
}

#[test]
fn tags_that_were_deleted_are_hidden_for_a_window_at_most() {
    let mut memory = memory();
    let mut listed = image(AMI, ImageState::Available);
    listed.tags.insert("team", "web");
    memory.absorb(reading(10, [listed.clone()]));
    memory.write(
        &Action::DeleteTags {
            id: AMI.into(),
            keys: vec!["team".into()],
        },
        Answer::Changed,
        20,
    );
    memory.absorb(reading(619, [listed.clone()]));
    assert!(!memory.known().images[0].tags.contains_key("team"));
    memory.absorb(reading(620, [listed]));
    assert!(memory.known().images[0].tags.contains_key("team"));
}

#[test]
fn what_was_written_is_never_mixed_with_tags_from_before_it() {
    let published = (tag::PUBLISHED.to_owned(), "yesterday".to_owned());
    let superseded = (tag::SUPERSEDED.to_owned(), "today".to_owned());
    let with = |more: &[&(String, String)]| {
        let mut image = image(AMI, ImageState::Available);
        image.tags.extend(more.iter().copied().cloned());
        image
    };
    let shown = |memory: &Memory| {
        let tags = &memory.known().images[0].tags;
        [tag::PUBLISHED, tag::SUPERSEDED].map(|key| tags.contains_key(key))
    };
    // Another process has marked it as superseded; this one takes away the other tag.
    let mut memory = memory();
    memory.absorb(reading(10, [with(&[&published, &superseded])]));
    let unpublish = Action::DeleteTags {
        id: AMI.into(),
        keys: vec![tag::PUBLISHED.into()],
    };
    memory.write(&unpublish, Answer::Changed, 11);
    for (seconds, listed) in [
        (12, with(&[&published])),
        (13, with(&[&published, &superseded])),
        (14, with(&[&published])),
        (15, with(&[&superseded])),
    ] {
        memory.absorb(reading(seconds, [listed]));
        assert_eq!(shown(&memory), [false, true], "at {seconds}");
    }
}

#[test]
fn a_name_that_is_taken_has_holders_once_it_was_looked_up() {
    let mut memory = memory();
    memory.write(&capture(), Answer::NameTaken, 10);
    assert_eq!(
        memory.names_to_look_up(),
        ["base-3f9a1c07d2".to_owned()].into()
    );
    assert!(
        memory.known().name_holders.is_empty(),
        "not looked up is not nobody"
    );

    let nobody = BTreeMap::from([("base-3f9a1c07d2".to_owned(), vec![])]);
    let changed = memory.absorb(Reading {
        names: nobody,
        ..reading(20, [])
    });
    assert!(changed.contains(OBJECT));
    assert_eq!(memory.known().name_holders["base-3f9a1c07d2"], []);

    let somebody = BTreeMap::from([(
        "base-3f9a1c07d2".to_owned(),
        vec![image(OTHER, ImageState::Available)],
    )]);
    memory.absorb(Reading {
        names: somebody,
        ..reading(30, [])
    });
    assert_eq!(memory.known().name_holders["base-3f9a1c07d2"][0].id, OTHER);

    memory.write(&capture(), Answer::Made(AMI.into()), 40);
    assert!(memory.names_to_look_up().is_empty() && memory.known().name_holders.is_empty());
}

#[test]
fn what_uses_a_snapshot_is_told_only_when_it_was_read() {
    let mut memory = memory();
    let mut user = image(AMI, ImageState::Available);
    user.snapshots = vec![SNAP.into()];
    memory.absorb(with_snapshots(reading(10, [user]), [snapshot(SNAP, false)]));
    let used_by = |memory: &Memory| memory.known().snapshots[0].used_by.clone();
    assert_eq!(used_by(&memory), Some(vec![AMI.to_owned()]));

    memory.write(
        &Action::DeregisterImage { id: AMI.into() },
        Answer::Changed,
        20,
    );
    assert_eq!(used_by(&memory), None, "others may use it too");

    let unused = Snapshot {
        used_by: Some(vec![AMI.to_owned()]),
        ..snapshot(SNAP, false)
    };
    memory.absorb(with_snapshots(reading(30, []), [unused]));
    assert_eq!(
        used_by(&memory),
        Some(vec![]),
        "the deregistered image uses nothing"
    );
    let foreign = Snapshot {
        used_by: Some(vec![OTHER.to_owned()]),
        ..snapshot(SNAP, false)
    };
    memory.absorb(with_snapshots(reading(40, []), [foreign]));
    assert_eq!(used_by(&memory), Some(vec![OTHER.to_owned()]));
}

#[test]
fn a_snapshot_that_a_list_lacks_is_kept_for_a_window() {
    let mut memory = memory();
    memory.absorb(with_snapshots(reading(10, []), [snapshot(SNAP, false)]));
    memory.absorb(with_snapshots(reading(20, []), []));
    memory.absorb(reading(900, []));
    assert_eq!(
        memory.known().snapshots.len(),
        1,
        "images alone say nothing about snapshots"
    );
    memory.absorb(with_snapshots(reading(620, []), []));
    assert_eq!(memory.known().snapshots, []);
}

#[test]
fn an_image_is_as_far_as_its_snapshots() {
    let mut memory = memory();
    let big = Snapshot {
        size_gib: 30,
        full_bytes: None,
        progress: Some(40),
        ..snapshot(SNAP, true)
    };
    let small = Snapshot {
        size_gib: 10,
        full_bytes: None,
        ..snapshot("snap-00000001", false)
    };
    memory.absorb(with_snapshots(
        reading(10, [image(AMI, ImageState::Pending)]),
        [big, small],
    ));
    assert_eq!(memory.known().images[0].progress, Some(55));
}

#[test]
fn an_object_is_woken_by_ten_percent_and_not_by_one() {
    let mut memory = memory();
    let at_progress = |seconds, progress| {
        let listed = Snapshot {
            progress: Some(progress),
            ..snapshot(SNAP, true)
        };
        with_snapshots(
            reading(seconds, [image(AMI, ImageState::Pending)]),
            [listed],
        )
    };
    assert!(memory.absorb(at_progress(10, 41)).contains(OBJECT));
    assert!(memory.absorb(at_progress(20, 42)).is_empty());
    assert!(memory.absorb(at_progress(30, 52)).contains(OBJECT));
}

#[test]
fn a_write_that_a_list_confirms_wakes_nobody() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    let sealed = BTreeMap::from([(tag::SELF.to_owned(), AMI.to_owned())]);
    memory.write(
        &Action::CreateTags {
            id: AMI.into(),
            tags: sealed.clone(),
        },
        Answer::Changed,
        20,
    );
    let mut listed = image(AMI, ImageState::Available);
    listed.tags.extend(sealed);
    assert!(memory.absorb(reading(30, [listed])).is_empty());
}

fn sealed(id: &str, state: ImageState) -> Image {
    let mut image = image(id, state);
    image.tags.insert(tag::SELF, id);
    image
}

#[test]
fn a_list_that_agrees_may_be_followed_by_one_that_lags_behind() {
    let mut memory = memory();
    let (plain, sealed) = (
        || image(AMI, ImageState::Available),
        || sealed(AMI, ImageState::Available),
    );
    let is_sealed = |memory: &Memory| memory.known().images[0].tags.contains_key(tag::SELF);
    memory.absorb(reading(10, [plain()]));
    let seal = Action::CreateTags {
        id: AMI.into(),
        tags: BTreeMap::from([(tag::SELF.to_owned(), AMI.to_owned())]),
    };
    memory.write(&seal, Answer::Changed, 700);
    assert!(memory.next_change(at(705)).is_some(), "lists have to agree");
    memory.absorb(reading(710, [sealed()]));
    assert_eq!(memory.next_change(at(715)), None);
    let changed = memory.absorb(reading(720, [plain()]));
    assert!(is_sealed(&memory));
    assert!(changed.is_empty());
    memory.absorb(reading(1299, [plain()]));
    assert!(is_sealed(&memory));
    let changed = memory.absorb(reading(1300, [plain()]));
    assert!(!is_sealed(&memory), "no list lags behind so long");
    assert_eq!(changed, BTreeSet::from([OBJECT.to_owned()]));
}

#[test]
fn what_nobody_saw_before_is_no_news_once_it_is_forgotten() {
    let mut memory = memory();
    let sealed = || sealed(AMI, ImageState::Available);
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    let seal = Action::CreateTags {
        id: AMI.into(),
        tags: BTreeMap::from([(tag::SELF.to_owned(), AMI.to_owned())]),
    };
    memory.write(&seal, Answer::Changed, 20);
    for seconds in [30, 40, 700, 710] {
        let changed = memory.absorb(reading(seconds, [sealed()]));
        assert!(changed.is_empty(), "{seconds}");
    }
}

#[test]
fn a_seal_that_an_earlier_process_wrote_stays_for_a_window() {
    let mut memory = memory();
    let is_sealed = |memory: &Memory| memory.known().images[0].tags.contains_key(tag::SELF);
    memory.absorb(reading(10, [sealed(AMI, ImageState::Available)]));
    memory.absorb(reading(20, [image(AMI, ImageState::Available)]));
    assert!(is_sealed(&memory));
    memory.absorb(reading(611, [image(AMI, ImageState::Available)]));
    assert!(!is_sealed(&memory), "somebody took it off");
}

#[test]
fn snapshots_are_listed_only_while_something_goes_on_and_daily() {
    let day = SignedDuration::from_hours(24);
    let mut memory = Memory::new(WINDOW);
    assert!(memory.needs_snapshots(at(0), day), "the first time");
    let mut user = image(AMI, ImageState::Available);
    user.snapshots = vec![SNAP.into()];
    let mut sealed = snapshot(SNAP, false);
    sealed.tags.insert(tag::SELF, SNAP);
    memory.absorb(with_snapshots(
        reading(10, [user.clone()]),
        [sealed.clone()],
    ));
    assert!(!memory.needs_snapshots(at(20), day));
    assert!(memory.needs_snapshots(at(10 + 86_400), day), "daily");

    let mut unsealed = Memory::new(WINDOW);
    unsealed.absorb(with_snapshots(
        reading(10, [user.clone()]),
        [snapshot(SNAP, false)],
    ));
    assert!(unsealed.needs_snapshots(at(20), day), "unsealed");
    memory.absorb(with_snapshots(reading(50, []), [sealed.clone()]));
    assert!(memory.needs_snapshots(at(60), day), "unaccounted for");
    memory.absorb(with_snapshots(
        reading(70, [image(OTHER, ImageState::Pending), user.clone()]),
        [sealed.clone()],
    ));
    assert!(memory.needs_snapshots(at(80), day), "pending");
    memory.absorb(with_snapshots(
        reading(90, [image(OTHER, ImageState::Available), user]),
        [sealed],
    ));
    assert!(!memory.needs_snapshots(at(100), day));
    memory.write(
        &Action::DeregisterImage { id: OTHER.into() },
        Answer::Changed,
        110,
    );
    assert!(memory.needs_snapshots(at(120), day), "after a write");
    let tagged = snapshot_again(&mut memory, 130);
    memory.write(
        &Action::CreateTags {
            id: SNAP.into(),
            tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        },
        Answer::Changed,
        140,
    );
    memory.absorb(with_snapshots(
        reading(150, [user_of(SNAP)]),
        [tagged.clone()],
    ));
    assert!(!memory.needs_snapshots(at(160), day), "it agrees");
    assert!(
        memory.needs_snapshots(at(740), day),
        "so that it need not be remembered"
    );
    memory.absorb(with_snapshots(reading(750, [user_of(SNAP)]), [tagged]));
    assert!(!memory.needs_snapshots(at(760), day));
}

fn user_of(snapshot: &str) -> Image {
    let mut user = image(AMI, ImageState::Available);
    user.snapshots = vec![snapshot.into()];
    user
}

/// Lists it sealed, and gives it as it looks when it is tagged.
fn snapshot_again(memory: &mut Memory, seconds: i64) -> Snapshot {
    let mut listed = snapshot(SNAP, false);
    listed.tags.insert(tag::SELF, SNAP);
    memory.absorb(with_snapshots(
        reading(seconds, [user_of(SNAP)]),
        [listed.clone()],
    ));
    listed.tags.insert("team", "web");
    listed
}

#[test]
fn a_place_at_rest_has_nothing_to_be_read_for() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    assert_eq!(memory.next_change(at(20)), None);
    memory.absorb(reading(30, [image(AMI, ImageState::Pending)]));
    assert!(memory.next_change(at(40)).is_some());
    memory.absorb(reading(50, []));
    assert!(memory.next_change(at(60)).is_some(), "missing");
}

#[test]
fn a_name_that_stays_taken_is_looked_up_less_and_less_often() {
    let name = "base-3f9a1c07d2";
    let holders = BTreeMap::from([(name.to_owned(), vec![image(OTHER, ImageState::Available)])]);
    let looked_up = |seconds| Reading {
        names: holders.clone(),
        ..reading(seconds, [])
    };
    let mut memory = memory();
    memory.write(&capture(), Answer::NameTaken, 10);
    let next =
        |memory: &Memory, seconds| memory.next_change(at(seconds)).map(|next| next.as_secs());
    assert_eq!(next(&memory, 10), Some(2));
    memory.absorb(looked_up(50));
    assert_eq!(next(&memory, 50), Some(20), "lists may lag");
    memory.absorb(looked_up(300));
    memory.write(&capture(), Answer::NameTaken, 300);
    assert_eq!(next(&memory, 300), Some(60));
    assert_eq!(
        next(&memory, 590),
        Some(20),
        "once more when the window ends"
    );
    memory.absorb(looked_up(610));
    assert_eq!(next(&memory, 610), None, "no more than any place at rest");

    memory.write(&capture(), Answer::NameTaken, 5000);
    assert_eq!(next(&memory, 5000), Some(2), "it is asked for again");
}

#[test]
fn a_name_whose_holders_could_not_be_read_is_looked_up_again() {
    let mut memory = memory();
    memory.write(&capture(), Answer::NameTaken, 10);
    let next = memory.next_change(at(1000)).map(|next| next.as_secs());
    assert_eq!(next, Some(60));
}

#[test]
fn what_was_deregistered_is_forgotten_a_day_after_it_was_last_listed() {
    let mut memory = memory();
    memory.absorb(reading(10, [image(AMI, ImageState::Available)]));
    let deregister = Action::DeregisterImage { id: AMI.into() };
    memory.write(&deregister, Answer::Changed, 20);
    memory.absorb(reading(300, [image(AMI, ImageState::Available)]));
    memory.absorb(reading(300 + 86_399, []));
    assert_eq!(memory.buried().collect::<Vec<_>>(), [AMI]);
    memory.absorb(reading(300 + 86_400, []));
    assert_eq!(memory.buried().count(), 0);
}

#[test]
fn nothing_stays_of_an_object_that_is_gone() {
    let mut memory = memory();
    memory.write(&copy(), Answer::Made(AMI.into()), 10);
    memory.absorb(reading(610, []));
    assert_eq!(memory.dead(), [AMI]);
    memory.write(&copy(), Answer::AlreadyMade, 620);
    memory.write(&capture(), Answer::NameTaken, 620);
    memory.forget(OBJECT);
    assert_eq!(memory.dead(), [""; 0]);
    assert!(memory.names_to_look_up().is_empty());
    let changed = memory.absorb(reading(1300, []));
    assert_eq!(memory.dead(), [""; 0], "its claims went too");
    assert!(
        changed.is_empty(),
        "nobody is there to be woken: {changed:?}"
    );
}

#[test]
fn snapshots_are_listed_again_when_what_an_earlier_process_wrote_is_shown() {
    let day = SignedDuration::from_hours(24);
    let mut memory = Memory::new(WINDOW);
    let mut user = image(AMI, ImageState::Available);
    user.snapshots = vec![SNAP.into()];
    let mut sealed = snapshot(SNAP, false);
    sealed.tags.insert(tag::SELF, SNAP);
    memory.absorb(with_snapshots(
        reading(10, [user.clone()]),
        [sealed.clone()],
    ));
    assert!(!memory.needs_snapshots(at(20), day));
    assert!(memory.needs_snapshots(at(610), day), "a window later");
    memory.absorb(with_snapshots(reading(610, [user]), [sealed]));
    assert!(!memory.needs_snapshots(at(620), day), "and then no more");
}

#[test]
fn what_was_taken_over_is_the_objects_although_a_list_shows_it_as_before() {
    let of_another = |id: &str| {
        let mut tags = tags();
        tags.insert(tag::OBJECT.to_owned(), "team/other".to_owned());
        tags.insert(tag::SELF.to_owned(), id.to_owned());
        tags.insert(tag::RETAINED.to_owned(), "yesterday".to_owned());
        tags
    };
    let before = || {
        let image = Image {
            tags: of_another(AMI).into(),
            snapshots: vec![SNAP.into()],
            ..image(AMI, ImageState::Available)
        };
        let snapshot = Snapshot {
            tags: of_another(SNAP).into(),
            ..snapshot(SNAP, false)
        };
        (image, snapshot)
    };
    let listed = |seconds| with_snapshots(reading(seconds, [before().0]), [before().1]);
    let mut memory = memory();
    memory.absorb(listed(10));
    assert_eq!(memory.ids(), [""; 0]);
    for (id, image) in [(AMI, Some(Box::new(before().0))), (SNAP, None)] {
        let mut tags = tags();
        tags.insert(tag::SELF.to_owned(), id.to_owned());
        let id = id.to_owned();
        memory.write(&Action::Adopt { id, image, tags }, Answer::Changed, 20);
    }
    memory.absorb(listed(30));
    let known = memory.known();
    assert_eq!((known.images.len(), known.snapshots.len()), (1, 1));
    assert_eq!(known.snapshots[0].tags.get(tag::OBJECT), Some(OBJECT));
    assert!(known.snapshots[0].tags.contains_key(tag::RETAINED));
}
