//! Messages of the service as pages for people.

mod bound;
mod emergency;
mod enrolment;
mod erasure;
pub(crate) mod finding;
mod scrub;
mod staff;
mod warning;

use std::slice;

use card::codes::ETHNIC_GROUPS;
use proto::v1;

use crate::{
    failure::Both,
    page::{Cell, Page, timestamp},
    text::{self, Text, word_of},
};

pub(crate) use bound::{alike, binding, bindings, guardians, guardianship, stopped};
pub(crate) use emergency::{emergencies, emergency};
pub(crate) use enrolment::{enrolment, enrolments, identifiers, other_identities};
pub(crate) use erasure::{erasure, erasure_reviewed, erasures};
pub(crate) use staff::{left, plan, plan_json, waiting, waiting_json};
pub(crate) use warning::{warning, warning_again, warning_rules, warnings};

/// Where the act stands in the log.
pub(crate) fn receipt(page: Page, receipt: Option<&v1::Receipt>) -> Page {
    page.maybe(
        text::RECEIPT,
        receipt.map(|receipt| {
            let values = vec![receipt.position.to_string(), receipt.entry_id.clone()];
            Cell::Filled(text::RECEIPT_AT, values)
        }),
    )
}

pub(crate) fn session(title: Text, opened: &v1::OpenSessionResponse) -> Page {
    let page = Page::titled(title)
        .row(text::IDENTITY_ID, &opened.identity_id)
        .maybe(text::ROLE, word_of::<v1::Role>(opened.role))
        .row(text::INSTITUTION_ID, &opened.institution_id)
        .maybe(text::EXPIRES_AT, timestamp(opened.expires_at.as_ref()))
        .maybe(text::LEASED_UNTIL, timestamp(opened.leased_until.as_ref()));
    receipt(page, opened.receipt.as_ref())
}

pub(crate) fn identity(identity: &v1::Identity) -> Page {
    let lines = |encryption: bool| -> Vec<String> {
        let of_kind = |state: &&v1::CertificateState| state.pair_of.is_empty() != encryption;
        identity.certificates.iter().filter(of_kind).map(certificate_line).collect()
    };
    let encryption = lines(true);
    Page::titled(text::IDENTITY)
        .row(text::IDENTITY_ID, &identity.identity_id)
        .row(text::LABEL, &identity.name)
        .maybe(text::ROLE, word_of::<v1::Role>(identity.role))
        .row(text::NUMBER, &identity.number)
        .row(text::DEPARTMENT, &identity.department)
        .row(text::INSTITUTION_ID, &identity.institution_id)
        .row(text::QUALIFIED_UNTIL, &identity.qualified_until)
        .row(text::CERTIFICATES, lines(false).join("\n"))
        .maybe(
            text::ENCRYPTION_CERTIFICATES,
            (!encryption.is_empty()).then(|| encryption.join("\n")),
        )
}

fn certificate_line(state: &v1::CertificateState) -> String {
    let from = timestamp(state.not_before.as_ref()).unwrap_or_default();
    let until = timestamp(state.not_after.as_ref()).unwrap_or_default();
    let line = match timestamp(state.revoked_at.as_ref()) {
        None => format!("{}  {from} – {until}", state.serial),
        Some(since) if state.suspended => {
            format!("{}  {from} – {until}  ‖ {since}", state.serial)
        }
        Some(revoked) => format!("{}  {from} – {until}  ✗ {revoked}", state.serial),
    };
    state.identifiers.iter().fold(line, |lines, identifier| {
        let value = match identifier.text.as_str() {
            "" => hex::encode(&identifier.value),
            text => text.to_owned(),
        };
        format!("{lines}\n  {}  {value}", identifier.oid)
    })
}

