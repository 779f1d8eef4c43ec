//! Who may do what to whom: two hospitals on one service, a card lost between reading and visit, a colleague without
//! relation, a certificate that is revoked while its session is in use.

use ca::crl::Crl;
use proto::v1::cards_client::CardsClient;
use proto::v1::identities_client::IdentitiesClient;
use proto::v1::residents_client::ResidentsClient;
use proto::v1::visits_client::VisitsClient;
use proto::v1::{
    AuthoritiesRequest, CancelCardRequest, CloseVisitRequest, FindResidentRequest,
    GetIdentityRequest, GetResidentRequest, GetVisitRequest, ListVisitsRequest, OpenVisitRequest,
    ReadCardRequest, ReportLossRequest, RevocationReason, RevokeCertificateRequest,
};
use service::demo::people::{
    CLERK, COLLEAGUE, DEPARTMENT, DESK, DOCTOR, Institution, PATIENT, Staff,
};
use service::demo::stage::OPERATOR;
use tests::grpc::{log_in, reason};
use tests::hospital::Hospital;
use tests::relay::{self, Relay, card, present};

/// A second hospital on the same service.
const ELSEWHERE: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构县中医院", region: "990000" };
const CLERK_ELSEWHERE: Staff = Staff { key: "clerk-elsewhere", ..CLERK };

#[tokio::test]
async fn another_hospital_needs_the_card_in_its_reader() {
    let hospital = Hospital::open();
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    hospital.stage.engage(&elsewhere, &CLERK_ELSEWHERE).unwrap();
    let caller = log_in(&hospital.stage, CLERK_ELSEWHERE.key).await;
    let mut residents = ResidentsClient::new(caller.clone());
    let mut cards = CardsClient::new(caller.clone());

    let resident_id = hospital.resident_id.clone();
    let get = || GetResidentRequest { resident_id: resident_id.clone() };
    let find = FindResidentRequest { id_number: PATIENT.id_number.to_owned() };
    let card_id = hospital.card_id.clone();
    let refused = residents.get(get()).await.unwrap_err();
    assert_eq!(reason(&refused), "REGISTERED_ELSEWHERE");
    let refused = residents.find(find).await.unwrap_err();
    assert_eq!(reason(&refused), "REGISTERED_ELSEWHERE");
    let refused = cards.report_loss(ReportLossRequest { card_id: card_id.clone() }).await;
    assert_eq!(reason(&refused.unwrap_err()), "REGISTERED_ELSEWHERE");
    let refused = cards.cancel(CancelCardRequest { card_id }).await;
    assert_eq!(reason(&refused.unwrap_err()), "REGISTERED_ELSEWHERE");

    // The resident comes, and puts the card in.
    let mut relay = Relay::open(caller).await.unwrap();
    let reading = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    assert_eq!(reading.resident_id, resident_id);
    assert_eq!(residents.get(get()).await.unwrap().into_inner().name, PATIENT.name);
}

#[tokio::test]
async fn a_card_reported_lost_after_its_reading_opens_no_visit() {
    let hospital = Hospital::open();
    let desk = log_in(&hospital.stage, DESK.key).await;
    let mut relay = Relay::open(desk.clone()).await.unwrap();
    let reading = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    let clerk = log_in(&hospital.stage, CLERK.key).await;
    let card_id = hospital.card_id.clone();
    CardsClient::new(clerk).report_loss(ReportLossRequest { card_id }).await.unwrap();

    let presence_id = reading.presence_id;
    let order = OpenVisitRequest {
        presence_id: presence_id.clone(),
        department: DEPARTMENT.to_owned(),
        reason: "复诊".to_owned(),
        attending: Vec::new(),
    };
    let refused = VisitsClient::new(desk.clone()).open(order).await.unwrap_err();
    assert_eq!(reason(&refused), "CARD_NOT_ACTIVE");
    let refused = CardsClient::new(desk).read(ReadCardRequest { presence_id }).await.unwrap_err();
    assert_eq!(reason(&refused), "CARD_NOT_ACTIVE");
}

