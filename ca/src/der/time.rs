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
