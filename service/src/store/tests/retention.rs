//! Segments of the log, closed and removed, and what goes on without them.

use std::{fs, path::PathBuf};

use audit::{
    bundle,
    check::{Finding, Verdict},
    history,
    segment::{CLOSE, ENTER, MIN_MONTHS, REJECT, REMOVE, Segment},
    table::ANCHOR,
};
use rusqlite::Connection;

use super::*;

mod refused;

const LENGTH: u64 = 256;
/// When the term of what is written [`NOW`] is over.
const LATER: UtcTime = datetime!(2027-05-23 08:00:00 UTC);
/// Of a segment that nobody closed.
const ANY: Segment = Segment { first: 0, until: 1, root: [7; 32], index_root: [7; 32] };
/// Certificates of the two persons.
const SERIALS: [&str; 2] = ["a1", "a2"];

/// A log whose first segments are closed, and two persons who may remove them.
struct Ground {
    place: Place,
    store: Store,
    residents: [ResidentId; 2],
    persons: [IdentityId; 2],
    /// How many entries are about the first of the residents.
    about: u64,
}

impl Ground {
    async fn new() -> Self {
        let place = Place::new();
        let store = open(&place);
        let hospital = hospital(&store).await;
        let second = identity(hospital.institution, "D2");
        store.record_identity(second.clone(), act("identity.register")).await.unwrap();
        let persons = [hospital.doctor, second.id];
        for (serial, holder) in SERIALS.into_iter().zip(persons) {
            let drafted = draft(serial, holder);
            store.record_certificate_draft(drafted, act("certificate.issue")).await.unwrap();
            let signed = store.record_certificate_signed(serial, vec![7], act("certificate.issue"));
            signed.await.unwrap();
        }
        let residents = [ResidentId::generate(), ResidentId::generate()];
        let mut ground = Self { place, store, residents, persons, about: 0 };
        ground.grow(300).await;
        ground.close().await;
        ground
    }

    /// Writes until the log has this many entries.
    async fn grow(&mut self, size: u64) {
        while self.store.log_size() < size {
            let about = self.store.log_size().is_multiple_of(2);
            self.about += u64::from(about);
            let resident = self.residents[usize::from(!about)];
            let entry = act("card.read").about(resident.to_string());
            self.store.record_act(entry).await.unwrap();
        }
    }

    /// Closes the segment that is full.
    async fn close(&self) -> SegmentDraft {
        // Whoever asks for a history waits for the index.
        self.store.history(self.residents[0]).await.unwrap();
        let draft = self.store.segment_draft().await.unwrap().unwrap();
        let closed = self.store.record_segment_closed(draft, act(CLOSE)).await.unwrap();
        assert!(matches!(closed, Change::Recorded(_)));
        assert_eq!(self.store.segment_draft().await.unwrap(), None);
        draft
    }

    fn review(&self, removal: RemovalId) -> RemovalReview {
        RemovalReview { removal, by: self.persons[1], with: SERIALS[1].into(), at: LATER }
    }

    /// An act of one of the two persons.
    fn act_of(&self, person: usize, action: &str) -> Entry {
        let mut entry = act_at(action, LATER);
        entry.actor.identity = Some(self.persons[person].to_string());
        entry.actor.certificate = Some(SERIALS[person].into());
        entry
    }

    /// Enters that the segment is to be removed which begins at a position.
    async fn enter(&self, first: u64) -> Result<RemovalId, StoreError> {
        let (id, none) = (RemovalId::generate(), Segment { first, until: first + 1, ..ANY });
        let segment = self.store.segment(first).await?.map_or(none, |it| it.segment);
        self.store.record_removal(id, segment, LATER, self.act_of(0, ENTER)).await?;
        Ok(id)
    }

    /// What is kept of a segment whose removal was entered.
    async fn kept(&self, first: u64, removal: RemovalId) -> Result<KeptOfSegment, StoreError> {
        self.kept_after(first, removal, MIN_MONTHS).await
    }

    async fn kept_after(
        &self,
        first: u64,
        removal: RemovalId,
        months: u32,
    ) -> Result<KeptOfSegment, StoreError> {
        let closed = self.store.segment(first).await?.unwrap();
        let removal = self.store.removal(removal).await?.unwrap();
        let kept = self.store.kept_of(closed, removal, months).await?;
        self.store.keep(&kept).await.map(|()| kept)
    }

