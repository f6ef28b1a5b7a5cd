//! An answer as it leaves: XML without indentation, or JSON, and the headers of EC2.
//!
//! Shapes: model `ec2/2016-11-15` of botocore; the error envelope of EC2 has `RequestID` and no
//! namespace, that of STS has both a `Type` and a namespace.

use std::borrow::Cow;
use std::fmt::Display;

use jiff::Timestamp;
use quick_xml::escape::partial_escape;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::wire::request::Service;

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The request id, also in the body.
    pub request_id: String,
    /// The XML, or the JSON.
    pub body: String,
    /// Which of both it is.
    pub content_type: &'static str,
    /// The code of the error; none if the call did what it was asked.
    pub error: Option<String>,
    /// The ids of what the call made.
    pub made: Vec<String>,
}

const XML: &str = "text/xml;charset=UTF-8";
const JSON: &str = "application/x-amz-json-1.1";

/// The headers of EC2's answers besides the type, as users saw them (boto/boto3#3493).
pub const HEADERS: [(&str, &str); 3] = [
    ("cache-control", "no-cache, no-store"),
    (
        "strict-transport-security",
        "max-age=31536000; includeSubDomains",
    ),
    ("server", "AmazonEC2"),
];

/// What an action gives back: the elements of its answer, and the ids of what it made.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub xml: Xml,
    pub made: Vec<String>,
}

impl Reply {
    /// `<return>true</return>`: done, and nothing to tell.
    pub(crate) fn done() -> Self {
        let mut reply = Self::default();
        reply.xml.text("return", true);
        reply
    }

    pub(crate) fn of(build: impl FnOnce(&mut Xml)) -> Self {
        let mut reply = Self::default();
        build(&mut reply.xml);
        reply
    }

    pub(crate) fn made(mut self, id: &str) -> Self {
        self.made.push(id.to_owned());
        self
    }
}

/// XML under construction.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn text(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        self.0
            .extend(["<", name, ">", &escaped(&value), "</", name, ">"]);
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// ISO 8601 with milliseconds.
    pub(crate) fn time(&mut self, name: &str, value: Timestamp) {
        self.text(name, iso(value));
    }

    pub(crate) fn element(&mut self, name: &str, build: impl FnOnce(&mut Xml)) {
        self.0.extend(["<", name, ">"]);
        build(self);
        self.0.extend(["</", name, ">"]);
    }

    /// A list: `<name><item>…</item>…</name>`.
    pub(crate) fn items<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut build: impl FnMut(&mut Xml, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element("item", |xml| build(xml, item));
            }
        });
    }
}

/// Text as XML 1.0 can carry it: what it cannot carry at all becomes a question mark.
fn escaped(text: &str) -> Cow<'_, str> {
    // Nearly all text is plain, and lists are long.
    let plain = |byte: &u8| *byte >= b' ' && !matches!(byte, b'<' | b'>' | b'&');
    if text.as_bytes().iter().all(plain) {
        return Cow::Borrowed(text);
    }
    let allowed = |c: char| c >= ' ' || c == '\t' || c == '\n' || c == '\r';
    let text: String = text
        .chars()
        .map(|c| if allowed(c) { c } else { '?' })
        .collect();
    partial_escape(text.as_str()).replace('\r', "&#13;").into()
}

/// A moment as EC2 writes it: `2026-11-23T15:59:29.000Z`.
pub(crate) fn iso(value: Timestamp) -> String {
    value.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

impl Answer {
    pub(crate) fn ec2(action: &str, request_id: String, result: Result<Reply, ApiError>) -> Self {
        let body = |inner: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{EC2_NAMESPACE}\">\
                 <requestId>{request_id}</requestId>{inner}</{action}Response>"
            )
        };
        match result {
            Ok(reply) => Self::xml(body(&reply.xml.0), request_id, reply.made),
            Err(error) => Self::refusal(Service::Ec2, request_id, &error),
        }
    }

    pub(crate) fn sts(action: &str, request_id: String, result: Result<Reply, ApiError>) -> Self {
        let body = |inner: &str| {
            format!(
                "<{action}Response xmlns=\"{STS_NAMESPACE}\"><{action}Result>{inner}</{action}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
            )
        };
        match result {
            Ok(reply) => Self::xml(body(&reply.xml.0), request_id, reply.made),
            Err(error) => Self::refusal(Service::Sts, request_id, &error),
        }
    }

    fn xml(body: String, request_id: String, made: Vec<String>) -> Self {
        Self {
            status: 200,
            request_id,
            body,
            content_type: XML,
            error: None,
            made,
        }
    }

    /// An answer of a service that speaks JSON.
    pub(crate) fn json(request_id: String, result: Result<Value, ApiError>) -> Self {
        match result {
            Err(error) => Self::json_refusal(request_id, &error),
            Ok(value) => Self {
                status: 200,
                request_id,
                body: value.to_string(),
                content_type: JSON,
                error: None,
                made: Vec::new(),
            },
        }
    }

    fn json_refusal(request_id: String, error: &ApiError) -> Self {
        let mut body = json!({ "__type": error.code });
        if !error.message.is_empty() {
            body["message"] = json!(error.message);
        }
        Self {
            status: error.status,
            request_id,
            body: body.to_string(),
            content_type: JSON,
            error: Some(error.code.clone()),
            made: Vec::new(),
        }
    }

    pub(crate) fn refusal(service: Service, request_id: String, error: &ApiError) -> Self {
        let ApiError {
            code,
            message,
            status,
        } = error;
        let (code_text, message) = (escaped(code), escaped(message));
        let body = match service {
            Service::Ssm => return Self::json_refusal(request_id, error),
            Service::Ec2 => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code_text}</Code>\
                 <Message>{message}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
            ),
            Service::Sts => {
                let kind = if *status < 500 { "Sender" } else { "Receiver" };
                format!(
                    "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code_text}</Code>\
                     <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
                )
            }
        };
        Self {
            status: *status,
            request_id,
            body,
            content_type: XML,
            error: Some(code.clone()),
            made: Vec::new(),
        }
    }
}
