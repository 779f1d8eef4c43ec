//! What the checker found, in words.

use audit::{
    check::{Finding, Gap, Removed},
    package,
};
use serde_json::{Value, json};

use crate::{page::Cell, text};

fn filled<const N: usize>(text: text::Text, values: [u64; N]) -> Cell {
    Cell::Filled(text, values.iter().map(u64::to_string).collect())
}

/// The finding in both languages.
pub(crate) fn spoken(finding: &Finding) -> Cell {
    match *finding {
        Finding::Altered { position } => filled(text::FOUND_ALTERED, [position]),
        Finding::HashAltered { position } => filled(text::FOUND_HASH_ALTERED, [position]),
        Finding::Missing { from, until } if until == from + 1 => {
            filled(text::FOUND_MISSING, [from])
        }
        Finding::Missing { from, until } => {
            filled(text::FOUND_MISSING_MANY, [from, until.saturating_sub(1)])
        }
        Finding::Inserted { position } => filled(text::FOUND_INSERTED, [position]),
        Finding::Stray { position } => Cell::Filled(text::FOUND_STRAY, vec![position.to_string()]),
        Finding::Swapped { first, second } => filled(text::FOUND_SWAPPED, [first, second]),
        Finding::Moved { position, signed } => filled(text::FOUND_MOVED, [position, signed]),
        Finding::AlteredWithin { from, until } => {
            filled(text::FOUND_ALTERED_WITHIN, [from, until.saturating_sub(1)])
        }
        Finding::Column { position, column } => {
            Cell::Filled(text::FOUND_COLUMN, vec![position.to_string(), column.to_owned()])
        }
        Finding::Malformed { position } => filled(text::FOUND_MALFORMED, [position]),
        Finding::TileAltered { level, index, .. } => {
            filled(text::FOUND_TILE_ALTERED, [level.into(), index])
        }
        Finding::TileMissing { level, index } => {
            filled(text::FOUND_TILE_MISSING, [level.into(), index])
        }
        Finding::TileStray { level, index } => {
            Cell::Filled(text::FOUND_TILE_STRAY, vec![level.to_string(), index.to_string()])
        }
        Finding::CheckpointMissing { size } => filled(text::FOUND_CHECKPOINT_MISSING, [size]),
        Finding::KeyAltered { .. } => text::FOUND_KEY_ALTERED.into(),
        Finding::CheckpointAltered { size } => filled(text::FOUND_CHECKPOINT_ALTERED, [size]),
        Finding::RolledBack { held, size } => filled(text::FOUND_ROLLED_BACK, [size, held]),
        Finding::Forked { size } => filled(text::FOUND_FORKED, [size]),
        Finding::Unreadable { from, until } => {
            filled(text::FOUND_UNREADABLE, [from, until.saturating_sub(1)])
        }
        Finding::IndexWrong { position } => filled(text::FOUND_INDEX_WRONG, [position]),
        Finding::SegmentWrong { position } => filled(text::FOUND_SEGMENT_WRONG, [position]),
        Finding::RemovedAltered => text::FOUND_REMOVED_ALTERED.into(),
        Finding::ProofAltered => text::FOUND_PROOF_ALTERED.into(),
        Finding::LeftOut { entries } => filled(text::FOUND_LEFT_OUT, [entries]),
        ref other => Cell::from(other.to_string()),
    }
}

/// What is missing, in both languages.
pub(crate) fn gap(gap: &Gap) -> Cell {
    match gap {
        Gap::NoCheckpoint => text::GAP_NO_CHECKPOINT.into(),
        Gap::OtherKey => text::GAP_OTHER_KEY.into(),
        Gap::HeldByOtherKey(at) => filled(text::GAP_HELD_BY_OTHER_KEY, [*at as u64 + 1]),
        Gap::HeldElsewhere(at) => filled(text::GAP_HELD_ELSEWHERE, [*at as u64 + 1]),
        Gap::Succeeded { size } => filled(text::GAP_SUCCEEDED, [*size]),
        Gap::RemovedSince { until } => filled(text::GAP_REMOVED_SINCE, [*until]),
        Gap::CutShort => text::GAP_CUT_SHORT.into(),
        other => Cell::from(other.to_string()),
    }
}

/// What was removed by right, for programs.
pub(crate) fn removed_json(removed: &Removed) -> Value {
    let Removed { until, position, since, months, witnessed } = removed;
    json!({
        "until": until,
        "position": position,
        "since": since.to_string(),
        "months": months,
        "witness": if *witnessed { "signed" } else { "none" },
    })
}

