//! What a revision is made from, in the planner's words, and what the account's grants say of it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;

use super::super::identity::{Identity, Reference, Standing, standing, tag};
use super::super::observed::{
    Image, ImageState, SourceImage, SourceInstance, SourceSnapshot, SourceView,
};
use super::super::plan::Finding;
use crate::api::{self, AwsAccount, InstanceVolumes, Namespace, NotGranted, Reboot};

/// What a revision is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `CreateImage` of an instance.
    Instance {
        /// The instance.
        at: Reference,
        /// Whether it may be restarted.
        reboot: Reboot,
        /// Which of its volumes are captured.
        volumes: InstanceVolumes,
    },
    /// `RegisterImage` of snapshots.
    Snapshot {
        /// The region of the snapshots.
        region: String,
        /// What EC2 has to be told.
        registration: Registration,
    },
    /// Copies of an image.
    Image(Reference),
    /// Copies of the newest image of a name, resolved once per revision.
    NamedImage(ImageName),
    /// Copies of the image whose id a parameter holds, resolved once per revision.
    Parameter(Parameter),
    /// Copies of what another object has published, resolved once per revision.
    Published(Published),
    /// `CreateImage` of a machine that was launched for it and has stopped itself.
    Build(Build),
}

/// What a machine is launched from, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The image: one of the kinds that are copied. It is resolved once per revision, as they are.
    pub parent: Box<Source>,
    /// What EC2 has to be told besides.
    pub launch: Launch,
    /// How long the machine may take until it has stopped.
    pub timeout: SignedDuration,
}

/// How a machine is launched (EC2 API, `RunInstances`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Launch {
    /// The instance type.
    pub instance_type: String,
    /// The subnet; `None`: one of the default VPC.
    pub subnet: Option<String>,
    /// The security groups; none: the default one.
    pub security_groups: Vec<String>,
    /// The name of the instance profile.
    pub instance_profile: Option<String>,
    /// The user data, as it is written.
    pub user_data: Option<String>,
}

/// What EC2 has to be told to make an image of snapshots. Everything is said, since its defaults
/// (`i386`, `paravirtual`, no ENA) make images that do not start (EC2 API, `RegisterImage`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The snapshot of the root device.
    pub snapshot: String,
    /// The device name of the root device.
    pub root_device: String,
    /// EC2's word for the architecture.
    pub architecture: &'static str,
    /// EC2's word for the boot mode, where it is said.
    pub boot_mode: Option<&'static str>,
    /// Whether its system has the driver for enhanced networking.
    pub ena_support: bool,
    /// The other volumes.
    pub volumes: Vec<RegisteredVolume>,
    /// What EC2 must show afterwards.
    pub platform_details: &'static str,
}

/// A volume besides the root's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredVolume {
    /// The device name.
    pub device: String,
    /// The snapshot that it is made from.
    pub snapshot: String,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

/// An image by its name: always of one owner, since anybody can give an image any name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    /// The region.
    pub region: String,
    /// An account id, `self` or `amazon`.
    pub owner: String,
    /// The whole name.
    pub name: String,
    /// EC2's word for the architecture, where it is said.
    pub architecture: Option<&'static str>,
}

/// A parameter of Systems Manager whose value is the id of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameter {
    /// The region, of the image too.
    pub region: String,
    /// The whole name.
    pub name: String,
}

/// What another `MachineImage` of the same installation and account has published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Published {
    /// The region.
    pub region: String,
    /// `namespace/name` of the other object.
    pub object: String,
}

impl Source {
    /// What the spec of an object in `namespace` says.
    pub(super) fn of(source: &api::Source, namespace: &str) -> Self {
        match source {
            api::Source::Instance(instance) => Self::Instance {
                at: Reference::new(&instance.region, &instance.instance_id),
                reboot: instance.reboot(),
                volumes: instance.volumes,
            },
            api::Source::Snapshot(snapshot) => Self::Snapshot {
                region: snapshot.region.clone(),
                registration: Registration::of(snapshot),
            },
            api::Source::Image(image) => Self::of_image(image, namespace),
            api::Source::Build(build) => Self::Build(Build {
                parent: Box::new(Self::of_image(&build.parent, namespace)),
                launch: Launch {
                    instance_type: build.instance_type.clone(),
                    subnet: build.subnet_id.clone(),
                    security_groups: build.security_group_ids.clone(),
                    instance_profile: build.instance_profile.clone(),
                    user_data: build.user_data.clone(),
                },
                timeout: build.timeout(),
            }),
        }
    }

