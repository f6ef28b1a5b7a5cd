//! A step in the SDK's words, and what EC2 answers in ours.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::image::attributes::{AttributeChange, Protection};
use amity_core::image::desired::{Launch, Registration};
use amity_core::image::permissions::{Grantee, PermissionChange};
use amity_core::image::plan::step::Action;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::operation::register_image::builders::RegisterImageFluentBuilder;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    AttributeValue, BlockDeviceMapping, CreateVolumePermission,
    CreateVolumePermissionModifications, EbsBlockDevice, FastLaunchSnapshotConfigurationRequest,
    HttpTokensState, IamInstanceProfileSpecification, ImageUsageResourceTypeOptionRequest,
    ImageUsageResourceTypeRequest, InstanceMetadataOptionsRequest, InstanceMetadataTagsState,
    LaunchPermission, LaunchPermissionModifications, PermissionGroup, ResourceType,
    ShutdownBehavior, SnapshotAttributeName, Tag, TagSpecification,
};
use aws_smithy_types::base64;

use super::{Answer, is_id};
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;
use crate::aws::inventory::EVERY_VERSION;

/// Sends the one call of a step.
pub(super) async fn send(ec2: &Ec2, calls: &EC2Calls, action: &Action) -> Result<Answer, Failure> {
    let name = action.name();
    match action {
        Action::CreateImage {
            instance,
            name: image_name,
            description,
            no_reboot,
            without_devices,
            tags,
            snapshot_tags,
        } => {
            let request = ec2
                .create_image()
                .instance_id(instance)
                .name(image_name)
                .set_description(description.clone())
                .no_reboot(*no_reboot)
                .set_block_device_mappings(left_out(without_devices))
                .set_tag_specifications(Some(from_birth(tags, snapshot_tags)));
            made(
                name,
                calls::send(calls, name, request.send()).await?.image_id(),
            )
        }
        Action::RegisterImage {
            registration,
            name: image_name,
            description,
            tags,
        } => {
            let request = register(ec2, registration)
                .name(image_name)
                .set_description(description.clone())
                // The snapshots are the user's, and EC2 would refuse to tag them in this call.
                .tag_specifications(tagging(ResourceType::Image, tags));
            made(
                name,
                calls::send(calls, name, request.send()).await?.image_id(),
            )
        }
        Action::RunInstances {
            image,
            launch,
            token,
            tags,
        } => {
            let request = run(ec2, launch).image_id(image).client_token(token);
            let request = request
                .tag_specifications(tagging(ResourceType::Instance, tags))
                .tag_specifications(tagging(ResourceType::Volume, tags));
            // Large, and rare.
            let answer = Box::pin(calls::send(calls, name, request.send())).await?;
            let launched = answer.instances().first();
            made(name, launched.and_then(|instance| instance.instance_id()))
        }
        Action::TerminateInstances { id } => {
            let request = ec2.terminate_instances().instance_ids(id);
            calls::send(calls, name, request.send()).await?;
            Ok(Answer::Changed)
        }
        Action::CopyImage {
            from,
            name: image_name,
            description,
            encryption,
            minutes,
            token,
            tags,
            snapshot_tags,
        } => {
            let request = ec2
                .copy_image()
                .source_region(&from.region)
                .source_image_id(&from.id)
                .client_token(token)
                // A key without `Encrypted` is an error (EC2 API, `CopyImage`).
                .set_encrypted(encryption.as_ref().map(|_| true))
                .set_kms_key_id(encryption.as_ref().and_then(|how| how.key.clone()))
                .set_snapshot_copy_completion_duration_minutes(*minutes)
                .name(image_name)
                .set_description(description.clone())
                // The source's own tags, a seal among them, belong to the source.
                .copy_image_tags(false)
                .set_tag_specifications(Some(from_birth(tags, snapshot_tags)));
            made(
                name,
                calls::send(calls, name, request.send()).await?.image_id(),
            )
        }
        Action::CreateTags { id, tags } | Action::Adopt { id, tags, .. } => {
            let request = ec2
                .create_tags()
                .resources(id)
                .set_tags(Some(ec2_tags(tags)));
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::DeleteTags { id, keys } => {
            // A key without a value is deleted whatever its value is (EC2 API, "DeleteTags").
            let keys = keys
                .iter()
                .map(|key| Tag::builder().key(key).build())
                .collect();
            let request = ec2.delete_tags().resources(id).set_tags(Some(keys));
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::ModifyImage { id, change } => modify(ec2, calls, id, change)
            .await
            .map(|()| Answer::Changed),
        Action::ChangePermissions { id, change } => {
            change_permissions(ec2, calls, name, id, change)
                .await
                .map(|()| Answer::Changed)
        }
        Action::EnableFastLaunch { id, settings } => {
            let snapshots = FastLaunchSnapshotConfigurationRequest::builder()
                .target_resource_count(settings.target_resource_count)
                .build();
            let request = ec2
                .enable_fast_launch()
                .image_id(id)
                .resource_type("snapshot")
                .snapshot_configuration(snapshots)
                .max_parallel_launches(settings.max_parallel_launches);
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::DisableFastLaunch { id } => {
            let request = ec2.disable_fast_launch().image_id(id);
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::RestoreImage { id } => {
            let request = ec2.restore_image_from_recycle_bin().image_id(id);
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::RestoreSnapshot { id } => {
            let request = ec2.restore_snapshot_from_recycle_bin().snapshot_id(id);
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::CreateUsageReport { id, token, tags } => {
            let request = ec2
                .create_image_usage_report()
                .image_id(id)
                .client_token(token)
                .set_resource_types(Some(everything_that_uses_images()))
                .tag_specifications(tagging(ResourceType::ImageUsageReport, tags));
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::DeregisterImage { id } => {
            let request = ec2.deregister_image().image_id(id);
            gone(calls::send(calls, name, request.send()).await)
        }
        Action::DeleteSnapshot { id } => {
            let request = ec2.delete_snapshot().snapshot_id(id);
            gone(calls::send(calls, name, request.send()).await)
        }
        Action::PutParameter { .. }
        | Action::DeleteParameter { .. }
        | Action::TagParameter { .. } => Err(Failure::ours("Systems Manager is not EC2")),
        Action::StoreFinalizer
        | Action::RecordCapture { .. }
        | Action::RecordLaunch { .. }
        | Action::RecordDiscard { .. }
        | Action::RecordAccounts { .. }
        | Action::WriteConfigMap { .. }
        | Action::DeleteConfigMap { .. }
        | Action::ReleaseFinalizer => {
            Err(Failure::ours("a write to the object is not a call to EC2"))
        }
    }
}

/// Each attribute has a call of its own, or takes one for itself (EC2 API, `ModifyImageAttribute`).
async fn modify(
    ec2: &Ec2,
    calls: &EC2Calls,
    id: &str,
    change: &AttributeChange,
) -> Result<(), Failure> {
    let name = change.action();
    let value = |text: &str| AttributeValue::builder().value(text).build();
    match change {
        AttributeChange::Description(text) => {
            let request = ec2
                .modify_image_attribute()
                .image_id(id)
                .description(value(text));
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::RequireImdsV2 => {
            let request = ec2
                .modify_image_attribute()
                .image_id(id)
                .imds_support(value("v2.0"));
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Public(public) => {
            let everybody = LaunchPermission::builder()
                .group(PermissionGroup::All)
                .build();
            let permissions = LaunchPermissionModifications::builder();
            let permissions = if *public {
                permissions.add(everybody)
            } else {
                permissions.remove(everybody)
            };
            let request = ec2
                .modify_image_attribute()
                .image_id(id)
                .launch_permission(permissions.build());
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Deprecation(Some(at)) => {
            let request = ec2
                .enable_image_deprecation()
                .image_id(id)
                .deprecate_at(DateTime::from_secs(at.as_second()));
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Deprecation(None) => {
            let request = ec2.disable_image_deprecation().image_id(id);
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Protection(
            protection @ (Protection::Enabled | Protection::EnabledWithCooldown),
        ) => {
            let request = ec2
                .enable_image_deregistration_protection()
                .image_id(id)
                .with_cooldown(*protection == Protection::EnabledWithCooldown);
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Protection(Protection::Disabled | Protection::DisabledAfter(_)) => {
            let request = ec2.disable_image_deregistration_protection().image_id(id);
            calls::send(calls, name, request.send()).await.map(drop)
        }
    }
}

/// Of an image additions and removals in one call; of a snapshot either (EC2 API, `ModifyImageAttribute`,
/// `ModifySnapshotAttribute`).
async fn change_permissions(
    ec2: &Ec2,
    calls: &EC2Calls,
    name: &'static str,
    id: &str,
    change: &PermissionChange,
) -> Result<(), Failure> {
    if is_id("ami-", id) {
        let list = |grantees: &BTreeSet<Grantee>| grantees.iter().map(launch_permission).collect();
        let permissions = LaunchPermissionModifications::builder()
            .set_add(Some(list(&change.add)))
            .set_remove(Some(list(&change.remove)))
            .build();
        let request = ec2
            .modify_image_attribute()
            .image_id(id)
            .launch_permission(permissions);
        return calls::send(calls, name, request.send()).await.map(drop);
    }
    let list = |grantees: &BTreeSet<Grantee>| {
        let one = |grantee: &Grantee| {
            CreateVolumePermission::builder()
                .user_id(grantee.id())
                .build()
        };
        grantees.iter().map(one).collect()
    };
    let permissions = CreateVolumePermissionModifications::builder()
        .set_add(Some(list(&change.add)))
        .set_remove(Some(list(&change.remove)))
        .build();
    let request = ec2
        .modify_snapshot_attribute()
        .snapshot_id(id)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .create_volume_permission(permissions);
    calls::send(calls, name, request.send()).await.map(drop)
}

fn launch_permission(grantee: &Grantee) -> LaunchPermission {
    let permission = LaunchPermission::builder();
    match grantee {
        Grantee::Account(id) => permission.user_id(id),
        Grantee::Organization(arn) => permission.organization_arn(arn),
        Grantee::OrganizationalUnit(arn) => permission.organizational_unit_arn(arn),
    }
    .build()
}

/// An id that is there and whole: an answer that was cut off may hold half of one.
fn made(action: &str, id: Option<&str>) -> Result<Answer, Failure> {
    match id {
        Some(id) if is_id("ami-", id) => Ok(Answer::Made(id.to_owned())),
        id => Err(Failure::unknown(format!(
            "{action} was answered without an image id ({})",
            id.unwrap_or("none")
        ))),
    }
}

/// Instances, and launch templates by all of their versions, since the default looks at twenty (EC2 API,
/// `CreateImageUsageReport`).
fn everything_that_uses_images() -> Vec<ImageUsageResourceTypeRequest> {
    let depth = ImageUsageResourceTypeOptionRequest::builder()
        .option_name("version-depth")
        .option_values(EVERY_VERSION)
        .build();
    let of = |kind: &str| ImageUsageResourceTypeRequest::builder().resource_type(kind);
    vec![
        of("ec2:Instance").build(),
        of("ec2:LaunchTemplate")
            .resource_type_options(depth)
            .build(),
    ]
}

/// What is not there any more need not be deleted.
pub(super) fn gone<T>(answer: Result<T, Failure>) -> Result<Answer, Failure> {
    match answer {
        Ok(_) => Ok(Answer::Changed),
        Err(failure) if failure.is_not_there() => Ok(Answer::AlreadyGone),
        Err(failure) => Err(failure),
    }
}

/// The tags of the image and its snapshots, in the call that makes them: if EC2 cannot tag, it does not make (EC2
/// User Guide, "Tag your resources").
fn from_birth(
    tags: &BTreeMap<String, String>,
    snapshot_tags: &BTreeMap<String, String>,
) -> Vec<TagSpecification> {
    vec![
        tagging(ResourceType::Image, tags),
        tagging(ResourceType::Snapshot, snapshot_tags),
    ]
}

fn tagging(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(ec2_tags(tags)))
        .build()
}

/// One machine. It is stopped, and not terminated, when it shuts itself down, and its metadata tells only who has a token,
/// and none of its tags, which may be nobody else's business (EC2 API, `RunInstances`).
fn run(ec2: &Ec2, launch: &Launch) -> RunInstancesFluentBuilder {
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .instance_metadata_tags(InstanceMetadataTagsState::Disabled)
        .build();
    let profile = launch.instance_profile.as_ref().map(|profile| {
        IamInstanceProfileSpecification::builder()
            .name(profile)
            .build()
    });
    let groups = &launch.security_groups;
    let user_data = launch.user_data.as_ref();
    ec2.run_instances()
        .min_count(1)
        .max_count(1)
        .instance_type(launch.instance_type.as_str().into())
        .set_subnet_id(launch.subnet.clone())
        .set_security_group_ids((!groups.is_empty()).then(|| groups.clone()))
        .set_iam_instance_profile(profile)
        .set_user_data(user_data.map(base64::encode))
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
        .metadata_options(metadata)
}

/// Everything is said: EC2's own defaults make images that do not start (EC2 API, `RegisterImage`).
fn register(ec2: &Ec2, registration: &Registration) -> RegisterImageFluentBuilder {
    let volume = |device: &str, snapshot: &str, delete_on_termination| {
        let ebs = EbsBlockDevice::builder()
            .snapshot_id(snapshot)
            .delete_on_termination(delete_on_termination)
            .build();
        BlockDeviceMapping::builder()
            .device_name(device)
            .ebs(ebs)
            .build()
    };
    let root = volume(&registration.root_device, &registration.snapshot, true);
    let others = registration
        .volumes
        .iter()
        .map(|one| volume(&one.device, &one.snapshot, one.delete_on_termination));
    ec2.register_image()
        .root_device_name(&registration.root_device)
        .architecture(registration.architecture.into())
        .virtualization_type("hvm")
        .ena_support(registration.ena_support)
        .set_boot_mode(registration.boot_mode.map(Into::into))
        .set_block_device_mappings(Some(std::iter::once(root).chain(others).collect()))
}

/// An empty `NoDevice` leaves the volume of a device out (EC2 API, `BlockDeviceMapping`).
fn left_out(devices: &[String]) -> Option<Vec<BlockDeviceMapping>> {
    let left_out = devices.iter().map(|device| {
        BlockDeviceMapping::builder()
            .device_name(device)
            .no_device("")
            .build()
    });
    (!devices.is_empty()).then(|| left_out.collect())
}

fn ec2_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}
