//! `DescribeInstanceInformation`: the instances whose agents have registered (model ssm).
//!
//! One that was there and does not answer is `ConnectionLost`, at once here. Agents of terminated instances are not
//! listed.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::paging::{Bounds, Paging};
use crate::ssm::commands::may_register;
use crate::ssm::{Place, in_words_of_systems_manager, required};
use crate::state::{Instance, InstanceState};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::world::World;

const BOUNDS: Bounds = Bounds { low: 5, high: 50 };

/// A condition; the values of one are joined with OR, filters with AND.
struct Filter {
    key: String,
    values: Vec<String>,
}

impl World {
    pub(super) fn describe_instance_information(
        &mut self,
        place: &Place,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let mut filters = Vec::new();
        for (list, key, values) in [
            ("Filters", "Key", "Values"),
            ("InstanceInformationFilterList", "key", "valueSet"),
        ] {
            for mut given in parameters.structures(list) {
                let key = required(&mut given, key, "filters.key")?;
                let values = given.list(values);
                given.finish()?;
                if !["InstanceIds", "PingStatus", "PlatformTypes", "ResourceType"]
                    .contains(&key.as_str())
                {
                    return Err(ApiError::not_modelled(format!("the filter {key}")));
                }
                filters.push(Filter { key, values });
            }
        }
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false);
        let paging = paging.map_err(in_words_of_systems_manager)?;
        parameters.finish()?;
        let region = self.region(&place.region)?;
        let mut listed = Vec::new();
        for machine in region
            .instances
            .values()
            .filter(|one| one.owner == place.account)
        {
            let ping = match machine.state {
                _ if !may_register(machine) => continue,
                InstanceState::Terminated | InstanceState::ShuttingDown => continue,
                _ if self.answers(machine) => "Online",
                // It registered in an earlier start, or in the one that has just ended.
                _ if machine.boots > 1 || machine.boots == 1 && machine.booted.is_none() => {
                    "ConnectionLost"
                }
                _ => continue,
            };
            if filters.iter().all(|filter| filter.passes(machine, ping)) {
                listed.push((
                    machine.id.clone(),
                    shown(machine, ping, self.now.as_second()),
                ));
            }
        }
        let (page, next) = paging.page(listed, |(id, _)| id, &mut self.chance, &self.knobs);
        let page: Vec<Value> = page.into_iter().map(|(_, shown)| shown).collect();
        let mut answer = json!({ "InstanceInformationList": page });
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

impl Filter {
    fn passes(&self, machine: &Instance, ping: &str) -> bool {
        let value = match self.key.as_str() {
            "InstanceIds" => machine.id.as_str(),
            "PingStatus" => ping,
            "PlatformTypes" => platform(machine),
            _ => "EC2Instance",
        };
        self.values.iter().any(|wanted| wanted == value)
    }
}

fn platform(machine: &Instance) -> &'static str {
    if machine.machine.platform.is_windows() {
        "Windows"
    } else {
        "Linux"
    }
}

fn shown(machine: &Instance, ping: &str, now: i64) -> Value {
    json!({
        "InstanceId": machine.id,
        "PingStatus": ping,
        "LastPingDateTime": now,
        "AgentVersion": "3.3.0.0",
        "IsLatestVersion": true,
        "PlatformType": platform(machine),
        "PlatformName": machine.machine.platform.to_string(),
        "ResourceType": "EC2Instance",
        "IPAddress": "",
        "ComputerName": machine.id,
        "AssociationStatus": "Success",
    })
}
