//! The images that an object takes over.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::rules;

/// An image that others made, or that a deletion retained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdoptedImage {
    /// The region that the image is in, one of `regions`, for example us-east-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,

    /// The image's id, for example ami-0123456789abcdef0.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::image_id())]
    pub image_id: String,
}
