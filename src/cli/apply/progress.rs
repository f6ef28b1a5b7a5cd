//! How far each object is: lines that change in place on a terminal, and elsewhere a line for each change.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use amity_core::api::{MachineImage, conditions};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Work goes on.
    GoesOn,
    /// EC2 matches.
    Ready,
    /// Somebody has to act.
    Stalled,
}

impl State {
    fn of(image: &MachineImage) -> Self {
        let Some(status) = &image.status else {
            return Self::GoesOn;
        };
        match () {
            () if Some(status.observed_generation) != image.metadata.generation => Self::GoesOn,
            () if status.says(conditions::READY).is_some() => Self::Ready,
            () if status.says(conditions::STALLED).is_some() => Self::Stalled,
            () => Self::GoesOn,
        }
    }

    /// Whether nothing goes on by itself.
    pub fn is_final(self) -> bool {
        self != Self::GoesOn
    }
}

/// What is shown.
pub struct Progress {
    lines: BTreeMap<String, Line>,
    /// Only where there is a terminal.
    bars: Option<MultiProgress>,
}

/// What is shown of one object.
struct Line {
    bar: ProgressBar,
    shown: String,
}

impl Progress {
    /// Of these objects.
    pub fn new<'a>(objects: impl Iterator<Item = &'a String>) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        let style = ProgressStyle::with_template("{spinner} {prefix:.bold}  {wide_msg}");
        let lines = objects.map(|object| {
            let bar = ProgressBar::no_length().with_prefix(object.clone());
            let bar = bars.as_ref().map_or(bar.clone(), |bars| bars.add(bar));
            if bars.is_some() {
                if let Ok(style) = &style {
                    bar.set_style(style.clone());
                }
                bar.enable_steady_tick(Duration::from_millis(120));
            }
            let shown = String::new();
            (object.clone(), Line { bar, shown })
        });
        Self {
            lines: lines.collect(),
            bars: bars.clone(),
        }
    }

    /// Shows where an object is.
    pub fn show(&mut self, image: &MachineImage) -> State {
        let state = State::of(image);
        let text = text(image, state);
        if let Some(line) = self.lines.get_mut(&image.key())
            && line.shown != text
        {
            if self.bars.is_some() {
                line.bar.set_message(text.clone());
            } else {
                eprintln!("{}  {text}", image.key());
            }
            line.shown = text;
        }
        state
    }

    /// Leaves the last of it standing. Whether EC2 matches everything.
    pub fn finish(self, states: &[State]) -> ExitCode {
        for (object, line) in &self.lines {
            if self.bars.is_some() {
                line.bar.finish_and_clear();
                eprintln!("{object}  {}", line.shown);
            }
        }
        if states.iter().all(|state| *state == State::Ready) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// An object in a line.
fn text(image: &MachineImage, state: State) -> String {
    let Some(status) = &image.status else {
        return "is looked at".to_owned();
    };
    let regions = status.regions_ready.as_deref().unwrap_or_default();
    let published = status.published.as_ref();
    let revision = published.map(|one| format!(" revision {}", one.revision));
    match state {
        State::Ready => {
            let ids = status.regions.iter().filter_map(|region| {
                let id = region.published_image_id.as_deref()?;
                Some(format!("{} {id}", region.name))
            });
            let ids: Vec<_> = ids.collect();
            format!(
                "Ready {regions}{}: {}",
                revision.unwrap_or_default(),
                ids.join(", ")
            )
        }
        State::Stalled => {
            let stalled = status.says(conditions::STALLED);
            let stalled = stalled.map(|one| format!("{}: {}", one.reason, one.message));
            format!("Stalled {}", stalled.unwrap_or_default())
        }
        State::GoesOn => {
            let going = status.regions.iter().filter_map(|region| {
                let progress = region.progressing.as_ref()?;
                Some(format!(
                    "{} {} {} %",
                    region.name, progress.state, progress.percent
                ))
            });
            let mut parts: Vec<_> = going.collect();
            if parts.is_empty()
                && let Some(step) = status.next_steps.first()
            {
                parts.push(step.step.clone());
            }
            format!("{regions} {}", parts.join(", "))
        }
    }
}
