//! SIGTERM: what was handed in is decided, everybody is told to come again, and nothing is lost.

use crate::support::{End, Server, dot, key, scratch, stroke};

#[tokio::test]
async fn a_stop_under_load_acknowledges_what_it_took_and_exits_cleanly() {
    let directory = scratch();
    let mut server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let ada_key = key();
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let mut idle = room.as_viewer().join("Idle").await;
    for x in 0..200 {
        ada.send([stroke(&dot(x))]).await;
        if x == 150 {
            server.ask_to_end();
        }
    }
    assert_eq!(ada.ended().await, End::Told(11));
    assert_eq!(idle.ended().await, End::Told(11));
    let acked = ada.acked;
    assert!(server.end().await.success(), "nothing was lost");
    server.start_again().await;
    let (log_id, replica) = (ada.welcome.log_id, ada.leave());
    let mut ada = room.as_artist().resume(ada_key, "Ada", log_id, replica).await.unwrap();
    assert_eq!(ada.welcome.last_op, acked, "what was taken was acknowledged");
    for x in i32::try_from(acked).unwrap()..200 {
        ada.send([stroke(&dot(x))]).await;
    }
    ada.until("all are decided", |ada| ada.acked == 200).await;
    ada.settle(200).await;
    let seen: Vec<i32> = ada.replica.picture().iter().map(|(_, points)| points[0].x).collect();
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
}
