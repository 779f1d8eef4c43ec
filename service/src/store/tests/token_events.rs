//! Whatever happens, and in whatever order: a token is not good after anything that ends it.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::{
    guardians::{ended, guardianship, residents},
    *,
};
use crate::vocabulary::{ConsentKind, ConsentState, DataClass, Grade, Purpose};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A token that rests on what there is: a visit, with or without a consent and a referral, or a consent alone; asked
    /// for by a session with a lease or by one without.
    Issue {
        visit: bool,
        consent: bool,
        referral: bool,
        guardianship: bool,
        /// For one that was issued before, if there is one.
        exchanged: bool,
        leased: bool,
    },
    CloseVisit,
    Withdraw,
    EndReferral,
    EndGuardianship,
    CloseSession,
    Renew,
    /// Leases that are over are put into the log.
    Tell,
    RevokeCertificate,
    Revoke,
    RevokeAll(AllOf),
    Wait(i64),
    Restart,
}

/// What tokens are ended of, together.
#[derive(Clone, Copy, Debug)]
enum AllOf {
    Visit,
    Consent,
    Certificate,
}

fn events() -> impl Strategy<Value = Vec<(Event, Index)>> {
    let flags = any::<[bool; 6]>();
    let issue = flags.prop_map(|[visit, consent, referral, guardianship, exchanged, leased]| {
        Event::Issue {
            exchanged,
            leased,
            visit,
            // Something has to be there that it is within.
            consent: consent || !visit,
            referral: referral && visit,
            guardianship: guardianship && visit,
        }
    });
    let ends = select(vec![
        Event::CloseVisit,
        Event::Withdraw,
        Event::EndReferral,
        Event::EndGuardianship,
        Event::CloseSession,
        Event::Renew,
        Event::Tell,
        Event::RevokeCertificate,
        Event::Revoke,
        Event::RevokeAll(AllOf::Visit),
        Event::RevokeAll(AllOf::Consent),
        Event::RevokeAll(AllOf::Certificate),
        Event::Wait(1),
        Event::Wait(59),
        Event::Wait(400),
        // To the last minutes of the day.
        Event::Wait(28_500),
        Event::Restart,
    ]);
    vec((prop_oneof![3 => issue, 2 => ends], any::<Index>()), 1..24)
}

/// What is known to have happened, written down beside the store.
#[derive(Default)]
struct Known {
    visit_closed: bool,
    withdrawn: bool,
    referral_ended: bool,
    guardianship_ended: bool,
    session_closed: bool,
    leased_until: Option<UtcTime>,
    certificate_revoked: bool,
    tokens: Vec<(NewToken, bool)>,
}

impl Known {
    /// Whether a token like this may still be good.
    fn stands(&self, token: &NewToken, now: UtcTime) -> bool {
        !(self.certificate_revoked
            || (token.session == SESSION && self.session_closed)
            || (token.session == LEASED && self.leased_until.is_none_or(|until| until <= now))
            || (token.visit.is_some() && self.visit_closed)
            || (token.consent.is_some() && (self.withdrawn || CONSENT_ENDS <= now))
            || (token.guardianship.is_some()
                && (self.guardianship_ended || GUARDIANSHIP_ENDS <= now))
            || (token.referral.is_some() && (self.referral_ended || REFERRAL_ENDS <= now)))
            && self.subject_is_good(token, now)
    }

    /// Whether what it was exchanged for may still be good.
    fn subject_is_good(&self, token: &NewToken, now: UtcTime) -> bool {
        let subject = |id| self.tokens.iter().find(|(token, _)| token.id == id);
        token.subject.and_then(subject).is_none_or(|subject| self.is_good(subject, now))
    }

    /// Whether something other than its own time ended it, or would have.
    fn ended_early(&self, (token, revoked): &(NewToken, bool), now: UtcTime) -> bool {
        let lease_over = || self.leased_until.is_none_or(|until| until <= now);
        let subject = token.subject.and_then(|id| self.tokens.iter().find(|(it, _)| it.id == id));
        *revoked
            || self.certificate_revoked
            || (token.session == SESSION && self.session_closed)
            || (token.session == LEASED && lease_over())
            || (token.visit.is_some() && self.visit_closed)
            || (token.consent.is_some() && self.withdrawn)
            || (token.referral.is_some() && self.referral_ended)
            || (token.guardianship.is_some() && self.guardianship_ended)
            || subject.is_some_and(|subject| self.ended_early(subject, now))
    }

