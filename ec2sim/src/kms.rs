//! Names of KMS keys, brought into one form: the ARN of the key.
//!
//! Which keys exist is not modelled. A well-formed name stands for a key of its own; a broken
//! key is what the world file lists, or a name that is none (an alias without `alias/`, half an
//! ARN, a key of another region): EC2 takes both and lets the copy fail late (model:
//! `CopyImage`, "the action can appear to complete, but eventually fails").

use crate::chance::{digest, mix, uuid};

/// The ARN of the AWS managed key `aws/ebs`.
pub(crate) fn aws_managed(account: &str, region: &str) -> String {
    of_alias("alias/aws/ebs", account, region)
}

/// The ARN of the key that a caller names by id, alias, or the ARN of either.
pub(crate) fn resolve(name: &str, account: &str, region: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("arn:aws:kms:") {
        let mut parts = rest.splitn(3, ':');
        let (key_region, owner, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let is_account = owner.len() == 12 && owner.bytes().all(|byte| byte.is_ascii_digit());
        if key_region != region || !is_account {
            return None;
        }
        return match resource.strip_prefix("key/") {
            Some(id) => is_key_id(id).then(|| name.to_owned()),
            None => is_alias(resource).then(|| of_alias(resource, owner, region)),
        };
    }
    if is_alias(name) {
        return Some(of_alias(name, account, region));
    }
    is_key_id(name).then(|| format!("arn:aws:kms:{region}:{account}:key/{name}"))
}

fn is_alias(name: &str) -> bool {
    name.strip_prefix("alias/")
        .is_some_and(|rest| !rest.is_empty())
}

fn is_key_id(id: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(rest) = id.strip_prefix("mrk-") {
        return rest.len() == 32 && hex(rest);
    }
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && id.split('-').all(hex)
}

fn of_alias(alias: &str, account: &str, region: &str) -> String {
    let number = digest(&format!("{account}/{region}/{alias}"));
    format!(
        "arn:aws:kms:{region}:{account}:key/{}",
        uuid(number, mix(number))
    )
}
