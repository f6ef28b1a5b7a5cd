//! `GetParameter` and `GetParameters`, with or without a version. There are no labels.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::ssm::{Place, missing, not_found, validation};
use crate::state::{Parameter, parameter};
use crate::wire::parameters::Parameters;
use crate::world::World;

impl World {
    pub(super) fn get_parameter(
        &self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let name = parameters.text("Name").ok_or_else(|| missing("name"))?;
        // It is ignored for parameters of type String (model).
        parameters.flag("WithDecryption")?;
        parameters.finish()?;
        let parameter = self.look_up(place, &name)?;
        Ok(json!({ "Parameter": parameter }))
    }

    pub(super) fn get_parameters(
        &self,
        place: &Place,
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
            match self.look_up(place, &name) {
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
    fn look_up(&self, place: &Place, named: &str) -> Result<Value, ApiError> {
        if named.starts_with("arn:") {
            return Err(ApiError::not_modelled("parameters that are named by ARN"));
        }
        let (name, selector) = match named.split_once(':') {
            Some((name, selector)) => (name, Some(selector)),
            None => (named, None),
        };
        let region = self.region(&place.region)?;
        let held = region
            .parameter(&place.account, name)
            .ok_or_else(not_found)?;
        let Some(selector) = selector else {
            return Ok(shown(held, place, name, None));
        };
        let earlier = || {
            let version = selector.parse().ok()?;
            region.record(&place.account, name)?.earlier.get(&version)
        };
        let wanted = if selector == held.version.to_string() {
            Some(held)
        } else {
            earlier()
        };
        wanted
            .map(|held| shown(held, place, name, Some(selector)))
            .ok_or_else(|| {
                ApiError::new(
                    "ParameterVersionNotFound",
                    format!(
                        "Systems Manager could not find version {selector} of {name}. Verify the version and try again."
                    ),
                )
            })
    }
}

fn shown(held: &Parameter, place: &Place, name: &str, selector: Option<&str>) -> Value {
    let mut shown = json!({
        "ARN": parameter::arn(&place.region, &place.account, name),
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
