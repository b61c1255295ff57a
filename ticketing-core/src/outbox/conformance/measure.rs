//! How fast the stores are. Not judged: machines differ. With a release build,
//! `cargo test --release -p ticketing-core --lib measure -- --ignored --nocapture` prints it.

use tokio::{task::JoinSet, time::Instant};

use super::*;

const CALLERS: usize = 32;
const CALLS: usize = 1000;
const BACKLOG: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long and judges nothing"]
async fn sqlite() {
    Store::in_a_file().await.examine(measure).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long and judges nothing"]
async fn postgres() {
    if let Some(store) = Store::in_a_schema().await {
        store.examine(measure).await;
    }
}

async fn measure(store: &mut Store) {
    println!("empty:         {:6.0} insert+settle pairs/s", pairs_per_second(store).await);

    let mut inserts = JoinSet::new();
    for _ in 0..CALLERS {
        let outbox = Arc::clone(&store.outbox);
        inserts.spawn(async move {
            for _ in 0..BACKLOG / CALLERS {
                outbox.insert(draft(), None, at(0)).await.unwrap();
            }
        });
    }
    inserts.join_all().await;
    println!("{BACKLOG} wait: {:6.0} insert+settle pairs/s", pairs_per_second(store).await);

    let started = Instant::now();
    store.restart().await;
    println!("opened in {:?}", started.elapsed());
    let started = Instant::now();
    store.claim(Claim { limit: 8, ..claim(10, lease(5, 60)) }).await;
    println!("first claim of 8 in {:?}", started.elapsed());
    let started = Instant::now();
    for token in 0..100 {
        store.claim(Claim { limit: 8, ..claim(10, lease(token, 60)) }).await;
    }
    println!("further claims of 8 in {:?} each", started.elapsed() / 100);
    let started = Instant::now();
    for _ in 0..100 {
        store.outbox.next_due().await.unwrap();
    }
    println!("next due in {:?} each", started.elapsed() / 100);
    let started = Instant::now();
    store.outbox.stats().await.unwrap();
    println!("statistics in {:?}", started.elapsed());
}

async fn pairs_per_second(store: &Store) -> f64 {
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let outbox = Arc::clone(&store.outbox);
        callers.spawn(async move {
            for _ in 0..CALLS {
                let inserted = outbox.insert(draft(), Some(lease(1, 60)), at(0)).await.unwrap();
                if let Inserted::New(entry) = inserted {
                    let delivered = Settlement::Delivered { glpi_id: 1 };
                    outbox.settle(&entry.reference, 1, delivered, at(1)).await.unwrap();
                }
            }
        });
    }
    callers.join_all().await;
    let pairs = u32::try_from(CALLERS * CALLS).unwrap();
    f64::from(pairs) / started.elapsed().as_secs_f64()
}
