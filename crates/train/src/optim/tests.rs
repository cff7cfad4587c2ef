//! Properties that hold for every optimizer.
use super::*;

const SIZES: (usize, usize) = (3, 8);

struct Table(Vec<f32>);

impl FrozenRows for Table {
    fn rows(&self) -> usize {
        self.0.len() / SIZES.1
    }

    fn copy(&self, id: u32, out: &mut [f32]) {
        let at = id as usize * SIZES.1;
        out.copy_from_slice(&self.0[at..at + SIZES.1]);
    }
}

fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn gradients(k: u64) -> (Vec<f32>, OtherGradients) {
    let others = [k % 4, 5].map(|id| (id as u32, noise(100 + k + id, SIZES.1)));
    (noise(k + 1, SIZES.0 * SIZES.1), others.into())
}

fn both() -> [Statistics; 2] {
    [Statistics::NewRows, Statistics::WholeTable(Arc::new(Table(noise(77, 6 * SIZES.1))))]
}

#[test]
fn every_optimizer_moves_and_resumes_bit_for_bit() {
    for name in OPTIMIZERS {
        for statistics in both() {
            let make = || Optimizer::new(name, &[], 0.01, SIZES, statistics.clone()).unwrap();
            let (mut one, mut rows) = (make(), noise(9, SIZES.0 * SIZES.1));
            let start = rows.clone();
            for k in 0..6 {
                let (g, others) = gradients(k);
                one.step(&mut rows, &g, &others, 0.01);
            }
            assert_ne!(rows, start, "{name}");
            assert!(rows.iter().all(|r| r.is_finite()), "{name}");
            let (saved, mut other_rows) = (one.state(), rows.clone());
            let mut two = make();
            two.restore(&saved).unwrap();
            for k in 6..9 {
                let (g, others) = gradients(k);
                one.step(&mut rows, &g, &others, 0.01);
                two.step(&mut other_rows, &g, &others, 0.01);
            }
            let bits = |rows: &[f32]| rows.iter().map(|r| r.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&rows), bits(&other_rows), "{name}");
            assert_eq!(one.state(), two.state(), "{name}");
            assert!(two.restore(&saved[..1]).is_err(), "{name}");
        }
    }
}

#[test]
fn the_state_of_touched_rows_equals_a_dense_table() {
    // A frozen row that gets gradient late must count as if it had been there from the start.
    for name in OPTIMIZERS {
        let frozen = noise(77, 6 * SIZES.1);
        let table = Statistics::WholeTable(Arc::new(Table(frozen.clone())));
        let mut sparse = Optimizer::new(name, &[], 0.01, SIZES, table).unwrap();
        let dense_sizes = (SIZES.0 + 6, SIZES.1);
        let mut dense = Optimizer::new(name, &[], 0.01, dense_sizes, Statistics::NewRows).unwrap();
        let mut rows = noise(9, SIZES.0 * SIZES.1);
        let mut all: Vec<f32> = [rows.clone(), frozen.clone()].concat();
        for k in 0..8 {
            let (g, others) = gradients(k);
            let mut whole = g.clone();
            for id in 0..6 {
                whole.extend(others.get(&id).cloned().unwrap_or_else(|| vec![0.0; SIZES.1]));
            }
            sparse.step(&mut rows, &g, &others, 0.01);
            dense.step(&mut all, &whole, &OtherGradients::new(), 0.01);
            all[rows.len()..].copy_from_slice(&frozen);
            let scale = 1e-6 * rows.iter().fold(0f32, |m, r| m.max(r.abs()));
            for (a, b) in rows.iter().zip(&all) {
                // 8-bit blocks run over row borders in so small a table
                assert!(name.ends_with("8bit") || (a - b).abs() <= scale, "{name}: {a} {b}");
            }
        }
        if let (Some(a), Some(b)) = (sparse.d(), dense.d()) {
            assert!((a / b - 1.0).abs() < 1e-6, "{name}: d {a} {b}");
        }
    }
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let error = |name: &str| {
        Optimizer::new(name, &[], 0.1, SIZES, Statistics::NewRows).unwrap_err().to_string()
    };
    assert!(error("AdamW8bits").contains("did you mean `AdamW8bit`"));
    assert!(error("bitsandbytes.optim.AdEMAMix8bit").contains("not supported"));
    let paged = Optimizer::new("PagedAdamW8bit", &[], 0.1, SIZES, Statistics::NewRows).unwrap();
    assert_eq!(paged.name(), "AdamW8bit");
    assert!(paged.note().is_some());
}

#[test]
fn arguments_that_would_change_numbers_are_refused() {
    let refused = |name: &str, arg: &str| {
        let made = Optimizer::new(name, &[arg.into()], 1.0, (1, 4), Statistics::NewRows);
        made.unwrap_err().to_string()
    };
    assert!(refused("AdamW8bit", "percentile_clipping=95").contains("percentile_clipping"));
    assert!(refused("Lion8bit", "block_wise=False").contains("block_wise"));
    assert!(refused("Prodigy", "d0=0").contains("a number above 0"));
    assert!(refused("Prodigy", "slice_p=0").contains("a whole number from 1"));
    assert!(refused("AdamW", "weight_decay=-1").contains("a number from 0"));
    let usual = ["percentile_clipping=100".to_owned(), "block_wise=True".to_owned()];
    assert!(Optimizer::new("AdamW8bit", &usual, 1.0, (1, 4), Statistics::NewRows).is_ok());
}
