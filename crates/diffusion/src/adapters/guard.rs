//! Which adapters are active on a base: the guard that a job holds while it uses the model.
//!
//! A base has one copy of its weights, so all jobs that use it at a moment use it with the same
//! adapters. Jobs with equal adapters share; others wait, first come first served. A small job, such
//! as a preview, joins at once where its adapters are active, and a training lets it go first
//! between its steps ([`AdapterGuard::give_way`]).
use super::Network;
use super::apply::ModuleParts;
use crate::{Base, Event, Result, TextEncoder, Unet};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wayword_interface::{Events, Quiet, Stop};

/// How long a waiting job sleeps before it looks at its stop flag again.
const LOOK: Duration = Duration::from_millis(50);

/// How much of the device's time a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobSize {
    /// Minutes to hours: waits its turn.
    #[default]
    Heavy,
    /// Seconds: others with the same adapters let it go first.
    Small,
}

/// The adapters of a base and the jobs that use or wait for them.
#[derive(Debug, Default)]
pub(crate) struct ActiveAdapters {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Guards that exist.
    users: usize,
    /// Small jobs that hold a guard, by ticket.
    small: BTreeSet<u64>,
    /// Jobs that wait, by ticket, in the order in which they came.
    waiting: VecDeque<u64>,
    /// The next ticket.
    ticket: u64,
    /// Whether a job is changing weights at the moment.
    changing: bool,
    modules: ModuleParts,
    /// Modules whose weights were made anew so far.
    swaps: usize,
    /// Counts changes of the text encoder.
    text: u64,
}

impl State {
    /// Whether a job may go on: it is its turn, or it is small and shares what is active.
    fn admits(&self, ticket: u64, wanted: &ModuleParts, size: JobSize) -> bool {
        let equal = self.modules == *wanted;
        let turn = self.waiting.front() == Some(&ticket) && (self.users == 0 || equal);
        let joins = size == JobSize::Small && self.users > 0 && equal;
        !self.changing && (turn || joins)
    }
}

impl ActiveAdapters {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// While it lives, the base keeps these adapters; it is the only way to the text encoder and the
/// UNet, so nothing is drawn or trained without saying with which adapters.
#[derive(Debug)]
#[must_use = "the base may change its adapters as soon as this is dropped"]
pub struct AdapterGuard<'a> {
    base: &'a Base,
    networks: Vec<Network>,
    size: JobSize,
    ticket: u64,
    text_version: u64,
}

impl<'a> AdapterGuard<'a> {
    /// The base.
    #[must_use]
    pub const fn base(&self) -> &'a Base {
        self.base
    }

    /// Token ids to hidden states, with the adapters.
    #[must_use]
    pub const fn text(&self) -> &TextEncoder {
        &self.base.text
    }

    /// Latents and hidden states to a prediction, with the adapters.
    #[must_use]
    pub const fn unet(&self) -> &Unet {
        &self.base.unet
    }

    /// The adapters, in the order in which they were given.
    #[must_use]
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// A number that changes with the text encoder's weights: hidden states of another number are
    /// out of date.
    #[must_use]
    pub const fn text_version(&self) -> u64 {
        self.text_version
    }

    /// Another guard of the same adapters, for a part of this job; never waits.
    pub fn share(&self) -> AdapterGuard<'a> {
        let mut state = self.base.active.lock();
        state.enter(self.base, self.networks.clone(), self.size)
    }

    /// Lets small jobs that use the same adapters at the moment finish first. Those that begin
    /// meanwhile are not waited for, so that a stream of them cannot hold up a training.
    pub fn give_way(&self, stop: &Stop) {
        let mut state = self.base.active.lock();
        let Some(last) = state.small.last().copied() else { return };
        while state.small.first().is_some_and(|first| *first <= last) && !stop.is_requested() {
            state = self.base.active.wait(state);
        }
    }
}

impl Drop for AdapterGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.base.active.lock();
        state.users -= 1;
        state.small.remove(&self.ticket);
        drop(state);
        self.base.active.changed.notify_all();
    }
}

impl State {
    fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    fn enter<'a>(
        &mut self,
        base: &'a Base,
        networks: Vec<Network>,
        size: JobSize,
    ) -> AdapterGuard<'a> {
        let ticket = self.next_ticket();
        self.users += 1;
        if size == JobSize::Small {
            self.small.insert(ticket);
        }
        AdapterGuard { base, networks, size, ticket, text_version: self.text }
    }
}

impl Base {
    /// Makes these adapters the active ones, in this order, for as long as the guard lives; waits
    /// while another job uses the model with other adapters. A thread that holds a guard must not
    /// ask for different adapters, and takes [`AdapterGuard::share`] for equal ones.
    ///
    /// # Errors
    /// If a weight cannot be read again or the device has no room; asking again continues from
    /// there.
    pub fn activate(&self, networks: &[Network]) -> Result<AdapterGuard<'_>> {
        let never = Stop::default();
        let quiet: &dyn Events<Event> = &Quiet;
        let guard = self.activate_unless_stopped(networks, JobSize::Heavy, quiet, &never)?;
        Ok(guard.expect("nobody can raise the flag"))
    }

    /// [`Base::activate`] that tells when it has to wait ([`Event::Waiting`]) and ends with `None`
    /// when asked to stop before its turn came.
    ///
    /// # Errors
    /// As [`Base::activate`].
    pub fn activate_unless_stopped(
        &self,
        networks: &[Network],
        size: JobSize,
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<AdapterGuard<'_>>> {
        let wanted = self.module_parts(networks);
        let mut state = self.active.lock();
        let ticket = state.next_ticket();
        state.waiting.push_back(ticket);
        let mut has_told = false;
        while !state.admits(ticket, &wanted, size) {
            if stop.is_requested() {
                state.waiting.retain(|other| *other != ticket);
                drop(state);
                self.active.changed.notify_all();
                return Ok(None);
            }
            if !has_told {
                has_told = true;
                // A sink may take its time; others go on meanwhile.
                drop(state);
                events.event(Event::Waiting);
                state = self.active.lock();
                continue;
            }
            state = self.active.wait(state);
        }
        state.waiting.retain(|other| *other != ticket);
        if state.modules != wanted {
            state.changing = true;
            let mut modules = std::mem::take(&mut state.modules);
            drop(state);
            let changed = self.change(&mut modules, &wanted);
            state = self.active.lock();
            state.changing = false;
            state.modules = modules;
            match changed {
                Ok(changed) => {
                    state.swaps += changed.modules;
                    state.text += u64::from(changed.text);
                }
                Err(error) => {
                    // Which modules were reached is known; what they do to texts is not.
                    state.text += 1;
                    drop(state);
                    self.active.changed.notify_all();
                    return Err(error);
                }
            }
        }
        let guard = state.enter(self, networks.to_vec(), size);
        drop(state);
        self.active.changed.notify_all();
        Ok(Some(guard))
    }

    /// Modules whose weights were made anew so far, with adapters or without: consecutive jobs with
    /// equal adapters add nothing.
    #[must_use]
    pub fn swapped_modules(&self) -> usize {
        self.active.lock().swaps
    }
}
