//! Rules of the house that no compiler knows: crate edges, file sizes, doc lines, paths in documents.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Which of our crates a crate may use. A new edge is a decision about the architecture.
const EDGES: &[(&str, &[&str])] = &[
    ("app", &["web", "session", "formats", "interface"]),
    ("web", &["session", "formats", "interface"]),
    ("session", &["train", "diffusion", "vision", "formats", "prompt", "interface"]),
    ("train", &["diffusion", "vision", "tensor", "formats", "prompt", "interface"]),
    ("diffusion", &["vision", "tensor", "formats", "prompt", "interface"]),
    ("vision", &["interface"]),
    ("tensor", &["kernels", "interface"]),
    ("formats", &["interface"]),
    ("prompt", &["interface"]),
    ("interface", &[]),
    ("kernels", &[]),
    ("testing", &[]),
];

/// Crates that hold unsafe code, or print, and say so in code with a reason.
const WITHOUT_FORBID: &[&str] = &["kernels", "formats", "app"];

/// Lines a source file may have. A file that grows past it has two subjects.
const LONGEST_FILE: usize = 600;

fn root() -> PathBuf {
    wayword_testing::repository()
}

/// Every file below `dir` with one of the endings, sorted.
fn files(dir: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|x| e == *x)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    files(&root().join("crates"), &["rs"])
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// Fails with every finding at once, so that one run is enough to put things right.
fn none(rule: &str, findings: &[String]) {
    let mut text = String::new();
    for finding in findings {
        writeln!(text, "  {finding}").unwrap();
    }
    assert!(findings.is_empty(), "{rule}:\n{text}");
}

fn manifests() -> BTreeMap<String, toml::Table> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let dir = entry.unwrap().path();
        let path = dir.join("Cargo.toml");
        if path.exists() {
            let name = dir.file_name().unwrap().to_string_lossy().into_owned();
            found.insert(name, read(&path).parse().unwrap());
        }
    }
    found
}

/// Our crates that the tables of this kind name, also those for one target only.
fn ours(manifest: &toml::Table, kind: &str) -> BTreeSet<String> {
    let mut tables = vec![manifest.get(kind)];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().map(|t| t.get(kind)));
    }
    tables
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_table)
        .flat_map(|t| t.keys())
        .filter_map(|k| k.strip_prefix("wayword-").map(str::to_owned))
        .collect()
}

#[test]
fn crates_use_only_what_is_below_them() {
    let edges: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut findings = Vec::new();
    for (name, manifest) in manifests() {
        let Some(allowed) = edges.get(name.as_str()) else {
            findings.push(format!("crate {name} has no line in EDGES"));
            continue;
        };
        for kind in ["dependencies", "build-dependencies"] {
            for used in ours(&manifest, kind) {
                if !allowed.contains(&used.as_str()) {
                    findings.push(format!("{name} -> {used} ({kind})"));
                }
            }
        }
        for used in ours(&manifest, "dev-dependencies") {
            if used != "testing" && !allowed.contains(&used.as_str()) {
                findings.push(format!("{name} -> {used} (dev-dependencies)"));
            }
        }
    }
    none(
        "edges against the direction app -> session -> train -> diffusion -> tensor -> kernels",
        &findings,
    );
}

#[test]
fn the_session_knows_no_terminal_and_no_environment() {
    // Printing and ending the process are denied by the lints of all crates but the program.
    let words = [
        "std::env",
        "env::var",
        "std::process::exit",
        "io::stdout",
        "io::stderr",
        "allow(clippy::print",
    ];
    let mut findings = Vec::new();
    for path in files(&root().join("crates/session/src"), &["rs"]) {
        for (n, line) in read(&path).lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            for word in words.iter().filter(|w| !comment && line.contains(**w)) {
                findings.push(format!("{}:{}: `{word}`", shown(&path), n + 1));
            }
        }
    }
    none("what only a face may do", &findings);
}

#[test]
fn the_session_names_fields_and_no_flags() {
    let mut findings = Vec::new();
    for path in files(&root().join("crates/session/src/commands"), &["rs"]) {
        let text = read(&path);
        // Tests may spell a line of a file of prompts, which has flags of its own.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (n, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let flag = line.split("--").skip(1).any(|rest| {
                rest.starts_with(|c: char| c.is_ascii_lowercase())
                    && !rest.starts_with("name, found")
            });
            if flag && !comment {
                findings.push(format!("{}:{}: {}", shown(&path), n + 1, line.trim()));
            }
        }
    }
    none("flags below the program; write {request.field}", &findings);
}

