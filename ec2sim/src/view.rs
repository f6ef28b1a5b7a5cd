//! The state as JSON, for tests and demos: accounts → regions → what is there, and what was.

use serde_json::{Map, Value, json};

use crate::state::{
    Image, ImageState, Instance, LaunchTemplate, Parameter, Record, Region, Snapshot,
};
use crate::wire::response::iso;
use crate::world::World;

impl World {
    /// The state that calls wrote, whether readers see it yet or not. Deregistered images and
    /// deleted snapshots are in it, marked.
    pub fn to_json(&self) -> Value {
        let accounts = self.accounts.keys().map(|account| {
            let regions = self
                .regions
                .iter()
                .map(|(name, region)| (name.clone(), self.place_as_json(region, account)));
            let regions: Map<String, Value> = regions.collect();
            (account.clone(), object([("regions", regions.into())]))
        });
        let accounts: Map<String, Value> = accounts.collect();
        let now = (self.now != jiff::Timestamp::MIN).then(|| iso(self.now));
        object([
            ("now", now.into()),
            ("seed", self.chance.seed().into()),
            ("knobs", json!(self.knobs)),
            ("facts", json!(self.facts)),
            ("accounts", accounts.into()),
        ])
    }

    fn place_as_json(&self, region: &Region, account: &str) -> Value {
        let images = region
            .images
            .values()
            .filter(|image| image.owner == account);
        let snapshots = region
            .snapshots
            .values()
            .filter(|snapshot| snapshot.owner == account);
        let instances = region
            .instances
            .values()
            .filter(|instance| instance.owner == account);
        let images: Map<String, Value> = images
            .map(|item| {
                (
                    item.id.clone(),
                    image(item, region, &self.protection_of(item)),
                )
            })
            .collect();
        let snapshots: Map<String, Value> = snapshots
            .map(|item| (item.id.clone(), snapshot(item, region)))
            .collect();
        let instances: Map<String, Value> = instances
            .map(|item| (item.id.clone(), instance(item, region)))
            .collect();
        let own = region.parameters.get(account).into_iter().flatten();
        let parameters: Map<String, Value> = own
            .map(|(name, held)| (name.clone(), parameter(held, region.record(account, name))))
            .collect();
        let templates = region.launch_templates.values();
        let templates: Map<String, Value> = templates
            .filter(|template| template.owner == account)
            .map(|template| (template.id.clone(), launch_template(template, region)))
            .collect();
        object([
            ("launchTemplates", templates.into()),
            ("images", images.into()),
            ("snapshots", snapshots.into()),
            ("instances", instances.into()),
            ("parameters", parameters.into()),
        ])
    }
}

/// An object of what is moved into it; `json!` would copy the whole world at each level.
fn object<const FIELDS: usize>(fields: [(&str, Value); FIELDS]) -> Value {
    let fields = fields.into_iter();
    Value::Object(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn image(image: &Image, region: &Region, protection: &str) -> Value {
    let state = if image.deregistered.is_some() {
        ImageState::Deregistered
    } else {
        image.state
    };
    let source = image
        .source_image
        .as_ref()
        .map(|(region, id)| json!({ "region": region, "id": id }));
    let devices: Vec<Value> = image
        .devices
        .iter()
        .map(|device| match &device.ebs {
            None => json!({ "name": device.name, "virtualName": device.virtual_name }),
            Some(ebs) => json!({
                "name": device.name,
                "snapshot": ebs.snapshot,
                "size": ebs.size_gib,
                "type": ebs.volume_type,
                "deleteOnTermination": ebs.delete_on_termination,
                "encrypted": ebs.encrypted,
            }),
        })
        .collect();
    json!({
        "name": image.name,
        "platform": image.machine.platform,
        "platformDetails": image.machine.platform_details(),
        "description": image.description,
        "state": state.to_string(),
        "stateReason": image.reason,
        "created": iso(image.created),
        "deregistered": image.deregistered.as_ref().map(|end| iso(end.at)),
        "deprecation": image.deprecation.map(iso),
        "deregistrationProtection": protection,
        "imdsSupport": image.machine.imds_support(),
        "public": image.public,
        "sharedWith": image.shared_with,
        "sharedWithOrganizations": image.shared_with_organizations,
        "sourceInstance": image.source_instance,
        "sourceImage": source,
        "devices": devices,
        "generalised": image.generalised,
        "fastLaunch": fast_launch(image, region),
        "tags": region.tags(&image.id, &image.owner),
    })
}

/// That of its owner.
fn fast_launch(image: &Image, region: &Region) -> Option<Value> {
    let key = (image.owner.clone(), image.id.clone());
    let it = region.fast_launches.get(&key)?;
    Some(json!({
        "state": it.state.to_string(),
        "targetResourceCount": it.target,
        "maxParallelLaunches": it.max_parallel_launches,
    }))
}

fn snapshot(snapshot: &Snapshot, region: &Region) -> Value {
    json!({
        "description": snapshot.description,
        "state": snapshot.state.to_string(),
        "stateMessage": snapshot.message,
        "size": snapshot.size_gib,
        "platform": snapshot.platform,
        "billingMetadata": snapshot.billing_metadata,
        "kmsKey": snapshot.key,
        "public": snapshot.public,
        "sharedWith": snapshot.shared_with,
        "started": iso(snapshot.started),
        "deleted": snapshot.deleted.map(iso),
        "tags": region.tags(&snapshot.id, &snapshot.owner),
    })
}

fn instance(instance: &Instance, region: &Region) -> Value {
    let reboots: Vec<Value> = instance
        .reboots
        .iter()
        .map(|reboot| json!({ "at": iso(reboot.at), "image": reboot.image }))
        .collect();
    json!({
        "state": instance.state.to_string(),
        "image": instance.image,
        "type": instance.instance_type,
        "zone": instance.zone,
        "stateReason": instance.reason,
        "spot": instance.asked.spot.is_some(),
        "httpTokens": instance.asked.metadata.http_tokens,
        "instanceMetadataTags": instance.asked.metadata.instance_tags,
        "shutdownBehavior": instance.asked.shutdown_behavior().name(),
        "userData": instance.asked.user_data,
        "instanceProfile": instance.profile.as_ref().map(|profile| &profile.arn),
        "fault": instance.guest.fault,
        "generalised": instance.generalised,
        "boots": instance.boots,
        "reboots": reboots,
        "tags": region.tags(&instance.id, &instance.owner),
    })
}

fn launch_template(template: &LaunchTemplate, region: &Region) -> Value {
    let versions = template.versions.iter();
    let versions: Map<String, Value> = versions
        .map(|(number, version)| (number.to_string(), json!({ "image": version.data.image })))
        .collect();
    json!({
        "name": template.name,
        "defaultVersion": template.default_version,
        "latestVersion": template.latest_version,
        "versions": versions,
        "tags": region.tags(&template.id, &template.owner),
    })
}

fn parameter(held: &Parameter, record: Option<&Record>) -> Value {
    json!({
        "value": held.value,
        "dataType": held.data_type,
        "version": held.version,
        "modified": iso(held.modified),
        "description": record.and_then(|record| record.description.as_ref()),
        "tags": record.map(|record| &record.tags),
    })
}
