//! The request context: what conditions are evaluated against, and which keys there are.

use std::collections::BTreeMap;

use crate::state::Tags;

/// The condition keys of one resource of one call. Names of keys have no case, and one of tags
/// includes the tag's key.
#[derive(Clone, Debug, Default)]
pub(super) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
        self
    }

    pub(super) fn with_all(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(key.to_lowercase(), values);
        }
        self
    }

    /// The tags that a resource has.
    pub(super) fn with_tags(mut self, tags: &Tags) -> Self {
        for (key, value) in tags {
            self = self.with(&format!("aws:ResourceTag/{key}"), value);
            self = self.with(&format!("ec2:ResourceTag/{key}"), value);
        }
        self
    }

    /// The tags of the session that calls.
    pub(super) fn with_principal_tags(mut self, tags: &Tags) -> Self {
        for (key, value) in tags {
            self = self.with(&format!("aws:PrincipalTag/{key}"), value);
        }
        self
    }

    /// The tags that a request gives.
    pub(super) fn with_request_tags(mut self, tags: &Tags) -> Self {
        for (key, value) in tags {
            self = self.with(&format!("aws:RequestTag/{key}"), value);
        }
        self.with_all("aws:TagKeys", tags.keys().cloned())
    }
}

/// Keys with one value at most.
const SINGLE: [&str; 22] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:RequestedRegion",
    "ec2:CreateAction",
    "ec2:ImageID",
    "ec2:InstanceID",
    "ec2:InstanceMarketType",
    "ec2:InstanceProfile",
    "ec2:InstanceType",
    "ec2:KeyPairName",
    "ec2:LaunchTemplate",
    "ec2:MetadataHttpTokens",
    "ec2:Owner",
    "ec2:Public",
    "ec2:Region",
    "ec2:SecurityGroupID",
    "ec2:SnapshotID",
    "ec2:SubnetID",
    "ec2:Vpc",
    "iam:PassedToService",
    "sts:ExternalId",
    "sts:RoleSessionName",
];
/// Keys with any number of values, which need `ForAllValues:` or `ForAnyValue:`.
const MANY: [&str; 2] = ["aws:CalledVia", "aws:TagKeys"];
/// Keys that go on with the key of a tag.
const OF_TAGS: [&str; 5] = [
    "aws:PrincipalTag/",
    "aws:RequestTag/",
    "aws:ResourceTag/",
    "ec2:ResourceTag/",
    "ssm:resourceTag/",
];

/// Whether a key may have several values; none: no call has it.
pub(super) fn has_many(key: &str) -> Option<bool> {
    let is = |known: &&str| known.eq_ignore_ascii_case(key);
    let begins = |known: &&str| {
        let start = key.get(..known.len());
        key.len() > known.len() && start.is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    if MANY.iter().any(is) {
        Some(true)
    } else {
        let known = SINGLE.iter().any(is) || OF_TAGS.iter().any(begins);
        known.then_some(false)
    }
}
