//! How an account is reached, and the proof that it is the right one.
//!
//! A session is opened with the controller's own credentials or with a role, and is good for nothing until
//! `GetCallerIdentity` has named the account that the spec names. The SDK never retries here: what changes
//! EC2 is repeated by the next reconcile alone, and reads are repeated by [`super::calls`], so that there is
//! one back-off and no hidden one.
//!
//! What serves all objects is read in one session. What is done for one of them may have another, which is tagged
//! with its namespace ([`Sessions::open_for`]), so that policies of the account can tell namespaces apart.

mod answers;
mod role;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use amity_core::api::conditions::{self, Reason};
use amity_core::api::{AwsAccount, SessionTags};
use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ssm::Client as Ssm;
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::tls;
use jiff::{SignedDuration, Timestamp};

use super::calls::{self, EC2Calls};
use super::error::{Class, Failure};
use crate::clock::Clock;
use answers::WholeAnswers;
use role::{NAMESPACE_TAG, RoleCredentials};

/// How long one call may take. The SDK's own default is for ever. What changes EC2 may have less time
/// ([`super::fence`]).
pub const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// How long one call may take together with getting credentials for it.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(75);

/// When the proof of an account is made anew.
pub const PROOF_RENEWAL: SignedDuration = SignedDuration::from_hours(1);

/// How long a proof holds at most, while AWS cannot be asked for a new one.
const PROOF_LASTS: SignedDuration = SignedDuration::from_hours(2);

/// How long a failure to open an account answers everybody who asks for the same.
const FAILURE_LASTS: SignedDuration = SignedDuration::from_secs(5);

/// The region whose endpoints answer when nothing names another.
const DEFAULT_REGION: &str = "us-east-1";

/// The accounts that were reached.
#[derive(Debug)]
pub struct Sessions {
    config: SdkConfig,
    clock: Clock,
    calls: EC2Calls,
    slots: Mutex<BTreeMap<Key, Arc<Slot>>>,
}

/// An account, and the namespace that its session is tagged with.
type Key = (String, Option<String>);

/// One session of an account: who asks while it is being opened waits for the outcome.
#[derive(Debug, Default)]
struct Slot {
    opening: tokio::sync::Mutex<()>,
    last: Mutex<Option<Opened>>,
}

/// What came of opening an account.
#[derive(Clone, Debug)]
struct Opened {
    access: Access,
    at: Timestamp,
    outcome: Result<Session, Unreadable>,
    /// AWS did not take the credentials: they are to be got anew.
    is_stale: bool,
}

/// How an account is reached: the part of an `AwsAccount` that a session depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The account's twelve digits.
    pub account_id: String,
    /// The role to assume; `None` for the controller's own credentials.
    pub role: Option<Role>,
    /// The regions to use; empty for every enabled one.
    pub regions: Vec<String>,
    /// The namespace that the role's session is tagged with.
    pub namespace: Option<String>,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// What the sessions are tagged with in which something is changed.
    pub session_tags: Option<SessionTags>,
}

impl From<&AwsAccount> for Access {
    fn from(account: &AwsAccount) -> Self {
        let role = account.spec.assume_role.as_ref();
        Self {
            account_id: account.spec.account_id.clone(),
            role: role.map(|role| Role {
                arn: role.role_arn.clone(),
                external_id: role.external_id.clone(),
                session_tags: role.session_tags,
            }),
            regions: account.spec.regions.clone(),
            namespace: None,
        }
    }
}

impl Access {
    /// The same with a session that is tagged with a namespace; `None` where sessions are not.
    fn tagged_with(&self, namespace: &str) -> Option<Self> {
        let role = self.role.as_ref()?;
        role.session_tags.map(|SessionTags::Namespace| Self {
            namespace: Some(namespace.to_owned()),
            ..self.clone()
        })
    }
}

