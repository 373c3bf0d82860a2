//! Random numbers for ids, by the hundred: one call to the system fills a thread's store.
//!
//! They come from the system's own generator, so they are as unguessable as any; what differs is that a request does not
//! pay for a call to the system with each of its ids.

use std::cell::RefCell;

const BYTES: usize = 512;

struct Store {
    bytes: [u8; BYTES],
    used: usize,
}

thread_local! {
    static STORE: RefCell<Store> = const { RefCell::new(Store { bytes: [0; BYTES], used: BYTES }) };
}

/// Random bytes, at most 512; zeros in the unheard-of case that the system has none, so never for a secret.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= BYTES) };
    STORE.with_borrow_mut(|store| {
        if BYTES - store.used < N {
            if getrandom::fill(&mut store.bytes).is_err() {
                return [0; N];
            }
            store.used = 0;
        }
        let taken = &mut store.bytes[store.used..store.used + N];
        store.used += N;
        let mut out = [0; N];
        out.copy_from_slice(taken);
        // What was given out is nowhere left.
        taken.fill(0);
        out
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_given_out_twice() {
        let given: HashSet<[u8; 16]> = (0..1_000).map(|_| bytes()).collect();
        assert_eq!(given.len(), 1_000);
        assert_ne!(bytes::<BYTES>(), [0; BYTES]);
    }
}
