//! One chart of several numbers over the same steps: a lane for each with its own axis, so that no
//! two scales share one. Values appear under the pointer without a script.
use super::chart::{Line, level, limits, short, thinned, ticks};
use super::escape;

const WIDTH: f64 = 460.0;
/// Left and right of the lanes.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
/// The plot of a lane, and the room above it for its name.
const HEIGHT: f64 = 74.0;
const NAME: f64 = 26.0;
/// Below the last lane: the steps.
const BOTTOM: f64 = 40.0;

/// A number over steps.
pub(super) struct Lane {
    /// What it is.
    pub(super) name: &'static str,
    /// How to read it, in a few words; may be empty.
    pub(super) note: &'static str,
    /// Its lines, of which dots show their values.
    pub(super) lines: Vec<Line>,
}

/// A step that is marked in all lanes.
pub(super) struct Mark {
    /// Where.
    pub(super) step: f64,
    /// What it is, for the legend and under the pointer.
    pub(super) text: String,
}

/// The chart; lanes without points are left out, and nothing is drawn where all are.
pub(super) fn figure(title: &str, lanes: &[Lane], marks: &[Mark]) -> String {
    let points = |lane: &Lane| -> Vec<(f64, f64)> {
        let all = lane.lines.iter().flat_map(|line| &line.points);
        all.copied().filter(|(_, y)| y.is_finite()).collect()
    };
    let lanes: Vec<(&Lane, Vec<(f64, f64)>)> =
        lanes.iter().map(|lane| (lane, points(lane))).filter(|(_, p)| !p.is_empty()).collect();
    let Some((x, _)) = limits(lanes.iter().flat_map(|(_, points)| points.iter().copied())) else {
        return String::new();
    };
    let across = |step: f64| LEFT + (step - x.0) / (x.1 - x.0) * (WIDTH - LEFT - RIGHT);
    let bottom = lanes.len() as f64 * (NAME + HEIGHT);
    let title = escape(title);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{title}\">",
        bottom + BOTTOM
    );
    for (i, (lane, points)) in lanes.iter().enumerate() {
        let top = i as f64 * (NAME + HEIGHT) + NAME;
        let Some((_, y)) = limits(points.iter().copied()) else { continue };
        let down = |value: f64| top + HEIGHT - (value - y.0) / (y.1 - y.0) * HEIGHT;
        svg.push_str(&format!(
            "<text class=\"lane\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>",
            top - 8.0,
            escape(lane.name)
        ));
        for value in ticks(y, false).into_iter().filter(|value| (y.0..=y.1).contains(value)) {
            svg.push_str(&level(value, down(value), (LEFT, WIDTH - RIGHT)));
        }
        for line in &lane.lines {
            svg.push_str(&drawn(line, lane.name, &|(step, value)| (across(step), down(value))));
        }
    }
    for mark in marks {
        let at = across(mark.step);
        svg.push_str(&format!(
            "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{NAME}\" y2=\"{bottom}\">\
             <title>{}</title></line>",
            escape(&mark.text)
        ));
    }
    for step in ticks(x, false).into_iter().filter(|step| step.fract() == 0.0) {
        svg.push_str(&format!(
            "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            across(step),
            bottom + 16.0,
            short(step)
        ));
    }
    svg.push_str(&format!(
        "<text class=\"x\" x=\"{}\" y=\"{:.1}\">step</text></svg>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        bottom + 34.0
    ));
    let lanes: Vec<&Lane> = lanes.iter().map(|(lane, _)| *lane).collect();
    format!(
        "<figure class=\"lanes\"><figcaption>{title}</figcaption>{svg}<p>{}</p></figure>\n",
        legend(&lanes, marks)
    )
}

/// A line, and a dot with its value for each point where the line has dots.
fn drawn(line: &Line, name: &str, place: &dyn Fn((f64, f64)) -> (f64, f64)) -> String {
    let points = thinned(&line.points);
    let class = line.class;
    let places: Vec<(f64, f64)> = points.iter().copied().map(place).collect();
    let text: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let mut out = format!("<polyline class=\"{class}\" points=\"{}\"/>", text.join(" "));
    for ((x, y), (step, value)) in places.iter().zip(&points) {
        let radius = if line.dots { 3 } else { 0 };
        // The wide circle cannot be seen; it is what the pointer meets.
        out.push_str(&format!(
            "<g><title>step {step:.0}: {name} {}</title>\
             <circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>\
             <circle class=\"reach\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"/></g>",
            short(*value)
        ));
    }
    out
}

/// Lines by their color, then marks, then how to read the lanes.
fn legend(lanes: &[&Lane], marks: &[Mark]) -> String {
    let mut keys: Vec<String> = Vec::new();
    for line in lanes.iter().flat_map(|lane| &lane.lines).filter(|line| !line.label.is_empty()) {
        let key = format!("<span class=\"key {}\">{}</span>", line.class, escape(&line.label));
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mark = |mark: &Mark| format!("<span class=\"key mark\">{}</span>", escape(&mark.text));
    keys.extend(marks.iter().map(mark));
    let noted = lanes.iter().filter(|lane| !lane.note.is_empty());
    keys.extend(noted.map(|lane| format!("{}: {}", escape(lane.name), escape(lane.note))));
    keys.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_share_the_steps_and_show_their_values() {
        let lane = |name, points| Lane {
            name,
            note: "",
            lines: vec![Line { dots: true, ..Line::new("main", "steps", points) }],
        };
        let lanes = [
            lane("similarity", vec![(0.0, 0.2), (100.0, 0.8)]),
            lane("fidelity", vec![]),
            lane("norm", vec![(0.0, f64::NAN), (100.0, 1.5)]),
        ];
        let mark = Mark { step: 50.0, text: "chosen: step <50>".into() };
        let svg = figure("What was learned", &lanes, &[mark]);
        assert!(svg.contains("<title>step 100: similarity 0.8</title>"), "{svg}");
        assert!(svg.contains("<title>step 100: norm 1.5</title>") && !svg.contains("NaN"), "{svg}");
        assert!(!svg.contains(">fidelity<"), "nothing is known of it: {svg}");
        assert_eq!(svg.matches("chosen: step &lt;50&gt;").count(), 2, "mark and legend: {svg}");
        assert_eq!(svg.matches("class=\"key main\"").count(), 1, "one key a color: {svg}");
        assert_eq!(figure("none", &[lane("x", vec![])], &[]), "");
    }
}
