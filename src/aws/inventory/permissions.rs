//! Who else may use images and snapshots, which no list shows: asked after a change, and else of each once in an
//! interval, spread over it by their ids, since somebody else may change it.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use amity_core::image::permissions::{Grantee, PermissionChange, Permissions};
use amity_core::image::plan::When;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{ImageAttributeName, LaunchPermission, SnapshotAttributeName};
use jiff::{SignedDuration, Timestamp};

use super::Inventory;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::effect::is_id;
use crate::aws::error::Failure;

const OF_IMAGE: &str = "DescribeImageAttribute";
const OF_SNAPSHOT: &str = "DescribeSnapshotAttribute";

/// How long a failure is remembered.
const FAILURE_FRESH: SignedDuration = SignedDuration::from_mins(1);

impl Inventory {
    /// Whether it is known who else may use an image or snapshot, or need not be before its turn comes.
    pub(super) fn knows_permissions(
        &self,
        key: &(Place, String),
        when: When,
        object: &str,
    ) -> bool {
        self.known_permissions(key, object).is_some()
            || when == When::InTurn && self.clock.now() < self.first_turn(key)
    }

    /// What EC2 said of who else may use it, unless that is too long ago.
    pub(super) fn known_permissions(
        &self,
        key: &(Place, String),
        object: &str,
    ) -> Option<Permissions> {
        let unreadable = self.state().why_unreadable(&key.0, object);
        let unreadable = unreadable.map(Permissions::Unknown);
        unreadable.or_else(|| self.permissions.get(key, self.clock.now()))
    }

    /// When it is first read in a process that believes that it was in line: within the first interval.
    pub(super) fn first_turn(&self, key: &(Place, String)) -> Timestamp {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let share = i64::try_from(hasher.finish() % 1000).unwrap_or_default();
        let interval = self.settings.permissions_interval;
        let wait = SignedDuration::from_millis(interval.as_secs().saturating_mul(share));
        self.state().started + wait
    }

    /// Reads who else may use an image or snapshot, and remembers what came of it.
    pub(super) async fn read_permissions(&self, place: &Place, id: &str) {
        let (permissions, fresh) = match self.ask_for_permissions(place, id).await {
            Ok(grantees) => (
                Permissions::Of(grantees),
                self.settings.permissions_interval,
            ),
            Err(unreadable) => (Permissions::Unknown(unreadable), FAILURE_FRESH),
        };
        let key = (place.clone(), id.to_owned());
        let now = self.clock.now();
        self.permissions.put(key, permissions, now + fresh, now);
    }

    /// What was changed is so, whatever EC2 shows in the next minutes; after that it is read again. What may have been
    /// changed is not known.
    pub(super) fn wrote_permissions(
        &self,
        place: &Place,
        id: &str,
        change: &PermissionChange,
        is_done: bool,
    ) {
        let now = self.clock.now();
        let until = now + self.settings.consistency_window;
        let key = (place.clone(), id.to_owned());
        if is_done {
            self.permissions.change(&key, until, |known| {
                if let Permissions::Of(grantees) = known {
                    change.apply(grantees);
                }
            });
        } else {
            self.permissions.forget(|other| *other == key);
        }
        let mut taken_back = self.taken_back.get(&key, now).unwrap_or_default();
        taken_back.retain(|grantee| !change.add.contains(grantee));
        if is_done {
            taken_back.extend(change.remove.iter().cloned());
        }
        self.taken_back.put(key, taken_back, until, now);
    }

    async fn ask_for_permissions(
        &self,
        place: &Place,
        id: &str,
    ) -> Result<BTreeSet<Grantee>, Unreadable> {
        let session = self
            .sessions
            .proven(&place.account)
            .ok_or_else(|| self.why_closed(place))?;
        let (ec2, calls) = (session.ec2(&place.region), self.sessions.calls());
        let action = if is_id("ami-", id) {
            OF_IMAGE
        } else {
            OF_SNAPSHOT
        };
        let answer = match action {
            OF_IMAGE => {
                self.in_turn(place, action, of_image(&ec2, calls, id))
                    .await?
            }
            _ => {
                self.in_turn(place, action, of_snapshot(&ec2, calls, id))
                    .await?
            }
        };
        answer.map_err(|failure| failure.unreadable(action, place))
    }
}

async fn of_image(ec2: &Ec2, calls: &EC2Calls, id: &str) -> Result<BTreeSet<Grantee>, Failure> {
    let request = ec2
        .describe_image_attribute()
        .image_id(id)
        .attribute(ImageAttributeName::LaunchPermission);
    let answer = calls::read(calls, OF_IMAGE, || request.clone().send()).await?;
    Ok(answer
        .launch_permissions()
        .iter()
        .filter_map(grantee)
        .collect())
}

async fn of_snapshot(ec2: &Ec2, calls: &EC2Calls, id: &str) -> Result<BTreeSet<Grantee>, Failure> {
    if !is_id("snap-", id) {
        return Err(Failure::ours("there is no snapshot to ask for"));
    }
    let request = ec2
        .describe_snapshot_attribute()
        .snapshot_id(id)
        .attribute(SnapshotAttributeName::CreateVolumePermission);
    let answer = calls::read(calls, OF_SNAPSHOT, || request.clone().send()).await?;
    let permissions = answer.create_volume_permissions().iter();
    let accounts = permissions.filter_map(|permission| permission.user_id());
    Ok(accounts.map(|id| Grantee::Account(id.to_owned())).collect())
}

/// Everybody is not among them: lists show that.
fn grantee(permission: &LaunchPermission) -> Option<Grantee> {
    let organization = permission.organization_arn();
    let unit = permission.organizational_unit_arn();
    let account = permission.user_id();
    account
        .map(|id| Grantee::Account(id.to_owned()))
        .or_else(|| Some(Grantee::Organization(organization?.to_owned())))
        .or_else(|| Some(Grantee::OrganizationalUnit(unit?.to_owned())))
}
