//! `CreateImageUsageReport`, `DescribeImageUsageReports`, `DescribeImageUsageReportEntries`,
//! `DeleteImageUsageReport`: which other accounts use an image (model; docs: UG
//! your-ec2-ami-usage).
//!
//! A report is made in a while, says what was so a day before, and is kept for 30 days. Of launch
//! templates, which have no age here, it says what is so. Image recipes can be asked for; no
//! world has any.

use std::collections::{BTreeMap, BTreeSet};

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::state::{InstanceState, UsageQuestion, UsageReport};
use crate::tags::{self, TagsAtBirth};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml, iso};
use crate::world::{Call, Remembered, World};

const INSTANCE: &str = "ec2:Instance";
const TEMPLATE: &str = "ec2:LaunchTemplate";
const TYPES: [&str; 4] = [
    INSTANCE,
    TEMPLATE,
    "imagebuilder:ImageRecipe",
    "imagebuilder:ContainerRecipe",
];
const USUAL_DEPTH: usize = 20;
const MOST_ACCOUNTS: usize = 200;
const DAY_MILLISECONDS: u64 = 24 * 3_600_000;

const REPORT_FILTERS: Known = Known {
    fields: &["creation-time", "state", "tag-key"],
    not_modelled: &[],
    tags: true,
};

const ENTRY_FILTERS: Known = Known {
    fields: &["account-id", "creation-time", "resource-type"],
    not_modelled: &[],
    tags: false,
};

const BOUNDS: Bounds = Bounds { low: 1, high: 1000 };

/// One line of a report.
struct Entry {
    report: UsageReport,
    account: String,
    resource_type: String,
    count: u64,
    /// Report, account and type, by which pages are made.
    key: String,
}

impl World {
    pub(crate) fn create_image_usage_report(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let image = parameters.required("ImageId")?;
        let question = take_question(&mut parameters)?;
        let token = parameters
            .text("ClientToken")
            .filter(|token| !token.is_empty());
        let tags = TagsAtBirth::take(&mut parameters, &["image-usage-report"])?;
        check_id("ami", &image)?;
        parameters.finish_action()?;

        let mut asked = request.parameters.clone();
        asked.remove("DryRun");
        let key = token.map(|token| {
            let token = format!("{} {token}", request.action);
            (call.account.clone(), call.region.clone(), token)
        });
        if let Some(before) = key.as_ref().and_then(|key| self.tokens.get(key)) {
            if before.parameters != asked {
                return Err(ApiError::new(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous \
                     request(s).",
                ));
            }
            return Ok(answer(&before.image));
        }
        self.own_image(call, &image)?;
        let report = UsageReport {
            id: self.new_id("amiur", &call.region),
            owner: call.account.clone(),
            entries: self.usage(call, &image, &question)?,
            image,
            question,
            created: self.now,
            available: after(self.now, self.knobs.usage_report_milliseconds),
            expires: after(self.now, 30 * DAY_MILLISECONDS),
        };
        let id = report.id.clone();
        let region = self.region_mut(&call.region)?;
        region.born_with_tags(&id, &call.account, tags.of("image-usage-report"));
        region.usage_reports.insert(id.clone(), report);
        if let Some(key) = key {
            let remembered = Remembered {
                parameters: asked,
                image: id.clone(),
            };
            self.tokens.insert(key, remembered);
        }
        Ok(answer(&id))
    }

