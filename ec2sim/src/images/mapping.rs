//! `BlockDeviceMapping`, as `CreateImage` and `RegisterImage` take it.

use crate::error::{ApiError, check_id};
use crate::state::{Device, Ebs};
use crate::wire::parameters::Parameters;
use crate::world::{Call, World};

const VOLUME_TYPES: [&str; 7] = ["standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"];

/// One `BlockDeviceMapping.N` of the request.
pub(super) struct Mapping {
    pub device: String,
    pub no_device: bool,
    pub virtual_name: Option<String>,
    pub snapshot: Option<String>,
    pub size_gib: Option<u32>,
    pub volume_type: Option<String>,
    pub delete_on_termination: Option<bool>,
    pub encrypted: Option<bool>,
}

impl World {
    /// A device that the instance does not have: an instance store, an empty volume, or one from
    /// a snapshot.
    pub(super) fn new_device(&self, call: &Call, mapping: &Mapping) -> Result<Device, ApiError> {
        let name = mapping.device.clone();
        if mapping.virtual_name.is_some() {
            return Ok(Device {
                name,
                ebs: None,
                virtual_name: mapping.virtual_name.clone(),
            });
        }
        let snapshot = match &mapping.snapshot {
            None => None,
            Some(id) => {
                let found = self.region(&call.region)?.snapshots.get(id);
                let usable = found.filter(|snapshot| {
                    snapshot.usable_by(&call.account) && snapshot.deleted.is_none()
                });
                Some(usable.ok_or_else(|| ApiError::snapshot_not_found(id))?)
            }
        };
        let size_gib = mapping
            .size_gib
            .map(u64::from)
            .or(snapshot.map(|snapshot| snapshot.size_gib));
        if let (Some(size), Some(snapshot)) = (size_gib, snapshot)
            && size < snapshot.size_gib
        {
            let message = format!(
                "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                snapshot.id, snapshot.size_gib
            );
            return Err(ApiError::new("InvalidBlockDeviceMapping", message));
        }
        let size_gib = size_gib.ok_or_else(|| {
            ApiError::new(
                "InvalidBlockDeviceMapping",
                format!("The device '{name}' needs a size or a snapshot"),
            )
        })?;
        let encrypted = snapshot.map_or(mapping.encrypted == Some(true), |snapshot| {
            snapshot.key.is_some()
        });
        let ebs = Ebs {
            snapshot: mapping.snapshot.clone(),
            size_gib,
            volume_type: mapping
                .volume_type
                .clone()
                .unwrap_or_else(|| "gp2".to_owned()),
            delete_on_termination: mapping.delete_on_termination.unwrap_or(true),
            encrypted,
        };
        Ok(Device {
            name,
            ebs: Some(ebs),
            virtual_name: None,
        })
    }
}

impl Mapping {
    /// "The only option that can be changed for existing mappings … is `DeleteOnTermination`"
    /// (model: `CreateImage`).
    pub(super) fn check_existing(&self, root: &str) -> Result<(), ApiError> {
        let device = &self.device;
        let refuse = |message: String| Err(ApiError::new("InvalidBlockDeviceMapping", message));
        if self.no_device && device == root {
            return refuse(format!("The root device '{device}' cannot be left out"));
        }
        if self.encrypted.is_some() {
            return refuse(format!(
                "The encryption of the existing volume of device '{device}' cannot be changed"
            ));
        }
        if self.snapshot.is_some() || self.size_gib.is_some() || self.virtual_name.is_some() {
            return refuse(format!(
                "Only DeleteOnTermination can be changed for the existing device '{device}'"
            ));
        }
        Ok(())
    }
}

pub(super) fn take_mappings(parameters: &mut Parameters) -> Result<Vec<Mapping>, ApiError> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for mut given in parameters.structures("BlockDeviceMapping") {
        let device = given.required("DeviceName")?;
        let mapping = Mapping {
            no_device: given.text("NoDevice").is_some(),
            virtual_name: given.text("VirtualName"),
            snapshot: given.text("Ebs.SnapshotId"),
            size_gib: given.number("Ebs.VolumeSize")?,
            volume_type: given.text("Ebs.VolumeType"),
            delete_on_termination: given.boolean("Ebs.DeleteOnTermination")?,
            encrypted: given.boolean("Ebs.Encrypted")?,
            device,
        };
        given.not_modelled(&["Ebs"])?;
        given.finish()?;
        if let Some(id) = &mapping.snapshot {
            check_id("snap", id)?;
        }
        if let Some(kind) = &mapping.volume_type
            && !VOLUME_TYPES.contains(&kind.as_str())
        {
            return Err(ApiError::invalid_value(format!(
                "Value ({kind}) for parameter volumeType is invalid"
            )));
        }
        if mappings.iter().any(|other| other.device == mapping.device) {
            let message = format!(
                "The device '{}' is used in more than one block-device mapping",
                mapping.device
            );
            return Err(ApiError::new("InvalidBlockDeviceMapping", message));
        }
        mappings.push(mapping);
    }
    Ok(mappings)
}
