//! What a world holds: accounts, regions, instances, snapshots, images, and what names images.
//!
//! Everything is ordered and hashable, so that two worlds can be compared as wholes.

mod command;
mod fast_launch;
mod guest;
mod image;
mod instance;
mod key;
mod launch;
mod network;
mod organization;
pub(crate) mod parameter;
mod platform;
mod snapshot;
mod template;
mod usage_report;
pub(crate) mod zone;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lag::{Lag, Lagged, View};

pub(crate) use command::{Command, CommandEnd, Invocation};
pub(crate) use fast_launch::{FastLaunch, FastLaunchState, FastLaunchTemplate};
pub use guest::{ConsoleLine, Generalised, Guest, GuestFault, LaunchAgent, ScriptedCommand};
pub use image::{Deregistered, Device, Ebs, Image, ImageState, Machine, Protection, StateReason};
pub(crate) use image::{Failure, Work, WorkKind};
pub use instance::{
    Attached, DetachedVolume, Instance, InstanceState, Reboot, UsedProfile, Volume,
};
pub use key::{Key, KeyState};
pub use launch::{Interface, LaunchData, LaunchDevice, MetadataOptions, ShutdownBehavior, Spot};
pub(crate) use network::made;
pub use network::{InstanceProfile, KeyPair, Network, SecurityGroup, Subnet, Vpc};
pub(crate) use organization::{
    Viewer, is_organization, is_organization_id, is_unit, is_unit_id, organization_arn, unit_arn,
};
pub(crate) use parameter::Record;
pub use parameter::{DataType, Parameter};
pub use platform::Platform;
pub(crate) use snapshot::TimedCopy;
pub use snapshot::{Snapshot, SnapshotState};
pub use template::{LaunchTemplate, TemplateVersion};
pub(crate) use usage_report::{UsageQuestion, UsageReport};
pub use zone::Zone;

/// Tags as one account sees them.
pub type Tags = BTreeMap<String, String>;

/// An AWS account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// What EC2 calls it in `imageOwnerAlias`, such as `amazon`.
    pub alias: Option<String>,
    /// The opt-in regions that it has enabled.
    pub opted_in: BTreeSet<String>,
    /// Its roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Its instance profiles by name.
    pub instance_profiles: BTreeMap<String, InstanceProfile>,
    /// The ARNs of its organization and of the organizational units that it is in, the units that
    /// those are part of included.
    pub member_of: BTreeSet<String>,
    /// Its settings by region.
    pub places: BTreeMap<String, Place>,
}

/// A role that other accounts may assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// The accounts whose principals may assume it.
    pub trusts: BTreeSet<String>,
    /// What the caller must give as `ExternalId`.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Whether they may tag the session, too: its trust policy allows `sts:TagSession`.
    #[serde(default)]
    pub allows_session_tags: bool,
}

/// The settings of an account in a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whether new snapshots are encrypted although nobody asked.
    pub encryption_by_default: bool,
    /// The ARN of the key used when none is named; none: the AWS managed key `aws/ebs`.
    pub default_key: Option<String>,
    /// Its keys by ARN; none: every well-formed name is a working key.
    pub keys: BTreeMap<String, Key>,
    /// The ARNs of the keys that a copy takes and then fails with.
    pub broken_keys: BTreeSet<String>,
    /// Whether images may be made public: block public access is off.
    pub allows_public_images: bool,
    /// From when on it will be so, or not.
    pub(crate) allows_public_images_from: Option<(Timestamp, bool)>,
    /// Its networks and key pairs; none: those of a new account.
    pub network: Option<Network>,
    /// For how many days a rule keeps deregistered images in the Recycle Bin; 0: there is none.
    pub recycle_bin_days: u64,
    /// The same for deleted snapshots.
    pub snapshot_recycle_bin_days: u64,
}

/// Who has an access key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Principal {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// Temporary credentials: their token and their end.
    pub session: Option<(String, Timestamp)>,
    /// The tags of the session.
    pub tags: Tags,
}

