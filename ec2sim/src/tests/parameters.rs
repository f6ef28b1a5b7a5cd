//! Parameters that are written: `PutParameter`, `DeleteParameter`, `DescribeParameters`, and their
//! tags.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::ssm::ask;
use super::*;

const NAME: &str = "/web/current";
const GOLDEN_PARAMETER: &str = "/golden/web";

/// The answer to a call of ours that must not be an error.
fn done(ec2: &mut Ec2, action: &str, parameters: &[(&str, &str)]) -> Value {
    let (status, body) = ask(ec2, HOME, action, parameters);
    assert_eq!(status, 200, "{action}: {body}");
    body
}

/// The code of one that must be.
fn refused(ec2: &mut Ec2, action: &str, parameters: &[(&str, &str)]) -> String {
    let (status, body) = ask(ec2, HOME, action, parameters);
    assert_eq!(status, 400, "{action}: {body}");
    body["__type"].as_str().expect("a code").to_owned()
}

fn text_of<'a>(value: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![("Name", NAME), ("Value", value), ("Type", "String")];
    parameters.extend_from_slice(more);
    parameters
}

fn image_of<'a>(image: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = text_of(image, more);
    parameters.push(("DataType", "aws:ec2:image"));
    parameters
}

fn version(ec2: &mut Ec2, parameters: &[(&str, &str)]) -> u64 {
    let body = done(ec2, "PutParameter", parameters);
    assert_eq!(body["Tier"], "Standard");
    body["Version"].as_u64().expect("a version")
}

/// What is read back; none if the parameter is not there.
fn value(ec2: &mut Ec2) -> Option<String> {
    let (_, body) = ask(ec2, HOME, "GetParameter", &[("Name", NAME)]);
    body["Parameter"]["Value"].as_str().map(str::to_owned)
}

fn of_the_parameter<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![("ResourceType", "Parameter"), ("ResourceId", NAME)];
    parameters.extend_from_slice(more);
    parameters
}

fn tags(ec2: &mut Ec2) -> Value {
    done(ec2, "ListTagsForResource", &of_the_parameter(&[]))["TagList"].clone()
}

/// A world where a value is validated for two seconds.
fn patient() -> Ec2 {
    Ec2::with(Knobs {
        parameter_milliseconds: 2000,
        ..Knobs::calm()
    })
}

fn names(ec2: &mut Ec2, parameters: &[(&str, &str)]) -> Vec<String> {
    let body = done(ec2, "DescribeParameters", parameters);
    let listed = body["Parameters"].as_array().expect("a list");
    let mut names: Vec<String> = listed
        .iter()
        .filter_map(|one| one["Name"].as_str())
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

fn filter<'a>(key: &'a str, option: &'a str, value: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("ParameterFilters.1.Key", key),
        ("ParameterFilters.1.Option", option),
        ("ParameterFilters.1.Values.1", value),
    ]
}

#[test]
fn what_is_put_is_read_back() {
    let mut ec2 = Ec2::calm();
    assert_eq!(version(&mut ec2, &text_of("a", &[])), 1);
    let body = done(&mut ec2, "GetParameter", &[("Name", NAME)]);
    assert_eq!(
        body["Parameter"],
        json!({
            "ARN": "arn:aws:ssm:us-east-1:111122223333:parameter/web/current",
            "DataType": "text",
            "LastModifiedDate": ec2.now.as_second(),
            "Name": NAME,
            "Type": "String",
            "Value": "a",
            "Version": 1,
        })
    );
}

#[test]
fn it_is_of_one_account_and_one_region() {
    let mut ec2 = Ec2::calm();
    version(&mut ec2, &text_of("a", &[]));
    let (_, body) = ask(&mut ec2, PARTNER, "GetParameter", &[("Name", NAME)]);
    assert_eq!(body["__type"], "ParameterNotFound");
    let (status, _) = ask(&mut ec2, PARTNER, "PutParameter", &text_of("b", &[]));
    assert_eq!(status, 200);
    assert_eq!(value(&mut ec2).as_deref(), Some("a"));
    ec2.at("eu-west-1");
    assert_eq!(value(&mut ec2), None);
}

