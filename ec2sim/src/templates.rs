//! `CreateLaunchTemplate` and `DescribeLaunchTemplateVersions`, as far as templates name images, and what image a launch
//! means: by its id, by a parameter, or by a template that names either (model; docs: EC2
//! `using-systems-manager-parameter-to-find-AMI`, `create-launch-template`).
//!
//! A parameter is looked up when something is launched, in the region and with the parameters of who launches. Which
//! refusals EC2 has for one that is not there or names no image nobody could say: here it is the one of a value that is
//! not valid.

use std::collections::BTreeMap;

use crate::error::{ApiError, check_id};
use crate::state::{LaunchTemplate, Region};
use crate::wire::parameters::Parameters;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

/// What stands before the name of a parameter.
const BY_PARAMETER: &str = "resolve:ssm:";

/// What a launch names.
pub(crate) struct Named {
    image: Option<String>,
    template: Option<Template>,
}

/// A template by its id or its name, and a version of it.
struct Template {
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

impl Named {
    /// Takes `ImageId` and `LaunchTemplate`, of which there must be one.
    pub(crate) fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let image = parameters.text("ImageId");
        let id = parameters.text("LaunchTemplate.LaunchTemplateId");
        let name = parameters.text("LaunchTemplate.LaunchTemplateName");
        let version = parameters.text("LaunchTemplate.Version");
        if id.is_some() && name.is_some() {
            return Err(ApiError::invalid_combination(
                "The parameter launchTemplateName cannot be used with the parameter launchTemplateId",
            ));
        }
        let template = (id.is_some() || name.is_some()).then_some(Template { id, name, version });
        if image.is_none() && template.is_none() {
            return Err(ApiError::missing("ImageId"));
        }
        Ok(Self { image, template })
    }
}

impl World {
    /// The id of the image that a launch means. What the launch says itself comes before what its template says.
    pub(crate) fn image_to_launch(&self, call: &Call, named: &Named) -> Result<String, ApiError> {
        let region = self.region(&call.region)?;
        let of_template = match &named.template {
            Some(template) => template.find(call, region)?.1,
            None => None,
        };
        let image = named.image.clone().or(of_template);
        let image = image.ok_or_else(|| ApiError::missing("ImageId"))?;
        resolved(call, region, &image)
    }

    pub(crate) fn create_launch_template(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let name = parameters.required("LaunchTemplateName")?;
        let image = parameters.text("LaunchTemplateData.ImageId");
        // The name is what keeps it from being made twice.
        parameters.text("ClientToken");
        parameters.finish_action()?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
        if !(3..=128).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(ApiError::new(
                "InvalidLaunchTemplateName.MalformedException",
                format!("The launch template name {name} is not valid."),
            ));
        }
        if let Some(image) = image
            .as_ref()
            .filter(|image| !image.starts_with(BY_PARAMETER))
        {
            check_id("ami", image)?;
        }
        let id = self.new_id("lt", &call.region);
        let now = self.now;
        let region = self.region_mut(&call.region)?;
        let is_taken = |one: &LaunchTemplate| one.owner == call.account && one.name == name;
        if region.launch_templates.values().any(is_taken) {
            return Err(ApiError::new(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                format!("Launch template name already in use: {name}."),
            ));
        }
        let template = LaunchTemplate {
            id: id.clone(),
            owner: call.account.clone(),
            name: name.clone(),
            versions: BTreeMap::from([(1, image)]),
        };
        region.launch_templates.insert(id.clone(), template);
        let reply = Reply::of(|xml| {
            xml.element("launchTemplate", |xml| {
                xml.text("launchTemplateId", &id);
                xml.text("launchTemplateName", &name);
                xml.time("createTime", now);
                xml.text("createdBy", format!("arn:aws:iam::{}:root", call.account));
                xml.text("defaultVersionNumber", 1);
                xml.text("latestVersionNumber", 1);
            });
        });
        Ok(reply.made(&id))
    }

    pub(crate) fn describe_launch_template_versions(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let template = Template {
            id: parameters.text("LaunchTemplateId"),
            name: parameters.text("LaunchTemplateName"),
            version: None,
        };
        let wanted = parameters.list("LaunchTemplateVersion");
        let resolves = parameters.flag("ResolveAlias")?;
        parameters.finish_action()?;
        let region = self.region(&call.region)?;
        let (template, _) = template.find(call, region)?;
        let newest = template.newest().to_string();
        let is_wanted = |number: &u64| {
            let number = number.to_string();
            let is = |one: &String| match one.as_str() {
                "$Latest" => number == newest,
                "$Default" => number == "1",
                one => number == one,
            };
            wanted.is_empty() || wanted.iter().any(is)
        };
        let mut versions = Vec::new();
        let all = template.versions.iter().rev();
        for (number, image) in all.filter(|(number, _)| is_wanted(number)) {
            let image = match image {
                Some(image) if resolves => Some(resolved(call, region, image)?),
                image => image.clone(),
            };
            versions.push((number, image));
        }
        Ok(Reply::of(|xml| {
            xml.items(
                "launchTemplateVersionSet",
                versions,
                |xml: &mut Xml, (number, image)| {
                    xml.text("launchTemplateId", &template.id);
                    xml.text("launchTemplateName", &template.name);
                    xml.text("versionNumber", number);
                    xml.text("defaultVersion", *number == 1);
                    xml.element("launchTemplateData", |xml| xml.optional("imageId", image));
                },
            );
        }))
    }
}

impl Template {
    /// The template, and the image of the version that is meant.
    fn find<'a>(
        &self,
        call: &Call,
        region: &'a Region,
    ) -> Result<(&'a LaunchTemplate, Option<String>), ApiError> {
        let own = |one: &&LaunchTemplate| one.owner == call.account;
        let mut all = region.launch_templates.values().filter(own);
        let found = all.find(|one| {
            let is_named = |name: &String| *name == one.name;
            self.id.as_ref() == Some(&one.id) || self.name.as_ref().is_some_and(is_named)
        });
        let template = found.ok_or_else(|| match (&self.id, &self.name) {
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
        })?;
        let version = match self.version.as_deref() {
            Some("$Latest") => template.newest(),
            None | Some("$Default") => 1,
            Some(number) => number.parse().unwrap_or_default(),
        };
        let image = template.versions.get(&version).ok_or_else(|| {
            ApiError::new(
                "InvalidLaunchTemplateId.VersionNotFound",
                format!("Could not find launch template version {version}."),
            )
        })?;
        Ok((template, image.clone()))
    }
}

impl LaunchTemplate {
    fn newest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or(1)
    }
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
