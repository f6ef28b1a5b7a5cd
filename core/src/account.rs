//! What an account holds of this installation, looked at as a whole: how much is about to go at once, what
//! nobody asks for any more, and whether the `AwsAccount` may go. Pure, as the planner is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::{DeletionPolicy, MachineImage, RegionTarget, Stray, Strays};
use crate::image::identity::{Place, tag};
use crate::image::money::gib;
use crate::image::observed::{Departures, Unreadable};
use crate::image::tags::Tags;

/// How many examples of strays are shown.
const SHOWN_STRAYS: usize = 10;

/// How many names are said before "and N more".
const SAID_NAMES: usize = 3;

/// What every object asks for, as far as it concerns an account.
#[derive(Clone, Debug, Default)]
pub struct Claims(BTreeMap<String, Arc<Claim>>);

/// What one object asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// `None` for an object that this version cannot read: it may be of any account.
    accounts: Option<Box<[ClaimOfAccount]>>,
    /// Whether it is being deleted.
    ends: bool,
    deletes: bool,
}

/// What one object asks for in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ClaimOfAccount {
    /// The name of the `AwsAccount`.
    name: Box<str>,
    regions: Box<[Box<str>]>,
}

impl ClaimOfAccount {
    fn is_for(&self, account_name: &str, region: &str) -> bool {
        *self.name == *account_name && self.regions.iter().any(|one| **one == *region)
    }
}

/// An image or snapshot with this installation's tags.
#[derive(Clone, Debug)]
pub struct Held {
    /// Where; one for all that is there.
    pub place: Arc<Place>,
    /// `ami-…` or `snap-…`
    pub id: String,
    /// Bytes that a snapshot stores at most; none of an image, which stores nothing itself.
    pub bytes: u64,
    /// Every tag.
    pub tags: Tags,
}

/// All that an account holds, and what of it could not be read.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// The images and snapshots that carry the owner's tag.
    pub held: Vec<Held>,
    /// The places that could not be read.
    pub unreadable: BTreeMap<Place, Unreadable>,
}

impl Held {
    fn is_image(&self) -> bool {
        self.id.starts_with("ami-")
    }

    fn is_sealed(&self) -> bool {
        self.tags.get(tag::SELF) == Some(self.id.as_str())
    }

    fn object(&self) -> Option<&str> {
        self.tags.get(tag::OBJECT)
    }

    /// Whether it is this cluster's, and not let go with `Retain`.
    fn is_kept_by(&self, cluster: &str) -> bool {
        self.tags.get(tag::CLUSTER) == Some(cluster) && !self.tags.contains_key(tag::RETAINED)
    }
}

impl Claim {
    /// What this object asks for.
    pub fn of(image: &MachineImage) -> Self {
        Self {
            accounts: Some(asked_for(image)),
            ends: image.is_being_deleted(),
            deletes: image.spec.deletion_policy == DeletionPolicy::Delete,
        }
    }

    /// What an object asks for that this version cannot read.
    pub fn of_any_account() -> Self {
        Self {
            accounts: None,
            ends: false,
            deletes: false,
        }
    }

    /// Whether the object names this `AwsAccount`, as far as this version can read it.
    pub fn names(&self, account_name: &str) -> bool {
        let mut asked = self.accounts.iter().flatten();
        asked.any(|asked| *asked.name == *account_name)
    }
}

/// From the claims of objects, by `namespace/name`.
impl FromIterator<(String, Arc<Claim>)> for Claims {
    fn from_iter<I: IntoIterator<Item = (String, Arc<Claim>)>>(claims: I) -> Self {
        Self(claims.into_iter().collect())
    }
}

impl Claims {
    /// The objects that name this `AwsAccount`, or may.
    fn naming<'a>(&'a self, account_name: &'a str) -> impl Iterator<Item = &'a String> {
        let naming = self.0.iter();
        let naming =
            naming.filter(move |(_, claim)| claim.accounts.is_none() || claim.names(account_name));
        naming.map(|(object, _)| object)
    }

