//! Refuses answers that end in the middle.
//!
//! The SDK reads XML leniently: a success that was cut off becomes a success with fewer images in it, or
//! with half an id, and a short list that passes for a whole one is what Amity must never act on.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Fails a call whose answer says success but does not end with the end of its root element.
#[derive(Debug)]
pub(super) struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.response().body().bytes() {
            Some(body) if context.output_or_error().is_ok() && !is_whole(body) => {
                Err("the answer ends in the middle".into())
            }
            _ => Ok(()),
        }
    }
}

/// Whether the last element that is closed is a root: EC2's and STS's are all called `…Response`.
fn is_whole(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"Response>")
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_is_whole_when_its_root_is_closed() {
        assert!(is_whole(
            b"<CopyImageResponse><imageId>ami-1</imageId></CopyImageResponse>\n"
        ));
        assert!(!is_whole(
            b"<CopyImageResponse><imageId>ami-1</imageId></CopyImageRespon"
        ));
        assert!(!is_whole(
            b"<DescribeImagesResponse><imagesSet><item></item>"
        ));
        assert!(!is_whole(b""));
    }
}
