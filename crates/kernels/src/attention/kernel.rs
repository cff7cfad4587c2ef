//! What a kernel does for attention: the tiles between which keys and queries go by.
use super::heads::{self, Columns, Head, HeadRange};
use crate::Isa;
use crate::product::RowValue;
use crate::view::PartsMut;

/// Queries of one block at most.
pub(super) const QUERIES: usize = 128;
/// Least of all scores: what a hidden score becomes.
pub(super) const HIDDEN: f32 = -1e30;
/// Parts of a query's sum.
pub(super) const PARTS: usize = 16;

/// One tile of queries and the panels of some keys.
#[derive(Clone, Copy)]
pub(super) struct Scores<'a, V> {
    /// The queries' rows.
    pub(super) q: *const V,
    /// From row to row; all of it counts for the products.
    pub(super) padded: usize,
    /// The keys' panels, one after the other.
    pub(super) k: *const V,
    /// Number of the first key and of the panels.
    pub(super) first: usize,
    pub(super) panels: usize,
    /// How many of all keys each query sees.
    pub(super) visible: &'a [usize],
}

impl<V> Scores<'_, V> {
    /// Where a panel of `lanes` keys begins, and the number of its first key.
    #[inline(always)]
    pub(super) fn panel(&self, i: usize, lanes: usize) -> (*const V, usize) {
        // The caller's promise that there are `panels`.
        (self.k.wrapping_add(i * lanes * self.padded), self.first + i * lanes)
    }
}

/// Rows of a factor: value t of a row stands at `t / length * apart + t % length` from the row's
/// start.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// From row to row.
    pub(super) stride: usize,
    /// Values that lie side by side.
    pub(super) length: usize,
    /// From there to the next.
    pub(super) apart: usize,
}

/// Where [`Attend::probabilities_and_ds`] writes: P and dS as panels over the queries, and where a panel does
/// not serve as rows, too ([`Attend::PAIR`] above 1), dS as rows.
#[derive(Clone, Copy)]
pub(super) struct DsTiles<V> {
    /// Panels, at the tile's first query.
    pub(super) p: *mut V,
    /// The same.
    pub(super) s: *mut V,
    /// From panel to panel.
    pub(super) apart: usize,
    /// The first query's row.
    pub(super) rows: *mut V,
    /// From row to row.
    pub(super) stride: usize,
}

/// A kernel of products, as attention uses it.
pub(super) trait ForAttention {
    type Kernel: Attend;
    fn for_attention(self, isa: Isa) -> Self::Kernel;
}

#[cfg(target_arch = "x86_64")]
impl ForAttention for crate::tile::Bf16 {
    type Kernel = Self;
    fn for_attention(self, _: Isa) -> Self {
        self
    }
}

impl<U: crate::tile::TileUnit> ForAttention for crate::tile::Tiled<U> {
    type Kernel = super::tiles::Tiles<U>;
    fn for_attention(self, isa: Isa) -> Self::Kernel {
        super::tiles::Tiles::new(self.0, isa)
    }
}

/// A kernel that attention can use.
pub(super) trait Attend: Copy + Send + Sync {
    /// What is multiplied.
    type Value: RowValue;
    /// Values that one step takes from a row.
    const PAIR: usize;
    /// Keys of a panel.
    const LANES: usize;
    /// Queries of a tile of scores.
    const ROWS: usize;
    /// Queries of a tile of [`Attend::probabilities_and_ds`], which has two products.
    const DS_ROWS: usize;
    /// Rows that a product takes at a time; fewer are made up to so many.
    const HIGH: usize;
    /// Columns that a product counts as one, and whether it can do with half of the last ones.
    const UNIT: usize;
    const HALVES: bool;
    /// Steps that a product takes at a time; fewer are made up to so many.
    const STEPS: usize = 1;
    /// Queries and keys of a block, so that what it works on stays in the first cache.
    const QUERIES: usize;
    const KEYS: usize;

    /// Queries of a block, where there are so many in all.
    fn queries(count: usize) -> usize {
        let _ = count;
        Self::QUERIES
    }

    /// Length of a row of q, k and v with padding.
    fn padded(width: usize) -> usize {
        Self::Value::padded(width)
    }

    /// How many of the units that are left one tile computes together.
    fn run(left: usize) -> usize;

