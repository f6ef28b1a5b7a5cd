//! How the images of a place shall be encrypted: what tells two images of one revision in one place apart.

use std::fmt;

use super::identity::{Place, hex_digest};
use crate::api;

/// The variant of an image that was made or copied as it is: with the encryption of what it was made from.
pub const VARIANT_SOURCE: &str = "source";

/// The key of EBS that AWS manages, as EC2 names it where an account has chosen no other for its default (EC2 API,
/// `GetEbsDefaultKmsKeyId`).
pub const MANAGED_KEY: &str = "alias/aws/ebs";

/// How many hex digits of the hash a variant has.
const DIGITS: usize = 10;

/// What the spec asks of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The key, in one of the ways in which EC2 takes it; `None`: the account's default key for EBS.
    pub key: Option<String>,
    /// The value of the tag `amity.dev/variant`: a hash of that, the same for every way to write one key.
    pub variant: String,
}

impl Encryption {
    /// What the spec says of `place`.
    pub fn of(asked: &api::Encryption, place: &Place) -> Self {
        let key = asked.kms_key_id.clone();
        let said = key.as_deref().map(|key| canonical(key, place));
        let digest = hex_digest(["encryption", said.as_deref().unwrap_or_default()]);
        Self {
            key,
            variant: digest[..DIGITS].to_owned(),
        }
    }
}

/// `encrypted with KEY`
impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().unwrap_or("the account's default key");
        write!(f, "encrypted with {key}")
    }
}

/// `key/…` or `alias/…` of what is the place's own, and else the whole ARN.
fn canonical(key: &str, place: &Place) -> String {
    let own = format!(":kms:{}:{}:", place.region, place.account);
    match key.split_once(&own) {
        Some((_, resource)) => resource.to_owned(),
        None if key.starts_with("arn:") || key.starts_with("alias/") => key.to_owned(),
        None => format!("key/{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(key: Option<&str>) -> String {
        let asked = api::Encryption {
            kms_key_id: key.map(str::to_owned),
        };
        Encryption::of(&asked, &Place::new("111122223333", "eu-west-1")).variant
    }

    #[test]
    fn a_key_is_the_same_however_it_is_written() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let arn = format!("arn:aws:kms:eu-west-1:111122223333:key/{id}");
        assert_eq!(variant(Some(id)), variant(Some(&arn)));
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/images";
        assert_eq!(variant(Some("alias/images")), variant(Some(alias)));
    }

    #[test]
    fn what_is_encrypted_otherwise_is_another_variant() {
        let of_another_account = "arn:aws:kms:eu-west-1:444455556666:alias/images";
        let all = [
            variant(None),
            variant(Some("alias/images")),
            variant(Some("alias/other")),
            variant(Some(of_another_account)),
            VARIANT_SOURCE.to_owned(),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    /// The hash is written on images: it must never become another.
    #[test]
    fn a_variant_stays_what_it_was() {
        assert_eq!(variant(Some("alias/images")), "738d92f3d6");
    }
}
