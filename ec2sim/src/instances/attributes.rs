//! `ModifyInstanceAttribute` and `DescribeInstanceAttribute`, as far as the end of an instance goes: whether a call may
//! terminate it, and what happens when its system shuts it down (model). Both of their two forms are taken.

use crate::error::{ApiError, check_id};
use crate::images::one_of;
use crate::instances::data::shutdown_behavior;
use crate::state::InstanceState;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const TERMINATION: &str = "disableApiTermination";
const SHUTDOWN: &str = "instanceInitiatedShutdownBehavior";
const USER_DATA: &str = "userData";

impl World {
    pub(crate) fn modify_instance_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("InstanceId")?;
        check_id("i", &id)?;
        let mut protection = parameters.boolean("DisableApiTermination.Value")?;
        let mut shutdown = parameters.text("InstanceInitiatedShutdownBehavior.Value");
        let value = parameters.text("Value");
        match parameters.text("Attribute").as_deref() {
            None => {}
            Some(TERMINATION) => protection = Some(value.as_deref() == Some("true")),
            Some(SHUTDOWN) => shutdown = value,
            Some(other) => return Err(ApiError::not_modelled(format!("the attribute {other}"))),
        }
        parameters.not_modelled(&[
            "BlockDeviceMapping",
            "DisableApiStop",
            "EbsOptimized",
            "EnaSupport",
            "GroupId",
            "InstanceType",
            "SourceDestCheck",
            "UserData",
        ])?;
        let shutdown = shutdown
            .map(|value| shutdown_behavior(&value))
            .transpose()?;
        parameters.finish_action()?;
        if protection.is_none() && shutdown.is_none() {
            return Err(ApiError::invalid_combination("No attributes specified."));
        }
        self.check_instances(call, std::slice::from_ref(&id), false)?;
        let Some(instance) = self.machine_mut(&call.region, &id) else {
            return Err(ApiError::instance_not_found(&id));
        };
        if instance.state == InstanceState::Terminated {
            return Err(ApiError::new(
                "IncorrectInstanceState",
                format!("The instance '{id}' is terminated and cannot be modified."),
            ));
        }
        if protection == Some(true) && instance.asked.spot.is_some() {
            // Docs: UG Using_ChangingDisableAPITermination, "you can't enable … for Spot Instances".
            return Err(ApiError::new(
                "UnsupportedOperation",
                "Termination protection is not supported for Spot Instances.",
            ));
        }
        instance.asked.disable_api_termination =
            protection.or(instance.asked.disable_api_termination);
        instance.asked.shutdown = shutdown.or(instance.asked.shutdown);
        Ok(Reply::done())
    }

    pub(crate) fn describe_instance_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("InstanceId")?;
        let attribute = parameters.required("Attribute")?;
        check_id("i", &id)?;
        parameters.finish_action()?;
        one_of("attribute", &attribute, &[TERMINATION, SHUTDOWN, USER_DATA])?;
        let found = self.region(&call.region)?.instance_seen(call, &id);
        let instance = found.ok_or_else(|| ApiError::instance_not_found(&id))?;
        let value = match attribute.as_str() {
            TERMINATION => Some((instance.asked.disable_api_termination == Some(true)).to_string()),
            SHUTDOWN => Some(instance.asked.shutdown_behavior().name().to_owned()),
            _ => instance.asked.user_data.clone(),
        };
        Ok(Reply::of(|xml| {
            xml.text("instanceId", &id);
            xml.element(&attribute, |xml| xml.optional("value", value));
        }))
    }
}
