//! `CreateLaunchTemplate` and `CreateLaunchTemplateVersion`.
//!
//! A name is an account's in a region once. With the same token and the same request the answer is the first one's
//! (docs: EC2 ec2-api-idempotency). Of what a version says EC2 checks little.

use std::collections::BTreeMap;

use crate::error::{ApiError, check_id};
use crate::instances::{take_template_data, write_template_data};
use crate::state::{LaunchData, LaunchTemplate, TemplateMade, TemplateVersion};
use crate::tags::TagsAtBirth;
use crate::templates::{BY_PARAMETER, Template, version_key, write};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

/// How many versions a template may have (docs: launch-template-restrictions).
const MOST_VERSIONS: usize = 10_000;

impl World {
    pub(crate) fn create_launch_template(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let name = parameters.required("LaunchTemplateName")?;
        let description = parameters.text("VersionDescription");
        let tags = TagsAtBirth::take(&mut parameters, &["launch-template"])?;
        let data = take_template_data(&mut parameters)?;
        let token = take_token(&mut parameters)?;
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;
        check_name(&name)?;
        check_data(&data)?;
        if let Some(made) = self.made_before(call, request, token.as_ref())? {
            let region = self.region(&call.region)?;
            let found = region.launch_templates.get(&made.template);
            return found
                .map(|found| answer(found, &region.tags(&found.id, &call.account)))
                .ok_or_else(|| not_found(&made.template));
        }
        let is_taken = |one: &LaunchTemplate| one.owner == call.account && one.name == name;
        if self
            .region(&call.region)?
            .launch_templates
            .values()
            .any(is_taken)
        {
            return Err(ApiError::new(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                "Launch template name already in use.",
            ));
        }
        if dry_run {
            return Err(ApiError::dry_run());
        }
        let id = self.new_id("lt", &call.region);
        let version = TemplateVersion {
            created: self.now,
            created_by: format!("arn:aws:iam::{}:root", call.account),
            description,
            data,
        };
        let template = LaunchTemplate {
            id: id.clone(),
            owner: call.account.clone(),
            name,
            created: self.now,
            default_version: 1,
            latest_version: 1,
            versions: BTreeMap::from([(1, version)]),
        };
        let reply = answer(&template, &tags.of("launch-template")).made(&id);
        let born = self.lag();
        let region = self.region_mut(&call.region)?;
        region.born_with_tags(&id, &call.account, tags.of("launch-template"));
        region.seen_from.insert(id.clone(), born);
        region.launch_templates.insert(id.clone(), template);
        self.remember_template(call, request, token, id, 1)?;
        Ok(reply)
    }

    pub(crate) fn create_launch_template_version(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let named = Template::required(&mut parameters)?;
        let source = parameters.text("SourceVersion");
        let description = parameters.text("VersionDescription");
        let resolves = parameters.flag("ResolveAlias")?;
        let data = take_template_data(&mut parameters)?;
        let token = take_token(&mut parameters)?;
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;
        check_data(&data)?;
        let region = self.region(&call.region)?;
        let template = named.find(call, region)?.clone();
        if let Some(made) = self.made_before(call, request, token.as_ref())? {
            let found = template.versions.get(&made.version);
            let version = found.ok_or_else(|| not_found(&made.template))?;
            return self.version_answer(call, &template, made.version, version, resolves);
        }
        // What the source says and this does not, is taken over, but not the snapshots of its devices (model).
        let data = match source {
            None => data,
            Some(source) => {
                let mut before = template.version(call, region, &source)?.1.data.clone();
                for device in &mut before.devices {
                    device.snapshot = None;
                }
                data.over(before)
            }
        };
        if template.versions.len() >= MOST_VERSIONS {
            return Err(ApiError::new(
                "MaxTemplateVersionLimitExceeded",
                format!(
                    "You have reached the limit of {MOST_VERSIONS} versions of a launch template"
                ),
            ));
        }
        if dry_run {
            return Err(ApiError::dry_run());
        }
        let number = template.latest_version + 1;
        let version = TemplateVersion {
            created: self.now,
            created_by: format!("arn:aws:iam::{}:root", call.account),
            description,
            data,
        };
        let reply = self.version_answer(call, &template, number, &version, resolves)?;
        let born = self.lag();
        let region = self.region_mut(&call.region)?;
        region
            .seen_from
            .insert(version_key(&template.id, number), born);
        if let Some(template) = region.launch_templates.get_mut(&template.id) {
            template.latest_version = number;
            template.versions.insert(number, version);
        }
        self.remember_template(call, request, token, template.id, number)?;
        Ok(reply)
    }

