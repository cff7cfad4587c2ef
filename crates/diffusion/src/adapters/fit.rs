//! Whether an adapter fits a weight, told from shapes alone, before anything is computed.
use wayword_formats::Array;
use wayword_formats::lora::{Adapter, AdapterKind, Factor, GloraLayout};

/// Why an adapter does not fit its module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
pub struct Misfit {
    /// Which of its tensors.
    pub what: &'static str,
    /// What the module needs.
    pub expected: String,
    /// What the file holds.
    pub found: String,
}

/// The sizes of a module's weight.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    pub(super) shape: Vec<usize>,
    /// Output channels, or channels of a norm.
    pub(super) out: usize,
    /// Input channels; 1 for a norm.
    pub(super) inputs: usize,
    /// Values of the kernel.
    pub(super) kernel: usize,
}

impl Sizes {
    /// Of a weight's shape; `None` where it has no dimension or a size of 0.
    pub(super) fn of(shape: &[usize]) -> Option<Self> {
        let (out, inputs) = (*shape.first()?, shape.get(1).copied().unwrap_or(1));
        let kernel = shape.iter().skip(2).product();
        (out * inputs * kernel > 0).then(|| Self { shape: shape.to_vec(), out, inputs, kernel })
    }

    pub(super) fn elements(&self) -> usize {
        self.out * self.columns()
    }

    /// Values of one output channel.
    pub(super) fn columns(&self) -> usize {
        self.inputs * self.kernel
    }
}

/// Rows of an array and the values of each; a number is one row.
pub(super) fn rows(array: &Array) -> (usize, usize) {
    let rows = array.shape().first().copied().unwrap_or(1);
    (rows, array.elements().checked_div(rows).unwrap_or(0))
}

/// The two sides of GLoRA: (tall, wide) of its own product, then of the one with the weight.
pub(super) fn glora([a1, a2, b1, b2]: [&Array; 4], layout: GloraLayout) -> [(&Array, &Array); 2] {
    match layout {
        GloraLayout::Old => [(b2, b1), (a2, a1)],
        GloraLayout::New => [(b1, b2), (a1, a2)],
    }
}

/// Columns of a factor of a Kronecker product when its rows are as they are.
pub(super) fn factor_rows(factor: &Factor, tucker: bool) -> usize {
    match factor {
        Factor::Product(a, _) if tucker => rows(a).1,
        Factor::Full(a) | Factor::Product(a, _) => rows(a).0,
    }
}

fn need(holds: bool, what: &'static str, expected: String, array: &Array) -> Result<(), Misfit> {
    if holds {
        Ok(())
    } else {
        Err(Misfit { what, expected, found: format!("{:?}", array.shape()) })
    }
}

