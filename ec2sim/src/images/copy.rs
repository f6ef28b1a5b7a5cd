//! `CopyImage` (model; docs: UG `CopyingAMIs`, how-ami-copy-works, `AMIEncryption`).
//!
//! Names lock nothing here; the client token does. Which key a copy gets is `encryption`'s. Another
//! account's image is copied by who may launch it and use every snapshot of it; that an image is
//! public says nothing about its snapshots (kubernetes-retired/kube-deploy#290).

use crate::chance::Stream;
use crate::error::{ApiError, check_id};
use crate::facts::PendingSource;
use crate::images::encryption::{Encryption, Outcome};
use crate::images::{check_description, check_name, timed_copy};
use crate::lag::{Lag, View};
use crate::state::{
    Device, Failure, Image, ImageState, Protection, Snapshot, SnapshotState, StateReason, Tags,
    Work, WorkKind,
};
use crate::tags::TagsAtBirth;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, Remembered, World};

/// What a copy says when it failed, whatever the cause (hashicorp/packer#6737).
pub(super) const FAILED: &str = "Copy image failed with an internal error";
/// What the keys of shared tags begin with (docs: `Using_Tags`).
const SHARED_TAG: &str = "ec2:SharedTag/";
/// What its snapshots say when it was the key (docs: EBS ebs-copy-snapshot).
const KEY_NOT_ACCESSIBLE: &str = "Given key ID is not accessible";

impl World {
    pub(crate) fn copy_image(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let source_id = parameters.required("SourceImageId")?;
        let source_region = parameters.required("SourceRegion")?;
        let name = parameters.required("Name")?;
        let description = parameters
            .text("Description")
            .filter(|text| !text.is_empty());
        let token = parameters
            .text("ClientToken")
            .filter(|token| !token.is_empty());
        let copy_tags = parameters.flag("CopyImageTags")?;
        let minutes = timed_copy::take_minutes(&mut parameters)?;
        let encryption = Encryption {
            encrypted: parameters.boolean("Encrypted")?,
            key: parameters.text("KmsKeyId").filter(|key| !key.is_empty()),
        };
        let tags = TagsAtBirth::take(&mut parameters, &["image", "snapshot"])?;
        parameters.not_modelled(&[
            "DestinationOutpostArn",
            "DestinationAvailabilityZone",
            "DestinationAvailabilityZoneId",
        ])?;
        check_id("ami", &source_id)?;
        check_name(&name)?;
        check_description(description.as_ref())?;
        encryption.check()?;
        if token
            .as_ref()
            .is_some_and(|token| token.len() > 128 || !token.is_ascii())
        {
            return Err(ApiError::new(
                "InvalidClientToken",
                "The specified client token is not valid.",
            ));
        }
        parameters.finish_action()?;

        let remembered = token.map(|token| (call.account.clone(), call.region.clone(), token));
        let mut asked = request.parameters.clone();
        asked.remove("DryRun");
        if let Some(before) = remembered
            .as_ref()
            .and_then(|key| self.remembered(call, key))
        {
            if before.parameters != asked {
                return Err(ApiError::new(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous \
                     request(s).",
                ));
            }
            return Ok(answer(&before.image));
        }
        let source = self.copyable(call, &source_region, &source_id)?;
        let from = self.source_snapshots(call, &source_region, &source)?;
        let in_time = source.state != ImageState::Pending;
        encryption.check_sources(&from)?;
        self.check_limits(call, from.len())?;
        let timings =
            minutes.map(|minutes| self.timings(call, &source_region, &source_id, &from, minutes));
        let timings = timings.transpose()?;

        let id = self.new_id("ami", &call.region);
        let born = self.lag();
        let sourced = self.source_lag(born);
        let mut key_works = true;
        let mut snapshots = Vec::new();
        for original in &from {
            let outcome = self.encrypt(call, &source_region, original, &encryption);
            key_works &= !matches!(outcome, Outcome::NoSuchKey);
            snapshots.push(self.copy_snapshot(call, original, outcome, &source_id, &id, born));
        }
        for (snapshot, timing) in snapshots.iter_mut().zip(timings.into_iter().flatten()) {
            timing.apply(snapshot);
        }
        let unlucky = self
            .chance
            .happens(Stream::Failure, self.knobs.failed_copies_per_mille);
        let failure = (!key_works || unlucky || !in_time).then(|| {
            self.failed_copy(if key_works {
                FAILED
            } else {
                KEY_NOT_ACCESSIBLE
            })
        });
        let mut image_tags = if copy_tags {
            self.own_tags(call, &source_region, &source_id)?
        } else {
            Tags::new()
        };
        if self.facts.shared_tags_are_always_copied {
            let region = self.region(&source_region)?;
            let shared = region.tags(&source_id, &source.owner).into_iter();
            image_tags.extend(shared.filter(|(key, _)| key.starts_with(SHARED_TAG)));
        }
        image_tags.extend(tags.of("image"));
        let mut machine = source.machine.clone();
        machine.imds_v2 &= self.facts.copies_keep_imds_support;
        let image = Image {
            id: id.clone(),
            owner: call.account.clone(),
            name,
            description,
            machine,
            created: self.now,
            state: ImageState::Pending,
            reason: None,
            devices: copied_devices(&source.devices, &from, &snapshots),
            source_instance: None,
            source_image: Some((source_region.clone(), source_id.clone())),
            public: false,
            shared_with: std::collections::BTreeSet::new(),
            shared_with_organizations: std::collections::BTreeSet::new(),
            deprecation: source
                .deprecation
                .filter(|_| self.facts.copies_keep_deprecation),
            protection: Protection::Disabled,
            deregistered: None,
            guest: source.guest.clone(),
            generalised: source.generalised,
            born,
            sourced,
            work: Some(Work {
                kind: WorkKind::Copy {
                    region: source_region,
                    image: source_id,
                },
                failure,
            }),
        };
        let region = self.region_mut(&call.region)?;
        region.born_with_tags(&id, &call.account, image_tags);
        for snapshot in &snapshots {
            region.born_with_tags(&snapshot.id, &call.account, tags.of("snapshot"));
        }
        if let Some(key) = remembered {
            self.tokens.insert(
                key,
                Remembered {
                    parameters: asked,
                    image: id.clone(),
                },
            );
        }
        self.begin(&call.region, image, snapshots)?;
        Ok(answer(&id))
    }