    fn version_answer(
        &self,
        call: &Call,
        template: &LaunchTemplate,
        number: u64,
        version: &TemplateVersion,
        resolves: bool,
    ) -> Result<Reply, ApiError> {
        let image = match &version.data.image {
            Some(image) if resolves => Some(self.resolved_image(call, image)?),
            image => image.clone(),
        };
        Ok(Reply::of(|xml| {
            xml.element("launchTemplateVersion", |xml| {
                write_version(xml, template, number, version, image.as_ref());
            });
        }))
    }

    /// What the first call with the same token made, if it was the same call.
    fn made_before(
        &self,
        call: &Call,
        request: &Request,
        token: Option<&String>,
    ) -> Result<Option<TemplateMade>, ApiError> {
        let Some(token) = token else {
            return Ok(None);
        };
        let key = (call.account.clone(), token.clone());
        match self.region(&call.region)?.template_tokens.get(&key) {
            Some(made) if made.parameters != asked(request) => Err(ApiError::new(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )),
            made => Ok(made.cloned()),
        }
    }

    fn remember_template(
        &mut self,
        call: &Call,
        request: &Request,
        token: Option<String>,
        template: String,
        version: u64,
    ) -> Result<(), ApiError> {
        if let Some(token) = token {
            let made = TemplateMade {
                parameters: asked(request),
                template,
                version,
            };
            let key = (call.account.clone(), token);
            self.region_mut(&call.region)?
                .template_tokens
                .insert(key, made);
        }
        Ok(())
    }
}

/// Writes a version.
pub(super) fn write_version(
    xml: &mut Xml,
    template: &LaunchTemplate,
    number: u64,
    version: &TemplateVersion,
    image: Option<&String>,
) {
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.text("versionNumber", number);
    xml.optional("versionDescription", version.description.as_ref());
    xml.time("createTime", version.created);
    xml.text("createdBy", &version.created_by);
    xml.text("defaultVersion", number == template.default_version);
    xml.element("launchTemplateData", |xml| {
        write_template_data(xml, &version.data, image);
    });
}

fn answer(template: &LaunchTemplate, tags: &crate::state::Tags) -> Reply {
    Reply::of(|xml| {
        xml.element("launchTemplate", |xml| {
            write(xml, template, template.latest_version, tags);
        });
    })
}

/// The action that made it, too: a token is that of one.
fn asked(request: &Request) -> BTreeMap<String, String> {
    let mut parameters = request.parameters.clone();
    parameters.remove("DryRun");
    parameters.insert("Action".to_owned(), request.action.clone());
    parameters
}

fn take_token(parameters: &mut Parameters) -> Result<Option<String>, ApiError> {
    let token = parameters
        .text("ClientToken")
        .filter(|token| !token.is_empty());
    match token {
        Some(token) if token.len() > 128 || !token.is_ascii() => Err(ApiError::new(
            "InvalidClientToken",
            "The specified client token is not valid.",
        )),
        token => Ok(token),
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ApiError::new(
        "InvalidLaunchTemplateName.MalformedException",
        "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the \
         following characters: - ( ) . / _.",
    ))
}

fn check_data(data: &LaunchData) -> Result<(), ApiError> {
    match &data.image {
        Some(image) if !image.starts_with(BY_PARAMETER) => check_id("ami", image),
        _ => Ok(()),
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(
        "InvalidLaunchTemplateId.NotFound",
        format!("The specified launch template, with template ID {id}, does not exist."),
    )
}
