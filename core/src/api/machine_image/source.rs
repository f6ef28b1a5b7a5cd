//! What an image is made from: `spec.source`.
//!
//! The hash of a revision is made of the serialised source. So whatever has its default is left out
//! when it is written, and a list whose order means nothing is written in one order.
//!
//! A field of a later version that this one does not know would be left out of the hash as well, and
//! the source taken again. So unknown fields are an error here: such an object is left as it is.

use std::fmt;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::rules;
use crate::api::schema::exactly_one;

use super::build::BuildSource;
use super::words::{Architecture, BootMode, EnaSupport, PlatformDetails};

/// What the image is made from: exactly one of instance, snapshot, image, build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = exactly_one)]
pub enum Source {
    /// Capture an instance of the account. Needs a capture grant in the AwsAccount.
    Instance(InstanceSource),
    /// Register an image with a snapshot of a root volume, for example a backup or an imported
    /// disk. The snapshot is never changed or deleted. Needs a snapshots grant in the AwsAccount.
    /// What a snapshot does not tell has to be said here. For Windows, SQL Server, Red Hat and
    /// SUSE it is safer to capture an instance, since EC2 finds the licence of a snapshot only
    /// if it was made from such an instance or image: see platformDetails.
    Snapshot(SnapshotSource),
    /// Copy an existing image, given by its id, by its owner and name, by a parameter of Systems
    /// Manager that holds its id, or as what another MachineImage has published. It is always
    /// copied, also within its own region, and the original is never changed. Needs a source
    /// owner grant in the AwsAccount.
    Image(#[serde(deserialize_with = "one_image")] ImageSource),
    /// Launch a machine from another image, let it do what its user data says until it stops
    /// itself, and capture it: once for each revision, at most three times where it fails. Needs
    /// a builds grant, and a source owner grant for the other image, in the AwsAccount.
    Build(BuildSource),
}

/// An instance to capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::reboot_is_said())]
pub struct InstanceSource {
    /// The region of the instance, for example us-east-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,

    /// The instance, running or stopped, for example i-0a1b2c3d4e5f60718.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::instance_id())]
    pub instance_id: String,

    /// Whether a running instance may be restarted for the capture. Required, since no default
    /// is right for everybody: Once restarts it once per revision, so that its file systems are
    /// consistent; Never leaves it running, and the image is what a power cut would leave behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Reboot>,

    /// Which of the instance's volumes the image holds. All takes every volume that is attached;
    /// RootOnly takes only the one that it boots from, and instances of the image have no other.
    /// Default: All.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volumes: InstanceVolumes,
}

// No documentation on the types of plain values and on the values, for users: `kubectl explain`
// would show it instead of the field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Reboot {
    Once,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum InstanceVolumes {
    #[default]
    All,
    RootOnly,
}

/// A snapshot to register an image with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::root_device_name_is_said(),
    validation = rules::architecture_is_said(),
    validation = rules::volumes_are_not_the_root()
)]
pub struct SnapshotSource {
    /// The region of the snapshot, for example us-east-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,

    /// The snapshot of the volume to boot from, for example snap-0123456789abcdef0.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::snapshot_id())]
    pub snapshot_id: String,

    /// Under which name instances get the root volume, for example /dev/xvda. Required: take the
    /// name that the system's own images have (RootDeviceName), which is /dev/xvda for Amazon
    /// Linux and Debian, and /dev/sda1 for most others.
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = rules::device_name())]
    pub root_device_name: String,

    /// The processor that the system in the snapshot was built for: x86_64, arm64, i386,
    /// x86_64_mac or arm64_mac. Required, since EC2 would take i386.
    #[schemars(with = "Option<Architecture>")]
    pub architecture: Architecture,

    /// How the system boots: legacy-bios, uefi or uefi-preferred. Default: none, that is, the
    /// one that the instance type has by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,

    /// Whether the system has the driver for enhanced networking (ENA). Enabled is right for
    /// every system of the last years, and current instance types start nothing else; Disabled
    /// is for old ones that have no such driver. Default: Enabled.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ena_support: EnaSupport,

    /// The platform details that the image must have in EC2, since its instances are billed by
    /// them, for example Windows. They are checked and not set, since EC2 derives them from the
    /// snapshot: an image that comes out with others is not published but discarded, and the
    /// object is Stalled with PlatformMismatch. Default: Linux/UNIX.
    #[serde(default, skip_serializing_if = "is_default")]
    pub platform_details: PlatformDetails,

    /// The data volumes that instances get besides the root volume, at most 26. Default: none.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "in_order"
    )]
    #[schemars(length(max = 26))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["deviceName".into()]))]
    pub volumes: Vec<SnapshotVolume>,
}

