//! The steps that are calls to Systems Manager.

use std::collections::BTreeMap;

use amity_core::image::parameters::DATA_TYPE;
use amity_core::image::plan::step::Action;
use aws_sdk_ssm::Client as Ssm;
use aws_sdk_ssm::error::BuildError;
use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging, Tag};

use super::send::gone;
use super::{Answer, is_id};
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

/// Sends the one call of a step.
pub(super) async fn send(ssm: &Ssm, calls: &EC2Calls, action: &Action) -> Result<Answer, Failure> {
    let name = action.name();
    match action {
        Action::PutParameter {
            name: parameter,
            image,
            tags,
        } => {
            // Tags and overwriting exclude each other (SSM API, `PutParameter`), and so do making and overwriting here.
            let request = ssm
                .put_parameter()
                .name(parameter)
                .value(image)
                .r#type(ParameterType::String)
                .data_type(DATA_TYPE)
                .overwrite(tags.is_empty())
                .set_tags((!tags.is_empty()).then(|| ssm_tags(tags)).transpose()?);
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::DeleteParameter { name: parameter } => {
            let request = ssm.delete_parameter().name(parameter);
            gone(calls::send(calls, name, request.send()).await)
        }
        Action::TagParameter {
            name: parameter,
            tags,
        } => {
            let request = ssm
                .add_tags_to_resource()
                .resource_type(ResourceTypeForTagging::Parameter)
                .resource_id(parameter)
                .set_tags(Some(ssm_tags(tags)?));
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        _ => Err(Failure::ours("it is no call to Systems Manager")),
    }
}

/// What must not reach Systems Manager, by what is missing.
pub(super) fn lacks(action: &Action) -> Option<&'static str> {
    let is_path = |name: &str| name.len() > 1 && name.starts_with('/');
    match action {
        _ if action.parameter().is_some_and(|name| !is_path(name)) => Some("a parameter's name"),
        Action::PutParameter { image, .. } if !is_id("ami-", image) => Some("an image"),
        Action::TagParameter { tags, .. } if tags.is_empty() => Some("tags"),
        _ => None,
    }
}

fn ssm_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Failure> {
    let one = |(key, value)| Tag::builder().key(key).value(value).build();
    let all: Result<_, BuildError> = tags.iter().map(one).collect();
    all.map_err(|error| Failure::ours(error.to_string()))
}