    /// The other person rejects a removal; where that stands in the log.
    async fn reject(&self, removal: RemovalId) -> u64 {
        let entered = self.store.removal(removal).await.unwrap().unwrap();
        let (review, entry) = (self.review(removal), self.act_of(1, REJECT));
        self.store.record_removal_rejected(review, &entered, entry).await.unwrap().position
    }

    async fn approve(
        &self,
        removal: RemovalId,
        review: RemovalReview,
    ) -> Result<Receipt, StoreError> {
        let first = self.store.removal(removal).await?.unwrap().segment.first;
        let kept = self.kept(first, removal).await?;
        self.store.record_removed(review, kept, self.act_of(1, REMOVE)).await
    }

    /// Enters and approves the removal of a segment; where that stands in the log.
    async fn remove(&self, first: u64) -> u64 {
        let removal = self.enter(first).await.unwrap();
        self.approve(removal, self.review(removal)).await.unwrap().position
    }

    fn db(&self) -> Connection {
        Connection::open(self.place.path()).unwrap()
    }

    /// How many entries about the first resident were removed.
    fn gone(&self) -> u64 {
        let select =
            "SELECT count FROM removed_standing WHERE key = ?1 ORDER BY until DESC LIMIT 1";
        let key = audit::index::key(&self.residents[0].to_string());
        self.db().query_row(select, [key], |row| row.get(0)).unwrap()
    }

    /// The history of the first resident, as a file that was checked; it must have so many entries.
    async fn history(&self, entries: u64) -> String {
        let resident = self.residents[0];
        let HistoryDraft { index, found } = self.store.history(resident).await.unwrap();
        let entry = index.in_entry(act("resident.history").about(resident.to_string()));
        let recorded = self.store.record_history(entry.clone(), resident, index).await;
        let position = recorded.unwrap().unwrap().position;
        let file = self
            .store
            .history_file(resident, index, found.unwrap(), &entry, position)
            .await
            .unwrap();
        let reader = history::Reader::new(&file[..]).unwrap();
        let report = history::check(reader, self.store.verifier_key(), &[]).unwrap();
        assert_eq!((report.verdict, report.leaves), (Verdict::Valid, entries));
        String::from_utf8(file).unwrap()
    }

    async fn export(&self, from: u64) -> Result<Vec<u8>, StoreError> {
        let mut pieces = self.store.export(from, self.store.log_size()).await?;
        let mut file = Vec::new();
        while let Some(piece) = pieces.recv().await {
            file.extend(piece?);
        }
        Ok(file)
    }
}

fn open(place: &Place) -> Store {
    let store = place.open();
    store.divide(LENGTH);
    store
}

/// What an outsider says of the database: valid, and what was removed.
fn assert_valid(db: &Connection) -> Option<(u64, u64)> {
    let report = checker::checked_with(db, 1);
    assert_eq!(report.verdict, Verdict::Valid);
    report.removed.map(|it| (it.until, it.position))
}

async fn scrubbed(store: &Store) -> Vec<Finding> {
    let mut found = Vec::new();
    for from in (0..store.log_size()).step_by(ANCHOR as usize) {
        found.extend(store.check_part(from, ANCHOR).await.unwrap().findings.listed);
    }
    found
}

