//! Norms and activations.
use super::check::{check, numbers, weight};
use wayword_kernels::{group_norm, reference};
use wayword_tensor::{Layout, Shape, ops};

#[test]
fn group_norm() {
    let shapes = [(1, 3, 4, 2), (2, 5, 6, 3), (1, 70, 33, 3), (1, 1100, 4, 2), (2, 1, 8, 1)];
    for (batch, tokens, channels, groups) in shapes {
        for silu in [false, true] {
            let (scale, shift) = (numbers(1, channels), numbers(2, channels));
            let s = group_norm::NormSizes { batch, tokens, channels, groups, eps: 1e-5, silu };
            let wide = (reference::wide(&scale), reference::wide(&shift));
            check(
                &format!("group_norm silu {silu}"),
                &[Shape::new(batch, tokens, channels)],
                |device, x| {
                    let w = weight(device, &[channels], &scale, Some(&shift), Layout::Norm);
                    ops::group_norm(&x[0], groups, 1e-5, &w, silu)
                },
                |x| reference::group_norm(&x[0], s, &wide.0, &wide.1),
            );
        }
    }
}

#[test]
fn a_large_mean_costs_group_norm_no_digits() {
    let (tokens, channels) = (300, 8);
    let s = group_norm::NormSizes { batch: 1, tokens, channels, groups: 2, eps: 1e-5, silu: false };
    let x: Vec<f32> = numbers(3, tokens * channels).iter().map(|v| v + 1000.0).collect();
    let one = vec![1.0; channels];
    let zero = vec![0.0; channels];
    let right = reference::group_norm(
        &reference::wide(&x),
        s,
        &reference::wide(&one),
        &vec![0.0; channels],
    );
    for (device, _) in super::check::devices() {
        let w = weight(&device, &[channels], &one, Some(&zero), Layout::Norm);
        let x = wayword_tensor::Tensor::from_host(&device, Shape::new(1, tokens, channels), &x);
        let y = ops::group_norm(&x.unwrap(), 2, 1e-5, &w, false).to_host().unwrap();
        for (y, r) in y.iter().zip(&right) {
            assert!((f64::from(*y) - r).abs() < 1e-2, "{y} {r} on {}", device.name());
        }
    }
}

#[test]
fn layer_norm() {
    for (rows, channels) in [(1, 2), (3, 7), (65, 33), (130, 64)] {
        let (scale, shift) = (numbers(1, channels), numbers(2, channels));
        let wide = (reference::wide(&scale), reference::wide(&shift));
        check(
            "layer_norm",
            &[Shape::new(1, rows, channels)],
            |device, x| {
                let w = weight(device, &[channels], &scale, Some(&shift), Layout::Norm);
                ops::layer_norm(&x[0], 1e-5, &w)
            },
            |x| reference::layer_norm(&x[0], 1e-5, &wide.0, &wide.1),
        );
    }
}

#[test]
fn activations() {
    for (rows, channels) in [(1, 1), (3, 7), (65, 33)] {
        let x = Shape::new(1, rows, channels);
        check(
            "silu",
            &[x],
            |_, x| ops::silu(&x[0]),
            |x| x[0].iter().map(|x| x * reference::logistic(*x)).collect(),
        );
        check(
            "quick_gelu",
            &[x],
            |_, x| ops::quick_gelu(&x[0]),
            |x| x[0].iter().map(|x| x * reference::logistic(1.702 * x)).collect(),
        );
        let pair = Shape::new(1, rows, 2 * channels);
        check("geglu", &[pair], |_, x| ops::geglu(&x[0]), |x| reference::geglu(&x[0], channels));
    }
}