#[test]
fn a_parameter_that_is_there_needs_overwrite() {
    let mut ec2 = Ec2::calm();
    version(&mut ec2, &text_of("a", &[]));
    let (_, body) = ask(&mut ec2, HOME, "PutParameter", &text_of("b", &[]));
    assert_eq!(body["__type"], "ParameterAlreadyExists");
    assert_eq!(
        body["message"],
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
    );
    assert_eq!(
        version(&mut ec2, &text_of("b", &[("Overwrite", "true")])),
        2
    );
    assert_eq!(value(&mut ec2).as_deref(), Some("b"));
}

#[test]
fn overwrite_makes_a_parameter_that_is_not_there() {
    let mut ec2 = Ec2::calm();
    assert_eq!(
        version(&mut ec2, &text_of("a", &[("Overwrite", "true")])),
        1
    );
}

#[test]
fn a_hundred_versions_are_kept() {
    let mut ec2 = Ec2::calm();
    for number in 1..=101 {
        let value = number.to_string();
        let put = text_of(&value, &[("Overwrite", "true")]);
        assert_eq!(version(&mut ec2, &put), number);
    }
    for (named, wanted) in [("2", "2"), ("100", "100"), ("101", "101")] {
        let name = format!("{NAME}:{named}");
        let body = done(&mut ec2, "GetParameter", &[("Name", &name)]);
        assert_eq!(body["Parameter"]["Value"], wanted);
        assert_eq!(body["Parameter"]["Selector"], format!(":{named}"));
    }
    let gone = [("Name", "/web/current:1")];
    assert_eq!(
        refused(&mut ec2, "GetParameter", &gone),
        "ParameterVersionNotFound"
    );
}

#[test]
fn an_image_is_validated_after_the_answer() {
    let mut ec2 = patient();
    assert_eq!(version(&mut ec2, &image_of(GOLDEN, &[])), 1);
    assert_eq!(value(&mut ec2), None);
    ec2.wait(2);
    assert_eq!(value(&mut ec2).as_deref(), Some(GOLDEN));
    let put = image_of(SHARED, &[("Overwrite", "true")]);
    assert_eq!(version(&mut ec2, &put), 2);
    assert_eq!(value(&mut ec2).as_deref(), Some(GOLDEN));
    ec2.wait(2);
    assert_eq!(value(&mut ec2).as_deref(), Some(SHARED));
}

#[test]
fn an_invalid_image_never_becomes_the_value() {
    for wrong in ["ami-0123456789abcdef0", "web", "ami-x", GOLDEN_SNAPSHOT] {
        let mut ec2 = patient();
        version(
            &mut ec2,
            &image_of(wrong, &[("Tags.1.Key", "a"), ("Tags.1.Value", "b")]),
        );
        ec2.wait(2);
        assert_eq!(value(&mut ec2), None, "{wrong}");
        assert_eq!(
            refused(&mut ec2, "ListTagsForResource", &of_the_parameter(&[])),
            "InvalidResourceId"
        );
        version(&mut ec2, &image_of(GOLDEN, &[]));
        ec2.wait(2);
        version(&mut ec2, &image_of(wrong, &[("Overwrite", "true")]));
        ec2.wait(2);
        assert_eq!(value(&mut ec2).as_deref(), Some(GOLDEN), "{wrong}");
    }
}

#[test]
fn an_image_must_be_there_when_it_is_validated() {
    let mut ec2 = patient();
    version(&mut ec2, &image_of(GOLDEN, &[]));
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    ec2.wait(2);
    assert_eq!(value(&mut ec2), None);
    let image = ec2.at("eu-west-1").copy(SHARED, &[]);
    ec2.at("us-east-1");
    version(&mut ec2, &image_of(&image, &[]));
    ec2.wait(2);
    assert_eq!(value(&mut ec2), None);
}

#[test]
fn a_pending_image_is_good_or_not() {
    for parameters_may_name_pending_images in [false, true] {
        let mut ec2 = Ec2::slow();
        ec2.world.facts_mut().parameters_may_name_pending_images =
            parameters_may_name_pending_images;
        let image = ec2.capture("web-1");
        version(&mut ec2, &image_of(&image, &[]));
        assert_eq!(
            value(&mut ec2).is_some(),
            parameters_may_name_pending_images
        );
    }
}

