//! The volumes of a launch: what the image says, and what the launch changes of it (model: `BlockDeviceMapping`; docs: UG
//! block-device-mapping-concepts, `AMIEncryption`).

use crate::error::ApiError;
use crate::state::{Device, Ebs, Image, LaunchData, LaunchDevice};
use crate::world::{Call, World};

impl World {
    /// The devices of the image with what the launch changes, and the keys of their volumes.
    pub(super) fn disks(
        &self,
        call: &Call,
        image: &Image,
        data: &LaunchData,
    ) -> Result<Vec<(Device, Option<String>)>, ApiError> {
        let mut devices = Vec::new();
        for device in &image.devices {
            let change = data.devices.iter().find(|one| one.name == device.name);
            if change.is_some_and(|one| one.no_device) {
                if device.name == image.machine.root_device {
                    return Err(refused(format!(
                        "The root device '{}' cannot be left out",
                        device.name
                    )));
                }
                continue;
            }
            devices.push((self.changed_device(call, device, change)?, change));
        }
        let is_new =
            |one: &&LaunchDevice| !image.devices.iter().any(|device| device.name == one.name);
        for change in data
            .devices
            .iter()
            .filter(is_new)
            .filter(|one| !one.no_device)
        {
            let empty = Device {
                name: change.name.clone(),
                ebs: change.virtual_name.is_none().then(|| Ebs {
                    snapshot: None,
                    size_gib: 0,
                    volume_type: "gp2".to_owned(),
                    delete_on_termination: true,
                    encrypted: false,
                }),
                virtual_name: change.virtual_name.clone(),
            };
            devices.push((
                self.changed_device(call, &empty, Some(change))?,
                Some(change),
            ));
        }
        let mut disks = Vec::new();
        for (device, change) in devices {
            let key = match &device.ebs {
                Some(ebs) => self.volume_key(call, ebs, change)?,
                None => None,
            };
            disks.push((device, key));
        }
        Ok(disks)
    }

    fn changed_device(
        &self,
        call: &Call,
        device: &Device,
        change: Option<&LaunchDevice>,
    ) -> Result<Device, ApiError> {
        let (Some(change), Some(ebs)) = (change, &device.ebs) else {
            return Ok(device.clone());
        };
        let mut ebs = ebs.clone();
        let region = self.region(&call.region)?;
        if let Some(id) = &change.snapshot {
            let found = region.snapshots.get(id);
            let usable = found.filter(|one| one.usable_by(&call.account) && one.deleted.is_none());
            let snapshot = usable.ok_or_else(|| ApiError::snapshot_not_found(id))?;
            ebs.size_gib = snapshot.size_gib;
            ebs.snapshot = Some(id.clone());
        }
        if let Some(size) = change.size_gib.map(u64::from) {
            let snapshot = ebs
                .snapshot
                .as_ref()
                .and_then(|id| region.snapshots.get(id));
            if let Some(snapshot) = snapshot.filter(|snapshot| size < snapshot.size_gib) {
                return Err(refused(format!(
                    "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                    snapshot.id, snapshot.size_gib
                )));
            }
            ebs.size_gib = size;
        }
        if ebs.size_gib == 0 {
            return Err(refused(format!(
                "The device '{}' needs a size or a snapshot",
                device.name
            )));
        }
        if let Some(kind) = &change.volume_type {
            ebs.volume_type.clone_from(kind);
        }
        ebs.delete_on_termination = change
            .delete_on_termination
            .unwrap_or(ebs.delete_on_termination);
        if change.encrypted == Some(false) && ebs.encrypted {
            return Err(refused(format!(
                "The encryption of the snapshot of device '{}' cannot be taken away",
                device.name
            )));
        }
        if change.kms_key.is_some() && change.encrypted != Some(true) {
            return Err(ApiError::new(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            ));
        }
        ebs.encrypted |= change.encrypted == Some(true);
        Ok(Device {
            ebs: Some(ebs),
            ..device.clone()
        })
    }

    /// The key of a new volume: the one that is named; that of its snapshot if both are the caller's; the default key if
    /// the snapshot is another's, or if encryption is asked for or the default (docs: `AMIEncryption`).
    fn volume_key(
        &self,
        call: &Call,
        ebs: &Ebs,
        change: Option<&LaunchDevice>,
    ) -> Result<Option<String>, ApiError> {
        if let Some(named) = change.and_then(|change| change.kms_key.as_ref()) {
            let key = self.key_named(named, &call.account, &call.region);
            return key.map(Some).ok_or_else(|| {
                ApiError::invalid_value(format!(
                    "Value ({named}) for parameter KmsKeyId is invalid."
                ))
            });
        }
        let region = self.region(&call.region)?;
        let snapshot = ebs.snapshot.as_ref();
        let snapshot = snapshot.and_then(|id| region.snapshots.get(id));
        let by_default = self
            .place(&call.account, &call.region)
            .encryption_by_default;
        let key = match snapshot.and_then(|snapshot| Some((snapshot, snapshot.key.as_ref()?))) {
            Some((snapshot, key)) if snapshot.owner == call.account => Some(key.clone()),
            None if !ebs.encrypted && !by_default => None,
            _ => Some(self.default_key(&call.account, &call.region)),
        };
        Ok(key)
    }
}

fn refused(message: String) -> ApiError {
    ApiError::new("InvalidBlockDeviceMapping", message)
}