    /// Whether it goes on.
    fn is_good(&self, (token, revoked): &(NewToken, bool), now: UtcTime) -> bool {
        self.stands(token, now) && !revoked && now < token.expires_at
    }
}

/// How long whoever is told offline hears of a token whose time is over: twice as far as clocks may be apart.
const TOLD_FOR: Duration = Duration::seconds(2 * access_token::LEEWAY);
const CONSENT_ENDS: UtcTime = datetime!(2026-11-23 08:30:00 UTC);
const REFERRAL_ENDS: UtcTime = datetime!(2026-11-23 08:20:00 UTC);
/// With the day at the desk.
const GUARDIANSHIP_ENDS: UtcTime = datetime!(2026-11-23 16:00:00 UTC);

fn consent(h: &Hospital) -> NewConsent {
    NewConsent {
        id: ConsentId::generate(),
        resident: h.resident,
        kind: ConsentKind::Permit,
        purpose: Purpose::Treatment,
        classes: vec![DataClass::Health],
        grade: Grade::HIGHEST,
        recipient: Some(h.institution),
        person: None,
        records: None,
        guardian: None,
        evidence: "card".into(),
        institution: h.institution,
        identity: h.doctor,
        given_at: NOW,
        ends_at: CONSENT_ENDS,
        witness_due: false,
    }
}

