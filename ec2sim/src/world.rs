//! The state machine: a call at a moment changes the world and gives an answer.
//!
//! No clock, no I/O, no randomness but the seed's. What takes time (captures, copies) is on an
//! agenda and is done, in order, before the next call that comes after it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use crate::allowed_images;
use crate::chance::{Chance, Stream, digest, mix};
use crate::error::ApiError;
use crate::facts::Facts;
use crate::iam::Iam;
use crate::instances::Turn;
use crate::knobs::Knobs;
use crate::lag::{Lag, View};
use crate::limits::{Bucket, capacity};
use crate::ssm::Put;
use crate::state::{Account, Image, ImageState, Place, Principal, Region, SnapshotState, Viewer};
use crate::wire::parameters::Parameters;
use crate::wire::request::{Caller, Request, Service};
use crate::wire::response::{Answer, Reply};

/// Amazon EC2, as far as machine images go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) knobs: Knobs,
    pub(crate) facts: Facts,
    pub(crate) chance: Chance,
    pub(crate) now: Timestamp,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) principals: BTreeMap<String, Principal>,
    pub(crate) regions: BTreeMap<String, Region>,
    /// What `CopyImage` remembers by account, region and client token.
    pub(crate) tokens: BTreeMap<(String, String, String), Remembered>,
    buckets: BTreeMap<(String, String, String), Bucket>,
    pub(crate) agenda: BTreeMap<(Timestamp, u64), Due>,
    entries: u64,
    pub(crate) iam: Iam,
    /// Where the world goes step by step: how long stale replicas stay behind.
    pub(crate) by_step: Option<SignedDuration>,
}

/// A call that was made with a client token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Remembered {
    pub parameters: BTreeMap<String, String>,
    pub image: String,
}

/// Something that ends at its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Due {
    Image {
        region: String,
        id: String,
    },
    Snapshot {
        region: String,
        id: String,
    },
    Parameter {
        region: String,
        put: Put,
    },
    FastLaunch {
        region: String,
        account: String,
        image: String,
    },
    Machine {
        region: String,
        id: String,
        /// The episode of the instance's life that it is part of.
        episode: u32,
        /// What tells it from everything else.
        key: String,
        turn: Turn,
    },
}

impl Due {
    /// What ends.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Image { id, .. } | Self::Snapshot { id, .. } => id,
            Self::Parameter { put, .. } => &put.id,
            Self::FastLaunch { image, .. } => image,
            Self::Machine { key, .. } => key,
        }
    }
}

/// Who calls, once that is known, where, and what a read sees.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub now: Timestamp,
    pub account: String,
    pub region: String,
    pub view: View,
}

impl World {
    /// A world without accounts.
    pub(crate) fn empty(seed: u64, knobs: Knobs, facts: Facts) -> Self {
        Self {
            knobs,
            facts,
            chance: Chance::new(seed),
            now: Timestamp::MIN,
            accounts: BTreeMap::new(),
            principals: BTreeMap::new(),
            regions: BTreeMap::new(),
            tokens: BTreeMap::new(),
            buckets: BTreeMap::new(),
            agenda: BTreeMap::new(),
            entries: 0,
            iam: Iam::default(),
            by_step: None,
        }
    }