/// An account that was reached and proved to be the right one.
#[derive(Clone, Debug)]
pub struct Session {
    account_id: String,
    regions: Arc<[String]>,
    proven_at: Timestamp,
    config: SdkConfig,
    clients: Arc<Clients>,
}

/// The clients of an account, by region.
#[derive(Debug, Default)]
struct Clients {
    ec2: Mutex<BTreeMap<String, Ec2>>,
    ssm: Mutex<BTreeMap<String, Ssm>>,
}

impl Session {
    /// The account's id, as STS gave it.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// The regions that are enabled for the account and wanted by the `AwsAccount`, sorted; none in a session that is
    /// tagged, which is not for reading.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The client for a region.
    pub(super) fn ec2(&self, region: &str) -> Ec2 {
        let clients = self.clients.ec2.lock();
        clients
            .unwrap_or_else(PoisonError::into_inner)
            .entry(region.to_owned())
            .or_insert_with(|| ec2_client(&self.config, region))
            .clone()
    }

    /// The client for the parameters of a region.
    pub(super) fn ssm(&self, region: &str) -> Ssm {
        let clients = self.clients.ssm.lock();
        clients
            .unwrap_or_else(PoisonError::into_inner)
            .entry(region.to_owned())
            .or_insert_with(|| ssm_client(&self.config, region))
            .clone()
    }
}