    fn of_image(image: &api::ImageSource, namespace: &str) -> Self {
        match image {
            api::ImageSource {
                image_id: Some(id), ..
            } => Self::Image(Reference::new(&image.region, id)),
            api::ImageSource {
                ssm_parameter: Some(name),
                ..
            } => Self::Parameter(Parameter {
                region: image.region.clone(),
                name: name.clone(),
            }),
            api::ImageSource {
                machine_image_name: Some(name),
                ..
            } => Self::Published(Published {
                region: image.region.clone(),
                object: format!("{namespace}/{name}"),
            }),
            _ => Self::NamedImage(ImageName {
                region: image.region.clone(),
                owner: image.owner.clone().unwrap_or_default(),
                name: image.name.clone().unwrap_or_default(),
                architecture: image.architecture.map(api::Architecture::as_str),
            }),
        }
    }

    /// What is looked up: the image itself, or the one that a machine is launched from.
    pub fn looked_up(&self) -> &Self {
        match self {
            Self::Build(build) => &build.parent,
            source => source,
        }
    }

    /// How a machine is launched and captured, where one is.
    pub fn build(&self) -> Option<&Build> {
        match self {
            Self::Build(build) => Some(build),
            _ => None,
        }
    }

    /// Its region.
    pub fn region(&self) -> &str {
        match self {
            Self::Instance { at, .. } | Self::Image(at) => &at.region,
            Self::Snapshot { region, .. } => region,
            Self::NamedImage(named) => &named.region,
            Self::Parameter(parameter) => &parameter.region,
            Self::Published(published) => &published.region,
            Self::Build(build) => build.parent.region(),
        }
    }

    /// What the spec itself names, of a build the image that it starts with; `None` where that has to be found out.
    pub fn reference(&self) -> Option<Reference> {
        match self {
            Self::Instance { at, .. } | Self::Image(at) => Some(at.clone()),
            Self::Snapshot {
                region,
                registration,
            } => Some(Reference::new(region, &registration.snapshot)),
            Self::NamedImage(_) | Self::Parameter(_) | Self::Published(_) => None,
            Self::Build(build) => build.parent.reference(),
        }
    }

    /// Whether it is an image, which every region copies by itself.
    pub fn is_image(&self) -> bool {
        matches!(
            self,
            Self::Image(_) | Self::NamedImage(_) | Self::Parameter(_) | Self::Published(_)
        )
    }

    /// Whether the spec does not say which image it is, so that this is found out, once per revision.
    pub fn is_resolved(&self) -> bool {
        matches!(
            self.looked_up(),
            Self::NamedImage(_) | Self::Parameter(_) | Self::Published(_)
        )
    }

    /// Whether the spec names this very image or snapshot, which is the user's then, whoever made it.
    pub fn names(&self, region: &str, id: &str) -> bool {
        if self.region() != region {
            return false;
        }
        match self {
            Self::Instance { at, .. } | Self::Image(at) => at.id == id,
            Self::Snapshot { registration, .. } => registration.snapshots().any(|one| one == id),
            Self::NamedImage(_) | Self::Parameter(_) | Self::Published(_) => false,
            Self::Build(build) => build.parent.names(region, id),
        }
    }

    /// Whether EC2 shows that this is an image that the spec may mean, in an account with this id. A parameter may
    /// hold the id of any.
    pub fn may_be(&self, image: &SourceImage, account: Option<&str>) -> bool {
        match self.looked_up() {
            Self::NamedImage(named) => named.is_of(image, account),
            Self::Published(published) => {
                account == Some(image.owner.as_str())
                    && image.object.as_ref() == Some(&published.object)
            }
            _ => true,
        }
    }
}

/// `region/id`, `region/owner/name`, `region/ssm:parameter`, or `region/ami:name`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.looked_up(), self.reference()) {
            (Self::NamedImage(named), _) => named.fmt(f),
            (Self::Parameter(parameter), _) => parameter.fmt(f),
            (Self::Published(published), _) => published.fmt(f),
            (_, Some(reference)) => reference.fmt(f),
            (_, None) => f.write_str(self.region()),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.region, self.owner, self.name)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/ssm:{}", self.region, self.name)
    }
}

