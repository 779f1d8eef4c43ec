//! The acts that policy and the log speak of.

use crate::vocabulary::words;

words! {
    /// Everything a caller can do, each with the one name it has in rules and in the log.
    Act {
        /// Opening a session. Decided by the certificate, not by a rule.
        SessionOpen = "session.open",
        /// Closing one's own session.
        SessionClose = "session.close",
        /// Reading one's own sessions.
        SessionList = "session.list",
        /// Ending another session of one's own.
        SessionEnd = "session.end",
        /// Letting a certificate log in again where it was locked.
        SessionUnlock = "session.unlock",
        /// Putting an institution on record.
        InstitutionRegister = "institution.register",
        /// Putting a person, desk or system on record.
        IdentityRegister = "identity.register",
        /// Setting the last day of a clinician's qualification.
        IdentityQualify = "identity.qualify",
        /// Changing name, department or role of somebody on record.
        IdentityChange = "identity.change",
        /// Ending what somebody has who leaves.
        IdentityDepart = "identity.depart",
        /// Reading who is on record.
        IdentityRead = "identity.read",
        /// Entering that a certificate is to be issued.
        CertificateEnter = "certificate.enter",
        /// Reviewing what another person entered.
        CertificateReview = "certificate.review",
        /// Collecting what was approved.
        CertificateCollect = "certificate.collect",
        /// Signing a certificate that was approved. Done by the service itself.
        CertificateIssue = "certificate.issue",
        /// Revoking a certificate.
        CertificateRevoke = "certificate.revoke",
        /// Renewing a certificate for the same key.
        CertificateRenew = "certificate.renew",
        /// Suspending a certificate, which can be taken back.
        CertificateSuspend = "certificate.suspend",
        /// Releasing a certificate that is suspended.
        CertificateRelease = "certificate.release",
        /// Reading which certificates were issued in one's own name.
        CertificateOwn = "certificate.own",
        /// Searching certificates.
        CertificateList = "certificate.list",
        /// Giving out what changed about certificates, for the ministry's platform.
        CertificateReport = "certificate.report",
        /// Answering how certificates stand about which that platform asks.
        CertificateAnswer = "certificate.answer",
        /// Reading the state of the service.
        ServiceStatus = "service.status",
        /// Putting a resident on record.
        ResidentRegister = "resident.register",
        /// Reading a resident's record.
        ResidentRead = "resident.read",
        /// Giving a resident all that the log has about them.
        ResidentHistory = "resident.history",
        /// Entering that a resident's personal data is to be erased.
        ErasureEnter = "erasure.enter",
        /// Reviewing such an erasure, which another person entered.
        ErasureReview = "erasure.review",
        /// Reading erasures.
        ErasureRead = "erasure.read",
        /// Erasing a resident. Done by the service itself: as an erasure is approved, and in an older copy.
        ResidentErase = "resident.erase",
        /// Binding another number to a resident.
        NumberBind = "number.bind",
        /// Ending the binding of a number.
        NumberUnbind = "number.unbind",
        /// Reading a resident's other numbers and their history.
        NumberRead = "number.read",
        /// Deciding about residents who look alike.
        LookAlikeDecide = "look-alike.decide",
        /// Putting a guardian of a resident on record.
        GuardianAdd = "guardian.add",
        /// Ending a guardianship.
        GuardianEnd = "guardian.end",
        /// Reading who cares for whom.
        GuardianRead = "guardian.read",
        /// Putting on record what a resident agrees or objects to.
        ConsentGrant = "consent.grant",
        /// Saying as a second person that a consent was seen given.
        ConsentWitness = "consent.witness",
        /// Withdrawing a consent.
        ConsentWithdraw = "consent.withdraw",
        /// Reading consents.
        ConsentRead = "consent.read",
        /// Sending a resident to another institution.
        ReferralMake = "referral.make",
        /// Ending a referral.
        ReferralEnd = "referral.end",
        /// Reading referrals.
        ReferralRead = "referral.read",
        /// Computing by what residents of before are compared. Done by the service itself.
        LikenessFill = "likeness.fill",
        /// Putting a card on record.
        CardRegister = "card.register",
        /// Handing in a batch of rows, and closing it with its manifest.
        CardBatch = "card.batch",
        /// Giving a batch up before every row is done.
        CardAbandon = "card.abandon",
        /// Making the cards of a batch.
        CardIssue = "card.issue",
        /// Reading a card in a reader.
        CardRead = "card.read",
        /// Reading the whole of a card in a reader.
        CardDump = "card.dump",
        /// Asking for a card's status.
        CardStatus = "card.status",
        /// Reporting a card as lost.
        CardLost = "card.lost",
        /// Taking a report of loss back.
        CardRelease = "card.release",
        /// Cancelling a card.
        CardCancel = "card.cancel",
        /// Giving a resident an electronic card.
        ElectronicCardApply = "electronic-card.apply",
        /// Cancelling an electronic card.
        ElectronicCardCancel = "electronic-card.cancel",
        /// Making a code of an electronic card.
        CodeCreate = "code.create",
        /// Checking a code that somebody shows.
        CodeVerify = "code.verify",
        /// Ending a code before its time.
        CodeRevoke = "code.revoke",
        /// Applying for a card.
        CardApply = "card.apply",
        /// Taking a card into use.
        CardActivate = "card.activate",
        /// Freezing a card.
        CardFreeze = "card.freeze",
        /// Unfreezing a card.
        CardUnfreeze = "card.unfreeze",
        /// Putting a card on the blacklist.
        CardBlacklist = "card.blacklist",
        /// Entering that a card is to be taken off the blacklist.
        CardUnblacklist = "card.unblacklist",
        /// Entering that a card is to be replaced.
        CardReplace = "card.replace",
        /// Reviewing a change that another person entered.
        CardReview = "card.review",
        /// Listing changes that wait for a review.
        CardChanges = "card.changes",
        /// Moving the end of a card.
        CardRenew = "card.renew",
        /// Listing cards.
        CardList = "card.list",
        /// Telling of cards that were read without the service.
        CardOffline = "card.offline",
        /// Watching what happens to cards at desks.
        CardWatch = "card.watch",
        /// Reading tasks.
        TaskRead = "task.read",
        /// Closing a task.
        TaskClose = "task.close",
        /// Writing addresses, contacts and phones on a card.
        CardWriteContact = "card.write.contact",
        /// Writing the end of validity on a card.
        CardWriteValidity = "card.write.validity",
        /// Writing clinical data on a card.
        CardWriteClinical = "card.write.clinical",
        /// Opening a visit.
        VisitOpen = "visit.open",
        /// Reading visits.
        VisitRead = "visit.read",
        /// Closing a visit.
        VisitClose = "visit.close",
        /// Beginning an emergency access.
        EmergencyBegin = "emergency.begin",
        /// Ending one before its time. That its time is over is told by the service itself.
        EmergencyEnd = "emergency.end",
        /// Accounting for one that one began.
        EmergencyAccount = "emergency.account",
        /// Giving a finding of one that another person began.
        EmergencyReview = "emergency.review",
        /// Reading one's own, or those that wait for a finding.
        EmergencyRead = "emergency.read",
        /// Telling that something is late. Done by the service itself.
        EmergencyRemind = "emergency.remind",
        /// Telling the resident that there was one.
        EmergencyTell = "emergency.tell",
        /// Raising a warning of misuse. Done by the service itself.
        WarningRaise = "warning.raise",
        /// Reading warnings, and what they rest on.
        WarningRead = "warning.read",
        /// Saying what came of a warning.
        WarningClose = "warning.close",
        /// Issuing an access token.
        TokenIssue = "token.issue",
        /// Asking how it would be decided, and why.
        TokenExplain = "token.explain",
        /// Asking whether a token is good.
        TokenIntrospect = "token.introspect",
        /// Ending a token.
        TokenRevoke = "token.revoke",
        /// Signing a record.
        RecordSign = "record.sign",
        /// Checking a signed record.
        RecordVerify = "record.verify",
        /// Searching, proving and exporting the log.
        AuditRead = "audit.read",
        /// Being shown by a witness that the log is not the one it signed. Recorded by the service itself.
        AuditWitness = "audit.witness",
        /// Finding that the log is not what was signed. Done by the service itself.
        AuditScrub = "audit.scrub",
        /// Closing a segment of the log. Done by the service itself.
        AuditSegmentClose = "audit.segment-close",
        /// Entering that a segment of the log is to be removed, its term being over.
        AuditRemoveEnter = "audit.remove-enter",
        /// Reviewing such a removal, which another person entered.
        AuditRemoveReview = "audit.remove-review",
        /// Removing the entries of a segment. What an approval of the removal does.
        AuditSegmentRemove = "audit.segment-remove",
        /// Making encryption key pairs ahead.
        KeyCentreMake = "key-centre.make",
        /// Reading how many key pairs the key management centre holds.
        KeyCentreRead = "key-centre.read",
        /// Putting key pairs into the history whose certificates are over. Done by the service itself.
        KeyCentreEnd = "key-centre.end",
        /// Entering that the centre is to give out an encryption key that it holds.
        KeyRecoveryEnter = "key-recovery.enter",
        /// Reviewing such a recovery, which another person entered.
        KeyRecoveryReview = "key-recovery.review",
        /// Listing recoveries that wait for a review.
        KeyRecoveryRead = "key-recovery.read",
        /// Having a time stamped.
        TimeStampIssue = "time-stamp.issue",
        /// Making the next revocation list. Done by the service itself.
        ListIssue = "revocation-list.issue",
        /// Issuing the next list of cards that are not to be served. Done by the service itself.
        CardListIssue = "card-list.issue",
        /// Making a key that an earlier version did not need. Done by the service itself.
        KeyMake = "key.make",
        /// Making the next version of a key ahead. Done with the keystore's passphrase, as those that follow.
        KeyPrepare = "key.prepare",
        /// Handing out the public key of a version that was made ahead, from now on. Done by the service itself.
        KeyPublish = "key.publish",
        /// Taking the next version of a key into use.
        KeyRotate = "key.rotate",
        /// Having the root's key sign for the one that succeeds it.
        RootLink = "root.link",
        /// Taking the root's next key into use, with certificates by it for all authorities.
        RootSucceed = "root.succeed",
        /// Giving an issuing authority another key: the key is made, and certified by the root.
        AuthoritySucceed = "authority.succeed",
        /// Revoking an authority's key that was succeeded, with whatever it certified.
        AuthorityRevoke = "authority.revoke",
        /// Ending the use of a version of a key.
        KeyRetire = "key.retire",
        /// Wiping a version of a key.
        KeyDestroy = "key.destroy",
        /// Declaring that a version of a key may be known to others.
        KeyCompromise = "key.compromise",
        /// Making shares for custodians who open the keystore together.
        KeystoreShare = "keystore.share",
        /// Giving the keystore another passphrase, which ends all shares.
        KeystorePassphrase = "keystore.passphrase",
        /// Changing what a key is called.
        KeyLabel = "key.label",
        /// Signing the transcript of a key ceremony.
        KeyCeremony = "key.ceremony",
        /// Signing rules of access of the institution's own.
        RulesSign = "rules.sign",
        /// Taking rules into use that were signed. Done by the service itself.
        RulesTake = "rules.take",
        /// Having the service go back to the rules that it ships with.
        RulesShipped = "rules.shipped",
        /// Founding the authorities and putting the first two operators on record, once.
        ServiceInit = "service.init",
        /// Making an operator where there are not two. Done with the keystore's passphrase.
        OperatorFound = "operator.found",
    }
}
