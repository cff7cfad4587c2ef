//! How the work of a layer is divided into pieces: functions of its sizes and the number of
//! threads alone. A sum is made by one piece in one order, so its bits do not depend on them.
use std::ops::Range;

/// Pieces for each thread at least, where rows must be divided for it.
const LEAST: usize = 3;

/// Rows of a block: `most`, or fewer where blocks times panels would not keep all threads busy;
/// multiples of `tile`.
pub(crate) fn rows_of_block(
    rows: usize,
    most: usize,
    tile: usize,
    panels: usize,
    threads: usize,
) -> usize {
    let mut each = most;
    while each > tile && threads > 2 && rows.div_ceil(each) * panels < LEAST * threads {
        each = (each / 2).next_multiple_of(tile);
    }
    rows.div_ceil(rows.div_ceil(each)).next_multiple_of(tile)
}

/// Groups of panels, for each of which a block is laid out once: enough that threads end at nearly
/// the same time; little work is better not divided too much.
pub(crate) fn groups(blocks: usize, panels: usize, threads: usize, small: bool) -> usize {
    let pieces = if small && blocks <= 4 { 2 } else { 8 } * threads;
    pieces.div_ceil(blocks).min(panels)
}

/// Parts into which a band of tiles is divided beside its panels, each of which transforms its
/// panel's weights itself: as few as keep the threads busy.
pub(crate) fn parts_of_band(panels: usize, tiles: usize, threads: usize) -> usize {
    /// Of the threads' time, in percent.
    const BUSY: usize = 85;
    let most = tiles.div_ceil(8).min(8);
    let busy = |parts: &usize| {
        let pieces = panels * parts;
        100 * pieces >= BUSY * pieces.div_ceil(threads) * threads
    };
    (1..=most).find(busy).unwrap_or(most)
}

/// Groups of one or two panels that share a reading of the transformed tiles, where each thread
/// has some of them.
pub(crate) fn groups_of_panels(panels: usize, threads: usize) -> usize {
    if panels < 4 * threads {
        return panels;
    }
    panels.div_ceil(2).next_multiple_of(threads).min(panels)
}

/// The panels of such a group: groups of two come first, so that threads end at nearly the same
/// time.
pub(crate) fn panels_of_group(group: usize, panels: usize, groups: usize) -> Range<usize> {
    let start = |group: usize| group + group.min(panels - groups);
    start(group)..start(group + 1)
}