pub(crate) fn ending_certificates(list: &v1::ListEndingCertificatesResponse) -> Page {
    let lines: Vec<Vec<Cell>> = list
        .certificates
        .iter()
        .map(|certificate| {
            let state = certificate.state.clone().unwrap_or_default();
            let until = timestamp(state.not_after.as_ref()).unwrap_or_default();
            [&until, &state.serial, &certificate.identity_id].map(Cell::from).to_vec()
        })
        .collect();
    let headings = [text::NOT_AFTER, text::SERIAL, text::IDENTITY_ID];
    listed(text::CERTIFICATES_ENDING, &headings, lines, &list.next_page_token)
}

pub(crate) fn ending_qualifications(list: &v1::ListEndingQualificationsResponse) -> Page {
    let line = |it: &v1::EndingQualification| {
        [&it.qualified_until, &it.identity_id].map(Cell::from).to_vec()
    };
    let lines = list.qualifications.iter().map(line).collect();
    let headings = [text::QUALIFIED_UNTIL, text::IDENTITY_ID];
    listed(text::QUALIFICATIONS_ENDING, &headings, lines, &list.next_page_token)
}

pub(crate) fn identities(list: &v1::ListIdentitiesResponse) -> Page {
    let lines: Vec<Vec<Cell>> = list
        .identities
        .iter()
        .map(|identity| {
            vec![
                Cell::from(&identity.identity_id),
                Cell::from(&identity.name),
                word_of::<v1::Role>(identity.role).map_or(Cell::from(""), Cell::from),
                Cell::from(&identity.number),
                Cell::from(&identity.department),
            ]
        })
        .collect();
    let headings = [text::IDENTITY_ID, text::LABEL, text::ROLE, text::NUMBER, text::DEPARTMENT];
    listed(text::IDENTITIES, &headings, lines, &list.next_page_token)
}

pub(crate) fn recovery(title: Text, recovery: &v1::KeyRecovery) -> Page {
    let given = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    Page::titled(title)
        .row(text::RECOVERY_ID, &recovery.recovery_id)
        .maybe(text::RECOVERY_STATE, word_of::<v1::key_recovery::State>(recovery.state))
        .row(text::ENCRYPTION_SERIAL, &recovery.encryption_serial)
        .maybe(text::RECIPIENT_SERIAL, given(&recovery.signing_serial))
        .maybe(text::ORDER_REFERENCE, given(&recovery.order_reference))
        .row(text::PUBLIC_KEY, hex::encode(&recovery.recipient_key_sm3))
        .row(text::ENTERED_BY, &recovery.entered_by)
        .maybe(text::EXPIRES_AT, timestamp(recovery.expires_at.as_ref()))
        .maybe(text::REVIEWED_BY, given(&recovery.reviewed_by))
}

pub(crate) fn recoveries(list: &v1::ListRecoveriesResponse) -> Page {
    let line = |recovery: &v1::KeyRecovery| {
        let to = match recovery.signing_serial.as_str() {
            "" => &recovery.order_reference,
            signing => signing,
        };
        let parts = [&recovery.recovery_id, &recovery.encryption_serial, to, &recovery.entered_by];
        parts.map(Cell::from).to_vec()
    };
    let lines = list.recoveries.iter().map(line).collect();
    let headings =
        [text::RECOVERY_ID, text::ENCRYPTION_SERIAL, text::RECOVERY_TO, text::ENTERED_BY];
    listed(text::RECOVERIES, &headings, lines, &list.next_page_token)
}

/// A list, or the word that it is empty, and how to see more of it.
pub(crate) fn listed(title: Text, headings: &[Text], lines: Vec<Vec<Cell>>, next: &str) -> Page {
    let page = Page::titled(title);
    let page = match lines.is_empty() {
        true => page.note(text::NONE_FOUND),
        false => page.table(headings, lines),
    };
    match next {
        "" => page,
        next => page.note(Cell::Filled(text::MORE_FOLLOWS, vec![next.to_owned()])),
    }
}

