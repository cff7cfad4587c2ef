//! Ctrl-C: the first asks for a tidy end, the second ends at once.
use crate::failure::Failure;
use crate::show;
use std::sync::OnceLock;
use wayword_interface::Stop;

static STOP: OnceLock<Stop> = OnceLock::new();

/// The flag that Ctrl-C raises. `what` says what the first one still waits for.
///
/// # Errors
/// If the system refuses a signal handler.
pub(crate) fn on_ctrl_c(what: &'static str) -> Result<Stop, Failure> {
    if let Some(stop) = STOP.get() {
        return Ok(stop.clone());
    }
    let stop = STOP.get_or_init(Stop::default).clone();
    let raised = stop.clone();
    ctrlc::set_handler(move || {
        if raised.is_requested() {
            leave();
        }
        raised.request();
        show::note(&format!("stopping: {what}; Ctrl-C again ends at once"));
    })?;
    Ok(stop)
}

#[expect(clippy::exit, reason = "a second Ctrl-C asks to end without tidying up")]
fn leave() -> ! {
    std::process::exit(130)
}
