//! What each act needs of the log, and what goes on when it cannot be written. ARCHITECTURE.md has the same table
//! ([`markdown`]), and `healthcardd acts` shows it.

use std::fmt::Write as _;

use crate::{policy::Act, vocabulary::words};

words! {
    /// What an act needs of the log.
    Need {
        /// Its entry is on disk before it is answered; otherwise it was not done, and nothing is told.
        Entry = "entry",
        /// It leaves no entry and goes on without the log. Refusing it takes one: where that cannot be written, the
        /// answer is no as well.
        Nothing = "nothing",
        /// The service does it by itself, with an entry: it waits until that can be written, and what there is goes on.
        Waits = "waits",
    }
}

impl Act {
    /// What it needs of the log. A new act has to choose.
    #[must_use]
    pub fn needs(self) -> Need {
        match self {
            Self::TokenIntrospect | Self::RecordVerify => Need::Nothing,
            Self::EmergencyRemind
            | Self::WarningRaise
            | Self::KeyCentreEnd
            | Self::ListIssue
            | Self::CardListIssue
            | Self::AuditScrub
            | Self::AuditSegmentClose
            | Self::AuditWitness => Need::Waits,
            Self::SessionOpen
            | Self::SessionClose
            | Self::SessionList
            | Self::SessionEnd
            | Self::SessionUnlock
            | Self::InstitutionRegister
            | Self::IdentityRegister
            | Self::IdentityQualify
            | Self::IdentityChange
            | Self::IdentityDepart
            | Self::IdentityRead
            | Self::CertificateEnter
            | Self::CertificateReview
            | Self::CertificateCollect
            | Self::CertificateIssue
            | Self::CertificateRevoke
            | Self::CertificateRenew
            | Self::CertificateSuspend
            | Self::CertificateRelease
            | Self::CertificateOwn
            | Self::CertificateList
            | Self::CertificateReport
            | Self::CertificateAnswer
            | Self::ServiceStatus
            | Self::ResidentRegister
            | Self::ResidentRead
            | Self::ResidentHistory
            | Self::ErasureEnter
            | Self::ErasureReview
            | Self::ErasureRead
            | Self::ResidentErase
            | Self::NumberBind
            | Self::NumberUnbind
            | Self::NumberRead
            | Self::LookAlikeDecide
            | Self::GuardianAdd
            | Self::GuardianEnd
            | Self::GuardianRead
            | Self::ConsentGrant
            | Self::ConsentWitness
            | Self::ConsentWithdraw
            | Self::ConsentRead
            | Self::ReferralMake
            | Self::ReferralEnd
            | Self::ReferralRead
            | Self::LikenessFill
            | Self::CardRegister
            | Self::CardBatch
            | Self::CardAbandon
            | Self::CardIssue
            | Self::CardRead
            | Self::CardDump
            | Self::CardStatus
            | Self::CardLost
            | Self::CardRelease
            | Self::CardCancel
            | Self::ElectronicCardApply
            | Self::ElectronicCardCancel
            | Self::CodeCreate
            | Self::CodeVerify
            | Self::CodeRevoke
            | Self::CardApply
            | Self::CardActivate
            | Self::CardFreeze
            | Self::CardUnfreeze
            | Self::CardBlacklist
            | Self::CardUnblacklist
            | Self::CardReplace
            | Self::CardReview
            | Self::CardChanges
            | Self::CardRenew
            | Self::CardList
            | Self::CardOffline
            | Self::CardWatch
            | Self::TaskRead
            | Self::TaskClose
            | Self::CardWriteContact
            | Self::CardWriteValidity
            | Self::CardWriteClinical
            | Self::VisitOpen
            | Self::VisitRead
            | Self::VisitClose
            | Self::EmergencyBegin
            | Self::EmergencyEnd
            | Self::EmergencyAccount
            | Self::EmergencyReview
            | Self::EmergencyRead
            | Self::EmergencyTell
            | Self::WarningRead
            | Self::WarningClose
            | Self::TokenIssue
            | Self::TokenExplain
            | Self::TokenRevoke
            | Self::RecordSign
            | Self::AuditRead
            | Self::AuditRemoveEnter
            | Self::AuditRemoveReview
            | Self::AuditSegmentRemove
            | Self::KeyCentreMake
            | Self::KeyCentreRead
            | Self::KeyRecoveryEnter
            | Self::KeyRecoveryReview
            | Self::KeyRecoveryRead
            | Self::TimeStampIssue
            | Self::KeyMake
            | Self::KeyPrepare
            | Self::KeyPublish
            | Self::KeyRotate
            | Self::RootLink
            | Self::RootSucceed
            | Self::AuthoritySucceed
            | Self::AuthorityRevoke
            | Self::KeyRetire
            | Self::KeyDestroy
            | Self::KeyCompromise
            | Self::KeystoreShare
            | Self::KeystorePassphrase
            | Self::KeyLabel
            | Self::KeyCeremony
            | Self::RulesSign
            | Self::RulesTake
            | Self::RulesShipped
            | Self::ServiceInit
            | Self::OperatorFound => Need::Entry,
        }
    }
}

