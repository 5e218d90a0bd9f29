//! What the documents claim about the code, held against the code.

use clap::CommandFactory;
use std::path::Path;

/// The README is read in one go.
const README_LINES: usize = 200;

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The first fenced block in this language.
fn block<'a>(document: &'a str, language: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("```{language}\n")).expect("there is such a block");
    rest.split_once("```").expect("the block ends").0
}

#[test]
fn the_readme_is_short_enough_to_be_read() {
    let lines = read("README.md").lines().count();
    assert!(lines < README_LINES, "{lines} lines");
}

#[test]
fn the_filter_in_the_readme_is_the_one_that_the_sdk_tests() {
    let (readme, sdk) = (read("README.md"), read("sdk/src/lib.rs"));
    let documented: Vec<&str> = sdk.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
    let filter = block(&readme, "rust");
    for line in filter.lines().filter(|line| !line.is_empty()) {
        assert!(documented.contains(&line), "the SDK's example has no line `{line}`");
    }
    assert!(filter.lines().filter(|line| !line.is_empty()).count() <= 15, "it has more than 15 lines");
}

#[test]
fn every_task_that_a_document_names_exists() {
    let command = crate::Arguments::command();
    for document in ["README.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = read(document);
        for after in text.split("cargo xtask ").skip(1) {
            let task: String = after.chars().take_while(char::is_ascii_lowercase).collect();
            assert!(command.find_subcommand(&task).is_some(), "{document} names `cargo xtask {task}`");
        }
    }
}

#[test]
fn every_file_that_the_readme_points_to_exists() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("## Where to look").expect("there is such a section");
    let paths = table.split('`').skip(1).step_by(2).filter(|path| path.contains('/') && !path.starts_with('/'));
    let mut found = 0;
    for path in paths {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).exists(), "README.md points to {path}");
        found += 1;
    }
    assert!(found > 5, "the table has only {found} paths");
}

/// Every name in backticks that reads like a sentence, as names of tests do.
fn named_tests(document: &str) -> Vec<&str> {
    let is_sentence = |name: &&str| {
        name.matches('_').count() >= 3 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    document.split('`').skip(1).step_by(2).filter(is_sentence).collect()
}

/// The text of every Rust file below a directory.
fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_a_promise_of_security_names_exists() {
    let mut found = Vec::new();
    for directory in ["host/src", "tests/tests", "fuzz/tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory), &mut found);
    }
    let security = read("SECURITY.md");
    let (_, promises) = security.split_once("## Promises").expect("there is such a section");
    for promise in promises.split("\n**P").skip(1) {
        let names = named_tests(promise);
        assert!(!names.is_empty(), "a promise without a test: {promise}");
        for name in names {
            let is_there = found.iter().any(|text| text.contains(&format!("fn {name}(")));
            assert!(is_there, "SECURITY.md names `{name}`, which is no test");
        }
    }
}