/// What a region holds, of all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Region {
    /// Whether an account must opt in before it can use it.
    pub opt_in: bool,
    /// Its zones by name.
    pub zones: BTreeMap<String, Zone>,
    /// The instance types that it offers; none: a usual choice.
    pub instance_types: BTreeSet<String>,
    /// Images by id, deregistered ones too.
    pub images: BTreeMap<String, Image>,
    /// Snapshots by id, deleted ones too.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Instances by id.
    pub instances: BTreeMap<String, Instance>,
    /// Launch templates by id.
    pub launch_templates: BTreeMap<String, LaunchTemplate>,
    /// Parameters of Systems Manager by account and name.
    pub parameters: BTreeMap<String, BTreeMap<String, Parameter>>,
    /// Fast launch by account and image.
    pub(crate) fast_launches: BTreeMap<(String, String), FastLaunch>,
    /// Reports on the usage of images by id.
    pub(crate) usage_reports: BTreeMap<String, UsageReport>,
    /// Volumes that outlived their instances, by id.
    pub detached_volumes: BTreeMap<String, DetachedVolume>,
    /// When readers see an instance, or a version of a launch template (`lt-…:2`).
    pub(crate) seen_from: BTreeMap<String, Lag>,
    /// What was launched with a token, by account, token and the zone that was named, if one was.
    pub(crate) launches: BTreeMap<(String, String, String), Launched>,
    /// What was made of launch templates with a token, by account and token.
    pub(crate) template_tokens: BTreeMap<(String, String), TemplateMade>,
    /// Commands of Systems Manager by id.
    pub(crate) commands: BTreeMap<String, Command>,
    /// What else there is of parameters, by account and name.
    pub(crate) records: BTreeMap<(String, String), Record>,
    /// Tags by resource and by the account that set them: tags on somebody else's public image
    /// are visible only to who set them (docs: `Using_Tags`).
    pub(crate) tags: BTreeMap<String, BTreeMap<String, Lagged<Tags>>>,
}

/// A launch with a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Launched {
    pub parameters: BTreeMap<String, String>,
    pub instances: Vec<String>,
}

/// A launch template, or a version of one, that was made with a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TemplateMade {
    pub parameters: BTreeMap<String, String>,
    pub template: String,
    pub version: u64,
}

impl Region {
    /// Whether a reader sees yet what has no lag of its own.
    pub(crate) fn sees(&self, id: &str, view: View) -> bool {
        self.seen_from.get(id).is_none_or(|lag| lag.seen(view))
    }

    /// The parameter that an account finds under a name: its own, or a public one.
    pub fn parameter(&self, account: &str, name: &str) -> Option<&Parameter> {
        let own = self.own_parameter(account, name);
        let public = || self.parameters.values().find_map(|theirs| theirs.get(name));
        own.or_else(|| parameter::is_public(name).then(public).flatten())
    }

    /// The tags of a parameter of an account.
    pub fn parameter_tags(&self, account: &str, name: &str) -> Tags {
        let record = self.record(account, name);
        record.map(|record| record.tags.clone()).unwrap_or_default()
    }

    pub(crate) fn own_parameter(&self, account: &str, name: &str) -> Option<&Parameter> {
        self.parameters.get(account)?.get(name)
    }

    pub(crate) fn record(&self, account: &str, name: &str) -> Option<&Record> {
        self.records.get(&(account.to_owned(), name.to_owned()))
    }

    pub(crate) fn record_mut(&mut self, account: &str, name: &str) -> &mut Record {
        let key = (account.to_owned(), name.to_owned());
        self.records.entry(key).or_default()
    }

    /// The tags of a resource as `account` wrote them last.
    pub fn tags(&self, resource: &str, account: &str) -> Tags {
        let lagged = self
            .tags
            .get(resource)
            .and_then(|by_account| by_account.get(account));
        lagged.map(|tags| tags.latest().clone()).unwrap_or_default()
    }

    pub(crate) fn tags_seen(&self, resource: &str, account: &str, view: View) -> Tags {
        let lagged = self
            .tags
            .get(resource)
            .and_then(|by_account| by_account.get(account));
        lagged
            .map(|tags| tags.read(view).clone())
            .unwrap_or_default()
    }

    /// Sets the tags that a resource is born with; they are seen whenever the resource is.
    pub(crate) fn born_with_tags(&mut self, resource: &str, account: &str, tags: Tags) {
        if !tags.is_empty() {
            let by_account = self.tags.entry(resource.to_owned()).or_default();
            by_account.insert(account.to_owned(), Lagged::new(tags));
        }
    }
}
