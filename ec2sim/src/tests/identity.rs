//! Credentials, regions, roles.

use super::*;
use crate::Service;

const ROLE: [(&str, &str); 3] = [
    ("RoleArn", "arn:aws:iam::444455556666:role/amity"),
    ("RoleSessionName", "test"),
    ("ExternalId", "amity-example"),
];

fn sts() -> Ec2 {
    let mut ec2 = Ec2::calm();
    ec2.caller.service = Service::Sts;
    ec2
}

/// Takes on the credentials of an `AssumeRole` answer.
fn become_session(ec2: &mut Ec2, body: &str) {
    ec2.caller.access_key_id = text(body, "AccessKeyId");
    ec2.caller.session_token = text(body, "SessionToken");
}

#[test]
fn an_unknown_key_is_refused_in_the_words_of_each_service() {
    let mut ec2 = Ec2::calm();
    let answer = ec2.as_key("AKIAUNKNOWN").call("DescribeImages", &[]);
    assert_eq!(
        (answer.status, answer.error.as_deref()),
        (401, Some("AuthFailure"))
    );
    let answer = sts().as_key("AKIAUNKNOWN").call("GetCallerIdentity", &[]);
    assert_eq!(
        (answer.status, answer.error.as_deref()),
        (403, Some("InvalidClientTokenId"))
    );
}

#[test]
fn a_region_that_is_not_enabled_refuses_good_credentials() {
    let mut ec2 = Ec2::calm();
    assert_eq!(
        ec2.at("af-south-1").code("DescribeImages", &[]),
        "AuthFailure"
    );
    assert_eq!(
        ec2.at("mars-north-1").code("DescribeImages", &[]),
        "AuthFailure"
    );
}

#[test]
fn a_caller_learns_who_it_is() {
    let body = sts().ok("GetCallerIdentity", &[]);
    assert_eq!(text(&body, "Account").as_deref(), Some("111122223333"));
    assert_eq!(
        text(&body, "Arn").as_deref(),
        Some("arn:aws:iam::111122223333:user/ec2sim")
    );
}

#[test]
fn a_role_is_assumed_by_whom_it_trusts_with_the_external_id() {
    let mut ec2 = sts();
    let body = ec2.ok("AssumeRole", &ROLE);
    become_session(&mut ec2, &body);
    let body = ec2.ok("GetCallerIdentity", &[]);
    assert_eq!(
        text(&body, "Arn").as_deref(),
        Some("arn:aws:sts::444455556666:assumed-role/amity/test")
    );
    ec2.caller.service = Service::Ec2;
    assert_eq!(ec2.list(&[("Owner.1", "self")]), [SHARED]);
}

#[test]
fn a_role_is_not_assumed_otherwise() {
    let mut ec2 = sts();
    assert_eq!(ec2.code("AssumeRole", &ROLE[..2]), "AccessDenied");
    assert_eq!(
        ec2.as_key(PARTNER).code("AssumeRole", &ROLE),
        "AccessDenied"
    );
}

#[test]
fn temporary_credentials_need_their_token_and_end() {
    let mut ec2 = sts();
    let body = ec2.ok("AssumeRole", &ROLE);
    become_session(&mut ec2, &body);
    let token = ec2.caller.session_token.take();
    assert_eq!(ec2.code("GetCallerIdentity", &[]), "InvalidClientTokenId");
    ec2.caller.session_token = token;
    ec2.wait(3600);
    assert_eq!(ec2.code("GetCallerIdentity", &[]), "ExpiredToken");
    ec2.caller.service = Service::Ec2;
    assert_eq!(ec2.code("DescribeImages", &[]), "RequestExpired");
}
