//! How far a string goes without anything that JSON escapes, eight bytes at a time: most strings, to their end.

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The number of bytes before the first quote, backslash or control character.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        let Ok(chunk) = chunk.try_into() else { break };
        if has_special(u64::from_le_bytes(chunk)) {
            break;
        }
        at += 8;
    }
    let rest = bytes.iter().skip(at);
    at + rest.take_while(|&&byte| is_plain(byte)).count()
}

/// Whether nothing in it is escaped, and nothing outside ASCII.
pub(super) fn is_plain_ascii(bytes: &[u8]) -> bool {
    let odd = |word: u64| has_special(word) || word & HIGHS != 0;
    match bytes.last_chunk::<8>() {
        // The last eight bytes are looked at together, some of them again.
        Some(last) => {
            let (words, _) = bytes.as_chunks::<8>();
            !odd(u64::from_le_bytes(*last))
                && !words.iter().any(|word| odd(u64::from_le_bytes(*word)))
        }
        None => bytes.iter().all(|&byte| is_plain(byte) && byte.is_ascii()),
    }
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// Whether one of eight bytes is special; the usual trick to find a zero byte, and one below 0x20.
fn has_special(word: u64) -> bool {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let low = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    (low | quote | backslash) & HIGHS != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_told_right() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut text = [b'x'; 20];
                text[at] = byte;
                let want = if is_plain(byte) { 20 } else { at };
                assert_eq!(plain_len(&text), want, "{byte:#x} at {at}");
                let (short, is_whole) = (&text[at..20.min(at + 5)], want == 20 && byte < 0x80);
                assert_eq!(is_plain_ascii(&text), is_whole, "{byte:#x} at {at}");
                assert_eq!(is_plain_ascii(short), is_whole, "{byte:#x} at {at}");
            }
        }
        assert_eq!(plain_len("Чайник \u{7f}€".as_bytes()), 17);
    }
}
