use std::ffi::c_int;

use card::layout::{File, Profile};

use crate::code::Code;
use crate::field::Style;

/// Bytes of the signature and certificate at the end of a body, which are written by signing alone.
pub(super) const PROOF: usize = 254;

/// A part of the body of a visit's record, and the form it travels in.
pub(crate) struct Part {
    pub(super) file: &'static File,
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) style: Style,
}

impl Part {
    /// The part that the caller's numbers name: nPos, nLen, nStyle.
    pub(crate) fn named(
        file: &'static File,
        position: c_int,
        length: c_int,
        style: c_int,
    ) -> Result<Self, Code> {
        let number = |number: c_int| usize::try_from(number).map_err(|_| Code::Parameter);
        let (offset, length) = (number(position)?, number(length)?);
        let style = Style::numbered(style).ok_or(Code::Parameter)?;
        let end = usize::from(file.size(Profile::Full));
        match length > 0 && offset.saturating_add(length) <= end {
            true => Ok(Self { file, offset, length, style }),
            false => Err(Code::Parameter),
        }
    }

    /// Whether it travels as bytes, without a NUL.
    pub(crate) fn is_raw(&self) -> bool {
        self.style == Style::Raw
    }

    /// Bytes of the card that it has.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Whether it may be written: all but signature and certificate.
    pub(super) fn is_writable(&self) -> bool {
        self.offset + self.length <= usize::from(self.file.size(Profile::Full)) - PROOF
    }
}

#[cfg(test)]
mod tests {
    use card::layout::df03::inpatient::FILES;

    use super::*;

    #[test]
    fn parts_stay_within_the_body() {
        let cases = [
            ("the whole file", 0, 1893, 0x00, Ok(false)),
            ("what is signed", 0, 1639, 0x00, Ok(true)),
            ("one field", 80, 4, 0x0F, Ok(true)),
            ("into the signature", 1638, 2, 0xFF, Ok(false)),
            ("beyond", 1893, 1, 0x00, Err(Code::Parameter)),
            ("nothing", 0, 0, 0x00, Err(Code::Parameter)),
            ("before", -1, 4, 0x00, Err(Code::Parameter)),
            ("overflow", i32::MAX, i32::MAX, 0x00, Err(Code::Parameter)),
            ("no style", 0, 4, 0x02, Err(Code::Parameter)),
        ];
        for (name, position, length, style, expected) in cases {
            let part = Part::named(&FILES[0], position, length, style);
            assert_eq!(part.map(|part| part.is_writable()), expected, "{name}");
        }
    }
}
