//! The wire: form-encoded requests in, XML out (EC2 Developer Guide, "Query requests").

pub(crate) mod parameters;
pub mod request;
pub mod response;