/// Groups of blocks of queries of one head.
pub(crate) fn groups_of_queries(heads: usize, blocks: usize, threads: usize) -> usize {
    (4 * threads).max(8).div_ceil(heads).min(blocks.div_ceil(2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean over largest work of a thread, if each takes the next piece when it is free.
    fn balance(pieces: impl Iterator<Item = usize>, threads: usize) -> f64 {
        let mut work = vec![0_usize; threads];
        for piece in pieces {
            let free = (0..threads).min_by_key(|t| work[*t]).expect("there are threads");
            work[free] += piece;
        }
        let most = work.iter().max().copied().unwrap_or(1);
        work.iter().sum::<usize>() as f64 / threads as f64 / most as f64
    }

    /// Pieces of rows and panels, as [`crate::product::run`] makes them.
    fn product(rows: usize, most: usize, columns: usize, threads: usize) -> Vec<usize> {
        let panels = columns.div_ceil(32);
        let each = rows_of_block(rows, most, 32, panels, threads);
        let blocks = rows.div_ceil(each);
        let groups = groups(blocks, panels, threads, false);
        (0..blocks * groups)
            .map(|i| {
                let (block, group) = (i / groups, i % groups);
                let panels = (group + 1) * panels / groups - group * panels / groups;
                panels * each.min(rows - block * each)
            })
            .collect()
    }

    /// Pieces of a convolution of a picture of this side by Winograd's tiles of 2 x 2 outputs.
    fn winograd(side: usize, columns: usize, threads: usize, pairs: bool) -> Vec<usize> {
        let (panels, across) = (columns.div_ceil(32), side / 2);
        let lines = (256 / across).clamp(1, across);
        let tiles = lines * across;
        let groups = if pairs { groups_of_panels(panels, threads) } else { panels };
        let parts = parts_of_band(groups, tiles, threads);
        // Bands follow one another: each is as good as the next.
        (0..groups * parts)
            .map(|i| {
                let (part, group) = (i / groups, i % groups);
                let tiles = (part + 1) * tiles / parts - part * tiles / parts;
                tiles * panels_of_group(group, panels, groups).len()
            })
            .collect()
    }

    #[test]
    fn groups_of_panels_are_one_or_two_and_all_of_them() {
        for threads in [1, 2, 3, 4, 8, 32] {
            for panels in 1..130 {
                let groups = groups_of_panels(panels, threads);
                let of = |group| panels_of_group(group, panels, groups);
                assert!((0..groups).all(|group| (1..=2).contains(&of(group).len())));
                assert!((0..groups).flat_map(of).eq(0..panels), "{panels}, {threads} threads");
            }
        }
    }

    fn attention(queries: usize, keys: usize, threads: usize) -> [Vec<usize>; 2] {
        let blocks = queries.div_ceil(128);
        let groups = groups_of_queries(8, blocks, threads);
        let forward = (0..8 * groups).map(|i| {
            let group = i % groups;
            (group + 1) * blocks / groups - group * blocks / groups
        });
        let parts = if keys >= 1024 { 4 } else { 1 };
        [forward.collect(), vec![1; 8 * parts]]
    }

    #[test]
    fn layers_of_the_full_size_keep_8_and_32_threads_busy() {
        // Those that take 1 % of a step and more: rows, inputs, outputs.
        let linear = [
            (4096, 320, 320),
            (4096, 320, 2560),
            (4096, 1280, 320),
            (1024, 640, 640),
            (1024, 640, 5120),
            (1024, 2560, 640),
            (256, 1280, 1280),
            (256, 1280, 10240),
            (256, 5120, 1280),
        ];
        // Side, inputs, outputs.
        let conv = [
            (64, 320, 320),
            (64, 960, 320),
            (64, 640, 320),
            (64, 640, 640),
            (32, 640, 640),
            (32, 1920, 640),
            (32, 1280, 640),
            (32, 1280, 1280),
            (16, 1280, 1280),
            (16, 2560, 1280),
            (8, 1280, 1280),
            (8, 2560, 1280),
        ];
        for (threads, least) in [(8, 0.9), (32, 0.8)] {
            let mut worst = (1.0, String::new());
            let mut look = |what: String, pieces: Vec<usize>| {
                let balance = balance(pieces.into_iter(), threads);
                assert!(balance >= least, "{what}, {threads} threads: {balance:.2}");
                if balance < worst.0 {
                    worst = (balance, what);
                }
            };
            for (rows, k, n) in linear {
                for most in [(256 * 1024 / k).clamp(64, 256), 256] {
                    look(format!("linear {rows} {k} {n}"), product(rows, most, n, threads));
                }
                look(format!("linear backward {rows} {k} {n}"), product(rows, 512, k, threads));
            }
            for (side, k, n) in conv {
                // Small pictures by taps with a tile unit, by Winograd without one.
                for pairs in [false, true] {
                    let name = format!("{side} {k} {n}, pairs {pairs}");
                    look(format!("convolution {name}"), winograd(side, n, threads, pairs));
                    look(format!("convolution backward {name}"), winograd(side, k, threads, pairs));
                }
                if side <= 16 {
                    let rows = side * side;
                    look(format!("taps {side} {k} {n}"), product(rows, 256, n, threads));
                    look(format!("taps backward {side} {k} {n}"), product(rows, 512, k, threads));
                }
            }
            for (queries, keys) in [(4096, 4096), (4096, 77), (1024, 1024)] {
                let [forward, backward] = attention(queries, keys, threads);
                look(format!("attention {queries} {keys}"), forward);
                if keys >= 1024 || threads == 8 {
                    look(format!("attention backward {queries} {keys}"), backward);
                }
            }
            crate::edges::say(&format!("{threads} threads: at least {:.2} ({})", worst.0, worst.1));
        }
    }
}