    /// Raises to the largest score of each query.
    ///
    /// # Safety
    /// `ROWS` rows and the panels as `Scores` says.
    unsafe fn row_max(self, s: Scores<'_, Self::Value>, row_max: &mut [f32]);

    /// Probabilities 2^(score - row_max), not yet divided by their sum, at `p`, as
    /// [`Attend::rows`] says; adds to `total`, parts of each query's sum.
    ///
    /// # Safety
    /// As `row_max`; `ROWS * KEYS` values at `p`.
    unsafe fn probabilities(
        self,
        s: Scores<'_, Self::Value>,
        row_max: &[f32],
        total: &mut [[f32; PARTS]],
        p: *mut Self::Value,
    );

    /// P and dS = P (dy v^T - delta) of `DS_ROWS` queries and some panels of keys.
    ///
    /// # Safety
    /// As `Scores` says for `DS_ROWS` rows, and the same of `dy` and `v` as of q and k; room in
    /// `out`.
    unsafe fn probabilities_and_ds(
        self,
        s: Scores<'_, Self::Value>,
        dy: *const Self::Value,
        v: *const Self::Value,
        lse: &[f32],
        delta: &[f32],
        out: DsTiles<Self::Value>,
    );

    /// c (`rows` x the run's columns) = or += rows times a panel.
    ///
    /// # Safety
    /// As [`multiply`] looks after.
    #[expect(clippy::too_many_arguments, reason = "two factors and a result with their sizes")]
    unsafe fn product(
        self,
        run: HeadRange,
        rows: usize,
        a: (*const Self::Value, Rows),
        panel: *const Self::Value,
        steps: usize,
        c: (*mut f32, usize),
        add: bool,
    );

    /// `count` rows of a head from `first` on, `padded` long with zeros, times a factor, then rows
    /// of zeros while there is room.
    fn lay_rows(
        self,
        isa: Isa,
        head: Head<'_>,
        part: (usize, usize),
        padded: usize,
        factor: f32,
        to: &mut [Self::Value],
    ) {
        heads::rows(isa, head, part, padded, factor, to);
    }

    /// Panels whose columns are the head's rows; see [`heads::words`].
    fn lay_words(
        self,
        isa: Isa,
        head: Head<'_>,
        count: usize,
        padded: usize,
        factor: f32,
        to: &mut [Self::Value],
    ) {
        heads::words::<Self>(isa, head, count, padded, factor, to);
    }

    /// Panels whose columns are the head's columns; see [`heads::columns`].
    fn lay_columns(
        self,
        isa: Isa,
        head: Head<'_>,
        count: usize,
        total: usize,
        layout: Columns,
        to: &mut [Self::Value],
    ) {
        heads::columns::<Self>(isa, head, count, total, layout, to);
    }

    /// The transpose of rows `padded` long, of which `count` are not zero; see [`heads::turned`].
    fn turn(
        self,
        isa: Isa,
        (from, count): (&[Self::Value], usize),
        padded: usize,
        width: usize,
        to: &mut [Self::Value],
    ) {
        let _ = count;
        heads::turned::<Self>(isa, from, padded, width, to);
    }

    /// Rows of a result, `apart` from each other in `from`, each times its factor, as rows of a
    /// head from `first` on.
    ///
    /// # Safety
    /// No other thread may write these values at the same time.
    unsafe fn write(
        self,
        isa: Isa,
        from: (&[f32], usize),
        factors: &[f32],
        out: &PartsMut<'_>,
        head: Head<'_>,
        first: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { heads::write(isa, from, factors, out, head, first) };
    }

    /// The transpose of panels `[high, LANES]`, times a factor, as the first `count` rows of a
    /// head.
    ///
    /// # Safety
    /// No other thread may write these values at the same time.
    unsafe fn write_turned(
        self,
        isa: Isa,
        from: (&[f32], usize),
        factor: f32,
        out: &PartsMut<'_>,
        head: Head<'_>,
        count: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { heads::write_turned::<Self>(isa, from, factor, out, head, count) };
    }

    /// How rows lie that were written for `queries` at a time: as panels where single values make
    /// no difference between the two, one row after the other otherwise.
    fn rows(queries: usize) -> Rows {
        match Self::PAIR {
            1 => Rows { stride: Self::LANES, length: Self::LANES, apart: queries * Self::LANES },
            _ => Rows { stride: Self::KEYS, length: Self::KEYS, apart: 0 },
        }
    }
}

/// c (`rows` rows of the run's columns, `apart` from each other) = or += `steps` of the rows of a
/// times the panel. The bounds are checked here.
#[expect(clippy::too_many_arguments, reason = "two factors and a result with their sizes")]
pub(super) fn multiply<K: Attend>(
    kernel: K,
    run: HeadRange,
    rows: usize,
    (a, form): (&[K::Value], Rows),
    panel: &[K::Value],
    steps: usize,
    (c, apart): (&mut [f32], usize),
    add: bool,
) {
    if rows == 0 || steps == 0 {
        return;
    }
    let wide = run.units * K::UNIT;
    let high = rows.next_multiple_of(K::HIGH);
    let steps = steps.next_multiple_of(K::STEPS);
    let last = steps * K::PAIR - 1;
    let far = last / form.length * form.apart + form.length.min(last + 1);
    assert!((high - 1) * form.stride + far <= a.len(), "rows lie in their slice");
    assert!(steps * K::PAIR * wide <= panel.len(), "steps lie in their panel");
    assert!((high - 1) * apart + wide <= c.len(), "rows of the result");
    // SAFETY: the assertions.
    unsafe {
        let (a, c) = ((a.as_ptr(), form), (c.as_mut_ptr(), apart));
        kernel.product(run, rows, a, panel.as_ptr(), steps, c, add);
    }
}
