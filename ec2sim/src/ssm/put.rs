//! `PutParameter` and `DeleteParameter` (model ssm; docs: SSM parameter-store-ec2-aliases).
//!
//! A value of data type `aws:ec2:image` is validated after the answer: one that names no image
//! that the account can use by then never becomes the value, and nobody is told. What is still
//! being validated for a parameter that is deleted goes with it. Where `Overwrite` comes without
//! a data type, the parameter keeps its own, as it keeps its type. A name is free at once.

use serde_json::{Value, json};

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::ssm::tags::take_tags;
use crate::ssm::{Place, invalid, not_found, required, validation};
use crate::state::{DataType, ImageState, Parameter, Tags, parameter};
use crate::wire::parameters::Parameters;
use crate::world::{Due, World};

/// How many versions of a parameter are kept.
const KEPT: usize = 100;
/// How long a value may be.
const LONGEST: usize = 4096;
const DEEPEST: usize = 15;
/// The data types that Systems Manager has besides those here.
const OTHER_DATA_TYPES: [&str; 14] = [
    "aws:ssm:integration",
    "aws:region",
    "aws:account:id",
    "boolean",
    "integer",
    "float",
    "binary",
    "hostname",
    "email",
    "ipv4-address",
    "ipv6-address",
    "url",
    "json",
    "jsonc",
];

/// A version of a parameter that is to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Put {
    /// The ARN with the version.
    pub id: String,
    account: String,
    name: String,
    parameter: Parameter,
    /// None: it stays as it is.
    description: Option<String>,
    /// Those it is born with.
    tags: Tags,
}

/// What the caller wants.
struct Asked {
    name: String,
    value: String,
    description: Option<String>,
    has_type: bool,
    data_type: Option<DataType>,
    overwrite: bool,
    tags: Tags,
}

impl World {
    pub(super) fn put_parameter(
        &mut self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let asked = Asked::take(&mut parameters)?;
        parameters.finish()?;
        let data_type = self.data_type(place, &asked)?;
        let version = self.next_version(place, &asked.name)?;
        let arn = parameter::arn(&place.region, &place.account, &asked.name);
        let put = Put {
            id: format!("{arn}:{version}"),
            account: place.account.clone(),
            name: asked.name,
            parameter: Parameter {
                value: asked.value,
                data_type,
                version,
                modified: self.now,
            },
            description: asked.description,
            tags: asked.tags,
        };
        match data_type {
            DataType::Text => self.write(&place.region, &put),
            DataType::Image => {
                let due = Due::Parameter {
                    region: place.region.clone(),
                    put,
                };
                self.schedule(after(self.now, self.knobs.parameter_milliseconds), due);
            }
        }
        Ok(json!({ "Version": version, "Tier": "Standard" }))
    }

    pub(super) fn delete_parameter(
        &mut self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let name = required(&mut parameters, "Name", "name")?;
        parameters.finish()?;
        let region = self.region_mut(&place.region)?;
        let own = region.parameters.get_mut(&place.account);
        own.and_then(|own| own.remove(&name))
            .ok_or_else(not_found)?;
        region
            .records
            .remove(&(place.account.clone(), name.clone()));
        self.agenda
            .retain(|_, due| due.put_of(place, &name).is_none());
        Ok(json!({}))
    }

    /// The data type of the new version; that of a parameter cannot be changed
    /// (bottlerocket-os/twoliter#495), though the text of the refusal is not known.
    fn data_type(&self, place: &Place, asked: &Asked) -> Result<DataType, ApiError> {
        let under_way = || self.under_validation(place, &asked.name).next().is_some();
        let held = self
            .region(&place.region)?
            .own_parameter(&place.account, &asked.name);
        let exists = held.is_some() || self.facts.unvalidated_parameters_exist && under_way();
        if exists && !asked.overwrite {
            return Err(ApiError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to \
                 true.",
            ));
        }
        if !exists && !asked.has_type {
            return Err(invalid(
                "A parameter type is required when you create a parameter.",
            ));
        }
        match (held.map(|held| held.data_type), asked.data_type) {
            (Some(before), Some(after)) if before != after => Err(invalid(format!(
                "The data type of the parameter {} cannot be changed.",
                asked.name
            ))),
            (before, after) => Ok(after.or(before).unwrap_or_default()),
        }
    }

    fn next_version(&self, place: &Place, name: &str) -> Result<u64, ApiError> {
        let region = self.region(&place.region)?;
        let held = region.own_parameter(&place.account, name);
        let used_up = region.record(&place.account, name);
        let numbers = [
            held.map(|held| held.version),
            used_up.map(|record| record.used_up),
            self.under_validation(place, name)
                .map(|put| put.parameter.version)
                .max(),
        ];
        Ok(numbers.into_iter().flatten().max().unwrap_or_default() + 1)
    }

    fn under_validation(&self, place: &Place, name: &str) -> impl Iterator<Item = &Put> {
        let due = self.agenda.values();
        due.filter_map(move |due| due.put_of(place, name))
    }

    /// Ends the validation of a value: it takes effect or is gone.
    pub(crate) fn validate(&mut self, region: &str, put: &Put) {
        if self.is_valid(region, put) {
            self.write(region, put);
        } else {
            self.refuse_value(region, put);
        }
    }

    fn is_valid(&self, region: &str, put: &Put) -> bool {
        let image = self
            .regions
            .get(region)
            .and_then(|region| region.images.get(&put.parameter.value));
        let pending = self.facts.parameters_may_name_pending_images;
        check_id("ami", &put.parameter.value).is_ok()
            && image.is_some_and(|image| {
                let state = image.state == ImageState::Available
                    || image.state == ImageState::Pending && pending;
                state && image.deregistered.is_none() && image.visible_to(self.viewer(&put.account))
            })
    }

    /// Lets a value go that is not valid.
    pub(crate) fn refuse_value(&mut self, region: &str, put: &Put) {
        if self.facts.refused_values_use_up_versions
            && let Some(region) = self.regions.get_mut(region)
        {
            let record = region.record_mut(&put.account, &put.name);
            record.used_up = record.used_up.max(put.parameter.version);
        }
    }

    /// Makes it the present version, or an earlier one if it comes too late for that.
    fn write(&mut self, region: &str, put: &Put) {
        let Some(region) = self.regions.get_mut(region) else {
            return;
        };
        let own = region.parameters.entry(put.account.clone()).or_default();
        let before = match own.get_mut(&put.name) {
            Some(held) if held.version > put.parameter.version => Some(put.parameter.clone()),
            Some(held) => Some(std::mem::replace(held, put.parameter.clone())),
            None => {
                own.insert(put.name.clone(), put.parameter.clone());
                None
            }
        };
        let record = region.record_mut(&put.account, &put.name);
        record.tags.extend(put.tags.clone());
        if put.description.is_some() {
            record.description.clone_from(&put.description);
        }
        record
            .earlier
            .extend(before.map(|before| (before.version, before)));
        while record.earlier.len() >= KEPT {
            record.earlier.pop_first();
        }
    }
}

