//! Each kernel against plain loops, at the edge of unreadable memory.
use super::*;
use crate::guard::Guarded;
use crate::{Isa, Level};

fn value(i: usize) -> f32 {
    // Whole numbers up to 8: exact in bf16, and their sums in f32.
    ((i * 7 + i / 3) % 17) as f32 - 8.0
}

fn check<K: Kernel>(kernel: K) {
    for rows in [1, 3, 8, 13, 16, 31, 32, 50] {
        for steps in [1, 2, 5, 16, 21, 32, 150] {
            for taps in [1, 3] {
                for (add, once) in [(false, false), (true, false), (false, true), (true, true)] {
                    check_size(kernel, (rows, steps, taps), add, once);
                }
            }
        }
    }
}

fn check_size<K: Kernel>(
    kernel: K,
    (rows, steps, taps): (usize, usize, usize),
    add: bool,
    once: bool,
) {
    let k = steps * K::PAIR;
    // Rows overlap by taps, as a convolution's do.
    let a: Guarded<K::Value> =
        Guarded::new((0..(rows + taps - 1) * k).map(|i| K::Value::put(value(i))));
    let panel: Guarded<K::Value> =
        Guarded::new((0..taps * k * COLUMNS).map(|i| K::Value::put(value(i + 5))));
    let mut c: Guarded<f32> = Guarded::new((0..rows * COLUMNS).map(value));
    let starts: Vec<usize> = (0..rows).map(|r| r * k).collect();
    let segments: Vec<Segment> =
        (0..taps).map(|t| Segment { offset: t * k, panel: t * k * COLUMNS }).collect();
    let (a, panel) = (&a[..], &panel[..]);
    let product =
        Product { a, rows: &starts, panel, segments: &segments, steps, add, once, ahead: panel };
    multiply(kernel, product, &mut c);
    for (i, c) in c.iter().enumerate() {
        let (row, column) = (i / COLUMNS, i % COLUMNS);
        let mut right = if add { value(i) } else { 0.0 };
        for t in 0..taps {
            for x in 0..k {
                let step = t * k * COLUMNS + x / K::PAIR * K::PAIR * COLUMNS;
                let b = panel[step + column * K::PAIR + x % K::PAIR].get();
                right += a[row * k + t * k + x].get() * b;
            }
        }
        assert_eq!(*c, right, "{rows} rows, {steps} steps, {taps} taps: {row}, {column}");
    }
}

#[test]
fn portable() {
    check(Portable);
}

#[test]
fn the_model_of_a_tile_unit() {
    check(Tiled(Model));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn vectors() {
    let isa = Isa::detect();
    if let Some(kernel) = isa.avx2() {
        check(kernel);
    }
    if let Some(kernel) = isa.avx512() {
        check(kernel);
    }
    if let Some(kernel) = isa.bf16() {
        check(kernel);
    }
    if let Some(unit) = isa.amx() {
        check(Tiled(unit));
        crate::amx::release();
    } else {
        crate::edges::say("skipped: no AMX");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_capped_isa_gives_no_better_kernel() {
    let isa = Isa::detect();
    assert!(isa.cap(Level::Avx512Bf16).amx().is_none());
    assert!(isa.cap(Level::Avx512).bf16().is_none());
    assert!(isa.cap(Level::Avx2).avx512().is_none());
    assert!(isa.cap(Level::Portable).avx2().is_none());
}
