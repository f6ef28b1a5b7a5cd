//! AWS Systems Manager: `GetParameter` and `GetParameters` (model `ssm/2014-11-06`; JSON 1.1).
//!
//! Parameters are read only, of type `String`, and of one version: what the world file says. A
//! public parameter (docs: SSM parameter-store-public-parameters) is every account's.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::state::{Parameter, parameter};
use crate::wire::parameters::Parameters;
use crate::wire::request::{Caller, Request};
use crate::world::World;

impl World {
    pub(crate) fn call_ssm(&self, caller: &Caller, request: &Request) -> Result<Value, ApiError> {
        let account = self.identify(caller).map_err(in_words_of_json)?.account;
        let parameters = Parameters::new(&request.parameters);
        match request.action.as_str() {
            "GetParameter" => self.get_parameter(&account, &caller.region, parameters),
            "GetParameters" => self.get_parameters(&account, &caller.region, parameters),
            _ => Err(ApiError::new("UnknownOperationException", "")),
        }
    }

    fn get_parameter(
        &self,
        account: &str,
        region: &str,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let name = parameters.text("Name").ok_or_else(|| missing("name"))?;
        // It is ignored for parameters of type String (model).
        parameters.flag("WithDecryption")?;
        parameters.finish()?;
        let parameter = self.look_up(account, region, &name)?;
        Ok(json!({ "Parameter": parameter }))
    }

    fn get_parameters(
        &self,
        account: &str,
        region: &str,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let names = parameters.list("Names");
        parameters.flag("WithDecryption")?;
        parameters.finish()?;
        if names.is_empty() {
            return Err(missing("names"));
        }
        if names.len() > 10 {
            return Err(validation(
                "names",
                "Member must have length less than or equal to 10",
            ));
        }
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            match self.look_up(account, region, &name) {
                Ok(parameter) => found.push(parameter),
                Err(error) if error.status < 500 && error.code.starts_with("Parameter") => {
                    invalid.push(name);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
    }

    /// The parameter that is named with or without a version, as it is written in an answer.
    fn look_up(&self, account: &str, region: &str, named: &str) -> Result<Value, ApiError> {
        if named.starts_with("arn:") {
            return Err(ApiError::not_modelled("parameters that are named by ARN"));
        }
        let (name, selector) = match named.split_once(':') {
            Some((name, selector)) => (name, Some(selector)),
            None => (named, None),
        };
        let held = self.region(region)?.parameter(account, name);
        // Users see no text with this code.
        let held = held.ok_or_else(|| ApiError::new("ParameterNotFound", ""))?;
        match selector {
            Some(version) if version != held.version.to_string() => Err(ApiError::new(
                "ParameterVersionNotFound",
                format!(
                    "Systems Manager could not find version {version} of {name}. Verify the version and try again."
                ),
            )),
            _ => Ok(shown(held, account, region, name, selector)),
        }
    }
}

fn shown(
    held: &Parameter,
    account: &str,
    region: &str,
    name: &str,
    selector: Option<&str>,
) -> Value {
    let mut shown = json!({
        "ARN": parameter::arn(region, account, name),
        "DataType": held.data_type.name(),
        "LastModifiedDate": held.modified.as_second(),
        "Name": name,
        "Type": "String",
        "Value": held.value,
        "Version": held.version,
    });
    if let Some(selector) = selector {
        shown["Selector"] = json!(format!(":{selector}"));
    }
    shown
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