impl Published {
    /// The one among the other object's images in the region that is published; of two, as in the midst of a
    /// publication, the one that was published last. `identity` is that of whoever asks, and `account` has the images.
    pub fn among(&self, images: &[Image], identity: &Identity, account: &str) -> SourceView {
        let theirs = Identity {
            object: self.object.clone(),
            ..identity.clone()
        };
        let is_published = |image: &&Image| {
            theirs.is_claimed_by(&image.tags)
                && standing(image, &theirs) == Standing::Ours
                && image.state == ImageState::Available
                && image.tags.get(tag::PUBLISHED).is_some()
        };
        let published = images
            .iter()
            .filter(is_published)
            .max_by_key(|image| (image.tags.get(tag::PUBLISHED), &image.id));
        published.map_or(SourceView::Unpublished, |image| {
            SourceView::Image(SourceImage {
                id: image.id.clone(),
                name: image.name.clone(),
                architecture: String::new(),
                state: image.state,
                owner: account.to_owned(),
                owner_alias: None,
                object: Some(self.object.clone()),
                size_gib: None,
            })
        })
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.object.split_once('/').map_or("", |(_, name)| name);
        write!(f, "{}/ami:{name}", self.region)
    }
}

impl ImageName {
    /// Whether EC2 shows that this is an image of that name and owner, in an account with this id.
    pub fn is_of(&self, image: &SourceImage, account: Option<&str>) -> bool {
        let owner = match self.owner.as_str() {
            "self" => account == Some(image.owner.as_str()),
            "amazon" => image.owner_alias.as_deref() == Some("amazon"),
            id => image.owner == id,
        };
        owner
            && image.name == self.name
            && self
                .architecture
                .is_none_or(|architecture| image.architecture == architecture)
    }
}

impl Registration {
    fn of(source: &api::SnapshotSource) -> Self {
        Self {
            snapshot: source.snapshot_id.clone(),
            root_device: source.root_device_name.clone(),
            architecture: source.architecture.as_str(),
            boot_mode: source.boot_mode.map(api::BootMode::as_str),
            ena_support: source.ena_support == api::EnaSupport::Enabled,
            volumes: source
                .volumes
                .iter()
                .map(|volume| RegisteredVolume {
                    device: volume.device_name.clone(),
                    snapshot: volume.snapshot_id.clone(),
                    delete_on_termination: volume.delete_on_termination,
                })
                .collect(),
            platform_details: source.platform_details.as_str(),
        }
    }

    /// Every snapshot, the root's first.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        let others = self.volumes.iter().map(|volume| volume.snapshot.as_str());
        std::iter::once(self.snapshot.as_str()).chain(others)
    }
}

/// The grants of the account that concern the source, for the object's namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceGrants {
    pub(crate) account: Option<AwsAccount>,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
}

impl SourceGrants {
    /// Whether the object's namespace may capture this instance.
    pub fn check_instance(&self, instance: &SourceInstance) -> Result<(), Finding> {
        self.check(|account, namespace| account.grants_capture(namespace, &instance.tags))
    }

    /// Whether the object's namespace may use these snapshots, all of them.
    pub fn check_snapshots(&self, snapshots: &[SourceSnapshot]) -> Result<(), Finding> {
        snapshots.iter().try_for_each(|one| {
            self.check(|account, namespace| {
                account.grants_snapshot(namespace, &one.owner, &one.tags)
            })
        })
    }

    /// Whether the object's namespace may launch machines like this.
    pub fn check_build(&self, launch: &Launch) -> Result<(), Finding> {
        self.check(|account, namespace| {
            account.grants_build(namespace, launch.instance_profile.as_deref())
        })
    }

    /// Whether the object's namespace may use images of this owner.
    pub fn check_image(&self, image: &SourceImage) -> Result<(), Finding> {
        self.check(|account, namespace| {
            account.grants_source_owner(namespace, &image.owner, image.owner_alias.as_deref())
        })
    }

    /// Whether the object's namespace may take over this image: one that an object of its own retained is its anyway.
    pub fn check_adoption(&self, image: &Image, owner: &str) -> Result<(), Finding> {
        let object = image.tags.get(tag::OBJECT).unwrap_or_default();
        let is_of_namespace = object
            .split_once('/')
            .is_some_and(|(namespace, _)| namespace == self.namespace);
        let is_its_own = is_of_namespace
            && image.tags.get(tag::OWNER) == Some(owner)
            && image.tags.get(tag::SELF) == Some(image.id.as_str());
        if is_its_own {
            return Ok(());
        }
        let tags = image.tags.to_map();
        self.check(|account, namespace| account.grants_adoption(namespace, &tags))
    }

    fn check(
        &self,
        ask: impl FnOnce(&AwsAccount, Namespace<'_>) -> Result<(), NotGranted>,
    ) -> Result<(), Finding> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        ask(
            account,
            Namespace {
                name: &self.namespace,
                labels: &self.labels,
            },
        )
        .map_err(Finding::from)
    }
}
