//! A request as it arrives: who calls where, and what is asked.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::wire::json;

/// Which API a request is signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Amazon EC2, version 2016-11-15.
    Ec2,
    /// AWS Security Token Service, version 2011-06-15.
    Sts,
    /// AWS Systems Manager, version 2014-11-06.
    Ssm,
}

/// Who calls, and where, as the signature says. Signatures themselves are not checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The access key id; none if the request is not signed.
    pub access_key_id: Option<String>,
    /// The token that comes with temporary credentials.
    pub session_token: Option<String>,
    /// The region of the credential scope.
    pub region: String,
    /// The service of the credential scope.
    pub service: Service,
}

impl Caller {
    /// A caller of EC2 with a long-lived access key.
    pub fn ec2(access_key_id: &str, region: &str) -> Self {
        Self {
            access_key_id: Some(access_key_id.to_owned()),
            session_token: None,
            region: region.to_owned(),
            service: Service::Ec2,
        }
    }

    /// A caller of Systems Manager with a long-lived access key.
    pub fn ssm(access_key_id: &str, region: &str) -> Self {
        Self {
            service: Service::Ssm,
            ..Self::ec2(access_key_id, region)
        }
    }

    /// A caller of STS with a long-lived access key.
    pub fn sts(access_key_id: &str, region: &str) -> Self {
        Self {
            service: Service::Sts,
            ..Self::ec2(access_key_id, region)
        }
    }
}

/// An action and its parameters, by their names on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The action, such as `DescribeImages`; empty if none was named.
    pub action: String,
    /// The API version that the client speaks; empty if it does not say.
    pub version: String,
    /// The other parameters, such as `Filter.1.Name`.
    pub parameters: BTreeMap<String, String>,
}

impl Request {
    /// A request with these parameters.
    pub fn new(action: &str, parameters: &[(&str, &str)]) -> Self {
        Self {
            action: action.to_owned(),
            version: String::new(),
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// The ids of resources that the request names, in no particular order.
    pub fn ids(&self) -> Vec<String> {
        const PREFIXES: [&str; 5] = ["ami-", "snap-", "i-", "vol-", "lt-"];
        let named = |value: &&String| PREFIXES.iter().any(|prefix| value.starts_with(prefix));
        self.parameters.values().filter(named).cloned().collect()
    }
}

/// An HTTP request, as far as it matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpRequest<'a> {
    /// Header `authorization`.
    pub authorization: Option<&'a str>,
    /// Header `x-amz-security-token`.
    pub security_token: Option<&'a str>,
    /// Header `x-amz-target`: service and action of a request in JSON.
    pub target: Option<&'a str>,
    /// The query of the address, without `?`.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl HttpRequest<'_> {
    /// Reads the caller from the signature, and the action from query and body: or the answer
    /// to a request that cannot be read, because a parameter comes twice or the JSON is none.
    pub fn read(self) -> (Caller, Result<Request, ApiError>) {
        let mut parameters = BTreeMap::new();
        let mut twice = None;
        let query = form_urlencoded::parse(self.query.unwrap_or_default().as_bytes());
        let form = if self.target.is_some() {
            &[]
        } else {
            self.body
        };
        for (name, value) in query.chain(form_urlencoded::parse(form)) {
            if parameters
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                twice = Some(name.into_owned());
            }
        }
        let mut signed = Presigned::take(&mut parameters);
        let credential = self
            .authorization
            .and_then(credential)
            .or(signed.credential.as_deref());
        let version = parameters.remove("Version").unwrap_or_default();
        let mut scope = credential.unwrap_or_default().split('/');
        let access_key_id = scope
            .next()
            .filter(|key| !key.is_empty())
            .map(str::to_owned);
        let region = scope.nth(1).unwrap_or("us-east-1").to_owned();
        let service = match scope.next() {
            Some("sts") => Service::Sts,
            Some("ssm") => Service::Ssm,
            None if self
                .target
                .is_some_and(|target| target.starts_with("AmazonSSM.")) =>
            {
                Service::Ssm
            }
            None if version == "2011-06-15" => Service::Sts,
            _ => Service::Ec2,
        };
        let session_token = self
            .security_token
            .map(str::to_owned)
            .or(signed.security_token.take());
        let caller = Caller {
            access_key_id,
            session_token,
            region,
            service,
        };
        if let Some((_, action)) = self.target.and_then(|target| target.split_once('.')) {
            let request = json::members(self.body).map(|parameters| Request {
                action: action.to_owned(),
                version,
                parameters,
            });
            return (caller, request);
        }
        if let Some(name) = twice {
            let message = format!("The parameter {name} was specified more than once");
            return (caller, Err(ApiError::invalid_value(message)));
        }
        let action = parameters.remove("Action").unwrap_or_default();
        let request = Request {
            action,
            version,
            parameters,
        };
        (caller, Ok(request))
    }
}

/// `Credential=KEY/DATE/REGION/SERVICE/aws4_request` of an `authorization` header.
fn credential(authorization: &str) -> Option<&str> {
    let (_, rest) = authorization.split_once("Credential=")?;
    rest.split([',', ' ']).next()
}

/// What a presigned address carries in its query instead of in headers.
struct Presigned {
    credential: Option<String>,
    security_token: Option<String>,
}

impl Presigned {
    fn take(parameters: &mut BTreeMap<String, String>) -> Self {
        for name in [
            "X-Amz-Algorithm",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
        ] {
            parameters.remove(name);
        }
        Self {
            credential: parameters.remove("X-Amz-Credential"),
            security_token: parameters.remove("X-Amz-Security-Token"),
        }
    }
}
