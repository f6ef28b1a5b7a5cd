//! `DescribeKeyPairs`, which has no pages (model).

use crate::chance::digest;
use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &["fingerprint", "key-name", "key-pair-id", "tag-key"],
    not_modelled: &[],
    tags: true,
};

impl World {
    pub(crate) fn describe_key_pairs(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let names = parameters.list("KeyName");
        let ids = parameters.list("KeyPairId");
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        if parameters.flag("IncludePublicKey")? {
            return Err(ApiError::not_modelled("the parameter IncludePublicKey"));
        }
        parameters.finish_action()?;
        let pairs = self.network(&call.account, &call.region).key_pairs;
        if let Some(name) = names.iter().find(|name| !pairs.contains_key(*name)) {
            let message = format!("The key pair '{name}' does not exist");
            return Err(ApiError::new("InvalidKeyPair.NotFound", message));
        }
        if let Some(id) = ids
            .iter()
            .find(|id| !pairs.values().any(|pair| pair.id == **id))
        {
            let message = format!("The key pair '{id}' does not exist");
            return Err(ApiError::new("InvalidKeyPair.NotFound", message));
        }
        let region = self.region(&call.region)?;
        let everything = names.is_empty() && ids.is_empty();
        let mut listed = Vec::new();
        for (name, pair) in &pairs {
            let tags = region.tags_seen(&pair.id, &call.account, call.view);
            let print = fingerprint(name);
            let field = |field: &str| {
                let value = match field {
                    "fingerprint" => print.clone(),
                    "key-name" => name.clone(),
                    _ => pair.id.clone(),
                };
                vec![value]
            };
            let is_named = names.contains(name) || ids.contains(&pair.id);
            if (everything || is_named) && filters.pass(&tags, field) {
                listed.push((name, pair, fingerprint(name), tags));
            }
        }
        Ok(Reply::of(|xml| {
            xml.items("keySet", listed, |xml, (name, pair, print, tags)| {
                xml.text("keyPairId", &pair.id);
                xml.text("keyName", name);
                xml.text("keyType", &pair.kind);
                xml.text("keyFingerprint", print);
                tags::write(xml, &tags);
            });
        }))
    }
}

/// Some bytes in the form of one.
fn fingerprint(name: &str) -> String {
    let bytes = digest(name).to_be_bytes();
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}
