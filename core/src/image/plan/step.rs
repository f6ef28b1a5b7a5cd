//! What a plan is made of: steps that are one call each, with why, and what they wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::api::NotGranted;
use crate::api::conditions::{self, Reason};
use crate::image::attributes::AttributeChange;
use crate::image::desired::{Launch, Registration};
use crate::image::encryption::Encryption;
use crate::image::fast_launch::{FastLaunchSettings, FastLaunchState};
use crate::image::identity::{Place, Reference, Revision};
use crate::image::machines::MachineState;
use crate::image::observed::{Image, Unreadable};
use crate::image::permissions::PermissionChange;

/// What is to be done, in order. Waiting is data here, not an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The steps, in the order in which each place should see them.
    pub steps: Vec<Step>,
    /// What stands in the way, the gravest first.
    pub findings: Vec<Finding>,
    /// What the user should know of although it stands in nothing's way, such as an image of somebody
    /// else that carries our tags.
    pub notes: Vec<Finding>,
}

impl Plan {
    /// The places that a step wants listed anew before it can be taken.
    pub fn wants_listed(&self) -> impl Iterator<Item = &Place> {
        self.steps.iter().flat_map(|step| match &step.waits_for {
            Some(WaitsFor::FreshLists(places)) => places.as_slice(),
            _ => &[],
        })
    }

    /// The places to which a copy waits for a slot.
    pub fn wants_copy_slots(&self) -> impl Iterator<Item = &Place> {
        self.steps
            .iter()
            .filter(|step| step.waits_for == Some(WaitsFor::CopySlot))
            .filter_map(|step| step.place.as_ref())
    }

    /// When the earliest of the steps that wait for a time becomes ready.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.steps
            .iter()
            .filter_map(|step| step.waits_for.as_ref()?.until())
            .min()
    }

    /// Whether a step can be taken once the status says what it does not say yet, which it will at once.
    pub fn awaits_status(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(
                step.waits_for,
                Some(WaitsFor::Record(_) | WaitsFor::Told(_))
            )
        })
    }

    /// Whether there is nothing to do and nothing in the way.
    pub fn is_at_rest(&self) -> bool {
        self.steps.is_empty() && self.findings.is_empty()
    }
}

/// One call, repeatable, with the reason for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where; `None` for a write to the object itself.
    pub place: Option<Place>,
    /// What.
    pub action: Action,
    /// Why.
    pub why: Why,
    /// What it waits for. Such a step is shown, not performed.
    pub waits_for: Option<WaitsFor>,
}

impl Step {
    /// A write to the object itself.
    pub fn on_object(action: Action, why: Why) -> Self {
        Self {
            place: None,
            action,
            why,
            waits_for: None,
        }
    }

    /// A call to EC2.
    pub fn at(place: &Place, action: Action, why: Why) -> Self {
        Self {
            place: Some(place.clone()),
            action,
            why,
            waits_for: None,
        }
    }

    /// The same step, put off.
    #[must_use]
    pub fn waiting_for(self, waits_for: WaitsFor) -> Self {
        Self {
            waits_for: Some(waits_for),
            ..self
        }
    }
}