impl Need {
    /// For people.
    #[must_use]
    pub const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Entry => (
                "先写入日志再答复；写不进去就不办理，也不透露任何内容",
                "its entry is on disk before it is answered; else it is not done, and nothing is told",
            ),
            Self::Nothing => ("不写日志，日志不可写时照常办理", "it leaves no entry, and goes on"),
            Self::Waits => (
                "由服务自行办理，等到可写入日志再办；在此之前沿用现有结果",
                "the service does it by itself: it waits, and what there is goes on",
            ),
        }
    }
}

/// What is answered without an entry of its own, as it changes nothing and nobody learns of a resident by it: methods
/// of the interface, and what other protocols fetch by the first part of its path. Whatever is not in this list answers
/// nothing that the log does not have.
pub const GO_ON: [&str; 25] = [
    "healthcard.v1.Audit/Checkpoint",
    "healthcard.v1.Audit/Growth",
    // Opening the stream: each card that is put in, and each row, has entries.
    "healthcard.v1.Cards/Issue",
    "healthcard.v1.Cards/Relay",
    "healthcard.v1.Cards/ShowDeskNonce",
    "healthcard.v1.Cards/StatusList",
    "healthcard.v1.Desks/Prepare",
    "healthcard.v1.Identities/Authorities",
    "healthcard.v1.Sessions/Challenge",
    "healthcard.v1.Signing/Verify",
    "healthcard.v1.Tokens/Introspect",
    "healthcard.v1.Tokens/Keys",
    "healthcard.v1.Warnings/Rules",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "/.well-known",
    "/ca",
    "/cards",
    "/crl",
    "/healthz",
    "/introspect",
    "/jwks.json",
    "/metrics",
    "/ocsp",
    "/token-revocations",
];

/// What leaves no entry and is put on record all the same: a lease that is not renewed is over with its session, and a
/// witness asks again.
pub const WRITE_WITHOUT_ENTRY: [&str; 2] =
    ["healthcard.v1.Audit/Cosign", "healthcard.v1.Sessions/Renew"];

/// The table as ARCHITECTURE.md has it.
#[must_use]
pub fn markdown() -> String {
    let mut table = "| without the log | acts and calls |\n|---|---|\n".to_owned();
    let mut row = |what: &str, names: &mut dyn Iterator<Item = &str>| {
        let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| {what} | {} |", names.join(" "));
    };
    for need in Need::ALL {
        let acts = Act::ALL.iter().filter(|act| act.needs() == *need);
        row(need.told().1, &mut acts.map(|act| act.as_str()));
    }
    row("calls and addresses that are answered", &mut GO_ON.into_iter());
    row("calls that write without an entry: refused", &mut WRITE_WITHOUT_ENTRY.into_iter());
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_this_table() {
        let document = include_str!("../../ARCHITECTURE.md");
        assert!(
            document.contains(&markdown()),
            "ARCHITECTURE.md has to have this:\n\n{}",
            markdown()
        );
    }

    #[test]
    fn what_goes_on_exists_and_is_named_once() {
        let methods = crate::api::calls();
        let mut all = [&GO_ON[..], &WRITE_WITHOUT_ENTRY].concat();
        for call in &all {
            assert!(methods.iter().any(|method| method == call), "{call}");
        }
        let routes = methods.iter().filter(|it| it.starts_with('/') && !all.contains(&it.as_str()));
        assert_eq!(routes.collect::<Vec<_>>(), ["/revoke", "/token", "/tsa"], "these have entries");
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn only_what_changes_nothing_goes_on() {
        let nothing = Act::ALL.iter().filter(|act| act.needs() == Need::Nothing);
        assert_eq!(nothing.copied().collect::<Vec<_>>(), [Act::TokenIntrospect, Act::RecordVerify]);
    }
}
