//! The pages of `docs/reference` that are written from the source: what they say is what the source says.

mod commands;
mod fields;
mod iam;

use std::fs;

use amity_testbed::workspace_root;

/// Compares a page with what it should be; with `UPDATE_DOCS` it is written.
fn check(name: &str, page: &str) {
    let path = workspace_root().join("docs/reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/reference/{name} is not what the source says; UPDATE_DOCS=1 writes it anew"
    );
}

/// A text as it stands in a table: it has no markup, in the source, but backticks.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    let mut is_code = false;
    for c in text.trim().chars() {
        match c {
            '`' => is_code = !is_code,
            '|' => cell.push('\\'),
            '<' if !is_code => {
                cell.push_str("&lt;");
                continue;
            }
            '*' if !is_code => cell.push('\\'),
            _ => {}
        }
        cell.push(c);
    }
    cell.replace("\n\n", "<br>").replace('\n', " ")
}

/// A word of the source's.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}
