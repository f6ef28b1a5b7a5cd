//! Launch templates (model; docs: UG create-launch-template, manage-launch-template-versions,
//! launch-template-restrictions): one file for each thing that is done with them, and here what a launch by one means.
//!
//! A parameter is looked up when something is launched, in the region and with the parameters of who launches (docs: EC2
//! `using-systems-manager-parameter-to-find-AMI`). Which refusals EC2 has for one that is not there or names no image
//! nobody could say: here it is the one of a value that is not valid.

mod create;
mod delete;
mod describe;
mod modify;
mod versions;

use crate::error::{ApiError, check_id};
use crate::state::{LaunchData, LaunchTemplate, Region, TemplateVersion};
use crate::wire::parameters::Parameters;
use crate::wire::response::Xml;
use crate::world::{Call, World};

/// What stands before the name of a parameter.
const BY_PARAMETER: &str = "resolve:ssm:";

/// A template by its id or its name, and a version of it.
pub(crate) struct Template {
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

impl Template {
    /// Takes `LaunchTemplateId`, `LaunchTemplateName` and `Version` behind a prefix; none where neither is there.
    pub(crate) fn take(
        parameters: &mut Parameters,
        prefix: &str,
    ) -> Result<Option<Self>, ApiError> {
        let mut text = |name: &str| parameters.text(&format!("{prefix}{name}"));
        let (id, name) = (text("LaunchTemplateId"), text("LaunchTemplateName"));
        let version = text("Version");
        if id.is_some() && name.is_some() {
            return Err(ApiError::invalid_combination(
                "The parameter launchTemplateName cannot be used with the parameter launchTemplateId",
            ));
        }
        if let Some(id) = &id {
            check_template_id(id)?;
        }
        Ok((id.is_some() || name.is_some()).then_some(Self { id, name, version }))
    }

    /// The id, where it is named by that.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The same for a call that is about one.
    fn required(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let found = Self::take(parameters, "")?;
        found.ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                "Either a launch template ID or a launch template name must be specified in the request",
            )
        })
    }

    /// The template, whatever the version.
    pub(crate) fn find<'a>(
        &self,
        call: &Call,
        region: &'a Region,
    ) -> Result<&'a LaunchTemplate, ApiError> {
        let own =
            |one: &&LaunchTemplate| one.owner == call.account && region.sees(&one.id, call.view);
        let mut all = region.launch_templates.values().filter(own);
        let found = all.find(|one| {
            let is_named = |name: &String| *name == one.name;
            self.id.as_ref() == Some(&one.id) || self.name.as_ref().is_some_and(is_named)
        });
        found.ok_or_else(|| match (&self.id, &self.name) {
            (Some(id), _) => ApiError::new(
                "InvalidLaunchTemplateId.NotFound",
                format!("The specified launch template, with template ID {id}, does not exist."),
            ),
            (None, name) => ApiError::new(
                "InvalidLaunchTemplateName.NotFoundException",
                format!(
                    "The specified launch template, with template name {}, does not exist.",
                    name.as_deref().unwrap_or_default()
                ),
            ),
        })
    }

    /// The version that is meant; the default one if none is named.
    fn version<'a>(
        &self,
        call: &Call,
        region: &'a Region,
    ) -> Result<(u64, &'a TemplateVersion), ApiError> {
        let template = self.find(call, region)?;
        template.version(call, region, self.version.as_deref().unwrap_or("$Default"))
    }
}

impl LaunchTemplate {
    /// The number that a text means, whether there is such a version or not.
    fn number(&self, call: &Call, region: &Region, named: &str) -> Option<u64> {
        match named {
            "$Latest" => {
                let mut numbers = self.versions.keys().rev();
                numbers
                    .find(|number| self.sees_version(call, region, **number))
                    .copied()
            }
            "$Default" => Some(self.default_version),
            number => number.parse().ok(),
        }
    }

    /// The version that a text means, as far as this read sees.
    fn version(
        &self,
        call: &Call,
        region: &Region,
        named: &str,
    ) -> Result<(u64, &TemplateVersion), ApiError> {
        let number = self.number(call, region, named);
        let number = number.filter(|number| self.sees_version(call, region, *number));
        let found = number.and_then(|number| Some((number, self.versions.get(&number)?)));
        found.ok_or_else(|| {
            ApiError::new(
                "InvalidLaunchTemplateId.VersionNotFound",
                format!("Could not find launch template version {named}."),
            )
        })
    }

    fn sees_version(&self, call: &Call, region: &Region, number: u64) -> bool {
        region.sees(&version_key(&self.id, number), call.view)
    }

    /// The highest number of those that are there and seen.
    fn newest_seen(&self, call: &Call, region: &Region) -> u64 {
        self.number(call, region, "$Latest")
            .unwrap_or(self.default_version)
    }
}

impl World {
    /// What a launch asks for, with what its template says.
    pub(crate) fn with_template(
        &self,
        call: &Call,
        asked: LaunchData,
        template: Option<&Template>,
    ) -> Result<LaunchData, ApiError> {
        match template {
            None => Ok(asked),
            Some(template) => {
                let (_, version) = template.version(call, self.region(&call.region)?)?;
                Ok(asked.over(version.data.clone()))
            }
        }
    }

    /// The id of the image that is named by it or by a parameter.
    pub(crate) fn resolved_image(&self, call: &Call, image: &str) -> Result<String, ApiError> {
        resolved(call, self.region(&call.region)?, image)
    }
}

/// By what a version is known to the lag of reads.
pub(crate) fn version_key(id: &str, number: u64) -> String {
    format!("{id}:{number}")
}

/// The image's id, or that of a parameter with or without a version.
fn resolved(call: &Call, region: &Region, image: &str) -> Result<String, ApiError> {
    let Some(named) = image.strip_prefix(BY_PARAMETER) else {
        return Ok(image.to_owned());
    };
    let (name, version) = match named.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (named, None),
    };
    let held = region.parameter(&call.account, name);
    let is_it = |held: &&crate::state::Parameter| {
        version.is_none_or(|version| version == held.version.to_string())
    };
    let earlier = || {
        let number = version?.parse().ok()?;
        region.record(&call.account, name)?.earlier.get(&number)
    };
    let value = held.filter(is_it).or_else(earlier).map(|one| &one.value);
    match value {
        Some(value) if check_id("ami", value).is_ok() => Ok(value.clone()),
        _ => Err(ApiError::invalid_value(format!(
            "Invalid value '{image}' for ImageId: the parameter does not exist, or is no image's id"
        ))),
    }
}

fn check_template_id(id: &str) -> Result<(), ApiError> {
    check_id("lt", id).map_err(|_| {
        ApiError::new(
            "InvalidLaunchTemplateId.Malformed",
            format!("Invalid launch template ID: '{id}'"),
        )
    })
}

/// Writes a template as lists and creations show it.
fn write(xml: &mut Xml, template: &LaunchTemplate, latest: u64, tags: &crate::state::Tags) {
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.time("createTime", template.created);
    xml.text("createdBy", format!("arn:aws:iam::{}:root", template.owner));
    xml.text("defaultVersionNumber", template.default_version);
    xml.text("latestVersionNumber", latest);
    crate::tags::write(xml, tags);
}
