//! The page `docs/cli.md` is the program's own help.
use super::program::{Program, repository};
use std::fmt::Write as _;

/// The commands that the program's help lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter(|l| !l.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

fn page() -> String {
    let program = Program::new();
    let mut page = String::from(
        "# Commands and flags\n\n\
         This page is the program's own help: a test writes it (`WAYWORD_BLESS=1 cargo test \
         --release -p wayword-app flags`) and notices when it is old.\n",
    );
    let mut add = |title: &str, arguments: &[&str]| {
        let help = program.well(arguments).out;
        write!(page, "\n## {title}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    };
    add("wayword", &["--help"]);
    for command in commands(&program.well(&["--help"]).out) {
        add(&format!("wayword {command}"), &[&command, "--help"]);
    }
    page
}

#[test]
fn the_page_of_flags_is_current() {
    let file = repository("docs/cli.md");
    let page = page();
    if std::env::var_os("WAYWORD_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/cli.md is old; write it with WAYWORD_BLESS=1");
}

#[test]
fn short_help_fits_a_screen() {
    let program = Program::new();
    insta::assert_snapshot!(program.well(&["-h"]).out);
    let train = program.well(&["train", "-h"]).out;
    assert!(train.lines().count() < 80, "{train}");
}

#[test]
fn version_is_one_line() {
    let run = Program::new().well(&["--version"]);
    assert_eq!(run.out, format!("wayword {}\n", env!("CARGO_PKG_VERSION")));
}
