//! Rules of access that were signed: they go forward, and back to the shipped ones only when somebody says so.

use super::*;

fn rules(version: u32, digest: u8) -> NewRules {
    let texts = ["rules", "access", "cases"].map(|text| format!("{text} {version}"));
    NewRules { version, digest: [digest; 32], manifest: "manifest".to_owned(), texts, at: NOW }
}

async fn take(store: &Store, version: u32, digest: u8) -> Taken {
    store.record_rules_taken(rules(version, digest), act("rules.take")).await.unwrap()
}

#[tokio::test]
async fn versions_go_forward_and_one_version_is_one_set_of_rules() {
    let place = Place::new();
    {
        let store = place.open();
        assert_eq!(store.rules().await.unwrap().in_use, RulesInUse::Shipped);
        assert!(matches!(take(&store, 3, 1).await, Taken::Recorded(_)));
    }
    // Also after a start.
    let store = place.open();
    let size = store.log_size();
    for (version, digest, expected) in [
        (3, 1, Taken::Before),
        (2, 1, Taken::Refused(OutOfTurn::Older { last: 3 })),
        (3, 2, Taken::Refused(OutOfTurn::OtherTexts)),
    ] {
        assert_eq!(take(&store, version, digest).await, expected, "{version}");
    }
    assert_eq!(store.log_size(), size, "nothing was changed");
    assert!(matches!(take(&store, 5, 2).await, Taken::Recorded(_)));
    assert_eq!(take(&store, 4, 3).await, Taken::Refused(OutOfTurn::Older { last: 5 }));
    let record = store.rules().await.unwrap();
    assert_eq!(record.highest, Some((5, [2; 32])));
    let texts = rules(5, 2).texts;
    assert_eq!(record.in_use, RulesInUse::Signed { version: 5, digest: [2; 32], texts });
}

#[tokio::test]
async fn whoever_goes_back_to_the_shipped_rules_says_so_and_versions_go_on() {
    let place = Place::new();
    let store = place.open();
    let back = async || store.record_rules_shipped(NOW, act("rules.shipped")).await.unwrap();
    assert_eq!(back().await, Change::None, "they are in use");
    take(&store, 3, 1).await;
    assert!(store.rules().await.unwrap().uses(3));
    assert!(matches!(back().await, Change::Recorded(_)));
    assert_eq!(back().await, Change::None);
    let record = store.rules().await.unwrap();
    assert_eq!(record.in_use, RulesInUse::Shipped);
    assert_eq!(record.admit(2, &[1; 32]), Err(OutOfTurn::Older { last: 3 }));
    assert_eq!(record.admit(3, &[2; 32]), Err(OutOfTurn::OtherTexts));
    // The same ones again are on record again: from then on the shipped ones are not used.
    assert!(matches!(take(&store, 3, 1).await, Taken::Recorded(_)));
    assert!(store.rules().await.unwrap().uses(3));
}

#[tokio::test]
async fn of_two_at_once_one_version_is_taken_once() {
    let place = Place::new();
    let store = place.open();
    let all = (0..16_u8).map(|digest| {
        let store = store.clone();
        tokio::spawn(async move { (digest, take(&store, 7, digest % 4).await) })
    });
    let mut taken = Vec::new();
    for answer in all.collect::<Vec<_>>() {
        taken.push(answer.await.unwrap());
    }
    let recorded: Vec<_> =
        taken.iter().filter(|(_, it)| matches!(it, Taken::Recorded(_))).collect();
    let [(won, _)] = recorded[..] else { panic!("{taken:?}") };
    for (digest, answer) in taken.iter().filter(|(digest, _)| digest % 4 != won % 4) {
        assert_eq!(*answer, Taken::Refused(OutOfTurn::OtherTexts), "{digest}");
    }
    assert_eq!(store.rules().await.unwrap().highest, Some((7, [won % 4; 32])));
    assert_eq!(RulesRecord::of(&place.path()).unwrap(), store.rules().await.unwrap());
}
