//! `RegisterImage`: an image over a snapshot that is there already (model; docs: UG
//! creating-an-ami-ebs).
//!
//! There is no client token; as for `CreateImage` the unique name is the only lock. It makes no
//! snapshot, takes nobody's ownership of one, and the image names no source (docs: ami-ancestry).

use crate::chance::after;
use crate::error::ApiError;
use crate::facts::MissingBilling;
use crate::images::mapping::{Mapping, take_mappings};
use crate::images::{check_description, check_name, one_of};
use crate::state::{
    Device, Guest, Image, ImageState, Machine, Platform, Protection, Snapshot, SnapshotState, Work,
    WorkKind,
};
use crate::tags::TagsAtBirth;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, Due, World};

const ARCHITECTURES: [&str; 5] = ["i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"];
const BOOT_MODES: [&str; 3] = ["legacy-bios", "uefi", "uefi-preferred"];

impl World {
    pub(crate) fn register_image(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let name = parameters.required("Name")?;
        let description = parameters
            .text("Description")
            .filter(|text| !text.is_empty());
        let mut machine = take_machine(&mut parameters)?;
        let mappings = take_mappings(&mut parameters)?;
        let tags = TagsAtBirth::take(&mut parameters, &["image"])?;
        parameters.not_modelled(&[
            "BillingProduct",
            "ImageLocation",
            "KernelId",
            "RamdiskId",
            "TpmSupport",
            "UefiData",
        ])?;
        check_name(&name)?;
        check_description(description.as_ref())?;
        mappings.iter().try_for_each(check_mapping)?;
        parameters.finish_action()?;

        self.check_name_is_free(call, &name)?;
        let mut devices: Vec<Device> = Vec::new();
        for mapping in mappings.iter().filter(|mapping| !mapping.no_device) {
            self.check_completed(call, mapping)?;
            devices.push(self.new_device(call, mapping)?);
        }
        let root = self.root_snapshot(call, &machine.root_device, &mappings)?;
        machine.platform = root.platform;
        machine.billed_as = self.billed_as(root);

        let id = self.new_id("ami", &call.region);
        let born = self.lag();
        let image = Image {
            id: id.clone(),
            owner: call.account.clone(),
            name,
            description,
            machine,
            created: self.now,
            state: ImageState::Pending,
            reason: None,
            devices,
            source_instance: None,
            source_image: None,
            public: false,
            shared_with: std::collections::BTreeSet::new(),
            shared_with_organizations: std::collections::BTreeSet::new(),
            deprecation: None,
            protection: Protection::Disabled,
            deregistered: None,
            guest: Guest::default(),
            generalised: None,
            born,
            sourced: born,
            work: Some(Work {
                kind: WorkKind::Register,
                failure: None,
            }),
        };
        let ends = after(self.now, self.knobs.register_milliseconds);
        self.schedule(
            ends,
            Due::Image {
                region: call.region.clone(),
                id: id.clone(),
            },
        );
        let region = self.region_mut(&call.region)?;
        region.born_with_tags(&id, &call.account, tags.of("image"));
        region.images.insert(id.clone(), image);
        Ok(Reply::of(|xml| xml.text("imageId", &id)).made(&id))
    }

    /// The snapshot of the root device. Which error an image without one is answered is not
    /// documented.
    fn root_snapshot(
        &self,
        call: &Call,
        root: &str,
        mappings: &[Mapping],
    ) -> Result<&Snapshot, ApiError> {
        let mapping = mappings
            .iter()
            .find(|mapping| mapping.device == root && !mapping.no_device);
        let id = mapping.and_then(|mapping| mapping.snapshot.as_ref());
        let id = id.ok_or_else(|| {
            ApiError::new(
                "InvalidBlockDeviceMapping",
                format!("The root device '{root}' needs a block device mapping with a snapshot"),
            )
        })?;
        let snapshot = self.region(&call.region)?.snapshots.get(id);
        snapshot.ok_or_else(|| ApiError::snapshot_not_found(id))
    }

    /// Only a finished snapshot can be registered. The code for another one is not documented.
    fn check_completed(&self, call: &Call, mapping: &Mapping) -> Result<(), ApiError> {
        let Some(id) = &mapping.snapshot else {
            return Ok(());
        };
        let snapshot = self.region(&call.region)?.snapshots.get(id);
        let unfinished = snapshot.filter(|snapshot| {
            snapshot.usable_by(&call.account)
                && snapshot.deleted.is_none()
                && snapshot.state != SnapshotState::Completed
        });
        unfinished.map_or(Ok(()), |snapshot| {
            Err(ApiError::new(
                &self.facts.unfinished_snapshot_code,
                format!(
                    "The snapshot '{id}' is in state '{}', not 'completed'",
                    snapshot.state
                ),
            ))
        })
    }

    /// EC2 "derives the correct billing information from the snapshot's metadata, but this
    /// requires the appropriate metadata to be present" (docs: UG creating-an-ami-ebs).
    fn billed_as(&self, root: &Snapshot) -> Option<Platform> {
        match self.facts.missing_billing_metadata {
            _ if root.billing_metadata => Some(root.platform),
            MissingBilling::Linux => Some(Platform::Linux),
            MissingBilling::Empty => None,
        }
    }
}

/// What the caller says about the machine; the defaults are EC2's, and they are old (model:
/// `RegisterImage`, `Architecture` and `VirtualizationType`).
fn take_machine(parameters: &mut Parameters) -> Result<Machine, ApiError> {
    let architecture = parameters.text("Architecture");
    let virtualization = parameters.text("VirtualizationType");
    let boot_mode = parameters.text("BootMode");
    let sriov = parameters.text("SriovNetSupport");
    let imds = parameters.text("ImdsSupport");
    let machine = Machine {
        architecture: architecture.unwrap_or_else(|| "i386".to_owned()),
        platform: Platform::Linux,
        billed_as: None,
        root_device: parameters.required("RootDeviceName")?,
        boot_mode,
        virtualization: virtualization.unwrap_or_else(|| "paravirtual".to_owned()),
        ena: parameters.flag("EnaSupport")?,
        sriov: sriov.is_some(),
        imds_v2: imds.is_some(),
    };
    one_of("architecture", &machine.architecture, &ARCHITECTURES)?;
    one_of(
        "virtualizationType",
        &machine.virtualization,
        &["hvm", "paravirtual"],
    )?;
    if let Some(mode) = &machine.boot_mode {
        one_of("bootMode", mode, &BOOT_MODES)?;
    }
    if let Some(sriov) = &sriov {
        one_of("sriovNetSupport", sriov, &["simple"])?;
    }
    if let Some(imds) = &imds {
        one_of("imdsSupport", imds, &["v2.0"])?;
    }
    Ok(machine)
}

/// "If the snapshot is encrypted, so is the volume": `Encrypted` is not for volumes of snapshots
/// (model: `EbsBlockDevice`).
fn check_mapping(mapping: &Mapping) -> Result<(), ApiError> {
    if mapping.snapshot.is_some() && mapping.encrypted.is_some() {
        return Err(ApiError::invalid_combination(
            "The parameter encrypted cannot be used with the parameter snapshotId",
        ));
    }
    Ok(())
}