    /// What was made with this token before, as far as EC2 remembers it.
    fn remembered(&self, call: &Call, key: &(String, String, String)) -> Option<&Remembered> {
        let before = self.tokens.get(key)?;
        let region = self.regions.get(&call.region)?;
        let stands = || {
            let image = region.images.get(&before.image);
            image.is_some_and(|image| image.deregistered.is_none())
        };
        (self.facts.copy_token_outlives_image || stands()).then_some(before)
    }

    /// The failure of a copy, with what its snapshots say; the text of the reason is as seen.
    pub(crate) fn failed_copy(&self, snapshots_say: &str) -> Failure {
        let reason = StateReason {
            code: self.facts.failed_copy_code.clone(),
            message: FAILED.to_owned(),
        };
        Failure {
            reason,
            snapshots_say: snapshots_say.to_owned(),
        }
    }

    /// The source as the region it is in sees it now.
    fn copyable(&self, call: &Call, region: &str, id: &str) -> Result<Image, ApiError> {
        if !self.regions.contains_key(region) {
            return Err(ApiError::invalid_value(format!(
                "Value ({region}) for parameter sourceRegion is invalid. Invalid source region."
            )));
        }
        if !self.enabled(&call.account, region) {
            return Err(ApiError::bad_credentials());
        }
        let there = Call {
            region: region.to_owned(),
            ..call.clone()
        };
        let image = self.image_for(&there, id)?;
        match image.state {
            // A reader that is behind still finds what is gone already.
            _ if image.deregistered.is_some() => Err(ApiError::image_gone(id)),
            ImageState::Available => Ok(image.clone()),
            ImageState::Disabled if image.owner == call.account => Ok(image.clone()),
            ImageState::Pending => match self.facts.copy_of_pending_source {
                PendingSource::FailsLate => Ok(image.clone()),
                PendingSource::Unavailable => Err(ApiError::image_in_state(id, image.state)),
                PendingSource::InvalidRequest => Err(ApiError {
                    code: "InvalidRequest".to_owned(),
                    ..ApiError::image_in_state(id, image.state)
                }),
            },
            state => Err(ApiError::image_in_state(id, state)),
        }
    }