pub(crate) fn resident(resident: &v1::Resident) -> Page {
    let page = Page::titled(text::RESIDENT)
        .row(text::NAME, &resident.name)
        .maybe(text::SEX, word_of::<v1::Sex>(resident.sex))
        .maybe(text::ETHNIC_GROUP, ethnic_group(resident.ethnic_group))
        .row(text::BIRTH_DATE, &resident.birth_date)
        .row(text::ID_NUMBER, &resident.id_number)
        .row(text::PHONE, &resident.phone)
        .row(text::RESIDENT_ID, &resident.resident_id)
        .maybe(text::REGISTERED_AT, timestamp(resident.registered_at.as_ref()));
    let page = receipt(page, resident.receipt.as_ref());
    resident.notices.iter().map(emergency::notice).fold(page, Page::below)
}

/// Names of GB 3304-1991; the code itself where there is none, and nothing when not stated.
fn ethnic_group(code: u32) -> Option<Cell> {
    let labels = u8::try_from(code).ok().and_then(|code| ETHNIC_GROUPS.labels_of(code));
    match labels {
        _ if code == 0 => None,
        Some((zh, en)) => Some(Text::new(zh, en).into()),
        None => Some(code.into()),
    }
}

pub(crate) fn card(title: Text, card: &v1::Card) -> Page {
    Page::titled(title)
        .maybe(text::CARD_STATUS, word_of::<v1::CardStatus>(card.status))
        .row(text::CARD_ID, &card.card_id)
        .row(text::CHIP_SERIAL, &card.chip_serial)
        .row(text::RESIDENT_ID, &card.resident_id)
        .row(text::VALID_UNTIL, &card.valid_until)
        .row(text::RENEWAL_UNTIL, &card.renewal_until)
        .row(text::REPLACES, &card.replaces)
        .maybe(text::REGISTERED_AT, timestamp(card.registered_at.as_ref()))
        .maybe(text::CHANGED_AT, timestamp(card.changed_at.as_ref()))
}

/// The person, as the desk sees them: who it is comes first.
pub(crate) fn reading(reading: &v1::CardReading) -> Page {
    person(text::CARD_READ, reading)
}

/// Who showed a code, and what is left of it.
pub(crate) fn verified_code(code: &v1::VerifiedCode) -> Page {
    let reading = code.reading.clone().unwrap_or_default();
    person(text::CODE_VERIFIED, &reading)
        .maybe(text::CODE_FORM, word_of::<v1::CodeForm>(code.form))
        .maybe(text::USES_LEFT, code.uses_left)
        .maybe(text::CODE_EXPIRES_AT, timestamp(code.expires_at.as_ref()))
        .row(text::CODE_ID, &code.code_id)
}

pub(crate) fn created_code(code: &v1::CreatedCode) -> Page {
    let page = Page::titled(text::CODE_CREATED)
        .maybe(text::CODE_FORM, word_of::<v1::CodeForm>(code.form))
        .row(text::CODE_ID, &code.code_id)
        .row(text::ELECTRONIC_CARD_ID, &code.electronic_card_id)
        .maybe(text::EXPIRES_AT, timestamp(code.expires_at.as_ref()))
        .maybe(text::USES_LEFT, code.uses_left);
    receipt(page, code.receipt.as_ref()).row(text::CODE, &code.code)
}

pub(crate) fn electronic_card(title: Text, card: &v1::ElectronicCard) -> Page {
    let page = Page::titled(title)
        .maybe(text::CARD_STATUS, word_of::<v1::ElectronicCardStatus>(card.status))
        .row(text::ELECTRONIC_CARD_ID, &card.electronic_card_id)
        .row(text::RESIDENT_ID, &card.resident_id)
        .maybe(text::REGISTERED_AT, timestamp(card.registered_at.as_ref()))
        .maybe(text::CHANGED_AT, timestamp(card.changed_at.as_ref()));
    receipt(page, card.receipt.as_ref())
}

