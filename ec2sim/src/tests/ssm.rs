//! `GetParameter` and `GetParameters`.

use serde_json::{Value, json};

use super::*;

const PUBLIC_NAME: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

pub(super) fn ask(
    ec2: &mut Ec2,
    key: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> (u16, Value) {
    let caller = Caller::ssm(key, &ec2.caller.region);
    let answer = ec2
        .world
        .call(ec2.now, &caller, &Request::new(action, parameters));
    assert_eq!(answer.content_type, "application/x-amz-json-1.1");
    let body = serde_json::from_str(&answer.body).expect("JSON");
    (answer.status, body)
}

#[test]
fn a_parameter_is_read_by_its_owner() {
    let mut ec2 = Ec2::calm();
    let name = [("Name", "/golden/web")];
    let (status, body) = ask(&mut ec2, HOME, "GetParameter", &name);
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"Parameter": {
            "ARN": "arn:aws:ssm:us-east-1:111122223333:parameter/golden/web",
            "DataType": "aws:ec2:image",
            "LastModifiedDate": 0,
            "Name": "/golden/web",
            "Type": "String",
            "Value": GOLDEN,
            "Version": 3,
        }})
    );
    let (status, body) = ask(&mut ec2, PARTNER, "GetParameter", &name);
    assert_eq!(
        (status, body),
        (400, json!({"__type": "ParameterNotFound"}))
    );
}

#[test]
fn a_public_parameter_is_everybodys_and_of_one_region() {
    let mut ec2 = Ec2::calm();
    let name = [("Name", PUBLIC_NAME)];
    let (_, body) = ask(&mut ec2, PARTNER, "GetParameter", &name);
    assert_eq!(body["Parameter"]["Value"], PUBLIC);
    let arn = format!("arn:aws:ssm:us-east-1::parameter{PUBLIC_NAME}");
    assert_eq!(body["Parameter"]["ARN"], arn);
    let (_, body) = ask(ec2.at("eu-west-1"), PARTNER, "GetParameter", &name);
    assert_eq!(body["__type"], "ParameterNotFound");
}

#[test]
fn a_version_may_be_named() {
    let mut ec2 = Ec2::calm();
    let at = |version| [("Name", version)];
    let (_, body) = ask(&mut ec2, HOME, "GetParameter", &at("/golden/web:3"));
    assert_eq!(body["Parameter"]["Selector"], ":3");
    let (_, body) = ask(&mut ec2, HOME, "GetParameter", &at("/golden/web:2"));
    assert_eq!(body["__type"], "ParameterVersionNotFound");
}

#[test]
fn of_several_names_those_that_are_not_there_are_told_apart() {
    let mut ec2 = Ec2::calm();
    let names = [("Names.1", "/golden/web"), ("Names.2", "/golden/none")];
    let (_, body) = ask(&mut ec2, HOME, "GetParameters", &names);
    assert_eq!(body["Parameters"][0]["Value"], GOLDEN);
    assert_eq!(body["InvalidParameters"], json!(["/golden/none"]));
}

#[test]
fn what_is_not_there_or_unknown_is_refused() {
    let mut ec2 = Ec2::calm();
    for (action, parameters, wanted) in [
        ("LabelParameterVersion", vec![], "UnknownOperationException"),
        ("GetParameter", vec![], "ValidationException"),
        ("GetParameters", vec![], "ValidationException"),
        (
            "GetParameter",
            vec![("Name", "/a"), ("Colour", "red")],
            "UnknownParameter",
        ),
    ] {
        let (_, body) = ask(&mut ec2, HOME, action, &parameters);
        assert_eq!(body["__type"], wanted, "{action}");
    }
    let (status, body) = ask(&mut ec2, "AKIANOBODY", "GetParameter", &[("Name", "/a")]);
    assert_eq!(status, 400);
    assert_eq!(body["__type"], "UnrecognizedClientException");
}

#[test]
fn a_request_is_read_from_its_target_and_its_json() {
    let (caller, request) = crate::HttpRequest {
        authorization: Some(
            "AWS4-HMAC-SHA256 Credential=AKIA1/20260601/eu-west-1/ssm/aws4_request, SignedHeaders=host",
        ),
        target: Some("AmazonSSM.GetParameters"),
        body: br#"{"Names": ["/a", "/b"], "WithDecryption": true}"#,
        ..crate::HttpRequest::default()
    }
    .read();
    assert_eq!(caller.service, crate::Service::Ssm);
    let request = request.expect("a request");
    assert_eq!(request.action, "GetParameters");
    assert_eq!(request.parameters["Names.2"], "/b");
    assert_eq!(request.parameters["WithDecryption"], "true");
    let (_, request) = crate::HttpRequest {
        target: Some("AmazonSSM.GetParameters"),
        body: b"{",
        ..crate::HttpRequest::default()
    }
    .read();
    assert_eq!(request.expect_err("no JSON").code, "SerializationException");
}