#[test]
fn a_parameter_that_is_not_validated_is_in_the_way_or_not() {
    for unvalidated_parameters_exist in [false, true] {
        let mut ec2 = patient();
        ec2.world.facts_mut().unvalidated_parameters_exist = unvalidated_parameters_exist;
        version(&mut ec2, &image_of(GOLDEN, &[]));
        let (_, body) = ask(&mut ec2, HOME, "PutParameter", &image_of(SHARED, &[]));
        ec2.wait(2);
        if unvalidated_parameters_exist {
            assert_eq!(body["__type"], "ParameterAlreadyExists");
            assert_eq!(value(&mut ec2).as_deref(), Some(GOLDEN));
        } else {
            assert_eq!(body["Version"], 2);
            assert_eq!(value(&mut ec2).as_deref(), Some(SHARED));
        }
    }
}

#[test]
fn the_version_of_a_refused_value_is_given_again_or_not() {
    for refused_values_use_up_versions in [false, true] {
        let mut ec2 = Ec2::calm();
        ec2.world.facts_mut().refused_values_use_up_versions = refused_values_use_up_versions;
        assert_eq!(version(&mut ec2, &image_of(GOLDEN, &[])), 1);
        let overwrite = [("Overwrite", "true")];
        assert_eq!(version(&mut ec2, &image_of("ami-x", &overwrite)), 2);
        let next = version(&mut ec2, &image_of(SHARED, &overwrite));
        assert_eq!(next == 3, refused_values_use_up_versions);
        assert_eq!(value(&mut ec2).as_deref(), Some(SHARED));
    }
}

#[test]
fn the_data_type_is_kept_and_cannot_be_changed() {
    let mut ec2 = Ec2::calm();
    version(&mut ec2, &image_of(GOLDEN, &[]));
    let other = text_of("a", &[("Overwrite", "true"), ("DataType", "text")]);
    assert_eq!(
        refused(&mut ec2, "PutParameter", &other),
        "ValidationException"
    );
    let silent = [("Name", NAME), ("Value", SHARED), ("Overwrite", "true")];
    version(&mut ec2, &silent);
    let body = done(&mut ec2, "GetParameter", &[("Name", NAME)]);
    assert_eq!(body["Parameter"]["DataType"], "aws:ec2:image");
    assert_eq!(body["Parameter"]["Value"], SHARED);
}

#[test]
fn tags_come_with_a_new_parameter_and_not_with_overwrite() {
    let mut ec2 = Ec2::calm();
    let tag = [("Tags.1.Key", "team"), ("Tags.1.Value", "web")];
    version(&mut ec2, &text_of("a", &tag));
    assert_eq!(tags(&mut ec2), json!([{"Key": "team", "Value": "web"}]));
    let mut both = text_of("b", &tag);
    both.push(("Overwrite", "true"));
    let (_, body) = ask(&mut ec2, HOME, "PutParameter", &both);
    assert_eq!(body["__type"], "ValidationException");
    assert_eq!(
        body["message"],
        "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
         overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
         RemoveTagsFromResource."
    );
    version(&mut ec2, &text_of("b", &[("Overwrite", "true")]));
    assert_eq!(tags(&mut ec2), json!([{"Key": "team", "Value": "web"}]));
}