fn person(title: Text, reading: &v1::CardReading) -> Page {
    let page = Page::titled(title)
        .row(text::NAME, &reading.name)
        .maybe(text::SEX, word_of::<v1::Sex>(reading.sex))
        .maybe(text::ETHNIC_GROUP, ethnic_group(reading.ethnic_group))
        .row(text::BIRTH_DATE, &reading.birth_date)
        .row(text::ID_NUMBER, &reading.id_number)
        .maybe(text::CARD_STATUS, word_of::<v1::CardStatus>(reading.status))
        .row(text::VALID_UNTIL, &reading.valid_until)
        .row(text::ISSUER, &reading.issuer_name)
        .row(text::CHIP_SERIAL, &reading.chip_serial)
        .row(text::RESIDENT_ID, &reading.resident_id)
        .row(text::PRESENCE_ID, &reading.presence_id)
        .maybe(text::PRESENCE_EXPIRES, timestamp(reading.presence_expires_at.as_ref()));
    let page = receipt(page, reading.receipt.as_ref());
    reading.notices.iter().map(emergency::notice).fold(page, Page::below)
}

pub(crate) fn visit(title: Text, visit: &v1::Visit) -> Page {
    let page = Page::titled(title)
        .row(text::VISIT_ID, &visit.visit_id)
        .row(text::RESIDENT_ID, &visit.resident_id)
        .row(text::DEPARTMENT, &visit.department)
        .row(text::REASON, &visit.reason)
        .row(text::ATTENDING, visit.attending.join("\n"))
        .row(text::INSTITUTION_ID, &visit.institution_id)
        .maybe(text::OPENED_AT, timestamp(visit.opened_at.as_ref()))
        .maybe(text::CLOSED_AT, timestamp(visit.closed_at.as_ref()));
    receipt(page, visit.receipt.as_ref())
}

pub(crate) fn visits(list: &v1::ListVisitsResponse) -> Page {
    let lines: Vec<Vec<Cell>> = list
        .visits
        .iter()
        .map(|visit| {
            vec![
                Cell::from(&visit.visit_id),
                Cell::from(&visit.resident_id),
                Cell::from(&visit.department),
                Cell::from(&visit.reason),
                Cell::from(timestamp(visit.opened_at.as_ref()).unwrap_or_default()),
            ]
        })
        .collect();
    let headings =
        [text::VISIT_ID, text::RESIDENT_ID, text::DEPARTMENT, text::REASON, text::OPENED_AT];
    listed(text::VISITS, &headings, lines, &list.next_page_token)
}

/// Words that the service spells, as people read them.
fn spelled(words: &[String]) -> Cell {
    Cell::Listed(words.iter().filter_map(|word| text::spelled(word)).collect())
}

pub(crate) fn issued_token(title: Text, issued: &v1::IssueTokenResponse) -> Page {
    let page = Page::titled(title)
        .row(text::TOKEN_ID, &issued.token_id)
        .maybe(text::EXPIRES_AT, timestamp(issued.expires_at.as_ref()))
        .row(text::RULE, &issued.rule)
        .row(text::RELATION, spelled(&issued.relations))
        .row(text::MASK, spelled(slice::from_ref(&issued.mask)));
    receipt(page, issued.receipt.as_ref()).row(text::TOKEN, &issued.token)
}

pub(crate) fn explained_token(explained: &v1::ExplainTokenResponse) -> Page {
    let both = |zh: &str, en: &str| Cell::Both(Both::new(zh, en));
    let page = match explained.allowed {
        true => Page::titled(text::TOKEN_WOULD_BE_ISSUED)
            .row(text::RULE, &explained.rule)
            .row(text::RULE_SAYS, both(&explained.rule_zh, &explained.rule_en))
            .row(text::RELATION, spelled(&explained.relations))
            .row(text::MASK, spelled(slice::from_ref(&explained.mask)))
            .row(text::LIFETIME, explained.lifetime_seconds),
        false => Page::titled(text::TOKEN_WOULD_BE_REFUSED)
            .row(text::RULE, &explained.rule)
            .row(text::MISSING_STEP, both(&explained.missing_zh, &explained.missing_en))
            .row(text::GRANTOR, both(&explained.grantor_zh, &explained.grantor_en)),
    };
    receipt(page.row(text::RULES_DIGEST, &explained.policy_hash), explained.receipt.as_ref())
}

