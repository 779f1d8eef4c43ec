//! Other numbers of residents, look-alikes and guardians, as pages for people.

use proto::v1;

use super::receipt;
use crate::{
    failure::Alike,
    page::{Cell, Page, timestamp},
    text::{self, Text, word_of},
};

pub(crate) fn binding(title: Text, binding: &v1::Binding) -> Page {
    let number = binding.number.clone().unwrap_or_default();
    let page = Page::titled(title)
        .maybe(text::KIND, word_of::<v1::NumberKind>(number.kind))
        .row(text::BOUND_NUMBER, number.number)
        .row(text::ISSUER_CODE, number.issuer)
        .row(text::RESIDENT_ID, &binding.resident_id)
        .row(text::BINDING_ID, &binding.binding_id)
        .maybe(text::BASIS, word_of::<v1::Basis>(binding.basis))
        .row(text::SCAN_DIGEST, hex::encode(&binding.scan_digest))
        .maybe(text::BOUND_AT, timestamp(binding.bound_at.as_ref()))
        .row(text::BOUND_BY, &binding.identity_id)
        .row(text::INSTITUTION_ID, &binding.institution_id)
        .maybe(text::ENDED_AT, timestamp(binding.ended_at.as_ref()))
        .row(text::ENDED_BY, &binding.ended_by)
        .maybe(text::END_REASON, word_of::<v1::BindingEnd>(binding.end_reason))
        .row(text::NOTE, &binding.note);
    receipt(page, binding.receipt.as_ref())
}

/// The numbers first, then what was decided about look-alikes, in pages one below the other.
pub(crate) fn bindings(list: &v1::BindingsResponse) -> Page {
    let lines = list.bindings.iter().map(binding_line).collect();
    let headings = [
        text::KIND,
        text::BOUND_NUMBER,
        text::ISSUER_CODE,
        text::BOUND_AT,
        text::BASIS,
        text::ENDED_AT,
        text::END_REASON,
        text::BINDING_ID,
    ];
    let mut page = super::listed(text::BINDINGS, &headings, lines, &list.next_page_token);
    for decision in &list.decisions {
        page = page.below(decision_page(decision));
    }
    page
}

fn binding_line(binding: &v1::Binding) -> Vec<Cell> {
    let number = binding.number.clone().unwrap_or_default();
    vec![
        word(word_of::<v1::NumberKind>(number.kind)),
        Cell::from(number.number),
        Cell::from(number.issuer),
        Cell::from(timestamp(binding.bound_at.as_ref()).unwrap_or_default()),
        word(word_of::<v1::Basis>(binding.basis)),
        Cell::from(timestamp(binding.ended_at.as_ref()).unwrap_or_default()),
        word(word_of::<v1::BindingEnd>(binding.end_reason)),
        Cell::from(&binding.binding_id),
    ]
}

fn decision_page(decision: &v1::LookAlikeRecord) -> Page {
    let matched = decision.rules.iter().filter_map(|rule| rule_word(rule)).collect();
    Page::titled(text::DECISIONS)
        .maybe(text::VERDICT, word_of::<v1::LookAlikeVerdict>(decision.verdict))
        .row(text::MATCHED, Cell::Listed(matched))
        .row(text::ALIKE_HERE, decision.here.join("\n"))
        .maybe(text::ALIKE_ELSEWHERE, people(&decision.elsewhere.to_string()))
        .row(text::GROUNDS, &decision.grounds)
        .maybe(text::DECIDED_AT, timestamp(decision.decided_at.as_ref()))
        .row(text::BOUND_BY, &decision.identity_id)
        .row(text::INSTITUTION_ID, &decision.institution_id)
}

/// Staff found the same person, and stopped.
pub(crate) fn stopped(recorded: Option<&v1::Receipt>) -> Page {
    receipt(Page::titled(text::LOOK_ALIKE_STOPPED), recorded)
}

/// Whom staff must tell apart, and how to say what they decided.
pub(crate) fn alike(page: Page, alike: &Alike) -> Page {
    let matched: Vec<_> = alike.rules.iter().filter_map(|rule| rule_word(rule)).collect();
    let page = match matched.is_empty() {
        true => page,
        false => page.row(text::MATCHED, Cell::Listed(matched)),
    };
    page.row(text::ALIKE_HERE, alike.here.join("\n"))
        .maybe(text::ALIKE_ELSEWHERE, people(&alike.elsewhere))
        .row(text::CASE, &alike.case)
}

fn people(count: &str) -> Option<Cell> {
    (count != "0").then(|| Cell::Filled(text::ALIKE_PEOPLE, vec![count.to_owned()]))
}

fn rule_word(rule: &str) -> Option<Text> {
    match rule {
        "name-and-birth-date" => Some(text::RULE_NAME_AND_BIRTH_DATE),
        "name-and-phone" => Some(text::RULE_NAME_AND_PHONE),
        "number" => Some(text::RULE_NUMBER),
        _ => None,
    }
}

