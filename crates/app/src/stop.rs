//! Ctrl-C: the first asks the job for a tidy end, the second ends at once.
use crate::failure::Failure;
use crate::show;
use std::sync::atomic::{AtomicBool, Ordering};
use wayword_session::Job;

/// Lets Ctrl-C stop a job. `what` says what the first one still waits for.
///
/// # Errors
/// If the system refuses a signal handler.
pub(crate) fn on_ctrl_c(job: &Job, what: &'static str) -> Result<(), Failure> {
    let job = job.clone();
    on_ctrl_c_do(what, move || job.stop())
}

/// Does something at the first Ctrl-C; the second ends the program.
///
/// # Errors
/// If the system refuses a signal handler.
pub(crate) fn on_ctrl_c_do(
    what: &'static str,
    stop: impl Fn() + Send + 'static,
) -> Result<(), Failure> {
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            leave();
        }
        show::note(&format!("stopping: {what}; Ctrl-C again ends at once"));
        stop();
    })?;
    Ok(())
}

#[expect(clippy::exit, reason = "a second Ctrl-C asks to end without tidying up")]
fn leave() -> ! {
    std::process::exit(130)
}
