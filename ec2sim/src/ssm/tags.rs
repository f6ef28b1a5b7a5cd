//! `AddTagsToResource`, `RemoveTagsFromResource` and `ListTagsForResource`, of parameters (model
//! ssm). Codes without a text have none in the model either.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::ssm::{Place, invalid, missing, required, validation};
use crate::state::Tags;
use crate::wire::parameters::Parameters;
use crate::world::World;

const MOST_TAGS: usize = 50;

/// The resource types that can be tagged besides `Parameter`.
const OTHER_TYPES: [&str; 9] = [
    "Document",
    "ManagedInstance",
    "MaintenanceWindow",
    "PatchBaseline",
    "OpsItem",
    "OpsMetadata",
    "Automation",
    "Association",
    "CloudConnector",
];

impl World {
    pub(super) fn add_tags_to_resource(
        &mut self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let name = take_parameter(&mut parameters)?;
        let new = take_tags(&mut parameters)?;
        parameters.finish()?;
        if new.is_empty() {
            return Err(missing("tags"));
        }
        let mut tags = self.tags_of_parameter(place, &name)?;
        tags.extend(new);
        if tags.len() > MOST_TAGS {
            return Err(ApiError::new("TooManyTagsError", ""));
        }
        self.region_mut(&place.region)?
            .record_mut(&place.account, &name)
            .tags = tags;
        Ok(json!({}))
    }

    pub(super) fn remove_tags_from_resource(
        &mut self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let name = take_parameter(&mut parameters)?;
        let keys = parameters.list("TagKeys");
        parameters.finish()?;
        if keys.is_empty() {
            return Err(missing("tagKeys"));
        }
        let mut tags = self.tags_of_parameter(place, &name)?;
        tags.retain(|key, _| !keys.contains(key));
        self.region_mut(&place.region)?
            .record_mut(&place.account, &name)
            .tags = tags;
        Ok(json!({}))
    }

    pub(super) fn list_tags_for_resource(
        &self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let name = take_parameter(&mut parameters)?;
        parameters.finish()?;
        let tags = self.tags_of_parameter(place, &name)?;
        let list: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        Ok(json!({ "TagList": list }))
    }

    /// The tags of a parameter that is there.
    fn tags_of_parameter(&self, place: &Place, name: &str) -> Result<Tags, ApiError> {
        let region = self.region(&place.region)?;
        match region.own_parameter(&place.account, name) {
            Some(_) => Ok(region.parameter_tags(&place.account, name)),
            None => Err(ApiError::new("InvalidResourceId", "")),
        }
    }
}

/// The name of the parameter that a call is about.
fn take_parameter(parameters: &mut Parameters) -> Result<String, ApiError> {
    let resource_type = required(parameters, "ResourceType", "resourceType")?;
    let name = required(parameters, "ResourceId", "resourceId")?;
    match resource_type.as_str() {
        "Parameter" => Ok(name),
        other if OTHER_TYPES.contains(&other) => {
            Err(ApiError::not_modelled(format!("resources of type {other}")))
        }
        _ => Err(ApiError::new("InvalidResourceType", "")),
    }
}

/// Takes `Tags.N.Key` and `Tags.N.Value`.
pub(super) fn take_tags(parameters: &mut Parameters) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for mut tag in parameters.structures("Tags") {
        let key = required(&mut tag, "Key", "tags.key")?;
        let value = tag.text("Value").ok_or_else(|| missing("tags.value"))?;
        tag.finish()?;
        let length = |most| format!("Member must have length less than or equal to {most}");
        if key.chars().count() > 128 {
            return Err(validation("tags.key", &length(128)));
        }
        if value.chars().count() > 256 {
            return Err(validation("tags.value", &length(256)));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(invalid(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(ApiError::new("TooManyTagsError", ""));
    }
    Ok(tags)
}