/// Files with flags of other programs: kohya's options, and the flags in a line of its prompts.
const FOREIGN_FLAGS: &[&str] =
    &["crates/formats/src/kohya", "crates/train/src/kohya", "crates/train/src/previews/prompts.rs"];

/// Flags in the texts of a file's code, tests left out: `--save-every`, not `--` or `---`.
fn flags(code: &str) -> Vec<(usize, String)> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for (n, line) in code.lines().enumerate() {
        let text = line.trim_start();
        // Attributes and comments are for readers of the code.
        if text.starts_with("//") || text.starts_with("#[") {
            continue;
        }
        for part in line.split('"').skip(1).step_by(2) {
            for (at, _) in part.match_indices("--") {
                let name: String = part[at + 2..]
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                    .collect();
                let alone = !part[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
                if alone && name.starts_with(|c: char| c.is_ascii_lowercase()) {
                    found.push((n + 1, format!("--{name}")));
                }
            }
        }
    }
    found
}

#[test]
fn libraries_name_fields_and_not_flags() {
    assert_eq!(flags("let a = \"pass --save-every 2\";"), [(1, "--save-every".to_owned())]);
    assert!(flags("// \"--a\"\nlet a = \"-- {train.resume} ---\";").is_empty());
    let mut findings = Vec::new();
    for path in rust_files() {
        let name = shown(&path);
        let library = name.contains("/src/")
            && !name.ends_with("tests.rs")
            && !["app", "session", "testing"]
                .iter()
                .any(|c| name.starts_with(&format!("crates/{c}/")))
            && !FOREIGN_FLAGS.iter().any(|f| name.starts_with(f));
        if library {
            let found = flags(&read(&path));
            findings.extend(found.iter().map(|(line, flag)| format!("{name}:{line}: {flag}")));
        }
    }
    none("flags in libraries, which name fields as {train.resume}", &findings);
}

#[test]
fn every_crate_inherits_the_lint_table() {
    let mut findings = Vec::new();
    for (name, manifest) in manifests() {
        let inherits = manifest.get("lints").and_then(|l| l.get("workspace"));
        if inherits.and_then(toml::Value::as_bool) != Some(true) {
            findings.push(format!("crates/{name}/Cargo.toml lacks [lints] workspace = true"));
        }
        let lib = root().join("crates").join(&name).join("src/lib.rs");
        if !WITHOUT_FORBID.contains(&name.as_str())
            && !read(&lib).contains("#![forbid(unsafe_code)]")
        {
            findings.push(format!("{} lacks #![forbid(unsafe_code)]", shown(&lib)));
        }
    }
    none("crates outside the common lints", &findings);
}

#[test]
fn unsafe_stands_in_the_places_named_for_it() {
    let findings: Vec<String> = rust_files()
        .iter()
        .filter(|p| {
            let name = shown(p);
            !name.starts_with("crates/kernels/")
                && name != "crates/formats/src/map.rs"
                && name != "crates/app/tests/tidy.rs"
        })
        .filter(|p| {
            read(p).lines().any(|l| {
                !l.trim_start().starts_with("//")
                    && (l.contains("unsafe {") || l.contains("unsafe fn"))
            })
        })
        .map(|p| shown(p))
        .collect();
    none("unsafe code outside kernels and formats/src/map.rs", &findings);
}

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    for path in rust_files() {
        let lines = read(&path).lines().count();
        if lines > LONGEST_FILE {
            findings.push(format!("{}: {lines} lines, at most {LONGEST_FILE}", shown(&path)));
        }
    }
    none("files with more than one subject", &findings);
}

#[test]
fn files_begin_with_a_doc_line() {
    let mut findings = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || first.len() < 12 {
            findings.push(format!("{}: `{first}`", shown(&path)));
        }
    }
    none("files without a `//!` line that says their subject", &findings);
}

