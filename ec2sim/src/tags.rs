//! Tags: at birth (`TagSpecification`), later (`CreateTags`), and away (`DeleteTags`).
//!
//! Rules: docs `Using_Tags`; model `CreateTags`, `DeleteTags`.

use std::collections::BTreeMap;

use crate::error::{ApiError, check_id};
use crate::lag::Lagged;
use crate::state::Tags;
use crate::wire::parameters::Parameters;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

const MOST_TAGS: usize = 50;

/// Writes `tagSet`.
pub(crate) fn write(xml: &mut Xml, tags: &Tags) {
    if !tags.is_empty() {
        xml.items("tagSet", tags, |xml, (key, value)| {
            xml.text("key", key);
            xml.text("value", value);
        });
    }
}

/// The tags that a creating call gives, by resource type.
#[derive(Debug, Default)]
pub(crate) struct TagsAtBirth {
    by_type: BTreeMap<String, Tags>,
}

impl TagsAtBirth {
    /// Takes `TagSpecification.N`; only these resource types are allowed.
    pub(crate) fn take(parameters: &mut Parameters, allowed: &[&str]) -> Result<Self, ApiError> {
        let mut by_type: BTreeMap<String, Tags> = BTreeMap::new();
        for mut specification in parameters.structures("TagSpecification") {
            let resource_type = specification.text("ResourceType").unwrap_or_default();
            let tags = take_tags(&mut specification)?;
            specification.finish()?;
            if !allowed.contains(&resource_type.as_str()) {
                return Err(ApiError::invalid_value(format!(
                    "'{resource_type}' is not a valid taggable resource type for this operation."
                )));
            }
            let tags: Tags = tags
                .into_iter()
                .map(|(key, value)| (key, value.unwrap_or_default()))
                .collect();
            if by_type.insert(resource_type.clone(), tags).is_some() {
                return Err(ApiError::invalid_value(format!(
                    "Duplicate resource type '{resource_type}' in tag specifications"
                )));
            }
        }
        for tags in by_type.values() {
            check_number(tags)?;
        }
        Ok(Self { by_type })
    }

    /// All of them by resource type.
    pub(crate) fn all(self) -> BTreeMap<String, Tags> {
        self.by_type
    }

    pub(crate) fn of(&self, resource_type: &str) -> Tags {
        self.by_type.get(resource_type).cloned().unwrap_or_default()
    }
}