/// A product `[out, r] [r, columns]`, whatever ones the arrays have behind.
fn low_rank(
    [tall_name, wide_name]: [&'static str; 2],
    (tall, wide): (&Array, &Array),
    out: usize,
    columns: usize,
) -> Result<(), Misfit> {
    let rank = rows(wide).0;
    need(rows(tall) == (out, rank), tall_name, format!("[{out}, {rank}]"), tall)?;
    need(rows(wide) == (rank, columns), wide_name, format!("[{rank}, {columns}]"), wide)
}

/// Tucker's form: core `[p, q, kernel]`; the ranks.
fn core(name: &'static str, core: &Array, sizes: &Sizes) -> Result<[usize; 2], Misfit> {
    let expected = || format!("[rank, rank, {:?}]", sizes.shape.get(2..).unwrap_or_default());
    let [p, q, ..] = *core.shape() else { return Err(misfit(name, expected(), core)) };
    need(p * q * sizes.kernel == core.elements() && p * q > 0, name, expected(), core)?;
    Ok([p, q])
}

fn misfit(what: &'static str, expected: String, array: &Array) -> Misfit {
    Misfit { what, expected, found: format!("{:?}", array.shape()) }
}

/// Checks everything that computing the difference relies on.
pub(super) fn check(adapter: &Adapter, sizes: &Sizes) -> Result<(), Misfit> {
    let (out, columns) = (sizes.out, sizes.columns());
    kind(adapter, sizes)?;
    if let Some(bias) = &adapter.bias {
        need(bias.elements() == sizes.elements(), "bias", format!("{:?}", sizes.shape), bias)?;
    }
    if let Some(diff) = &adapter.bias_diff {
        need(diff.elements() == out, "the difference of the bias", format!("[{out}]"), diff)?;
    }
    if let Some(scale) = &adapter.dora_scale {
        let fits = [out, sizes.inputs].contains(&scale.elements()) && columns > 0;
        need(fits, "dora_scale", format!("[{out}, 1] or [1, {}]", sizes.inputs), scale)?;
    }
    Ok(())
}

fn kind(adapter: &Adapter, sizes: &Sizes) -> Result<(), Misfit> {
    let (out, inputs, columns) = (sizes.out, sizes.inputs, sizes.columns());
    match &adapter.kind {
        AdapterKind::Lora { up, down, mid: None } => {
            low_rank(["lora_up", "lora_down"], (up, down), out, columns)
        }
        AdapterKind::Lora { up, down, mid: Some(mid) } => {
            let [p, q] = core("lora_mid", mid, sizes)?;
            need(rows(up) == (out, p), "lora_up", format!("[{out}, {p}]"), up)?;
            need(rows(down) == (q, inputs), "lora_down", format!("[{q}, {inputs}]"), down)
        }
        AdapterKind::Loha { w1_a, w1_b, w2_a, w2_b, cores: None } => {
            low_rank(["hada_w1_a", "hada_w1_b"], (w1_a, w1_b), out, columns)?;
            low_rank(["hada_w2_a", "hada_w2_b"], (w2_a, w2_b), out, columns)
        }
        AdapterKind::Loha { w1_a, w1_b, w2_a, w2_b, cores: Some((t1, t2)) } => {
            for (t, a, b) in [(t1, w1_a, w1_b), (t2, w2_a, w2_b)] {
                let [p, q] = core("hada_t1 or hada_t2", t, sizes)?;
                need(rows(a) == (p, out), "hada_w_a", format!("[{p}, {out}]"), a)?;
                need(rows(b) == (q, inputs), "hada_w_b", format!("[{q}, {inputs}]"), b)?;
            }
            Ok(())
        }
        AdapterKind::Lokr { w1, w2, t2 } => kronecker(w1, w2, t2.as_ref(), sizes),
        AdapterKind::Ia3 { weight, on_input } => {
            let expected = if *on_input { inputs } else { out };
            need(weight.elements() == expected, "weight", format!("[{expected}]"), weight)
        }
        AdapterKind::Full { diff: weight } | AdapterKind::Norm { weight } => need(
            weight.elements() == sizes.elements(),
            "the difference",
            format!("{:?}", sizes.shape),
            weight,
        ),
        AdapterKind::Glora { a1, a2, b1, b2, layout } => {
            let [own, with] = glora([a1, a2, b1, b2], *layout);
            low_rank(["b1 or b2", "b1 or b2"], own, out, columns)?;
            low_rank(["a1 or a2", "a1 or a2"], with, inputs, inputs)
        }
        AdapterKind::Oft { blocks, rescale, .. } => {
            rotation(blocks, out)?;
            match rescale {
                Some(r) => need(r.elements() == out, "rescale", format!("[{out}]"), r),
                None => Ok(()),
            }
        }
    }
}

fn kronecker(w1: &Factor, w2: &Factor, t2: Option<&Array>, sizes: &Sizes) -> Result<(), Misfit> {
    let chain = |factor: &Factor, name| match factor {
        Factor::Full(a) => Ok(rows(a)),
        Factor::Product(a, b) => {
            let (out, rank) = rows(a);
            need(rows(b).0 == rank, name, format!("[{rank}, any]"), b).map(|()| (out, rows(b).1))
        }
    };
    let coarse = chain(w1, "lokr_w1_b")?;
    let fine = match (t2, w2) {
        (Some(t2), Factor::Product(a, b)) => {
            let [p, q] = core("lokr_t2", t2, sizes)?;
            need(rows(a).0 == p, "lokr_w2_a", format!("[{p}, any]"), a)?;
            need(rows(b).0 == q, "lokr_w2_b", format!("[{q}, any]"), b)?;
            (rows(a).1, rows(b).1 * sizes.kernel)
        }
        _ => chain(w2, "lokr_w2_b")?,
    };
    let found = [coarse.0 * fine.0, coarse.1 * fine.1];
    let expected = [sizes.out, sizes.columns()];
    let text = |v: [usize; 2]| format!("a product of {v:?}");
    if found == expected {
        Ok(())
    } else {
        Err(Misfit { what: "lokr", expected: text(expected), found: text(found) })
    }
}

fn rotation(blocks: &Array, out: usize) -> Result<(), Misfit> {
    let (stages, count, b, b2) = match *blocks.shape() {
        [count, b, b2] => (1, count, b, b2),
        [stages, count, b, b2] => (stages, count, b, b2),
        _ => (0, 0, 0, 0),
    };
    // The last stage of a butterfly regroups 2^(stages - 1) runs, which must divide the rows.
    let widest = u32::try_from(stages).ok().and_then(|s| 2usize.checked_pow(s.saturating_sub(1)));
    let butterfly = |w: usize| {
        blocks.shape().len() == 3
            || (b % 2 == 0 && w.checked_mul(b).is_some_and(|n| out.is_multiple_of(n)))
    };
    let fits = stages > 0 && b > 0 && b == b2 && count * b == out && widest.is_some_and(butterfly);
    need(fits, "oft_blocks", format!("square blocks of {out} rows together"), blocks)
}