#[test]
fn tags_are_added_and_removed() {
    let mut ec2 = Ec2::calm();
    version(&mut ec2, &text_of("a", &[]));
    assert_eq!(tags(&mut ec2), json!([]));
    let two = of_the_parameter(&[
        ("Tags.1.Key", "a"),
        ("Tags.1.Value", "1"),
        ("Tags.2.Key", "b"),
        ("Tags.2.Value", ""),
    ]);
    done(&mut ec2, "AddTagsToResource", &two);
    let again = of_the_parameter(&[("Tags.1.Key", "a"), ("Tags.1.Value", "2")]);
    done(&mut ec2, "AddTagsToResource", &again);
    assert_eq!(
        tags(&mut ec2),
        json!([{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    );
    let away = of_the_parameter(&[("TagKeys.1", "b"), ("TagKeys.2", "none")]);
    done(&mut ec2, "RemoveTagsFromResource", &away);
    assert_eq!(tags(&mut ec2), json!([{"Key": "a", "Value": "2"}]));
}

#[test]
fn wrong_tags_are_refused() {
    let mut ec2 = Ec2::calm();
    version(&mut ec2, &text_of("a", &[]));
    let reserved = [("Tags.1.Key", "aws:x"), ("Tags.1.Value", "")];
    let no_value = [("Tags.1.Key", "a")];
    for wrong in [&reserved[..], &no_value[..], &[]] {
        assert_eq!(
            refused(&mut ec2, "AddTagsToResource", &of_the_parameter(wrong)),
            "ValidationException"
        );
    }
    let many: Vec<(String, String)> = (1..=51)
        .flat_map(|number| {
            [
                (format!("Tags.{number}.Key"), number.to_string()),
                (format!("Tags.{number}.Value"), String::new()),
            ]
        })
        .collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        refused(&mut ec2, "AddTagsToResource", &of_the_parameter(&many)),
        "TooManyTagsError"
    );
    for (resource_type, name, code) in [
        ("Parameter", "/none", "InvalidResourceId"),
        ("Document", NAME, "UnsupportedOperation"),
        ("Instance", NAME, "InvalidResourceType"),
    ] {
        let parameters = [("ResourceType", resource_type), ("ResourceId", name)];
        assert_eq!(refused(&mut ec2, "ListTagsForResource", &parameters), code);
    }
}

#[test]
fn a_deleted_parameter_is_gone_with_all_that_was_its_own() {
    let mut ec2 = patient();
    let tag = [("Tags.1.Key", "team"), ("Tags.1.Value", "web")];
    version(&mut ec2, &image_of(GOLDEN, &tag));
    ec2.wait(2);
    version(&mut ec2, &image_of(SHARED, &[("Overwrite", "true")]));
    assert_eq!(
        done(&mut ec2, "DeleteParameter", &[("Name", NAME)]),
        json!({})
    );
    ec2.wait(2);
    assert_eq!(value(&mut ec2), None);
    assert_eq!(
        refused(&mut ec2, "DeleteParameter", &[("Name", NAME)]),
        "ParameterNotFound"
    );
    assert_eq!(version(&mut ec2, &image_of(SHARED, &[])), 1);
    ec2.wait(2);
    assert_eq!(tags(&mut ec2), json!([]));
}

#[test]
fn parameters_are_listed_without_their_values() {
    let mut ec2 = Ec2::calm();
    version(&mut ec2, &text_of("a", &[("Description", "what web runs")]));
    let body = done(
        &mut ec2,
        "DescribeParameters",
        &filter("Name", "Equals", NAME),
    );
    assert_eq!(
        body,
        json!({"Parameters": [{
            "ARN": "arn:aws:ssm:us-east-1:111122223333:parameter/web/current",
            "DataType": "text",
            "Description": "what web runs",
            "LastModifiedDate": ec2.now.as_second(),
            "Name": NAME,
            "Tier": "Standard",
            "Type": "String",
            "Version": 1,
        }]})
    );
    version(&mut ec2, &text_of("b", &[("Overwrite", "true")]));
    let body = done(
        &mut ec2,
        "DescribeParameters",
        &filter("Name", "Equals", NAME),
    );
    assert_eq!(body["Parameters"][0]["Description"], "what web runs");
}

#[test]
fn parameters_are_found_by_what_they_are() {
    let mut ec2 = Ec2::calm();
    let tag = [("Tags.1.Key", "team"), ("Tags.1.Value", "web")];
    version(&mut ec2, &text_of("a", &tag));
    assert_eq!(names(&mut ec2, &[]), [GOLDEN_PARAMETER, NAME]);
    for (key, option, wanted, found) in [
        ("Name", "BeginsWith", "/web/", NAME),
        ("Name", "Contains", "curr", NAME),
        ("tag:team", "Equals", "web", NAME),
        ("DataType", "Equals", "aws:ec2:image", GOLDEN_PARAMETER),
    ] {
        assert_eq!(names(&mut ec2, &filter(key, option, wanted)), [found]);
    }
    assert!(names(&mut ec2, &filter("Name", "Equals", "/web")).is_empty());
    for (key, option, code) in [
        ("Colour", "Equals", "InvalidFilterKey"),
        ("tag:team", "Contains", "InvalidFilterOption"),
        ("Path", "OneLevel", "UnsupportedOperation"),
    ] {
        let wrong = filter(key, option, "/web");
        assert_eq!(refused(&mut ec2, "DescribeParameters", &wrong), code);
    }
}

#[test]
fn a_list_of_parameters_comes_in_pages() {
    let mut ec2 = Ec2::calm();
    for number in 0..4 {
        let name = format!("/web/{number}");
        let put = [("Name", name.as_str()), ("Value", "a"), ("Type", "String")];
        version(&mut ec2, &put);
    }
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = [("MaxResults", "2"), ("NextToken", token.as_str())];
        let body = done(&mut ec2, "DescribeParameters", &page);
        let listed = body["Parameters"].as_array().expect("a list");
        assert!(listed.len() <= 2);
        found.extend(listed.iter().map(|one| one["Name"].clone()));
        match body["NextToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert_eq!(found.len(), 5);
    for (wrong, code) in [
        (("MaxResults", "0"), "ValidationException"),
        (("NextToken", "x"), "InvalidNextToken"),
    ] {
        assert_eq!(refused(&mut ec2, "DescribeParameters", &[wrong]), code);
    }
}

#[test]
fn names_values_and_types_that_cannot_be_are_refused() {
    let long = "x".repeat(4097);
    let deep = "/a".repeat(16);
    for (name, value, kind, code) in [
        ("", "a", "String", "ValidationException"),
        ("/a b", "a", "String", "ValidationException"),
        ("a/b", "a", "String", "ValidationException"),
        ("AWS-x", "a", "String", "ValidationException"),
        ("/ssm/x", "a", "String", "ValidationException"),
        ("/aws/x", "a", "String", "AccessDeniedException"),
        (&deep, "a", "String", "HierarchyLevelLimitExceededException"),
        ("/a", "", "String", "ValidationException"),
        ("/a", &long, "String", "ValidationException"),
        ("/a", "{{b}}", "String", "ValidationException"),
        ("/a", "a", "Text", "ValidationException"),
        ("/a", "a", "SecureString", "UnsupportedOperation"),
    ] {
        let mut ec2 = Ec2::calm();
        let put = [("Name", name), ("Value", value), ("Type", kind)];
        assert_eq!(
            refused(&mut ec2, "PutParameter", &put),
            code,
            "{name} {kind}"
        );
    }
    let mut ec2 = Ec2::calm();
    for (more, code) in [
        (("DataType", "image"), "ValidationException"),
        (("DataType", "json"), "UnsupportedOperation"),
        (("Tier", "Advanced"), "UnsupportedOperation"),
        (("KeyId", "alias/a"), "UnsupportedOperation"),
        (("Colour", "red"), "UnknownParameter"),
    ] {
        assert_eq!(
            refused(&mut ec2, "PutParameter", &text_of("a", &[more])),
            code
        );
    }
    let untyped = [("Name", NAME), ("Value", "a")];
    assert_eq!(
        refused(&mut ec2, "PutParameter", &untyped),
        "ValidationException"
    );
}

#[test]
fn what_is_put_is_a_reference_once_it_is_valid() {
    let mut ec2 = patient();
    version(&mut ec2, &image_of(SHARED, &[]));
    let asked = [("ImageId.1", SHARED), ("IncludeAllResourceTypes", "true")];
    assert!(!ec2.ok("DescribeImageReferences", &asked).contains(NAME));
    ec2.wait(2);
    assert!(ec2.ok("DescribeImageReferences", &asked).contains(NAME));
}

#[test]
fn step_by_step_a_value_is_validated_when_it_is_told_to() {
    for fails in [false, true] {
        let mut ec2 = Ec2::calm();
        ec2.world = ec2.world.step_by_step(SignedDuration::ZERO);
        version(&mut ec2, &image_of(GOLDEN, &[]));
        ec2.wait(3600);
        assert_eq!(value(&mut ec2), None);
        let id = format!("arn:aws:ssm:us-east-1:111122223333:parameter{NAME}:1");
        assert_eq!(ec2.world.under_way(), [("us-east-1", id.as_str())]);
        ec2.world.finish("us-east-1", &id, fails);
        assert!(ec2.world.under_way().is_empty());
        assert_eq!(value(&mut ec2).is_none(), fails);
    }
}
