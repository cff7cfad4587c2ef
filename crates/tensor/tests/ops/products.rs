//! Linear layers, convolutions, attention.
use super::check::{check, devices, numbers, weight};
use wayword_kernels::{attention, conv3x3, reference};
use wayword_tensor::{Grid, Layout, Memory, Shape, Stride, Tape, Tensor, ops};

#[test]
fn linear() {
    let shapes = [
        (1, 1, 1, 1),
        (1, 1, 7, 33),
        (2, 3, 33, 5),
        (1, 17, 64, 96),
        (1, 130, 31, 65),
        (3, 5, 320, 40),
    ];
    for (batch, tokens, k, n) in shapes {
        let (values, bias) = (numbers(1, n * k), numbers(2, n));
        let (w, b) = (reference::wide(&values), reference::wide(&bias));
        let x = Shape::new(batch, tokens, k);
        check(
            "linear",
            &[x],
            |device, x| {
                ops::linear(&x[0], &weight(device, &[n, k], &values, Some(&bias), Layout::Linear))
            },
            |x| reference::linear(&x[0], &w, &b, k),
        );
        check(
            "linear_add",
            &[x, x.with_channels(n)],
            |device, x| {
                let w = weight(device, &[n, k, 1, 1], &values, None, Layout::Linear);
                ops::linear_add(&x[0], &w, &x[1])
            },
            |x| {
                let mut y = reference::linear(&x[0], &w, &vec![0.0; n], k);
                y.iter_mut().zip(&x[1]).for_each(|(y, r)| *y += r);
                y
            },
        );
    }
}

/// One operation where nothing is recorded, two where something is: the same bits.
#[test]
fn linear_geglu_is_geglu_of_linear() {
    for (device, error) in devices() {
        for (tokens, k, n) in [(1, 7, 64), (77, 33, 128), (130, 96, 192), (65, 64, 96)] {
            let (values, bias) = (numbers(1, n * k), numbers(2, n));
            let w = weight(&device, &[n, k], &values, Some(&bias), Layout::Linear);
            let shape = Shape::new(2, tokens, k);
            let x = numbers(3, shape.elements());
            let [one, two, right] = {
                let x_device = Tensor::from_host(&device, shape, &x).unwrap();
                let two = ops::geglu(&ops::linear(&x_device, &w));
                let watched = Tape::new(Memory::Keep).watch(&x_device);
                let all = [ops::linear_geglu(&x_device, &w), ops::linear_geglu(&watched, &w), two];
                all.map(|y| y.to_host().unwrap())
            };
            assert_eq!(one, right, "{} {tokens} {k} {n}", device.name());
            assert_eq!(two, right, "{} {tokens} {k} {n}", device.name());
            let [values, bias, x] = [&values, &bias, &x].map(|v| reference::wide(v));
            let pair = reference::linear(&x, &values, &bias, k);
            let far = reference::geglu(&pair, n / 2);
            let most = far.iter().fold(0.0_f64, |most, y| most.max(y.abs()));
            for (y, far) in one.iter().zip(&far) {
                assert!((f64::from(*y) - far).abs() <= 2.0 * error * most, "{y} {far}");
            }
        }
    }
}

#[test]
fn conv3x3() {
    let shapes = [
        (1, 1, 1, 1, 1),
        (1, 5, 3, 4, 8),
        (2, 4, 4, 3, 5),
        (1, 7, 6, 33, 17),
        (2, 9, 13, 8, 34),
        (1, 3, 2, 64, 32),
        (1, 17, 15, 16, 33),
        (2, 12, 11, 32, 16),
        (1, 29, 30, 16, 17),
        (1, 29, 29, 16, 16),
    ];
    for (batch, height, width, k, n) in shapes {
        for step in [Stride::One, Stride::Two, Stride::TwoPadEnd] {
            let grid = Grid::new(height, width);
            let to = step.output(grid);
            if to.tokens() == 0 {
                continue;
            }
            let (values, bias) = (numbers(1, n * k * 9), numbers(2, n));
            let (w, b) = (reference::wide(&values), reference::wide(&bias));
            let s = conv3x3::ConvSizes {
                batch,
                from: wayword_kernels::Grid { height, width },
                to: wayword_kernels::Grid { height: to.height, width: to.width },
                stride: step.pixels(),
                pad: step.pad_before(),
            };
            let x = Shape::new(batch, grid.tokens(), k);
            check(
                &format!("conv3x3 {step:?}"),
                &[x],
                |device, x| {
                    let w = weight(device, &[n, k, 3, 3], &values, Some(&bias), Layout::Conv3x3);
                    ops::conv3x3(&x[0], grid, step, &w, None)
                },
                |x| reference::conv3x3(&x[0], &w, &b, k, s),
            );
            check(
                &format!("conv3x3 {step:?} with residual"),
                &[x, Shape::new(batch, to.tokens(), n)],
                |device, x| {
                    let w = weight(device, &[n, k, 3, 3], &values, Some(&bias), Layout::Conv3x3);
                    ops::conv3x3(&x[0], grid, step, &w, Some(&x[1]))
                },
                |x| {
                    let mut y = reference::conv3x3(&x[0], &w, &b, k, s);
                    y.iter_mut().zip(&x[1]).for_each(|(y, r)| *y += r);
                    y
                },
            );
        }
    }
}

#[test]
fn attention() {
    let shapes = [
        (1, 1, 1, 1, 1, false),
        (2, 5, 7, 3, 4, false),
        (1, 70, 77, 2, 10, false),
        (1, 9, 9, 2, 5, true),
        (2, 67, 67, 1, 8, true),
        (1, 33, 130, 1, 40, false),
        (1, 20, 20, 1, 160, false),
        (1, 13, 50, 2, 24, false),
        (1, 14, 19, 1, 32, false),
        (1, 7, 75, 1, 52, false),
    ];
    for (batch, queries, keys, heads, width, causal) in shapes {
        let s = attention::AttentionSizes { batch, queries, keys, heads, width, causal };
        let asks = Shape::new(batch, queries, heads * width);
        let answers = Shape::new(batch, keys, heads * width);
        check(
            "attention",
            &[asks, answers, answers],
            |_, x| ops::attention(&x[0], &x[1], &x[2], ops::Heads { count: heads, causal }),
            |x| reference::attention(&x[0], &x[1], &x[2], s),
        );
    }
}
