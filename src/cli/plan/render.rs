//! A plan as text for a terminal, and as Markdown for a pull request.

use std::fmt::Write as _;

use super::summary::{Change, Kind, ObjectPlan, PlannedStep, Summary};

/// Red, green, yellow and plain, as terminals have it.
struct Colours {
    goes: &'static str,
    comes: &'static str,
    changes: &'static str,
    plain: &'static str,
}

const COLOURS: Colours = Colours {
    goes: "\u{1b}[31m",
    comes: "\u{1b}[32m",
    changes: "\u{1b}[33m",
    plain: "\u{1b}[0m",
};

const NO_COLOURS: Colours = Colours {
    goes: "",
    comes: "",
    changes: "",
    plain: "",
};

/// As text, coloured where that is asked for.
pub fn text(summary: &Summary, coloured: bool) -> String {
    let colours = if coloured { COLOURS } else { NO_COLOURS };
    let mut text = String::new();
    for object in &summary.objects {
        let _ = writeln!(text, "{}", heading(object));
        for step in shown(object) {
            let colour = match sign(step.kind) {
                '-' => colours.goes,
                '+' => colours.comes,
                _ => colours.changes,
            };
            let _ = writeln!(
                text,
                "  {colour}{} {}{}  {} ({})",
                sign(step.kind),
                step.text,
                colours.plain,
                when(step.after_seconds),
                step.why
            );
        }
        for wait in &object.waits {
            let _ = writeln!(text, "  … {}  waits for {}", wait.text, wait.waits_for);
        }
        for line in obstacles(object) {
            let _ = writeln!(text, "  {}!{} {line}", colours.goes, colours.plain);
        }
        let _ = writeln!(text, "  {}\n", outcome(object));
    }
    text + &total(summary) + "\n"
}

/// As Markdown.
pub fn markdown(summary: &Summary) -> String {
    let mut text = format!("### Amity: {}\n", total(summary));
    for object in &summary.objects {
        let _ = write!(text, "\n#### {}\n\n", heading(object));
        let mut steps = shown(object).peekable();
        if steps.peek().is_some() {
            text.push_str("| | what | when | why |\n| --- | --- | --- | --- |\n");
        }
        for step in steps {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                sign(step.kind),
                cell(&step.text),
                when(step.after_seconds),
                cell(&step.why)
            );
        }
        if !object.waits.is_empty() {
            text.push('\n');
        }
        for wait in &object.waits {
            let _ = writeln!(
                text,
                "- waits for {}: {}",
                cell(&wait.waits_for),
                cell(&wait.text)
            );
        }
        for line in obstacles(object) {
            let _ = writeln!(text, "\n> **{}", line.replacen(": ", ":** ", 1));
        }
        let _ = writeln!(text, "\n{}", outcome(object));
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn heading(object: &ObjectPlan) -> String {
    let change = match object.change {
        Change::Create => "is new",
        Change::Update => "is there",
        Change::Delete => "is deleted",
    };
    let revision = object.revision.as_deref();
    let revision = revision.map_or(String::new(), |revision| format!(", revision {revision}"));
    format!("{} {change}{revision}", object.object)
}

/// What people want to know of.
fn shown(object: &ObjectPlan) -> impl Iterator<Item = &PlannedStep> {
    object.steps.iter().filter(|step| step.kind != Kind::Note)
}

fn sign(kind: Kind) -> char {
    match kind {
        Kind::Deregister | Kind::DeleteSnapshot | Kind::Terminate => '-',
        Kind::Create | Kind::Copy | Kind::Launch | Kind::Adopt => '+',
        Kind::Share | Kind::Publish | Kind::Change | Kind::Note => '~',
    }
}

fn obstacles(object: &ObjectPlan) -> impl Iterator<Item = String> {
    let refused = object.refused.iter().flatten();
    let all = object.findings.iter().chain(refused).chain(&object.notes);
    all.map(|one| format!("{}: {}", one.reason, one.message))
}

/// When it is done, and what it stores.
fn outcome(object: &ObjectPlan) -> String {
    let when = match object.seconds {
        Some(_) if shown(object).next().is_none() => "nothing to do".to_owned(),
        Some(seconds) => format!("done {}", when(seconds)),
        None => "not done before somebody acts".to_owned(),
    };
    let stored = &object.stored;
    let cost = |cost: &Option<String>| {
        let cost = cost.as_ref();
        cost.map_or(String::new(), |cost| format!(" ({cost} a month)"))
    };
    let now = format!("{} GiB{}", stored.now, cost(&stored.cost_now));
    match stored.then {
        Some(then) if then == stored.now => format!("{when}; stores {now}"),
        Some(then) => format!(
            "{when}; stores {now} now and {then} GiB{} then, at most",
            cost(&stored.cost_then)
        ),
        None => format!(
            "{when}; stores {now} now, and what it stores then is not known before the capture"
        ),
    }
}

/// As people say it, since it is only an estimate.
fn when(seconds: i64) -> String {
    match seconds {
        ..60 => "at once".to_owned(),
        60..5_400 => format!("in about {} min", (seconds + 30) / 60),
        5_400..172_800 => format!("in about {} h", (seconds + 1_800) / 3_600),
        _ => format!("in about {} days", (seconds + 43_200) / 86_400),
    }
}

/// All objects in a sentence.
fn total(summary: &Summary) -> String {
    let kinds = [
        (Kind::Deregister, "to deregister"),
        (Kind::DeleteSnapshot, "snapshots to delete"),
        (Kind::Create, "to make"),
        (Kind::Copy, "to copy"),
        (Kind::Launch, "machines to launch"),
        (Kind::Terminate, "machines to terminate"),
        (Kind::Adopt, "to take over or restore"),
        (Kind::Share, "permissions to change"),
        (Kind::Publish, "to publish or no longer publish"),
        (Kind::Change, "other changes"),
    ];
    let said: Vec<_> = kinds
        .iter()
        .filter_map(|(kind, what)| Some(format!("{} {what}", summary.total.get(kind)?)))
        .collect();
    let many = summary.objects.len();
    let of = if many == 1 {
        "1 MachineImage".to_owned()
    } else {
        format!("{many} MachineImages")
    };
    let waiting = summary.objects.iter().filter(|one| one.seconds.is_none());
    let waiting = match waiting.count() {
        0 => None,
        waiting => Some(format!("{waiting} not done before somebody acts")),
    };
    let said: Vec<_> = said.into_iter().chain(waiting).collect();
    if said.is_empty() {
        return format!("{of}: nothing to do");
    }
    format!("{of}: {}", said.join(", "))
}
