//! What is unknown is refused, and answers have the shape of EC2's.

use super::*;
use crate::HttpRequest;

#[test]
fn an_action_that_is_not_there_is_refused() {
    let (code, message) = Ec2::calm().refused("DescribeAddresses", &[]);
    assert_eq!(code, "InvalidAction");
    assert_eq!(
        message,
        "The action DescribeAddresses is not valid for this web service."
    );
}

#[test]
fn an_unknown_parameter_is_refused() {
    let mut ec2 = Ec2::calm();
    let (code, message) = ec2.refused("DescribeImages", &[("Colour", "red")]);
    assert_eq!(code, "UnknownParameter");
    assert_eq!(message, "The parameter Colour is not recognized");
    let parameters = [
        ("Filter.1.Name", "name"),
        ("Filter.1.Value.1", "x"),
        ("Filter.1.Values", "y"),
    ];
    assert_eq!(ec2.code("DescribeImages", &parameters), "UnknownParameter");
}

#[test]
fn a_missing_parameter_is_named() {
    let (code, message) = Ec2::calm().refused("CopyImage", &[]);
    assert_eq!(code, "MissingParameter");
    assert_eq!(
        message,
        "The request must contain the parameter SourceImageId"
    );
}

#[test]
fn answers_and_errors_have_their_envelopes() {
    let mut ec2 = Ec2::calm();
    let answer = ec2.call("DescribeRegions", &[]);
    let start = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeRegionsResponse \
         xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{}</requestId><regionInfo><item>",
        answer.request_id
    );
    assert!(answer.body.starts_with(&start), "{}", answer.body);
    let answer = ec2.call("Nothing", &[]);
    let end = format!(
        "</Error></Errors><RequestID>{}</RequestID></Response>",
        answer.request_id
    );
    assert!(answer.body.ends_with(&end), "{}", answer.body);
}

#[test]
fn text_is_escaped() {
    let mut ec2 = Ec2::calm();
    ec2.ok(
        "CreateTags",
        &[
            ("ResourceId.1", GOLDEN),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", "<&\">"),
        ],
    );
    assert!(ec2.image(GOLDEN).contains("<value>&lt;&amp;\"&gt;</value>"));
}

#[test]
fn a_request_is_read_from_header_query_and_body() {
    let authorization =
        "AWS4-HMAC-SHA256 Credential=AKIA1/20260601/eu-west-1/ec2/aws4_request, SignedHeaders=host";
    let (caller, request) = HttpRequest {
        authorization: Some(authorization),
        security_token: Some("token"),
        target: None,
        query: Some("MaxResults=5"),
        body: b"Action=DescribeImages&Version=2016-11-15&Filter.1.Name=tag%3Aa",
    }
    .read();
    assert_eq!(
        (caller.access_key_id.as_deref(), caller.region.as_str()),
        (Some("AKIA1"), "eu-west-1")
    );
    assert_eq!(caller.session_token.as_deref(), Some("token"));
    let request = request.expect("a request");
    assert_eq!(request.action, "DescribeImages");
    assert_eq!(request.parameters["Filter.1.Name"], "tag:a");
    assert_eq!(request.parameters["MaxResults"], "5");
}

#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let (_, request) = HttpRequest {
        body: b"Action=X&A=1&A=2",
        ..HttpRequest::default()
    }
    .read();
    assert!(request.is_err());
}

#[test]
fn what_xml_cannot_carry_does_not_break_an_answer() {
    let mut ec2 = Ec2::calm();
    ec2.ok(
        "CreateTags",
        &[
            ("ResourceId.1", GOLDEN),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", "x\u{0}\r"),
        ],
    );
    assert!(ec2.image(GOLDEN).contains("<value>x?&#13;</value>"));
}
