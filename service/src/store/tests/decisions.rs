//! Reading the decisions of a log that is in use.

use super::*;

fn all(mut log: DecisionLog, limit: u32) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let page = log.page(limit).unwrap();
        assert!(page.len() <= limit as usize);
        if page.is_empty() {
            return found;
        }
        found.extend(page.iter().map(|entry| entry.position));
    }
}

#[tokio::test]
async fn decisions_are_read_in_the_order_of_time_without_loss_while_others_are_made() {
    let place = Place::new();
    let store = place.open();
    // Of two acts, many in one moment, one of before after the others.
    let acts = ["token.issue", "token.explain", "card.read", "token.issue", "token.issue"];
    for (at, action) in acts.iter().cycle().take(15).enumerate() {
        let minute = if at == 14 { 0 } else { at as i64 / 8 };
        store.record_act(act_at(action, NOW + Duration::minutes(minute))).await.unwrap();
    }
    let expected = [0, 1, 3, 4, 5, 6, 14, 8, 9, 10, 11, 13];
    for limit in [1, 2, 3, 5, 100] {
        let log = DecisionLog::open(&place.path(), None).unwrap();
        store.record_act(act("token.issue")).await.unwrap();
        let found: Vec<_> = all(log, limit).into_iter().filter(|it| *it < 15).collect();
        assert_eq!(found, expected, "{limit}");
    }
    let mut log = DecisionLog::open(&place.path(), None).unwrap();
    let size = store.log_size();
    store.record_act(act("token.issue")).await.unwrap();
    assert!(log.page(100).unwrap().iter().all(|entry| entry.position < size), "those of then");
    let later = DecisionLog::open(&place.path(), Some(NOW + Duration::minutes(1))).unwrap();
    assert_eq!(all(later, 2), [8, 9, 10, 11, 13]);
}
