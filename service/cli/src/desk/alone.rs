//! A card that is read without the service: what it says, what it proves to the desk's SAM, and whether
//! it is to be served.

use std::time::Duration;

use card::{
    CardFactor, FreeReading, HolderData, IdentityReading, ReadError,
    offline::{Proof, Refusal, Standing},
    session::IssuerSummary,
    status_list::{Level, Listing, Reason},
};
use time::Date;

use crate::text::{Problem, problems};

/// What a card said without the service.
pub(super) struct Said {
    pub(super) factor: CardFactor,
    pub(super) issuer: IssuerSummary,
    pub(super) commands: u32,
    pub(super) proof: Proof,
    /// Whose it is, when it proved to be genuine and is to be served.
    pub(super) person: Option<Person>,
    /// Why the card itself is a reason not to serve it.
    pub(super) fault: Option<Refusal>,
}

/// What a genuine card says of its holder.
pub(super) struct Person {
    pub(super) holder: HolderData,
    pub(super) valid_until: Date,
}

impl Said {
    /// What the SAM made of the card whose free data was read before. A SAM that cannot compute
    /// proves nothing, as if there were none; any other failure is the card's.
    pub(super) fn judged(
        free: FreeReading,
        read: Result<IdentityReading, ReadError>,
    ) -> Result<Self, ReadError> {
        let faulty =
            |free, proof, fault| Ok(Self { proof, fault: Some(fault), ..Self::from(free) });
        match read {
            Ok(read) => {
                let IdentityReading { factors, issuer, valid_until, holder, commands } = read;
                let commands = free.commands + commands;
                let person = Some(Person { holder, valid_until });
                let (factor, proof) = (factors.card, Proof::Genuine);
                Ok(Self { factor, issuer, commands, proof, person, fault: None })
            }
            Err(ReadError::NotGenuine { .. }) => faulty(free, Proof::Forged, Refusal::NotGenuine),
            Err(ReadError::Expired { .. }) => faulty(free, Proof::Genuine, Refusal::Expired),
            Err(ReadError::Inconsistent(_)) => faulty(free, Proof::Genuine, Refusal::Inconsistent),
            Err(ReadError::Security(_)) => Ok(Self::from(free)),
            Err(other) => Err(other),
        }
    }
}

impl From<FreeReading> for Said {
    fn from(free: FreeReading) -> Self {
        let FreeReading { factor, issuer, commands } = free;
        Self { factor, issuer, commands, proof: Proof::None, person: None, fault: None }
    }
}

/// A card that was seen without the service, and what comes of it.
pub(super) struct Seen {
    pub(super) said: Said,
    /// Number and age of the list that was looked into.
    pub(super) list: Option<(u64, Duration)>,
    /// What it said.
    pub(super) listing: Option<Listing>,
}

impl Seen {
    /// Holds what a card said against what the list says of it. Of a card that is not to be served
    /// nobody is told whose it is.
    pub(super) fn new(said: Said, list: Option<(u64, Duration)>, listing: Option<Listing>) -> Self {
        let mut seen = Self { said, list, listing };
        if seen.refusal().is_some() {
            seen.said.person = None;
        }
        seen
    }

    pub(super) fn standing(&self) -> Standing {
        match (self.list, self.listing) {
            (None, _) => Standing::NoList,
            (Some(_), None) => Standing::NotListed,
            (Some(_), Some(Listing { level: Level::Grey, .. })) => Standing::Grey,
            (Some(_), Some(Listing { level: Level::Black, .. })) => Standing::Black,
        }
    }

