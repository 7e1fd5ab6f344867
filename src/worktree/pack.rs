//! Whether a pack can be handed to libgit2: no object of it, resolved deltas included, may be larger than anything
//! honest. A delta of a few bytes can name gigabytes, and libgit2 would make them.

use std::io::{self, BufRead, Read};

use super::inflate::Bits;

/// What an object and a whole pack may come to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one object.
    pub object: u64,
    /// Bytes of all objects.
    pub total: u64,
    /// Objects.
    pub count: u32,
}

fn refused(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads a pack to its last object and fails where it passes a limit or is no pack. Hashes are not looked at.
pub fn check(pack: impl BufRead, limits: Limits) -> io::Result<u32> {
    let mut bits = Bits::new(pack);
    let mut header = [0; 12];
    for byte in &mut header {
        *byte = bits.byte()?;
    }
    let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    if &header[..4] != b"PACK" || count > limits.count {
        return Err(refused("not a pack, or one of too many objects"));
    }
    let mut total = 0;
    for _ in 0..count {
        total += entry(&mut bits, limits.object)?;
        if total > limits.total {
            return Err(refused("the objects of the pack are too large together"));
        }
    }
    Ok(count)
}

/// Reads one entry; returns what it costs to make its object.
fn entry(bits: &mut Bits<impl Read>, limit: u64) -> io::Result<u64> {
    const OFFSET_DELTA: u8 = 6;
    const REFERENCE_DELTA: u8 = 7;
    let first = bits.byte()?;
    let kind = first >> 4 & 7;
    let mut size = u64::from(first & 15);
    if first & 0x80 != 0 {
        size |= varint(|| bits.byte())?.checked_mul(16).ok_or_else(|| refused("an object is too large"))?;
    }
    match kind {
        OFFSET_DELTA => while bits.byte()? & 0x80 != 0 {},
        REFERENCE_DELTA => {
            for _ in 0..20 {
                bits.byte()?;
            }
        }
        _ => {}
    }
    if size > limit {
        return Err(refused("an object is too large"));
    }
    let content = bits.zlib(size)?;
    if content.length != size {
        return Err(refused("an object has another size than it says"));
    }
    if kind != OFFSET_DELTA && kind != REFERENCE_DELTA {
        return Ok(size);
    }
    let mut prefix = content.prefix.into_iter();
    let mut next = || prefix.next().ok_or_else(|| refused("a delta is cut"));
    let (_base, result) = (varint(&mut next)?, varint(&mut next)?);
    if result > limit { Err(refused("an object is too large")) } else { Ok(size + result) }
}

fn varint(mut next: impl FnMut() -> io::Result<u8>) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..57).step_by(7) {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(refused("a number is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::{ObjectType, Repository};

    const LIMITS: Limits = Limits { object: 1 << 20, total: 8 << 20, count: 1000 };

    fn stored(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short");
        let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
        [&[0x78, 1, 1], lengths.as_slice(), content, &[0; 4]].concat()
    }

    fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
        let count = u32::try_from(entries.len()).expect("few").to_be_bytes();
        [b"PACK\0\0\0\x02".as_slice(), &count, &entries.concat()].concat()
    }

    fn delta(content: &[u8]) -> Vec<u8> {
        let head = 0x70 | u8::try_from(content.len()).expect("short");
        [&[head], [7; 20].as_slice(), &stored(content)].concat()
    }

    #[test]
    fn a_real_pack_with_deltas_passes() {
        let directory = tempfile::tempdir().expect("a directory");
        let repository = Repository::init_bare(directory.path()).expect("made");
        let objects = repository.odb().expect("objects");
        let mut builder = repository.packbuilder().expect("a builder");
        let (mut text, mut state) = (String::new(), 1_u64);
        for _ in 0..6000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.extend([(state >> 40).to_string().as_str(), " line\n"]);
        }
        let mut contents = vec![Vec::new(), b"x".to_vec(), vec![0; 900_000], text.clone().into_bytes()];
        contents.extend((0..20).map(|number| format!("{text}{number}").into_bytes()));
        contents.push(state.to_le_bytes().to_vec());
        for content in &contents {
            builder
                .insert_object(objects.write(ObjectType::Blob, content).expect("written"), None)
                .expect("added");
        }
        let mut bytes = git2::Buf::new();
        builder.write_buf(&mut bytes).expect("packed");
        assert!(bytes.len() < 200_000, "there are no deltas");
        assert_eq!(check(&bytes[..], LIMITS).expect("passes"), 25);
        for end in 0..bytes.len() - 20 {
            if end % 97 == 0 {
                assert!(check(&bytes[..end], LIMITS).is_err(), "{end}");
            }
        }
        assert!(check(&bytes[..], Limits { object: 800_000, ..LIMITS }).is_err());
        assert!(check(&bytes[..], Limits { total: 900_000, ..LIMITS }).is_err());
        assert!(check(&bytes[..], Limits { count: 24, ..LIMITS }).is_err());
    }

    #[test]
    fn a_delta_that_names_gigabytes_is_refused() {
        let small = delta(&[5, 5, 0x90, 5]);
        assert_eq!(check(&pack(&[small])[..], LIMITS).expect("passes"), 1);
        let large = delta(&[5, 0x80, 0x80, 0x80, 0x80, 0x20, 0x90, 5]);
        assert!(check(&pack(&[large])[..], LIMITS).is_err());
        let endless = delta(&[0xff; 15]);
        assert!(check(&pack(&[endless])[..], LIMITS).is_err());
    }

    #[test]
    fn a_stream_longer_than_it_says_is_refused() {
        let entry = [&[0x31], stored(b"longer").as_slice()].concat();
        assert!(check(&pack(&[entry])[..], LIMITS).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(entry in proptest::collection::vec(proptest::num::u8::ANY, 0..300), kind in 0_u8..8) {
            let head = [kind << 4 | 0x8f, 0x7f, 0x78, 1];
            // Whatever it says of random bytes, it says it.
            let _ = check(&pack(&[[head.as_slice(), &entry].concat()])[..], LIMITS);
        }
    }
}
