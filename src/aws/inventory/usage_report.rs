//! EC2's reports of the other accounts that use an image: looked for when one that is to go waits for it, among those that
//! this installation asked for. Source: EC2 User Guide, "View your AMI usage"; EC2 API, `DescribeImageUsageReports`,
//! `DescribeImageUsageReportEntries`.

use amity_core::api::ImageUser;
use amity_core::image::identity::{Place, tag};
use amity_core::image::observed::{Unreadable, UsageReport};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{Filter, ImageUsageReport};
use jiff::{SignedDuration, Timestamp};

use super::Inventory;
use super::read::Pages;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

const REPORTS: &str = "DescribeImageUsageReports";
const ENTRIES: &str = "DescribeImageUsageReportEntries";

/// How long it is believed what there is: EC2 takes minutes to write a report. Less than after what time an object that
/// waits looks again, which would else see the same twice.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// The same of one that is written, and of what uses the image: nothing newer comes of it before the next one.
const WRITTEN_FRESH: SignedDuration = SignedDuration::from_hours(1);

/// EC2's words for how far a report is.
const AVAILABLE: &str = "available";
const ERROR: &str = "error";

impl Inventory {
    /// What was answered of late about an image.
    pub(super) fn known_usage_report(
        &self,
        image: &(Place, String),
        object: &str,
    ) -> Option<UsageReport> {
        let unreadable = self.state().why_unreadable(&image.0, object);
        let unreadable = unreadable.map(UsageReport::Unknown);
        unreadable.or_else(|| self.usage_reports.get(image, self.clock.now()))
    }

    /// Looks for the newest report of an image, and reads it.
    pub(super) async fn read_usage_report(&self, place: &Place, id: &str) {
        let report = self.usage_report(place, id).await;
        let report = report.unwrap_or_else(UsageReport::Unknown);
        self.put_usage_report(place, id, report);
    }

    /// A report was asked for. Lists may not show it yet, and until they do, asking again is the same call.
    pub(super) fn asked_for_usage_report(&self, place: &Place, id: &str) {
        self.put_usage_report(place, id, UsageReport::Pending);
    }

    fn put_usage_report(&self, place: &Place, id: &str, report: UsageReport) {
        let now = self.clock.now();
        let fresh = match &report {
            UsageReport::Written { users, .. } if !users.is_empty() => WRITTEN_FRESH,
            _ => FRESH,
        };
        let image = (place.clone(), id.to_owned());
        self.usage_reports.put(image, report, now + fresh, now);
    }

    async fn usage_report(&self, place: &Place, id: &str) -> Result<UsageReport, Unreadable> {
        let session = self
            .sessions
            .proven(&place.account)
            .ok_or_else(|| self.why_closed(place))?;
        let ec2 = session.ec2(&place.region);
        let read = newest(&ec2, self.sessions.calls(), &self.owner, id);
        self.in_turn(place, REPORTS, read)
            .await?
            .map_err(|failure| failure.unreadable(REPORTS, place))
    }
}

/// The newest report of an image that this owner asked for: one of somebody else may leave out accounts.
async fn newest(
    ec2: &Ec2,
    calls: &EC2Calls,
    owner: &str,
    id: &str,
) -> Result<UsageReport, Failure> {
    let mut newest: Option<(Timestamp, ImageUsageReport)> = None;
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .describe_image_usage_reports()
            .image_ids(id)
            .filters(
                Filter::builder()
                    .name(format!("tag:{}", tag::OWNER))
                    .values(owner)
                    .build(),
            )
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, REPORTS, || request.clone().send()).await?;
        for report in page.image_usage_reports() {
            let at = report
                .creation_time()
                .and_then(|at| Timestamp::from_second(at.secs()).ok());
            let (Some(at), Some(_), Some(_)) = (at, report.report_id(), report.state()) else {
                return Err(Failure::unknown(
                    "EC2's answer is broken: a report without a time, an id or a state",
                ));
            };
            if newest.as_ref().is_none_or(|(other, _)| *other < at) {
                newest = Some((at, report.clone()));
            }
        }
        if pages.is_last(page.next_token())? {
            break;
        }
    }
    let Some((at, report)) = newest else {
        return Ok(UsageReport::Absent);
    };
    Ok(match report.state() {
        Some(AVAILABLE) => UsageReport::Written {
            at,
            users: entries(ec2, calls, report.report_id().unwrap_or_default()).await?,
        },
        Some(ERROR) => UsageReport::Failed {
            at,
            message: report.state_reason().unwrap_or("no reason").to_owned(),
        },
        _ => UsageReport::Pending,
    })
}

/// Everything that a report names, or nothing where a page is missing.
async fn entries(ec2: &Ec2, calls: &EC2Calls, report: &str) -> Result<Vec<ImageUser>, Failure> {
    if report.is_empty() {
        return Err(Failure::ours("there is no report to read"));
    }
    let mut users = Vec::new();
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .describe_image_usage_report_entries()
            .report_ids(report)
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, ENTRIES, || request.clone().send()).await?;
        for entry in page.image_usage_report_entries() {
            let (Some(image), Some(account)) = (entry.image_id(), entry.account_id()) else {
                return Err(Failure::unknown(
                    "EC2's answer is broken: an entry without an image or an account",
                ));
            };
            users.push(ImageUser::elsewhere(
                image,
                entry.resource_type().unwrap_or("unknown"),
                account,
                entry.usage_count().unwrap_or_default(),
            ));
        }
        if pages.is_last(page.next_token())? {
            // EC2 promises no order, and another one would be news to the user.
            users.sort_by(|one: &ImageUser, other| {
                (&one.account_id, &one.resource_type)
                    .cmp(&(&other.account_id, &other.resource_type))
            });
            return Ok(users);
        }
    }
}