pub(crate) fn introspected(token: &v1::IntrospectTokenResponse) -> Page {
    if !token.active {
        return Page::titled(text::TOKEN_INACTIVE).row(text::WHY, &token.inactive_reason);
    }
    let classes = token.classes.iter().filter_map(|class| word_of::<v1::DataClass>(*class));
    Page::titled(text::TOKEN_ACTIVE)
        .row(text::TOKEN_ID, &token.token_id)
        .row(text::RESIDENT_ID, &token.resident_id)
        .row(text::VISIT_ID, &token.visit_id)
        .row(text::EMERGENCY_ID, &token.emergency_id)
        .row(text::IDENTITY_ID, &token.subject)
        .maybe(text::ACTS_FOR, token.acts_for_resident.then_some(&token.resident_id))
        .maybe(text::ROLE, word_of::<v1::Role>(token.role))
        .maybe(text::PURPOSE, word_of::<v1::Purpose>(token.purpose))
        .row(text::GRADE, token.grade)
        .row(text::CLASSES, Cell::Listed(classes.collect()))
        .maybe(text::EXPIRES_AT, timestamp(token.expires_at.as_ref()))
        .row(text::POSITION, token.log_position)
}

pub(crate) fn status(status: &v1::StatusResponse) -> Page {
    let keys: Vec<_> = status
        .keys
        .iter()
        .map(|key| format!("{}  {}  v{}", key.reference, key.key_use, key.version))
        .collect();
    let rules = status.rules.as_ref().map(|rules| {
        let v1::RulesState { name, version, digest } = rules;
        format!("{name}  v{version}  {digest}")
    });
    let page = Page::titled(text::STATUS)
        .row(text::VERSION, &status.version)
        .maybe(text::STARTED_AT, timestamp(status.started_at.as_ref()))
        .row(text::LOG_SIZE, status.log_size)
        .row(text::COMMITS, status.commits)
        .row(text::COMMITTED_LEAVES, status.committed_leaves)
        .row(text::OPEN_SESSIONS, status.open_sessions)
        .row(text::KEYS, keys.join("\n"))
        .maybe(text::RULES, rules);
    let page = match &status.scrub {
        Some(state) => scrub::scrub(page, state),
        None => page,
    };
    let page = match &status.disk {
        Some(disk) => disk_rows(page, disk),
        None => page,
    };
    status.witnesses.iter().fold(page, |page, witness| {
        let v1::WitnessState { witness: name, size, signed_at, late } = witness;
        let filled = |text, rest: [String; 2]| {
            Cell::Filled(text, [vec![name.clone()], rest.to_vec()].concat())
        };
        page.row(
            text::COSIGNED_BY,
            match (timestamp(signed_at.as_ref()), late) {
                (Some(at), false) => filled(text::COSIGNED, [size.to_string(), at]),
                (Some(at), true) => filled(text::WITNESS_LATE, [size.to_string(), at]),
                (None, _) => Cell::Filled(text::WITNESS_SILENT, vec![name.clone()]),
            },
        )
    })
}

