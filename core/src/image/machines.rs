//! The machines that are launched for an object, to be captured once they have stopped. What lists of images show tells
//! nothing of them; those of an object are read by a call of their own while there may be one.
//!
//! A tag never proves that a machine is ours: whoever launches "more like this" copies all of them. The client token
//! that EC2 shows of each instance does, since nobody else gives it. Source: EC2 API, `Instance`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::identity::{Identity, Place, Reference, Revision, hex_digest, tag};
use super::observed::Unreadable;
use super::tags::Tags;

/// How many machines are launched at most for one revision, one after the other.
pub const ATTEMPTS: u32 = 3;

/// What is known of an object's machines in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachinesView {
    /// Read.
    Known(Machines),
    /// They could not be read.
    Unknown(Unreadable),
}

/// The machines of a place whose tags claim the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// In the order of their ids.
    pub all: Vec<Machine>,
    /// When it was begun to read them.
    pub as_of: Timestamp,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// `i-…`
    pub id: String,
    /// How far its life is.
    pub state: MachineState,
    /// `LaunchTime`.
    pub launched: Timestamp,
    /// `ClientToken`.
    pub token: String,
    /// EC2's words about its end (`StateReason`).
    pub state_reason: Option<String>,
    /// Every tag.
    pub tags: Tags,
}

/// How far the life of a machine is (EC2 User Guide, "Instance lifecycle").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MachineState {
    /// It starts.
    Pending,
    /// It runs.
    Running,
    /// It stops.
    Stopping,
    /// It has stopped, and can be captured as it was left.
    Stopped,
    /// `shutting-down` or `terminated`: it is gone, or about to be, and is shown for an hour yet.
    Terminated,
}

/// The record of a launch that was about to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// The revision.
    pub revision: Revision,
    /// Which of its machines: the first is 1.
    pub attempt: u32,
    /// In which region.
    pub region: String,
    /// When.
    pub at: Timestamp,
}

impl MachinesView {
    /// Those of `place` that were launched for this object, each with its revision and which of its machines it is; none,
    /// where they could not be read.
    pub fn of<'a>(
        &'a self,
        identity: &'a Identity,
        place: &'a Place,
    ) -> impl Iterator<Item = (&'a Machine, Revision, u32)> {
        let machines = match self {
            Self::Known(machines) => machines.all.as_slice(),
            Self::Unknown(_) => &[],
        };
        machines.iter().filter_map(move |machine| {
            let (revision, attempt) = identity.has_launched(place, machine)?;
            Some((machine, revision, attempt))
        })
    }
}

impl MachineState {
    /// Whether it still costs, and may still do something.
    pub fn is_alive(self) -> bool {
        self != Self::Terminated
    }
}

impl fmt::Display for MachineState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
        })
    }
}

impl Launched {
    /// Reads the annotation; what cannot be read records nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let launched = Self {
            revision: Revision::from(parts.next()?),
            attempt: parts.next()?.parse().ok()?,
            region: parts.next()?.to_owned(),
            at: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(launched)
    }

    /// The annotation's value: `REVISION ATTEMPT REGION TIME`.
    pub fn annotation(revision: &Revision, attempt: u32, region: &str, now: Timestamp) -> String {
        let time = now.strftime("%Y-%m-%dT%H:%M:%SZ");
        format!("{revision} {attempt} {region} {time}")
    }
}

impl Identity {
    /// The client token of one attempt to launch a machine for `revision` in `place`.
    pub fn machine_token(&self, revision: &Revision, place: &Place, attempt: u32) -> String {
        let parts = [
            "RunInstances",
            &self.owner,
            &self.object,
            revision.as_str(),
            &place.account,
            &place.region,
            &attempt.to_string(),
        ];
        hex_digest(parts)
    }

    /// The tags that a machine and its volumes are launched with, from `parent`.
    pub fn machine_tags(
        &self,
        revision: &Revision,
        parent: &Reference,
        attempt: u32,
    ) -> BTreeMap<String, String> {
        let (parent, attempt) = (parent.to_string(), attempt.to_string());
        [
            (tag::OWNER, self.owner.as_str()),
            (tag::CLUSTER, &self.cluster),
            (tag::OBJECT, &self.object),
            (tag::REVISION, revision.as_str()),
            (tag::ORIGIN, &parent),
            (tag::ATTEMPT, &attempt),
            (tag::PURPOSE, PURPOSE_BUILD),
            ("Name", &format!("amity build of {}", self.object)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// For which revision a machine was launched for this object, and which of its machines it is; `None` where EC2 does
    /// not prove that it was.
    pub fn has_launched(&self, place: &Place, machine: &Machine) -> Option<(Revision, u32)> {
        let tags = &machine.tags;
        let revision: Revision = tags.get(tag::REVISION)?.into();
        let attempt = tags.get(tag::ATTEMPT)?.parse().ok()?;
        let is_claimed = self.is_claimed_by(tags)
            && self.is_of_cluster(tags)
            && tags.get(tag::PURPOSE) == Some(PURPOSE_BUILD);
        let is_proven = machine.token == self.machine_token(&revision, place, attempt);
        (is_claimed && is_proven).then_some((revision, attempt))
    }
}

/// What the tag `amity.dev/purpose` says of a machine that an image is built on.
const PURPOSE_BUILD: &str = "build";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            owner: "production".to_owned(),
            cluster: "uid".to_owned(),
            predecessor: None,
            object: "team/web".to_owned(),
        }
    }

    fn machine(place: &Place, revision: &Revision, attempt: u32) -> Machine {
        let parent = Reference::new("eu-west-1", "ami-parent");
        Machine {
            id: "i-1".to_owned(),
            state: MachineState::Running,
            launched: Timestamp::UNIX_EPOCH,
            token: identity().machine_token(revision, place, attempt),
            state_reason: None,
            tags: identity().machine_tags(revision, &parent, attempt).into(),
        }
    }

    #[test]
    fn a_machine_is_proven_by_its_token_and_not_by_its_tags() {
        let (place, revision) = (Place::new("1", "eu-west-1"), Revision::from("3f9a1c07d2"));
        let ours = machine(&place, &revision, 2);
        let proven = identity().has_launched(&place, &ours);
        assert_eq!(proven, Some((revision.clone(), 2)));
        let like_it = Machine {
            token: "of a console".to_owned(),
            ..ours.clone()
        };
        assert_eq!(identity().has_launched(&place, &like_it), None);
        let elsewhere = Place::new("1", "us-east-1");
        assert_eq!(identity().has_launched(&elsewhere, &ours), None);
        let mut retold = ours.clone();
        retold.tags.insert(tag::ATTEMPT, "1");
        assert_eq!(identity().has_launched(&place, &retold), None);
        let other = Identity {
            object: "team/db".to_owned(),
            ..identity()
        };
        assert_eq!(other.has_launched(&place, &ours), None);
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let at: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
        let revision = Revision::from("3f9a1c07d2");
        let text = Launched::annotation(&revision, 2, "eu-west-1", at);
        assert_eq!(text, "3f9a1c07d2 2 eu-west-1 2026-05-01T00:00:00Z");
        let launched = Launched::parse(&text).unwrap();
        assert_eq!((launched.attempt, launched.at), (2, at));
        for text in [
            "",
            "3f9a1c07d2 2 eu-west-1",
            "a b c d",
            &format!("{text} x"),
        ] {
            assert_eq!(Launched::parse(text), None, "{text:?}");
        }
    }
}
