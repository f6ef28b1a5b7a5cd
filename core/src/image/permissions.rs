//! Who else may use an image or a snapshot: EC2's launch permissions and create-volume permissions. No list shows
//! them; each is read by a call of its own.

use std::collections::BTreeSet;
use std::fmt;

use super::observed::Unreadable;
use super::plan::Finding;

/// Somebody who may launch an image or, if it is an account, make volumes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// An account, by its id.
    Account(String),
    /// All accounts of an organization, by its ARN.
    Organization(String),
    /// All accounts of an organizational unit, by its ARN.
    OrganizationalUnit(String),
}

impl Grantee {
    /// The id or ARN.
    pub fn id(&self) -> &str {
        match self {
            Self::Account(id) | Self::Organization(id) | Self::OrganizationalUnit(id) => id,
        }
    }

    /// Whether it can be given a snapshot: EC2 knows organizations only at images (EC2 API,
    /// `ModifySnapshotAttribute`).
    pub fn is_account(&self) -> bool {
        matches!(self, Self::Account(_))
    }
}

/// What EC2 says of who else may use an image or snapshot. That everybody may use an image is not part of it: lists
/// show that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permissions {
    /// These; nobody, if it is empty.
    Of(BTreeSet<Grantee>),
    /// It could not be read.
    Unknown(Unreadable),
}

/// A change of who may use an image or snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionChange {
    /// Who may from now on.
    pub add: BTreeSet<Grantee>,
    /// Who may no longer.
    pub remove: BTreeSet<Grantee>,
}

impl PermissionChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// The change in as many calls as it takes, what is taken away first: a snapshot takes no additions and removals at
    /// once (EC2 API, `ModifySnapshotAttribute`).
    pub fn in_calls(self, of_snapshot: bool) -> Vec<Self> {
        let parts = if of_snapshot {
            let removal = Self {
                remove: self.remove,
                ..Self::default()
            };
            let addition = Self {
                add: self.add,
                ..Self::default()
            };
            vec![removal, addition]
        } else {
            vec![self]
        };
        parts.into_iter().filter(|part| !part.is_empty()).collect()
    }

    /// Who may use it after the change.
    pub fn apply(&self, to: &mut BTreeSet<Grantee>) {
        to.retain(|grantee| !self.remove.contains(grantee));
        to.extend(self.add.iter().cloned());
    }
}

/// `+222233334444 -333344445555`
impl fmt::Display for PermissionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let added = self.add.iter().map(|grantee| ('+', grantee));
        let removed = self.remove.iter().map(|grantee| ('-', grantee));
        let mut separator = "";
        for (sign, grantee) in added.chain(removed) {
            write!(f, "{separator}{sign}{}", grantee.id())?;
            separator = " ";
        }
        Ok(())
    }
}

/// With whom the images shall be shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Whether everybody shall be able to launch them.
    pub public: bool,
    /// Who else shall, besides.
    pub with: BTreeSet<Grantee>,
    /// Those among them that no grant of the account allows. Who may use an image already keeps it.
    pub not_granted: BTreeSet<Grantee>,
    /// Whether everybody is allowed by a grant.
    pub public_is_granted: bool,
    /// What is missing, for whoever is not granted.
    pub refusals: Vec<Finding>,
}

impl Sharing {
    /// What changes for an image or snapshot that `seen` may use, where `may` be given to them. Nobody is given what is
    /// not theirs yet while `may_add` is false.
    pub fn change(
        &self,
        seen: &BTreeSet<Grantee>,
        may: impl Fn(&Grantee) -> bool,
        may_add: bool,
    ) -> PermissionChange {
        let wanted = self.with.iter().filter(|grantee| may(grantee));
        PermissionChange {
            add: wanted
                .clone()
                .filter(|grantee| may_add && !seen.contains(grantee))
                .filter(|grantee| !self.not_granted.contains(grantee))
                .cloned()
                .collect(),
            remove: seen
                .iter()
                .filter(|grantee| !self.with.contains(grantee) || !may(grantee))
                .cloned()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(ids: &[&str]) -> BTreeSet<Grantee> {
        let accounts = ids.iter().map(|id| Grantee::Account((*id).to_owned()));
        accounts.collect()
    }

    #[test]
    fn what_was_changed_is_as_wanted() {
        let sharing = Sharing {
            with: accounts(&["1", "2"]),
            ..Sharing::default()
        };
        let mut seen = accounts(&["2", "3"]);
        let change = sharing.change(&seen, Grantee::is_account, true);
        assert_eq!(change.to_string(), "+1 -3");
        change.apply(&mut seen);
        assert_eq!(seen, sharing.with);
        assert!(sharing.change(&seen, Grantee::is_account, true).is_empty());
    }

    #[test]
    fn whoever_is_not_granted_is_not_added_and_keeps_what_it_has() {
        let sharing = Sharing {
            with: accounts(&["1", "2"]),
            not_granted: accounts(&["1", "2"]),
            ..Sharing::default()
        };
        let change = sharing.change(&accounts(&["2"]), Grantee::is_account, true);
        assert!(change.is_empty(), "{change}");
    }

    #[test]
    fn a_superseded_image_is_taken_from_some_and_given_to_nobody() {
        let sharing = Sharing {
            with: accounts(&["1"]),
            ..Sharing::default()
        };
        let change = sharing.change(&accounts(&["2"]), Grantee::is_account, false);
        assert_eq!(change.to_string(), "-2");
    }

    #[test]
    fn a_snapshot_is_taken_from_some_and_given_to_others_in_two_calls() {
        let change = PermissionChange {
            add: accounts(&["1"]),
            remove: accounts(&["2"]),
        };
        let calls = |change: PermissionChange, of_snapshot| -> Vec<String> {
            let calls = change.in_calls(of_snapshot);
            calls.iter().map(ToString::to_string).collect()
        };
        assert_eq!(calls(change.clone(), true), ["-2", "+1"]);
        assert_eq!(calls(change, false), ["+1 -2"]);
        assert!(PermissionChange::default().in_calls(true).is_empty());
    }

    #[test]
    fn a_snapshot_is_not_given_to_an_organization() {
        let organization = Grantee::Organization("arn".to_owned());
        let sharing = Sharing {
            with: BTreeSet::from([organization]),
            ..Sharing::default()
        };
        let of_snapshot = sharing.change(&BTreeSet::new(), Grantee::is_account, true);
        assert!(of_snapshot.is_empty());
        let of_image = sharing.change(&BTreeSet::new(), |_| true, true);
        assert_eq!(of_image.to_string(), "+arn");
    }
}