    /// The same world with another seed for everything that is still to come.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.chance = Chance::new(seed);
        self
    }

    /// The same world with other knobs.
    #[must_use]
    pub fn with_knobs(mut self, knobs: Knobs) -> Self {
        self.knobs = knobs;
        self
    }

    /// The knobs; they may be turned while the world runs.
    pub fn knobs_mut(&mut self) -> &mut Knobs {
        &mut self.knobs
    }

    /// The same world with other facts.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// The facts; they may change while the world runs.
    pub fn facts_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// The regions by name, with all that they hold.
    pub fn regions(&self) -> &BTreeMap<String, Region> {
        &self.regions
    }

    /// The regions, for hands other than a caller's: what happens to instances, for example.
    pub fn regions_mut(&mut self) -> &mut BTreeMap<String, Region> {
        &mut self.regions
    }

    /// The accounts by id.
    pub fn accounts(&self) -> &BTreeMap<String, Account> {
        &self.accounts
    }

    /// An account, to be changed.
    pub fn account_mut(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.get_mut(id)
    }

    /// The settings of an account in a region, to be changed.
    pub fn place_mut(&mut self, account: &str, region: &str) -> Option<&mut Place> {
        Some(
            self.accounts
                .get_mut(account)?
                .places
                .entry(region.to_owned())
                .or_default(),
        )
    }

    /// Whether an account could launch an image now, whatever readers see of it yet: it is
    /// available, the account may use it, and all its snapshots are there.
    pub fn can_launch(&self, account: &str, region: &str, image: &str) -> bool {
        let Some(region) = self.regions.get(region) else {
            return false;
        };
        let whole = |image: &Image| {
            image.snapshot_ids().all(|id| {
                let snapshot = region.snapshots.get(id);
                snapshot.is_some_and(|snapshot| {
                    snapshot.deleted.is_none() && snapshot.state == SnapshotState::Completed
                })
            })
        };
        region.images.get(image).is_some_and(|image| {
            image.state == ImageState::Available
                && image.deregistered.is_none()
                && image.visible_to(self.viewer(account))
                && whole(image)
        })
    }

    /// A number that is the same for equal worlds, in every process.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = Mixer(0);
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Answers a request that arrives at `now`. A moment before the last one counts as that.
    pub fn call(&mut self, now: Timestamp, caller: &Caller, request: &Request) -> Answer {
        self.advance(now);
        let request_id = self.chance.request_id();
        let action = request.action.as_str();
        match caller.service {
            Service::Ec2 => {
                let result = self.call_ec2(caller, request).map_err(|error| {
                    if error.code == "DryRunOperation" {
                        error.with_status(self.facts.dry_run_status)
                    } else {
                        error
                    }
                });
                Answer::ec2(action, request_id, result)
            }
            Service::Sts => Answer::sts(action, request_id, self.call_sts(caller, request)),
            Service::Ssm => Answer::json(request_id, self.call_ssm(caller, request)),
        }
    }

    /// Refuses a request without looking at it: what a fault or an unreadable request is answered.
    pub fn refuse(&mut self, now: Timestamp, service: Service, error: &ApiError) -> Answer {
        self.advance(now);
        let request_id = self.chance.request_id();
        Answer::refusal(service, request_id, error)
    }

    /// Lets everything happen that is due at `now`, each at its own time: what it leads to begins
    /// then.
    pub fn advance(&mut self, now: Timestamp) {
        let now = self.now.max(now);
        while let Some(entry) = self.agenda.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let due = entry.remove();
            self.now = self.now.max(at);
            self.end(&due);
        }
        self.now = now;
    }

    fn call_ec2(&mut self, caller: &Caller, request: &Request) -> Result<Reply, ApiError> {
        if caller.access_key_id.is_none() {
            return Err(ApiError::missing("AWSAccessKeyId"));
        }
        if request.action.is_empty() {
            return Err(ApiError::new(
                "MissingAction",
                "The request must contain the parameter Action",
            ));
        }
        let principal = self.authenticate(caller)?;
        if self.knobs.request_buckets {
            let key = (
                principal.account.clone(),
                caller.region.clone(),
                request.action.clone(),
            );
            let (capacity, now) = (capacity(request), self.now);
            let bucket = self
                .buckets
                .entry(key)
                .or_insert_with(|| Bucket::full(capacity, now));
            if !bucket.take(capacity, now) {
                return Err(ApiError::throttled());
            }
        }
        self.authorize(caller, &principal, request)?;
        let stale = self.chance.happens(Stream::Replica, 500);
        let call = Call {
            now: self.now,
            account: principal.account,
            region: caller.region.clone(),
            view: View {
                now: self.now,
                stale,
            },
        };
        let parameters = Parameters::new(&request.parameters);
        match request.action.as_str() {
            "CopyImage" => self.copy_image(&call, request, parameters),
            "CreateImage" => self.create_image(&call, parameters),
            "CreateImageUsageReport" => self.create_image_usage_report(&call, request, parameters),
            "CreateLaunchTemplate" => self.create_launch_template(&call, request, parameters),
            "CreateLaunchTemplateVersion" => {
                self.create_launch_template_version(&call, request, parameters)
            }
            "CreateTags" => self.create_tags(&call, parameters),
            "DeleteImageUsageReport" => self.delete_image_usage_report(&call, parameters),
            "DeleteLaunchTemplate" => self.delete_launch_template(&call, parameters),
            "DeleteLaunchTemplateVersions" => {
                self.delete_launch_template_versions(&call, parameters)
            }
            "DeleteSnapshot" => self.delete_snapshot(&call, parameters),
            "DeleteTags" => self.delete_tags(&call, parameters),
            "DeregisterImage" => self.deregister_image(&call, parameters),
            "DescribeAvailabilityZones" => self.describe_availability_zones(&call, parameters),
            "DescribeFastLaunchImages" => {
                self.describe_fast_launch_images(&call, request, parameters)
            }
            "DescribeImageAttribute" => self.describe_image_attribute(&call, parameters),
            "DescribeImageReferences" => self.describe_image_references(&call, request, parameters),
            "DescribeImageUsageReportEntries" => {
                self.describe_image_usage_report_entries(&call, request, parameters)
            }
            "DescribeImageUsageReports" => {
                self.describe_image_usage_reports(&call, request, parameters)
            }
            "DescribeImages" => self.describe_images(&call, request, parameters),
            "DescribeInstanceAttribute" => self.describe_instance_attribute(&call, parameters),
            "DescribeInstanceStatus" => self.describe_instance_status(&call, request, parameters),
            "DescribeInstanceTypeOfferings" => {
                self.describe_instance_type_offerings(&call, request, parameters)
            }
            "DescribeInstances" => self.describe_instances(&call, request, parameters),
            "DescribeLaunchTemplateVersions" => {
                self.describe_launch_template_versions(&call, request, parameters)
            }
            "DescribeLaunchTemplates" => self.describe_launch_templates(&call, request, parameters),
            "DescribeKeyPairs" => self.describe_key_pairs(&call, parameters),
            "DescribeRegions" => self.describe_regions(&call, parameters),
            "DescribeSecurityGroups" => self.describe_security_groups(&call, request, parameters),
            "DescribeSnapshotAttribute" => self.describe_snapshot_attribute(&call, parameters),
            "DescribeSnapshots" => self.describe_snapshots(&call, request, parameters),
            "DescribeSubnets" => self.describe_subnets(&call, request, parameters),
            "DescribeTags" => self.describe_tags(&call, request, parameters),
            "DescribeVolumes" => self.describe_volumes(&call, request, parameters),
            "DescribeVpcs" => self.describe_vpcs(&call, request, parameters),
            "DisableEbsEncryptionByDefault" => {
                self.set_ebs_encryption_by_default(&call, parameters, false)
            }
            "DisableFastLaunch" => self.disable_fast_launch(&call, parameters),
            "DisableImageBlockPublicAccess" => {
                self.disable_image_block_public_access(&call, parameters)
            }
            "DisableImageDeprecation" => self.disable_image_deprecation(&call, parameters),
            "DisableImageDeregistrationProtection" => {
                self.disable_image_deregistration_protection(&call, parameters)
            }
            "EnableEbsEncryptionByDefault" => {
                self.set_ebs_encryption_by_default(&call, parameters, true)
            }
            "EnableFastLaunch" => self.enable_fast_launch(&call, parameters),
            "EnableImageBlockPublicAccess" => {
                self.enable_image_block_public_access(&call, parameters)
            }
            "EnableImageDeprecation" => self.enable_image_deprecation(&call, parameters),
            "EnableImageDeregistrationProtection" => {
                self.enable_image_deregistration_protection(&call, parameters)
            }
            "GetAllowedImagesSettings" => allowed_images::settings(parameters),
            "GetConsoleOutput" => self.get_console_output(&call, parameters),
            "GetEbsDefaultKmsKeyId" => self.get_ebs_default_kms_key_id(&call, parameters),
            "GetEbsEncryptionByDefault" => self.get_ebs_encryption_by_default(&call, parameters),
            "GetImageBlockPublicAccessState" => {
                self.get_image_block_public_access_state(&call, parameters)
            }
            "ListImagesInRecycleBin" => self.list_images_in_recycle_bin(&call, request, parameters),
            "ListSnapshotsInRecycleBin" => {
                self.list_snapshots_in_recycle_bin(&call, request, parameters)
            }
            "ModifyImageAttribute" => self.modify_image_attribute(&call, parameters),
            "ModifyInstanceAttribute" => self.modify_instance_attribute(&call, parameters),
            "ModifyLaunchTemplate" => self.modify_launch_template(&call, parameters),
            "ModifySnapshotAttribute" => self.modify_snapshot_attribute(&call, parameters),
            "RegisterImage" => self.register_image(&call, parameters),
            "ResetImageAttribute" => self.reset_image_attribute(&call, parameters),
            "ResetSnapshotAttribute" => self.reset_snapshot_attribute(&call, parameters),
            "RestoreImageFromRecycleBin" => self.restore_image_from_recycle_bin(&call, parameters),
            "RestoreSnapshotFromRecycleBin" => {
                self.restore_snapshot_from_recycle_bin(&call, parameters)
            }
            "RunInstances" => self.run_instances(&call, request, parameters),
            "StartInstances" => self.start_instances(&call, parameters),
            "StopInstances" => self.stop_instances(&call, parameters),
            "TerminateInstances" => self.terminate_instances(&call, parameters),
            action => Err(ApiError::new(
                "InvalidAction",
                format!("The action {action} is not valid for this web service."),
            )),
        }
    }

    /// Who has these credentials, in a region that they are good for.
    fn authenticate(&self, caller: &Caller) -> Result<Principal, ApiError> {
        let key = caller.access_key_id.as_deref().unwrap_or_default();
        let principal = self
            .principals
            .get(key)
            .ok_or_else(ApiError::bad_credentials)?;
        if let Some((token, ends)) = &principal.session {
            if caller.session_token.as_ref() != Some(token) {
                return Err(ApiError::bad_credentials());
            }
            if self.now >= *ends {
                return Err(ApiError::new("RequestExpired", "Request has expired."));
            }
        }
        if !self.enabled(&principal.account, &caller.region) {
            return Err(ApiError::bad_credentials());
        }
        Ok(principal.clone())
    }

    /// Whether an account can use a region.
    pub(crate) fn enabled(&self, account: &str, region: &str) -> bool {
        let opted_in = || {
            self.accounts
                .get(account)
                .is_some_and(|account| account.opted_in.contains(region))
        };
        self.regions
            .get(region)
            .is_some_and(|found| !found.opt_in || opted_in())
    }

    pub(crate) fn region(&self, name: &str) -> Result<&Region, ApiError> {
        self.regions.get(name).ok_or_else(ApiError::bad_credentials)
    }

    pub(crate) fn region_mut(&mut self, name: &str) -> Result<&mut Region, ApiError> {
        self.regions
            .get_mut(name)
            .ok_or_else(ApiError::bad_credentials)
    }

    pub(crate) fn place(&self, account: &str, region: &str) -> Place {
        let place = self
            .accounts
            .get(account)
            .and_then(|account| account.places.get(region));
        place.cloned().unwrap_or_default()
    }

    /// An account with what it is a member of.
    pub(crate) fn viewer<'a>(&'a self, account: &'a str) -> Viewer<'a> {
        static NOTHING: BTreeSet<String> = BTreeSet::new();
        let found = self.accounts.get(account);
        Viewer {
            account,
            member_of: found.map_or(&NOTHING, |account| &account.member_of),
        }
    }

    /// When readers see what is written now.
    pub(crate) fn lag(&mut self) -> Lag {
        match self.by_step {
            Some(window) => Lag::by_replica(self.now, window),
            None => Lag::draw(&mut self.chance, self.now, self.knobs.max_read_lag_seconds),
        }
    }

    /// When readers see what an image was made from that they see from `born` on.
    pub(crate) fn source_lag(&mut self, born: Lag) -> Lag {
        let most = self.knobs.max_source_lag_seconds;
        match self.by_step {
            Some(_) if most > 0 => born.for_everyone(),
            Some(_) => born,
            None => born.later(&mut self.chance, most),
        }
    }

    /// A new id, such as `ami-0123456789abcdef0`, of something in `region`.
    pub(crate) fn new_id(&mut self, prefix: &str, region: &str) -> String {
        let number = self.regions.keys().position(|name| name == region);
        self.chance.id(prefix, number.unwrap_or_default())
    }

    /// How many milliseconds it takes to make a snapshot of this size.
    pub(crate) fn duration(&mut self, size_gib: u64) -> u64 {
        let per_gib = self.knobs.milliseconds_per_gib.saturating_mul(size_gib);
        let drawn = self
            .chance
            .between(Stream::Duration, per_gib / 2, per_gib.saturating_mul(2));
        self.knobs.base_milliseconds.saturating_add(drawn)
    }

    pub(crate) fn schedule(&mut self, at: Timestamp, due: Due) {
        if self.by_step.is_some() {
            // It ends when the caller says so, and what was begun first does not matter.
            let key = (Timestamp::MAX, digest(due.id()));
            self.agenda.insert(key, due);
            return;
        }
        self.entries += 1;
        self.agenda.insert((at, self.entries), due);
    }

    pub(crate) fn end(&mut self, due: &Due) {
        match due {
            Due::Snapshot { region, id } => {
                let snapshot = self
                    .regions
                    .get_mut(region)
                    .and_then(|region| region.snapshots.get_mut(id));
                if let Some(snapshot) = snapshot
                    && snapshot.state == SnapshotState::Pending
                {
                    snapshot.state = SnapshotState::Completed;
                }
            }
            Due::Image { region, id } => {
                let Some(region) = self.regions.get_mut(region) else {
                    return;
                };
                let Some(image) = region.images.get_mut(id) else {
                    return;
                };
                let failure = image.work.take().and_then(|work| work.failure);
                image.state = if failure.is_some() {
                    ImageState::Failed
                } else {
                    ImageState::Available
                };
                // Snapshots that are well are done by their own entries.
                if let Some(failure) = &failure {
                    for id in image.snapshot_ids() {
                        if let Some(snapshot) = region
                            .snapshots
                            .get_mut(id)
                            .filter(|snapshot| snapshot.copied)
                        {
                            snapshot.state = SnapshotState::Error;
                            snapshot.message = Some(failure.snapshots_say.clone());
                        }
                    }
                }
                image.reason = failure.map(|failure| failure.reason);
            }
            Due::Parameter { region, put } => self.validate(region, put),
            Due::FastLaunch {
                region,
                account,
                image,
            } => {
                self.end_fast_launch(region, account, image);
            }
            Due::Machine {
                region,
                id,
                episode,
                turn,
                ..
            } => self.machine_turns(region, id, *episode, turn),
        }
    }
}

/// A hasher without a secret, so that a fingerprint means the same everywhere.
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0 ^ u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