/// One call. Whoever performs it makes no choice.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Put Amity's finalizer on the object.
    StoreFinalizer,
    /// Note on the object that the capture of this revision is about to be asked for.
    RecordCapture {
        /// The revision.
        revision: Revision,
    },
    /// Note on the object that a machine is about to be launched for this revision.
    RecordLaunch {
        /// The revision.
        revision: Revision,
        /// Which of its machines: the first is 1.
        attempt: u32,
        /// In which region.
        region: String,
    },
    /// Note on the object that the image of this revision is about to be discarded, and for which
    /// `PlatformDetails`: it is not registered again.
    RecordDiscard {
        /// The revision.
        revision: Revision,
        /// What EC2 shows.
        platform_details: String,
    },
    /// Note on the object in which accounts it may have images besides its home.
    RecordAccounts {
        /// The names of the `AwsAccount`s.
        names: BTreeSet<String>,
    },
    /// Write the ConfigMap that names the published images.
    WriteConfigMap {
        /// Its name.
        name: String,
        /// The id of the image in each region.
        data: BTreeMap<String, String>,
    },
    /// Delete a ConfigMap of the object's that has another name than the spec says.
    DeleteConfigMap {
        /// Its name.
        name: String,
    },
    /// Take the finalizer off.
    ReleaseFinalizer,
    /// `RunInstances` of one machine, which is stopped and not terminated when it shuts itself down.
    RunInstances {
        /// The image's id.
        image: String,
        /// What is said besides.
        launch: Launch,
        /// The client token.
        token: String,
        /// The tags of the machine and of its volumes.
        tags: BTreeMap<String, String>,
    },
    /// `TerminateInstances` of one machine.
    TerminateInstances {
        /// The machine's id.
        id: String,
    },
    /// `CreateImage` of an instance.
    CreateImage {
        /// The instance's id.
        instance: String,
        /// The AMI name, which is the lock: EC2 refuses a second one.
        name: String,
        /// The description.
        description: Option<String>,
        /// Capture without powering down.
        no_reboot: bool,
        /// The devices whose volumes are left out.
        without_devices: Vec<String>,
        /// The tags of the image.
        tags: BTreeMap<String, String>,
        /// The tags of its snapshots.
        snapshot_tags: BTreeMap<String, String>,
    },
    /// `RegisterImage` of snapshots, which stay the user's: only the image is tagged.
    RegisterImage {
        /// What EC2 has to be told of it.
        registration: Registration,
        /// The AMI name, which is the lock: EC2 refuses a second one.
        name: String,
        /// The description.
        description: Option<String>,
        /// The tags of the image.
        tags: BTreeMap<String, String>,
    },
    /// `CopyImage` to the step's place.
    CopyImage {
        /// The image to read.
        from: Reference,
        /// The AMI name.
        name: String,
        /// The description.
        description: Option<String>,
        /// How it is encrypted; `None`: as it is.
        encryption: Option<Encryption>,
        /// `SnapshotCopyCompletionDurationMinutes`: within how many minutes it shall be done.
        minutes: Option<i64>,
        /// The client token.
        token: String,
        /// The tags of the image.
        tags: BTreeMap<String, String>,
        /// The tags of its snapshots.
        snapshot_tags: BTreeMap<String, String>,
    },
    /// `CreateTags` on an image or snapshot of somebody else's, which is the object's from then on.
    Adopt {
        /// The image's or snapshot's id.
        id: String,
        /// What it was before, if it is an image.
        image: Option<Box<Image>>,
        /// All that says whose it is.
        tags: BTreeMap<String, String>,
    },
    /// `CreateTags` on one image or snapshot.
    CreateTags {
        /// The image's or snapshot's id.
        id: String,
        /// What to write.
        tags: BTreeMap<String, String>,
    },
    /// `DeleteTags` of named keys; never of none, which EC2 takes for all.
    DeleteTags {
        /// The image's or snapshot's id.
        id: String,
        /// The keys, at least one.
        keys: Vec<String>,
    },
    /// `ModifyImageAttribute`, or the call that EC2 has for one attribute.
    ModifyImage {
        /// The image's id.
        id: String,
        /// What changes.
        change: AttributeChange,
    },
    /// `ModifyImageAttribute` of launch permissions, or `ModifySnapshotAttribute` of create-volume permissions.
    ChangePermissions {
        /// The image's or snapshot's id.
        id: String,
        /// Who may use it from now on, and who no longer.
        change: PermissionChange,
    },
    /// `EnableFastLaunch` of a Windows image.
    EnableFastLaunch {
        /// The image's id.
        id: String,
        /// How it is set.
        settings: FastLaunchSettings,
    },
    /// `DisableFastLaunch`.
    DisableFastLaunch {
        /// The image's id.
        id: String,
    },
    /// `PutParameter`: with tags it makes one, and without them it overwrites one that is ours, since the call takes not
    /// both at once.
    PutParameter {
        /// The parameter's name.
        name: String,
        /// The image's id, which becomes its value.
        image: String,
        /// Whose it is; none, where it is there.
        tags: BTreeMap<String, String>,
    },
    /// `DeleteParameter`.
    DeleteParameter {
        /// The parameter's name.
        name: String,
    },
    /// `AddTagsToResource` on a parameter.
    TagParameter {
        /// The parameter's name.
        name: String,
        /// What to write.
        tags: BTreeMap<String, String>,
    },
    /// `RestoreImageFromRecycleBin`, which needs its snapshots.
    RestoreImage {
        /// The image's id.
        id: String,
    },
    /// `RestoreSnapshotFromRecycleBin`.
    RestoreSnapshot {
        /// The snapshot's id.
        id: String,
    },
    /// `CreateImageUsageReport` of the other accounts that use an image, which changes nothing of it.
    CreateUsageReport {
        /// The image's id.
        id: String,
        /// The client token.
        token: String,
        /// Whose report it is.
        tags: BTreeMap<String, String>,
    },
    /// `DeregisterImage`, keeping its snapshots.
    DeregisterImage {
        /// The image's id.
        id: String,
    },
    /// `DeleteSnapshot`.
    DeleteSnapshot {
        /// The snapshot's id.
        id: String,
    },
}

