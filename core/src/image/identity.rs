//! Whose an image is: owner, object, revision and place, as tags, names, tokens and seals.
//!
//! The tags are the whole memory of Amity. A tag never proves itself, though: what proves an image is
//! EC2's own attributes (see [`standing`]), and what records the proof is the seal, a tag that names the
//! very id that carries it, so that tags carried off to another image convict themselves.

mod revision;
mod standing;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::tags::Tags;

pub use revision::Revision;
pub use standing::{Foreign, Standing, awaits_seal, is_sealed_snapshot, standing};

/// The keys of the tags that Amity writes. All begin with [`tag::PREFIX`].
pub mod tag {
    /// What every key of ours begins with; users may not write such keys.
    pub const PREFIX: &str = "amity.dev/";
    /// The installation (`--owner-id`).
    pub const OWNER: &str = "amity.dev/owner";
    /// The uid of the cluster's namespace `kube-system`.
    pub const CLUSTER: &str = "amity.dev/cluster";
    /// `namespace/name` of the `MachineImage`.
    pub const OBJECT: &str = "amity.dev/object";
    /// The hash of what the image is made of, see [`super::Revision`].
    pub const REVISION: &str = "amity.dev/revision";
    /// What the revision was made from, resolved: `us-east-1/i-…`. Never two origins in one revision.
    pub const ORIGIN: &str = "amity.dev/origin";
    /// What this very image was made or copied from: `us-east-1/ami-…`.
    pub const SOURCE: &str = "amity.dev/source";
    /// What distinguishes two images of one revision in one place.
    pub const VARIANT: &str = "amity.dev/variant";
    /// Which attempt to copy to its place, or to launch a machine there, it is: failed ones may vanish, and a token must not be used twice.
    pub const ATTEMPT: &str = "amity.dev/attempt";
    /// What a machine is launched for: `build`.
    pub const PURPOSE: &str = "amity.dev/purpose";
    /// The seal: the id of the very image or snapshot that carries it.
    pub const SELF: &str = "amity.dev/self";
    /// When the revision was published; absent while it is not what users should launch.
    pub const PUBLISHED: &str = "amity.dev/published";
    /// When the image ceased to be published because another revision was; from then on its retention counts.
    pub const SUPERSEDED: &str = "amity.dev/superseded";
    /// The id of the image in the same place that is published in its stead; noted where superseded images are
    /// deprecated at once.
    pub const SUCCESSOR: &str = "amity.dev/successor";
    /// Hashes of the keys of `spec.tags`, of the region's tags and of `spec.snapshotTags` that Amity put there, see [`super::TagKeys`].
    pub const TAG_KEYS: &str = "amity.dev/tag-keys";
    /// The same of the keys of `spec.publish.tags`.
    pub const PUBLISH_TAG_KEYS: &str = "amity.dev/publish-tag-keys";
    /// The ids of the accounts that may use the image, and its snapshots, only for as long as they copy it.
    pub const LENT_TO: &str = "amity.dev/lent-to";
    /// A parameter of Systems Manager may be in the place that names one of the object's images, and what it was last
    /// called; from before it is made until it is proven gone.
    pub const PARAMETER: &str = "amity.dev/parameter";
    /// Somebody holds the image: it is not deregistered while it has this tag, whatever the value.
    pub const HOLD: &str = "amity.dev/hold";
    /// When somebody else's image was taken over (`spec.adopt`): its snapshots are the object's, too.
    pub const ADOPTED: &str = "amity.dev/adopted";
    /// The object was deleted with `deletionPolicy: Retain`; such an image is nobody's any more.
    pub const RETAINED: &str = "amity.dev/retained";
}

/// An AWS account and a region: what EC2 keeps apart, and so what can be unreadable on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The account's twelve digits.
    pub account: String,
    /// The region's name, such as `eu-west-1`.
    pub region: String,
}

impl Place {
    /// The place of a region in an account.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            region: region.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.account.as_str() {
            // The account is not known: there is no such AwsAccount.
            "" => f.write_str(&self.region),
            account => write!(f, "{account}/{}", self.region),
        }
    }
}

/// An instance, image or snapshot with its region, written `us-east-1/i-0123…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The region's name.
    pub region: String,
    /// The EC2 id.
    pub id: String,
}

impl Reference {
    /// A reference to `id` in `region`.
    pub fn new(region: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            id: id.into(),
        }
    }

    /// Whether it names an instance (and not an image or a snapshot).
    pub fn is_instance(&self) -> bool {
        self.id.starts_with("i-")
    }

    /// Whether it names a snapshot.
    pub fn is_snapshot(&self) -> bool {
        self.id.starts_with("snap-")
    }

    /// Whether it names an image.
    pub fn is_image(&self) -> bool {
        self.id.starts_with("ami-")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.id)
    }
}

impl FromStr for Reference {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once('/') {
            Some((region, id)) if !region.is_empty() && !id.is_empty() => Ok(Self::new(region, id)),
            _ => Err(()),
        }
    }
}