/// A data volume, made from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotVolume {
    /// Under which name instances get the volume, for example /dev/sdf. Not the root volume's.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::device_name())]
    pub device_name: String,

    /// The snapshot that the volume is made from, of the same region, for example
    /// snap-0123456789abcdef0.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::snapshot_id())]
    pub snapshot_id: String,

    /// Whether the volume is deleted with the instance; false leaves it behind, with its data
    /// and its cost. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub delete_on_termination: bool,
}

/// An existing image to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::image_is_said(),
    validation = rules::image_is_said_once(),
    validation = rules::owner_has_a_name(),
    validation = rules::name_has_an_owner(),
    validation = rules::architecture_is_of_a_name()
)]
pub struct ImageSource {
    /// The region of the image, and of the parameter that holds its id, for example us-east-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,

    /// The image, for example ami-0123456789abcdef0. Write this, or owner with name, or
    /// ssmParameter, or machineImageName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::image_id())]
    pub image_id: Option<String>,

    /// Whose image it is, together with name: an account id of 12 digits in quotes, for example
    /// "099720109477", self (this account) or amazon (images that EC2 shows as Amazon's). A name
    /// alone is not enough, and there is no word for anyone: whoever publishes a newer image
    /// under the same name would have it run here (known as the whoAMI attack).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::owner())]
    pub owner: Option<String>,

    /// The image's whole name in EC2, together with owner, for example
    /// al2023-ami-2023.6.20241010.0-kernel-6.1-x86_64: 3 to 128 letters, digits, spaces and the
    /// characters - _ . / ( ) [ ] ' @, without the wildcards * and ?. Of several images with this
    /// name the newest by CreationDate is taken, once for each revision, and then kept: change
    /// spec.rebuild to look again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = rules::image_name_has_no_wildcards(),
        validation = rules::image_name()
    )]
    pub name: Option<String>,

    /// Takes only an image for this processor, where its owner uses the name for several: x86_64,
    /// arm64, i386, x86_64_mac or arm64_mac. Only together with name. Default: none, that is, for
    /// any processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,

    /// The parameter of Systems Manager, in the same region, whose value is the id of the image:
    /// one of your own, or a public one, as those who publish images keep them up to date, for
    /// example /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64. It is read
    /// once for each revision, and the image is then kept: change spec.rebuild to read it again.
    /// Whose image it may be is for the source owner grants to say, as of any other image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    #[x_kube(validation = rules::parameter_name())]
    pub ssm_parameter: Option<String>,

    /// Another MachineImage of the same namespace and the same accountName, whose published image
    /// in this region is taken, once for each revision, and then kept: change spec.rebuild to take
    /// the one that is published by then. Until it has published one, this one waits. It needs a
    /// source owner grant for self (this account).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::machine_image_name())]
    pub machine_image_name: Option<String>,
}

impl Source {
    /// The region that the source is in.
    pub fn region(&self) -> &str {
        match self {
            Self::Instance(instance) => &instance.region,
            Self::Snapshot(snapshot) => &snapshot.region,
            Self::Image(image) => &image.region,
            Self::Build(build) => &build.parent.region,
        }
    }

    /// The image that is looked up, where there is one.
    fn image(&self) -> Option<&ImageSource> {
        match self {
            Self::Image(image) => Some(image),
            Self::Build(build) => Some(&build.parent),
            Self::Instance(_) | Self::Snapshot(_) => None,
        }
    }

