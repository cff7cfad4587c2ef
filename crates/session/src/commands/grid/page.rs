//! The sheet, the page and the list of a grid.
use super::axis::Axis;
use crate::Failure;
use crate::commands::write;
use crate::sheet::{self, Row, Sheet};
use image::RgbImage;
use image::imageops::{self, FilterType};
use serde_json::{Value, json};
use std::path::Path;
use wayword_diffusion::Picture;
use wayword_formats::png_text::{PngText, encode_rgb8};
use wayword_train::report::escape;

/// Pixels of the largest sheet, as A1111's.
const MOST_PIXELS: u64 = 200_000_000;
/// Small pictures are shown at least this large.
const LEAST_SIDE: u32 = 128;

/// A finished cell; those that failed or were not reached have none.
pub(super) struct Done {
    pub(super) at: [usize; 3],
    /// The file's name below the grid's folder, with `/`.
    pub(super) file: String,
    pub(super) picture: Picture,
}

/// What a grid shows.
pub(super) struct Shown<'a> {
    pub(super) prompt: &'a str,
    pub(super) axes: &'a [Option<Axis>; 3],
    pub(super) done: &'a [Done],
}

impl Shown<'_> {
    fn count(&self, axis: usize) -> usize {
        self.axes[axis].as_ref().map_or(1, |a| a.values.len())
    }

    /// The legend of a place along an axis; empty where there is no such axis.
    fn legend(&self, axis: usize, place: usize) -> String {
        self.axes[axis].as_ref().map_or_else(String::new, |a| a.legend(place))
    }

    fn cell(&self, at: [usize; 3]) -> Option<&Done> {
        self.done.iter().find(|d| d.at == at)
    }

    /// The first cell's settings, and what A1111 writes of the axes.
    fn infotext(&self) -> String {
        let mut text = self.done.first().map_or_else(String::new, |d| d.picture.infotext.clone());
        text.push_str(", Script: X/Y/Z plot");
        for (axis, letter) in self.axes.iter().zip(["X", "Y", "Z"]) {
            let Some(axis) = axis else { continue };
            let values: Vec<String> = (0..axis.values.len()).map(|i| axis.legend(i)).collect();
            let values = values.join(", ").replace('"', "'");
            text.push_str(&format!(
                ", {letter} Type: {}, {letter} Values: \"{values}\"",
                axis.kind.title()
            ));
        }
        text
    }
}

/// Writes `grid.png`: all cells with legends.
///
/// # Errors
/// If it cannot be written.
pub(super) fn sheet(shown: &Shown<'_>, path: &Path) -> Result<(), Failure> {
    let (nx, ny, nz) = (shown.count(0), shown.count(1), shown.count(2));
    let longest = |d: &Done| d.picture.width.max(d.picture.height);
    let mut side = shown.done.iter().map(longest).max().unwrap_or(LEAST_SIDE).max(LEAST_SIDE);
    while (nx * ny * nz) as u64 * u64::from(side).pow(2) > MOST_PIXELS {
        side = side * 3 / 4;
    }
    let mut rows = Vec::new();
    for z in 0..nz {
        for y in 0..ny {
            let cells = (0..nx).map(|x| sheet::Cell {
                picture: shown
                    .cell([x, y, z])
                    .map_or_else(|| blank(side), |d| pixels(&d.picture, side)),
                caption: shown.legend(0, x),
            });
            let (label, note) = match (&shown.axes[1], &shown.axes[2]) {
                (None, _) => (shown.legend(2, z), String::new()),
                _ => (shown.legend(1, y), shown.legend(2, z)),
            };
            let per_line = u32::try_from(nx).unwrap_or(u32::MAX);
            rows.push(Row { label, note, cells: cells.collect(), per_line });
        }
    }
    let page = sheet::draw(&Sheet {
        title: shown.prompt.to_owned(),
        subtitle: String::new(),
        rows,
        footer: shown.done.first().map_or_else(String::new, |d| settings(&d.picture.infotext)),
        columns: u32::try_from(nx).unwrap_or(u32::MAX),
        side,
    })?;
    let text = PngText { key: "parameters".into(), text: shown.infotext() };
    let (width, height) = page.dimensions();
    let png = encode_rgb8(width, height, page.as_raw(), &[text])
        .map_err(|fault| Failure::from(fault.at(path)))?;
    write(path, &png)
}

