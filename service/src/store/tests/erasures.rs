//! Erasures: nothing of the person is left, everything of others and the whole log is, and an older copy is erased again.

use std::{collections::BTreeMap, fs};

use rusqlite::{Connection, named_params};
use time::macros::date;

use super::{guardians::guardianship, *};
use crate::{
    card_life::CardStatus,
    store::{facts::Found, schema},
    vocabulary::{EmergencyReason, ErasureBasis, Role},
};

mod again;
mod refusals;

const YEARS: i32 = 30;
const RULES: ErasureRules =
    ErasureRules { records_years: YEARS, row_reasons: || "id_number:RESIDENT_ERASED".to_owned() };
const LATER: UtcTime = datetime!(2026-11-24 08:00:00 UTC);

/// A hospital whose resident has no visit open, and two clerks with certificates.
struct Desk {
    h: Hospital,
    enters: (IdentityId, &'static str),
    reviews: (IdentityId, &'static str),
}

async fn desk(store: &Store) -> Desk {
    let h = hospital(store).await;
    store.record_visit_closed(h.visit, NOW, act("visit.close")).await.unwrap();
    let mut clerks = Vec::new();
    for (serial, person) in [("5f11", 11), ("5f12", 12)] {
        let clerk = Identity { person: Some([person; 32]), ..identity(h.institution, serial) };
        let id = clerk.id;
        store.record_identity(clerk, act("identity.register")).await.unwrap();
        let drafted = draft(serial, id);
        store.record_certificate_draft(drafted, act("certificate.draft")).await.unwrap();
        let signed = vec![0x30, 1, 0];
        store.record_certificate_signed(serial, signed, act("certificate.issue")).await.unwrap();
        clerks.push((id, serial));
    }
    Desk { h, enters: clerks[0], reviews: clerks[1] }
}

impl Desk {
    fn order(&self, resident: ResidentId, basis: ErasureBasis, at: UtcTime) -> NewErasure {
        NewErasure {
            id: ErasureId::generate(),
            resident,
            institution: self.h.institution,
            basis,
            order_reference: (basis == ErasureBasis::Order).then(|| "(2026)浙01行初12号".into()),
            entered_by: self.enters.0,
            entered_with: self.enters.1.into(),
            entered_at: at,
            expires_at: at + Duration::days(3),
        }
    }

    fn review(&self, erasure: ErasureId, at: UtcTime) -> ErasureReview {
        let (by, with) = self.reviews;
        ErasureReview { erasure, by, with: with.into(), at }
    }

    /// Enters and approves; the approval.
    async fn erase(&self, store: &Store, resident: ResidentId) -> (Receipt, Swept) {
        let order = self.order(resident, ErasureBasis::Order, LATER);
        let review = self.review(order.id, LATER);
        store.record_erasure_ordered(order, RULES, act("erasure.enter")).await.unwrap();
        store.record_erased(review, RULES, act("resident.erase")).await.unwrap()
    }
}

/// An emergency access that begins at a time.
fn emergency(h: &Hospital, begun_at: UtcTime) -> NewEmergency {
    NewEmergency {
        id: EmergencyId::generate(),
        resident: h.resident,
        visit: None,
        institution: h.institution,
        identity: h.doctor,
        role: Role::Doctor,
        reason: EmergencyReason::Other,
        sealed_note: vec![1],
        begun_at,
        ends_at: begun_at + Duration::hours(1),
        account_due: begun_at + Duration::hours(2),
        finding_due: begun_at + Duration::hours(3),
    }
}

/// Something that nobody else has.
fn octets(of: &str) -> Vec<u8> {
    hsm::sm3::digest(of.as_bytes()).to_vec()
}

/// Puts something into every sealed and keyed column that is of a resident, and what was put.
fn fill(
    db: &Connection,
    h: &Hospital,
    (resident, ward, name): (ResidentId, ResidentId, &str),
) -> rusqlite::Result<BTreeMap<&'static str, Vec<u8>>> {
    #[rustfmt::skip]
    let columns = [
        "wrapped_key", "id_number_index", "name", "id_number", "phone", "ethnic_group", "number_index", "number",
        "scan", "unbound", "likeness", "grounds", "card_id_index", "card_id", "note", "account", "finding",
        "appointment", "ended", "reading", "warned", "row", "row_likeness",
    ];
    let values: BTreeMap<_, _> =
        columns.into_iter().map(|column| (column, octets(&format!("{name} {column}")))).collect();
    let id = || Uuid::now_v7().to_string();
    let (electronic, decision, batch) = (id(), id(), id());
    let value = |column: &str| values[column].clone();
    db.execute(
        "UPDATE resident SET wrapped_key = ?2, id_number_index = ?3, sealed_name = ?4, sealed_id_number = ?5,
                             sealed_phone = ?6, sealed_ethnic_group = ?7 WHERE id = ?1",
        (
            resident,
            value("wrapped_key"),
            value("id_number_index"),
            value("name"),
            value("id_number"),
            value("phone"),
            value("ethnic_group"),
        ),
    )?;
    db.execute(
        "INSERT INTO binding VALUES (?1, ?2, 'passport', ?3, ?4, 'document-seen', ?5, ?6, ?7, 1, 2, ?7, 'mistake', ?8)",
        (id(), resident, value("number_index"), value("number"), value("scan"), h.institution, h.doctor, value("unbound")),
    )?;
    db.execute(
        "INSERT INTO likeness VALUES (?1, 'name-and-birth-date', ?2)",
        (resident, value("likeness")),
    )?;
    db.execute("INSERT INTO unlikened VALUES (?1)", [resident])?;
    db.execute(
        "INSERT INTO decision VALUES (?1, ?2, 'different-people', ?3, ?4, ?5, 1)",
        (&decision, resident, h.institution, h.doctor, value("grounds")),
    )?;
    for other in [resident, ward] {
        db.execute(
            "INSERT INTO candidate VALUES (?1, ?2, 'name-and-birth-date')",
            (&decision, other),
        )?;
    }
    db.execute(
        "INSERT INTO electronic_card VALUES (?1, ?2, ?3, ?4, ?5, 'active', 1, 1)",
        (&electronic, resident, h.institution, value("card_id_index"), value("card_id")),
    )?;
    db.execute(
        "INSERT INTO code VALUES (?1, ?2, ?3, 'dynamic', x'01', ?4, 1, ?5, 1, NULL)",
        (id(), octets(&id()), &electronic, h.doctor, i64::MAX),
    )?;
    let emergency = named_params! {
        ":id": id(), ":resident": resident, ":institution": h.institution, ":identity": h.doctor,
        ":note": value("note"), ":account": value("account"), ":finding": value("finding"),
    };
    db.execute(
        "INSERT INTO emergency SELECT :id, :resident, NULL, :institution, :identity, 'doctor', 'unconscious', :note, 1, 2,
             3, 4, coalesce(max(position), 0) + 1, NULL, NULL, 5, :account, 6, :identity, 'justified', :finding, NULL,
             NULL, NULL FROM emergency",
        emergency,
    )?;
    let guardianship = id();
    db.execute(
        "INSERT INTO guardianship VALUES (?1, ?2, ?3, 'parent', 'court-order', ?4, '2026-11-23', '2032-03-04', ?5, ?6, 1,
                                          2, ?6, ?7)",
        (&guardianship, resident, ward, value("appointment"), h.institution, h.doctor, value("ended")),
    )?;
    db.execute("INSERT INTO guardianship_scope VALUES (?1, 'consent')", [&guardianship])?;
    db.execute(
        "INSERT INTO presence VALUES (?1, 'dynamic-code', NULL, ?2, ?3, x'05', ?4, 1, ?5, NULL)",
        (id(), &electronic, resident, value("reading"), i64::MAX),
    )?;
    db.execute(
        "INSERT INTO warning SELECT ?1, 'night-reading', '2026-11-23', 0, ?2, ?3, ?4, ?2, NULL, '1', 1, '{}', '{}', 1,
             coalesce(max(position), 0) + 1, 2, ?3, 'explained', ?5 FROM warning",
        (id(), resident, h.doctor, h.institution, value("warned")),
    )?;
    db.execute(
        "INSERT INTO batch (id, institution, input_digest, row_count, wrapped_key, opened_at)
         VALUES (?1, ?2, x'01', 2, x'02', 1)",
        (&batch, h.institution),
    )?;
    db.execute(
        "INSERT INTO batch_chip VALUES (?1, ?2, ?3, 1, 'writing', 1)",
        (name.as_bytes(), name, &batch),
    )?;
    db.execute(
        "INSERT INTO batch_row (batch, number, state, digest, id_number_index, sealed_row, factor, sessions)
         VALUES (?1, 1, 'writing', x'03', ?2, ?3, ?4, 1)",
        (&batch, value("id_number_index"), value("row"), name.as_bytes()),
    )?;
    db.execute(
        "INSERT INTO batch_likeness VALUES (?1, 1, 'name-and-birth-date', ?2)",
        (&batch, value("row_likeness")),
    )?;
    db.execute(
        "INSERT INTO consent VALUES (?1, ?2, 'permit', 'treatment', 'health', 3, ?3, NULL, NULL, NULL, 'card', ?3, ?4, 1,
             ?5, (SELECT coalesce(max(position), 0) + 1 FROM consent), 1, NULL, NULL, NULL, NULL)",
        (id(), resident, h.institution, h.doctor, i64::MAX),
    )?;
    Ok(values)
}

