//! Reports on the usage of an image by other accounts.

use super::*;

const PARTNER_ID: &str = "444455556666";
const DAY: i64 = 24 * 3600;

/// A world where the partner may launch GOLDEN, and reports take a minute.
fn world() -> Ec2 {
    let mut ec2 = Ec2::with(Knobs {
        usage_report_milliseconds: 60_000,
        ..Knobs::calm()
    });
    let share = [
        ("ImageId", GOLDEN),
        ("LaunchPermission.Add.1.UserId", PARTNER_ID),
    ];
    ec2.ok("ModifyImageAttribute", &share);
    ec2
}

fn launch_as(ec2: &mut Ec2, key: &str) {
    let launch = [("ImageId", GOLDEN), ("MinCount", "2"), ("MaxCount", "2")];
    ec2.as_key(key).ok("RunInstances", &launch);
    ec2.as_key(HOME);
}

fn on_instances<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let asked = [
        ("ImageId", GOLDEN),
        ("ResourceType.1.ResourceType", "ec2:Instance"),
    ];
    [&asked[..], more].concat()
}

/// Asks for a report.
fn report(ec2: &mut Ec2, more: &[(&str, &str)]) -> String {
    let body = ec2.ok("CreateImageUsageReport", &on_instances(more));
    text(&body, "reportId").expect("an id")
}

fn entries(ec2: &mut Ec2, report: &str) -> Vec<(String, String)> {
    let body = ec2.ok("DescribeImageUsageReportEntries", &[("ReportId.1", report)]);
    let counts = texts(&body, "usageCount");
    texts(&body, "accountId").into_iter().zip(counts).collect()
}

fn state(ec2: &mut Ec2, report: &str) -> Option<String> {
    text(
        &ec2.ok("DescribeImageUsageReports", &[("ReportId.1", report)]),
        "state",
    )
}

#[test]
fn a_report_is_pending_for_a_while_and_then_counts_other_accounts() {
    let mut ec2 = world();
    launch_as(&mut ec2, PARTNER);
    launch_as(&mut ec2, HOME);
    ec2.wait(DAY);
    let id = report(&mut ec2, &[]);
    assert_eq!(state(&mut ec2, &id).as_deref(), Some("pending"));
    assert!(entries(&mut ec2, &id).is_empty());
    ec2.wait(60);
    assert_eq!(state(&mut ec2, &id).as_deref(), Some("available"));
    assert_eq!(
        entries(&mut ec2, &id),
        [(PARTNER_ID.to_owned(), "2".to_owned())]
    );
}

#[test]
fn what_is_younger_than_a_day_is_missing() {
    let mut ec2 = world();
    launch_as(&mut ec2, PARTNER);
    ec2.wait(DAY - 1);
    let id = report(&mut ec2, &[]);
    ec2.wait(DAY);
    assert!(
        entries(&mut ec2, &id).is_empty(),
        "a report does not change"
    );
}

#[test]
fn a_report_is_about_the_accounts_and_types_that_were_asked_for() {
    let mut ec2 = world();
    launch_as(&mut ec2, PARTNER);
    ec2.wait(DAY);
    let others = report(&mut ec2, &[("AccountId.1", "137112412989")]);
    let asked = [
        ("ImageId", GOLDEN),
        ("ResourceType.1.ResourceType", "ec2:LaunchTemplate"),
        (
            "ResourceType.1.ResourceTypeOption.1.OptionName",
            "version-depth",
        ),
        ("ResourceType.1.ResourceTypeOption.1.OptionValue.1", "100"),
    ];
    let body = ec2.ok("CreateImageUsageReport", &asked);
    let templates = text(&body, "reportId").expect("an id");
    ec2.wait(60);
    assert!(entries(&mut ec2, &others).is_empty());
    assert!(entries(&mut ec2, &templates).is_empty());
    let body = ec2.ok("DescribeImageUsageReports", &[("ReportId.1", &templates)]);
    assert!(body.contains("<optionValueSet><item>100</item></optionValueSet>"));
}

#[test]
fn a_report_is_gone_after_30_days_or_when_it_is_deleted() {
    let mut ec2 = world();
    let (kept, deleted) = (report(&mut ec2, &[]), report(&mut ec2, &[]));
    ec2.ok("DeleteImageUsageReport", &[("ReportId", &deleted)]);
    let body = ec2.ok("DescribeImageUsageReports", &[]);
    assert_eq!(texts(&body, "reportId"), std::slice::from_ref(&kept));
    let again = ec2.code("DeleteImageUsageReport", &[("ReportId", &deleted)]);
    assert_eq!(again, "InvalidImageUsageReportId.NotFound");
    ec2.wait(30 * DAY);
    assert!(texts(&ec2.ok("DescribeImageUsageReports", &[]), "reportId").is_empty());
}

#[test]
fn the_same_token_gives_the_same_report() {
    let mut ec2 = world();
    let token = [("ClientToken", "t")];
    let first = report(&mut ec2, &token);
    assert_eq!(report(&mut ec2, &token), first);
    let other = on_instances(&[("ClientToken", "t"), ("AccountId.1", PARTNER_ID)]);
    let code = ec2.code("CreateImageUsageReport", &other);
    assert_eq!(code, "IdempotentParameterMismatch");
    assert_ne!(report(&mut ec2, &[("ClientToken", "u")]), first);
}

#[test]
fn only_the_owner_of_the_image_has_a_report() {
    let mut ec2 = world();
    let id = report(&mut ec2, &[]);
    ec2.as_key(PARTNER);
    let code = ec2.code("CreateImageUsageReport", &on_instances(&[]));
    assert_eq!(code, "AuthFailure");
    let code = ec2.code("DescribeImageUsageReports", &[("ReportId.1", &id)]);
    assert_eq!(code, "InvalidImageUsageReportId.NotFound");
}

#[test]
fn a_report_is_tagged_at_birth() {
    let mut ec2 = world();
    let tags = [
        ("TagSpecification.1.ResourceType", "image-usage-report"),
        ("TagSpecification.1.Tag.1.Key", "team"),
        ("TagSpecification.1.Tag.1.Value", "platform"),
    ];
    let id = report(&mut ec2, &tags);
    report(&mut ec2, &[]);
    let filter = [
        ("Filter.1.Name", "tag:team"),
        ("Filter.1.Value.1", "platform"),
    ];
    let body = ec2.ok("DescribeImageUsageReports", &filter);
    assert_eq!(texts(&body, "reportId"), [id]);
}
