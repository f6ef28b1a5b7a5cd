//! The next version of the controller beside this one, as EC2 and the cluster see it: it does the same, puts a tag on
//! whatever it makes that this version does not know, and a field into the status.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// What the next version asks EC2 for, where this one asks for `body`.
pub fn request(body: &str) -> String {
    let mut asked = body.to_owned();
    let mut last_tags = BTreeMap::new();
    for (name, _) in form_urlencoded::parse(body.as_bytes()) {
        // TagSpecification.1.Tag.3.Key
        let parts: Vec<_> = name.split('.').collect();
        if let ["TagSpecification", specification, "Tag", tag, "Key"] = parts[..] {
            let tag: u32 = tag.parse().expect("a number");
            let last = last_tags.entry(specification.to_owned()).or_insert(tag);
            *last = tag.max(*last);
        }
    }
    for (specification, last) in last_tags {
        let tag = format!("&TagSpecification.{specification}.Tag.{}", last + 1);
        let _ = write!(
            asked,
            "{tag}.Key=amity.dev%2Fof-the-next-version{tag}.Value=yes"
        );
    }
    asked
}

/// What it writes to the status of an object, where this one writes `body`.
pub fn status(body: &[u8]) -> Vec<u8> {
    let Ok(mut object) = serde_json::from_slice::<Value>(body) else {
        return body.to_owned();
    };
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.insert("ofTheNextVersion".to_owned(), "yes".into());
    }
    object.to_string().into_bytes()
}