/// The last line of an infotext: its settings.
fn settings(infotext: &str) -> String {
    infotext.lines().last().unwrap_or_default().to_owned()
}

fn blank(side: u32) -> RgbImage {
    RgbImage::from_pixel(side, side, image::Rgb([255, 255, 255]))
}

/// A picture's pixels, small ones enlarged by whole numbers.
fn pixels(picture: &Picture, side: u32) -> RgbImage {
    let (w, h) = (picture.width, picture.height);
    let rgb = RgbImage::from_raw(w, h, picture.rgb.clone()).unwrap_or_else(|| blank(side));
    let factor = (side / w.max(h).max(1)).max(1);
    match factor {
        1 => rgb,
        n => imageops::resize(&rgb, w * n, h * n, FilterType::Nearest),
    }
}

/// The page: a table for each sheet; its links are relative, so the folder can be moved.
pub(super) fn page(shown: &Shown<'_>) -> String {
    let title = escape(shown.prompt);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n<style>\
         body{{font:15px/1.4 system-ui,sans-serif;margin:2em;color:#1c1e22}}\
         table{{border-collapse:collapse;margin:0 0 2em}}\
         th{{font-weight:600;padding:.4em .8em;text-align:left;vertical-align:middle;max-width:16em}}\
         .wide{{overflow-x:auto}}td{{padding:3px}}img{{display:block;min-width:128px;max-width:512px;height:auto}}\
         p{{color:#696e76}}</style>\n<h1>{title}</h1>\n<p><a href=\"grid.png\">all in one image</a></p>\n"
    );
    for z in 0..shown.count(2) {
        if shown.axes[2].is_some() {
            out.push_str(&format!("<h2>{}</h2>\n", escape(&shown.legend(2, z))));
        }
        out.push_str("<div class=\"wide\"><table>\n");
        if shown.axes[0].is_some() {
            let heads =
                (0..shown.count(0)).map(|x| format!("<th>{}</th>", escape(&shown.legend(0, x))));
            out.push_str(&format!("<tr><th></th>{}</tr>\n", heads.collect::<String>()));
        }
        for y in 0..shown.count(1) {
            out.push_str(&format!("<tr><th>{}</th>", escape(&shown.legend(1, y))));
            for x in 0..shown.count(0) {
                out.push_str(&match shown.cell([x, y, z]) {
                    Some(d) => format!(
                        "<td><a href=\"{0}\"><img src=\"{0}\" width=\"{1}\" height=\"{2}\" loading=\"lazy\" title=\"{3}\"></a></td>",
                        d.file, d.picture.width, d.picture.height, escape(&d.picture.infotext)
                    ),
                    None => "<td></td>".to_owned(),
                });
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table></div>\n");
    }
    if let Some(first) = shown.done.first() {
        out.push_str(&format!("<p>{}</p>\n", escape(&settings(&first.picture.infotext))));
    }
    out.push_str("</html>\n");
    out
}

/// `grid.json`: axes and cells.
pub(super) fn listing(shown: &Shown<'_>) -> Value {
    let axis = |i: usize| {
        shown.axes[i].as_ref().map(|a| {
            let values: Vec<String> = (0..a.values.len()).map(|v| a.legend(v)).collect();
            json!({ "kind": a.kind.title(), "of": a.target, "values": values })
        })
    };
    let cell = |d: &Done| json!({ "x": d.at[0], "y": d.at[1], "z": d.at[2], "file": d.file, "infotext": d.picture.infotext });
    json!({
        "prompt": shown.prompt, "x": axis(0), "y": axis(1), "z": axis(2),
        "cells": shown.done.iter().map(cell).collect::<Vec<_>>(),
    })
}
