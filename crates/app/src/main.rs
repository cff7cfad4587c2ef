//! The program `wayword`: reads options, runs one command, says how it ended.
mod commands;
mod failure;
mod options;
mod serve;
mod show;
mod stop;

use options::Asked;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = options::read().and_then(|asked| match asked {
        Asked::Nothing => Ok(()),
        Asked::Job(request) => commands::run(request),
        Asked::Serve(options) => serve::run(&options),
    });
    let Err(failure) = done else {
        return ExitCode::SUCCESS;
    };
    show::failure(&failure);
    failure.exit_code()
}
