//! For how long events stay in the files.

use super::*;

#[tokio::test]
async fn an_event_of_most_of_a_channel_makes_way_for_the_next_once_it_is_acknowledged() {
    let files = Files { bytes: 1 << 10, ..Files::new() };
    let (_store, log) = files.start();
    let cursor = log.subscribe("shop/stock").unwrap();
    let large = |id: u32| Arc::new(Event { data: Some(vec![7; 600]), ..event(&id.to_string()) });
    for id in 0..3 {
        let room = async {
            loop {
                match log.reserve(vec![large(id)]) {
                    Ok(room) => return room,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let room = tokio::time::timeout(Duration::from_secs(10), room).await.expect("room for the next one");
        room.commit().await.unwrap();
        let taken = take(&cursor).await;
        assert_eq!(taken.event.id, id.to_string());
        assert!(log.reserve(vec![large(id + 1)]).is_err(), "while it is in flight there is none");
        cursor.ack(taken.position);
    }
}

#[tokio::test]
async fn housekeeping_between_the_start_and_the_subscriptions_removes_nothing_that_they_need() {
    let files = Files { bytes: 256 << 10, ..Files::new() };
    {
        let (_store, log) = files.start();
        log.subscribe("shop/behind").unwrap();
        for id in 0..20 {
            let large = Event { data: Some(vec![7; 8 << 10]), ..event(&id.to_string()) };
            log.reserve(vec![Arc::new(large)]).unwrap().commit().await.unwrap();
        }
        log.subscribe("shop/ahead").unwrap();
    }
    assert!(files.segments().len() > 3, "{:?}", files.segments());
    let directory = files.directory.path();
    let settings = FileSettings { directory: directory.to_owned(), bytes: files.bytes, age: None };
    let log = FileLog::open(CHANNEL, &directory.join("shop%2Forders"), &settings, &Arc::default()).unwrap();
    log.maintain(false);
    let _ahead = log.subscribe("shop/ahead").unwrap();
    log.maintain(false);
    let behind = log.subscribe("shop/behind").unwrap();
    assert_eq!((take_ids(&behind, 20).await, behind.figures().lost), (ids(0..20), 0));
}