impl World {
    pub(crate) fn create_tags(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let resources = take_resources(&mut parameters)?;
        let tags = take_tags(&mut parameters)?;
        if tags.is_empty() {
            return Err(ApiError::missing("Tag"));
        }
        parameters.finish_action()?;
        self.check_taggable(call, &resources)?;
        let mut changed = Vec::new();
        for resource in resources {
            let mut all = self.region(&call.region)?.tags(&resource, &call.account);
            all.extend(
                tags.iter()
                    .map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())),
            );
            check_number(&all)?;
            changed.push((resource, all));
        }
        self.write_tags(call, changed)?;
        Ok(Reply::done())
    }

    pub(crate) fn delete_tags(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let resources = take_resources(&mut parameters)?;
        let tags = take_tags(&mut parameters)?;
        parameters.finish_action()?;
        self.check_taggable(call, &resources)?;
        let mut changed = Vec::new();
        for resource in resources {
            let mut all = self.region(&call.region)?.tags(&resource, &call.account);
            // No tag list: all user tags go. No value: whatever the value is.
            all.retain(|key, value| match tags.get(key) {
                _ if key.starts_with("aws:") => true,
                None => !tags.is_empty(),
                Some(wanted) => wanted.as_ref().is_some_and(|wanted| wanted != value),
            });
            changed.push((resource, all));
        }
        self.write_tags(call, changed)?;
        Ok(Reply::done())
    }

    fn write_tags(&mut self, call: &Call, changed: Vec<(String, Tags)>) -> Result<(), ApiError> {
        let (now, lag) = (self.now, self.lag());
        let region = self.region_mut(&call.region)?;
        for (resource, tags) in changed {
            let by_account = region.tags.entry(resource).or_default();
            let lagged = by_account
                .entry(call.account.clone())
                .or_insert_with(|| Lagged::new(Tags::new()));
            lagged.write(now, lag, tags);
        }
        Ok(())
    }

    /// Each resource must be there, as far as this read sees.
    fn check_taggable(&self, call: &Call, resources: &[String]) -> Result<(), ApiError> {
        let region = self.region(&call.region)?;
        for id in resources {
            match id.split('-').next().unwrap_or_default() {
                "ami" => {
                    check_id("ami", id)?;
                    self.image_for(call, id)?;
                }
                "snap" => {
                    check_id("snap", id)?;
                    let found = region.snapshots.get(id);
                    found
                        .filter(|snapshot| {
                            snapshot.usable_by(&call.account) && snapshot.seen(call.view)
                        })
                        .ok_or_else(|| ApiError::snapshot_not_found(id))?;
                }
                "i" => {
                    check_id("i", id)?;
                    region
                        .instance_seen(call, id)
                        .ok_or_else(|| ApiError::instance_not_found(id))?;
                }
                "vol" => {
                    let volumes = region
                        .instances
                        .values()
                        .filter(|instance| instance.owner == call.account);
                    let attached = volumes
                        .flat_map(|instance| &instance.volumes)
                        .any(|volume| volume.id == *id);
                    let left = region.detached_volumes.get(id);
                    if !attached && left.is_none_or(|left| left.owner != call.account) {
                        let message = format!("The volume '{id}' does not exist.");
                        return Err(ApiError::new("InvalidVolume.NotFound", message));
                    }
                }
                "lt" => {
                    check_id("lt", id)?;
                    let found = region.launch_templates.get(id);
                    let own =
                        found.filter(|one| one.owner == call.account && region.sees(id, call.view));
                    own.ok_or_else(|| {
                        ApiError::new(
                            "InvalidLaunchTemplateId.NotFound",
                            format!("The specified launch template, with template ID {id}, does not exist."),
                        )
                    })?;
                }
                _ => {
                    return Err(ApiError::new(
                        "InvalidID",
                        format!("The ID '{id}' is not valid"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn take_resources(parameters: &mut Parameters) -> Result<Vec<String>, ApiError> {
    let resources = parameters.list("ResourceId");
    if resources.is_empty() {
        return Err(ApiError::missing("resourceIdSet"));
    }
    if resources.len() > 1000 {
        return Err(ApiError::invalid_value(
            "You may not specify more than 1000 resources in one call",
        ));
    }
    Ok(resources)
}

/// Takes `Tag.N.Key` and `Tag.N.Value`; a value that is not given stays none.
fn take_tags(parameters: &mut Parameters) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    let mut tags = BTreeMap::new();
    for mut tag in parameters.structures("Tag") {
        let key = tag.text("Key").unwrap_or_default();
        let value = tag.text("Value");
        tag.finish()?;
        if key.is_empty() {
            return Err(ApiError::new(
                "InvalidTagKey.Malformed",
                "The tag key must not be empty",
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::invalid_value(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        if key.chars().count() > 128 {
            return Err(ApiError::invalid_value(
                "Tag key exceeds the maximum length of 128 characters",
            ));
        }
        if value
            .as_ref()
            .is_some_and(|value| value.chars().count() > 256)
        {
            return Err(ApiError::invalid_value(
                "Tag value exceeds the maximum length of 256 characters",
            ));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(ApiError::invalid_value(format!(
                "Duplicate tag key '{key}' specified."
            )));
        }
    }
    Ok(tags)
}

fn check_number(tags: &Tags) -> Result<(), ApiError> {
    if tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST_TAGS {
        let message = format!("The maximum number of tags for a resource is {MOST_TAGS}.");
        return Err(ApiError::new("TagLimitExceeded", message));
    }
    Ok(())
}
