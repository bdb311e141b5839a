//! `kill -9` at random moments: no acknowledged stroke is lost, none is doubled, and everybody has the same order.

use std::{collections::HashSet, env, time::Duration};

use artnest::wire::{Op, PointsWriter};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use crate::support::{Client, Door, Replica, Server, dot, key, scratch, stroke};

const CRASHES: u32 = 50;
const CLIENTS: i32 = 4;
/// A crash comes this long after its round began, at the latest.
const CRASH_MILLIS_MAX: u64 = 250;

#[tokio::test]
async fn fifty_crashes_lose_no_acknowledged_stroke_and_keep_one_order_everywhere() {
    let seed = seed();
    println!("to repeat this run: ARTNEST_CRASH_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let directory = scratch();
    let mut server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut people: Vec<Person> = (0..CLIENTS).map(|number| Person::new(room.as_artist(), number)).collect();
    for _ in 0..CRASHES {
        let pause = Duration::from_millis(rng.random_range(0..=CRASH_MILLIS_MAX));
        let draw = people.iter_mut().map(Person::draw_until_lost);
        tokio::join!(futures_util::future::join_all(draw), async {
            tokio::time::sleep(pause).await;
            server.kill();
        });
        server.start_again().await;
    }
    let mut pictures = Vec::new();
    let (mut acked, mut drawn) = (0, 0);
    for person in &mut people {
        person.finish().await;
        acked += person.acked.len();
        drawn += person.queue.len();
    }
    for person in &mut people {
        person.look(u64::try_from(drawn).unwrap()).await;
        let replica = &person.replica;
        pictures.push(replica.picture());
        for &number in &person.acked {
            let times =
                replica.log.iter().filter(|&&(_, member, known)| (member, known) == (person.member, number));
            assert_eq!(times.count(), 1, "stroke {number} of member {} was acknowledged", person.member);
        }
    }
    println!("{CRASHES} crashes: {drawn} strokes drawn, {acked} acknowledged while drawing");
    assert!(acked > 0, "nothing was ever acknowledged, so nothing was tested");
    assert_eq!(pictures[0].len(), drawn, "every stroke once");
    assert!(pictures.windows(2).all(|pair| pair[0] == pair[1]), "one order everywhere");
}

fn seed() -> u64 {
    let given = env::var("ARTNEST_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| rand::rng().next_u64())
}

/// Somebody with a queue that outlives connections.
struct Person {
    door: Door,
    key: [u8; 16],
    member: u32,
    log_id: u64,
    replica: Replica,
    /// Every stroke that was ever drawn, by its number less one.
    queue: Vec<PointsWriter>,
    /// Up to here the server has decided.
    decided: u32,
    /// What was acknowledged on a connection that was lost later.
    acked: HashSet<u32>,
    next_x: i32,
}

impl Person {
    fn new(door: Door, number: i32) -> Person {
        Person {
            door,
            key: key(),
            member: 0,
            log_id: 0,
            replica: Replica::default(),
            queue: Vec::new(),
            decided: 0,
            acked: HashSet::new(),
            next_x: number * 100_000,
        }
    }

    async fn join(&mut self) -> Option<Client> {
        let replica = std::mem::take(&mut self.replica);
        let (seq, log_id) = (replica.seq, self.log_id);
        let joined = self.door.resume(self.key, "Ada", log_id, replica).await;
        let Ok(client) = joined else {
            // The replica went with the connection; begin anew.
            self.log_id = 0;
            return None;
        };
        assert!(log_id == 0 || client.welcome.resumes, "it resumes from {seq}");
        assert!(client.welcome.last_op >= self.decided, "what was decided stays decided");
        self.member = client.member();
        self.log_id = client.welcome.log_id;
        self.decided = client.welcome.last_op;
        Some(client)
    }

    /// Sends what is undecided, then draws and draws, until the connection is lost.
    async fn draw_until_lost(&mut self) {
        let Some(mut client) = self.join().await else { return };
        client.next = self.decided + 1;
        let waiting = &self.queue[self.decided as usize..];
        let undecided: Vec<Op<'_>> = waiting.iter().map(stroke).collect();
        for some in undecided.chunks(100) {
            client.send(some.iter().copied()).await;
        }
        while client.end.is_none() {
            let dot = dot(self.next_x);
            self.next_x += 1;
            client.send([stroke(&dot)]).await;
            self.queue.push(dot);
            let pause = tokio::time::sleep(Duration::from_millis(2));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = client.take() => {}
                    () = &mut pause => break,
                }
                if client.end.is_some() {
                    break;
                }
            }
        }
        self.acked.extend(1..=client.acked);
        self.decided = client.acked.max(self.decided);
        self.replica = client.leave();
    }

    /// Sends what is undecided, and waits for it.
    async fn finish(&mut self) {
        let mut client = self.join().await.expect("the server is up");
        client.next = self.decided + 1;
        let last = u32::try_from(self.queue.len()).expect("not so many");
        let waiting = &self.queue[self.decided as usize..];
        if !waiting.is_empty() {
            client.act(waiting.iter().map(stroke)).await;
        }
        assert_eq!((client.acked, &client.refused), (last, &Vec::new()));
        self.replica = client.leave();
    }

    /// What the room looks like in the end.
    async fn look(&mut self, seq: u64) {
        let mut client = self.join().await.expect("the server is up");
        client.settle(seq).await;
        self.replica = client.leave();
    }
}
