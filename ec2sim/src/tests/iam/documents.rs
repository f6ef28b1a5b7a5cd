//! What is no policy, or says what is not evaluated.

use super::*;

fn mistake(document: &Value) -> String {
    let error = Policy::parse("mine", &document.to_string()).expect_err("a mistake");
    error.to_string()
}

#[test]
fn what_is_not_evaluated_is_an_error() {
    let allow = |change: Value| {
        let mut statement =
            json!({"Sid": "One", "Effect": "Allow", "Action": "ec2:CopyImage", "Resource": "*"});
        for (key, value) in change.as_object().expect("members") {
            statement[key] = value.clone();
        }
        statement
    };
    for (change, wanted) in [
        (json!({"Principal": "*"}), "unknown field `Principal`"),
        (json!({"Effect": "Perhaps"}), "Perhaps"),
        (
            json!({"Action": "ec2:CopyImages"}),
            "no call here asks for the action ec2:CopyImages",
        ),
        (json!({"Action": []}), "Action is empty"),
        (
            json!({"NotAction": "ec2:CopyImage"}),
            "either Action or NotAction",
        ),
        (
            json!({"NotResource": "*"}),
            "either Resource or NotResource",
        ),
        (json!({"Resource": "image/*"}), "neither * nor an ARN"),
        (
            json!({"Resource": "arn:aws:ec2:::image/${x}"}),
            "policy variables",
        ),
        (
            json!({"Condition": {"StringMatches": {"ec2:Region": "x"}}}),
            "StringMatches",
        ),
        (
            json!({"Condition": {"NullIfExists": {"ec2:Region": "true"}}}),
            "NullIfExists",
        ),
        (
            json!({"Condition": {"StringEquals": {"ec2:Regoin": "x"}}}),
            "ec2:Regoin",
        ),
        (
            json!({"Condition": {"StringEquals": {"aws:ResourceTag/": "x"}}}),
            "aws:ResourceTag/",
        ),
        (
            json!({"Condition": {"StringEquals": {"ec2:Region": []}}}),
            "names no value",
        ),
        (
            json!({"Condition": {"StringEquals": {"ec2:Region": "${aws:RequestedRegion}"}}}),
            "policy variables",
        ),
        (
            json!({"Condition": {"StringEquals": {"aws:TagKeys": "x"}}}),
            "ForAllValues:StringEquals",
        ),
        (
            json!({"Condition": {"Bool": {"ec2:Public": "no"}}}),
            "true or false",
        ),
    ] {
        let document = json!({"Version": "2012-10-17", "Statement": allow(change)});
        let error = mistake(&document);
        assert!(error.contains(wanted), "{document}: {error}");
    }
    let old = json!({"Version": "2008-10-17", "Statement": allow(json!({}))});
    assert!(mistake(&old).contains("2012-10-17"));
    let twice = json!({"Version": "2012-10-17", "Statement": [allow(json!({})), allow(json!({}))]});
    assert!(mistake(&twice).contains("mine: One: another statement"));
}

#[test]
fn a_statement_may_stand_alone_and_a_word_too() {
    let statement = json!({"Effect": "Allow", "Action": ["ec2:*"], "Resource": ["*"]});
    for statements in [statement.clone(), json!([statement])] {
        assert!(may(&mut under(&statements), "DescribeRegions", &[]));
    }
}

#[test]
fn a_world_file_gives_policies() {
    let file = |iam: &str| {
        let accounts = "{\"111122223333\": {accessKeys: [KEY], roles: {amity: {trusts: []}}}}";
        World::from_yaml(&format!(
            "{{regions: {{us-east-1: {{}}}}, accounts: {accounts}, iam: {iam}}}"
        ))
    };
    let statement = "{Effect: Allow, Action: \"ec2:DescribeRegions\", Resource: \"*\"}";
    let mut world = file(&format!(
        "{{policies: {{KEY: [{{Version: \"2012-10-17\", Statement: {statement}}}]}}}}"
    ))
    .expect("a world");
    let now = "2026-06-01T12:00:00Z".parse().expect("a moment");
    let caller = Caller::ec2("KEY", "us-east-1");
    let mut code = |action: &str| world.call(now, &caller, &Request::new(action, &[])).error;
    assert_eq!(code("DescribeRegions"), None);
    assert_eq!(code("DescribeImages").as_deref(), Some(UNAUTHORIZED));

    for (iam, wanted) in [
        ("{policies: {NOBODY: []}}", "NOBODY"),
        (
            "{policies: {\"arn:aws:iam::111122223333:role/none\": []}}",
            "role/none",
        ),
        ("{policies: {KEY: [{Version: x}]}}", "KEY #1"),
        ("{serviceControlPolicies: {\"1\": []}}", "no such account"),
        (
            &format!(
                "{{serviceControlPolicies: {{\"111122223333\": [{{Version: \"2012-10-17\", Statement: {statement}}}]}}}}"
            ),
            "can only deny",
        ),
    ] {
        let error = file(iam).expect_err(iam).to_string();
        assert!(error.contains(wanted), "{iam}: {error}");
    }
}