    pub(crate) fn describe_image_usage_reports(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let filters = Filters::take(&mut parameters, &REPORT_FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false)?;
        let reports = self.chosen_reports(call, parameters)?;
        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        for report in reports {
            let tags = region.tags_seen(&report.id, &call.account, call.view);
            let state = self.state_of_report(&report);
            let field = |name: &str| match name {
                "creation-time" => vec![iso(report.created)],
                "state" => vec![state.to_owned()],
                _ => Vec::new(),
            };
            if filters.pass(&tags, field) {
                listed.push((report, state, tags));
            }
        }
        let (page, next) = paging.page(listed, |item| &item.0.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("imageUsageReportSet", page, |xml, (report, state, tags)| {
                write(xml, &report, state);
                tags::write(xml, &tags);
            });
            xml.optional("nextToken", next);
        }))
    }

    /// The entries of reports that are there to be read.
    pub(crate) fn describe_image_usage_report_entries(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let filters = Filters::take(&mut parameters, &ENTRY_FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false)?;
        let mut listed = Vec::new();
        for report in self.chosen_reports(call, parameters)? {
            if self.now < report.available {
                continue;
            }
            for ((account, resource_type), count) in &report.entries {
                let field = |name: &str| match name {
                    "account-id" => vec![account.clone()],
                    "creation-time" => vec![iso(report.created)],
                    _ => vec![resource_type.clone()],
                };
                if filters.pass(&crate::state::Tags::new(), field) {
                    listed.push(Entry {
                        account: account.clone(),
                        resource_type: resource_type.clone(),
                        count: *count,
                        key: format!("{} {account} {resource_type}", report.id),
                        report: report.clone(),
                    });
                }
            }
        }
        let (page, next) = paging.page(listed, |entry| &entry.key, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("imageUsageReportEntrySet", page, |xml, entry| {
                xml.text("resourceType", entry.resource_type);
                xml.text("reportId", entry.report.id);
                xml.text("usageCount", entry.count);
                xml.text("accountId", entry.account);
                xml.text("imageId", entry.report.image);
                xml.time("reportCreationTime", entry.report.created);
            });
            xml.optional("nextToken", next);
        }))
    }

    pub(crate) fn delete_image_usage_report(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ReportId")?;
        check_report_id(&id)?;
        parameters.finish_action()?;
        self.own_report(call, &id)?;
        self.region_mut(&call.region)?.usage_reports.remove(&id);
        Ok(Reply::done())
    }

    /// The reports of the caller that `ReportId` and `ImageId` choose, or all.
    fn chosen_reports(
        &self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Vec<UsageReport>, ApiError> {
        let ids = parameters.list("ReportId");
        let images = parameters.list("ImageId");
        ids.iter().try_for_each(|id| check_report_id(id))?;
        images.iter().try_for_each(|id| check_id("ami", id))?;
        parameters.finish_action()?;
        ids.iter()
            .try_for_each(|id| self.own_report(call, id).map(|_| ()))?;
        let all = self.region(&call.region)?.usage_reports.keys();
        let own = all.filter_map(|id| self.own_report(call, id).ok());
        let chosen = own.filter(|report| {
            (ids.is_empty() || ids.contains(&report.id))
                && (images.is_empty() || images.contains(&report.image))
        });
        Ok(chosen.cloned().collect())
    }

    /// A report of the caller's that is not too old. The code for another one is not documented.
    fn own_report(&self, call: &Call, id: &str) -> Result<&UsageReport, ApiError> {
        let found = self.region(&call.region)?.usage_reports.get(id);
        let found = found.filter(|it| it.owner == call.account && self.now < it.expires);
        found.ok_or_else(|| {
            ApiError::new(
                "InvalidImageUsageReportId.NotFound",
                format!("The image usage report '{id}' does not exist"),
            )
        })
    }

    fn state_of_report(&self, report: &UsageReport) -> &'static str {
        if self.now < report.available {
            "pending"
        } else {
            "available"
        }
    }

    /// What other accounts had of an image a day ago, as far as can be said.
    fn usage(
        &self,
        call: &Call,
        image: &str,
        question: &UsageQuestion,
    ) -> Result<BTreeMap<(String, String), u64>, ApiError> {
        let wanted = |account: &String| {
            let named = question.accounts.is_empty() || question.accounts.contains(account);
            *account != call.account && named
        };
        let mut entries = BTreeMap::new();
        let mut count = |account: &String, resource_type: &str| {
            *entries
                .entry((account.clone(), resource_type.to_owned()))
                .or_insert(0) += 1;
        };
        let asked = |resource_type: &str| question.types.iter().any(|it| it == resource_type);
        let region = self.region(&call.region)?;
        for instance in region.instances.values().filter(|_| asked(INSTANCE)) {
            if instance.image == image
                && instance.state != InstanceState::Terminated
                && after(instance.launched, DAY_MILLISECONDS) <= self.now
                && wanted(&instance.owner)
            {
                count(&instance.owner, INSTANCE);
            }
        }
        let depth = question.version_depth.unwrap_or(USUAL_DEPTH);
        for template in region.launch_templates.values().filter(|_| asked(TEMPLATE)) {
            let mut newest = template.images().take(depth).flatten();
            if newest.any(|it| it == image) && wanted(&template.owner) {
                count(&template.owner, TEMPLATE);
            }
        }
        Ok(entries)
    }
}

fn answer(report: &str) -> Reply {
    Reply::of(|xml| xml.text("reportId", report)).made(report)
}

fn take_question(parameters: &mut Parameters) -> Result<UsageQuestion, ApiError> {
    let mut question = UsageQuestion {
        types: Vec::new(),
        version_depth: None,
        accounts: parameters
            .list("AccountId")
            .into_iter()
            .collect::<BTreeSet<_>>(),
    };
    if question.accounts.len() > MOST_ACCOUNTS {
        return Err(ApiError::invalid_value(format!(
            "You may not specify more than {MOST_ACCOUNTS} accounts in one call"
        )));
    }
    for mut given in parameters.structures("ResourceType") {
        let resource_type = given.required("ResourceType")?;
        super::one_of("resourceType", &resource_type, &TYPES)?;
        for mut option in given.structures("ResourceTypeOption") {
            let name = option.required("OptionName")?;
            let values = option.list("OptionValue");
            option.finish()?;
            if resource_type != TEMPLATE || name != "version-depth" {
                return Err(ApiError::invalid_value(format!(
                    "The option '{name}' is not valid for the resource type '{resource_type}'"
                )));
            }
            question.version_depth = Some(crate::references::depth(&values)?);
        }
        given.finish()?;
        question.types.push(resource_type);
    }
    if question.types.is_empty() {
        return Err(ApiError::missing("ResourceType"));
    }
    Ok(question)
}

fn check_report_id(id: &str) -> Result<(), ApiError> {
    check_id("amiur", id)
}

fn write(xml: &mut Xml, report: &UsageReport, state: &str) {
    xml.text("imageId", &report.image);
    xml.text("reportId", &report.id);
    let question = &report.question;
    xml.items("resourceTypeSet", &question.types, |xml, resource_type| {
        xml.text("resourceType", resource_type);
        if let Some(depth) = question.version_depth.filter(|_| resource_type == TEMPLATE) {
            xml.items("resourceTypeOptionSet", [depth], |xml, depth| {
                xml.text("optionName", "version-depth");
                xml.element("optionValueSet", |xml| xml.text("item", depth));
            });
        }
    });
    if !question.accounts.is_empty() {
        xml.element("accountIdSet", |xml| {
            for account in &question.accounts {
                xml.text("item", account);
            }
        });
    }
    xml.text("state", state);
    xml.time("creationTime", report.created);
    xml.time("expirationTime", report.expires);
}
