//! Time stamps: numbers are given once, and time does not go back.

use super::*;

#[tokio::test]
async fn a_number_is_stamped_once_and_no_time_before_the_last() {
    let place = Place::new();
    let slack = Duration::SECOND;
    let stamp = async |store: &Store, serial: &str, at| {
        store.record_time_stamp(serial.to_owned(), at, slack, act("time-stamp.issue")).await
    };
    {
        let store = place.open();
        stamp(&store, "01", NOW).await.unwrap();
        let twice = stamp(&store, "01", NOW).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(Unique::Id))), "{twice:?}");
        // What is made at the same time may come in another order.
        stamp(&store, "02", NOW - slack).await.unwrap();
    }
    // Also after a start.
    let store = place.open();
    let size = store.log_size();
    let back = stamp(&store, "03", NOW - slack - Duration::MICROSECOND).await;
    let conflict = matches!(back, Err(StoreError::Conflict(Obstacle::LaterTimeStamp)));
    assert!(conflict, "{back:?}");
    assert!(matches!(stamp(&store, "02", NOW).await, Err(StoreError::Duplicate(Unique::Id))));
    assert_eq!(store.log_size(), size);
    stamp(&store, "03", NOW + Duration::DAY).await.unwrap();
    assert_eq!(store.log_size(), size + 1);
}
