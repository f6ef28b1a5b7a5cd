//! The wire: form-encoded requests in, XML out (EC2 Developer Guide, "Query requests"), and JSON for
//! Systems Manager.

pub(crate) mod base64;
pub(crate) mod json;
pub(crate) mod parameters;
pub mod request;
pub mod response;
