//! `docs/tutorial.md`, done as it stands: its files are written, its commands are run one after the other, and what it shows
//! is what they print.
//!
//! Commands find `amity` and `ec2sim` on their path, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use amity_testbed::{Ec2Sim, binary, workspace_root};

/// What `ec2sim` listens on if nothing is said. The test takes a free port in its place.
const ENDPOINT: &str = "http://127.0.0.1:4566";

/// A line that stands for any number of lines.
const ANYTHING: &str = "…";

/// What the page has a reader do.
#[derive(Debug)]
enum Deed {
    /// To save a file.
    Save { name: String, text: String },
    /// To type a command, which prints this.
    Type { command: String, shown: Vec<String> },
}

#[test]
fn the_tutorial_does_what_it_says() {
    let page = std::fs::read_to_string(workspace_root().join("docs/tutorial.md")).unwrap();
    let mut reader = Reader::new();
    let deeds = deeds(&page);
    assert!(deeds.len() > 20, "the page was not understood: {deeds:#?}");
    for deed in deeds {
        match deed {
            Deed::Save { name, text } => {
                std::fs::write(reader.folder.path().join(name), text).unwrap();
            }
            Deed::Type { command, shown } => {
                let printed = reader.types(&command);
                if let Err(line) = is_shown(&shown, &printed) {
                    panic!(
                        "docs/tutorial.md: $ {command}\nshows a line that was not printed there: {line}\nprinted:\n{printed}"
                    );
                }
            }
        }
    }
}

/// Who does it.
struct Reader {
    folder: tempfile::TempDir,
    programs: PathBuf,
    environment: BTreeMap<String, String>,
    ec2: Option<Ec2Sim>,
}

impl Reader {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            programs: binary("ec2sim").parent().unwrap().to_owned(),
            environment: BTreeMap::new(),
            ec2: None,
        }
    }

    /// Types a command, and reads what it prints.
    fn types(&mut self, command: &str) -> String {
        if let Some(arguments) = command
            .strip_prefix("ec2sim ")
            .and_then(|rest| rest.strip_suffix(" &"))
        {
            return self.starts_ec2(arguments);
        }
        if let Some(variables) = command.strip_prefix("export ") {
            for variable in variables.split(' ') {
                let (name, value) = variable.split_once('=').expect("NAME=VALUE");
                let endpoint = self.ec2.as_ref().expect("ec2sim was started").endpoint();
                self.environment
                    .insert(name.to_owned(), value.replace(ENDPOINT, &endpoint));
            }
            return String::new();
        }
        let output = Command::new(bash())
            .args(["-c", command])
            .env_clear()
            .env("PATH", &self.programs)
            .envs(&self.environment)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let mut printed = String::from_utf8(output.stderr).unwrap();
        printed.push_str(&String::from_utf8(output.stdout).unwrap());
        assert!(
            output.status.success(),
            "docs/tutorial.md: $ {command}\nended with {}:\n{printed}",
            output.status
        );
        printed
    }

    fn starts_ec2(&mut self, arguments: &str) -> String {
        let arguments: Vec<_> = arguments.split(' ').map(|one| self.path(one)).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.ec2 = Some(Ec2Sim::start(&binary("ec2sim"), &arguments).unwrap());
        format!("{ENDPOINT}\n")
    }

    /// A file of the reader's by its whole path; anything else as it is.
    fn path(&self, argument: &str) -> String {
        let path = self.folder.path().join(argument);
        if !Path::new(argument).is_absolute() && path.is_file() {
            path.to_str().unwrap().to_owned()
        } else {
            argument.to_owned()
        }
    }
}

/// It is started by its path, since what it starts has another.
fn bash() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    let found = folders.find_map(|folder| Some(folder.join("bash")).filter(|bash| bash.is_file()));
    found.expect("bash is on the path")
}

/// What the blocks of the page say: a block of YAML begins with the name of its file, and in one of the console a `$` begins
/// a command.
fn deeds(page: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        match language {
            "yaml" => {
                let name = block[0].strip_prefix("# ").expect("the name of the file");
                let mut text = String::new();
                for line in &block {
                    let _ = writeln!(text, "{line}");
                }
                deeds.push(Deed::Save {
                    name: name.to_owned(),
                    text,
                });
            }
            "console" => {
                for line in block {
                    match (line.strip_prefix("$ "), deeds.last_mut()) {
                        (Some(command), _) => deeds.push(Deed::Type {
                            command: command.to_owned(),
                            shown: Vec::new(),
                        }),
                        (None, Some(Deed::Type { shown, .. })) => shown.push(line.to_owned()),
                        (None, _) => panic!("no command printed {line}"),
                    }
                }
            }
            _ => {}
        }
    }
    deeds
}

/// Whether what is shown was printed: every line of it, in its order, and between two of them nothing else, unless the page
/// says that it leaves something out.
fn is_shown(shown: &[String], printed: &str) -> Result<(), String> {
    let printed: Vec<_> = printed.lines().map(stable).collect();
    let (mut at, mut may_skip) = (0, false);
    for line in shown {
        if line == ANYTHING {
            may_skip = true;
            continue;
        }
        let wanted = stable(line);
        let found = printed[at..].iter().position(|one| *one == wanted);
        match found {
            Some(skipped) if may_skip || skipped == 0 => at += skipped + 1,
            _ => return Err(line.clone()),
        }
        may_skip = false;
    }
    if may_skip || at == printed.len() {
        Ok(())
    } else {
        Err(format!("(and not {})", printed[at]))
    }
}

/// Without what may differ from one time to the next: ids, and how long something takes.
fn stable(line: &str) -> String {
    let mut stable = line.trim_end().to_owned();
    for kind in ["ami-", "snap-"] {
        let mut parts = stable.split(kind);
        let first = parts.next().unwrap_or_default().to_owned();
        stable = parts.fold(first, |line, part| {
            format!(
                "{line}{kind}*{}",
                part.trim_start_matches(|c: char| c.is_ascii_hexdigit())
            )
        });
    }
    let mut words: Vec<_> = stable.split(' ').map(str::to_owned).collect();
    for number in 1..words.len() {
        if ["s", "min", "h"].contains(&words[number].trim_end_matches([';', ',', '.'])) {
            "*".clone_into(&mut words[number - 1]);
        }
    }
    words.join(" ")
}

#[test]
fn what_is_not_printed_is_not_shown() {
    let shown = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    let printed = "a ami-012\nb in about 5 min; c\nd\n";
    assert_eq!(
        is_shown(&shown(&["a ami-9", "b in about 12 min; c", "d"]), printed),
        Ok(())
    );
    assert_eq!(is_shown(&shown(&["…", "d"]), printed), Ok(()));
    assert_eq!(is_shown(&shown(&["a ami-9", "…"]), printed), Ok(()));
    for other in [
        &["a ami-9", "d"][..],
        &["…", "e"],
        &["a ami-9"],
        &[],
        &["…", "d", "d"],
    ] {
        assert!(is_shown(&shown(other), printed).is_err(), "{other:?}");
    }
}
