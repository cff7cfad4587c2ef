//! UniPC (Zhao and others 2023): a multistep predictor and corrector on the clean latent.
use super::combine::zip;
use super::{Predictor, SampleError, Sampling};

/// Which function of the step scales the differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UniPcVariant {
    /// `B(h) = h`.
    #[default]
    Bh1,
    /// `B(h) = e^h - 1`.
    Bh2,
    /// Coefficients that vary with the order's own terms.
    VaryCoeff,
}

/// How the steps are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UniPcSpacing {
    /// Evenly in time.
    #[default]
    TimeUniform,
    /// Evenly in the root of time.
    TimeQuadratic,
    /// Evenly in the logarithm of the signal-to-noise ratio.
    LogSnr,
}

/// What may be changed about UniPC. The default is A1111's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniPcOptions {
    /// Greatest order, at most the number of steps.
    pub order: usize,
    /// Scaling.
    pub variant: UniPcVariant,
    /// Spread of the steps.
    pub spacing: UniPcSpacing,
    /// Whether the last steps lower the order.
    pub lower_order_final: bool,
}

impl Default for UniPcOptions {
    fn default() -> Self {
        Self {
            order: 3,
            variant: UniPcVariant::default(),
            spacing: UniPcSpacing::default(),
            lower_order_final: true,
        }
    }
}

/// The noise schedule in continuous time: training step `i` is time `(i + 1) / steps`, and the
/// logarithm of the signal's scale is straight between them.
struct Times {
    logs: Vec<f64>,
}

impl Times {
    fn new(alphas: &[f32]) -> Self {
        Self { logs: alphas.iter().map(|a| 0.5 * f64::from(*a).ln()).collect() }
    }

    fn knots(&self) -> f64 {
        self.logs.len() as f64
    }

    fn log_alpha(&self, t: f64) -> f64 {
        let place = (t * self.knots() - 1.0).clamp(0.0, self.knots() - 1.0);
        let low = (place.floor() as usize).min(self.logs.len() - 2);
        self.logs[low] + (place - low as f64) * (self.logs[low + 1] - self.logs[low])
    }

    fn alpha(&self, t: f64) -> f64 {
        self.log_alpha(t).exp()
    }

    fn sigma(&self, t: f64) -> f64 {
        (-(2.0 * self.log_alpha(t)).exp_m1()).sqrt()
    }

    fn lambda(&self, t: f64) -> f64 {
        self.log_alpha(t) - self.sigma(t).ln()
    }

    /// The time where `lambda` has a value.
    fn time_of(&self, lambda: f64) -> f64 {
        let log = -0.5 * (-2.0 * lambda).exp().ln_1p();
        let below = self.logs.partition_point(|l| *l > log);
        let low = below.saturating_sub(1).min(self.logs.len() - 2);
        let part = (log - self.logs[low]) / (self.logs[low + 1] - self.logs[low]);
        (low as f64 + part + 1.0) / self.knots()
    }

    fn grid(&self, spacing: UniPcSpacing, from: f64, steps: usize) -> Vec<f64> {
        let to = 1.0 / self.knots();
        let even = |a: f64, b: f64| move |i: usize| a + (b - a) * i as f64 / steps as f64;
        match spacing {
            UniPcSpacing::TimeUniform => (0..=steps).map(even(from, to)).collect(),
            UniPcSpacing::TimeQuadratic => {
                (0..=steps).map(even(from.sqrt(), to.sqrt())).map(|r| r * r).collect()
            }
            UniPcSpacing::LogSnr => {
                let levels = (0..=steps).map(even(self.lambda(from), self.lambda(to)));
                levels.map(|l| self.time_of(l)).collect()
            }
        }
    }
}

/// Factors of the differences to the latest clean latent.
struct Weights {
    /// Of the earlier latents, without the new one.
    predictor: Vec<f64>,
    /// Of the earlier latents and the new one.
    corrector: Vec<f64>,
}

/// The factors for the places `rk` of earlier latents (the new one is at 1) and `hh = -h`.
fn weights(variant: UniPcVariant, rk: &[f64], hh: f64) -> Weights {
    let order = rk.len() + 1;
    let places: Vec<f64> = rk.iter().copied().chain([1.0]).collect();
    // phi_k h: e^h - 1, then one term of its series less each time.
    let mut phi = vec![hh.exp_m1()];
    let mut factorial = 1.0;
    for k in 1..=order {
        phi.push(phi[k - 1] / hh - 1.0 / factorial);
        factorial *= (k + 1) as f64;
    }
    if variant == UniPcVariant::VaryCoeff {
        return vary(&places, &phi);
    }
    let scale = if variant == UniPcVariant::Bh1 { hh } else { hh.exp_m1() };
    let rows: Vec<Vec<f64>> =
        (0..order).map(|i| places.iter().map(|r| r.powi(i as i32)).collect()).collect();
    let mut factorial = 1.0;
    let right: Vec<f64> = (1..=order)
        .map(|i| {
            factorial *= i as f64;
            phi[i] * factorial / scale
        })
        .collect();
    let solve_first = |n: usize| {
        let part = rows[..n].iter().map(|row| row[..n].to_vec()).collect();
        solve(part, right[..n].to_vec())
    };
    // The published coefficients for the lowest orders are halves, not the solution.
    let predictor = match order {
        1 => Vec::new(),
        2 => vec![0.5],
        _ => solve_first(order - 1),
    };
    let corrector = if order == 1 { vec![0.5] } else { solve_first(order) };
    let scaled = |v: Vec<f64>| v.into_iter().map(|w| w * scale).collect();
    Weights { predictor: scaled(predictor), corrector: scaled(corrector) }
}

