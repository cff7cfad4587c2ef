//! A run that is killed at random instants, again and again, ends with the bytes of one that was not;
//! and what a run says when its folder cannot be written.
use super::program::{Program, repository};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Kills that a living process must have got.
const KILLS: usize = 50;

const PREVIEWS: &str = "photo of dog-ti --s 2 --w 64 --h 64 --d 4\na dog-ti --s 1 --w 64 --h 64";

/// Numbers that look random (`xorshift64`); the seed is told, so that a failure can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A folder with two small pictures.
fn pictures(program: &Program) {
    let folder = program.path("2_ohwx dog");
    std::fs::create_dir(&folder).unwrap();
    for index in 0..2u32 {
        let paint = |x: u32, y: u32| image::Rgb([(x * 4) as u8, (y * 4) as u8, (index * 90) as u8]);
        let picture = image::RgbImage::from_fn(64, 64, paint);
        picture.save(folder.join(format!("{index}.png"))).unwrap();
    }
}

fn arguments<'a>(base: &'a str, out: &'a str) -> Vec<&'a str> {
    let mut all = vec!["train", "2_ohwx dog", "--base", base, "--name", "dog-ti", "--out", out];
    all.extend(["--init", "dog", "--resolution", "64,64", "--steps", "80", "--seed", "3"]);
    all.extend(["--save-every", "4", "--save-every-epochs", "3", "--keep-last-steps", "20"]);
    all.extend(["--keep-last-epochs", "2", "--vectors", "2", "--batch", "2", "--flip-aug"]);
    all.extend(["--sample-every", "30", "--sample-at-first", "--sample-prompts", PREVIEWS]);
    all.extend(["--precision", "f32", "--threads", "1"]);
    all
}

/// Every file of the word and of the run that must not depend on interruptions.
fn files(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What a killed process had not finished is gone, too.
        if path.is_file() {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    let run = out.join("dog-ti.run");
    found.insert("rows.bin".into(), std::fs::read(run.join("rows.bin")).unwrap());
    for path in std::fs::read_dir(run.join("samples")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.insert(name, std::fs::read(&path).unwrap());
    }
    found
}

/// When the run in `out` began, as its files write it.
fn date(out: &Path) -> String {
    let plan = std::fs::read(out.join("dog-ti.run/plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    wayword_session::numbers::date(plan["started"].as_u64().unwrap())
}

/// Runs it undisturbed; gives the time until the first step was told.
fn undisturbed(program: &Program, arguments: &[&str]) -> Duration {
    let started = Instant::now();
    let mut command = program.command(&[arguments, &["--json"]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("{\"event\":\"step\"")));
    let start = started.elapsed();
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    start
}

/// Starts the program, kills it after some time, and says whether it was alive until then.
fn killed(program: &Program, arguments: &[&str], after: Duration) -> bool {
    let mut command = program.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(after);
    if let Some(status) = child.try_wait().unwrap() {
        let output = program.of(child.wait_with_output().unwrap());
        assert!(status.success(), "{arguments:?}: {}", output.err);
        return false;
    }
    // SIGKILL on Unix, TerminateProcess on Windows: nothing is tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn resume_after_kills_at_random_instants_ends_with_the_same_bytes() {
    let program = Program::new();
    pictures(&program);
    let base = repository("golden/tiny-model/model_ldm_fp16.safetensors");
    let base = base.to_string_lossy().into_owned();
    // From most kills on, the program has got a little further than its start, on any machine.
    let start = undisturbed(&program, &arguments(&base, "whole"));
    let reference = files(&program.path("whole"));
    assert!(reference.len() > 10, "{:?}", reference.keys());
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    println!("chance {seed}, start {start:?}");
    let (mut chance, mut kills, mut rounds) = (Chance(seed), 0, 0);
    while kills < KILLS {
        rounds += 1;
        let out = format!("out{rounds}");
        let (folder, run) = (program.path(&out), format!("{out}/dog-ti.run"));
        if rounds > 1 {
            // The first is killed in its making, too; the others are the same run, of the same date.
            std::fs::create_dir_all(program.path(&run)).unwrap();
            let plan = "dog-ti.run/plan.json";
            std::fs::copy(program.path("whole").join(plan), folder.join(plan)).unwrap();
        }
        let mut here = 0;
        loop {
            let fresh = arguments(&base, &out);
            let again = ["train", "--resume", &run, "--threads", "1", "--precision", "f32"];
            let begun = program.path(&run).join("plan.json").exists();
            let arguments = if begun { &again[..] } else { &fresh[..] };
            // A machine that became slower gets more time.
            let longest = start.as_millis() as u64 * (15 + here) / 10 + 20;
            if !killed(&program, arguments, Duration::from_millis(chance.below(longest))) {
                break;
            }
            (kills, here) = (kills + 1, here + 1);
            assert!(here < 500, "the run does not come to its end: {}", last(&program.path(&run)));
        }
        let (was, now) = (date(&folder), date(&program.path("whole")));
        let found = files(&folder);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&reference), "round {rounds}, after {kills} kills");
        for (name, bytes) in found {
            let bytes = replaced(bytes, was.as_bytes(), now.as_bytes());
            assert!(bytes == reference[&name], "{name} differs in round {rounds}, {kills} kills");
        }
    }
    println!("{kills} kills in {rounds} runs, {} files the same", reference.len());
}

/// Bytes with another date in the place of one.
fn replaced(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|part| part == old);
    if let Some(at) = at {
        bytes[at..at + old.len()].copy_from_slice(new);
    }
    bytes
}

/// How far a run is, for the message of a failed test.
fn last(run: &Path) -> String {
    let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default();
    log.lines().last().unwrap_or("nothing is in its log").to_owned()
}

#[cfg(target_os = "linux")]
mod full {
    //! A disk that is full, as a limit on the size of a file shows it to a process.
    use super::*;

    #[test]
    fn a_file_that_cannot_grow_loses_nothing_and_says_how_to_go_on() {
        let program = Program::new();
        pictures(&program);
        let base = repository("golden/tiny-model/model_ldm_fp16.safetensors");
        let base = base.to_string_lossy().into_owned();
        let fresh = arguments(&base, "out");
        let binary = Path::new(env!("CARGO_BIN_EXE_wayword"));
        // 40 blocks of 1 KiB: enough for some dozens of steps' rows. The signal of the limit is
        // ignored, so that writing fails as on a full disk.
        let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" \"$@\"";
        let mut limited = program.command_of(Path::new("/bin/sh"), &["-c", script]);
        let limited = program.of(limited.arg(binary).args(&fresh).output().unwrap());
        assert_eq!(limited.code, Some(1), "{}", limited.err);
        assert!(limited.err.contains("dog-ti.run/"), "{}", limited.err);
        assert!(limited.err.contains("hint: the disk is full"), "{}", limited.err);
        let again = ["train", "--resume", "out/dog-ti.run", "--threads", "1", "--precision", "f32"];
        program.well(&again);
        let run = program.path("whole/dog-ti.run");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::copy(program.path("out/dog-ti.run/plan.json"), run.join("plan.json")).unwrap();
        program.well(&["train", "--resume", "whole/dog-ti.run", "--threads", "1"]);
        assert!(files(&program.path("out")) == files(&program.path("whole")));
    }
}
