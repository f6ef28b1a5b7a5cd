//! `GetAllowedImagesSettings`: which images of others an account may use. Here any, as where nobody has set anything.

use crate::error::ApiError;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;

pub(crate) fn settings(parameters: Parameters) -> Result<Reply, ApiError> {
    parameters.finish_action()?;
    Ok(Reply::of(|xml| {
        xml.text("state", "disabled");
        xml.text("managedBy", "account");
    }))
}
