//! ASN.1 as makers write it: BER with definite or indefinite lengths (X.690, 8), and whether it is DER.

/// How deep elements of indefinite length may lie within each other.
const DEEPEST: usize = 16;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// One element with a tag of one octet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// All of it.
    pub(crate) whole: &'a [u8],
    /// Whether its length is in the one form that DER allows.
    pub(crate) shortest: bool,
}

/// Elements one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a>(pub(crate) &'a [u8]);

impl<'a> Elements<'a> {
    /// Takes the next element; nothing when there is none that can be read.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let (element, rest) = read(self.0, DEEPEST)?;
        self.0 = rest;
        Some(element)
    }

    /// Takes the next element only if it has this tag.
    pub(crate) fn of(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.0.first() == Some(&tag) { self.next() } else { None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Element<'a> {
    /// What is within.
    pub(crate) fn elements(&self) -> Elements<'a> {
        Elements(self.content)
    }

    /// The octets of a BIT STRING without unused bits.
    pub(crate) fn bits(&self) -> Option<&'a [u8]> {
        match (self.tag, self.content) {
            (BIT_STRING, [0, octets @ ..]) => Some(octets),
            _ => None,
        }
    }

    /// A number of up to 32 octets that is not negative, and whether it is written as DER wants it.
    pub(crate) fn number(&self) -> Option<([u8; 32], bool)> {
        if self.tag != INTEGER || self.content.is_empty() {
            return None;
        }
        let zeros = self.content.iter().take_while(|octet| **octet == 0).count();
        let digits = &self.content[zeros..];
        let mut number = [0; 32];
        number.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
        // One zero before a set bit, or before nothing.
        let wanted = usize::from(digits.first().is_none_or(|first| first & 0x80 != 0));
        Some((number, zeros == wanted))
    }

    /// The identifier in dotted form.
    pub(crate) fn oid(&self) -> Option<String> {
        if self.tag != OID {
            return None;
        }
        const_oid::ObjectIdentifier::from_bytes(self.content).ok().map(|oid| oid.to_string())
    }
}

/// The one element that all octets begin with, and whether anything follows it.
pub(crate) fn first(octets: &[u8], tag: u8) -> Option<(Element<'_>, bool)> {
    let mut elements = Elements(octets);
    let element = elements.of(tag)?;
    Some((element, !elements.is_empty()))
}

fn read(octets: &[u8], depth: usize) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    // Tags of several octets stand in nothing that is read here.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&length, rest) = rest.split_first()?;
    if length == 0x80 {
        return indefinite(octets, tag, rest, depth);
    }
    let (length, rest, shortest) = match length {
        0..=0x7f => (usize::from(length), rest, true),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            if digits.len() > 4 {
                return None;
            }
            let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest, length > 0x7f && digits[0] != 0)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = &octets[..octets.len() - rest.len()];
    Some((Element { tag, content, whole, shortest }, rest))
}

/// Content that ends with two zero octets.
fn indefinite<'a>(
    octets: &'a [u8],
    tag: u8,
    start: &'a [u8],
    depth: usize,
) -> Option<(Element<'a>, &'a [u8])> {
    let depth = depth.checked_sub(1)?;
    let mut rest = start;
    loop {
        if let [0, 0, after @ ..] = rest {
            let content = &start[..start.len() - rest.len()];
            let whole = &octets[..octets.len() - after.len()];
            return Some((Element { tag, content, whole, shortest: false }, after));
        }
        rest = read(rest, depth)?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_every_form_and_only_the_shortest_is_der() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        type Read = Option<(usize, bool)>;
        #[rustfmt::skip]
        let cases: [(&str, &[u8], Read); 9] = [
            ("short",                      &[0x04, 0x01, 0x07], Some((1, true))),
            ("long, and it must be",       &long, Some((0x80, true))),
            ("long where short would do",  &[0x04, 0x81, 0x01, 0x07], Some((1, false))),
            ("a zero before",              &[0x04, 0x82, 0x00, 0x01, 0x07], Some((1, false))),
            ("indefinite",                 &[0x30, 0x80, 0x04, 0x01, 0x07, 0x00, 0x00], Some((3, false))),
            ("indefinite without end",     &[0x30, 0x80, 0x04, 0x01, 0x07], None),
            ("cut",                        &[0x04, 0x02, 0x07], None),
            ("longer than there can be",   &[0x04, 0x85, 0, 0, 0, 0, 1, 7], None),
            ("a tag of several octets",    &[0x1f, 0x22, 0x01, 0x07], None),
        ];
        for (what, octets, expected) in cases {
            let read = Elements(octets).next();
            assert_eq!(read.map(|it| (it.content.len(), it.shortest)), expected, "{what}");
        }
        let nested = [0x30, 0x80].repeat(100_000);
        assert!(Elements(&nested).next().is_none(), "as deep as anybody likes");
    }

    #[test]
    fn numbers_are_read_with_zeros_too_many_and_too_few() {
        let number = |octets: &[u8]| {
            let (element, _) = first(octets, INTEGER)?;
            element.number().map(|(number, der)| (number[31], der))
        };
        assert_eq!(number(&[2, 1, 5]), Some((5, true)));
        assert_eq!(number(&[2, 1, 0]), Some((0, true)));
        assert_eq!(number(&[2, 2, 0, 5]), Some((5, false)));
        assert_eq!(number(&[2, 2, 0, 0x85]), Some((0x85, true)));
        assert_eq!(number(&[2, 1, 0x85]), Some((0x85, false)), "the sign is missing");
        assert_eq!(number(&[2, 0]), None);
        assert_eq!(number(&[&[2, 33][..], &[1; 33]].concat()), None);
    }
}
