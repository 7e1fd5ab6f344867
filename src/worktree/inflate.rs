//! How long a deflate stream gets when it is inflated, and how its content begins, without keeping the content.
//! It is for packs that an agent wrote: libgit2 would inflate them whatever their size.

use std::io::{self, Read};

/// How much of the content is kept.
pub const PREFIX: usize = 32;
const FAST_BITS: u32 = 9;
const MAX_BITS: usize = 15;
const LENGTH_BASE: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
];
const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA: [u8; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const CODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Bytes, and bits of them, of a stream.
pub struct Bits<R> {
    source: R,
    buffer: u64,
    count: u32,
}

/// What a stream holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its length.
    pub length: u64,
    /// How it begins; at most `PREFIX` bytes.
    pub prefix: Vec<u8>,
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a deflate stream")
}

impl<R: Read> Bits<R> {
    /// The bits of a buffered reader.
    pub fn new(source: R) -> Self {
        Self { source, buffer: 0, count: 0 }
    }

    /// Reads bytes ahead; fewer than asked for at the end.
    fn fill(&mut self, bits: u32) -> io::Result<()> {
        while self.count < bits {
            let mut byte = [0];
            if self.source.read(&mut byte)? == 0 {
                break;
            }
            self.buffer |= u64::from(byte[0]) << self.count;
            self.count += 8;
        }
        Ok(())
    }

