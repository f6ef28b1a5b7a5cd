//! KMS keys: their names, brought into one form (the ARN of the key), and whether they work.
//!
//! Where the world file lists no keys for an account in a region, every well-formed name stands
//! for a working key of its own; where it lists some, there are no others. A key that does not
//! work, and a name that is none (an alias without `alias/`, half an ARN, a key of another
//! region): EC2 takes both and lets the copy fail late (model: `CopyImage`, "the action can appear
//! to complete, but eventually fails").

use crate::chance::{digest, mix, uuid};
use crate::state::KeyState;
use crate::world::World;

impl World {
    /// The ARN of the key that a caller names by id, alias, or the ARN of either.
    pub(crate) fn key_named(&self, name: &str, account: &str, region: &str) -> Option<String> {
        let (owner, alias) = match name.strip_prefix("arn:aws:kms:") {
            None => (account, name),
            Some(rest) => {
                let mut parts = rest.splitn(3, ':');
                (parts.nth(1)?, parts.next()?)
            }
        };
        let own = |place: crate::state::Place| {
            let mut keys = place.keys.into_iter();
            keys.find(|(_, key)| key.aliases.contains(alias))
        };
        let resolved = resolve(name, account, region)?;
        Some(own(self.place(owner, region)).map_or(resolved, |(arn, _)| arn))
    }

    /// Whether an account can encrypt and decrypt with a key.
    pub(crate) fn key_works(&self, arn: &str, account: &str, region: &str) -> bool {
        if self.place(account, region).broken_keys.contains(arn) {
            return false;
        }
        let owner = arn.split(':').nth(4).unwrap_or_default();
        // Nobody else can be given the AWS managed key (docs: EBS ebs-copy-snapshot).
        if arn == aws_managed(owner, region) {
            return owner == account;
        }
        let keys = self.place(owner, region).keys;
        if keys.is_empty() {
            return true;
        }
        keys.get(arn).is_some_and(|key| {
            let allowed = if owner == account {
                key.usable
            } else {
                key.shared_with.contains(account)
            };
            allowed && key.state == KeyState::Enabled
        })
    }
}

/// The ARN of the AWS managed key `aws/ebs`.
pub(crate) fn aws_managed(account: &str, region: &str) -> String {
    of_alias("alias/aws/ebs", account, region)
}

/// The same where no keys are listed.
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
