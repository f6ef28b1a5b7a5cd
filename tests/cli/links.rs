//! Every link of the pages that stays within the repository leads to something: the file is there, and so is the heading.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use amity_testbed::workspace_root;

/// Folders in which there are no pages of ours.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

#[test]
fn every_link_leads_to_something() {
    let root = workspace_root();
    let pages = pages(root);
    assert!(
        pages.len() > 20,
        "the pages were not found: {}",
        pages.len()
    );
    let mut dead = Vec::new();
    for (page, text) in &pages {
        for link in links(text) {
            if let Err(why) = follow(root, &pages, page, &link) {
                dead.push(format!("{}: {link}: {why}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn the_book_has_every_page_once() {
    let root = workspace_root();
    let docs = Path::new("docs");
    let pages = pages(root);
    let summary = links(&pages[&docs.join("SUMMARY.md")]);
    let listed: BTreeSet<_> = summary.iter().map(|link| docs.join(link)).collect();
    assert_eq!(listed.len(), summary.len(), "a page is listed twice");
    let there = pages.keys().filter(|page| page.starts_with(docs));
    let there = there.filter(|page| page.file_name() != Some("SUMMARY.md".as_ref()));
    assert_eq!(listed, there.cloned().collect(), "docs/SUMMARY.md");
}

#[test]
fn links_are_found_where_they_are_and_not_in_code() {
    let text = "A [link](a.md), [another](b.md#c \"title\"), `[no](link)`.\n```\n[no](link)\n```\n\
                - ![picture](d.png)\n    [`code`](<e f.md>)\n[below]: g.md\n";
    assert_eq!(links(text), ["a.md", "b.md#c", "d.png", "e f.md", "g.md"]);
}

#[test]
fn headings_have_the_anchors_that_github_and_mdbook_give_them() {
    let text = "# How `it` works, now\n## Twice\n## Twice\n```\n# no heading\n```\n## a.b[]\n";
    let expected = ["how-it-works-now", "twice", "twice-1", "ab"];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}

/// Every Markdown page, by its path from the root.
fn pages(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|one| one == "md") {
                let text = fs::read_to_string(&path).unwrap();
                pages.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    pages
}

fn follow(
    root: &Path,
    pages: &BTreeMap<PathBuf, String>,
    page: &Path,
    link: &str,
) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        page.to_owned()
    } else {
        normal(&page.parent().unwrap_or(Path::new("")).join(file))
            .ok_or("outside of the repository")?
    };
    if !root.join(&target).exists() {
        return Err("there is no such file".to_owned());
    }
    if anchor.is_empty() {
        return Ok(());
    }
    let text = pages.get(&target).ok_or("has no headings")?;
    if anchors(text).contains(anchor) {
        Ok(())
    } else {
        Err("there is no such heading".to_owned())
    }
}

/// Without `.` and `..`; none, if it leads out.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            _ => return None,
        }
    }
    Some(normal)
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fence: Option<&str> = None;
    text.lines().filter(move |line| {
        let line = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return true,
            _ => {}
        }
        false
    })
}

/// What is linked to.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        let written = without_code(line);
        let mut rest = written.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let link = match rest.strip_prefix('<') {
                Some(quoted) => quoted.split('>').next(),
                None => rest.split([')', ' ']).next(),
            };
            links.extend(link.map(str::to_owned));
        }
        if let Some((name, link)) = written
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            && !name.contains(['[', ']', ' '])
        {
            links.push(link.trim().to_owned());
        }
    }
    links
}

/// Without what is between backticks.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .filter(|(number, _)| number % 2 == 0)
        .map(|(_, part)| part)
        .collect()
}

/// The anchors of the headings: lower case, without punctuation, dashes for spaces, and a number where one comes again.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let headings = headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    headings
        .map(|heading| {
            let words = heading.trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let times = seen.entry(anchor.clone()).or_default();
            *times += 1;
            if *times > 1 {
                format!("{anchor}-{}", *times - 1)
            } else {
                anchor
            }
        })
        .collect()
}