pub(crate) fn guardianship(title: Text, record: &v1::Guardianship) -> Page {
    let scopes = record.scopes.iter().filter_map(|scope| word_of::<v1::GuardianScope>(*scope));
    let page = Page::titled(title)
        .row(text::GUARDIAN_ID, &record.guardian_id)
        .row(text::WARD_ID, &record.ward_id)
        .maybe(text::KINSHIP, word_of::<v1::Kinship>(record.kinship))
        .row(text::SCOPES, Cell::Listed(scopes.collect()))
        .row(text::STARTS_ON, &record.starts_on)
        .row(text::ENDS_ON, &record.ends_on)
        .row(text::STANDS, if record.stands { text::YES } else { text::NO })
        .maybe(text::BASIS, word_of::<v1::Basis>(record.basis))
        .row(text::SCAN_DIGEST, hex::encode(&record.scan_digest))
        .row(text::GUARDIANSHIP_ID, &record.guardianship_id)
        .maybe(text::REGISTERED_AT, timestamp(record.recorded_at.as_ref()))
        .row(text::BOUND_BY, &record.identity_id)
        .row(text::INSTITUTION_ID, &record.institution_id)
        .maybe(text::ENDED_AT, timestamp(record.ended_at.as_ref()))
        .row(text::ENDED_BY, &record.ended_by)
        .row(text::NOTE, &record.note);
    receipt(page, record.receipt.as_ref())
}

pub(crate) fn guardians(found: &v1::GuardiansResponse) -> Page {
    let table = |title, other: fn(&v1::Guardianship) -> (Text, &String), list: &[_]| {
        let lines: Vec<Vec<Cell>> =
            list.iter().map(|record| guardian_line(other, record)).collect();
        let heading = other(&v1::Guardianship::default()).0;
        let headings = [
            heading,
            text::KINSHIP,
            text::SCOPES,
            text::STARTS_ON,
            text::ENDS_ON,
            text::STANDS,
            text::GUARDIANSHIP_ID,
        ];
        super::listed(title, &headings, lines, "")
    };
    let guardian: fn(&v1::Guardianship) -> (Text, &String) =
        |g| (text::GUARDIAN_ID, &g.guardian_id);
    let ward: fn(&v1::Guardianship) -> (Text, &String) = |g| (text::WARD_ID, &g.ward_id);
    table(text::GUARDIANS, guardian, &found.guardians).below(table(text::WARDS, ward, &found.wards))
}

fn guardian_line(
    other: fn(&v1::Guardianship) -> (Text, &String),
    record: &v1::Guardianship,
) -> Vec<Cell> {
    let scopes = record.scopes.iter().filter_map(|scope| word_of::<v1::GuardianScope>(*scope));
    vec![
        Cell::from(other(record).1),
        word(word_of::<v1::Kinship>(record.kinship)),
        Cell::Listed(scopes.collect()),
        Cell::from(&record.starts_on),
        Cell::from(&record.ends_on),
        Cell::from(if record.stands { text::YES } else { text::NO }),
        Cell::from(&record.guardianship_id),
    ]
}

fn word(word: Option<Text>) -> Cell {
    word.map_or(Cell::from(""), Cell::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn look_alikes_are_told_with_the_next_step() {
        let found = Alike {
            rules: vec!["name-and-birth-date".to_owned(), "number".to_owned()],
            here: vec!["r1".to_owned()],
            elsewhere: "2".to_owned(),
            case: "5f".to_owned(),
        };
        assert_eq!(
            alike(Page::default(), &found).render(Lang::Zh),
            "  相似之处           姓名和出生日期、同一号码\n  相似居民           r1\n  \
             其他机构登记的     2 人\n  判断时请填 --case  5f\n"
        );
        let none = Alike { elsewhere: "0".to_owned(), ..found };
        assert!(!alike(Page::default(), &none).render(Lang::En).contains("elsewhere"));
    }

    #[test]
    fn bindings_and_decisions_stand_below_each_other() {
        let number = v1::ResidentNumber {
            kind: v1::NumberKind::Passport.into(),
            issuer: "CHN".to_owned(),
            number: "E99999999".to_owned(),
        };
        let list = v1::BindingsResponse {
            bindings: vec![v1::Binding { number: Some(number), ..v1::Binding::default() }],
            decisions: vec![v1::LookAlikeRecord {
                verdict: v1::LookAlikeVerdict::DifferentPeople.into(),
                rules: vec!["number".to_owned()],
                ..v1::LookAlikeRecord::default()
            }],
            ..v1::BindingsResponse::default()
        };
        let page = bindings(&list).render(Lang::En);
        assert!(page.starts_with("Bound numbers\n") && page.contains("E99999999"), "{page}");
        assert!(page.contains("Decisions about look-alikes\n"), "{page}");
        assert!(page.contains("different people"), "{page}");
    }

    #[test]
    fn guardians_are_listed_both_ways() {
        let found = v1::GuardiansResponse {
            guardians: vec![v1::Guardianship {
                guardian_id: "g".to_owned(),
                kinship: v1::Kinship::Parent.into(),
                stands: true,
                ..v1::Guardianship::default()
            }],
            ..v1::GuardiansResponse::default()
        };
        let page = guardians(&found).render(Lang::En);
        let (first, second) = page.split_once("In the care of this resident\n").unwrap();
        assert!(first.contains("parent") && first.contains("yes"), "{first}");
        assert_eq!(second, "Nothing matches\n");
    }
}