/// The finding for programs: a stable `kind`, its numbers, and the sentence in English.
pub(crate) fn json(finding: &Finding) -> Value {
    let (kind, _) = finding.parts();
    let numbers = match *finding {
        Finding::Altered { position } => json!({ "position": position }),
        Finding::HashAltered { position } => {
            json!({ "position": position })
        }
        Finding::Missing { from, until } => {
            json!({ "position": from, "until": until })
        }
        Finding::Inserted { position } => json!({ "position": position }),
        Finding::Stray { position } => json!({ "position": position }),
        Finding::Swapped { first, second } => {
            json!({ "position": first, "other": second })
        }
        Finding::Moved { position, signed } => {
            json!({ "position": position, "signed": signed })
        }
        Finding::AlteredWithin { from, until } => {
            json!({ "position": from, "until": until })
        }
        Finding::Column { position, column } => {
            json!({ "position": position, "column": column })
        }
        Finding::Malformed { position } => json!({ "position": position }),
        Finding::TileAltered { level, index, hash } => {
            json!({ "level": level, "index": index, "hash": hash })
        }
        Finding::TileMissing { level, index } => {
            json!({ "level": level, "index": index })
        }
        Finding::TileStray { level, index } => {
            json!({ "level": level, "index": index })
        }
        Finding::CheckpointMissing { size } => {
            json!({ "size": size })
        }
        Finding::KeyAltered { size } => json!({ "size": size }),
        Finding::CheckpointAltered { size } => {
            json!({ "size": size })
        }
        Finding::RolledBack { held, size } => {
            json!({ "held": held, "size": size })
        }
        Finding::Forked { size } => json!({ "size": size }),
        Finding::Unreadable { from, until } => json!({ "position": from, "until": until }),
        Finding::IndexWrong { position } | Finding::SegmentWrong { position } => {
            json!({ "position": position })
        }
        Finding::LeftOut { entries } => json!({ "entries": entries }),
        _ => json!({}),
    };
    let mut json = json!({ "kind": kind });
    if let (Some(all), Value::Object(numbers)) = (json.as_object_mut(), numbers) {
        all.extend(numbers);
    }
    json["message"] = finding.to_string().into();
    json
}

/// A finding about a package in both languages.
pub(crate) fn of_package(finding: &package::Finding) -> Cell {
    use package::Finding as Found;
    let text = match finding {
        Found::Altered(_) => text::MEMBER_ALTERED,
        Found::Missing(_) => text::MEMBER_MISSING,
        Found::Added(_) => text::MEMBER_ADDED,
        Found::Misplaced(_) => text::MEMBER_MISPLACED,
        Found::Malformed(_) => text::MEMBER_MALFORMED,
        Found::Disagrees(_) => text::MEMBER_DISAGREES,
        Found::NotSigned(_) => text::MEMBER_NOT_SIGNED,
        Found::Forged(_) => text::MEMBER_FORGED,
        other => return Cell::from(other.to_string()),
    };
    Cell::Filled(text, vec![finding.member().to_owned()])
}

/// The same for programs: a stable `kind`, the member, and the sentence in English.
pub(crate) fn package_json(finding: &package::Finding) -> Value {
    json!({ "kind": finding.kind(), "member": finding.member(), "message": finding.to_string() })
}

/// What is missing to believe a package, in both languages.
pub(crate) fn package_gap(gap: package::Gap) -> Cell {
    match gap {
        package::Gap::KeyUnknown => text::GAP_KEY_UNKNOWN.into(),
        package::Gap::KeyStops { size } => filled(text::GAP_KEY_STOPS, [size]),
        other => Cell::from(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn findings_name_the_entry() {
        let cases = [
            (Finding::Altered { position: 7 }, "第 7 条被改动", "altered", 7),
            (Finding::Missing { from: 7, until: 8 }, "第 7 条缺失", "missing", 7),
            (Finding::Missing { from: 7, until: 10 }, "第 7 至 9 条缺失", "missing", 7),
            (Finding::Inserted { position: 7 }, "第 7 条是后来插入的", "inserted", 7),
            (Finding::Stray { position: -1 }, "位置 -1 处有不属于日志的行", "stray", -1),
            (Finding::Swapped { first: 7, second: 9 }, "第 7 条与第 9 条被对调", "swapped", 7),
        ];
        for (finding, zh, kind, position) in cases {
            assert_eq!(spoken(&finding).speak(Lang::Zh), zh);
            let json = json(&finding);
            assert_eq!((&json["kind"], &json["position"]), (&kind.into(), &position.into()));
            assert_eq!(json["message"], finding.to_string());
        }
    }
}