impl Sessions {
    /// Sessions from what the environment says: credentials as every AWS client finds them, `AWS_REGION` as
    /// the region whose STS is asked, `AWS_ENDPOINT_URL` instead of AWS. No metadata service is asked for a
    /// region.
    pub async fn from_environment(clock: Clock, calls: EC2Calls) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(DEFAULT_REGION);
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(region)
            .retry_config(RetryConfig::standard())
            .load()
            .await;
        Self::over(&config, clock, calls)
    }

    /// Sessions over a given configuration, which brings the HTTP client, the credentials and the clock of
    /// a simulation. Retries, timeouts and the cache of identities are set here in any case.
    pub fn over(config: &SdkConfig, clock: Clock, calls: EC2Calls) -> Self {
        let config = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            // The timeout is what ends a call that hangs: bodies are small, and those that change EC2 are given out late.
            .stalled_stream_protection(
                aws_config::stalled_stream_protection::StalledStreamProtectionConfig::disabled(),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(CALL_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            )
            // The default keeps 64 and evicts in random order, and gives up before a repeated AssumeRole.
            .identity_cache(
                IdentityCache::lazy()
                    .max_partitions(10_000)
                    .load_timeout(CALL_TIMEOUT)
                    .build(),
            )
            .build();
        Self {
            config,
            clock,
            calls,
            slots: Mutex::default(),
        }
    }

    /// Opens an account, or takes the session that is open: own credentials or the role's, proven to be in
    /// `accountId`, with its regions. The error says what to do about it.
    pub async fn open(&self, account: &AwsAccount) -> Result<Session, Unreadable> {
        self.open_access(&Access::from(account)).await
    }

    /// The same, by what matters of the account.
    pub async fn open_access(&self, access: &Access) -> Result<Session, Unreadable> {
        let slot = self.slot(&access.account_id, access.namespace.as_deref());
        let _only_one = slot.opening.lock().await;
        let before = slot.last().filter(|opened| opened.access == *access);
        let now = self.clock.now();
        match &before {
            Some(Opened {
                outcome: Ok(session),
                is_stale: false,
                ..
            }) if now < session.proven_at + PROOF_RENEWAL => {
                return Ok(session.clone());
            }
            Some(Opened {
                outcome: Err(unreadable),
                at,
                ..
            }) if now < *at + FAILURE_LASTS => {
                return Err(unreadable.clone());
            }
            _ => {}
        }
        let known = before
            .filter(|opened| !opened.is_stale)
            .and_then(|opened| opened.outcome.ok());
        let outcome = match (self.prove(access, known.as_ref()).await, known) {
            (Err(refusal), Some(session)) if refusal.may_pass() && self.holds(&session) => {
                Ok(session)
            }
            (outcome, _) => outcome.map_err(|refusal| refusal.0),
        };
        let (access, at) = (access.clone(), self.clock.now());
        slot.put(Opened {
            access,
            at,
            outcome: outcome.clone(),
            is_stale: false,
        });
        outcome
    }

    /// The session of an account that is open and proven.
    pub(super) fn proven(&self, account_id: &str) -> Option<Session> {
        let session = self.slot(account_id, None).last()?.outcome.ok()?;
        self.holds(&session).then_some(session)
    }

    /// The session in which something is done for an object of `namespace` in an account that is open. Where its
    /// sessions are to be tagged it is one of that namespace, which is opened and proven like any other. The error says
    /// what to do about it.
    pub(super) async fn open_for(
        &self,
        account_id: &str,
        namespace: &str,
    ) -> Result<Session, Unreadable> {
        let not_yet = |what: &str| Unreadable {
            reason: conditions::REGION_UNREADABLE,
            message: format!("account {account_id} {what}; it is tried again by itself"),
        };
        let untagged = self.proven(account_id);
        let untagged = untagged.ok_or_else(|| not_yet("is not open"))?;
        let opened = self.slot(account_id, None).last();
        let Some(tagged) = opened.and_then(|opened| opened.access.tagged_with(namespace)) else {
            return Ok(untagged);
        };
        // Whoever does something for one object waits no longer for its session than for the call itself.
        let session = tokio::time::timeout(CALL_TIMEOUT, self.open_access(&tagged)).await;
        session.unwrap_or_else(|_| {
            Err(not_yet(&format!(
                "was not opened in time with the session tag {NAMESPACE_TAG}={namespace}"
            )))
        })
    }

    /// AWS did not take the credentials of an account: whoever opens it next gets others.
    pub(super) fn renew(&self, account_id: &str) {
        for slot in self.slots_of(account_id) {
            if let Some(last) = slot.last() {
                slot.put(Opened {
                    is_stale: true,
                    ..last
                });
            }
        }
    }

    /// A region answered as if it did not know the credentials: whoever opens the account next proves it anew, with
    /// the same ones. While AWS cannot be asked, a session holds as long as its last proof does.
    pub(super) fn prove_again(&self, account_id: &str) {
        let due = self.clock.now() - PROOF_RENEWAL;
        for slot in self.slots_of(account_id) {
            if let Some(mut last) = slot.last() {
                if let Ok(session) = &mut last.outcome {
                    session.proven_at = session.proven_at.min(due);
                }
                slot.put(last);
            }
        }
    }

    /// The account that the process's own credentials are of.
    ///
    /// # Errors
    /// STS does not say.
    pub async fn own_account(&self) -> Result<String, Failure> {
        let home = self.config.region().map_or(DEFAULT_REGION, AsRef::as_ref);
        let config = self
            .config
            .to_builder()
            .region(Region::new(home.to_owned()));
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&config.build())
                .interceptor(WholeAnswers)
                .build(),
        );
        let caller = calls::read(&self.calls, "GetCallerIdentity", || {
            sts.get_caller_identity().send()
        });
        let account = caller.await?.account().map(str::to_owned);
        account.ok_or_else(|| Failure::unknown("STS names no account"))
    }

    pub(super) fn calls(&self) -> &EC2Calls {
        &self.calls
    }

    fn holds(&self, session: &Session) -> bool {
        self.clock.now() < session.proven_at + PROOF_LASTS
    }

    fn slot(&self, account_id: &str, namespace: Option<&str>) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account_id.to_owned(), namespace.map(str::to_owned));
        Arc::clone(slots.entry(key).or_default())
    }

    fn slots_of(&self, account_id: &str) -> Vec<Arc<Slot>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let of_account = slots.iter().filter(|((id, _), _)| id == account_id);
        of_account.map(|(_, slot)| Arc::clone(slot)).collect()
    }

    /// Asks STS who we are and, for a session in which everything is read, EC2 which regions there are, with the
    /// credentials of `known` if there is one.
    async fn prove(&self, access: &Access, known: Option<&Session>) -> Result<Session, NotOpened> {
        let home = self.home_region(access);
        let config = known.map_or_else(
            || self.account_config(access, &home),
            |session| session.config.clone(),
        );
        let place = Place::new(access.account_id.clone(), home.clone());
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&config)
                .interceptor(WholeAnswers)
                .build(),
        );
        let caller = calls::read(&self.calls, "GetCallerIdentity", || {
            sts.get_caller_identity().send()
        })
        .await
        .map_err(|failure| NotOpened::of(&failure, "GetCallerIdentity", access, &place))?;
        let found = caller.account().unwrap_or_default();
        if found != access.account_id {
            return Err(NotOpened::wrong_account(
                access,
                found,
                caller.arn().unwrap_or_default(),
            ));
        }
        let clients = known.map_or_else(Arc::default, |session| Arc::clone(&session.clients));
        let mut session = Session {
            account_id: access.account_id.clone(),
            regions: Arc::default(),
            proven_at: self.clock.now(),
            config,
            clients,
        };
        if access.namespace.is_none() {
            session.regions = self.regions(&session, access, &place).await?;
        }
        Ok(session)
    }

    async fn regions(
        &self,
        session: &Session,
        access: &Access,
        place: &Place,
    ) -> Result<Arc<[String]>, NotOpened> {
        let ec2 = session.ec2(&place.region);
        let answer = calls::read(&self.calls, "DescribeRegions", || {
            ec2.describe_regions().all_regions(false).send()
        })
        .await
        .map_err(|failure| NotOpened::of(&failure, "DescribeRegions", access, place))?;
        let wanted = |name: &String| access.regions.is_empty() || access.regions.contains(name);
        let mut regions: Vec<String> = answer
            .regions()
            .iter()
            .filter(|region| {
                matches!(
                    region.opt_in_status(),
                    None | Some("opt-in-not-required" | "opted-in")
                )
            })
            .filter_map(|region| region.region_name().map(str::to_owned))
            .filter(wanted)
            .collect();
        regions.sort();
        regions.dedup();
        if regions.is_empty() {
            return Err(NotOpened(Unreadable {
                reason: conditions::REGION_NOT_IN_ACCOUNT,
                message: format!(
                    "none of spec.regions ({}) is enabled for account {}: enable one, or take others",
                    access.regions.join(", "),
                    access.account_id
                ),
            }));
        }
        Ok(regions.into())
    }

    /// Where STS is asked: in a region of the account's own partition, since partitions never mix.
    fn home_region(&self, access: &Access) -> String {
        let configured = self.config.region().map_or(DEFAULT_REGION, Region::as_ref);
        let partition = access
            .role
            .as_ref()
            .and_then(|role| role.arn.split(':').nth(1))
            .unwrap_or_default();
        let (prefix, region) = match partition {
            "aws-cn" => ("cn-", "cn-north-1"),
            "aws-us-gov" => ("us-gov-", "us-gov-west-1"),
            _ => return configured.to_owned(),
        };
        if configured.starts_with(prefix) {
            configured.to_owned()
        } else {
            region.to_owned()
        }
    }

    fn account_config(&self, access: &Access, home: &str) -> SdkConfig {
        let config = self
            .config
            .to_builder()
            .region(Region::new(home.to_owned()))
            .build();
        let Some(role) = &access.role else {
            return config;
        };
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&config)
                .interceptor(WholeAnswers)
                .build(),
        );
        let namespace = access.namespace.as_deref();
        let role = RoleCredentials::new(sts, role, namespace, self.calls.clone());
        config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(role))
            .build()
    }
}

