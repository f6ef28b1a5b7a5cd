//! A controller that is broken, as EC2 sees it: what it asks for is changed on the wire. Every oracle is shown to bite
//! by one of these.

use std::fmt::Write as _;

use amity_core::api::conditions::IN_SYNC;
use ec2sim::World;

use crate::process::lock;
use crate::sources::UPSTREAM;
use crate::tale::{self, Cuts};
use crate::universe::Universe;
use crate::{rights, story, virtual_time};

/// What is wrong with the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Copies have no token, and each is asked for twice.
    RepeatsCopies,
    /// Snapshots are left when their image goes.
    LeavesSnapshots,
    /// A published image goes as soon as something of it is to be tagged.
    DeregistersPublished,
    /// What is tagged is tagged together with somebody else's image.
    TagsStrangers,
    /// Nothing is tagged.
    TagsNothing,
    /// No image is made.
    MakesNothing,
    /// Copies take as long as they take, whatever the spec says.
    TakesItsTime,
    /// What a publisher has newly published is not seen.
    SeesNoNews,
    /// Whatever the spec says, the instance is restarted.
    RestartsInstances,
    /// A tag is written whenever a region is read.
    WritesAtRest,
    /// Every status is written anew whenever a region is read.
    WritesStatusAtRest,
    /// A status names published images only while the object is ready.
    TellsWhenReady,
}

/// Somebody else's, in `world.yaml`.
const STRANGER: (&str, &str) = ("eu-west-1", "ami-0123456789abcdef0");

/// What comes of a request.
pub enum OnTheWire {
    /// This is asked.
    Asks(String),
    /// It is not asked, and this is the answer.
    Answers(String),
}

impl Sabotage {
    /// What becomes of a request to EC2 in a region.
    pub fn of(self, universe: &Universe, region: &str, body: &str) -> OnTheWire {
        let asks = |action: &str| body.contains(&format!("Action={action}&"));
        let done = |action: &str| {
            OnTheWire::Answers(format!(
                "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>sabotage</requestId>\
                 <return>true</return></{action}Response>"
            ))
        };
        let mut asked = body.to_owned();
        match self {
            Self::RepeatsCopies if asks("CopyImage") => {
                asked = without(body, "ClientToken");
                universe.repeat_by_hand(region, &asked);
            }
            Self::LeavesSnapshots if asks("DeleteSnapshot") => return done("DeleteSnapshot"),
            Self::TagsNothing if asks("CreateTags") => return done("CreateTags"),
            Self::MakesNothing
                if ["CreateImage", "RegisterImage", "CopyImage"]
                    .into_iter()
                    .any(asks) =>
            {
                "Action=DescribeRegions&Version=2016-11-15".clone_into(&mut asked);
            }
            Self::DeregistersPublished if asks("CreateTags") => {
                if let Some(id) = universe.told_in(region) {
                    asked = format!("Action=DeregisterImage&Version=2016-11-15&ImageId={id}");
                }
            }
            Self::TagsStrangers if asks("CreateTags") && region == STRANGER.0 => {
                let _ = write!(asked, "&ResourceId.9={}", STRANGER.1);
            }
            Self::RestartsInstances if asks("CreateImage") => asked = without(body, "NoReboot"),
            Self::TakesItsTime if asks("CopyImage") => {
                asked = without(body, "SnapshotCopyCompletionDurationMinutes");
            }
            Self::SeesNoNews if asks("DescribeImages") && body.contains(UPSTREAM.1) => {
                asked.push_str("&Filter.9.Name=creation-date&Filter.9.Value.1=2026-01-*");
            }
            Self::WritesAtRest if asks("DescribeImages") => {
                let line = format!("{} {region} CreateTags", universe.clock.now());
                lock(&universe.effects).push(line);
            }
            Self::WritesStatusAtRest if asks("DescribeImages") => universe.wipe_statuses(),
            _ => {}
        }
        OnTheWire::Asks(asked)
    }

    /// What becomes of a status, as JSON.
    pub fn of_status(self, body: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(body);
        if self == Self::TellsWhenReady && !text.contains(IN_SYNC.name) {
            return text.replace("publishedImageId", "forgotten").into_bytes();
        }
        body.to_vec()
    }
}

/// A request without one of its parameters.
fn without(body: &str, parameter: &str) -> String {
    let kept = body.split('&');
    let kept = kept.filter(|pair| pair.split('=').next() != Some(parameter));
    kept.collect::<Vec<_>>().join("&")
}

/// The first of some stories that such a controller does not survive says so in these words. It may do everything, or
/// the policies would keep it from much of what the oracles are to find.
fn is_caught(sabotage: Sabotage, words: &str) {
    is_caught_in(story::world, sabotage, words);
}

/// The same in such worlds.
fn is_caught_in(world: impl Fn(u64) -> World, sabotage: Sabotage, words: &str) {
    let errors = (0..12).filter_map(|seed| {
        virtual_time(async {
            let universe = story::universe_of(seed, world(seed));
            *lock(&universe.sabotage) = Some(sabotage);
            let cuts = Cuts::default();
            universe.live(tale::tell(&universe, &cuts)).await.err()
        })
    });
    let mut seen = Vec::new();
    for error in errors {
        if error.contains(words) {
            return;
        }
        seen.push(error);
    }
    panic!("{sabotage:?} is not caught: {seen:#?}");
}

#[test]
fn a_second_live_image_of_one_revision_in_one_place_is_caught() {
    is_caught(Sabotage::RepeatsCopies, "are live at once");
}

#[test]
fn a_snapshot_that_no_image_uses_is_caught() {
    is_caught(Sabotage::LeavesSnapshots, "is not used");
}

#[test]
fn a_published_image_that_cannot_be_launched_is_caught() {
    is_caught(
        Sabotage::DeregistersPublished,
        "while the status says that it is published",
    );
}

#[test]
fn a_change_of_what_is_not_ours_is_caught() {
    is_caught(Sabotage::TagsStrangers, "what is not ours was changed");
}

#[test]
fn a_change_of_what_is_not_ours_is_denied_and_that_is_caught() {
    let world = |seed| rights::restricted(story::world(seed));
    let words = "EC2 denied what a policy should allow";
    is_caught_in(world, Sabotage::TagsStrangers, words);
}

#[test]
fn a_controller_that_never_gets_there_is_caught() {
    is_caught(Sabotage::MakesNothing, "EC2 does not match after");
}

#[test]
fn a_region_in_which_nothing_is_published_is_caught() {
    is_caught(Sabotage::TagsNothing, "published in []");
}

#[test]
fn a_restart_that_nobody_asked_for_is_caught() {
    is_caught(Sabotage::RestartsInstances, "was restarted");
}

#[test]
fn a_source_that_is_not_followed_is_caught() {
    is_caught(Sabotage::SeesNoNews, "EC2 does not match after");
}

#[test]
fn a_copy_that_takes_its_time_is_caught() {
    is_caught(Sabotage::TakesItsTime, "is to take None minutes");
}

#[test]
fn a_write_to_ec2_at_rest_is_caught() {
    is_caught(Sabotage::WritesAtRest, "EC2 was written to at rest");
}

#[test]
fn a_write_of_a_status_at_rest_is_caught() {
    is_caught(Sabotage::WritesStatusAtRest, "a status was written at rest");
}

#[test]
fn a_published_image_that_a_status_no_longer_names_is_caught() {
    is_caught(Sabotage::TellsWhenReady, "no longer names");
}
