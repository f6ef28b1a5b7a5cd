//! Credentials of a role, by `AssumeRole`. The SDK has a provider of its own, whose calls could not be
//! counted and whose errors could not be told apart.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::Client;

use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

/// The session name, which `CloudTrail` shows. Fixed, so that the policies of an account may name it.
const SESSION_NAME: &str = "amity";

/// Assumes one role with the controller's own credentials.
#[derive(Debug)]
pub(super) struct RoleCredentials {
    sts: Client,
    role_arn: String,
    external_id: Option<String>,
    calls: EC2Calls,
}

impl RoleCredentials {
    pub(super) fn new(
        sts: Client,
        role_arn: &str,
        external_id: Option<&str>,
        calls: EC2Calls,
    ) -> Self {
        Self {
            sts,
            role_arn: role_arn.to_owned(),
            external_id: external_id.map(str::to_owned),
            calls,
        }
    }

    async fn assume(&self) -> provider::Result {
        let request = || {
            self.sts
                .assume_role()
                .role_arn(&self.role_arn)
                .role_session_name(SESSION_NAME)
                .set_external_id(self.external_id.clone())
                .send()
        };
        let answer = calls::read(&self.calls, "AssumeRole", request)
            .await
            .map_err(CredentialsError::provider_error)?;
        let Some(credentials) = answer.credentials() else {
            return Err(CredentialsError::provider_error(Failure::unknown(
                "AssumeRole gave no credentials",
            )));
        };
        let expires = credentials
            .expiration()
            .to_owned()
            .try_into()
            .map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            credentials.access_key_id(),
            credentials.secret_access_key(),
            Some(credentials.session_token().to_owned()),
            Some(expires),
            "AssumeRole",
        ))
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