impl Action {
    /// What the user reads under `nextSteps` and what metrics count: EC2's name of the call, where it is one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::StoreFinalizer => "StoreFinalizer",
            Self::RecordCapture { .. } => "RecordCapture",
            Self::RecordLaunch { .. } => "RecordLaunch",
            Self::RunInstances { .. } => "RunInstances",
            Self::TerminateInstances { .. } => "TerminateInstances",
            Self::RecordDiscard { .. } => "RecordDiscard",
            Self::RecordAccounts { .. } => "RecordAccounts",
            Self::WriteConfigMap { .. } => "WriteConfigMap",
            Self::DeleteConfigMap { .. } => "DeleteConfigMap",
            Self::ReleaseFinalizer => "ReleaseFinalizer",
            Self::CreateImage { .. } => "CreateImage",
            Self::RegisterImage { .. } => "RegisterImage",
            Self::CopyImage { .. } => "CopyImage",
            Self::CreateTags { .. } | Self::Adopt { .. } => "CreateTags",
            Self::DeleteTags { .. } => "DeleteTags",
            Self::ModifyImage { change, .. } => change.action(),
            Self::ChangePermissions { id, .. } if id.starts_with("snap-") => {
                "ModifySnapshotAttribute"
            }
            Self::ChangePermissions { .. } => "ModifyImageAttribute",
            Self::EnableFastLaunch { .. } => "EnableFastLaunch",
            Self::DisableFastLaunch { .. } => "DisableFastLaunch",
            Self::PutParameter { .. } => "PutParameter",
            Self::DeleteParameter { .. } => "DeleteParameter",
            Self::TagParameter { .. } => "AddTagsToResource",
            Self::RestoreImage { .. } => "RestoreImageFromRecycleBin",
            Self::RestoreSnapshot { .. } => "RestoreSnapshotFromRecycleBin",
            Self::CreateUsageReport { .. } => "CreateImageUsageReport",
            Self::DeregisterImage { .. } => "DeregisterImage",
            Self::DeleteSnapshot { .. } => "DeleteSnapshot",
        }
    }

    /// The existing image or snapshot that the call is about; `None` where it makes one.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::CreateTags { id, .. }
            | Self::Adopt { id, .. }
            | Self::DeleteTags { id, .. }
            | Self::ModifyImage { id, .. }
            | Self::ChangePermissions { id, .. }
            | Self::EnableFastLaunch { id, .. }
            | Self::DisableFastLaunch { id }
            | Self::RestoreImage { id }
            | Self::RestoreSnapshot { id }
            | Self::CreateUsageReport { id, .. }
            | Self::DeregisterImage { id }
            | Self::DeleteSnapshot { id } => Some(id),
            _ => None,
        }
    }

    /// What the step is about, for a person: an id or a name, and never what is written there.
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::CreateImage { instance, .. } => Some(instance.clone()),
            Self::RegisterImage { registration, .. } => Some(registration.snapshot.clone()),
            Self::RunInstances { image, .. } => Some(image.clone()),
            Self::TerminateInstances { id } => Some(id.clone()),
            Self::CopyImage { from, .. } => Some(from.to_string()),
            Self::WriteConfigMap { name, .. } | Self::DeleteConfigMap { name } => {
                Some(name.clone())
            }
            other => other
                .target()
                .or_else(|| other.parameter())
                .map(str::to_owned),
        }
    }

    /// The parameter of Systems Manager that the call writes or removes.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::PutParameter { name, .. }
            | Self::DeleteParameter { name }
            | Self::TagParameter { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether the call makes an image.
    pub fn creates(&self) -> bool {
        self.creates_origin() || matches!(self, Self::CopyImage { .. })
    }

    /// Whether the call makes the image that a revision is copied from.
    pub fn creates_origin(&self) -> bool {
        matches!(self, Self::CreateImage { .. } | Self::RegisterImage { .. })
    }

    /// Whether an image stands for the wanted revision that did not before.
    pub fn adds_image(&self) -> bool {
        self.creates() || matches!(self, Self::Adopt { image: Some(_), .. })
    }

    /// Whether the call brings back what somebody took away.
    pub fn restores(&self) -> bool {
        matches!(
            self,
            Self::RestoreImage { .. } | Self::RestoreSnapshot { .. }
        )
    }

    /// Whether the call launches or ends a machine.
    pub fn is_of_a_machine(&self) -> bool {
        matches!(
            self,
            Self::RunInstances { .. } | Self::TerminateInstances { .. }
        )
    }

    /// Whether the call takes away what cannot be brought back.
    pub fn destroys(&self) -> bool {
        matches!(
            self,
            Self::DeregisterImage { .. } | Self::DeleteSnapshot { .. }
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::StoreFinalizer | Self::ReleaseFinalizer => Ok(()),
            Self::RecordCapture { revision } | Self::RecordDiscard { revision, .. } => {
                write!(f, " {revision}")
            }
            Self::RecordLaunch {
                revision,
                attempt,
                region,
            } => write!(f, " {revision} {attempt} {region}"),
            Self::RunInstances { image, launch, .. } => {
                write!(f, " {image} {}", launch.instance_type)
            }
            Self::RecordAccounts { names } => {
                let mut names = names.iter();
                names.try_for_each(|name| write!(f, " {name}"))
            }
            Self::WriteConfigMap { name, data } => {
                write!(f, " {name}")?;
                data.iter()
                    .try_for_each(|(region, id)| write!(f, " {region}={id}"))
            }
            Self::DeleteConfigMap { name } | Self::DeleteParameter { name } => {
                write!(f, " {name}")
            }
            Self::RegisterImage { registration, .. } => write!(f, " {}", registration.snapshot),
            Self::CreateImage { instance, .. } => write!(f, " {instance}"),
            Self::CopyImage {
                from, encryption, ..
            } => {
                write!(f, " {from}")?;
                let encryption = encryption.as_ref();
                encryption.map_or(Ok(()), |encryption| write!(f, ", {encryption}"))
            }
            Self::CreateTags { id, tags } | Self::Adopt { id, tags, .. } => {
                write!(f, " {id}")?;
                tags.iter()
                    .try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::DeleteTags { id, keys } => write!(f, " {id} {}", keys.join(" ")),
            Self::ModifyImage { id, change } => write!(f, " {id} {change}"),
            Self::ChangePermissions { id, change } => write!(f, " {id} {change}"),
            Self::EnableFastLaunch { id, settings } => write!(f, " {id} {settings}"),
            Self::PutParameter { name, image, tags } => {
                let how = if tags.is_empty() { " overwriting" } else { "" };
                write!(f, " {name}={image}{how}")
            }
            Self::TagParameter { name, tags } => {
                write!(f, " {name}")?;
                tags.iter()
                    .try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::DisableFastLaunch { id }
            | Self::TerminateInstances { id }
            | Self::RestoreImage { id }
            | Self::RestoreSnapshot { id }
            | Self::CreateUsageReport { id, .. }
            | Self::DeregisterImage { id }
            | Self::DeleteSnapshot { id } => write!(f, " {id}"),
        }
    }
}

/// Why a step is taken, as the user reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The finalizer comes before the first effect.
    NothingMayBeLeftBehind,
    /// A capture has no token, so that it is noted before it is asked for.
    CaptureIsAskedForOnce,
    /// A launch is noted before it is asked for, so that its attempts are counted.
    LaunchIsAskedForOnce,
    /// The revision is made of it.
    ImageIsBuiltOnIt,
    /// The machine was captured as this image.
    Captured(String),
    /// The machine did not stop in time.
    TookTooLong,
    /// The spec asks for this revision by now.
    OfAnotherRevision(Revision),
    /// What was registered is not what the spec says.
    PlatformDiffers,
    /// A field of the spec.
    WantedBy(&'static str),
    /// A region of the spec.
    WantedByRegions,
    /// An image that is wanted is gone, and it was not Amity that took it away.
    InPlaceOf(String),
    /// The source's region is not wanted, but copies are made from there.
    CopiesAreMadeFromIt,
    /// Somebody deregistered an image of ours that is wanted, and a retention rule kept it.
    KeptByRecycleBin,
    /// EC2 shows that the image was made for this object.
    ProvenOurs,
    /// The cluster that made it was rebuilt as this one.
    TakenOver(String),
    /// An image of ours uses the snapshot.
    UsedByOurImage(String),
    /// The revision stands in every region.
    RevisionIsComplete(Revision),
    /// Another revision is published.
    SupersededBy(Revision),
    /// A parameter that is about to be made must be found again.
    MayBeThere,
    /// What was put there for a field of the spec is not in it any more.
    NoLongerIn(&'static str),
    /// It is there, and a field of the spec says otherwise of the image as it is now.
    NotAsFieldSays(&'static str),
    /// The region was taken out of the spec.
    RegionNoLongerWanted,
    /// Every wanted place stands, and no wanted place uses it.
    IntermediateNoLongerNeeded,
    /// The account copies it.
    CopiedBy(String),
    /// The account has its copy.
    NoLongerCopiedBy(String),
    /// Its place has another of the same revision, encrypted as the spec says.
    EncryptedOtherwise,
    /// It failed, and its place has another.
    FailedAttempt,
    /// Its place has another of the same revision.
    Surplus,
    /// It is of the revision, but not made from what the others were.
    OfAnotherOrigin,
    /// The revision is published again.
    PublishedAgain,
    /// The snapshot's image is gone.
    ItsImageIsGone,
    /// The object is being deleted.
    ObjectIsDeleted,
    /// The object is being deleted with `deletionPolicy: Retain`.
    ObjectIsDeletedAndRetains,
    /// Nothing of this object is left in EC2.
    NothingIsLeft,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingMayBeLeftBehind => {
                f.write_str("so that nothing is left behind when the object is deleted")
            }
            Self::CaptureIsAskedForOnce => f.write_str("so that the instance is captured once"),
            Self::LaunchIsAskedForOnce => f.write_str("so that the machines are counted"),
            Self::ImageIsBuiltOnIt => f.write_str("the image is built on it"),
            Self::Captured(id) => write!(f, "it was captured as {id}"),
            Self::TookTooLong => {
                f.write_str("it did not stop itself within spec.source.build.timeout")
            }
            Self::OfAnotherRevision(revision) => {
                write!(f, "the spec asks for revision {revision} by now")
            }
            Self::PlatformDiffers => {
                f.write_str("its PlatformDetails are not those of spec.source.snapshot")
            }
            Self::TakenOver(uid) => write!(f, "taken over from cluster {uid}"),
            Self::PublishedAgain => f.write_str("the revision is published again"),
            Self::WantedByRegions => f.write_str("wanted by spec.regions"),
            Self::CopiesAreMadeFromIt => f.write_str("the copies are made from it"),
            Self::InPlaceOf(id) => write!(
                f,
                "in place of {id}, which is gone and which Amity did not deregister: CloudTrail says who did"
            ),
            Self::KeptByRecycleBin => f.write_str(
                "somebody deregistered the image (CloudTrail says who), and the Recycle Bin has it",
            ),
            Self::ProvenOurs => f.write_str("EC2 shows that it was made for this object"),
            Self::UsedByOurImage(id) => write!(f, "{id} uses it"),
            Self::RevisionIsComplete(revision) => {
                write!(f, "revision {revision} stands in every region")
            }
            Self::SupersededBy(revision) => write!(f, "superseded by revision {revision}"),
            Self::MayBeThere => {
                f.write_str("so that the parameter is found again, whatever happens")
            }
            Self::WantedBy(field) => write!(f, "wanted by {field}"),
            Self::NotAsFieldSays(field) => write!(f, "not as {field} says"),
            Self::NoLongerIn(field) => write!(f, "no longer in {field}"),
            Self::RegionNoLongerWanted => f.write_str("the region is no longer in spec.regions"),
            Self::IntermediateNoLongerNeeded => f.write_str("every region stands and none uses it"),
            Self::CopiedBy(account) => write!(f, "account {account} copies it"),
            Self::NoLongerCopiedBy(account) => write!(f, "account {account} no longer copies it"),
            Self::EncryptedOtherwise => {
                f.write_str("its region has another that is encrypted as spec.regions says")
            }
            Self::FailedAttempt => f.write_str("it failed"),
            Self::Surplus => f.write_str("its region has another image of the same revision"),
            Self::OfAnotherOrigin => {
                f.write_str("the others of its revision were made from something else")
            }
            Self::ItsImageIsGone => f.write_str("the image that used it is gone"),
            Self::ObjectIsDeleted => f.write_str("the MachineImage is deleted"),
            Self::ObjectIsDeletedAndRetains => {
                f.write_str("the MachineImage is deleted and retains its images")
            }
            Self::NothingIsLeft => f.write_str("nothing of the MachineImage is left in EC2"),
        }
    }
}

/// What a step waits for, as the user reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// An image becomes available.
    Available {
        /// Which.
        image: Reference,
        /// How far it is.
        progress: Option<u8>,
    },
    /// The revision stands in these regions.
    Standing(Vec<String>),
    /// A revision is published.
    Published(Revision),
    /// These places can be read.
    Readable(Vec<Place>),
    /// EC2 shows what an image was made from.
    Proof(String),
    /// The source was read.
    Source,
    /// What the source was resolved to is written into the status.
    Record(Reference),
    /// The status names another image than this one as published.
    Told(String),
    /// Fewer copies are under way to the region.
    CopySlot,
    /// EC2 says how copies are encrypted by default.
    EbsDefaults,
    /// EC2 says who uses the image.
    Usage(String),
    /// EC2 says which other accounts use the image.
    UsageReport(String),
    /// Nothing uses the image any more.
    Unused {
        /// The image.
        id: String,
        /// Who uses it.
        by: Vec<String>,
    },
    /// It was counted what else of the account is about to go.
    Departures,
    /// Somebody says that so many images may go.
    Acknowledgement,
    /// Somebody says that images are to be taken over.
    Adoption,
    /// EC2 to show an image that is to be taken over.
    Adopted(String),
    /// The snapshots of an image carry their seals.
    SealedSnapshots(String),
    /// Somebody takes the tag `amity.dev/hold` off an image.
    Hold(String),
    /// The ConfigMap of this name was read, or names another image.
    ConfigMap(String),
    /// The object's parameters in the place are read; the name of one.
    Parameters(String),
    /// Systems Manager takes the value of the parameter of this name, and when it is looked again.
    Validation(String, Timestamp),
    /// A parameter that was put may still appear until then.
    ParameterGone {
        /// When it is certain that there is none.
        until: Timestamp,
    },
    /// EC2 says who else may use the image or snapshot.
    Permissions(String),
    /// EC2 says whether the image launches fast.
    FastLaunchRead(String),
    /// EC2 ends a change of the fast launch of an image.
    FastLaunch {
        /// The image.
        id: String,
        /// How far it is.
        state: FastLaunchState,
        /// When it is looked again, where it changes by itself.
        looks_again: Option<Timestamp>,
    },
    /// Somebody takes the protection off an image.
    Protection(String),
    /// A protected image can be deregistered.
    Cooldown {
        /// The image.
        id: String,
        /// The end of the cooldown.
        until: Timestamp,
    },
    /// An image that was listed a moment ago is listed again or certainly gone.
    Missing {
        /// Its id.
        id: String,
        /// When it is called gone.
        until: Timestamp,
    },
    /// An answer that was lost may still turn into an image until then.
    ConsistencyWindow {
        /// The end of the window.
        until: Timestamp,
    },
    /// EC2 refused it; when it is asked again.
    Retry {
        /// When.
        until: Timestamp,
    },
    /// Lists of these places that were taken after the end of the window.
    FreshLists(Vec<Place>),
    /// The object's machines are read.
    Machines,
    /// A machine stops itself.
    Stopped {
        /// Its id.
        id: String,
        /// How far it is.
        state: MachineState,
        /// When it has taken too long.
        until: Timestamp,
        /// When it is looked again.
        looks_again: Timestamp,
    },
    /// A source image or instance changes its state.
    SourceState(String),
    /// Images and snapshots of this object to go.
    Deletion(usize),
}

impl WaitsFor {
    /// When a mere lapse of time ends the wait.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Missing { until, .. }
            | Self::ConsistencyWindow { until }
            | Self::Validation(_, until)
            | Self::ParameterGone { until }
            | Self::Cooldown { until, .. }
            | Self::Stopped {
                looks_again: until, ..
            }
            | Self::Retry { until } => Some(*until),
            Self::FastLaunch { looks_again, .. } => *looks_again,
            _ => None,
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // In steps of ten, so that a status that shows it is not written at every percent.
            Self::Available {
                image,
                progress: Some(progress),
            } => {
                write!(f, "{image} to be available, {} %", progress / 10 * 10)
            }
            Self::Available {
                image,
                progress: None,
            } => write!(f, "{image} to be available"),
            Self::Standing(regions) => write!(f, "the revision to stand in {}", regions.join(", ")),
            Self::Published(revision) => {
                write!(f, "revision {revision} to be published in every region")
            }
            Self::Readable(places) => {
                let places: Vec<_> = places.iter().map(ToString::to_string).collect();
                write!(f, "{} to be readable", places.join(", "))
            }
            Self::Proof(id) => write!(f, "EC2 to show what {id} was made from"),
            Self::Source => f.write_str("the source to be read"),
            Self::Record(origin) => write!(f, "the status to say that the source is {origin}"),
            Self::Told(id) => write!(f, "the status to name another image than {id}"),
            Self::CopySlot => {
                f.write_str("a copy slot: as many copies as EC2 allows are under way")
            }
            Self::EbsDefaults => f.write_str("EC2 to say how copies are encrypted by default"),
            Self::Usage(id) => write!(f, "EC2 to say who uses {id}"),
            Self::UsageReport(id) => {
                write!(f, "EC2's report of the other accounts that use {id}")
            }
            Self::Unused { id, by } => write!(f, "{id} to be unused by {}", by.join(", ")),
            Self::Departures => f.write_str(
                "a count of what else of the account is about to go, with every region read",
            ),
            Self::Acknowledgement => {
                f.write_str("somebody to say that so many published images may go")
            }
            Self::Adoption => f.write_str("somebody to say that it is to be taken over"),
            Self::Adopted(id) => write!(f, "EC2 to show {id}"),
            Self::SealedSnapshots(id) => write!(f, "the snapshots of {id} to be tagged as ours"),
            Self::Missing { id, until } => {
                write!(f, "{id}, which EC2 no longer lists, until {}", at(*until))
            }
            Self::ConsistencyWindow { until } => {
                write!(f, "images that EC2 may not show yet, until {}", at(*until))
            }
            Self::Retry { until } => write!(f, "the next try at {}", at(*until)),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name} to be read and up to date"),
            Self::Parameters(name) => write!(f, "parameter {name} to be read and up to date"),
            Self::Validation(name, _) => {
                write!(f, "Systems Manager to take the value of parameter {name}")
            }
            Self::ParameterGone { until } => {
                write!(f, "a parameter that may still appear, until {}", at(*until))
            }
            Self::FastLaunchRead(id) => write!(f, "EC2 to say whether {id} launches fast"),
            Self::FastLaunch { id, state, .. } => {
                write!(f, "the fast launch of {id}, which is {state}")
            }
            Self::Permissions(id) => write!(f, "EC2 to say who else may use {id}"),
            Self::Protection(id) => {
                write!(
                    f,
                    "the protection of {id} against deregistration to be taken off"
                )
            }
            Self::Cooldown { id, until } => write!(
                f,
                "the cooldown of {id}, which EC2 does not deregister before {}",
                until.strftime("%Y-%m-%dT%H:%M:%SZ")
            ),
            Self::Hold(id) => write!(f, "the tag amity.dev/hold of {id} to be removed"),
            Self::FreshLists(places) => {
                let regions: Vec<_> = places.iter().map(|place| place.region.as_str()).collect();
                write!(f, "a fresh list of {}", regions.join(", "))
            }
            Self::Machines => f.write_str("EC2 to say which machines there are"),
            Self::Stopped {
                id, state, until, ..
            } => write!(
                f,
                "{id}, which is {state}, to stop itself before {}",
                at(*until)
            ),
            Self::SourceState(state) => write!(f, "the source, which is {state}"),
            Self::Deletion(1) => f.write_str("1 image or snapshot to go"),
            Self::Deletion(count) => write!(f, "{count} images and snapshots to go"),
        }
    }
}

/// Whole seconds, in UTC.
fn at(time: Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}

/// Something that keeps EC2 from matching the spec, and that the user should read about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition's reason, which also tells whether nothing goes on until somebody acts.
    pub reason: Reason,
    /// Where, if it is of one place.
    pub place: Option<Place>,
    /// A sentence naming region, id and remedy.
    pub message: String,
}

impl Finding {
    /// Why something of a place could not be read, as it was said there.
    pub(crate) fn of_unreadable(place: &Place, unreadable: &Unreadable) -> Self {
        Self {
            reason: unreadable.reason,
            place: Some(place.clone()),
            message: unreadable.message.clone(),
        }
    }
}

impl From<NotGranted> for Finding {
    fn from(missing: NotGranted) -> Self {
        Self {
            reason: conditions::NOT_GRANTED,
            place: None,
            message: missing.to_string(),
        }
    }
}
