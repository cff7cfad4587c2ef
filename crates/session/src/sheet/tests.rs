//! A sheet of plain squares: every pixel of a picture arrives, labels leave ink.
use super::*;
use image::Rgb;

fn square(side: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(side, side, Rgb(colour))
}

fn sheet(columns: u32, count: u8) -> Sheet {
    let cells = (0..count)
        .map(|i| Cell { picture: square(64, [i, 200, 255 - i]), caption: format!("picture {i}") })
        .collect();
    Sheet {
        title: "A word".into(),
        subtitle: "What this page shows.".into(),
        rows: vec![Row {
            label: "photo of a word".into(),
            note: "eight seeds".into(),
            cells,
            per_line: 8,
        }],
        footer: "small print".into(),
        columns,
        side: 128,
    }
}

#[test]
fn small_pictures_grow_without_smoothing() {
    let page = draw(&sheet(4, 3)).unwrap();
    for i in 0..3u8 {
        let colour = Rgb([i, 200, 255 - i]);
        let seen = page.pixels().filter(|p| **p == colour).count();
        assert_eq!(seen, 128 * 128, "picture {i}");
    }
}

#[test]
fn rows_go_on_below() {
    let one_row = draw(&sheet(4, 4)).unwrap();
    let two_rows = draw(&sheet(4, 5)).unwrap();
    assert_eq!(one_row.width(), two_rows.width());
    assert!(two_rows.height() > one_row.height() + 100);
}

#[test]
fn large_pictures_and_long_words_fit() {
    let mut sheet = sheet(4, 1);
    sheet.rows[0].cells[0].picture = square(1000, [1, 2, 3]);
    sheet.rows[0].cells[0].caption = "a caption that is far too long for one picture".into();
    sheet.rows[0].label = "Donaudampfschifffahrtsgesellschaft ".repeat(8);
    let page = draw(&sheet).unwrap();
    assert_eq!(page.pixels().filter(|p| **p == Rgb([1, 2, 3])).count(), 128 * 128);
}

#[test]
fn captions_take_more_lines() {
    let plain = draw(&sheet(4, 2)).unwrap();
    let mut long = sheet(4, 2);
    long.rows[0].cells[0].caption = "wearing a crown in the snow at night".into();
    let two = draw(&long).unwrap();
    assert!(two.height() > plain.height() + 15);
    long.rows[0].cells[0].caption.push_str(&" and on and on".repeat(9));
    let three = draw(&long).unwrap().height() - plain.height();
    assert!((30..60).contains(&three), "{three}");
}

#[test]
fn text_is_wrapped_and_measured() {
    let fonts = text::Fonts::bundled().unwrap();
    let lines = fonts.regular.wrap("one two three four\nfive", 16.0, 80);
    assert_eq!(lines.last().map(String::as_str), Some("five"));
    assert!(lines.len() > 2);
    assert!(fonts.regular.width("wide", 32.0) > 1.9 * fonts.regular.width("wide", 16.0));
    assert!(fonts.regular.fit("a very long caption", 16.0, 60).ends_with('…'));
}
