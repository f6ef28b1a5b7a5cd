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
fn a_session_is_tagged_where_the_role_lets_it() {
    let tag = [
        ("Tags.member.1.Key", "amity.dev/namespace"),
        ("Tags.member.1.Value", "images"),
    ];
    let tagged = [&ROLE[..], &tag].concat();
    let mut ec2 = sts();
    ec2.ok("AssumeRole", &tagged);
    let account = ec2.world.account_mut("444455556666").expect("it is there");
    let role = account.roles.get_mut("amity").expect("it is there");
    role.allows_session_tags = false;
    let (code, message) = ec2.refused("AssumeRole", &tagged);
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        message,
        "User: arn:aws:iam::111122223333:user/ec2sim is not authorized to perform: sts:TagSession on resource: \
         arn:aws:iam::444455556666:role/amity"
    );
    ec2.ok("AssumeRole", &ROLE);
}

#[test]
fn the_tags_of_a_session_are_within_their_limits() {
    let with = |tags: &[(&str, &str)]| {
        let numbered = tags.iter().enumerate().flat_map(|(number, (key, value))| {
            let name = |part| format!("Tags.member.{}.{part}", number + 1);
            [
                (name("Key"), (*key).to_owned()),
                (name("Value"), (*value).to_owned()),
            ]
        });
        let tags: Vec<(String, String)> = numbered.collect();
        let tags = tags
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = ROLE.into_iter().chain(tags).collect();
        sts().call("AssumeRole", &all).error
    };
    assert_eq!(with(&[("Team", ""), ("größe", "7 GB_.:/=+-@")]), None);
    let (key, value) = ("k".repeat(128), "v".repeat(256));
    assert_eq!(with(&[(&key, &value)]), None);
    let many: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "v")).collect();
    assert_eq!(with(&many[..50]), None);
    for refused in [
        &many[..],
        &[("team", "a"), ("Team", "b")],
        &[("aws:team", "a")],
        &[("team", "a*")],
        &[("te{am", "a")],
        &[(&"k".repeat(129), "v")],
        &[("k", &"v".repeat(257))],
    ] {
        assert_eq!(with(refused).as_deref(), Some("ValidationError"));
    }
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
