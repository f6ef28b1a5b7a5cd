//! Whose an image or a snapshot is: a tag is a claim, EC2's own attributes are the proof, the seal its record.

use std::fmt;

use super::{Identity, Reference, tag};
use crate::image::observed::{Image, Snapshot};

/// What can be said of an image whose tags claim an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Sealed: the tags name the very id that carries them.
    Ours,
    /// Not sealed yet, but EC2 itself says that it was made from what the tags say.
    Newborn,
    /// EC2 does not show yet what it was made from. Its place waits.
    Unproven,
    /// Somebody else's, for the reason given. It is reported and never touched.
    Foreign(Foreign),
    /// Sealed by the same owner from another cluster, whose uid is given.
    OtherCluster(String),
}

/// Why an image with our tags is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// `amity.dev/self` names another id: the tags were copied.
    SealOfAnother,
    /// EC2 says that it was made from something else than the tags claim.
    MadeFromSomethingElse,
    /// It was let go when its object was deleted with `deletionPolicy: Retain`.
    Retained,
    /// A tag that Amity always writes is missing or cannot be read.
    TagsIncomplete,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SealOfAnother => "its tags were copied from another image",
            Self::MadeFromSomethingElse => {
                "EC2 says that it was made from something else than its tags claim"
            }
            Self::Retained => "it was retained when the object that made it was deleted",
            Self::TagsIncomplete => "tags that Amity always writes are missing from it",
        })
    }
}

/// Whose an image is whose tags claim the object of `identity`.
pub fn standing(image: &Image, identity: &Identity) -> Standing {
    let text = |key| image.tags.get(key);
    let (Some(cluster), Some(_)) = (text(tag::CLUSTER), text(tag::REVISION)) else {
        return Standing::Foreign(Foreign::TagsIncomplete);
    };
    if text(tag::RETAINED).is_some() {
        return Standing::Foreign(Foreign::Retained);
    }
    let standing = match text(tag::SELF) {
        Some(id) if id == image.id => Standing::Ours,
        Some(_) => Standing::Foreign(Foreign::SealOfAnother),
        None => match text(tag::SOURCE).and_then(|source| source.parse().ok()) {
            Some(source) => newborn_standing(image, &source),
            None => Standing::Foreign(Foreign::TagsIncomplete),
        },
    };
    match standing {
        Standing::Ours | Standing::Newborn if !identity.is_of_cluster(&image.tags) => {
            Standing::OtherCluster(cluster.to_owned())
        }
        standing => standing,
    }
}

/// A capture is proven by `SourceInstanceId`; a copy by `SourceImageRegion` and `SourceImageId` while there
/// is no `SourceInstanceId` (`SourceImageId` alone does not mean "a copy": `CreateImage` sets it too, to
/// what the instance was launched from); a registered image by its root snapshot, since `RegisterImage` sets
/// neither. Source: EC2 User Guide, "Trace the source of an AMI".
fn newborn_standing(image: &Image, source: &Reference) -> Standing {
    let proven = match (&image.source_instance, &image.source_image) {
        (Some(instance), _) => *instance == source.id,
        (None, Some(made_from)) => made_from == source,
        (None, None) => match image.root_snapshot() {
            Some(root) if source.is_snapshot() => root == source.id,
            _ => return Standing::Unproven,
        },
    };
    if proven {
        Standing::Newborn
    } else {
        Standing::Foreign(Foreign::MadeFromSomethingElse)
    }
}

/// Whether a snapshot carries the seal and the claim, and so may be deleted for this object.
pub fn is_sealed_snapshot(snapshot: &Snapshot, identity: &Identity) -> bool {
    identity.is_claimed_by(&snapshot.tags)
        && identity.is_of_cluster(&snapshot.tags)
        && snapshot.tags.get(tag::SELF) == Some(snapshot.id.as_str())
        && !snapshot.tags.contains_key(tag::RETAINED)
}

/// Whether a snapshot whose tags claim the object carries no seal yet: neither its own, nor one that was
/// copied with the tags of another.
pub fn awaits_seal(snapshot: &Snapshot, identity: &Identity) -> bool {
    identity.is_claimed_by(&snapshot.tags)
        && !snapshot.tags.contains_key(tag::SELF)
        && !snapshot.tags.contains_key(tag::RETAINED)
}
