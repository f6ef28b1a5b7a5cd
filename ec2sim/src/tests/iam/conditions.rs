//! Each operator. The call adds the tags `a` and `b` to the golden image, whose team is `platform`.

use super::*;

const CALL: [(&str, &str); 5] = [
    ("ResourceId.1", GOLDEN),
    ("Tag.1.Key", "a"),
    ("Tag.1.Value", "1"),
    ("Tag.2.Key", "b"),
    ("Tag.2.Value", "2"),
];

fn check(cases: &[(Value, bool)]) {
    for (condition, holds) in cases {
        let mut ec2 = under(&allow("ec2:CreateTags", condition));
        assert_eq!(may(&mut ec2, "CreateTags", &CALL), *holds, "{condition}");
    }
}

#[test]
fn a_text_equals_one_of_the_values() {
    check(&[
        (
            json!({"StringEquals": {"aws:ResourceTag/team": "platform"}}),
            true,
        ),
        (
            json!({"StringEquals": {"aws:ResourceTag/team": ["x", "platform"]}}),
            true,
        ),
        (
            json!({"StringEquals": {"aws:ResourceTag/team": "Platform"}}),
            false,
        ),
        (
            json!({"StringEquals": {"aws:ResourceTag/team": "plat*"}}),
            false,
        ),
        (
            json!({"StringEquals": {"aws:ResourceTag/absent": "platform"}}),
            false,
        ),
        (
            json!({"StringEquals": {"ec2:ResourceTag/team": "platform"}}),
            true,
        ),
        (json!({"StringEquals": {"aws:RequestTag/a": "1"}}), true),
        (json!({"StringEquals": {"aws:RequestTag/a": "2"}}), false),
        (
            json!({"StringEquals": {"ec2:Owner": "111122223333", "ec2:Region": "us-east-1"}}),
            true,
        ),
        (json!({"StringEquals": {"ec2:ImageID": GOLDEN}}), true),
    ]);
}

#[test]
fn a_text_that_must_not_equal_a_value_may_be_absent() {
    check(&[
        (
            json!({"StringNotEquals": {"aws:ResourceTag/team": "x"}}),
            true,
        ),
        (
            json!({"StringNotEquals": {"aws:ResourceTag/team": ["x", "platform"]}}),
            false,
        ),
        (
            json!({"StringNotEquals": {"aws:ResourceTag/absent": "x"}}),
            true,
        ),
    ]);
}

#[test]
fn a_text_is_like_a_pattern_or_not() {
    check(&[
        (
            json!({"StringLike": {"aws:ResourceTag/team": "plat*m"}}),
            true,
        ),
        (
            json!({"StringLike": {"aws:ResourceTag/team": "p?atform"}}),
            true,
        ),
        (
            json!({"StringLike": {"aws:ResourceTag/team": "plat"}}),
            false,
        ),
        (json!({"StringLike": {"aws:ResourceTag/team": "*"}}), true),
        (
            json!({"StringLike": {"aws:ResourceTag/absent": "*"}}),
            false,
        ),
        (
            json!({"StringNotLike": {"aws:ResourceTag/team": "plat*"}}),
            false,
        ),
        (
            json!({"StringNotLike": {"aws:ResourceTag/team": "x*"}}),
            true,
        ),
    ]);
}

#[test]
fn what_must_hold_if_it_exists_holds_where_it_does_not() {
    check(&[
        (
            json!({"StringEqualsIfExists": {"aws:ResourceTag/absent": "x"}}),
            true,
        ),
        (
            json!({"StringEqualsIfExists": {"aws:ResourceTag/team": "x"}}),
            false,
        ),
        (
            json!({"StringEqualsIfExists": {"aws:ResourceTag/team": "platform"}}),
            true,
        ),
    ]);
}

#[test]
fn null_asks_whether_a_key_is_absent() {
    check(&[
        (json!({"Null": {"aws:ResourceTag/absent": "true"}}), true),
        (json!({"Null": {"aws:ResourceTag/absent": "false"}}), false),
        (json!({"Null": {"aws:ResourceTag/team": false}}), true),
        (json!({"Null": {"aws:TagKeys": "false"}}), true),
    ]);
}

#[test]
fn a_boolean_is_true_or_false() {
    check(&[
        (json!({"Bool": {"ec2:Public": "false"}}), true),
        (json!({"Bool": {"ec2:Public": true}}), false),
    ]);
}

#[test]
fn all_values_of_the_call_must_be_named() {
    check(&[
        (
            json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}),
            true,
        ),
        (
            json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}),
            false,
        ),
        (
            json!({"ForAllValues:StringLike": {"aws:TagKeys": "?"}}),
            true,
        ),
    ]);
}

#[test]
fn any_value_of_the_call_may_be_named() {
    check(&[
        (
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["b", "x"]}}),
            true,
        ),
        (
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}}),
            false,
        ),
        (
            json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}),
            true,
        ),
        (
            json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}),
            false,
        ),
    ]);
}

#[test]
fn no_values_are_all_named_and_none_is() {
    for (operator, holds) in [("ForAllValues", true), ("ForAnyValue", false)] {
        let condition = json!({format!("{operator}:StringLike"): {"aws:TagKeys": "*"}});
        let mut ec2 = under(&allow("ec2:DeleteTags", &condition));
        let all_tags = [("ResourceId.1", GOLDEN)];
        assert_eq!(may(&mut ec2, "DeleteTags", &all_tags), holds, "{operator}");
    }
}

#[test]
fn arns_are_compared_part_by_part() {
    check(&[
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/ec2*"}}),
            true,
        ),
        (
            json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/ec2sim"}}),
            true,
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
            false,
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:*:111122223333:user/ec2sim"}}),
            false,
        ),
        (
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
            true,
        ),
        (
            json!({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}),
            false,
        ),
    ]);
}

#[test]
fn all_keys_of_all_operators_must_hold() {
    check(&[
        (
            json!({"StringEquals": {"aws:RequestTag/a": "1", "aws:RequestTag/b": "2"}}),
            true,
        ),
        (
            json!({"StringEquals": {"aws:RequestTag/a": "1", "aws:RequestTag/b": "3"}}),
            false,
        ),
        (
            json!({"StringEquals": {"aws:RequestTag/a": "1"}, "Null": {"aws:RequestTag/b": "true"}}),
            false,
        ),
    ]);
}

#[test]
fn keys_have_no_case() {
    check(&[(
        json!({"StringEquals": {"AWS:resourcetag/TEAM": "platform"}}),
        true,
    )]);
}
