use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use super::{DerError, Reader, tag, tlv};

/// A time as RFC 5280, 4.1.2.5 (and RFC 5652, 11.3) has it: UTC to the second, UTCTime up to 2049,
/// GeneralizedTime after.
pub(crate) fn read_time(reader: &mut Reader<'_>) -> Result<OffsetDateTime, DerError> {
    let (kind, content, _) = reader.any()?;
    let (years, rest) = match (kind, content.len()) {
        (tag::UTC_TIME, 13) => content.split_at(2),
        (tag::GENERALIZED_TIME, 15) => content.split_at(4),
        _ => return Err(DerError::Time),
    };
    let year = match (kind, number(years)?) {
        (tag::UTC_TIME, year @ 0..50) => 2000 + year,
        (tag::UTC_TIME, year) => 1900 + year,
        (_, year @ 2050..) => year,
        (_, _) => return Err(DerError::Time),
    };
    let [month, day, hour, minute, second] =
        [&rest[0..2], &rest[2..4], &rest[4..6], &rest[6..8], &rest[8..10]].map(number);
    if rest[10] != b'Z' {
        return Err(DerError::Time);
    }
    calendar(year, month?, day?, hour?, minute?, second?).ok_or(DerError::Time)
}

/// Writes a time, which is cut to whole seconds. Years before 1950 do not occur.
pub(crate) fn write_time(at: OffsetDateTime) -> Vec<u8> {
    let at = at.to_offset(UtcOffset::UTC);
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    match at.year() {
        year @ ..2050 => tlv(
            tag::UTC_TIME,
            &[format!("{:02}", year.rem_euclid(100)).as_bytes(), rest.as_bytes()],
        ),
        year => tlv(tag::GENERALIZED_TIME, &[format!("{year:04}").as_bytes(), rest.as_bytes()]),
    }
}

/// A time as RFC 6960, 4.2.2.1, and RFC 3161, 2.4.2, have it, whatever the year: GeneralizedTime in
/// UTC, to the second or with a fraction that does not end in 0 (X.690, 11.7), of nine digits at
/// most.
pub(crate) fn read_generalized_time(reader: &mut Reader<'_>) -> Result<OffsetDateTime, DerError> {
    let content = reader.value(tag::GENERALIZED_TIME)?;
    let content = content.strip_suffix(b"Z").ok_or(DerError::Time)?;
    let (whole, fraction) = content.split_at_checked(14).ok_or(DerError::Time)?;
    let nanosecond = match fraction {
        [] => 0,
        [b'.', digits @ .., last] if *last != b'0' && digits.len() < 9 => {
            let padded = digits.iter().chain([last]).chain([b'0'; 9].iter()).take(9);
            padded.into_iter().try_fold(0_u32, |nanosecond, digit| match digit {
                b'0'..=b'9' => Ok(nanosecond * 10 + u32::from(digit - b'0')),
                _ => Err(DerError::Time),
            })?
        }
        _ => return Err(DerError::Time),
    };
    let [month, day, hour, minute, second] =
        [&whole[4..6], &whole[6..8], &whole[8..10], &whole[10..12], &whole[12..14]].map(number);
    calendar(number(&whole[0..4])?, month?, day?, hour?, minute?, second?)
        .and_then(|at| at.replace_nanosecond(nanosecond).ok())
        .ok_or(DerError::Time)
}

/// Writes a time as [`read_generalized_time`] reads it, with its fraction.
pub(crate) fn write_generalized_time(at: OffsetDateTime) -> Vec<u8> {
    let at = at.to_offset(UtcOffset::UTC);
    let fraction = match at.nanosecond() {
        0 => String::new(),
        nanosecond => format!(".{nanosecond:09}").trim_end_matches('0').to_owned(),
    };
    let text = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}{fraction}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    tlv(tag::GENERALIZED_TIME, &[text.as_bytes()])
}

fn number(digits: &[u8]) -> Result<u16, DerError> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + u16::from(digit - b'0')),
        _ => Err(DerError::Time),
    })
}

fn calendar(
    year: u16,
    month: u16,
    day: u16,
    hour: u16,
    minute: u16,
    second: u16,
) -> Option<OffsetDateTime> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    let [hour, minute, second] = [hour, minute, second].map(u8::try_from);
    let time = Time::from_hms(hour.ok()?, minute.ok()?, second.ok()?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}