    /// How many of the images of the account called `account_name` that are or were published their objects no longer
    /// ask for.
    pub fn departures(&self, account_name: &str, holdings: &Holdings) -> Departures {
        let published = || {
            let images = holdings.held.iter();
            // What was let go with `Retain` is nobody's any more: it must not make the others look few.
            images.filter(|held| {
                held.is_image()
                    && held.is_sealed()
                    && held.tags.tell_of_publication()
                    && !held.tags.contains_key(tag::RETAINED)
            })
        };
        let goes = |held: &&Held| {
            // What somebody holds does not go.
            if held.tags.contains_key(tag::HOLD) {
                return false;
            }
            let claim = held.object().and_then(|object| self.0.get(object));
            claim.is_some_and(|claim| {
                let region = held.place.region.as_str();
                let mut asked = claim.accounts.iter().flatten();
                let wants = asked.any(|asked| asked.is_for(account_name, region));
                claim.deletes && (claim.ends || !wants)
            })
        };
        Departures {
            going: published().filter(goes).count(),
            published: published().count(),
        }
    }

    /// What carries this cluster's tags although no object of that name is there: shown, never deleted.
    pub fn strays(&self, holdings: &Holdings, cluster: &str) -> Option<Strays> {
        let strays: Vec<&Held> = holdings
            .held
            .iter()
            .filter(|held| held.is_kept_by(cluster))
            .filter(|held| {
                held.object()
                    .is_none_or(|object| !self.0.contains_key(object))
            })
            .collect();
        let images = strays.iter().filter(|held| held.is_image()).count();
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let example = |held: &&Held| Stray {
            region: held.place.region.clone(),
            id: held.id.clone(),
            object: held.object().unwrap_or_default().to_owned(),
        };
        (!strays.is_empty()).then(|| Strays {
            images: count(images),
            snapshots: count(strays.len() - images),
            gib: gib(strays.iter().map(|held| held.bytes).sum()),
            examples: strays.iter().take(SHOWN_STRAYS).map(example).collect(),
        })
    }

    /// What keeps an `AwsAccount` that is being deleted: objects that name it, images and snapshots of ours, and
    /// what cannot be read. `None` when nothing does.
    pub fn keep(&self, account_name: &str, holdings: &Holdings, cluster: &str) -> Option<String> {
        let objects: Vec<_> = self.naming(account_name).cloned().collect();
        if !objects.is_empty() {
            return Some(format!(
                "it is named by {}: delete what names it first",
                listed(("MachineImage", "MachineImages"), &objects)
            ));
        }
        let left = holdings.held.iter().filter(|held| held.is_kept_by(cluster));
        let left: Vec<_> = left
            .map(|held| format!("{} in {}", held.id, held.place.region))
            .collect();
        if !left.is_empty() {
            return Some(format!(
                "it holds {} of this installation: deregister or delete by hand what is to go, and give what is to \
                 stay the tag {}",
                listed(("image or snapshot", "images and snapshots"), &left),
                tag::RETAINED
            ));
        }
        let unreadable = holdings.unreadable.values().next()?;
        Some(format!(
            "what it holds cannot be read: {}",
            unreadable.message
        ))
    }
}

/// The regions that an object asks for, by the names of the `AwsAccount`s.
fn asked_for(image: &MachineImage) -> Box<[ClaimOfAccount]> {
    let of = |name: &str, regions: &[RegionTarget]| ClaimOfAccount {
        name: name.into(),
        regions: regions.iter().map(|one| one.name.as_str().into()).collect(),
    };
    let spec = &image.spec;
    let elsewhere = spec.accounts.iter();
    std::iter::once(of(&spec.account_name, &spec.regions))
        .chain(elsewhere.map(|asked| of(&asked.name, &asked.regions)))
        .collect()
}

/// As the message of `Ready` says it.
impl fmt::Display for Strays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: i32, noun: &str| match number {
            1 => format!("1 {noun}"),
            many => format!("{many} {noun}s"),
        };
        write!(
            f,
            "{} and {} of this installation are there without a MachineImage: see status.strays",
            count(self.images, "image"),
            count(self.snapshots, "snapshot")
        )
    }
}

/// `1 thing (a)`, `3 things (a, b, c)`, or with "and N more".
fn listed((one, many): (&str, &str), names: &[String]) -> String {
    let noun = if names.len() == 1 { one } else { many };
    let said = names
        .iter()
        .take(SAID_NAMES)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let more = match names.len().saturating_sub(SAID_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} {noun} ({said}{more})", names.len())
}

#[cfg(test)]
mod tests;
