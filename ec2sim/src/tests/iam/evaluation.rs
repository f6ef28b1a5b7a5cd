//! Deny, allow, and whose policies count.

use super::*;

#[test]
fn who_has_no_policies_may_do_everything_and_an_empty_list_allows_nothing() {
    let mut ec2 = Ec2::calm();
    assert!(may(&mut ec2, "DescribeImages", &[]));
    ec2.world.set_policies(HOME, Vec::new()).expect("the key");
    assert!(!may(&mut ec2, "DescribeImages", &[]));
    assert!(may(ec2.as_key(PARTNER), "DescribeImages", &[]));
}

#[test]
fn a_deny_wins_over_every_allow() {
    let mut ec2 = under(&json!([
        {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:DeregisterImage", "Resource": "arn:aws:ec2:*::image/*"},
    ]));
    let (code, message) = ec2.refused("DeregisterImage", &[("ImageId", GOLDEN)]);
    assert_eq!(code, UNAUTHORIZED);
    assert!(
        message.contains(" with an explicit deny in an identity-based policy."),
        "{message}"
    );
    assert!(may(&mut ec2, "DescribeImages", &[]));
}

#[test]
fn one_of_several_policies_is_enough() {
    let mut ec2 = Ec2::calm();
    let one = |action: &str| policy(&allow(action, &json!({})));
    let policies = vec![one("ec2:DescribeImages"), one("ec2:DescribeRegions")];
    ec2.world.set_policies(HOME, policies).expect("the key");
    assert!(may(&mut ec2, "DescribeRegions", &[]));
    assert!(!may(&mut ec2, "DescribeInstances", &[]));
}

#[test]
fn actions_have_wildcards_and_no_case() {
    let mut ec2 = under(&allow("EC2:describe?mages", &json!({})));
    assert!(may(&mut ec2, "DescribeImages", &[]));
    assert!(!may(&mut ec2, "DescribeRegions", &[]));
}

#[test]
fn what_is_not_named_is_meant_by_not() {
    let mut ec2 = under(
        &json!({"Effect": "Allow", "NotAction": "ec2:Describe*", "NotResource": "arn:aws:ec2:*::snapshot/*"}),
    );
    assert!(!may(&mut ec2, "DescribeImages", &[]));
    assert!(may(&mut ec2, "DeregisterImage", &[("ImageId", GOLDEN)]));
    assert!(!may(
        &mut ec2,
        "DeleteSnapshot",
        &[("SnapshotId", GOLDEN_SNAPSHOT)]
    ));
}

#[test]
fn a_wildcard_stays_between_its_colons_unless_it_is_the_last() {
    for (resource, fits) in [
        ("arn:aws:ec2:us-east-1::image/*", true),
        ("arn:aws:ec2:eu-west-1::image/*", false),
        ("arn:aws:ec2:*", true),
        ("arn:aws:*:image/*", false),
        ("arn:aws:ec2:*:111122223333:image/*", false),
        ("arn:aws:ec2:*:*:*/ami-0feed*", true),
    ] {
        let statement =
            json!({"Effect": "Allow", "Action": "ec2:DeregisterImage", "Resource": resource});
        let may = may(
            &mut under(&statement),
            "DeregisterImage",
            &[("ImageId", GOLDEN)],
        );
        assert_eq!(may, fits, "{resource}");
    }
}

#[test]
fn a_list_needs_a_policy_for_everything() {
    let statement = json!({"Effect": "Allow", "Action": "ec2:DescribeImages", "Resource": "arn:aws:ec2:*::image/*"});
    assert!(!may(&mut under(&statement), "DescribeImages", &[]));
}

#[test]
fn every_resource_of_a_call_must_be_allowed() {
    let team = json!({"StringEquals": {"aws:ResourceTag/team": "platform"}});
    let mut ec2 = under(&allow("ec2:CreateTags", &team));
    let tag = |second: &'static str| {
        [
            ("ResourceId.1", GOLDEN),
            ("ResourceId.2", second),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", "1"),
        ]
    };
    assert!(may(&mut ec2, "CreateTags", &tag(GOLDEN_SNAPSHOT)));
    assert!(!may(&mut ec2, "CreateTags", &tag(INSTANCE)));
}

#[test]
fn tags_are_those_that_ec2_knows_whatever_readers_see() {
    let mut ec2 = Ec2::with(Knobs {
        max_read_lag_seconds: 60,
        ..Knobs::calm()
    });
    let new = json!({"StringEquals": {"aws:ResourceTag/new": "1"}});
    restrict(
        &mut ec2,
        HOME,
        &json!([
            allow("ec2:CreateTags", &json!({})),
            allow("ec2:DeregisterImage", &new)
        ]),
    );
    assert!(!may(&mut ec2, "DeregisterImage", &[("ImageId", GOLDEN)]));
    let tag = [
        ("ResourceId.1", GOLDEN),
        ("Tag.1.Key", "new"),
        ("Tag.1.Value", "1"),
    ];
    ec2.ok("CreateTags", &tag);
    assert!(may(&mut ec2, "DeregisterImage", &[("ImageId", GOLDEN)]));
}

#[test]
fn what_is_not_there_is_denied_or_not_found() {
    let team = json!({"StringEquals": {"aws:ResourceTag/team": "platform"}});
    for (missing_resources_are_denied, code) in
        [(true, UNAUTHORIZED), (false, "InvalidAMIID.NotFound")]
    {
        let mut ec2 = under(&allow("ec2:DeregisterImage", &team));
        ec2.world.facts_mut().missing_resources_are_denied = missing_resources_are_denied;
        let nothing = [("ImageId", "ami-00000000000000000")];
        assert_eq!(ec2.code("DeregisterImage", &nothing), code);
        ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
        let again = ec2.code("DeregisterImage", &[("ImageId", GOLDEN)]);
        assert_eq!(
            again == UNAUTHORIZED,
            missing_resources_are_denied,
            "{again}"
        );
        let mut denials = ec2.world.policy_ledger().denials().into_iter();
        assert!(denials.all(|denial| denial.missing));
    }
}

#[test]
fn a_parameter_that_is_not_there_is_denied_or_not_found() {
    let owner = json!({"StringEquals": {"aws:ResourceTag/owner": "me"}});
    for (missing_resources_are_denied, code) in [
        (true, "AccessDeniedException"),
        (false, "ParameterNotFound"),
    ] {
        let mut ec2 = under(&allow("ssm:DeleteParameter", &owner));
        ec2.world.facts_mut().missing_resources_are_denied = missing_resources_are_denied;
        let caller = Caller::ssm(HOME, "us-east-1");
        let mut delete = |name: &str| {
            let request = Request::new("DeleteParameter", &[("Name", name)]);
            let answer = ec2.world.call(ec2.now, &caller, &request);
            answer.error.unwrap_or_default()
        };
        assert_eq!(delete("/none"), code);
        assert_eq!(delete("/golden/web"), "AccessDeniedException");
        let denials = ec2.world.policy_ledger().denials();
        let last = denials.last().expect("a denial");
        assert!(!last.missing, "{last:?}");
    }
}

#[test]
fn a_session_has_the_policies_of_its_role() {
    let mut ec2 = Ec2::calm();
    restrict(&mut ec2, ROLE, &allow("ec2:DescribeRegions", &json!({})));
    ec2.caller.service = Service::Sts;
    let role = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "test"),
        ("ExternalId", "amity-example"),
    ];
    let body = ec2.ok("AssumeRole", &role);
    ec2.caller = Caller {
        access_key_id: text(&body, "AccessKeyId"),
        session_token: text(&body, "SessionToken"),
        ..Caller::ec2(HOME, "us-east-1")
    };
    assert!(may(&mut ec2, "DescribeRegions", &[]));
    let (_, message) = ec2.refused("DescribeImages", &[]);
    let user = "User: arn:aws:sts::444455556666:assumed-role/amity/test is not authorized";
    assert!(message.contains(user), "{message}");
    let principal = &ec2.world.policy_ledger().denials()[0].principal;
    assert_eq!(principal, ROLE);
}

