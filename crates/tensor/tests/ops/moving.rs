//! Sums, concatenation, resize, rows, losses.
use super::check::{check, devices, numbers, weight};
use wayword_kernels::reference;
use wayword_tensor::{Grid, Indices, Layout, LossKind, Shape, Tensor, ops};

#[test]
fn sums() {
    for (batch, tokens, channels) in [(1, 1, 1), (2, 3, 5), (3, 700, 33)] {
        let x = Shape::new(batch, tokens, channels);
        check(
            "add",
            &[x, x],
            |_, x| ops::add(&x[0], &x[1]),
            |x| x[0].iter().zip(&x[1]).map(|(a, b)| a + b).collect(),
        );
        check(
            "scale",
            &[x],
            |_, x| ops::scale(&x[0], 0.3),
            |x| x[0].iter().map(|x| x * f64::from(0.3_f32)).collect(),
        );
        let v = Shape::new(batch, 1, channels);
        check(
            "add_channels",
            &[x, v],
            |_, x| ops::add_channels(&x[0], &x[1]),
            |x| {
                let vector = |i: usize| x[1][i / (tokens * channels) * channels + i % channels];
                x[0].iter().enumerate().map(|(i, x)| x + vector(i)).collect()
            },
        );
    }
}

#[test]
fn the_same_input_twice_gets_both_gradients() {
    let x = Shape::new(1, 3, 5);
    check("x + x", &[x], |_, x| ops::add(&x[0], &x[0]), |x| x[0].iter().map(|x| 2.0 * x).collect());
}

#[test]
fn concat() {
    for (rows, a, b) in [(1, 1, 1), (3, 5, 2), (130, 17, 33)] {
        let (sa, sb) = (Shape::new(1, rows, a), Shape::new(1, rows, b));
        check(
            "concat",
            &[sa, sb],
            |_, x| ops::concat(&x[0], &x[1]),
            |x| {
                let rows = x[0].chunks(a).zip(x[1].chunks(b));
                rows.flat_map(|(a, b)| a.iter().chain(b).copied()).collect()
            },
        );
    }
}

#[test]
fn resize() {
    for (batch, from, to, c) in [
        (1, (1, 1), (1, 1), 1),
        (2, (3, 2), (6, 4), 5),
        (1, (2, 3), (3, 5), 4),
        (1, (5, 4), (3, 3), 2),
        (1, (4, 6), (7, 12), 3),
    ] {
        check(
            "resize",
            &[Shape::new(batch, from.0 * from.1, c)],
            |_, x| ops::resize(&x[0], Grid::new(from.0, from.1), Grid::new(to.0, to.1)),
            |x| {
                let mut y = Vec::new();
                for b in 0..batch {
                    for p in 0..to.0 * to.1 {
                        let (i, j) = (p / to.1 * from.0 / to.0, p % to.1 * from.1 / to.1);
                        y.extend_from_slice(&x[0][((b * from.0 + i) * from.1 + j) * c..][..c]);
                    }
                }
                y
            },
        );
    }
}

#[test]
fn gather() {
    let rows = [4_u32, 0, 4, 2, 2, 5];
    check(
        "gather",
        &[Shape::new(2, 3, 7)],
        |device, x| ops::gather(&x[0], &Indices::from_host(device, &rows).unwrap(), 3),
        |x| rows.iter().flat_map(|r| x[0][*r as usize * 7..][..7].iter().copied()).collect(),
    );
}

#[test]
fn lookup_reads_the_table_and_the_rows_behind_it() {
    let (table, extra) = (numbers(1, 5 * 3), numbers(2, 2 * 3));
    for (device, _) in devices() {
        let w = weight(&device, &[5, 3], &table, None, Layout::Table);
        let more = Tensor::from_host(&device, Shape::new(1, 2, 3), &extra).unwrap();
        let ids = Indices::from_host(&device, &[0, 6, 4, 5]).unwrap();
        let y = ops::lookup(&w, Some(&more), &ids, 2);
        assert_eq!(y.shape(), Shape::new(2, 2, 3));
        let right = [&table[..3], &extra[3..], &table[12..], &extra[..3]].concat();
        assert_eq!(y.to_host().unwrap(), right);
    }
}

#[test]
fn losses() {
    let (batch, tokens, channels) = (2, 5, 3);
    let shape = Shape::new(batch, tokens, channels);
    let target = numbers(3, shape.elements());
    let weights: Vec<f32> = numbers(4, batch * tokens).iter().map(|w| w.abs()).collect();
    let kinds = [
        LossKind::L2,
        LossKind::L1,
        LossKind::Huber(vec![0.1, 0.7]),
        LossKind::SmoothL1(vec![0.1, 0.7]),
    ];
    for kind in kinds {
        check(
            &format!("{kind:?}"),
            &[shape],
            |device, x| {
                let t = Tensor::from_host(device, shape, &target).unwrap();
                let w = Tensor::from_host(device, shape.with_channels(1), &weights).unwrap();
                ops::loss(&x[0], &t, &w, &kind)
            },
            |x| {
                let wide = reference::wide(&target);
                let values = x[0].iter().zip(&wide).enumerate().map(|(i, (p, t))| {
                    let (d, sample) = (p - t, i / (tokens * channels));
                    let root = |c: f32| (d * d + f64::from(c * c)).sqrt() - f64::from(c);
                    let value = match &kind {
                        LossKind::L2 => d * d,
                        LossKind::L1 => d.abs(),
                        LossKind::Huber(c) => 2.0 * f64::from(c[sample]) * root(c[sample]),
                        LossKind::SmoothL1(c) => 2.0 * root(c[sample]),
                    };
                    value * f64::from(weights[i / channels])
                });
                vec![values.sum::<f64>() / shape.elements() as f64]
            },
        );
    }
}
