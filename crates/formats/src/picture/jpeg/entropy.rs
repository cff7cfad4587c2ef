//! Huffman codes of JPEG files and the blocks of coefficients that they carry.
use super::ZIGZAG;

/// Bits that are looked up at once.
const LOOK: u32 = 10;

/// A code table.
pub(super) struct HuffmanTable {
    /// For each start of a code: its length and symbol; length 0 where codes are longer.
    short: Vec<(u8, u8)>,
    /// For each start that holds a code and the number after it: the length of both, the zeros before
    /// the number, and the number; length 0 elsewhere.
    whole: Vec<(u8, u8, i16)>,
    /// For each length: one more than the last code, left-aligned to 16 bits, and the distance from
    /// code to symbol.
    limits: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl HuffmanTable {
    /// A table of as many codes of each length as `lengths` says. `None` if there are too many.
    pub(super) fn new(lengths: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut short = vec![(0, 0); 1 << LOOK];
        let mut limits = [(0, 0); 17];
        let (mut code, mut index) = (0u32, 0usize);
        for (length, count) in (1u32..).zip(lengths) {
            let count = usize::from(*count);
            limits[length as usize].1 = index as i32 - code as i32;
            for _ in 0..count {
                if code >= 1 << length {
                    return None;
                }
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    short[first..first + (1 << (LOOK - length))]
                        .fill((length as u8, symbols[index]));
                }
                code += 1;
                index += 1;
            }
            limits[length as usize].0 = code << (16 - length);
            code <<= 1;
        }
        let whole = (0u32..).zip(&short).map(|(start, (length, symbol))| {
            let (length, size) = (u32::from(*length), u32::from(symbol & 15));
            if length == 0 || size == 0 || length + size > LOOK {
                return (0, 0, 0);
            }
            let value = start >> (LOOK - length - size) & ((1 << size) - 1);
            ((length + size) as u8, symbol >> 4, extended(value, size) as i16)
        });
        Some(Self { whole: whole.collect(), short, limits, symbols: symbols.into() })
    }
}

/// A number of `n` bits, at least 1, whose first bit tells its sign.
#[inline]
fn extended(value: u32, n: u32) -> i32 {
    let value = value as i32;
    if value < 1 << (n - 1) { value - (1 << n) + 1 } else { value }
}

