//! `GetConsoleOutput` (model; docs: UG instance-console).
//!
//! The latest output is there at once, and only of instances on Nitro; the other is posted a while after it was written,
//! as if after each change of the instance's life. It ends with the last 64 KB.

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::instances::types;
use crate::wire::base64;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

/// How much is kept.
const MOST: usize = 64 * 1024;

impl World {
    pub(crate) fn get_console_output(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("InstanceId")?;
        let latest = parameters.flag("Latest")?;
        check_id("i", &id)?;
        parameters.finish_action()?;
        let found = self.region(&call.region)?.instance_seen(call, &id);
        let instance = found.ok_or_else(|| ApiError::instance_not_found(&id))?;
        if latest && !types::is_nitro(&instance.instance_type) {
            return Err(ApiError::new(
                "UnsupportedOperation",
                "This instance type does not support retrieving the latest console logs.",
            ));
        }
        let behind = if latest {
            0
        } else {
            self.knobs.console_milliseconds
        };
        let mut text = String::new();
        for line in &instance.console {
            if after(line.at, behind) <= self.now {
                text.push_str(&line.text);
                text.push_str("\r\n");
            }
        }
        let from = text.len().saturating_sub(MOST);
        let kept = text.as_bytes().get(from..).unwrap_or_default();
        let output = (!kept.is_empty()).then(|| base64::encode(kept));
        Ok(Reply::of(|xml| {
            xml.text("instanceId", &id);
            xml.time("timestamp", self.now);
            xml.optional("output", output);
        }))
    }
}