fn referral(h: &Hospital) -> NewReferral {
    NewReferral {
        id: ReferralId::generate(),
        resident: h.resident,
        visit: h.visit,
        institution: h.institution,
        recipient: h.institution,
        identity: h.doctor,
        made_at: NOW,
        ends_at: REFERRAL_ENDS,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_token_is_good_after_anything_that_ends_it(events in events()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(happen(events))?;
    }
}

async fn happen(events: Vec<(Event, Index)>) -> Result<(), TestCaseError> {
    let place = Place::new();
    let mut store = place.open();
    let h = hospital(&store).await;
    let (given, sent) = (consent(&h), referral(&h));
    let [guardian] = residents(&store, &h).await;
    let last = time::macros::date!(2026 - 11 - 23);
    let cares = NewGuardianship { ends_on: last, ..guardianship(&h, guardian, h.resident) };
    assert_eq!(clock::over_at_desk(last), GUARDIANSHIP_ENDS);
    store.record_guardianship(cares.clone(), act("guardian.add")).await.unwrap();
    store.record_consent(given.clone(), SESSION, act("consent.grant")).await.unwrap();
    store.record_referral(sent.clone(), act("referral.make")).await.unwrap();
    store.record_session_opened(leased(&h), act("session.open")).await.unwrap();
    let (mut now, mut known) = (NOW, Known::default());
    known.leased_until = Some(NOW + LEASE);
    for (event, which) in events {
        match event {
            Event::Issue { visit, consent, referral, guardianship, exchanged, leased } => {
                let unexchanged = known.tokens.iter().filter(|(it, _)| it.subject.is_none());
                let subjects: Vec<_> =
                    unexchanged.map(|(token, _)| (token.id, token.expires_at)).collect();
                let subject = (exchanged && !subjects.is_empty())
                    .then(|| subjects[which.index(subjects.len())]);
                let rests_on = [
                    consent.then_some(CONSENT_ENDS),
                    referral.then_some(REFERRAL_ENDS),
                    guardianship.then_some(GUARDIANSHIP_ENDS),
                    subject.map(|it| it.1),
                ];
                let most = now + Duration::minutes(10);
                let token = NewToken {
                    session: if leased { LEASED } else { SESSION },
                    visit: visit.then_some(h.visit),
                    consent: consent.then_some(given.id),
                    referral: referral.then_some(sent.id),
                    guardianship: guardianship.then_some(cares.id),
                    subject: subject.map(|it| it.0),
                    issued_at: now,
                    expires_at: rests_on.into_iter().flatten().fold(most, UtcTime::min),
                    ..token(&h)
                };
                let issued = store.record_token(token.clone(), act("token.issue")).await;
                prop_assert_eq!(issued.is_ok(), known.stands(&token, now), "{:?}", issued);
                if issued.is_ok() {
                    known.tokens.push((token, false));
                }
            }
            Event::CloseVisit => {
                store.record_visit_closed(h.visit, now, act("visit.close")).await.unwrap();
                known.visit_closed = true;
            }
            Event::Withdraw => {
                let entry = act("consent.withdraw");
                store.record_consent_withdrawn(given.id, h.doctor, now, entry).await.unwrap();
                known.withdrawn = true;
            }
            Event::EndReferral => {
                let entry = act("referral.end");
                store.record_referral_ended(sent.id, h.doctor, now, entry).await.unwrap();
                known.referral_ended = true;
            }
            Event::EndGuardianship => {
                let entry = act("guardian.end");
                let over = store.record_guardianship_ended(cares.id, ended(&h, now), entry).await;
                let stands = !known.guardianship_ended && now < GUARDIANSHIP_ENDS;
                prop_assert_eq!(over.is_ok(), stands);
                known.guardianship_ended |= stands;
            }
            Event::CloseSession => {
                let entry = act("session.close");
                let closed = store.record_session_closed(&SESSION, now, entry).await;
                // Revoking the certificate closed it, too.
                let open = !known.session_closed && !known.certificate_revoked;
                prop_assert_eq!(closed.is_ok(), open);
                known.session_closed = true;
            }
            Event::Renew => {
                let stands = known.leased_until.is_some_and(|until| now < until);
                let renewed = store.renew_lease(&LEASED, now).await;
                prop_assert_eq!(renewed.is_ok(), stands && !known.certificate_revoked);
                if let Ok(until) = renewed {
                    prop_assert_eq!(until, now + LEASE);
                    known.leased_until = Some(until);
                }
            }
            Event::Tell => {
                let over = known.leased_until.is_some_and(|until| until <= now);
                let left = store.sessions_left(now).await.unwrap();
                prop_assert_eq!(!left.is_empty(), over && !known.certificate_revoked);
                for session in left {
                    let entry = act("session.end");
                    store.record_session_left(&session.digest, now, entry).await.unwrap();
                    // It is over, and stays so should the clock go back.
                    known.leased_until = None;
                }
            }
            Event::RevokeCertificate => {
                let entry = act("certificate.revoke");
                store.record_certificate_revoked(SERIAL, 1, now, entry).await.unwrap();
                known.certificate_revoked = true;
            }
            Event::Revoke if known.tokens.is_empty() => {}
            Event::Revoke => {
                let at = which.index(known.tokens.len());
                // What is over stays as it is.
                let good = known.is_good(&known.tokens[at], now);
                let (token, revoked) = &mut known.tokens[at];
                store.record_token_revoked(token.id, now, act("token.revoke")).await.unwrap();
                *revoked |= good;
            }
            Event::RevokeAll(all) => {
                let (of, has): (_, fn(&NewToken) -> bool) = match all {
                    AllOf::Visit => (TokensOf::Visit(h.visit), |token| token.visit.is_some()),
                    AllOf::Consent => {
                        (TokensOf::Consent(given.id), |token| token.consent.is_some())
                    }
                    AllOf::Certificate => (TokensOf::Certificate(SERIAL.into()), |_| true),
                };
                let mut matching = Vec::new();
                for at in 0..known.tokens.len() {
                    // Those that end with them count where they match.
                    if known.is_good(&known.tokens[at], now) && has(&known.tokens[at].0) {
                        matching.push(at);
                    }
                }
                for at in &matching {
                    known.tokens[*at].1 = true;
                }
                let going_on = u32::try_from(matching.len()).unwrap();
                let entry = act("token.revoke");
                let (ended, receipt) =
                    store.record_tokens_revoked(of, None, now, entry).await.unwrap();
                prop_assert_eq!((ended, receipt.is_some()), (going_on, true));
            }
            Event::Wait(seconds) => now += Duration::seconds(seconds),
            Event::Restart => {
                drop(store);
                store = place.open();
            }
        }
        let mut over = Vec::new();
        for issued in &known.tokens {
            let found = store.token(issued.0.id).await.unwrap().unwrap();
            let good = known.is_good(issued, now);
            prop_assert_eq!(found.ended(now).is_none(), good, "{:?} after {:?}", issued, event);
            if known.ended_early(issued, now) && now - TOLD_FOR < issued.0.expires_at {
                over.push(issued.0.id.to_string());
            }
        }
        // Whoever is told offline is told of all of them.
        let ended = store.tokens_ended_early(now - TOLD_FOR, now).await.unwrap();
        let mut told: Vec<_> = ended.into_iter().map(|ended| ended.id).collect();
        told.sort();
        over.sort();
        prop_assert_eq!(told, over, "after {:?}", event);
    }
    Ok(())
}

#[tokio::test]
async fn what_has_ended_or_was_exchanged_itself_is_not_exchanged() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let of = async |subject: TokenId| {
        let token = NewToken { subject: Some(subject), ..token(&h) };
        store.record_token(token.clone(), act("token.issue")).await.map(|_| token.id)
    };
    let first = token(&h);
    store.record_token(first.clone(), act("token.issue")).await.unwrap();
    let second = of(first.id).await.unwrap();
    let refused = |answer: Result<TokenId, StoreError>| {
        matches!(answer, Err(StoreError::Conflict(Obstacle::TokenOver)))
    };
    assert!(refused(of(second).await), "exchanged itself");
    assert!(matches!(of(TokenId::generate()).await, Err(StoreError::NotFound(Record::Token))));
    store.record_token_revoked(first.id, NOW, act("token.revoke")).await.unwrap();
    assert_eq!(store.token(second).await.unwrap().unwrap().ended(NOW), Some(Ended::Revoked));
    assert!(refused(of(first.id).await), "ended");
    let longer = token(&h);
    store.record_token(longer.clone(), act("token.issue")).await.unwrap();
    let longer = NewToken {
        subject: Some(longer.id),
        expires_at: longer.expires_at + Duration::seconds(1),
        ..token(&h)
    };
    let longer = store.record_token(longer.clone(), act("token.issue")).await.map(|_| longer.id);
    assert!(refused(longer), "sooner over");
}