/// The varying coefficients: rows of the inverse of a scaled Vandermonde matrix, each with its phi.
fn vary(places: &[f64], phi: &[f64]) -> Weights {
    let order = places.len();
    let mut columns: Vec<Vec<f64>> = vec![vec![1.0; order]];
    for k in 1..order {
        let next = columns[k - 1].iter().zip(places).map(|(c, r)| c * r / (k + 1) as f64).collect();
        columns.push(next);
    }
    let matrix = |n: usize| -> Vec<Vec<f64>> {
        (0..n).map(|row| columns[..n].iter().map(|c| c[row]).collect()).collect()
    };
    // Row k of the inverse, column j, is component k of the solution for the j-th unit vector.
    let inverse = |n: usize| -> Vec<Vec<f64>> {
        (0..n)
            .map(|j| solve(matrix(n), (0..n).map(|i| f64::from(u8::from(i == j))).collect()))
            .collect()
    };
    let earlier = order - 1;
    let sum = |inverse: &[Vec<f64>]| -> Vec<f64> {
        (0..earlier).map(|j| (0..earlier).map(|k| phi[k + 1] * inverse[j][k]).sum()).collect()
    };
    let predictor = if earlier > 0 { sum(&inverse(earlier)) } else { Vec::new() };
    let whole = inverse(order);
    let mut corrector = sum(&whole);
    corrector.push(phi[order] * whole[earlier][earlier.saturating_sub(1)]);
    Weights { predictor, corrector }
}

/// Solves a small system by elimination with pivoting.
fn solve(mut rows: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let best = (column..n)
            .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))
            .unwrap_or(column);
        rows.swap(column, best);
        right.swap(column, best);
        for below in column + 1..n {
            let factor = rows[below][column] / rows[column][column];
            let pivot = rows[column].clone();
            rows[below].iter_mut().zip(&pivot).for_each(|(v, p)| *v -= factor * p);
            right[below] -= factor * right[column];
        }
    }
    for column in (0..n).rev() {
        let known: f64 = (column + 1..n).map(|k| rows[column][k] * right[k]).sum();
        right[column] = (right[column] - known) / rows[column][column];
    }
    right
}

/// The clean latent that the model sees in `x` at a time.
fn denoised<P: Predictor>(
    model: &mut P,
    times: &Times,
    x: &[f32],
    t: f64,
) -> Result<Vec<f32>, P::Error> {
    let step = (t - 1.0 / times.knots()) * times.knots();
    let eps = model.predict(x, step as f32, 1.0)?.guided;
    let (alpha, sigma) = (times.alpha(t) as f32, times.sigma(t) as f32);
    Ok(zip([x, &eps], |[x, e]| (x - sigma * e) / alpha))
}

/// As many steps as `timesteps` has, from the last training step or, for a picture with noise,
/// from the last of `timesteps`.
pub(super) fn unipc<P: Predictor>(
    model: &mut P,
    mut x: Vec<f32>,
    timesteps: &[usize],
    alphas: &[f32],
    from_image: bool,
    s: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<P::Error>> {
    let (Some(last), options) = (timesteps.last(), s.options.unipc) else { return Ok(x) };
    let times = Times::new(alphas);
    let steps = timesteps.len();
    let from = if from_image { (*last as f64 + 1.0) / times.knots() } else { 1.0 };
    let grid = times.grid(options.spacing, from, steps);
    let most = options.order.clamp(1, steps);
    // Clean latents and their times, newest first.
    let mut past = vec![(denoised(model, &times, &x, grid[0])?, grid[0])];
    for (step, t) in grid.iter().copied().enumerate().skip(1) {
        let left = if options.lower_order_final { steps + 1 - step } else { most };
        let order = step.min(most).min(left).min(past.len());
        let (newest, t0) = (past[0].0.clone(), past[0].1);
        let h = times.lambda(t) - times.lambda(t0);
        let place = |i: usize| (times.lambda(past[i].1) - times.lambda(t0)) / h;
        let rk: Vec<f64> = (1..order).map(place).collect();
        let w = weights(options.variant, &rk, -h);
        let alpha = times.alpha(t);
        let keep = (times.sigma(t) / times.sigma(t0)) as f32;
        let add = (alpha * (-h).exp_m1()) as f32;
        let base = zip([&x, &newest], |[x, d]| keep * x - add * d);
        // Subtracts alpha * (the sum of factor * (earlier - newest) / place).
        let apply = |factors: &[f64]| {
            let mut sum = vec![0.0; base.len()];
            for (i, factor) in factors.iter().enumerate().take(rk.len()) {
                let (f, place) = (*factor as f32, rk[i] as f32);
                sum =
                    zip([&sum, &past[i + 1].0, &newest], |[sum, d, n]| sum + f * ((d - n) / place));
            }
            sum
        };
        let alpha = alpha as f32;
        let predicted = zip([&base, &apply(&w.predictor)], |[x, sum]| x - alpha * sum);
        if step == steps {
            x = predicted;
        } else {
            let new = denoised(model, &times, &predicted, t)?;
            let f = w.corrector[rk.len()] as f32;
            let sum = apply(&w.corrector);
            x = zip([&base, &sum, &new, &newest], |[x, sum, new, old]| {
                x - alpha * (sum + f * (new - old))
            });
            past.insert(0, (new, t));
            past.truncate(most);
        }
        s.done(step, steps, &past[0].0)?;
    }
    Ok(x)
}
