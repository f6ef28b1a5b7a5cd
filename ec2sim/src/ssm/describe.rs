//! `DescribeParameters`: the caller's own parameters, without their values (model ssm).

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::paging::{Bounds, Paging};
use crate::ssm::{Place, in_words_of_systems_manager, missing, required};
use crate::state::{Parameter, Record, parameter};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::world::World;

const BOUNDS: Bounds = Bounds { low: 1, high: 50 };

/// A condition of `ParameterFilters`; the values of one are joined with OR, filters with AND.
struct Filter {
    key: String,
    option: Compare,
    values: Vec<String>,
}

#[derive(Clone, Copy)]
enum Compare {
    Equals,
    BeginsWith,
    Contains,
}

/// A parameter on the list.
struct Listed<'a> {
    name: &'a String,
    held: &'a Parameter,
    record: Option<&'a Record>,
}

impl World {
    pub(super) fn describe_parameters(
        &mut self,
        place: &Place,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        parameters.not_modelled(&["Filters"])?;
        if parameters.flag("Shared")? {
            return Err(ApiError::not_modelled("parameters that others share"));
        }
        let filters = parameters.structures("ParameterFilters").into_iter();
        let filters: Vec<Filter> = filters.map(Filter::take).collect::<Result<_, _>>()?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false);
        let paging = paging.map_err(in_words_of_systems_manager)?;
        parameters.finish()?;

        let region = self
            .regions
            .get(&place.region)
            .ok_or_else(ApiError::bad_credentials)?;
        let own = region.parameters.get(&place.account).into_iter().flatten();
        let listed = own.map(|(name, held)| Listed {
            name,
            held,
            record: region.record(&place.account, name),
        });
        let listed = listed.filter(|item| filters.iter().all(|filter| filter.passes(item)));
        let (page, next) = paging.page(
            listed.collect(),
            |item| item.name,
            &mut self.chance,
            &self.knobs,
        );
        let page: Vec<Value> = page.iter().map(|item| item.shown(place)).collect();
        let mut answer = json!({ "Parameters": page });
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

impl Listed<'_> {
    fn shown(&self, place: &Place) -> Value {
        let mut shown = json!({
            "ARN": parameter::arn(&place.region, &place.account, self.name),
            "DataType": self.held.data_type.name(),
            "LastModifiedDate": self.held.modified.as_second(),
            "Name": self.name,
            "Tier": "Standard",
            "Type": "String",
            "Version": self.held.version,
        });
        if let Some(description) = self.record.and_then(|record| record.description.as_ref()) {
            shown["Description"] = json!(description);
        }
        shown
    }

    fn field(&self, key: &str) -> Option<&str> {
        match key {
            "Name" => Some(self.name),
            "Type" => Some("String"),
            "Tier" => Some("Standard"),
            "DataType" => Some(self.held.data_type.name()),
            _ => {
                let tag = key.strip_prefix("tag:")?;
                Some(self.record?.tags.get(tag)?)
            }
        }
    }
}

impl Filter {
    fn take(mut given: Parameters) -> Result<Self, ApiError> {
        let key = required(&mut given, "Key", "parameterFilters.key")?;
        let option = given.text("Option");
        let values = given.list("Values");
        given.finish()?;
        match key.as_str() {
            "Path" | "KeyId" => return Err(ApiError::not_modelled(format!("the filter {key}"))),
            "Name" | "Type" | "Tier" | "DataType" => {}
            tag if tag.len() > "tag:".len() && tag.starts_with("tag:") => {}
            _ => return Err(ApiError::new("InvalidFilterKey", "")),
        }
        let option = match option.as_deref() {
            None | Some("Equals") => Compare::Equals,
            Some("BeginsWith") => Compare::BeginsWith,
            Some("Contains") if key == "Name" => Compare::Contains,
            Some(other) => {
                return Err(ApiError::new(
                    "InvalidFilterOption",
                    format!(
                        "The filter option {other} is not valid. Valid options include: [BeginsWith, Equals]."
                    ),
                ));
            }
        };
        if values.is_empty() {
            return Err(missing("parameterFilters.values"));
        }
        Ok(Self {
            key,
            option,
            values,
        })
    }

    fn passes(&self, item: &Listed<'_>) -> bool {
        item.field(&self.key).is_some_and(|field| {
            self.values
                .iter()
                .any(|value| self.option.holds(field, value))
        })
    }
}

impl Compare {
    fn holds(self, field: &str, value: &str) -> bool {
        match self {
            Self::Equals => field == value,
            Self::BeginsWith => field.starts_with(value),
            Self::Contains => field.contains(value),
        }
    }
}