    /// The id of the instance, snapshot or image; none for an image that is given by something
    /// else, of which only AWS knows the id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Instance(instance) => Some(&instance.instance_id),
            Self::Snapshot(snapshot) => Some(&snapshot.snapshot_id),
            Self::Image(_) | Self::Build(_) => self.image()?.image_id.as_deref(),
        }
    }

    /// `region/id`, as the tag `amity.dev/origin` has it; none where [`id`](Self::id) is none.
    pub fn reference(&self) -> Option<String> {
        self.id().map(|id| format!("{}/{id}", self.region()))
    }
}

/// `region/id`, as the status writes it, and for an image that is given by its name
/// `region/owner/name`, by a parameter `region/ssm:name`, by a MachineImage `region/ami:name`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.region())?;
        match (self.image(), self.id()) {
            (_, Some(id)) => f.write_str(id),
            (
                Some(ImageSource {
                    ssm_parameter: Some(parameter),
                    ..
                }),
                None,
            ) => write!(f, "ssm:{parameter}"),
            (
                Some(ImageSource {
                    machine_image_name: Some(other),
                    ..
                }),
                None,
            ) => write!(f, "ami:{other}"),
            (Some(ImageSource { owner, name, .. }), None) => {
                let said = |text: &Option<String>| text.clone().unwrap_or_default();
                write!(f, "{}/{}", said(owner), said(name))
            }
            (None, None) => Ok(()),
        }
    }
}

impl InstanceSource {
    /// Whether the instance may be restarted. The API server insists that it is said; an object
    /// that came past it without a word gets the answer that cannot hurt.
    pub fn reboot(&self) -> Reboot {
        self.reboot.unwrap_or(Reboot::Never)
    }
}

/// An image that is given by nothing or by two things, which the API server refuses, but keeps if
/// an earlier definition that lacks those fields was installed for a while.
pub(super) fn one_image<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ImageSource, D::Error> {
    let image = ImageSource::deserialize(deserializer)?;
    let by_name = image.owner.is_some() && image.name.is_some();
    let ways = [
        image.image_id.is_some(),
        image.owner.is_some() || image.name.is_some(),
        image.ssm_parameter.is_some(),
        image.machine_image_name.is_some(),
    ];
    match ways.into_iter().filter(|way| *way).count() {
        1 if by_name || !ways[1] => Ok(image),
        _ => Err(D::Error::custom(
            "write exactly one of imageId, owner with name, ssmParameter, and \
             machineImageName",
        )),
    }
}

