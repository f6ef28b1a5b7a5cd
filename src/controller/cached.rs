//! A `MachineImage` as the cache keeps it: as compressed text, which is one small piece, where the object is some 4 kB in
//! dozens of them. Whoever needs one reads it anew; what is asked of all of them at once is kept beside the text.
//!
//! Objects are much alike, so that each is compressed as what differs from the first that was read: of 1.8 kB of JSON
//! some 300 bytes stay, where by itself it would be 1,100.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use amity_core::account::Claim;
use amity_core::api::MachineImage;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::PartialObjectMeta;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use super::conditions::Says;

/// A `MachineImage`, also one that this version cannot read, which must not keep the others from being read.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    /// What tells it from others, and from what it was before. Whatever else there is, as the uid, is in the text: this is
    /// copied wherever the object waits for its turn.
    metadata: ObjectMeta,
    /// JSON, compressed with LZ4.
    text: Box<[u8]>,
    claim: Arc<Claim>,
    says: Says,
}

/// The first object that was read: its text is the dictionary of all others, and its claim that of whoever asks for the
/// same.
static EXEMPLAR: OnceLock<(Box<[u8]>, Arc<Claim>)> = OnceLock::new();

impl Cached {
    /// The object.
    ///
    /// # Errors
    /// This version cannot read it.
    pub(super) fn read(&self) -> serde_json::Result<MachineImage> {
        let dictionary = EXEMPLAR.get().map_or(&[][..], |(text, _)| text);
        let text = lz4_flex::block::decompress_size_prepended_with_dict(&self.text, dictionary)
            .map_err(serde_json::Error::custom)?;
        serde_json::from_slice(&text)
    }

    /// What it asks for of an account.
    pub(super) fn claim(&self) -> &Arc<Claim> {
        &self.claim
    }

    /// What its conditions say.
    pub(super) fn says(&self) -> &Says {
        &self.says
    }
}

impl<'de> Deserialize<'de> for Cached {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        // Nothing here asks who manages which field, and it is as long as all the rest.
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let text = object.to_string();
        let (metadata, claim, says) = if let Ok(image) = serde_json::from_str::<MachineImage>(&text)
        {
            let claim = Claim::of(&image);
            let conditions = image.status.iter().flat_map(|status| &status.conditions);
            (image.metadata, claim, Says::of(conditions))
        } else {
            let partial: PartialObjectMeta<MachineImage> =
                serde_json::from_value(object).map_err(D::Error::custom)?;
            (partial.metadata, Claim::of_any_account(), Says::default())
        };
        let claim = Arc::new(claim);
        let (dictionary, usual) =
            EXEMPLAR.get_or_init(|| (text.as_bytes().into(), Arc::clone(&claim)));
        let compressed =
            lz4_flex::block::compress_prepend_size_with_dict(text.as_bytes(), dictionary);
        Ok(Self {
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                resource_version: metadata.resource_version,
                ..ObjectMeta::default()
            },
            text: compressed.into(),
            claim: if claim == *usual {
                Arc::clone(usual)
            } else {
                claim
            },
            says,
        })
    }
}

impl Resource for Cached {
    type DynamicType = ();
    type Scope = <MachineImage as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        MachineImage::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        MachineImage::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        MachineImage::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        MachineImage::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(deletion_policy: &str) -> Value {
        json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {
                "namespace": "team",
                "name": "web",
                "uid": "u",
                "resourceVersion": "7",
                "annotations": {"a": "b"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {
                "source": {"instance": {"region": "eu-west-1", "instanceId": "i-1", "reboot": "Never"}},
                "regions": [{"name": "eu-west-1"}],
                "deletionPolicy": deletion_policy,
            },
            "status": {"observedGeneration": 3},
        })
    }

    #[test]
    fn an_object_comes_out_as_it_went_in_but_for_who_manages_its_fields() {
        let cached: Cached = serde_json::from_value(object("Retain")).expect("an object");
        let mut image: MachineImage = serde_json::from_value(object("Retain")).expect("an image");
        image.metadata.managed_fields = None;
        assert_eq!(cached.read().expect("it is readable"), image);
        assert_eq!(**cached.claim(), Claim::of(&image));
        assert_eq!(cached.metadata.resource_version.as_deref(), Some("7"));
    }

    #[test]
    fn what_differs_from_the_first_comes_out_too() {
        for name in ["web", "db", &"long".repeat(15)] {
            let mut other = object("Delete");
            other["metadata"]["name"] = json!(name);
            let cached: Cached = serde_json::from_value(other).expect("an object");
            let image = cached.read().expect("it is readable");
            assert_eq!(image.metadata.name.as_deref(), Some(name));
        }
    }

    #[test]
    fn one_that_cannot_be_read_has_a_name_and_may_be_of_any_account() {
        let cached: Cached = serde_json::from_value(object("Sell")).expect("an object");
        assert!(cached.read().is_err());
        assert_eq!(cached.metadata.name.as_deref(), Some("web"));
        assert_eq!(**cached.claim(), Claim::of_any_account());
    }
}