    fn take(&mut self, bits: u32) -> io::Result<u32> {
        self.fill(bits)?;
        if self.count < bits {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let value = self.buffer & ((1 << bits) - 1);
        self.buffer >>= bits;
        self.count -= bits;
        u32::try_from(value).map_err(|_| invalid())
    }

    /// The next whole byte.
    pub fn byte(&mut self) -> io::Result<u8> {
        let byte = self.take(8)?;
        u8::try_from(byte).map_err(|_| invalid())
    }

    fn align(&mut self) {
        let rest = self.count % 8;
        self.buffer >>= rest;
        self.count -= rest;
    }

    /// Reads one zlib stream to its end, or to where it passes `limit`.
    pub fn zlib(&mut self, limit: u64) -> io::Result<Content> {
        let (method, flags) = (self.byte()?, self.byte()?);
        if method & 0x0f != 8 || flags & 0x20 != 0 {
            return Err(invalid());
        }
        let mut content = Content::default();
        loop {
            let last = self.take(1)? == 1;
            match self.take(2)? {
                0 => self.stored(&mut content, limit)?,
                1 => self.compressed(&fixed()?, &mut content, limit)?,
                2 => {
                    let codes = self.codes()?;
                    self.compressed(&codes, &mut content, limit)?;
                }
                _ => return Err(invalid()),
            }
            if last {
                break;
            }
        }
        self.align();
        for _ in 0..4 {
            self.byte()?;
        }
        Ok(content)
    }

    fn stored(&mut self, content: &mut Content, limit: u64) -> io::Result<()> {
        self.align();
        let length = self.take(16)?;
        if self.take(16)? != !length & 0xffff {
            return Err(invalid());
        }
        for _ in 0..length {
            let byte = self.byte()?;
            content.literal(byte, limit)?;
        }
        Ok(())
    }

    fn compressed(&mut self, codes: &(Code, Code), content: &mut Content, limit: u64) -> io::Result<()> {
        loop {
            let symbol = usize::from(self.symbol(&codes.0)?);
            if symbol < 256 {
                content.literal(u8::try_from(symbol).map_err(|_| invalid())?, limit)?;
                continue;
            }
            if symbol == 256 {
                return Ok(());
            }
            let length = self.number(symbol - 257, &LENGTH_BASE, &LENGTH_EXTRA)?;
            let symbol = usize::from(self.symbol(&codes.1)?);
            let distance = self.number(symbol, &DISTANCE_BASE, &DISTANCE_EXTRA)?;
            content.repeat(u64::from(length), u64::from(distance), limit)?;
        }
    }

    fn number(&mut self, symbol: usize, base: &[u16], extra: &[u8]) -> io::Result<u32> {
        let (Some(base), Some(extra)) = (base.get(symbol), extra.get(symbol)) else {
            return Err(invalid());
        };
        Ok(u32::from(*base) + self.take(u32::from(*extra))?)
    }

    fn symbol(&mut self, code: &Code) -> io::Result<u16> {
        self.fill(FAST_BITS)?;
        let index = usize::try_from(self.buffer & ((1 << FAST_BITS) - 1)).map_err(|_| invalid())?;
        let (symbol, bits) = code.fast[index];
        if bits != 0 && u32::from(bits) <= self.count {
            self.take(u32::from(bits))?;
            return Ok(symbol);
        }
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in &code.counts[1..] {
            value |= self.take(1)?;
            let count = u32::from(*count);
            if value < first + count {
                let place = usize::try_from(index + value - first).map_err(|_| invalid())?;
                return code.symbols.get(place).copied().ok_or_else(invalid);
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        Err(invalid())
    }

    fn codes(&mut self) -> io::Result<(Code, Code)> {
        let size = |bits: u32, least: usize| usize::try_from(bits).map(|n| n + least).map_err(|_| invalid());
        let literals = size(self.take(5)?, 257)?;
        let distances = size(self.take(5)?, 1)?;
        let mut lengths = [0; 19];
        for place in &CODE_ORDER[..size(self.take(4)?, 4)?] {
            lengths[*place] = u8::try_from(self.take(3)?).map_err(|_| invalid())?;
        }
        let code = Code::new(&lengths)?;
        let mut lengths: Vec<u8> = Vec::with_capacity(320);
        while lengths.len() < literals + distances {
            let (value, times) = match self.symbol(&code)? {
                16 => (*lengths.last().ok_or_else(invalid)?, 3 + self.take(2)?),
                17 => (0, 3 + self.take(3)?),
                18 => (0, 11 + self.take(7)?),
                symbol => (u8::try_from(symbol).map_err(|_| invalid())?, 1),
            };
            lengths.extend((0..times).map(|_| value));
        }
        if lengths.len() != literals + distances {
            return Err(invalid());
        }
        Ok((Code::new(&lengths[..literals])?, Code::new(&lengths[literals..])?))
    }
}

impl Content {
    fn grow(&mut self, by: u64, limit: u64) -> io::Result<()> {
        self.length += by;
        if self.length > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    }

    fn literal(&mut self, byte: u8, limit: u64) -> io::Result<()> {
        if self.prefix.len() < PREFIX {
            self.prefix.push(byte);
        }
        self.grow(1, limit)
    }

    fn repeat(&mut self, length: u64, distance: u64, limit: u64) -> io::Result<()> {
        if distance > self.length {
            return Err(invalid());
        }
        for _ in 0..length {
            if self.prefix.len() == PREFIX {
                break;
            }
            // While the prefix is short it is the whole content.
            let back = usize::try_from(distance).map_err(|_| invalid())?;
            self.prefix.push(self.prefix[self.prefix.len() - back]);
        }
        self.grow(length, limit)
    }
}

/// A canonical Huffman code.
struct Code {
    counts: [u16; MAX_BITS + 1],
    symbols: Vec<u16>,
    /// By the next bits: the symbol, and how many bits it takes; none for longer ones.
    fast: Vec<(u16, u8)>,
}

impl Code {
    fn new(lengths: &[u8]) -> io::Result<Self> {
        let mut counts = [0_u16; MAX_BITS + 1];
        for length in lengths {
            *counts.get_mut(usize::from(*length)).ok_or_else(invalid)? += 1;
        }
        let (mut next, mut code) = ([0_u32; MAX_BITS + 1], 0_u32);
        counts[0] = 0;
        for bits in 1..=MAX_BITS {
            code = (code + u32::from(counts[bits - 1])) << 1;
            next[bits] = code;
            if code + u32::from(counts[bits]) > 1 << bits {
                return Err(invalid());
            }
        }
        let mut ordered: Vec<(u8, u16)> =
            (0_u16..).zip(lengths).map(|(symbol, length)| (*length, symbol)).collect();
        ordered.retain(|(length, _)| *length != 0);
        ordered.sort_unstable();
        let mut fast = vec![(0, 0); 1 << FAST_BITS];
        for (length, symbol) in &ordered {
            let bits = u32::from(*length);
            let value = &mut next[usize::from(*length)];
            if bits <= FAST_BITS {
                let first = (*value).reverse_bits() >> (32 - bits);
                let places = (first..1 << FAST_BITS).step_by(1 << bits);
                places.for_each(|place| fast[place as usize] = (*symbol, *length));
            }
            *value += 1;
        }
        Ok(Self { counts, symbols: ordered.into_iter().map(|(_, symbol)| symbol).collect(), fast })
    }
}

fn fixed() -> io::Result<(Code, Code)> {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    Ok((Code::new(&lengths)?, Code::new(&[5; 30])?))
}
