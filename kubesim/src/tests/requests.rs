//! What a request asks for.

use super::*;
use crate::{Summary, Verb};

fn summary(method: &str, path: &str, type_: &str) -> Option<String> {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header(CONTENT_TYPE, type_)
        .body(())
        .expect("a request");
    Summary::of(&request).map(|summary| summary.to_string())
}

#[test]
fn requests_are_told_in_short() {
    let widgets = "/apis/example.dev/v1/widgets";
    for (method, path, type_, short) in [
        ("GET", WEB, "", "get widgets default/web"),
        ("GET", WIDGETS, "", "list widgets default/"),
        (
            "GET",
            "/apis/example.dev/v1/widgets?limit=500",
            "",
            "list widgets",
        ),
        (
            "GET",
            "/apis/example.dev/v1/widgets?x=1&watch=true",
            "",
            "watch widgets",
        ),
        (
            "GET",
            "/api/v1/namespaces/kube-system",
            "",
            "get namespaces kube-system",
        ),
        (
            "PUT",
            "/api/v1/namespaces/team/status",
            "",
            "update namespaces/status team",
        ),
        ("POST", WIDGETS, "", "create widgets default/"),
        ("PATCH", WEB, MERGE, "patch widgets default/web"),
        ("PATCH", WEB, APPLY, "apply widgets default/web"),
        ("DELETE", WEB, "", "delete widgets default/web"),
        ("DELETE", widgets, "", "deletecollection widgets"),
    ] {
        assert_eq!(summary(method, path, type_).as_deref(), Some(short));
    }
    assert_eq!(summary("GET", "/version", ""), None);
    assert_eq!(summary("GET", "/apis/example.dev/v1", ""), None);
}

#[test]
fn some_verbs_write() {
    assert!(Verb::Apply.writes() && Verb::DeleteCollection.writes());
    assert!(!Verb::Watch.writes());
}
