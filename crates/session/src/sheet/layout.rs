//! What is on a sheet, and where: sizes in pixels, top left first.
use super::text::Fonts;
use image::RgbImage;

/// A page: a title, a line below it, rows, and a line at the bottom.
pub(crate) struct Sheet {
    /// The headline.
    pub(crate) title: String,
    /// What the reader sees here, in a sentence or two; wrapped to the page's width.
    pub(crate) subtitle: String,
    /// Top to bottom.
    pub(crate) rows: Vec<Row>,
    /// Small print.
    pub(crate) footer: String,
    /// Pictures that fit beside each other.
    pub(crate) columns: u32,
    /// Side of a picture on the page.
    pub(crate) side: u32,
}

/// Pictures that belong together.
pub(crate) struct Row {
    /// What they are, in a few words.
    pub(crate) label: String,
    /// A sentence about them.
    pub(crate) note: String,
    /// Left to right.
    pub(crate) cells: Vec<Cell>,
    /// Pictures in a line before the row goes on below; at most the sheet's columns.
    pub(crate) per_line: u32,
}

/// One picture with a few words below it, which may be none.
pub(crate) struct Cell {
    /// Any size; it is fitted into a square.
    pub(crate) picture: RgbImage,
    /// What it shows.
    pub(crate) caption: String,
}

/// White around everything.
pub(super) const MARGIN: u32 = 40;
/// Between two pictures.
pub(super) const GAP: u32 = 10;
/// Between two rows.
pub(super) const ROW_GAP: u32 = 26;
/// The column of labels on the left, with its distance to the pictures.
pub(super) const LABELS: u32 = 250;
/// Width of the text in that column.
pub(super) const LABEL_TEXT: u32 = LABELS - 30;
/// Sizes of the letters.
pub(super) const TITLE: f32 = 40.0;
/// Size of the line below the title and of labels.
pub(super) const BODY: f32 = 19.0;
/// Size of notes, captions and the small print.
pub(super) const SMALL: f32 = 15.5;

/// Where a row stands.
pub(super) struct Placed {
    /// Top of its first picture.
    pub(super) top: u32,
    /// Its label, wrapped.
    pub(super) label: Vec<String>,
    /// Its note, wrapped.
    pub(super) note: Vec<String>,
    /// Left and top of each picture.
    pub(super) cells: Vec<(u32, u32)>,
    /// What stands below each, wrapped.
    pub(super) captions: Vec<Vec<String>>,
}

/// A sheet with all its places.
pub(super) struct Placing {
    /// Page width.
    pub(super) width: u32,
    /// Page height.
    pub(super) height: u32,
    /// The wrapped headline, and the size of its letters.
    pub(super) title: (Vec<String>, f32),
    /// The wrapped line below the title.
    pub(super) subtitle: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Placed>,
    /// The wrapped small print.
    pub(super) footer: Vec<String>,
    /// Top of the small print.
    pub(super) footer_top: u32,
}

/// Height of a line of letters of this size.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "letters are a few dozen pixels high"
)]
pub(super) fn line_height(size: f32) -> u32 {
    (size * 1.35).ceil() as u32
}

fn lines(count: usize, size: f32) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX) * line_height(size)
}

/// A caption in at most three lines, each as wide as its picture.
fn caption(text: &str, side: u32, fonts: &Fonts) -> Vec<String> {
    let width = side + GAP / 2;
    let mut lines = fonts.regular.wrap(text, SMALL, width);
    if lines.len() > 3 {
        let rest = lines.split_off(2);
        lines.push(rest.join(" "));
    }
    lines.iter().map(|line| fonts.regular.fit(line, SMALL, width)).collect()
}

/// Finds a place for everything.
pub(super) fn place(sheet: &Sheet, fonts: &Fonts) -> Placing {
    let across = sheet.columns * (sheet.side + GAP) - GAP;
    let width = 2 * MARGIN + LABELS + across;
    let text_width = (width - 2 * MARGIN).min(1250);
    let subtitle = fonts.regular.wrap(&sheet.subtitle, BODY, text_width);
    // A headline that does not fit, such as a long prompt, takes smaller letters and more lines.
    let fits = fonts.bold.width(&sheet.title, TITLE) <= (width - 2 * MARGIN) as f32;
    let size = if fits { TITLE } else { TITLE * 0.6 };
    let title = fonts.bold.wrap(&sheet.title, size, width - 2 * MARGIN);
    let mut y = MARGIN + lines(title.len(), size) + 6 + lines(subtitle.len(), BODY) + ROW_GAP;
    let mut rows = Vec::new();
    for row in &sheet.rows {
        let label = fonts.bold.wrap(&row.label, BODY, LABEL_TEXT);
        let note = fonts.regular.wrap(&row.note, SMALL, LABEL_TEXT);
        let captions: Vec<_> =
            row.cells.iter().map(|cell| caption(&cell.caption, sheet.side, fonts)).collect();
        let below = captions.iter().map(Vec::len).max().unwrap_or(0);
        let pitch = sheet.side + lines(below, SMALL) + GAP;
        let mut cells = Vec::new();
        let (mut column, mut line) = (0, 0);
        for _ in &row.cells {
            if column == row.per_line.clamp(1, sheet.columns) {
                (column, line) = (0, line + 1);
            }
            cells.push((MARGIN + LABELS + column * (sheet.side + GAP), y + line * pitch));
            column += 1;
        }
        let words = lines(label.len(), BODY) + 4 + lines(note.len(), SMALL);
        let height = ((line + 1) * pitch - GAP).max(words);
        rows.push(Placed { top: y, label, note, cells, captions });
        y += height + ROW_GAP;
    }
    let footer = fonts.regular.wrap(&sheet.footer, SMALL, text_width);
    let height = y + lines(footer.len(), SMALL) + MARGIN;
    Placing { width, height, title: (title, size), subtitle, rows, footer, footer_top: y }
}
