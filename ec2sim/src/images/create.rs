//! `CreateImage`: a capture of an instance (model; docs: UG creating-an-ami-ebs).
//!
//! There is no client token; the unique name is the only lock. An instance whose image asks for
//! version 2 of the metadata service makes images that do (hashicorp/packer-plugin-amazon#472).

use crate::error::{ApiError, check_id};
use crate::images::mapping::{Mapping, take_mappings};
use crate::images::{check_description, check_name};
use crate::lag::Lag;
use crate::state::{
    Device, Ebs, Image, ImageState, Instance, InstanceState, Protection, Reboot, Snapshot, Volume,
    Work, WorkKind,
};
use crate::tags::TagsAtBirth;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

impl World {
    pub(crate) fn create_image(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let instance_id = parameters.required("InstanceId")?;
        let name = parameters.required("Name")?;
        let description = parameters
            .text("Description")
            .filter(|text| !text.is_empty());
        let no_reboot = parameters.flag("NoReboot")?;
        let mappings = take_mappings(&mut parameters)?;
        let tags = TagsAtBirth::take(&mut parameters, &["image", "snapshot"])?;
        parameters.not_modelled(&["SnapshotLocation", "BootModeOverride"])?;
        check_id("i", &instance_id)?;
        check_name(&name)?;
        check_description(description.as_ref())?;
        parameters.finish_action()?;

        let instance = self.capturable(call, &instance_id)?;
        self.check_name_is_free(call, &name)?;
        let reboots = !no_reboot && instance.state == InstanceState::Running;
        if !reboots && instance.state == InstanceState::Running {
            self.check_no_other_capture(call, &instance_id)?;
        }
        let id = self.new_id("ami", &call.region);
        let born = self.lag();
        let sourced = self.source_lag(born);
        let (devices, snapshots) = self.capture(call, &instance, &id, &mappings, born)?;
        let image = Image {
            id: id.clone(),
            owner: call.account.clone(),
            name,
            description,
            machine: instance.machine.clone(),
            created: self.now,
            state: ImageState::Pending,
            reason: None,
            devices,
            source_instance: Some(instance_id.clone()),
            source_image: Some((call.region.clone(), instance.image.clone())),
            public: false,
            shared_with: std::collections::BTreeSet::new(),
            shared_with_organizations: std::collections::BTreeSet::new(),
            deprecation: None,
            protection: Protection::Disabled,
            deregistered: None,
            guest: instance.guest.of_image(),
            // A running machine starts again, or is not what Sysprep left.
            generalised: instance
                .generalised
                .filter(|_| instance.state == InstanceState::Stopped),
            born,
            sourced,
            work: Some(Work {
                kind: WorkKind::Capture { reboots },
                failure: None,
            }),
        };
        let now = self.now;
        let region = self.region_mut(&call.region)?;
        region.born_with_tags(&id, &call.account, tags.of("image"));
        for snapshot in &snapshots {
            region.born_with_tags(&snapshot.id, &call.account, tags.of("snapshot"));
        }
        if reboots && let Some(instance) = region.instances.get_mut(&instance_id) {
            // The restart makes it a machine of its own, whatever Sysprep left.
            instance.generalised = None;
            instance.reboots.push(Reboot {
                at: now,
                image: id.clone(),
            });
        }
        self.begin(&call.region, image, snapshots)?;
        Ok(Reply::of(|xml| xml.text("imageId", &id)).made(&id))
    }

    fn capturable(&self, call: &Call, id: &str) -> Result<Instance, ApiError> {
        let instance = self.region(&call.region)?.instances.get(id);
        let instance = instance
            .filter(|instance| instance.owner == call.account)
            .ok_or_else(|| ApiError::instance_not_found(id))?;
        if !matches!(
            instance.state,
            InstanceState::Running | InstanceState::Stopped
        ) {
            return Err(ApiError::invalid_value(format!(
                "Invalid value '{id}' for instanceId. Instance is not in state 'running' or 'stopped'"
            )));
        }
        Ok(instance.clone())
    }

    /// Only one capture without reboot of a running instance at a time (docs: errors-overview).
    fn check_no_other_capture(&self, call: &Call, instance: &str) -> Result<(), ApiError> {
        let other = self.region(&call.region)?.images.values().any(|image| {
            let without_reboot = matches!(
                &image.work,
                Some(Work {
                    kind: WorkKind::Capture { reboots: false },
                    ..
                })
            );
            image.source_instance.as_deref() == Some(instance)
                && image.deregistered.is_none()
                && without_reboot
        });
        if other {
            return Err(ApiError::new(
                "ConcurrentCreateImageNoRebootLimitExceeded",
                "The maximum number of concurrent CreateImage requests for the instance has been reached. Wait for \
                 the current CreateImage request to complete, and then retry your request.",
            ));
        }
        Ok(())
    }

    /// The devices of the new image and the snapshots of its volumes.
    fn capture(
        &mut self,
        call: &Call,
        instance: &Instance,
        image: &str,
        mappings: &[Mapping],
        born: Lag,
    ) -> Result<(Vec<Device>, Vec<Snapshot>), ApiError> {
        let existing = |mapping: &Mapping| {
            instance
                .volumes
                .iter()
                .any(|volume| volume.device == mapping.device)
        };
        for mapping in mappings.iter().filter(|mapping| existing(mapping)) {
            mapping.check_existing(&instance.machine.root_device)?;
        }
        let (mut devices, mut snapshots) = (Vec::new(), Vec::new());
        for volume in &instance.volumes {
            let mapping = mappings
                .iter()
                .find(|mapping| mapping.device == volume.device);
            if mapping.is_some_and(|mapping| mapping.no_device) {
                continue;
            }
            let mut snapshot = self.new_snapshot(call, volume.size_gib, &volume.id, born);
            snapshot.description = format!("Created by CreateImage({}) for {image}", instance.id);
            snapshot.key.clone_from(&volume.key);
            if volume.device == instance.machine.root_device {
                snapshot.platform = instance.machine.platform;
                snapshot.billing_metadata = instance.machine.billed_as.is_some();
            }
            let kept = mapping.and_then(|mapping| mapping.delete_on_termination);
            devices.push(device_of(volume, &snapshot, kept));
            snapshots.push(snapshot);
        }
        for mapping in mappings
            .iter()
            .filter(|mapping| !existing(mapping) && !mapping.no_device)
        {
            devices.push(self.new_device(call, mapping)?);
        }
        Ok((devices, snapshots))
    }
}

fn device_of(volume: &Volume, snapshot: &Snapshot, delete_on_termination: Option<bool>) -> Device {
    let ebs = Ebs {
        snapshot: Some(snapshot.id.clone()),
        size_gib: volume.size_gib,
        volume_type: volume.volume_type.clone(),
        delete_on_termination: delete_on_termination.unwrap_or(volume.delete_on_termination),
        encrypted: volume.key.is_some(),
    };
    Device {
        name: volume.device.clone(),
        ebs: Some(ebs),
        virtual_name: None,
    }
}