#[tokio::test]
async fn a_presence_opens_one_visit() {
    let hospital = Hospital::open();
    let desk = log_in(&hospital.stage, DESK.key).await;
    let mut relay = Relay::open(desk.clone()).await.unwrap();
    let reading = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    let order = OpenVisitRequest {
        presence_id: reading.presence_id,
        department: DEPARTMENT.to_owned(),
        reason: "复诊".to_owned(),
        attending: Vec::new(),
    };
    let mut visits = VisitsClient::new(desk);
    visits.open(order.clone()).await.unwrap();
    assert_eq!(reason(&visits.open(order).await.unwrap_err()), "PRESENCE_INVALID");
}

#[tokio::test]
async fn a_colleague_without_relation_neither_sees_nor_closes_a_visit() {
    let hospital = Hospital::open();
    let visit_id = relay::open_visit(&hospital).await;
    let mut colleague = VisitsClient::new(log_in(&hospital.stage, COLLEAGUE.key).await);
    let refused = colleague.get(GetVisitRequest { visit_id: visit_id.clone() }).await;
    assert_eq!(reason(&refused.unwrap_err()), "NO_RELATION");
    let refused = colleague.close(CloseVisitRequest { visit_id: visit_id.clone() }).await;
    assert_eq!(reason(&refused.unwrap_err()), "NO_RELATION");
    let seen = colleague.list(ListVisitsRequest::default()).await.unwrap().into_inner();
    assert_eq!(seen.visits, []);

    let mut doctor = VisitsClient::new(log_in(&hospital.stage, DOCTOR.key).await);
    let visit = doctor.get(GetVisitRequest { visit_id: visit_id.clone() }).await.unwrap();
    assert!(visit.into_inner().receipt.is_some(), "reading a visit leaves an entry");
    assert!(doctor.close(CloseVisitRequest { visit_id }).await.is_ok());
}

#[tokio::test]
async fn revoked_certificates_end_their_sessions_and_all_stand_in_the_list() {
    let hospital = Hospital::open();
    let operator = log_in(&hospital.stage, OPERATOR).await;
    let mut identities = IdentitiesClient::new(operator);
    let mut sessions = Vec::new();
    let mut serials = Vec::new();
    for who in [DOCTOR.key, COLLEAGUE.key, CLERK.key] {
        sessions.push(VisitsClient::new(log_in(&hospital.stage, who).await));
        let identity_id = hospital.staff[who].clone();
        let identity = identities.get(GetIdentityRequest { identity_id }).await.unwrap();
        serials.push(identity.into_inner().certificates[0].serial.clone());
    }
    for session in &mut sessions {
        session.list(ListVisitsRequest::default()).await.unwrap();
    }
    // All at once: none may be lost from the list.
    let mut revocations = tokio::task::JoinSet::new();
    for serial in serials.clone() {
        let mut identities = identities.clone();
        revocations.spawn(async move {
            let reason = RevocationReason::AffiliationChanged.into();
            identities.revoke(RevokeCertificateRequest { serial, reason }).await
        });
    }
    while let Some(revoked) = revocations.join_next().await {
        revoked.unwrap().unwrap();
    }
    for session in &mut sessions {
        let refused = session.list(ListVisitsRequest::default()).await.unwrap_err();
        assert_eq!(reason(&refused), "SESSION_INVALID");
    }
    let published = identities.authorities(AuthoritiesRequest {}).await.unwrap().into_inner();
    let lists: Vec<_> =
        published.revocation_lists.iter().map(|der| Crl::parse(der).unwrap()).collect();
    for serial in serials {
        let serial = serial.parse().unwrap();
        assert!(lists.iter().any(|list| list.revocation(&serial).is_some()), "{serial}");
    }
}