async fn fact<T: Send + 'static>(
    store: &Store,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> T {
    let entry = act("test.fill");
    let made = store.submit(&entry, move |db, _| Ok(Found::Changed(change(db)?))).await;
    made.unwrap().0
}

/// All octets of all files beside the database.
fn files(place: &Place) -> Vec<u8> {
    let files = fs::read_dir(place.path().parent().unwrap()).unwrap();
    files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

/// Which of the values stand in them.
fn standing<'a>(all: &[u8], values: &BTreeMap<&'a str, Vec<u8>>) -> Vec<&'a str> {
    let stands = |value: &[u8]| all.windows(value.len()).any(|octets| octets == value);
    values.iter().filter(|(_, value)| stands(value)).map(|(column, _)| *column).collect()
}

fn own(h: &Hospital) -> Hospital {
    Hospital { ..*h }
}

#[tokio::test]
async fn nothing_of_the_person_is_left_and_everything_of_others_is() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let resident = desk.h.resident;
    let [other] = guardians::residents(&store, &desk.h).await;
    let (h, theirs) = (own(&desk.h), own(&desk.h));
    let values = fact(&store, move |db| fill(db, &h, (resident, other, "11111111"))).await;
    let kept = fact(&store, move |db| fill(db, &theirs, (other, resident, "22222222"))).await;
    let all = files(&place);
    assert_eq!(standing(&all, &values).len(), values.len());
    assert_eq!(standing(&all, &kept).len(), kept.len());
    let (size, note) = store.checkpoint();
    let proof_before = store.prove(3, size).await.unwrap();

    let (receipt, swept) = desk.erase(&store, resident).await;
    assert_eq!(swept, Swept { listed: true, overwritten: true });
    let all = files(&place);
    assert_eq!(standing(&all, &values), [""; 0]);
    // What says that the two looked alike, and why, is gone from both; the rest of the other's stays.
    let mut rest = kept.clone();
    rest.remove("grounds");
    assert_eq!(standing(&all, &kept), rest.into_keys().collect::<Vec<_>>());
    let remains = Remains::of(&place.path(), resident).unwrap().unwrap();
    assert_eq!(remains.left, []);
    assert_eq!(remains.erased, Some((LATER, receipt.entry_id.clone())));
    let others = Remains::of(&place.path(), other).unwrap().unwrap();
    assert!(others.erased.is_none() && others.left.len() > 10, "{others:?}");
    assert_eq!(Remains::of(&place.path(), ResidentId::generate()).unwrap(), None);

    // The entry says how much there was, and is proven as all before it.
    assert_proven(&store, &receipt).await;
    let entry = store.entry(receipt.position).await.unwrap().unwrap().entry;
    let detail = Entry::decode(&entry).unwrap().detail;
    let counts = [
        ("cards", "1"),
        ("electronic-cards", "1"),
        ("codes", "1"),
        ("rows", "1"),
        ("presences", "2"),
        ("tokens", "0"),
        ("numbers", "1"),
        ("decisions", "1"),
        // The one as a guardian ended before; of neither is one in force.
        ("guardianships", "0"),
        ("consents", "1"),
        ("referrals", "0"),
        ("emergencies", "1"),
    ];
    for (what, count) in counts {
        assert_eq!(detail[what], count, "{what}");
    }
    let checkpoint = Checkpoint::verify(&note, store.verifier_key()).unwrap();
    let leaf = leaf_hash(&store.entry(3).await.unwrap().unwrap().entry);
    audit::tree::verify_inclusion(&leaf, 3, size, &proof_before, &checkpoint.root).unwrap();

    // Cards and chips are on the next list.
    let due = store.changed_chips(10).await.unwrap();
    let cancelled = |serial| changed_chip(serial, Some(CardStatus::Cancelled));
    assert_eq!(due, [cancelled("0000000001"), cancelled("11111111")]);
    let card = store.card(desk.h.card).await.unwrap().unwrap();
    assert_eq!(card.status, CardStatus::Cancelled);
    let gone = store.resident(resident).await;
    assert!(matches!(gone, Err(StoreError::Conflict(Obstacle::ResidentErased))));
    let index: [u8; 32] = values["id_number_index"].clone().try_into().unwrap();
    assert!(store.resident_by_index(index).await.unwrap().is_none());

    // The same person is registered anew, as somebody else.
    let anew = Resident { id_number_index: index, ..super::resident(desk.h.institution, 99) };
    let entry = act("resident.register");
    store.record_resident(anew.clone(), Vec::new(), None, entry).await.unwrap();
    assert_eq!(store.resident_by_index(index).await.unwrap().map(|it| it.id), Some(anew.id));
}

