//! A copy of the database from before an erasure, put in its place.

use std::path::PathBuf;

use super::*;

impl Place {
    fn beside(&self, suffix: &str) -> PathBuf {
        self.path().with_extension(format!("db{suffix}"))
    }
}

async fn again(store: &Store, at: UtcTime) -> Vec<(Receipt, Swept)> {
    let mut done = Vec::new();
    for listed in store.erasures_missing().await.unwrap() {
        let entry = act_at("resident.erase", at);
        done.push(store.record_erased_again(listed, RULES.row_reasons, at, entry).await.unwrap());
    }
    done
}

#[tokio::test]
async fn an_older_copy_is_erased_again_whatever_is_under_way_in_it() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    let (h, resident) = (own(&desk.h), desk.h.resident);
    let [other] = guardians::residents(&store, &h).await;
    let values = fact(&store, move |db| fill(db, &h, (resident, other, "11111111"))).await;
    // Under way in the copy, and ended since.
    fact(&store, move |db| {
        db.execute("UPDATE visit SET closed_at = NULL", [])?;
        db.execute("UPDATE emergency SET reviewed_at = NULL, ends_at = ?1", [i64::MAX])?;
        db.execute(
            "UPDATE guardianship SET ended_at = NULL, ended_by = NULL, sealed_note = NULL",
            [],
        )
    })
    .await;
    drop(store);
    for file in ["", ".checkpoint"] {
        fs::copy(place.beside(file), place.beside(&format!("{file}.before"))).unwrap();
    }
    let store = place.open();
    fact(&store, |db| db.execute("UPDATE visit SET closed_at = opened_at", [])).await;
    fact(&store, |db| db.execute("UPDATE emergency SET reviewed_at = 7", [])).await;
    let (first, _) = desk.erase(&store, resident).await;
    assert_eq!(store.erasures_missing().await.unwrap(), []);
    drop(store);
    assert_eq!(standing(&fs::read(place.path()).unwrap(), &values), [""; 0]);

    for file in ["", ".checkpoint"] {
        fs::rename(place.beside(&format!("{file}.before")), place.beside(file)).unwrap();
    }
    let store = place.open();
    assert!(store.resident(resident).await.unwrap().is_some(), "the copy has the person");
    let missing = store.erasures_missing().await.unwrap();
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].resident, &missing[0].entry), (resident, &first.entry_id));
    // Where nothing can be signed, nobody is served from it.
    let unsigned = crate::registrar::erase_again(&store, "county", false, LATER).await;
    assert!(matches!(unsigned, Err(StoreError::Damaged(_))));
    assert_eq!(store.erasures_missing().await.unwrap(), missing);
    let done = again(&store, LATER).await;
    assert!(done[0].1.overwritten);
    assert_proven(&store, &done[0].0).await;
    assert_eq!(store.erasures_missing().await.unwrap(), []);
    assert_eq!(Remains::of(&place.path(), resident).unwrap().unwrap().left, []);
    assert_eq!(standing(&files(&place), &values), [""; 0]);
    let visit = store.visit(desk.h.visit).await.unwrap().unwrap();
    assert_eq!(visit.closed_at, Some(LATER));
    drop(store);
    // And stays so.
    let store = place.open();
    assert_eq!(store.erasures_missing().await.unwrap(), []);
    assert!(again(&store, LATER).await.is_empty());
}

#[tokio::test]
async fn the_list_is_completed_from_the_record() {
    let place = Place::new();
    let store = place.open();
    let desk = desk(&store).await;
    desk.erase(&store, desk.h.resident).await;
    drop(store);
    let list = place.beside(".erasures");
    let whole = fs::read_to_string(&list).unwrap();
    assert!(whole.contains(&desk.h.resident.to_string()));
    // The service stopped before it wrote, within it, and was given a list that is none.
    fs::remove_file(&list).unwrap();
    drop(place.open());
    assert_eq!(fs::read_to_string(&list).unwrap(), whole);
    fs::write(&list, &whole[..whole.len() - 5]).unwrap();
    drop(place.open());
    assert_eq!(fs::read_to_string(&list).unwrap(), whole);
    fs::write(&list, "x\n").unwrap();
    assert!(matches!(place.try_open(), Err(StoreError::Damaged(_))));
}

/// Erasing again ends what it finds, in the name of whoever reviewed it, or where the copy does not know them, of whoever
/// recorded what ends.
#[tokio::test]
async fn a_copy_that_does_not_know_who_reviewed_it_is_erased_again() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let [other] = guardians::residents(&store, &h).await;
    let made = guardianship(&h, h.resident, other);
    store.record_guardianship(made.clone(), act("guardian.add")).await.unwrap();
    let listed = ListedErasure {
        resident: h.resident,
        erasure: ErasureId::generate(),
        by: IdentityId::generate(),
        entry: Uuid::now_v7().to_string(),
    };
    let entry = act_at("resident.erase", LATER);
    let reasons = RULES.row_reasons;
    store.record_erased_again(listed.clone(), reasons, LATER, entry).await.unwrap();
    let found = store.guardianship(made.id).await.unwrap().unwrap();
    assert_eq!(found.ended.map(|ended| ended.by), Some(h.doctor));
    let entry = act_at("resident.erase", LATER);
    let twice = store.record_erased_again(listed, reasons, LATER, entry).await;
    assert!(matches!(twice, Err(StoreError::Conflict(Obstacle::ResidentErased))));
}
