//! The little of DER that certificates need: values with a tag and a length, one behind the other.

/// Tags of values.
pub const SEQUENCE: u8 = 0x30;
/// An object identifier.
pub const OID: u8 = 0x06;
/// Bytes.
pub const OCTETS: u8 = 0x04;
/// A truth value.
pub const BOOLEAN: u8 = 0x01;
/// A time with two digits for the year.
pub const UTC_TIME: u8 = 0x17;
/// A time with four.
pub const GENERAL_TIME: u8 = 0x18;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// What it is.
    pub tag: u8,
    /// Its content.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// Walks the values in some bytes. It ends before the first that is not whole or has a tag or length of a form that no
/// certificate has.
#[derive(Debug, Clone)]
pub struct Items<'a>(pub &'a [u8]);

impl<'a> Items<'a> {
    /// The next value, if it has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<Item<'a>> {
        self.next().filter(|item| item.tag == tag)
    }

    /// The next value if it has this tag; otherwise it stays.
    pub fn accept(&mut self, tag: u8) -> Option<Item<'a>> {
        let mut ahead = self.clone();
        let item = ahead.expect(tag)?;
        *self = ahead;
        Some(item)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let bytes = self.0;
        let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
        let many_byte_tag = tag & 0x1f == 0x1f;
        let (head, len) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x83 => {
                let digits = usize::from(first - 0x80);
                let number =
                    bytes.get(2..2 + digits)?.iter().fold(0, |number, &digit| number << 8 | usize::from(digit));
                (2 + digits, number)
            }
            _ => return None,
        };
        let whole = bytes.get(..head.checked_add(len)?).filter(|_| !many_byte_tag)?;
        self.0 = &bytes[whole.len()..];
        Some(Item { tag, content: &whole[head..], whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_walked_and_what_is_cut_off_is_none() {
        let bytes = [0x30, 3, 1, 1, 0xff, 4, 0x81, 2, 7, 8, 5, 0];
        let items: Vec<Item> = Items(&bytes).collect();
        assert_eq!(items.iter().map(|item| item.tag).collect::<Vec<_>>(), [SEQUENCE, OCTETS, 5]);
        assert_eq!((items[0].content, items[1].content, items[1].whole), (&bytes[2..5], &bytes[8..10], &bytes[5..10]));
        assert_eq!(Items(&[4, 3, 1, 2]).next(), None);
        assert_eq!(Items(&[4, 0x80]).next(), None);
        assert_eq!(Items(&[0x1f, 0]).next(), None);
        assert_eq!(Items(&[4, 0x83, 0xff, 0xff]).next(), None);
        let mut items = Items(&bytes);
        assert!(items.accept(OCTETS).is_none() && items.accept(SEQUENCE).is_some() && items.expect(5).is_none());
    }
}
