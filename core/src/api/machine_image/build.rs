//! An image that is built: `spec.source.build`.

use jiff::SignedDuration;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::duration;
use super::source::{ImageSource, one_image};
use crate::api::rules;

/// A machine to launch from another image, and to capture once it has stopped itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildSource {
    /// The image that the machine is launched from, in the region in which it is: by its id, by
    /// its owner and name, by a parameter of Systems Manager, or as what another MachineImage has
    /// published. It is looked up once for each revision; with spec.follow a newer one is built
    /// from.
    #[serde(deserialize_with = "one_image")]
    pub parent: ImageSource,

    /// The instance type, for example t3.small. Its processor must be the parent's.
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::instance_type())]
    pub instance_type: String,

    /// The subnet, for example subnet-0123456789abcdef0. Default: one of the default VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::subnet_id())]
    pub subnet_id: Option<String>,

    /// The security groups, at most 16, for example [sg-0123456789abcdef0]. Nothing has to be let
    /// in. Default: the default group of the VPC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_security_groups")]
    pub security_group_ids: Vec<String>,

    /// The name of the instance profile whose role the machine has. Needs a builds grant that
    /// names it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = rules::instance_profile())]
    pub instance_profile: Option<String>,

    /// What the machine does when it starts, at most 16384 characters: a script for cloud-init,
    /// which begins with #!, or its #cloud-config. When it is done, and only where all of it
    /// succeeded, it has to stop the machine, for example by shutdown -h now at its end: the
    /// machine is captured once it has stopped. It is stored with the image's revision in
    /// Kubernetes and can be read on the machine: write no secrets into it. Default: none, that
    /// is, the parent stops itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16_384))]
    pub user_data: Option<String>,

    /// How long the machine may take until it has stopped, from its launch on: hours (h), minutes
    /// (m) and seconds (s), from 5m to 24h. One that takes longer has failed: it is terminated,
    /// and another one is launched, three in all. Default: 1h.
    #[serde(default = "an_hour", skip_serializing_if = "is_an_hour")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = rules::build_timeout())]
    pub timeout: String,
}

impl BuildSource {
    /// How long the machine may take. What cannot be read, which the API server refuses, counts
    /// as the longest.
    pub fn timeout(&self) -> SignedDuration {
        duration::parse(&self.timeout).unwrap_or(SignedDuration::from_hours(24))
    }
}

fn an_hour() -> String {
    "1h".into()
}

fn is_an_hour(text: &str) -> bool {
    text == "1h"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(more: &serde_json::Value) -> BuildSource {
        let mut build = json!({"parent": {"region": "us-east-1", "imageId": "ami-1"}, "instanceType": "t3.small"});
        build
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap_or_default());
        serde_json::from_value(build).unwrap()
    }

    #[test]
    fn what_is_left_out_is_in_no_hash() {
        let said = build(&json!({"timeout": "1h", "securityGroupIds": []}));
        assert_eq!(said, build(&json!({})));
        let keys = serde_json::to_value(&said).unwrap();
        let keys: Vec<_> = keys.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["instanceType", "parent"]);
    }

    #[test]
    fn a_machine_has_as_long_as_is_said() {
        let timeout = |text: &str| build(&json!({"timeout": text})).timeout();
        assert_eq!(timeout("90m"), SignedDuration::from_mins(90));
        assert_eq!(timeout("soon"), SignedDuration::from_hours(24));
    }
}
