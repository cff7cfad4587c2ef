//! Names of saved files and which of them stay, against kohya's (golden `dataset`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use std::collections::BTreeSet;
use wayword_testing::{Report, topic};
use wayword_train::checkpoint::{SaveRules, UNNAMED, epoch_name, step_name};

#[test]
fn golden_dataset_file_names() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_file_names");
    let Some(file) = topic.json("file_names.json", |v| v["retention"].is_array()) else {
        return println!("ran 0, skipped 1: no file of names");
    };
    for case in file["names"].as_array().unwrap() {
        let name = case["output_name_after_default"].as_str();
        let (step, epoch, last) = name.map_or(UNNAMED, |name| (name, name, name));
        let (ext, text) = (case["ext"].as_str().unwrap(), |key: &str| case[key].as_str().unwrap());
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        assert_eq!(format!("{}.{ext}", step_name(step, number("step"))), text("step_file"));
        assert_eq!(format!("{}.{ext}", epoch_name(epoch, number("epoch"))), text("epoch_file"));
        assert_eq!(format!("{last}.{ext}"), text("last_file"));
        report.ran();
    }
    for case in file["retention"].as_array().unwrap() {
        let number = |key: &str| case[key].as_u64().map(|n| n as usize);
        // A distance of 0 steps keeps what a distance of 1 does; our 0 keeps everything.
        let rules = SaveRules {
            every_steps: number("save_every_n_steps").unwrap_or(0),
            every_epochs: number("save_every_n_epochs").unwrap_or(0),
            keep_steps: number("save_last_n_steps").map_or(0, |n| n.max(1)),
            keep_epochs: number("save_last_n_epochs").unwrap_or(0),
        };
        let total = number("total").unwrap();
        let left: Vec<&str> =
            case["left"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        let last = left.iter().find(|f| !f.contains('-')).unwrap();
        let (name, ext) = last.rsplit_once('.').unwrap();
        let mut files = BTreeSet::from([(*last).to_owned()]);
        for i in 1..=total {
            let actions = if case["kind"] == "steps" {
                rules.after_step(name, i)
            } else {
                rules.after_epoch(name, i, total)
            };
            files.extend(actions.write.map(|f| format!("{f}.{ext}")));
            if let Some(old) = actions.remove {
                files.remove(&format!("{old}.{ext}"));
            }
        }
        let expected: BTreeSet<String> = left.iter().map(|f| (*f).to_owned()).collect();
        assert_eq!(files, expected, "{case}");
        report.ran();
    }
    report.finish();
}