/// The volumes by device name: they are a map, and writing them in another order is no new revision.
fn in_order<S: Serializer>(volumes: &[SnapshotVolume], serializer: S) -> Result<S::Ok, S::Error> {
    let mut volumes: Vec<_> = volumes.iter().collect();
    volumes.sort_by_key(|volume| &volume.device_name);
    volumes.serialize(serializer)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn source(written: Value) -> Source {
        serde_json::from_value(written).unwrap()
    }

    fn snapshot(fields: &Value) -> Source {
        let mut snapshot = json!({
            "region": "us-east-1", "snapshotId": "snap-1",
            "rootDeviceName": "/dev/xvda", "architecture": "x86_64",
        });
        let said = snapshot.as_object_mut().unwrap();
        said.extend(fields.as_object().cloned().unwrap_or_default());
        source(json!({"snapshot": snapshot}))
    }

    #[test]
    fn what_has_its_default_is_not_written_and_so_changes_no_hash() {
        for written in [
            json!({"instance": {"region": "us-east-1", "instanceId": "i-1", "reboot": "Never"}}),
            json!({"image": {"region": "us-east-1", "imageId": "ami-1"}}),
            json!({"image": {"region": "us-east-1", "ssmParameter": "/base"}}),
            json!({"image": {"region": "us-east-1", "machineImageName": "base"}}),
            json!({"snapshot": {
                "region": "us-east-1", "snapshotId": "snap-1",
                "rootDeviceName": "/dev/xvda", "architecture": "x86_64",
            }}),
        ] {
            let read = source(written.clone());
            assert_eq!(serde_json::to_value(read).unwrap(), written);
        }
        let said = snapshot(&json!({
            "enaSupport": "Enabled", "platformDetails": "Linux/UNIX", "volumes": [],
        }));
        assert_eq!(said, snapshot(&json!({})));
    }

    #[test]
    fn what_this_version_does_not_know_is_an_error_and_no_other_revision() {
        for unknown in [
            json!({"build": {"region": "us-east-1", "pipeline": "base"}}),
            json!({}),
            json!({"instance": {"region": "us-east-1", "instanceId": "i-1", "freeze": "Once"}}),
            json!({"instance": {"region": "us-east-1", "instanceId": "i-1", "reboot": "Twice"}}),
            json!({"image": {"region": "us-east-1", "recipe": "base"}}),
            json!({"image": {"region": "us-east-1"}}),
            json!({"image": {"region": "us-east-1", "name": "base"}}),
            json!({"image": {"region": "us-east-1", "ssmParameter": "/base", "owner": "self"}}),
            json!({"image": {"region": "us-east-1", "ssmParameter": "/base", "imageId": "ami-1"}}),
            json!({"image": {"region": "us-east-1", "machineImageName": "base", "name": "base"}}),
            json!({
                "instance": {"region": "us-east-1", "instanceId": "i-1"},
                "image": {"region": "us-east-1", "imageId": "ami-1"},
            }),
        ] {
            let read = serde_json::from_value::<Source>(unknown.clone());
            assert!(read.is_err(), "{unknown}");
        }
    }

    #[test]
    fn the_order_of_the_volumes_is_not_written() {
        let volume = |device| json!({"deviceName": device, "snapshotId": "snap-2"});
        let one = snapshot(&json!({"volumes": [volume("/dev/sdg"), volume("/dev/sdf")]}));
        let other = snapshot(&json!({"volumes": [volume("/dev/sdf"), volume("/dev/sdg")]}));
        let written = serde_json::to_value(&one).unwrap();
        assert_eq!(written, serde_json::to_value(&other).unwrap());
        assert_eq!(
            written["snapshot"]["volumes"][0],
            json!({"deviceName": "/dev/sdf", "snapshotId": "snap-2"}),
            "and neither is a volume's default"
        );
    }

    #[test]
    fn what_a_snapshot_does_not_tell_must_be_said() {
        for field in ["rootDeviceName", "architecture"] {
            let mut written = serde_json::to_value(snapshot(&json!({}))).unwrap();
            written["snapshot"].as_object_mut().unwrap().remove(field);
            assert!(
                serde_json::from_value::<Source>(written).is_err(),
                "{field}"
            );
        }
    }

    #[test]
    fn a_source_is_written_with_its_region() {
        let by_name =
            json!({"image": {"region": "us-east-1", "owner": "amazon", "name": "al2023 (x)"}});
        for (written, shown, reference) in [
            (
                json!({"instance": {"region": "us-east-1", "instanceId": "i-1"}}),
                "us-east-1/i-1",
                Some("us-east-1/i-1"),
            ),
            (
                serde_json::to_value(snapshot(&json!({}))).unwrap(),
                "us-east-1/snap-1",
                Some("us-east-1/snap-1"),
            ),
            (
                json!({"image": {"region": "us-east-1", "imageId": "ami-1"}}),
                "us-east-1/ami-1",
                Some("us-east-1/ami-1"),
            ),
            (by_name, "us-east-1/amazon/al2023 (x)", None),
            (
                json!({"image": {"region": "us-east-1", "ssmParameter": "/base"}}),
                "us-east-1/ssm:/base",
                None,
            ),
            (
                json!({"image": {"region": "us-east-1", "machineImageName": "base"}}),
                "us-east-1/ami:base",
                None,
            ),
        ] {
            let source = source(written);
            assert_eq!(source.to_string(), shown);
            assert_eq!(source.reference().as_deref(), reference);
        }
    }
}
