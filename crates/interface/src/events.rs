//! Where a job's events go.

/// A sink of events of one type. Closures are sinks.
pub trait Events<E>: Sync {
    /// Takes one event; must not block for long.
    fn event(&self, event: E);
}

impl<E, F: Fn(E) + Sync> Events<E> for F {
    fn event(&self, event: E) {
        self(event);
    }
}

/// A sink that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl<E> Events<E> for Quiet {
    fn event(&self, _: E) {}
}