/// SHA-256 over length-prefixed parts, as hex: no two lists of parts have the same input.
pub(crate) fn hex_digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher
        .finalize()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            use fmt::Write;
            write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
            hex
        })
}

/// Who makes images here, and for which object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The installation, `--owner-id`.
    pub owner: String,
    /// The uid of namespace `kube-system` of the cluster that holds the object.
    pub cluster: String,
    /// The uid of the cluster that was rebuilt as this one (`--take-over-from`): its images are this one's,
    /// and tagged so.
    pub predecessor: Option<String>,
    /// `namespace/name`.
    pub object: String,
}

impl Identity {
    /// The namespace of the object.
    pub fn namespace(&self) -> &str {
        let (namespace, _) = self.object.split_once('/').unwrap_or_default();
        namespace
    }

    /// The tags that every image and snapshot of `revision` carries from birth. `variant` is how it is encrypted.
    pub fn birth_tags(
        &self,
        revision: &Revision,
        variant: &str,
        origin: &Reference,
        source: &Reference,
    ) -> BTreeMap<String, String> {
        [
            (tag::OWNER, self.owner.clone()),
            (tag::CLUSTER, self.cluster.clone()),
            (tag::OBJECT, self.object.clone()),
            (tag::REVISION, revision.to_string()),
            (tag::ORIGIN, origin.to_string()),
            (tag::SOURCE, source.to_string()),
            (tag::VARIANT, variant.to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// The client token of one attempt to copy `revision` to `place`, encrypted as `variant` says: a hash of what is
    /// wanted, never of what may be edited meanwhile (name, description, tags), so that a repeat is always the same
    /// call.
    pub fn copy_token(
        &self,
        revision: &Revision,
        variant: &str,
        place: &Place,
        attempt: u32,
    ) -> String {
        let parts = [
            "CopyImage",
            &self.owner,
            &self.object,
            revision.as_str(),
            variant,
            &place.account,
            &place.region,
            &attempt.to_string(),
        ];
        hex_digest(parts)
    }

    /// The client token for a report of who uses an image, where the last one is of `last`: repeating the call is harmless
    /// until EC2 shows the new one.
    pub fn usage_report_token(&self, place: &Place, id: &str, last: Option<Timestamp>) -> String {
        let last = last.map(|last| last.to_string()).unwrap_or_default();
        let parts = [
            "CreateImageUsageReport",
            &self.owner,
            &self.object,
            &place.account,
            &place.region,
            id,
            &last,
        ];
        hex_digest(parts)
    }

    /// The tags of such a report: whose it is. EC2 drops it after 30 days (EC2 User Guide, "View your AMI usage").
    pub fn usage_report_tags(&self) -> BTreeMap<String, String> {
        [
            (tag::OWNER, &self.owner),
            (tag::CLUSTER, &self.cluster),
            (tag::OBJECT, &self.object),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
    }

    /// Whether these tags are of this cluster or of the one that it takes over from.
    pub fn is_of_cluster(&self, tags: &Tags) -> bool {
        tags.get(tag::CLUSTER)
            .is_some_and(|uid| uid == self.cluster || self.predecessor.as_deref() == Some(uid))
    }

    /// Whether these tags are of the cluster that this one takes over from.
    pub fn is_to_be_taken_over(&self, tags: &Tags) -> bool {
        self.is_of_cluster(tags) && tags.get(tag::CLUSTER) != Some(self.cluster.as_str())
    }

    /// Whether these tags say that the thing belongs to this object. It is a claim, not a proof.
    pub fn is_claimed_by(&self, tags: &Tags) -> bool {
        tags.get(tag::OWNER) == Some(self.owner.as_str())
            && tags.get(tag::OBJECT) == Some(self.object.as_str())
    }
}

/// Which keys of a resource's tags come from a field of the spec, such as `spec.tags`: eight hex digits of the hash of each, because
/// thirty keys would not fit into one tag's value. Only those keys may be removed again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagKeys(Vec<String>);

impl TagKeys {
    /// What is noted when `keys` are put on a resource.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a String>) -> Self {
        let mut hashes: Vec<_> = keys.into_iter().map(|key| Self::hash(key)).collect();
        hashes.sort();
        Self(hashes)
    }

    /// Reads the note from the tag of this key; what does not parse notes nothing, so that nothing is removed.
    pub fn read(tags: &Tags, note: &str) -> Self {
        let value = tags.get(note).unwrap_or_default();
        Self(
            value
                .as_bytes()
                .chunks_exact(8)
                .map(|hash| String::from_utf8_lossy(hash).into_owned())
                .collect(),
        )
    }

    /// The tag's value.
    pub fn value(&self) -> String {
        self.0.concat()
    }

    /// Whether Amity put this key there.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains(&Self::hash(key))
    }

    /// Whether no key is noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn hash(key: &str) -> String {
        hex_digest([key])[..8].to_owned()
    }
}

#[cfg(test)]
mod tests;