fn disk_rows(page: Page, disk: &v1::DiskState) -> Page {
    let mib = |octets: u64| (octets / (1024 * 1024)).to_string();
    let milliseconds =
        |microseconds: u64| format!("{}.{:03}", microseconds / 1000, microseconds % 1000);
    let room = disk.free.map(|free| match disk.level.as_str() {
        "low" => Cell::Filled(text::ROOM_LOW, vec![mib(free)]),
        "critical" => Cell::Filled(text::ROOM_CRITICAL, vec![mib(free)]),
        _ => Cell::Filled(text::ROOM_ENOUGH, vec![mib(free)]),
    });
    let given_up = timestamp(disk.reserve_given_up_at.as_ref());
    let reserve = match (disk.reserve.as_str(), given_up) {
        ("off", _) => Cell::Spoken(text::RESERVE_OFF),
        ("laid", _) => Cell::Filled(text::RESERVE_LAID, vec![mib(disk.reserve_size)]),
        ("absent", Some(at)) => Cell::Filled(text::RESERVE_GIVEN_UP, vec![at]),
        ("absent", None) => Cell::Spoken(text::RESERVE_ABSENT),
        _ => Cell::Spoken(text::RESERVE_OBSTRUCTED),
    };
    let times = [disk.last_commit_microseconds, disk.slowest_commit_microseconds].map(milliseconds);
    let last = timestamp(disk.last_commit_at.as_ref()).map(|at| {
        let said = if disk.slow { text::COMMIT_SLOW } else { text::COMMIT_TOOK };
        Cell::Filled(said, [vec![at], times.to_vec()].concat())
    });
    let waits = (disk.waiting_microseconds > 0).then(|| {
        Cell::Filled(text::COMMIT_WAITED_FOR, vec![milliseconds(disk.waiting_microseconds)])
    });
    page.maybe(text::DISK_ROOM, room)
        .row(text::DISK_RESERVE, reserve)
        .maybe(text::LAST_COMMIT, last)
        .maybe(text::COMMIT_UNDER_WAY, waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn how_the_disk_stands_is_said_in_words() {
        let disk = v1::DiskState {
            free: Some(300 << 20),
            level: "critical".to_owned(),
            reserve: "absent".to_owned(),
            reserve_size: 64 << 20,
            last_commit_at: Some(prost_types::Timestamp { seconds: 1_795_766_400, nanos: 0 }),
            last_commit_microseconds: 1_500_007,
            slowest_commit_microseconds: 2_000_000,
            slow: true,
            ..v1::DiskState::default()
        };
        let page = disk_rows(Page::titled(text::STATUS), &disk).render(Lang::En);
        for words in
            ["300 MiB left: make room at once", "not there", "1500.007 ms", "2000.000 ms", "slow"]
        {
            assert!(page.contains(words), "{words}\n{page}");
        }
        let sound = v1::DiskState {
            level: "enough".to_owned(),
            reserve: "laid".to_owned(),
            last_commit_at: None,
            slow: false,
            ..disk
        };
        let page = disk_rows(Page::titled(text::STATUS), &sound).render(Lang::Zh);
        assert!(
            page.contains("剩余 300 MiB\n") && page.contains("64 MiB") && !page.contains("提交"),
            "{page}"
        );
    }

    #[test]
    fn person_comes_first_on_the_screen() {
        let read = v1::CardReading {
            name: "王秀英".to_owned(),
            sex: v1::Sex::Female.into(),
            birth_date: "1990-03-07".to_owned(),
            status: v1::CardStatus::Active.into(),
            presence_id: "p".to_owned(),
            receipt: Some(v1::Receipt { position: 7, entry_id: "e".to_owned() }),
            ..v1::CardReading::default()
        };
        assert_eq!(
            reading(&read).render(Lang::Zh),
            "居民健康卡 · 已核验\n  姓名      王秀英\n  性别      女\n  出生日期  1990-03-07\n  \
             卡状态    正常\n  到场凭据  p\n  审计凭据  第 7 条（e）\n"
        );
        assert!(reading(&read).render(Lang::En).contains("Audit receipt  entry 7 (e)\n"));
    }

    #[test]
    fn empty_lists_say_so() {
        let page = visits(&v1::ListVisitsResponse::default());
        assert_eq!(page.render(Lang::En), "Visits\nNothing matches\n");
        let next = v1::ListVisitsResponse {
            visits: vec![v1::Visit::default()],
            next_page_token: "n1".to_owned(),
        };
        assert!(visits(&next).render(Lang::En).ends_with("There is more: --page-token n1\n"));
    }
}