#[tokio::test]
async fn what_was_exchanged_for_a_revoked_token_is_told_of_until_the_slowest_clock_has_it_over() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let first = token(&h);
    let second = NewToken { subject: Some(first.id), ..token(&h) };
    for token in [&first, &second] {
        store.record_token(token.clone(), act("token.issue")).await.unwrap();
    }
    let over = first.expires_at;
    let revoked = over - Duration::seconds(10);
    store.record_token_revoked(first.id, revoked, act("token.revoke")).await.unwrap();
    let told = async |now: UtcTime| {
        let ended = store.tokens_ended_early(now - TOLD_FOR, now).await.unwrap();
        ended.into_iter().map(|ended| ended.id).collect::<std::collections::BTreeSet<_>>()
    };
    let both = [first.id, second.id].map(|id| id.to_string()).into();
    for after in [-10, 0, 1, 29, 59] {
        assert_eq!(told(over + Duration::seconds(after)).await, both, "{after} seconds");
    }
    assert!(told(over + TOLD_FOR).await.is_empty());
}

#[tokio::test]
async fn all_tokens_of_one_thing_end_in_one_entry_and_no_others_do() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let given = consent(&h);
    store.record_consent(given.clone(), SESSION, act("consent.grant")).await.unwrap();
    let colleague = identity(h.institution, "D2");
    let (other, serial, session) = (colleague.id, "5f02", [6; 32]);
    store.record_identity(colleague, act("identity.register")).await.unwrap();
    let drafted = draft(serial, other);
    store.record_certificate_draft(drafted, act("certificate.draft")).await.unwrap();
    let signed = act("certificate.issue");
    store.record_certificate_signed(serial, vec![0x30, 1, 0], signed).await.unwrap();
    let opened = NewSession {
        digest: session,
        identity: other,
        certificate: serial.into(),
        opened_at: NOW,
        expires_at: NOW + Duration::hours(8),
        address: "192.0.2.8".into(),
        lease: None,
    };
    store.record_session_opened(opened, act("session.open")).await.unwrap();

    let of_visit = token(&h);
    let of_consent = NewToken { visit: None, consent: Some(given.id), ..token(&h) };
    let of_other = NewToken { identity: other, certificate: serial.into(), session, ..token(&h) };
    let over = NewToken { expires_at: NOW + Duration::seconds(1), ..token(&h) };
    let all = [&of_visit, &of_consent, &of_other, &over];
    for token in all {
        store.record_token(token.clone(), act("token.issue")).await.unwrap();
    }
    let now = NOW + Duration::seconds(2);
    let good = async || {
        let mut good = Vec::new();
        for token in all {
            good.push(store.token(token.id).await.unwrap().unwrap().ended(now).is_none());
        }
        good
    };
    let end = async |of, holder| {
        let entry = act("token.revoke");
        let (ended, receipt) = store.record_tokens_revoked(of, holder, now, entry).await.unwrap();
        // That there were none is on record as well.
        let receipt = receipt.unwrap();
        assert_proven(&store, &receipt).await;
        let leaf = store.entry(receipt.position).await.unwrap().unwrap().entry;
        assert_eq!(Entry::decode(&leaf).unwrap().detail["tokens"], ended.to_string());
        ended
    };
    // Of nothing there is nothing to end; and what has ended by itself does not count.
    assert_eq!(end(TokensOf::Visit(VisitId::generate()), None).await, 0);
    assert_eq!(end(TokensOf::Certificate("5f".into()), None).await, 0);
    assert_eq!(good().await, [true, true, true, false]);
    // Of one holder alone, though others have some within the same visit.
    assert_eq!(end(TokensOf::Visit(h.visit), Some(other)).await, 1);
    assert_eq!(good().await, [true, true, false, false]);
    assert_eq!(end(TokensOf::Visit(h.visit), None).await, 1);
    assert_eq!(good().await, [false, true, false, false]);
    assert_eq!(end(TokensOf::Visit(h.visit), None).await, 0);
    assert_eq!(end(TokensOf::Consent(given.id), None).await, 1);
    assert_eq!(good().await, [false; 4]);

    let (first, second) = (token(&h), token(&h));
    for token in [&first, &second] {
        store.record_token(token.clone(), act("token.issue")).await.unwrap();
    }
    assert_eq!(end(TokensOf::Resident(ResidentId::generate()), None).await, 0);
    assert_eq!(end(TokensOf::Identity(other), None).await, 0);
    assert_eq!(end(TokensOf::Identity(h.doctor), None).await, 2);
    store.record_token(token(&h), act("token.issue")).await.unwrap();
    assert_eq!(end(TokensOf::Resident(h.resident), None).await, 1);
    store.record_token(token(&h), act("token.issue")).await.unwrap();
    assert_eq!(end(TokensOf::Certificate(SERIAL.into()), None).await, 1);
}

