//! `wayword serve`: the server runs until Ctrl-C.
use crate::failure::Failure;
use crate::{show, stop};
use std::process::{Command, Stdio};
use wayword_session::Environment;
use wayword_session::request::Serve;
use wayword_web::Server;

/// Runs the server.
///
/// # Errors
/// If the port is taken, another server writes to the same folder, or a folder is missing.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    let server = Server::bind(options, Environment::from_pairs(std::env::vars_os()))?;
    let link = server.link();
    show::note(&format!("writing to {}", server.out().display()));
    show::note("Ctrl-C ends the server");
    show::data(&link)?;
    let stopper = server.stopper();
    stop::on_ctrl_c_do("the step that runs is finished and saved", move || stopper.stop())?;
    if options.open {
        open(&link);
    }
    Ok(server.run()?)
}

/// Opens a page in the browser; that there is none is no failure.
fn open(link: &str) {
    let (program, first): (_, &[&str]) = if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(first).arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.spawn().is_err() {
        show::note(&format!("no browser was found; open {link}"));
    }
}
