//! The program `wayword`: reads options, runs one command, says how it ended.
mod commands;
mod failure;
mod options;
mod show;
mod stop;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Err(failure) = options::read().and_then(|request| request.map_or(Ok(()), commands::run))
    else {
        return ExitCode::SUCCESS;
    };
    show::failure(&failure);
    failure.exit_code()
}
