//! Scores that grow beyond everything that the first keys let expect.
use crate::attention::{AttentionSizes, Inputs, Outcome, backward, forward};
use crate::edges::ways;
use crate::{Cpu, Products, View, ViewMut, reference};

#[test]
fn a_largest_score_that_comes_late_is_taken_anew() {
    for (cpu, products) in ways() {
        late(&cpu, products);
    }
}

fn late(cpu: &Cpu, products: Products) {
    let s = AttentionSizes { batch: 1, queries: 13, keys: 700, heads: 1, width: 16, causal: false };
    let q: Vec<f32> = (0..13 * 16).map(|i| if i / 16 % 2 == 0 { 4.0 } else { -0.25 }).collect();
    // Up to 672 for the even queries, 28 more for every 28 keys, so that rounding does not matter;
    // for the odd ones the largest are the first.
    let k: Vec<f32> = (0..700 * 16).map(|i| (i / 16 / 28) as f32 * 1.75).collect();
    let v: Vec<f32> = (0..700 * 16).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let x = Inputs { q: View::F32(&q), k: View::F32(&k), v: View::F32(&v) };
    let (mut y, mut lse) = (vec![0.0; q.len()], vec![0.0; 13]);
    forward(cpu, x, s, products, ViewMut::F32(&mut y), &mut lse);
    let wide = |x: &[f32]| reference::wide(x);
    let right = reference::attention(&wide(&q), &wide(&k), &wide(&v), s);
    for (i, (y, right)) in y.iter().zip(&right).enumerate() {
        assert!((f64::from(*y) - right).abs() < 1e-2, "{products:?}, {i}: {y} is not {right}");
    }
    let (mut dq, mut dv) = (vec![0.0; q.len()], vec![0.0; v.len()]);
    let out = Outcome { y: View::F32(&y), lse: &lse, dy: View::F32(&q) };
    let to = [Some(ViewMut::F32(&mut dq)), None, Some(ViewMut::F32(&mut dv))];
    backward(cpu, x, out, s, products, to);
    assert!(dq.iter().all(|g| g.is_finite()));
    // Each query's probabilities sum to 1, so the gradients of the values sum to those of y.
    let (dy_rows, got) = (q.iter().sum::<f32>(), dv.iter().sum::<f32>());
    assert!((dy_rows - got).abs() < 0.02 * dy_rows.abs(), "{products:?}: {got} is not {dy_rows}");
}

#[test]
fn what_is_not_a_number_stays_so() {
    for (cpu, products) in ways() {
        not_a_number(&cpu, products);
    }
}

fn not_a_number(cpu: &Cpu, products: Products) {
    let s = AttentionSizes { batch: 1, queries: 9, keys: 9, heads: 1, width: 8, causal: false };
    let (mut q, k) = (vec![1.0; 72], vec![1.0; 72]);
    q[8] = f32::NAN;
    let x = Inputs { q: View::F32(&q), k: View::F32(&k), v: View::F32(&k) };
    let (mut y, mut lse) = (vec![0.0; 72], vec![0.0; 9]);
    forward(cpu, x, s, products, ViewMut::F32(&mut y), &mut lse);
    for (i, y) in y.iter().enumerate() {
        assert_eq!(y.is_nan(), i / 8 == 1, "{i}");
    }
}
