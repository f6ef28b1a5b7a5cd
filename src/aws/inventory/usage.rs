//! Who uses an image that is to go: asked when a plan would deregister it, and remembered for a minute.
//!
//! Only the image's own account and region is looked at, and every version of every launch template, since the
//! default looks at ten (EC2 API, `DescribeImageReferences`). Whatever is not answered counts as use.

use amity_core::api::ImageUser;
use amity_core::image::identity::Place;
use amity_core::image::observed::{Unreadable, Usage};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{
    ImageReferenceOptionName, ImageReferenceResourceType, ResourceTypeOption, ResourceTypeRequest,
};
use jiff::SignedDuration;

use super::Inventory;
use super::read::Pages;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::effect::is_id;
use crate::aws::error::Failure;

const REFERENCES: &str = "DescribeImageReferences";

/// As many ids as one call takes.
const MOST_IDS: usize = 10;

/// As many versions of a launch template as there can be: the whole depth.
pub(in crate::aws) const EVERY_VERSION: &str = "10000";

/// The states in which an instance can still be started again, or runs. One that is shutting down does not come
/// back, but has not let go of its image yet.
const NOT_TERMINATED: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/// How long it is believed that nothing uses an image: the deregistration follows at once.
const UNUSED_FRESH: SignedDuration = SignedDuration::from_mins(1);

/// After how many intervals of rest it is looked again whether an image that is used still is.
const USED_FRESH: i32 = 2;

/// The same after a failure.
const FAILURE_FRESH: SignedDuration = SignedDuration::from_mins(1);

impl Inventory {
    /// What EC2 said of late about who uses an image.
    pub(super) fn remembered_usage(&self, place: &Place, id: &str) -> Option<Usage> {
        self.usages
            .get(&(place.clone(), id.to_owned()), self.clock.now())
    }

    /// Reads who uses these images, and remembers what came of it.
    pub(super) async fn read_usage(&self, place: &Place, ids: &[String]) {
        for ids in ids.chunks(MOST_IDS) {
            let answer = self.references(place, ids).await;
            let now = self.clock.now();
            for id in ids {
                let usage = match &answer {
                    Ok(users) => {
                        let of_it = users.iter().filter(|user| user.image_id == *id);
                        Usage::By(of_it.cloned().collect())
                    }
                    Err(unreadable) => Usage::Unknown(unreadable.clone()),
                };
                let fresh = match &usage {
                    Usage::By(users) if users.is_empty() => UNUSED_FRESH,
                    Usage::By(_) => self.settings.rest_interval * USED_FRESH,
                    Usage::Unknown(_) => FAILURE_FRESH,
                };
                let key = (place.clone(), id.clone());
                self.usages.put(key, usage, now + fresh, now);
            }
        }
    }

    async fn references(
        &self,
        place: &Place,
        ids: &[String],
    ) -> Result<Vec<ImageUser>, Unreadable> {
        let session = self
            .sessions
            .proven(&place.account)
            .ok_or_else(|| self.why_closed(place))?;
        let ec2 = session.ec2(&place.region);
        let read = references(&ec2, self.sessions.calls(), ids);
        self.in_turn(place, REFERENCES, read)
            .await?
            .map_err(|failure| failure.unreadable(REFERENCES, place))
    }
}

/// Everything that refers to these images, or nothing where a page is missing.
async fn references(
    ec2: &Ec2,
    calls: &EC2Calls,
    ids: &[String],
) -> Result<Vec<ImageUser>, Failure> {
    if ids.is_empty() || ids.iter().any(|id| !is_id("ami-", id)) {
        return Err(Failure::ours("there is no image to ask for"));
    }
    let mut all = Vec::new();
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .describe_image_references()
            .set_image_ids(Some(ids.to_vec()))
            .include_all_resource_types(true)
            .set_resource_types(Some(deeper_than_by_default().into()))
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, REFERENCES, || request.clone().send()).await?;
        for reference in page.image_references() {
            let (Some(image_id), Some(arn)) = (reference.image_id(), reference.arn()) else {
                return Err(Failure::unknown(
                    "EC2's answer is broken: a reference without an image or a resource",
                ));
            };
            let kind = reference.resource_type();
            let kind = kind.map_or("unknown", ImageReferenceResourceType::as_str);
            all.push(ImageUser::own(image_id, kind, arn));
        }
        if pages.is_last(page.next_token())? {
            // EC2 promises no order, and another one would be news to the user.
            all.sort_by(|one: &ImageUser, other| {
                (&one.image_id, &one.resource_type, &one.arn).cmp(&(
                    &other.image_id,
                    &other.resource_type,
                    &other.arn,
                ))
            });
            all.dedup();
            return Ok(all);
        }
    }
}

/// Where EC2's defaults look at too little or too much.
fn deeper_than_by_default() -> [ResourceTypeRequest; 2] {
    use ImageReferenceResourceType as Type;
    let option = |name, values: &[&str]| {
        ResourceTypeOption::builder()
            .option_name(name)
            .set_option_values(Some(values.iter().map(|&one| one.to_owned()).collect()))
            .build()
    };
    let of = |kind: Type| ResourceTypeRequest::builder().resource_type(kind);
    let states = option(ImageReferenceOptionName::StateName, &NOT_TERMINATED);
    let depth = option(ImageReferenceOptionName::VersionDepth, &[EVERY_VERSION]);
    [
        of(Type::Ec2Instance).resource_type_options(states).build(),
        of(Type::Ec2LaunchTemplate)
            .resource_type_options(depth)
            .build(),
    ]
}
