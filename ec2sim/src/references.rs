//! `DescribeImageReferences`: what of an account names an image, in one region (model; docs: UG
//! ec2-ami-references).
//!
//! It knows instances, launch templates and parameters. Image recipes can be asked for; no world
//! has any. Fleets, launch configurations and other accounts are no part of the answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{ApiError, check_id};
use crate::paging::{Bounds, Paging};
use crate::state::parameter;
use crate::state::{DataType, LaunchTemplate, Region};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const INSTANCE: &str = "ec2:Instance";
const TEMPLATE: &str = "ec2:LaunchTemplate";
const PARAMETER: &str = "ssm:Parameter";
const RECIPES: [&str; 2] = ["imagebuilder:ImageRecipe", "imagebuilder:ContainerRecipe"];
const STATES: [&str; 6] = [
    "pending",
    "running",
    "shutting-down",
    "terminated",
    "stopping",
    "stopped",
];

const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };

/// What the caller asks about.
struct Question {
    images: BTreeSet<String>,
    instances: bool,
    templates: bool,
    parameters: bool,
    /// Only instances in these states; none: in any, `terminated` too.
    states: Option<BTreeSet<String>>,
    /// How many versions of a launch template are looked at, beginning with the newest.
    depth: usize,
}

/// Something that names an image.
struct Reference {
    image: String,
    resource_type: &'static str,
    arn: String,
    /// Image and ARN, by which pages are made.
    key: String,
}

impl World {
    pub(crate) fn describe_image_references(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let question = Question::take(&mut parameters)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false)?;
        parameters.finish_action()?;
        let found = self.references(call, &question)?;
        let (page, next) = paging.page(found, |item| &item.key, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("imageReferenceSet", page, |xml, item| {
                xml.text("imageId", item.image);
                xml.text("resourceType", item.resource_type);
                xml.text("arn", item.arn);
            });
            xml.optional("nextToken", next);
        }))
    }

    fn references(&self, call: &Call, question: &Question) -> Result<Vec<Reference>, ApiError> {
        let region = self.region(&call.region)?;
        let of_ec2 = |kind: &str, id: &str| {
            format!("arn:aws:ec2:{}:{}:{kind}/{id}", call.region, call.account)
        };
        let mut found = Vec::new();
        if question.instances {
            for instance in region.instances.values() {
                let state = instance.state.to_string();
                let wanted = question
                    .states
                    .as_ref()
                    .is_none_or(|states| states.contains(&state));
                if wanted && instance.owner == call.account {
                    let arn = of_ec2("instance", &instance.id);
                    question.add(&mut found, &instance.image, INSTANCE, arn);
                }
            }
        }
        if question.templates {
            for template in region.launch_templates.values() {
                if template.owner == call.account {
                    for image in self.images_of(region, template, question.depth) {
                        let arn = of_ec2("launch-template", &template.id);
                        question.add(&mut found, &image, TEMPLATE, arn);
                    }
                }
            }
        }
        if question.parameters {
            let own = region.parameters.get(&call.account);
            for (name, held) in own.unwrap_or(&BTreeMap::new()) {
                let counts =
                    held.data_type == DataType::Image || self.facts.text_parameters_are_references;
                if counts {
                    let arn = parameter::arn(&call.region, &call.account, name);
                    question.add(&mut found, &held.value, PARAMETER, arn);
                }
            }
        }
        Ok(found)
    }

    /// The images that the newest versions of a template name.
    fn images_of(
        &self,
        region: &Region,
        template: &LaunchTemplate,
        depth: usize,
    ) -> BTreeSet<String> {
        let newest = template.images().take(depth);
        let resolve = |image: &String| match image.strip_prefix("resolve:ssm:") {
            None => Some(image.clone()),
            Some(name) if self.facts.template_parameters_are_references => region
                .parameter(&template.owner, name)
                .map(|parameter| parameter.value.clone()),
            Some(_) => None,
        };
        newest.flatten().filter_map(resolve).collect()
    }
}

impl Question {
    fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let images = parameters.list("ImageId");
        if images.is_empty() {
            return Err(ApiError::missing("ImageId"));
        }
        if images.len() > 10 {
            return Err(ApiError::invalid_value(
                "You may not specify more than 10 image ids in one call",
            ));
        }
        images.iter().try_for_each(|id| check_id("ami", id))?;
        let everything = parameters.flag("IncludeAllResourceTypes")?;
        let mut question = Self {
            images: images.into_iter().collect(),
            instances: everything,
            templates: everything,
            parameters: everything,
            states: None,
            depth: 10,
        };
        let types = parameters.structures("ResourceType");
        if types.is_empty() && !everything {
            return Err(ApiError::new(
                "MissingParameter",
                "Either IncludeAllResourceTypes or ResourceTypes must be specified",
            ));
        }
        for resource_type in types {
            question.take_type(resource_type)?;
        }
        Ok(question)
    }

    fn take_type(&mut self, mut given: Parameters) -> Result<(), ApiError> {
        let resource_type = given.required("ResourceType")?;
        for mut option in given.structures("ResourceTypeOption") {
            let name = option.required("OptionName")?;
            let values = option.list("OptionValue");
            option.finish()?;
            match (resource_type.as_str(), name.as_str()) {
                (INSTANCE, "state-name") => self.states = Some(states(values)?),
                (TEMPLATE, "version-depth") => self.depth = depth(&values)?,
                _ => {
                    return Err(ApiError::invalid_value(format!(
                        "The option '{name}' is not valid for the resource type '{resource_type}'"
                    )));
                }
            }
        }
        given.finish()?;
        match resource_type.as_str() {
            INSTANCE => self.instances = true,
            TEMPLATE => self.templates = true,
            PARAMETER => self.parameters = true,
            other if RECIPES.contains(&other) => {}
            other => {
                return Err(ApiError::invalid_value(format!(
                    "The resource type '{other}' is not valid"
                )));
            }
        }
        Ok(())
    }

    fn add(
        &self,
        found: &mut Vec<Reference>,
        image: &str,
        resource_type: &'static str,
        arn: String,
    ) {
        if self.images.contains(image) {
            found.push(Reference {
                image: image.to_owned(),
                resource_type,
                key: format!("{image} {arn}"),
                arn,
            });
        }
    }
}

fn states(values: Vec<String>) -> Result<BTreeSet<String>, ApiError> {
    match values
        .iter()
        .find(|value| !STATES.contains(&value.as_str()))
    {
        Some(value) => Err(ApiError::invalid_value(format!(
            "The value '{value}' is not valid for the option 'state-name'"
        ))),
        None => Ok(values.into_iter().collect()),
    }
}

pub(crate) fn depth(values: &[String]) -> Result<usize, ApiError> {
    let depth = match values {
        [value] => value.parse().ok(),
        _ => None,
    };
    depth
        .filter(|depth| (1..=10_000).contains(depth))
        .ok_or_else(|| {
            ApiError::invalid_value("The option 'version-depth' takes one number from 1 to 10000")
        })
}