/// Reads bits of a scan. Past its end, at a marker, bits are zeros, as in libjpeg.
pub(super) struct Bits<'a> {
    file: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// zero bits that were made up because the file had ended
    made_up: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(file: &'a [u8], at: usize) -> Self {
        Self { file, at, held: 0, count: 0, made_up: 0 }
    }

    fn fill(&mut self) {
        if let Some(bytes) = self.file.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let (word, ones) = (u64::from_be_bytes(*bytes), u64::MAX / 255);
            // A byte of 255 is one of 0 here, from which the subtraction borrows.
            let has_marker = word & (!word).wrapping_sub(ones) & (ones << 7) != 0;
            if !has_marker {
                let count = ((63 - self.count) / 8) as usize;
                self.held = self.held << (8 * count) | word >> (64 - 8 * count);
                self.count += 8 * count as u32;
                self.at += count;
                return;
            }
        }
        while self.count <= 48 {
            let byte = match self.file.get(self.at) {
                Some(0xff) => match self.file.get(self.at + 1) {
                    Some(0) => {
                        self.at += 2;
                        0xff
                    }
                    Some(_) => 0,
                    None => {
                        self.made_up += 1;
                        0
                    }
                },
                Some(byte) => {
                    self.at += 1;
                    *byte
                }
                None => {
                    self.made_up += 1;
                    0
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// Makes sure of 32 bits: the longest code and the longest number after it.
    #[inline]
    fn ready(&mut self) {
        if self.count < 32 {
            self.fill();
        }
    }

    #[inline]
    fn peek(&mut self, n: u32) -> u32 {
        if self.count < n {
            self.fill();
        }
        (self.held >> (self.count - n)) as u32 & ((1 << n) - 1)
    }

    #[inline]
    fn bits(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let value = self.peek(n);
        self.count -= n;
        value
    }

    fn bit(&mut self) -> bool {
        self.bits(1) == 1
    }

    /// A number of `n` bits whose first bit tells its sign.
    #[inline]
    fn signed(&mut self, n: u32) -> i32 {
        if n == 0 { 0 } else { extended(self.bits(n), n) }
    }

    /// The number that is next with its code, and the zeros before it, if both are short.
    #[inline]
    fn whole(&mut self, table: &HuffmanTable) -> Option<(u8, i16)> {
        let (length, zeros, value) = table.whole[self.peek(LOOK) as usize];
        self.count -= u32::from(length);
        (length > 0).then_some((zeros, value))
    }

    #[inline]
    fn symbol(&mut self, table: &HuffmanTable) -> Option<u8> {
        let ahead = self.peek(16);
        let (length, symbol) = table.short[(ahead >> (16 - LOOK)) as usize];
        if length > 0 {
            self.count -= u32::from(length);
            return Some(symbol);
        }
        let length = (LOOK + 1..=16).find(|l| ahead < table.limits[*l as usize].0)?;
        self.count -= length;
        let code = (ahead >> (16 - length)) as i32;
        let index = usize::try_from(code + table.limits[length as usize].1).ok()?;
        table.symbols.get(index).copied()
    }

    /// Goes on after the next restart marker, if one is next.
    pub(super) fn restart(&mut self) {
        (self.held, self.count) = (0, 0);
        let mut at = self.at;
        while self.file.get(at).is_some_and(|b| *b == 0xff) {
            at += 1;
        }
        let restarts = at > self.at && self.file.get(at).is_some_and(|b| (0xd0..=0xd7).contains(b));
        if restarts {
            self.at = at + 1;
        }
    }

    /// Whether more was read than the file held.
    pub(super) fn ran_out(&self) -> bool {
        // Bytes are taken ahead: only those whose bits were used count.
        self.made_up * 8 > self.count as usize
    }

    /// Where the next marker is to be looked for.
    pub(super) fn position(&self) -> usize {
        self.at
    }
}

/// Which part of the coefficients a progressive scan brings.
pub(super) struct Progress {
    /// First coefficient.
    pub(super) first: usize,
    /// Last coefficient.
    pub(super) last: usize,
    /// One more bit of what earlier scans brought.
    pub(super) refine: bool,
    /// The place of the lowest bit.
    pub(super) low: u8,
}

/// A whole block of a sequential file.
pub(super) fn sequential(
    bits: &mut Bits<'_>,
    block: &mut [i16],
    last_dc: &mut i32,
    dc: &HuffmanTable,
    ac: &HuffmanTable,
) -> Option<()> {
    bits.ready();
    block[0] = next_dc(bits, last_dc, dc)? as i16;
    let mut k = 1;
    while k < 64 {
        bits.ready();
        if let Some((zeros, value)) = bits.whole(ac) {
            k += usize::from(zeros);
            *block.get_mut(*ZIGZAG.get(k)?)? = value;
            k += 1;
            continue;
        }
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros != 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += zeros;
        let value = bits.signed(size);
        *block.get_mut(*ZIGZAG.get(k)?)? = value as i16;
        k += 1;
    }
    Some(())
}

fn next_dc(bits: &mut Bits<'_>, last: &mut i32, table: &HuffmanTable) -> Option<i32> {
    let size = u32::from(bits.symbol(table)?);
    if size > 16 {
        return None;
    }
    *last = last.wrapping_add(bits.signed(size));
    Some(*last)
}

/// The mean of a block, without its lowest bits.
pub(super) fn first_dc(
    bits: &mut Bits<'_>,
    block: &mut [i16],
    last_dc: &mut i32,
    progress: &Progress,
    table: &HuffmanTable,
) -> Option<()> {
    block[0] = next_dc(bits, last_dc, table)?.wrapping_shl(progress.low.into()) as i16;
    Some(())
}

/// One more bit of the mean.
pub(super) fn refine_dc(bits: &mut Bits<'_>, block: &mut [i16], progress: &Progress) {
    if bits.bit() {
        block[0] |= 1 << progress.low;
    }
}

/// Coefficients of a range, without their lowest bits.
pub(super) fn first_ac(
    bits: &mut Bits<'_>,
    block: &mut [i16],
    run: &mut u32,
    progress: &Progress,
    table: &HuffmanTable,
) -> Option<()> {
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut k = progress.first;
    while k <= progress.last {
        let symbol = bits.symbol(table)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros < 15 {
                *run = (1 << zeros) + bits.bits(zeros) - 1;
                break;
            }
            k += 16;
            continue;
        }
        k += zeros as usize;
        let value = bits.signed(size) << progress.low;
        *block.get_mut(*ZIGZAG.get(k)?)? = value as i16;
        k += 1;
    }
    Some(())
}

/// One more bit of coefficients that are there, and new ones of that bit alone.
pub(super) fn refine_ac(
    bits: &mut Bits<'_>,
    block: &mut [i16],
    run: &mut u32,
    progress: &Progress,
    table: &HuffmanTable,
) -> Option<()> {
    let bit = 1i16 << progress.low;
    let refine = |bits: &mut Bits<'_>, value: &mut i16| {
        if bits.bit() && *value & bit == 0 {
            *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
        }
    };
    let mut k = progress.first;
    if *run == 0 {
        while k <= progress.last {
            let symbol = bits.symbol(table)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            let mut fresh = 0;
            match size {
                0 if zeros < 15 => {
                    *run = (1 << zeros) + bits.bits(zeros);
                    break;
                }
                0 => {}
                _ => fresh = if bits.bit() { bit } else { -bit },
            }
            // Pass over zeros, refining what is not zero on the way.
            while k <= progress.last {
                let value = &mut block[ZIGZAG[k]];
                k += 1;
                if *value != 0 {
                    refine(bits, value);
                } else if zeros == 0 {
                    *value = fresh;
                    break;
                } else {
                    zeros -= 1;
                }
            }
        }
    }
    if *run > 0 {
        while k <= progress.last {
            let value = &mut block[ZIGZAG[k]];
            k += 1;
            if *value != 0 {
                refine(bits, value);
            }
        }
        *run -= 1;
    }
    Some(())
}
