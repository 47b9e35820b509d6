//! Subjects, tokens and sids: bytes that are kept for long, and are nearly always few.

/// Bytes that never change. Up to `N` of them need no memory of their own; longer ones cost a second look.
#[derive(Debug)]
pub struct Text<const N: usize>(Kind<N>);

#[derive(Debug)]
enum Kind<const N: usize> {
    Short(u8, [u8; N]),
    /// Behind a thin pointer, so that short ones may use nearly all the room.
    Long(Box<Box<[u8]>>),
}

impl<const N: usize> Text<N> {
    /// A copy of some bytes.
    pub fn new(bytes: &[u8]) -> Self {
        const { assert!(N <= u8::MAX as usize) }
        if bytes.len() > N {
            return Self(Kind::Long(Box::new(bytes.into())));
        }
        let mut short = [0; N];
        short[..bytes.len()].copy_from_slice(bytes);
        Self(Kind::Short(bytes.len() as u8, short))
    }

    /// The bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Short(len, bytes) => &bytes[..*len as usize],
            Kind::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn keeps_every_length() {
        for len in 0..100 {
            let bytes: Vec<u8> = (0..len).collect();
            assert_eq!(Text::<14>::new(&bytes).bytes(), bytes);
            assert_eq!(Text::<22>::new(&bytes).bytes(), bytes);
        }
    }

    #[test]
    fn uses_the_room_it_has() {
        assert_eq!((size_of::<Text<14>>(), size_of::<Text<22>>()), (16, 24));
    }
}
