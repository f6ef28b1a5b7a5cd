//! `DescribeTags`: the caller's tags, one row for each (model).

use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::lag::View;
use crate::paging::{Bounds, Paging};
use crate::state::{Region, Tags};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &["key", "resource-id", "resource-type", "value"],
    not_modelled: &[],
    tags: true,
};

const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };

struct Row {
    resource: String,
    resource_type: &'static str,
    key: String,
    value: String,
    /// Resource and key, by which pages are made.
    place: String,
}

impl World {
    pub(crate) fn describe_tags(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false)?;
        parameters.finish_action()?;
        let region = self.region(&call.region)?;
        let mut rows = Vec::new();
        for resource in region.tags.keys() {
            let Some(resource_type) = region.kind_seen(resource, call.view) else {
                continue;
            };
            for (key, value) in region.tags_seen(resource, &call.account, call.view) {
                let row = Row {
                    resource: resource.clone(),
                    resource_type,
                    place: format!("{resource} {key}"),
                    key,
                    value,
                };
                if filters.pass(&row.tag(), |name| row.field(name)) {
                    rows.push(row);
                }
            }
        }
        let (page, next) = paging.page(rows, |row| &row.place, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("tagSet", page, |xml, row| {
                xml.text("resourceId", row.resource);
                xml.text("resourceType", row.resource_type);
                xml.text("key", row.key);
                xml.text("value", row.value);
            });
            xml.optional("nextToken", next);
        }))
    }
}

impl Row {
    /// `tag:KEY` is about this one tag.
    fn tag(&self) -> Tags {
        Tags::from([(self.key.clone(), self.value.clone())])
    }

    fn field(&self, name: &str) -> Vec<String> {
        let value = match name {
            "key" => &self.key,
            "resource-id" => &self.resource,
            "resource-type" => return vec![self.resource_type.to_owned()],
            _ => &self.value,
        };
        vec![value.clone()]
    }
}

impl Region {
    /// What kind of resource this is, if a reader finds it.
    fn kind_seen(&self, id: &str, view: View) -> Option<&'static str> {
        match id.split('-').next()? {
            "ami" => self.images.get(id)?.seen(view).map(|_| "image"),
            "snap" => self.snapshots.get(id)?.seen(view).then_some("snapshot"),
            "i" => self.sees(id, view).then_some("instance"),
            "vol" => Some("volume"),
            "lt" => self.sees(id, view).then_some("launch-template"),
            "vpc" => Some("vpc"),
            "subnet" => Some("subnet"),
            "sg" => Some("security-group"),
            "key" => Some("key-pair"),
            _ => None,
        }
    }
}
