//! The images of an account by their names, whoever made them: for who looks for something to take over.

use amity_core::image::identity::Place;
use amity_core::image::observed::{Image, Unreadable};
use aws_sdk_ec2::types;

use super::read::{Pages, State, filter, image_of, state_of};
use crate::aws::calls;
use crate::aws::error::Failure;
use crate::aws::session::{Session, Sessions};

const IMAGES: &str = "DescribeImages";

/// An image that somebody made, with what is needed to register another one like it.
#[derive(Clone, Debug)]
pub struct NamedImage {
    /// The image.
    pub image: Image,
    /// EC2's word for its architecture, such as `x86_64`.
    pub architecture: String,
    /// Under which name instances get its root volume.
    pub root_device_name: String,
}

/// The images of a region that the account owns and whose names fit, where `*` and `?` stand for anything and for one
/// character (EC2 API, `DescribeImages`).
///
/// # Errors
/// They cannot be read.
pub async fn images_named(
    sessions: &Sessions,
    session: &Session,
    region: &str,
    pattern: &str,
) -> Result<Vec<NamedImage>, Unreadable> {
    let place = Place::new(session.account_id(), region);
    let listed = list(sessions, session, region, pattern).await;
    listed.map_err(|failure| failure.unreadable(IMAGES, &place))
}

async fn list(
    sessions: &Sessions,
    session: &Session,
    region: &str,
    pattern: &str,
) -> Result<Vec<NamedImage>, Failure> {
    let ec2 = session.ec2(region);
    let (mut named, mut pages) = (Vec::new(), Pages::default());
    loop {
        let request = ec2
            .describe_images()
            .owners("self")
            .filters(filter("name", [pattern.to_owned()]))
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(sessions.calls(), IMAGES, || request.clone().send()).await?;
        for image in page.images() {
            named.extend(named_image(image)?);
        }
        if pages.is_last(page.next_token())? {
            return Ok(named);
        }
    }
}

fn named_image(image: &types::Image) -> Result<Option<NamedImage>, Failure> {
    let State::Shown(state) = state_of(image) else {
        return Ok(None);
    };
    let architecture = image.architecture().map(types::ArchitectureValues::as_str);
    Ok(Some(NamedImage {
        image: image_of(image, state)?,
        architecture: architecture.unwrap_or_default().to_owned(),
        root_device_name: image.root_device_name().unwrap_or_default().to_owned(),
    }))
}