impl Slot {
    fn last(&self) -> Option<Opened> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn put(&self, opened: Opened) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
    }
}

/// Why an account could not be opened.
struct NotOpened(Unreadable);

impl NotOpened {
    fn of(failure: &Failure, action: &'static str, access: &Access, place: &Place) -> Self {
        let reason = Self::reason(failure);
        let how = match (&access.role, &access.namespace) {
            (Some(role), None) => format!(" with role {}", role.arn),
            (Some(role), Some(namespace)) => format!(
                " with role {} and the session tag {NAMESPACE_TAG}={namespace}",
                role.arn
            ),
            (None, _) => " with the controller's own credentials".to_owned(),
        };
        let message = failure.sentence(&format!("{action}{how}"), "", place, reason);
        Self(Unreadable { reason, message })
    }

    fn reason(failure: &Failure) -> Reason {
        match failure.class {
            // A role that was refused, or no credentials at all: the account is not reached.
            _ if failure.concerns_credentials() || failure.concerns_region() => {
                conditions::NO_CREDENTIALS
            }
            Class::Throttled => conditions::THROTTLED,
            Class::Unknown | Class::NotSent => conditions::REGION_UNREADABLE,
            Class::Denied => conditions::ACCESS_DENIED,
            Class::Refused => conditions::REFUSED,
        }
    }