/// Somebody in a session of the role with a tag `team`.
fn in_a_team(ec2: &mut Ec2, team: &str) {
    ec2.caller = Caller {
        service: Service::Sts,
        ..Caller::ec2(HOME, "us-east-1")
    };
    let role = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "test"),
        ("ExternalId", "amity-example"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", team),
    ];
    let body = ec2.ok("AssumeRole", &role);
    ec2.caller = Caller {
        access_key_id: text(&body, "AccessKeyId"),
        session_token: text(&body, "SessionToken"),
        ..Caller::ec2(HOME, "us-east-1")
    };
}

#[test]
fn a_session_is_known_by_its_tags() {
    let mut ec2 = Ec2::calm();
    let web = json!({"StringEquals": {"aws:PrincipalTag/team": "web"}});
    restrict(&mut ec2, ROLE, &allow("ec2:DescribeRegions", &web));
    in_a_team(&mut ec2, "web");
    assert!(may(&mut ec2, "DescribeRegions", &[]));
    in_a_team(&mut ec2, "base");
    assert!(!may(&mut ec2, "DescribeRegions", &[]));
}

#[test]
fn a_resource_is_compared_with_a_tag_of_the_session() {
    let mut ec2 = Ec2::calm();
    let of_the_team =
        json!({"StringLike": {"aws:ResourceTag/object": "${aws:PrincipalTag/team}/*"}});
    let tags = json!([
        allow("ec2:CreateTags", &json!({})),
        allow("ec2:DeregisterImage", &of_the_team)
    ]);
    restrict(&mut ec2, ROLE, &tags);
    in_a_team(&mut ec2, "web");
    let tag = [
        ("ResourceId.1", SHARED),
        ("Tag.1.Key", "object"),
        ("Tag.1.Value", "web/one"),
    ];
    ec2.ok("CreateTags", &tag);
    let image = [("ImageId", SHARED)];
    assert!(may(&mut ec2, "DeregisterImage", &image));
    for other in ["base", "we"] {
        in_a_team(&mut ec2, other);
        assert!(!may(&mut ec2, "DeregisterImage", &image), "{other}");
    }
    restrict(&mut ec2, PARTNER, &tags);
    ec2.as_key(PARTNER);
    assert!(
        !may(&mut ec2, "DeregisterImage", &image),
        "who has no such tag"
    );
}

