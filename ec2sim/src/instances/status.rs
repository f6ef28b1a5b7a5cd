//! `DescribeInstanceStatus`: whether EC2 reaches a machine (model; docs: UG monitoring-system-instance-status-check).
//!
//! The checks of the system and of the instance end at the same time here. An instance that the world file says nothing
//! of passes.

use crate::chance::after;
use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::state::{GuestFault, Instance, InstanceState, Tags};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "availability-zone",
        "instance-state-code",
        "instance-state-name",
        "instance-status.reachability",
        "instance-status.status",
        "system-status.reachability",
        "system-status.status",
    ],
    not_modelled: &[
        "attached-ebs-status",
        "availability-zone-id",
        "event",
        "operator",
    ],
    tags: false,
};

const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };

/// What the checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    NotApplicable,
    Initializing,
    Ok,
    Impaired,
}

impl Health {
    fn status(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Initializing => "initializing",
            Self::Ok => "ok",
            Self::Impaired => "impaired",
        }
    }

    fn reachability(self) -> Option<&'static str> {
        match self {
            Self::NotApplicable => None,
            Self::Initializing => Some("initializing"),
            Self::Ok => Some("passed"),
            Self::Impaired => Some("failed"),
        }
    }

    fn write(self, xml: &mut Xml, name: &str) {
        xml.element(name, |xml| {
            xml.text("status", self.status());
            if let Some(reachability) = self.reachability() {
                xml.items("details", [reachability], |xml, reachability| {
                    xml.text("name", "reachability");
                    xml.text("status", reachability);
                });
            }
        });
    }
}

struct Listed {
    instance: Instance,
    system: Health,
    itself: Health,
}

impl World {
    pub(crate) fn describe_instance_status(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("InstanceId");
        let all = parameters.flag("IncludeAllInstances")?;
        parameters.boolean("IncludeManagedResources")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        parameters.finish_action()?;
        self.check_instances(call, &ids, true)?;

        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        for instance in region.instances.values() {
            let wanted = ids.is_empty() || ids.contains(&instance.id);
            let shown = all || instance.state == InstanceState::Running;
            if !wanted || !shown || region.instance_seen(call, &instance.id).is_none() {
                continue;
            }
            let (system, itself) = self.health(instance);
            let item = Listed {
                instance: instance.clone(),
                system,
                itself,
            };
            if filters.pass(&Tags::new(), |name| item.field(name)) {
                listed.push(item);
            }
        }
        let (page, next) = paging.page(
            listed,
            |item| &item.instance.id,
            &mut self.chance,
            &self.knobs,
        );
        Ok(Reply::of(|xml| {
            xml.items("instanceStatusSet", page, |xml, item| item.write(xml));
            xml.optional("nextToken", next);
        }))
    }

    /// What the checks of the system and of the instance say now.
    fn health(&self, instance: &Instance) -> (Health, Health) {
        if instance.state != InstanceState::Running {
            return (Health::NotApplicable, Health::NotApplicable);
        }
        let usual = self.knobs.status_milliseconds;
        let milliseconds = instance.guest.status_milliseconds.unwrap_or(usual);
        let ends = instance.booted.map(|from| after(from, milliseconds));
        match (ends, instance.guest.fault) {
            (Some(ends), _) if self.now < ends => (Health::Initializing, Health::Initializing),
            (_, Some(GuestFault::Impaired)) => (Health::Ok, Health::Impaired),
            _ => (Health::Ok, Health::Ok),
        }
    }
}

impl Listed {
    fn field(&self, name: &str) -> Vec<String> {
        let value = match name {
            "availability-zone" => Some(self.instance.zone.clone()),
            "instance-state-code" => Some(self.instance.state.code().to_string()),
            "instance-state-name" => Some(self.instance.state.to_string()),
            "instance-status.status" => Some(self.itself.status().to_owned()),
            "system-status.status" => Some(self.system.status().to_owned()),
            "instance-status.reachability" => self.itself.reachability().map(str::to_owned),
            _ => self.system.reachability().map(str::to_owned),
        };
        value.into_iter().collect()
    }

    fn write(&self, xml: &mut Xml) {
        xml.text("instanceId", &self.instance.id);
        xml.text("availabilityZone", &self.instance.zone);
        xml.element("instanceState", |xml| {
            xml.text("code", self.instance.state.code());
            xml.text("name", self.instance.state);
        });
        self.system.write(xml, "systemStatus");
        self.itself.write(xml, "instanceStatus");
    }
}
