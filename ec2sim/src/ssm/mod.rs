//! AWS Systems Manager, as far as parameters of type `String` and commands on instances go (model
//! `ssm/2014-11-06`; JSON 1.1): one file for each thing that is done with them.
//!
//! Parameters are of the account and the region that the call comes from. A public parameter (docs: SSM
//! parameter-store-public-parameters) is every account's to read. What is written is seen at once
//! by every reader, except for what is validated first (`put`).

mod agents;
mod commands;
mod describe;
mod get;
mod put;
mod tags;

use serde_json::Value;

use crate::error::ApiError;
use crate::wire::parameters::Parameters;
use crate::wire::request::{Caller, Request};
use crate::world::World;

pub(crate) use put::Put;

/// Whose parameters a call is about, and where.
struct Place {
    account: String,
    region: String,
}

impl World {
    pub(crate) fn call_ssm(
        &mut self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Value, ApiError> {
        let principal = self.identify(caller).map_err(in_words_of_json)?;
        self.authorize(caller, &principal, request)?;
        let place = Place {
            account: principal.account,
            region: caller.region.clone(),
        };
        let parameters = Parameters::new(&request.parameters);
        match request.action.as_str() {
            "AddTagsToResource" => self.add_tags_to_resource(&place, parameters),
            "DeleteParameter" => self.delete_parameter(&place, parameters),
            "DescribeInstanceInformation" => {
                self.describe_instance_information(&place, request, parameters)
            }
            "DescribeParameters" => self.describe_parameters(&place, request, parameters),
            "GetCommandInvocation" => self.get_command_invocation(&place, parameters),
            "GetParameter" => self.get_parameter(&place, parameters),
            "GetParameters" => self.get_parameters(&place, parameters),
            "ListTagsForResource" => self.list_tags_for_resource(&place, parameters),
            "PutParameter" => self.put_parameter(&place, parameters),
            "RemoveTagsFromResource" => self.remove_tags_from_resource(&place, parameters),
            "SendCommand" => self.send_command(&place, parameters),
            _ => Err(ApiError::new("UnknownOperationException", "")),
        }
    }
}

/// Users see no text with this code.
fn not_found() -> ApiError {
    ApiError::new("ParameterNotFound", "")
}

fn missing(member: &str) -> ApiError {
    validation(member, "Member must not be null")
}

fn validation(member: &str, constraint: &str) -> ApiError {
    ApiError::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}"
        ),
    )
}

/// A refusal in words of its own.
fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// Something that must be there and not be empty.
fn required(parameters: &mut Parameters, name: &str, member: &str) -> Result<String, ApiError> {
    let value = parameters.text(name).ok_or_else(|| missing(member))?;
    if value.is_empty() {
        return Err(validation(
            member,
            "Member must have length greater than or equal to 1",
        ));
    }
    Ok(value)
}

/// What is wrong with the paging, with the code that Systems Manager has for it.
fn in_words_of_systems_manager(error: ApiError) -> ApiError {
    match error.code.as_str() {
        "InvalidParameterValue" => validation("maxResults", "Member must be between 1 and 50"),
        _ => error,
    }
}

/// The refusals of credentials as JSON services name them, all with HTTP status 400.
fn in_words_of_json(error: ApiError) -> ApiError {
    let code = match error.code.as_str() {
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "ExpiredToken" => "ExpiredTokenException",
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        other => other,
    };
    ApiError::new(code, error.message)
}
