//! What is kept of a person, wherever it was said.

use ticketing_core::{
    outbox::Erasure,
    person::{Link, Person},
    ticketing::Reach,
};

use crate::world::World;

#[tokio::test]
async fn a_followup_is_told_once_with_its_ticket_or_by_itself() {
    let world = World::new().await;
    let about = world.call("Hortense Vermicelle n’a plus d’écran").await.entry.reference;
    let to_it = world.followup(&about, "1", "Hortense Vermicelle attend").await.entry.reference;
    let quiet = world.followup(&about, "2", "c’est urgent").await.entry.reference;
    let other = world.call("panne").await.entry.reference;
    let alone = world.followup(&other, "3", "voir Hortense Vermicelle").await.entry.reference;

    let person = Person::parse("Mme Vermicelle Hortense").unwrap();
    let found = world.ticketing.find_caller(&person, None).await.unwrap().rows;
    let told: Vec<_> = found.iter().map(|hit| (&hit.entry.reference, hit.link)).collect();
    assert_eq!(told, [&about, &to_it, &quiet, &alone].map(|row| (row, Link::Mentioned)));

    let left = world.ticketing.erase_caller(&person, Reach::default(), None).await.unwrap().rows;
    assert!(left.iter().all(|row| row.erasure.is_none()), "{left:?}");
    let reach = Reach { mentioned: true, ..Reach::default() };
    let erased = world.ticketing.erase_caller(&person, reach, None).await.unwrap().rows;
    assert_eq!(erased.len(), 4);
    assert!(erased.iter().all(|row| row.erasure == Some(Erasure::Erased)), "{erased:?}");
    assert_eq!(world.ticketing.find_caller(&person, None).await.unwrap().rows, []);
}