impl Due {
    /// The value that is being validated, if it is one for this parameter.
    fn put_of(&self, place: &Place, name: &str) -> Option<&Put> {
        match self {
            Self::Parameter { region, put } => {
                let same =
                    *region == place.region && put.account == place.account && put.name == name;
                same.then_some(put)
            }
            _ => None,
        }
    }
}

impl Asked {
    fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let name = required(parameters, "Name", "name")?;
        // "The service removes any spaces specified for the beginning or end" (model ssm).
        let name = name.trim_matches(' ').to_owned();
        let value = required(parameters, "Value", "value")?;
        let description = parameters.text("Description");
        let given_type = parameters.text("Type");
        let data_type = parameters.text("DataType");
        let tier = parameters.text("Tier");
        let overwrite = parameters.flag("Overwrite")?;
        let tags = take_tags(parameters)?;
        parameters.not_modelled(&["AllowedPattern", "KeyId", "Policies"])?;
        check_name(&name)?;
        check_value(&value)?;
        check_type(given_type.as_deref())?;
        check_tier(tier.as_deref())?;
        if description
            .as_ref()
            .is_some_and(|text| text.chars().count() > 1024)
        {
            return Err(validation(
                "description",
                "Member must have length less than or equal to 1024",
            ));
        }
        if overwrite && !tags.is_empty() {
            return Err(invalid(
                "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, \
                 please remove overwrite flag. To update tags for an existing parameter, please use \
                 AddTagsToResource or RemoveTagsFromResource.",
            ));
        }
        Ok(Self {
            name,
            value,
            description,
            has_type: given_type.is_some(),
            data_type: data_type.as_deref().map(take_data_type).transpose()?,
            overwrite,
            tags,
        })
    }
}

/// Names as the model of `PutParameter` describes them; the texts are not all known.
fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(invalid(
            "Parameter name: can only include letters, numbers and the following symbols: .-_/",
        ));
    }
    if name.len() > 1011 {
        return Err(validation(
            "name",
            "Member must have length less than or equal to 1011",
        ));
    }
    let path = name.strip_prefix('/').unwrap_or(name);
    if path.contains('/') && path == name || path.is_empty() {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    let first = path.to_ascii_lowercase();
    if parameter::is_public(name) {
        return Err(ApiError::new(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if ["aws", "ssm"].iter().any(|taken| first.starts_with(taken)) {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    if path.split('/').count() > DEEPEST {
        return Err(ApiError::new(
            "HierarchyLevelLimitExceededException",
            format!("A hierarchy can have a maximum of {DEEPEST} levels."),
        ));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), ApiError> {
    if value.len() > LONGEST {
        return Err(invalid(format!(
            "Standard tier parameters support a maximum parameter value of {LONGEST} characters."
        )));
    }
    if value.contains("{{") {
        return Err(invalid(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    Ok(())
}

fn check_type(given: Option<&str>) -> Result<(), ApiError> {
    match given {
        None | Some("String") => Ok(()),
        Some(other @ ("StringList" | "SecureString")) => Err(ApiError::not_modelled(format!(
            "parameters of type {other}"
        ))),
        Some(_) => Err(validation(
            "type",
            "Member must satisfy enum value set: [SecureString, StringList, String]",
        )),
    }
}

fn check_tier(given: Option<&str>) -> Result<(), ApiError> {
    match given {
        None | Some("Standard") => Ok(()),
        Some(other @ ("Advanced" | "Intelligent-Tiering")) => {
            Err(ApiError::not_modelled(format!("the tier {other}")))
        }
        Some(_) => Err(validation(
            "tier",
            "Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]",
        )),
    }
}

fn take_data_type(given: &str) -> Result<DataType, ApiError> {
    match given {
        "text" => Ok(DataType::Text),
        "aws:ec2:image" => Ok(DataType::Image),
        other if OTHER_DATA_TYPES.contains(&other) => {
            Err(ApiError::not_modelled(format!("the data type {other}")))
        }
        other => Err(invalid(format!(
            "The following data type is not supported: {other} (Data type names are all lowercase.)"
        ))),
    }
}