fn rows(db: &Connection) -> (u64, u64) {
    db.query_row("SELECT min(position), count(*) FROM leaf", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
    .unwrap()
}

#[tokio::test]
async fn a_log_goes_on_without_what_was_removed() {
    let mut ground = Ground::new().await;
    let before = ground.export(0).await.unwrap();
    let held = ground.store.checkpoint();
    let v1 = ground.history(ground.about).await;
    assert!(v1.starts_with(history::FORMAT));
    // The statement is about the resident, too.
    ground.about += 1;
    ground.grow(600).await;
    let second = ground.close().await;
    assert_eq!((second.segment.first, second.segment.until), (LENGTH, 2 * LENGTH));
    assert_eq!(assert_valid(&ground.db()), None);

    let position = ground.remove(0).await;
    // It is removed from then on, whatever is there.
    assert_eq!(ground.store.log_begins(), LENGTH);
    assert_eq!(ground.store.entry(7).await.unwrap(), None);
    let removed = Some((LENGTH, position));
    assert_eq!(assert_valid(&ground.db()), removed);
    let gone = ground.gone();
    let v2 = ground.history(ground.about - gone).await;
    assert!(v2.starts_with(history::FORMAT_2), "{gone}");
    ground.about += 1;
    while ground.store.cut().await.unwrap() {}
    let (first, count) = rows(&ground.db());
    assert_eq!((first, first + count), (LENGTH, ground.store.log_size()));
    assert_eq!(assert_valid(&ground.db()), removed);
    assert_eq!(scrubbed(&ground.store).await, []);

    // What was given out before is still good, and is the beginning of what is there.
    let key = ground.store.verifier_key().clone();
    let report = bundle::check(bundle::Reader::new(&before[..]).unwrap(), &key, &[]).unwrap();
    assert_eq!(report.verdict, Verdict::Valid);
    let (size, note) = ground.store.checkpoint();
    let [older, newer] = [&held.1, &note].map(|note| Checkpoint::verify(note, &key).unwrap());
    let path = ground.store.consistency(held.0, size).await.unwrap();
    audit::tree::verify_consistency(held.0, &older.root, size, &newer.root, &path).unwrap();
    let line = before.split(|b| *b == b'\n').find(|line| line.starts_with(b"7 ")).unwrap();
    let entry = line.splitn(3, |b| *b == b' ').nth(2).unwrap();
    let path = ground.store.prove(7, size).await.unwrap();
    audit::tree::verify_inclusion(&leaf_hash(entry), 7, size, &path, &newer.root).unwrap();
    let refused = ground.export(LENGTH - 1).await;
    assert!(matches!(refused, Err(StoreError::Removed { begins: LENGTH })), "{refused:?}");
    let rest = ground.export(LENGTH).await.unwrap();
    let report = bundle::check(bundle::Reader::new(&rest[..]).unwrap(), &key, &[note]).unwrap();
    assert_eq!(report.verdict, Verdict::Valid);

    // The second goes as the first did, when the index was lost and made again of what is kept.
    let index: PathBuf = ground.place.path().with_extension("db.index");
    drop(ground.store);
    fs::remove_file(index).unwrap();
    ground.store = open(&ground.place);
    ground.history(ground.about - gone).await;
    ground.about += 1;
    ground.grow(900).await;
    ground.close().await;
    let position = ground.remove(LENGTH).await;
    while ground.store.cut().await.unwrap() {}
    assert_eq!(rows(&ground.db()).0, 2 * LENGTH);
    assert_eq!(assert_valid(&ground.db()), Some((2 * LENGTH, position)));
    assert_eq!(scrubbed(&ground.store).await, []);
    assert!(ground.gone() > gone + 100, "{gone} {}", ground.gone());
    let v2 = ground.history(ground.about - ground.gone()).await;
    assert!(v2.starts_with(history::FORMAT_2));
}

/// The service may end wherever it wants to: what is there is whole.
#[tokio::test]
async fn a_removal_that_was_cut_short_goes_on() {
    let ground = Ground::new().await;
    let position = ground.remove(0).await;
    let removed = Some((LENGTH, position));
    for gone in [0, 1, 100, 255, 256] {
        let copy = Place::new();
        fs::copy(ground.place.path(), copy.path()).unwrap();
        for suffix in ["-wal", "-shm"] {
            let beside =
                |place: &Place| PathBuf::from(format!("{}{suffix}", place.path().display()));
            fs::copy(beside(&ground.place), beside(&copy)).unwrap();
        }
        let db = Connection::open(copy.path()).unwrap();
        db.execute("DELETE FROM leaf WHERE position < ?1", [gone]).unwrap();
        drop(db);
        let store = open(&copy);
        store.record_act(act("session.list")).await.unwrap();
        let db = Connection::open(copy.path()).unwrap();
        assert_eq!(assert_valid(&db), removed, "{gone}");
        assert_eq!(scrubbed(&store).await, [], "{gone}");
        while store.cut().await.unwrap() {}
        assert_eq!(rows(&db).0, LENGTH);
        assert_eq!(assert_valid(&db), removed, "{gone}");
        assert!(!store.cut().await.unwrap());
    }
}

#[tokio::test]
async fn a_segment_is_removed_by_two_persons_in_its_turn() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.close().await;
    let size = ground.store.log_size();
    let unknown = ground.enter(7).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(Record::Segment))), "{unknown:?}");
    let later = ground.enter(LENGTH).await;
    assert!(matches!(later, Err(StoreError::Conflict(Obstacle::OtherSegment))), "{later:?}");
    let removal = ground.enter(0).await.unwrap();
    let again = ground.enter(0).await;
    assert!(matches!(again, Err(StoreError::Conflict(Obstacle::RemovalPending))), "{again:?}");
    let review = || ground.review(removal);
    let [own, late, invalid, other] = [
        RemovalReview { by: ground.persons[0], ..review() },
        RemovalReview { at: LATER + Duration::days(3), ..review() },
        RemovalReview { with: "a9".into(), ..review() },
        RemovalReview { removal: RemovalId::generate(), ..review() },
    ];
    for (review, obstacle) in [
        (own, Obstacle::SamePerson),
        (late, Obstacle::ChangeOver),
        (invalid, Obstacle::CertificateNotValid),
    ] {
        let refused = ground.approve(removal, review).await;
        assert!(
            matches!(&refused, Err(StoreError::Conflict(it)) if *it == obstacle),
            "{refused:?}"
        );
    }
    let refused = ground.approve(removal, other).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Record::PendingChange))), "{refused:?}");
    // Nothing of this changed anything.
    assert_eq!((ground.store.log_size(), ground.store.log_begins()), (size + 1, 0));
    assert!(!ground.store.cut().await.unwrap());
    ground.reject(removal).await;
    let over = ground.approve(removal, review()).await;
    assert!(matches!(over, Err(StoreError::Conflict(Obstacle::ChangeOver))), "{over:?}");
    let next = ground.enter(0).await.unwrap();
    ground.approve(next, ground.review(next)).await.unwrap();
    let gone = ground.enter(0).await;
    assert!(matches!(gone, Err(StoreError::Conflict(Obstacle::OtherSegment))), "{gone:?}");
    let states = [removal, next].map(|id| ground.store.removal(id));
    let [rejected, approved] = states;
    assert_eq!(rejected.await.unwrap().unwrap().state, RemovalState::Rejected);
    assert_eq!(approved.await.unwrap().unwrap().state, RemovalState::Approved);
}