#[test]
fn open_ends_have_an_owner() {
    // Spelled in pieces, so that this file does not find itself.
    let (todo, fixme) = (concat!("TO", "DO"), concat!("FIX", "ME"));
    let mut findings = Vec::new();
    for path in rust_files() {
        for (n, line) in read(&path).lines().enumerate() {
            let named = line.contains(&format!("{todo}("));
            if line.contains(fixme) || (line.contains(todo) && !named) {
                findings.push(format!("{}:{}: {}", shown(&path), n + 1, line.trim()));
            }
        }
    }
    none("open ends without a name, as in `TO-DO(name): ...`", &findings);
}

#[test]
fn nothing_reaches_outside_the_repository() {
    // A path of one machine, or a folder that a fresh clone lacks.
    let words = [
        concat!("/wo", "rk/"),
        concat!("../sha", "red"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut all = rust_files();
    all.extend(documents());
    all.extend(files(&root().join("crates"), &["toml", "snap", "json"]));
    let mut findings = Vec::new();
    for path in all {
        for (n, line) in read(&path).lines().enumerate() {
            for word in words.iter().filter(|w| line.contains(**w)) {
                findings.push(format!("{}:{}: `{word}`", shown(&path), n + 1));
            }
        }
    }
    none("paths outside the repository", &findings);
}

/// Markdown at the root and under docs/, golden/ and demo/ (their README.md only).
fn documents() -> Vec<PathBuf> {
    let root = root();
    let mut all: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect();
    if root.join("docs").is_dir() {
        all.extend(files(&root.join("docs"), &["md"]));
    }
    all.sort();
    all
}

/// What a document names as a path: link targets, and words in backticks below a known folder.
fn named_paths(text: &str) -> Vec<(usize, String)> {
    let roots = ["crates/", "docs/", "golden/", "demo/", ".ci/"];
    let mut found = Vec::new();
    let mut in_block = false;
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            continue;
        }
        for word in line.split('`').skip(1).step_by(2) {
            let plain = !word.contains(['*', '<', '{', '(', '$']) && !word.contains("NAME");
            if plain && roots.iter().any(|r| word.starts_with(r)) && !word.contains(": ") {
                found.push((n + 1, word.to_owned()));
            }
        }
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let target = rest.split(')').next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                found.push((n + 1, format!("]({target}")));
            }
        }
    }
    found
}

#[test]
fn documents_name_paths_that_exist() {
    let mut findings = Vec::new();
    for path in documents() {
        for (line, named) in named_paths(&read(&path)) {
            let target = match named.strip_prefix("](") {
                Some(link) => path.parent().unwrap().join(link.replace("%20", " ")),
                None => root().join(&named),
            };
            if !target.exists() {
                findings.push(format!("{}:{line}: {named}", shown(&path)));
            }
        }
    }
    none("paths in documents that are not there", &findings);
}

#[test]
fn every_direct_dependency_has_a_sentence() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for (name, manifest) in manifests() {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(kind).and_then(toml::Value::as_table) else { continue };
            for key in table.keys().filter(|k| !k.starts_with("wayword-")) {
                used.insert(key.clone());
                if !text.contains(&format!("`{key}`")) {
                    findings.push(format!("{key} ({name})"));
                }
            }
        }
    }
    let table = text.split("## Direct dependencies").nth(1).unwrap();
    for row in table.lines().filter_map(|l| l.strip_prefix("| `")) {
        let name = row.split('`').next().unwrap();
        if !used.contains(name) {
            findings.push(format!("{name} has a sentence, and nobody uses it"));
        }
    }
    none("dependencies without a sentence in ARCHITECTURE.md", &findings);
}

#[test]
fn invariants_name_tests_that_exist() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let code: Vec<String> = rust_files().iter().map(|p| read(p)).collect();
    let mut findings = Vec::new();
    for line in text.lines() {
        let Some((_, named)) = line.split_once("Noticed by ") else { continue };
        for word in named.split('`').skip(1).step_by(2) {
            let is_name =
                word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
            if is_name && !code.iter().any(|c| c.contains(&format!("fn {word}("))) {
                findings.push(word.to_owned());
            }
        }
    }
    none("tests that ARCHITECTURE.md names and nobody wrote", &findings);
}

#[test]
fn root_has_its_documents() {
    let wanted = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        "rustfmt.toml",
        ".ci/run",
        "golden/README.md",
        "demo/README.md",
    ];
    let findings: Vec<String> =
        wanted.iter().filter(|f| !root().join(f).exists()).map(|f| (*f).to_owned()).collect();
    none("files that belong at the root", &findings);
}
