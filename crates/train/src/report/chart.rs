//! Curves as inline SVG: quiet axes, few labels, the last value beside the title.

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 190.0;
/// Left, right, top and bottom of the plot inside the picture.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Points of a line at most: more cannot be seen.
const POINTS: usize = 400;

/// A line of a chart.
pub(super) struct Line {
    /// Its class in the page's style: `main`, `faint`, `second`.
    pub(super) class: &'static str,
    /// What it is; empty: not said.
    pub(super) label: String,
    /// Step and value.
    pub(super) points: Vec<(f64, f64)>,
    /// Whether each point is a dot.
    pub(super) dots: bool,
}

impl Line {
    pub(super) fn new(class: &'static str, label: &str, points: Vec<(f64, f64)>) -> Self {
        Self { class, label: label.into(), points, dots: false }
    }
}

/// A chart with its title and a sentence below it.
pub(super) fn figure(title: &str, note: &str, lines: &[Line], log: bool) -> String {
    let log = log && lines.iter().flat_map(|l| &l.points).all(|(_, y)| *y > 0.0);
    let scale = |y: f64| if log { y.log10() } else { y };
    let points = || lines.iter().flat_map(|line| &line.points).filter(|(_, y)| y.is_finite());
    let Some((x, y)) = limits(points().map(|(x, y)| (*x, scale(*y)))) else { return String::new() };
    let place = |(px, py): (f64, f64)| {
        let across = LEFT + (px - x.0) / (x.1 - x.0) * (WIDTH - LEFT - RIGHT);
        let down = HEIGHT - BOTTOM - (scale(py) - y.0) / (y.1 - y.0) * (HEIGHT - TOP - BOTTOM);
        (across, down)
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        super::escape(title)
    );
    for tick in ticks(y, log) {
        let value = if log { 10f64.powf(tick) } else { tick };
        let (_, down) = place((x.0, value));
        svg.push_str(&level(value, down, (LEFT, WIDTH - RIGHT)));
    }
    for tick in ticks(x, false).into_iter().filter(|tick| tick.fract() == 0.0) {
        let (across, _) = place((tick, if log { 10f64.powf(y.0) } else { y.0 }));
        let text = short(tick);
        svg.push_str(&format!(
            "<text class=\"x\" x=\"{across:.1}\" y=\"{}\">{text}</text>",
            HEIGHT - 7.0
        ));
    }
    for line in lines {
        let points: Vec<(f64, f64)> = thinned(&line.points).into_iter().map(place).collect();
        let text: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let class = line.class;
        svg.push_str(&format!("<polyline class=\"{class}\" points=\"{}\"/>", text.join(" ")));
        if line.dots {
            for ((x, y), (step, value)) in points.iter().zip(thinned(&line.points)) {
                svg.push_str(&format!(
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>step {step:.0}: {}</title></circle>",
                    short(value)
                ));
            }
        }
    }
    svg.push_str("</svg>");
    let last = lines.iter().rev().find_map(|l| l.points.last().filter(|_| l.class == "main"));
    let last = last.map_or(String::new(), |(_, y)| format!("<b>{}</b>", short(*y)));
    let keys: Vec<String> = lines
        .iter()
        .filter(|line| !line.label.is_empty())
        .map(|l| format!("<span class=\"key {}\">{}</span>", l.class, super::escape(&l.label)))
        .collect();
    let below = if note.is_empty() { keys } else { [keys, vec![super::escape(note)]].concat() };
    format!(
        "<figure><figcaption>{}{last}</figcaption>{svg}<p>{}</p></figure>\n",
        super::escape(title),
        below.join(" · ")
    )
}

/// A value of the vertical axis: its line from `left` to `right`, and the number beside it.
pub(super) fn level(value: f64, down: f64, (left, right): Range) -> String {
    format!(
        "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{down:.1}\" y2=\"{down:.1}\"/>\
         <text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>",
        left - 6.0,
        down + 3.5,
        short(value)
    )
}

/// A running mean over about a twentieth of all steps, by which a trend is seen.
pub(super) fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let window = (points.len() / 20).max(1);
    let mut sum = 0.0;
    let mut out = Vec::with_capacity(points.len());
    for (i, (x, y)) in points.iter().enumerate() {
        sum += y;
        if i >= window {
            sum -= points[i - window].1;
        }
        out.push((*x, sum / (i + 1).min(window) as f64));
    }
    out
}

pub(super) type Range = (f64, f64);

/// The least and the greatest of both, never the same.
pub(super) fn limits(points: impl Iterator<Item = (f64, f64)>) -> Option<(Range, Range)> {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let widen = |range: Range, v: f64| (range.0.min(v), range.1.max(v));
    let (x, y) = points.fold((start, start), |(a, b), (x, y)| (widen(a, x), widen(b, y)));
    let open = |(low, high): Range| {
        let pad = if high > low { 0.0 } else { (high.abs() * 0.1).max(1e-9) };
        (low - pad, high + pad)
    };
    let (low, high) = open(y);
    let air = (high - low) * 0.06;
    (x.0.is_finite() && y.0.is_finite()).then(|| (open(x), (low - air, high + air)))
}

/// Three to six round numbers in a range; whole powers of ten where it is logarithmic and wide.
pub(super) fn ticks((low, high): Range, log: bool) -> Vec<f64> {
    let raw = (high - low) / 4.0;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= raw);
    let step = step.unwrap_or(power).max(if log && high - low > 2.0 { 1.0 } else { 0.0 });
    let first = (low / step).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|t| *t <= high + step * 1e-9).take(8).collect()
}

/// Means of as many neighbors as leave few enough points.
pub(super) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points.iter().copied().filter(|(_, y)| y.is_finite()).collect();
    let size = finite.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        (part.iter().map(|p| p.0).sum::<f64>() / n, part.iter().map(|p| p.1).sum::<f64>() / n)
    };
    finite.chunks(size).map(mean).collect()
}

/// A number with the digits that matter.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.1e}");
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_ticks_round() {
        assert_eq!(
            ["0.006", "1000", "0.1234", "1.0e-6", "0"],
            [0.006, 1000.0, 0.12341, 1e-6, 0.0].map(short)
        );
        assert_eq!(ticks((0.0, 1000.0), false), [0.0, 500.0, 1000.0]);
        assert_eq!(ticks((-3.2, 1.1), true), [-2.0, 0.0]);
        let y = ticks((0.113, 0.187), false);
        assert!((3..=6).contains(&y.len()), "{y:?}");
    }

    #[test]
    fn charts_hold_their_points_and_survive_odd_ones() {
        let points: Vec<(f64, f64)> = (1..=1000).map(|i| (f64::from(i), f64::from(i))).collect();
        assert!(thinned(&points).len() <= POINTS);
        assert_eq!(smooth(&[(1.0, 2.0), (2.0, 4.0)]), [(1.0, 2.0), (2.0, 4.0)]);
        let svg = figure("a < b", "", &[Line::new("main", "", points)], true);
        assert!(svg.contains("a &lt; b") && svg.contains("<polyline"), "{svg}");
        assert_eq!(figure("none", "", &[Line::new("main", "", vec![])], false), "");
        let odd = vec![(1.0, f64::NAN), (2.0, 0.5)];
        let svg = figure("odd", "", &[Line::new("main", "", odd)], true);
        assert!(!svg.contains("NaN\"") && !svg.contains("inf"), "{svg}");
    }
}