/// Times of a segment are those of its entries.
#[tokio::test]
async fn a_segment_is_as_old_as_its_entries_say() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.db().execute("UPDATE leaf SET at = 0 WHERE position BETWEEN 256 AND 511", []).unwrap();
    let draft = ground.close().await;
    assert_eq!((draft.oldest, draft.newest), (NOW, NOW));
    ground.grow(800).await;
    // An entry that is not as it was signed is in no segment.
    let altered = "UPDATE leaf SET entry = CAST(entry || x'20' AS BLOB) WHERE position = 600";
    ground.store.history(ground.residents[0]).await.unwrap();
    ground.db().execute(altered, []).unwrap();
    let draft = ground.store.segment_draft().await;
    assert!(matches!(draft, Err(StoreError::Damaged(_))), "{draft:?}");
}

/// Whoever reads a history while the log grows is told nothing wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_read_while_the_log_grows() {
    let ground = Ground::new().await;
    let resident = ground.residents[0];
    let store = ground.store.clone();
    let growing = tokio::spawn(async move {
        for _ in 0..2000 {
            store.record_act(act("card.read").about(resident.to_string())).await.unwrap();
        }
    });
    while !growing.is_finished() {
        ground.store.history(resident).await.unwrap();
    }
    growing.await.unwrap();
}

/// Which key signs tokens, and since when, goes on from entries that are gone.
#[tokio::test]
async fn what_happened_to_keys_is_kept() {
    let mut ground = Ground::new().await;
    let key = "soft:token".parse::<hsm::KeyRef>().unwrap();
    let entry = |action: &str| {
        act(action).on("key", "soft:token").with("version", "2").with("thumbprint", "abc")
    };
    ground.grow(400).await;
    ground.store.record_act(entry("key.publish")).await.unwrap();
    ground.store.record_act(entry("key.rotate")).await.unwrap();
    ground.grow(600).await;
    ground.close().await;
    let acts = async |ground: &Ground| {
        let mut found = Vec::new();
        for act in [crate::policy::Act::KeyPublish, crate::policy::Act::KeyRotate] {
            found.push(ground.store.key_acts(act, &key).await.unwrap());
        }
        found
    };
    let before = acts(&ground).await;
    assert_eq!(before.concat().len(), 2);
    // When it was is what the entry says.
    let altered = "UPDATE leaf SET at = at - 1 WHERE action IN ('key.publish', 'key.rotate')";
    assert_eq!(ground.db().execute(altered, []).unwrap(), 2);
    ground.remove(0).await;
    ground.remove(LENGTH).await;
    assert_eq!(acts(&ground).await, before);
    while ground.store.cut().await.unwrap() {}
    assert_eq!(acts(&ground).await, before);
}