    fn source_snapshots(
        &self,
        call: &Call,
        region: &str,
        source: &Image,
    ) -> Result<Vec<Snapshot>, ApiError> {
        let region = self.region(region)?;
        let mut found = Vec::new();
        for id in source.snapshot_ids() {
            let snapshot = region.snapshots.get(id).filter(|snapshot| {
                snapshot.usable_by(&call.account)
                    && snapshot.deleted.is_none()
                    && (snapshot.state == SnapshotState::Completed
                        || source.state == ImageState::Pending)
            });
            let snapshot = snapshot.ok_or_else(|| {
                ApiError::new(
                    "InvalidRequest",
                    "You do not have permission to access the storage of this ami",
                )
            })?;
            found.push(snapshot.clone());
        }
        Ok(found)
    }

    fn check_limits(&self, call: &Call, snapshots: usize) -> Result<(), ApiError> {
        let region = self.region(&call.region)?;
        let exceeds = |limit: Option<u32>, pending: usize| {
            limit.filter(|limit| pending > usize::try_from(*limit).unwrap_or(usize::MAX))
        };
        let copies = region.images.values().filter(|image| {
            let copying = matches!(
                &image.work,
                Some(Work {
                    kind: WorkKind::Copy { .. },
                    ..
                })
            );
            image.owner == call.account && copying && image.deregistered.is_none()
        });
        if let Some(limit) = exceeds(self.knobs.concurrent_image_copies, copies.count() + 1) {
            return Err(ApiError::new(
                "ResourceLimitExceeded",
                format!(
                    "Too many AMI copies in progress. The limit is {limit} for this destination region."
                ),
            ));
        }
        let pending = region.snapshots.values().filter(|snapshot| {
            snapshot.owner == call.account
                && snapshot.copied
                && snapshot.state == SnapshotState::Pending
                && snapshot.deleted.is_none()
        });
        if let Some(limit) = exceeds(
            self.knobs.concurrent_snapshot_copies,
            pending.count() + snapshots,
        ) {
            return Err(ApiError::new(
                "ResourceLimitExceeded",
                format!(
                    "Too many snapshot copies in progress. The limit is {limit} for this destination region."
                ),
            ));
        }
        Ok(())
    }

    fn copy_snapshot(
        &mut self,
        call: &Call,
        original: &Snapshot,
        outcome: Outcome,
        source: &str,
        image: &str,
        born: Lag,
    ) -> Snapshot {
        let mut snapshot = self.new_snapshot(call, original.size_gib, "vol-ffffffff", born);
        snapshot.description = format!(
            "Copied for DestinationAmi {image} from SourceAmi {source} for SourceSnapshot {}. Task created on {}.",
            original.id,
            thousands(self.now.as_millisecond())
        );
        snapshot.full_bytes = original.full_bytes;
        snapshot.platform = original.platform;
        snapshot.billing_metadata = original.billing_metadata;
        snapshot.copied = true;
        snapshot.key = match outcome {
            Outcome::Plain => None,
            Outcome::Key(key) => Some(key),
            Outcome::NoSuchKey => Some(self.default_key(&call.account, &call.region)),
        };
        snapshot
    }

    /// The caller's own tags on the source; those of other accounts are not copied (model).
    fn own_tags(&self, call: &Call, region: &str, image: &str) -> Result<Tags, ApiError> {
        let view = View {
            now: self.now,
            ..call.view
        };
        let mut tags = self.region(region)?.tags_seen(image, &call.account, view);
        tags.retain(|key, _| !key.starts_with("aws:"));
        Ok(tags)
    }
}

fn answer(image: &str) -> Reply {
    Reply::of(|xml| xml.text("imageId", image)).made(image)
}

/// The same devices over the new snapshots, which are in the order of the old ones. An old one under two devices has
/// two new ones.
fn copied_devices(devices: &[Device], from: &[Snapshot], to: &[Snapshot]) -> Vec<Device> {
    let mut pairs: Vec<_> = from.iter().zip(to).collect();
    let mut copied = |id: &str| {
        let of_it = pairs.iter().position(|(old, _)| old.id == id);
        of_it.map(|at| pairs.remove(at).1)
    };
    let mut devices = devices.to_vec();
    for ebs in devices.iter_mut().filter_map(|device| device.ebs.as_mut()) {
        if let Some(new) = ebs.snapshot.as_deref().and_then(&mut copied) {
            ebs.snapshot = Some(new.id.clone());
            ebs.encrypted = new.key.is_some();
        }
    }
    devices
}

/// A number in groups of three digits, as in real descriptions of copied snapshots.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
