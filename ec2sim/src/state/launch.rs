//! What a launch asks for: of `RunInstances`, and of a version of a launch template.

use std::collections::BTreeMap;

use crate::state::Tags;

/// Everything about a launch but how many. What is none is for EC2 to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LaunchData {
    /// An image's id, or `resolve:ssm:NAME`.
    pub image: Option<String>,
    /// `t3.micro`, …
    pub instance_type: Option<String>,
    /// The name of a key pair.
    pub key_name: Option<String>,
    /// The ids of security groups.
    pub group_ids: Vec<String>,
    /// The names of security groups of the default VPC.
    pub group_names: Vec<String>,
    /// The subnet; templates have it only in an interface.
    pub subnet: Option<String>,
    /// Network interfaces.
    pub interfaces: Vec<Interface>,
    /// The instance profile, by its ARN or its name.
    pub profile: Option<String>,
    /// User data, in base64 as on the wire.
    pub user_data: Option<String>,
    /// Block devices.
    pub devices: Vec<LaunchDevice>,
    /// How the metadata service is to be.
    pub metadata: MetadataOptions,
    /// A spot instance.
    pub spot: Option<Spot>,
    /// What an instance does that shuts itself down.
    pub shutdown: Option<ShutdownBehavior>,
    /// Whether `TerminateInstances` is refused.
    pub disable_api_termination: Option<bool>,
    /// The zone.
    pub zone: Option<String>,
    /// Whether detailed monitoring is on.
    pub monitoring: Option<bool>,
    /// Whether it is optimized for EBS.
    pub ebs_optimized: Option<bool>,
    /// Tags by resource type.
    pub tags: BTreeMap<String, Tags>,
}

impl LaunchData {
    /// A launch of an image, and nothing else said.
    pub fn of_image(image: Option<String>) -> Self {
        Self {
            image,
            ..Self::default()
        }
    }

    /// What this says, and for the rest what a template says. Lists are taken as wholes, except for block devices,
    /// which are merged by their names (docs: UG launch-instances-from-launch-template: what is specified overrides).
    pub(crate) fn over(self, template: Self) -> Self {
        let networked = !self.group_ids.is_empty()
            || !self.group_names.is_empty()
            || !self.interfaces.is_empty()
            || self.subnet.is_some();
        let mut devices = self.devices;
        for device in template.devices {
            if !devices.iter().any(|own| own.name == device.name) {
                devices.push(device);
            }
        }
        let mut tags = template.tags;
        tags.extend(self.tags);
        Self {
            image: self.image.or(template.image),
            instance_type: self.instance_type.or(template.instance_type),
            key_name: self.key_name.or(template.key_name),
            group_ids: if self.group_ids.is_empty()
                && self.group_names.is_empty()
                && self.interfaces.is_empty()
            {
                template.group_ids
            } else {
                self.group_ids
            },
            group_names: if networked {
                self.group_names
            } else {
                template.group_names
            },
            interfaces: if networked {
                self.interfaces
            } else {
                template.interfaces
            },
            subnet: self.subnet.or(template.subnet),
            profile: self.profile.or(template.profile),
            user_data: self.user_data.or(template.user_data),
            devices,
            metadata: self.metadata.over(template.metadata),
            spot: self.spot.or(template.spot),
            shutdown: self.shutdown.or(template.shutdown),
            disable_api_termination: self
                .disable_api_termination
                .or(template.disable_api_termination),
            zone: self.zone.or(template.zone),
            monitoring: self.monitoring.or(template.monitoring),
            ebs_optimized: self.ebs_optimized.or(template.ebs_optimized),
            tags,
        }
    }

    /// What an instance does that shuts itself down; `stop` unless it is said (model: `RunInstances`).
    pub(crate) fn shutdown_behavior(&self) -> ShutdownBehavior {
        self.shutdown.unwrap_or(ShutdownBehavior::Stop)
    }

    /// Whether it is a spot instance of a request that is good for one instance only.
    pub(crate) fn is_one_time(&self) -> bool {
        self.spot.as_ref().is_some_and(|spot| !spot.persistent)
    }

    pub(crate) fn tags_of(&self, resource_type: &str) -> Tags {
        self.tags.get(resource_type).cloned().unwrap_or_default()
    }
}

/// What happens when the system of an instance shuts it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShutdownBehavior {
    /// It is stopped.
    Stop,
    /// It is gone.
    Terminate,
}

impl ShutdownBehavior {
    /// As it is on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Terminate => "terminate",
        }
    }
}

/// A network interface that is made with an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its subnet.
    pub subnet: Option<String>,
    /// The ids of its security groups.
    pub groups: Vec<String>,
    /// Whether it gets a public address.
    pub public_ip: Option<bool>,
    /// Whether it goes with the instance.
    pub delete_on_termination: Option<bool>,
    /// Free text.
    pub description: Option<String>,
}

/// A block device that a launch changes or adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LaunchDevice {
    /// Such as `/dev/xvda`.
    pub name: String,
    /// That of the image is left out.
    pub no_device: bool,
    /// An instance store.
    pub virtual_name: Option<String>,
    /// What it is filled from.
    pub snapshot: Option<String>,
    /// In GiB.
    pub size_gib: Option<u32>,
    /// `gp3`, …
    pub volume_type: Option<String>,
    /// Operations a second.
    pub iops: Option<u32>,
    /// MiB a second.
    pub throughput: Option<u32>,
    /// Whether it goes with the instance.
    pub delete_on_termination: Option<bool>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The key, as it was named.
    pub kms_key: Option<String>,
}

/// The metadata service of an instance, in EC2's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MetadataOptions {
    /// `required` or `optional`.
    pub http_tokens: Option<String>,
    /// `enabled` or `disabled`.
    pub http_endpoint: Option<String>,
    /// How far answers go.
    pub hop_limit: Option<u32>,
    /// Whether tags can be read in the instance: `enabled` or `disabled`.
    pub instance_tags: Option<String>,
}

impl MetadataOptions {
    fn over(self, template: Self) -> Self {
        Self {
            http_tokens: self.http_tokens.or(template.http_tokens),
            http_endpoint: self.http_endpoint.or(template.http_endpoint),
            hop_limit: self.hop_limit.or(template.hop_limit),
            instance_tags: self.instance_tags.or(template.instance_tags),
        }
    }
}

/// How a spot instance is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spot {
    /// `persistent`; otherwise `one-time`.
    pub persistent: bool,
    /// `terminate`, `stop` or `hibernate`.
    pub interruption: Option<String>,
    /// The most to pay.
    pub max_price: Option<String>,
}