#[test]
fn a_service_control_policy_denies_whoever_is_in_the_account() {
    let mut ec2 = Ec2::calm();
    let deny = policy(&json!({"Effect": "Deny", "Action": "ec2:DeregisterImage", "Resource": "*"}));
    ec2.world
        .set_service_control_policies("111122223333", vec![deny])
        .expect("the account");
    let (code, message) = ec2.refused("DeregisterImage", &[("ImageId", GOLDEN)]);
    assert_eq!(code, UNAUTHORIZED);
    assert!(
        message.contains(" with an explicit deny in a service control policy."),
        "{message}"
    );
    assert!(may(&mut ec2, "DescribeImages", &[]));
    assert!(may(
        ec2.as_key(PARTNER),
        "DeregisterImage",
        &[("ImageId", SHARED)]
    ));
}

#[test]
fn a_denial_is_answered_in_the_words_of_ec2() {
    let mut ec2 = under(&allow("ec2:DescribeRegions", &json!({})));
    let answer = ec2.call("DescribeImages", &[]);
    assert_eq!(answer.status, 403);
    let user = "User: arn:aws:iam::111122223333:user/ec2sim is not authorized to perform:";
    let (_, message) = ec2.refused("DescribeImages", &[]);
    assert_eq!(
        message,
        format!(
            "You are not authorized to perform this operation. {user} ec2:DescribeImages because no \
             identity-based policy allows the ec2:DescribeImages action"
        )
    );
    let (_, message) = ec2.refused(
        "DeregisterImage",
        &[("ImageId", GOLDEN), ("DryRun", "true")],
    );
    let (sentence, encoded) = message
        .split_once(". Encoded authorization failure message: ")
        .expect("an encoded message");
    assert_eq!(
        sentence,
        format!(
            "You are not authorized to perform this operation. {user} ec2:DeregisterImage on resource: \
             arn:aws:ec2:us-east-1::image/{GOLDEN} because no identity-based policy allows the \
             ec2:DeregisterImage action"
        )
    );
    assert!(encoded.len() > 500);
}

#[test]
fn a_denied_call_changes_nothing() {
    let mut ec2 = under(&allow("ec2:Describe*", &json!({})));
    assert_eq!(
        ec2.code("DeregisterImage", &[("ImageId", GOLDEN)]),
        UNAUTHORIZED
    );
    assert_eq!(ec2.state(GOLDEN), "available");
}

#[test]
fn systems_manager_and_sts_deny_in_their_own_words() {
    let mut ec2 = under(&allow("ec2:DescribeRegions", &json!({})));
    let (status, body) = ask(&mut ec2, HOME, "GetParameter", &[("Name", "/golden/web:3")]);
    assert_eq!(
        (status, &body["__type"]),
        (400, &json!("AccessDeniedException"))
    );
    assert_eq!(
        body["message"],
        "User: arn:aws:iam::111122223333:user/ec2sim is not authorized to perform: ssm:GetParameter on resource: \
         arn:aws:ssm:us-east-1:111122223333:parameter/golden/web because no identity-based policy allows the \
         ssm:GetParameter action"
    );
    ec2.caller.service = Service::Sts;
    let answer = ec2.call(
        "AssumeRole",
        &[("RoleArn", ROLE), ("RoleSessionName", "test")],
    );
    assert_eq!(
        (answer.status, answer.error.as_deref()),
        (403, Some("AccessDenied"))
    );
    ec2.ok("GetCallerIdentity", &[]);
}