    fn wrong_account(access: &Access, found: &str, arn: &str) -> Self {
        let remedy = match &access.role {
            Some(role) => format!("correct spec.assumeRole.roleArn ({})", role.arn),
            None => "set spec.assumeRole, or run Amity with credentials of that account".to_owned(),
        };
        let message = format!(
            "the credentials lead into account {found} ({arn}), not {}: {remedy}",
            access.account_id
        );
        Self(Unreadable {
            reason: conditions::WRONG_ACCOUNT,
            message,
        })
    }

    /// Whether it says nothing about the account: AWS was busy or out of reach.
    fn may_pass(&self) -> bool {
        [conditions::THROTTLED, conditions::REGION_UNREADABLE].contains(&self.0.reason)
    }
}

fn ec2_client(config: &SdkConfig, region: &str) -> Ec2 {
    let config = aws_sdk_ec2::config::Builder::from(config)
        .region(Region::new(region.to_owned()))
        .interceptor(WholeAnswers)
        .build();
    Ec2::from_conf(config)
}

/// Its answers are JSON, of which the SDK takes no half.
fn ssm_client(config: &SdkConfig, region: &str) -> Ssm {
    let config = aws_sdk_ssm::config::Builder::from(config)
        .region(Region::new(region.to_owned()))
        .build();
    Ssm::from_conf(config)
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Self::now(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(region: &str) -> Sessions {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.to_owned()))
            .build();
        Sessions::over(&config, Clock::real(), EC2Calls::default())
    }

    fn access(role: Option<&str>) -> Access {
        Access {
            account_id: "111122223333".into(),
            role: role.map(|arn| Role {
                arn: arn.to_owned(),
                external_id: None,
                session_tags: None,
            }),
            regions: Vec::new(),
            namespace: None,
        }
    }

    #[test]
    fn sts_is_asked_in_the_partition_of_the_role() {
        let home = |region: &str, role| sessions(region).home_region(&access(role));
        assert_eq!(home("eu-west-1", None), "eu-west-1");
        assert_eq!(
            home("eu-west-1", Some("arn:aws:iam::111122223333:role/amity")),
            "eu-west-1"
        );
        assert_eq!(
            home("eu-west-1", Some("arn:aws-cn:iam::111122223333:role/amity")),
            "cn-north-1"
        );
        assert_eq!(
            home(
                "us-gov-east-1",
                Some("arn:aws-us-gov:iam::111122223333:role/amity")
            ),
            "us-gov-east-1"
        );
    }

    #[test]
    fn an_account_that_was_never_opened_has_no_session() {
        assert!(sessions("us-east-1").proven("111122223333").is_none());
    }
}
