//! What a case says of parameters of Systems Manager.

use std::collections::BTreeMap;

use amity_core::image::identity::tag;
use amity_core::image::parameters::{DATA_TYPE, Parameter, Parameters, ParametersView, Put};

use crate::case::{self, Case, WhoseParameter};
use crate::read::{Names, now, time, unreadable};

/// The parameter that an image says may be in its place.
pub fn noted(said: &case::Image, names: &Names) -> Option<String> {
    let wanted = names.0.parameter.as_ref();
    let wanted = wanted.filter(|_| said.published && said.revision == "current");
    match said.parameter.as_deref() {
        Some("none") => None,
        Some(name) => Some(name.to_owned()),
        None => wanted.map(|wanted| wanted.name.clone()),
    }
}

/// What is known of the parameters of a place, where something may be there.
pub fn view(
    case: &Case,
    place: &case::Place,
    names: &Names,
) -> Result<Option<ParametersView>, String> {
    if let Some(message) = &place.parameters_denied {
        let why = unreadable(message, Some("AccessDenied"))?;
        return Ok(Some(ParametersView::Unknown(why)));
    }
    let wanted = names.0.parameter.as_ref();
    let may_be_there =
        wanted.is_some() || place.images.iter().any(|one| noted(one, names).is_some());
    if place.parameters_unread || place.unreadable.is_some() || !may_be_there {
        return Ok(None);
    }
    let in_line = || {
        let mut published = place.images.iter().filter(|one| one.published);
        let current = published.find(|one| one.revision == "current");
        let said = current.zip(wanted).map(|(image, wanted)| {
            let parameter = case::Parameter {
                value: image.id.clone(),
                whose: WhoseParameter::Ours,
                cluster: None,
            };
            (wanted.name.clone(), parameter)
        });
        said.into_iter().collect()
    };
    let said: BTreeMap<_, _> = place.parameters.clone().unwrap_or_else(in_line);
    let started = case.started.as_deref().unwrap_or("-7d");
    let last_put = time(place.last_put.as_deref().unwrap_or(started))?;
    let read = place.parameters_as_of.as_deref();
    let read = read.map_or(Ok(now()), time)?;
    let awaited = place.awaited.as_ref().zip(wanted);
    Ok(Some(ParametersView::Known(Parameters {
        all: said
            .iter()
            .map(|(name, one)| (name.clone(), parameter(name, one, names)))
            .collect(),
        awaited: awaited.map(|(value, wanted)| Put {
            name: wanted.name.clone(),
            value: value.clone(),
            at: last_put,
        }),
        as_of: read,
        read_at: read,
        last_put,
    })))
}

fn parameter(name: &str, said: &case::Parameter, names: &Names) -> Parameter {
    let mut tags = names.0.identity.parameter_tags(name);
    match said.whose {
        WhoseParameter::Ours => {}
        WhoseParameter::CopiedTags => {
            tags.insert(tag::SELF.to_owned(), "/golden/other".to_owned());
        }
        WhoseParameter::AnotherObjects => {
            tags.insert(tag::OBJECT.to_owned(), "prod/other".to_owned());
        }
        WhoseParameter::Stranger => tags.clear(),
    }
    if let Some(cluster) = &said.cluster {
        tags.insert(tag::CLUSTER.to_owned(), cluster.clone());
    }
    Parameter {
        value: said.value.clone(),
        data_type: DATA_TYPE.to_owned(),
        tags: tags.into(),
    }
}