#[tokio::test]
async fn what_is_in_force_ends_and_the_days_of_a_ward_go() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let h = &desk.h;
    let [parent, child] = guardians::residents(&store, h).await;
    let over = guardianship(h, parent, h.resident);
    let by = guardianship(h, h.resident, child);
    for made in [over.clone(), by.clone()] {
        store.record_guardianship(made, act("guardian.add")).await.unwrap();
    }
    let (receipt, _) = desk.erase(&store, h.resident).await;
    let entry = store.entry(receipt.position).await.unwrap().unwrap().entry;
    assert_eq!(Entry::decode(&entry).unwrap().detail["guardianships"], "2");
    let ended = GuardianshipEnd { at: LATER, by: desk.reviews.0, sealed_note: Vec::new() };
    let days = NewGuardianship { ends_on: over.starts_on, scopes: Vec::new(), ..over };
    let found = store.guardianship(days.id).await.unwrap().unwrap();
    assert_eq!(found, Guardianship { made: days, ended: Some(ended.clone()) });
    let found = store.guardianship(by.id).await.unwrap().unwrap();
    assert_eq!(found, Guardianship { made: by, ended: Some(ended) });
    assert!(!found.stands(LATER));
}

/// Whatever was under way when the resident was erased comes on record no more.
#[tokio::test]
async fn nothing_comes_on_record_of_whoever_is_erased() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let h = &desk.h;
    let [other] = guardians::residents(&store, h).await;
    desk.erase(&store, h.resident).await;
    let refused = |recorded: Result<Receipt, StoreError>, what| {
        let recorded = recorded.unwrap_err();
        assert!(
            matches!(recorded, StoreError::Conflict(Obstacle::ResidentErased)),
            "{what}: {recorded}"
        );
    };
    let second = card(h.institution, h.resident, "0000000002");
    refused(store.record_card(second, act("card.register")).await, "card");
    for (guardian, ward) in [(h.resident, other), (other, h.resident)] {
        let made = guardianship(h, guardian, ward);
        refused(store.record_guardianship(made, act("guardian.add")).await, "guardianship");
    }
    let begun = emergency(h, LATER);
    refused(store.record_emergency(begun, SESSION, 5, act("emergency.begin")).await, "emergency");
    let presence = PresenceId::generate();
    let resident = h.resident;
    let inserted = store.record(act("card.read"), move |db, _| {
        db.execute(
            "INSERT INTO presence SELECT ?1, 'card', id, NULL, ?2, x'01', x'02', 1, 2, NULL FROM card",
            (presence, resident),
        )?;
        Ok(())
    });
    refused(inserted.await, "presence");
    let back = store.record(act("resident.register"), move |db, _| {
        db.execute("UPDATE resident SET erased_at = NULL, erasure_entry = NULL", [])?;
        Ok(())
    });
    refused(back.await, "the row itself");
}

#[tokio::test]
async fn the_log_of_writes_is_emptied_unless_somebody_reads_what_is_older() {
    let place = Place::new();
    let store = place.open();
    hospital(&store).await;
    let reader = Connection::open(place.path()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = "SELECT count(*) FROM leaf";
    let before: u64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
    store.record_act(act("card.read")).await.unwrap();
    let emptying = store.inner.emptying().unwrap();
    let number = emptying.ask();
    assert!(!emptying.is_done(number, std::time::Duration::from_millis(300)).await);
    assert_eq!(reader.query_row(count, [], |row| row.get::<_, u64>(0)).unwrap(), before);
    reader.execute_batch("COMMIT").unwrap();
    let done = emptying.is_done(number, schema::PATIENCE).await;
    assert!(done, "without being asked again, and without commits");
    assert_eq!(fs::metadata(place.path().with_extension("db-wal")).unwrap().len(), 0);
}
