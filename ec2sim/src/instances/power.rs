//! `StartInstances`, `StopInstances` and `TerminateInstances` (model; docs: UG `Stop_Start`, terminating-instances).
//!
//! One id that is wrong, or one instance that may not, refuses the whole call; a repeat succeeds.

use crate::error::ApiError;
use crate::instances::life::BY_A_CALL;
use crate::state::{Instance, InstanceState};
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

impl World {
    pub(crate) fn start_instances(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        parameters.text("AdditionalInfo");
        let ids = self.named(call, parameters)?;
        for instance in self.each(call, &ids) {
            let (id, state) = (&instance.id, instance.state);
            if instance.asked.is_one_time() {
                return Err(one_time(id, "start"));
            }
            if !matches!(
                state,
                InstanceState::Stopped | InstanceState::Pending | InstanceState::Running
            ) {
                return Err(wrong_state(id, "started"));
            }
        }
        Ok(self.change_each(call, ids, |world, id, state| {
            if state == InstanceState::Stopped {
                world.starts(&call.region, id);
            }
        }))
    }

    pub(crate) fn stop_instances(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        if parameters.flag("Hibernate")? {
            return Err(ApiError::not_modelled("the parameter Hibernate"));
        }
        parameters.flag("Force")?;
        parameters.flag("SkipOsShutdown")?;
        let ids = self.named(call, parameters)?;
        for instance in self.each(call, &ids) {
            let (id, state) = (&instance.id, instance.state);
            if matches!(
                state,
                InstanceState::ShuttingDown | InstanceState::Terminated | InstanceState::Pending
            ) {
                return Err(wrong_state(id, "stopped"));
            }
            if instance.asked.is_one_time() {
                return Err(one_time(id, "stop"));
            }
        }
        Ok(self.change_each(call, ids, |world, id, state| {
            if state == InstanceState::Running {
                world.goes_down(&call.region, id, &BY_A_CALL, false);
            }
        }))
    }

    pub(crate) fn terminate_instances(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        parameters.flag("Force")?;
        parameters.flag("SkipOsShutdown")?;
        let ids = self.named(call, parameters)?;
        let is_protected = |one: &&Instance| one.asked.disable_api_termination == Some(true);
        if let Some(instance) = self.each(call, &ids).find(is_protected) {
            return Err(ApiError::new(
                "OperationNotPermitted",
                format!(
                    "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute \
                     and try again.",
                    instance.id
                ),
            ));
        }
        Ok(self.change_each(call, ids, |world, id, state| {
            if !matches!(
                state,
                InstanceState::ShuttingDown | InstanceState::Terminated
            ) {
                world.goes_down(&call.region, id, &BY_A_CALL, true);
            }
        }))
    }

    fn named(&self, call: &Call, mut parameters: Parameters) -> Result<Vec<String>, ApiError> {
        let ids = parameters.list("InstanceId");
        if ids.is_empty() {
            return Err(ApiError::missing("InstanceId"));
        }
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;
        self.check_instances(call, &ids, false)?;
        if dry_run {
            return Err(ApiError::dry_run());
        }
        Ok(ids)
    }

    fn each<'a>(&'a self, call: &'a Call, ids: &'a [String]) -> impl Iterator<Item = &'a Instance> {
        ids.iter().filter_map(|id| self.machine(&call.region, id))
    }

    /// Does something to each, and tells what they were and are.
    fn change_each(
        &mut self,
        call: &Call,
        ids: Vec<String>,
        change: impl Fn(&mut Self, &str, InstanceState),
    ) -> Reply {
        let mut changed = Vec::new();
        for id in ids {
            let before = self.machine(&call.region, &id).map(|one| one.state);
            let before = before.unwrap_or_default();
            change(self, &id, before);
            let after = self.machine(&call.region, &id).map(|one| one.state);
            changed.push((id, after.unwrap_or(before), before));
        }
        Reply::of(|xml| {
            xml.items("instancesSet", changed, |xml, (id, after, before)| {
                xml.text("instanceId", id);
                for (name, state) in [("currentState", after), ("previousState", before)] {
                    xml.element(name, |xml| {
                        xml.text("code", state.code());
                        xml.text("name", state);
                    });
                }
            });
        })
    }
}

fn one_time(id: &str, verb: &str) -> ApiError {
    ApiError::new(
        "UnsupportedOperation",
        format!(
            "You can't {verb} the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. You \
             can only {verb} Spot Instances associated with persistent Spot Instance requests."
        ),
    )
}

fn wrong_state(id: &str, wanted: &str) -> ApiError {
    ApiError::new(
        "IncorrectInstanceState",
        format!("This instance '{id}' is not in a state from which it can be {wanted}."),
    )
}