    /// Why the card is not to be served. A forged card is none that could be listed.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match (self.said.fault, self.listing) {
            (Some(Refusal::NotGenuine), _) => Some(Refusal::NotGenuine),
            (_, Some(_)) => Some(Refusal::Listed),
            (fault, None) => fault,
        }
    }

    /// The same in words.
    pub(super) fn problem(&self) -> Option<Problem> {
        Some(match (self.refusal()?, self.listing.map(|listing| listing.reason)) {
            (Refusal::NotGenuine, _) => problems::CARD_NOT_GENUINE,
            (Refusal::Expired, _) => problems::CARD_EXPIRED,
            (Refusal::Inconsistent, _) => problems::CARD_INCONSISTENT,
            (Refusal::Listed, Some(Reason::Loss)) => problems::CARD_LOST,
            (Refusal::Listed, Some(Reason::IllegalUse)) => problems::CARD_BLACKLISTED,
            (Refusal::Listed, Some(Reason::Frozen)) => problems::CARD_FROZEN,
            (Refusal::Listed, Some(Reason::NotActivated)) => problems::CARD_NOT_ACTIVATED,
            (Refusal::Listed, Some(Reason::Cancelled) | None) => problems::CARD_CANCELLED,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free() -> FreeReading {
        let issuer = IssuerSummary {
            name: "虚构市卫生健康委员会".to_owned(),
            city: "990100".parse().unwrap(),
            card_number: "11010119000307473X".parse().unwrap(),
            chip_serial: "0000000001".parse().unwrap(),
        };
        FreeReading { factor: CardFactor([1; 8]), issuer, commands: 5 }
    }

    #[test]
    fn a_card_is_refused_for_what_weighs_most() {
        use Refusal as R;
        let black = |reason| Some(Listing { level: Level::Black, reason });
        let grey = |reason| Some(Listing { level: Level::Grey, reason });
        #[rustfmt::skip]
        let cases = [
            (None, None, None, ""),
            (None, black(Reason::Loss), Some(R::Listed), "CARD_LOST"),
            (None, black(Reason::Cancelled), Some(R::Listed), "CARD_CANCELLED"),
            (None, black(Reason::IllegalUse), Some(R::Listed), "CARD_BLACKLISTED"),
            (None, grey(Reason::Frozen), Some(R::Listed), "CARD_FROZEN"),
            (None, grey(Reason::NotActivated), Some(R::Listed), "CARD_NOT_ACTIVATED"),
            (Some(R::Expired), None, Some(R::Expired), "CARD_EXPIRED"),
            (Some(R::Expired), black(Reason::Loss), Some(R::Listed), "CARD_LOST"),
            (Some(R::Inconsistent), None, Some(R::Inconsistent), "CARD_INCONSISTENT"),
            (Some(R::NotGenuine), None, Some(R::NotGenuine), "CARD_NOT_GENUINE"),
            (Some(R::NotGenuine), black(Reason::Loss), Some(R::NotGenuine), "CARD_NOT_GENUINE"),
        ];
        for (fault, listing, refusal, reason) in cases {
            let said = Said { fault, ..Said::from(free()) };
            let seen = Seen::new(said, Some((7, Duration::from_secs(60))), listing);
            assert_eq!(seen.refusal(), refusal, "{fault:?}, {listing:?}");
            let told = seen.problem().map_or("", |problem| problem.reason);
            assert_eq!(told, reason, "{fault:?}, {listing:?}");
        }
        let unknown = Seen::new(Said::from(free()), None, None);
        assert_eq!((unknown.standing(), unknown.refusal()), (Standing::NoList, None));
    }

    #[test]
    fn only_the_card_is_to_blame_for_what_it_does() {
        use card::{CardKey, KeyVersion, SecurityError, Status, session::Inconsistency};
        let missing = SecurityError::NoKey { key: CardKey::IrkDdf1, version: KeyVersion::FIRST };
        let over = ReadError::Expired { valid_until: time::macros::date!(2020 - 01 - 01) };
        #[rustfmt::skip]
        let cases = [
            (ReadError::Security(missing), Proof::None, None),
            (ReadError::NotGenuine { status: Status::Done }, Proof::Forged, Some(Refusal::NotGenuine)),
            (over, Proof::Genuine, Some(Refusal::Expired)),
            (Inconsistency::CardNumber.into(), Proof::Genuine, Some(Refusal::Inconsistent)),
        ];
        for (error, proof, fault) in cases {
            let told = format!("{error:?}");
            let said = Said::judged(free(), Err(error)).unwrap();
            assert_eq!((said.proof, said.fault), (proof, fault), "{told}");
            assert!(said.person.is_none(), "{told}");
        }
        let removed = ReadError::Removed { at: card::session::Step::ProveGenuine };
        assert!(Said::judged(free(), Err(removed)).is_err());
    }
}