#[tokio::test]
async fn a_resident_has_as_many_consents_as_are_looked_through_and_no_more() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let give = || store.record_consent(consent(&h), SESSION, act("consent.grant"));
    for _ in 0..200 {
        give().await.unwrap();
    }
    assert!(matches!(give().await, Err(StoreError::Conflict(Obstacle::ConsentsTooMany))));
    let first = store.consents_of(h.resident, None, 1).await.unwrap().remove(0).given.id;
    let entry = act("consent.withdraw");
    store.record_consent_withdrawn(first, h.doctor, NOW, entry).await.unwrap();
    give().await.unwrap();
}

#[tokio::test]
async fn a_consent_takes_a_second_person_within_the_hour() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let other = Identity { id: IdentityId::generate(), ..identity(h.institution, "D2") };
    let witness = other.id;
    store.record_identity(other, act("identity.register")).await.unwrap();
    let given = NewConsent { witness_due: true, ..consent(&h) };
    store.record_consent(given.clone(), SESSION, act("consent.grant")).await.unwrap();
    let state = async |at| store.consent(given.id).await.unwrap().unwrap().state(at);
    assert_eq!(state(NOW).await, ConsentState::AwaitsWitness);
    assert_eq!(state(NOW + Duration::hours(1)).await, ConsentState::Void);
    let about = async |at| store.consents_about(h.resident, h.institution, at).await.unwrap().len();
    assert_eq!(about(NOW).await, 0);
    let seen = async |by, at| {
        let entry = act("consent.witness");
        store.record_consent_witnessed(given.id, by, at, entry).await.map(drop)
    };
    let alone = seen(h.doctor, NOW).await;
    assert!(matches!(alone, Err(StoreError::Conflict(Obstacle::SamePerson))));
    let late = seen(witness, NOW + Duration::hours(1)).await;
    assert!(matches!(late, Err(StoreError::Conflict(Obstacle::ConsentOver))));
    seen(witness, NOW).await.unwrap();
    assert_eq!(state(NOW + Duration::minutes(29)).await, ConsentState::InForce);
    assert_eq!(about(NOW).await, 1);
    assert_eq!(state(CONSENT_ENDS).await, ConsentState::Over);
    assert_eq!(about(CONSENT_ENDS).await, 0);
}
