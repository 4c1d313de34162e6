use super::*;
use crate::ledger::Noun;

const BOOK: &str = "book";

fn order(number: u32) -> MessageId {
    Noun::Order.number(number)
}

fn shelf(left: i64) -> (tempfile::TempDir, Shelf) {
    let dir = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::open(dir.path()).unwrap();
    shelf.stock(&[BOOK, "lamp"], left).unwrap();
    (dir, shelf)
}

#[test]
fn the_last_one_is_taken_once() {
    let (_dir, mut shelf) = shelf(1);
    let mut take = |n| shelf.take_if_any(order(n), BOOK).unwrap();
    assert_eq!(take(1), Taking::Taken);
    assert_eq!(take(1), Taking::Before);
    assert_eq!(take(2), Taking::SoldOut);
    assert_eq!(take(2), Taking::SoldOut);
    assert_eq!(shelf.left(BOOK).unwrap(), 0);
    assert_eq!(shelf.left("lamp").unwrap(), 1);
    assert_eq!(shelf.oversold().unwrap(), []);
    assert_eq!(shelf.trail(order(1)).unwrap(), [Step::Taken]);
    assert_eq!(shelf.trail(order(2)).unwrap(), [Step::SoldOut]);
    shelf.stock(&[BOOK], 1).unwrap();
    assert!(shelf.take_if_any(order(2), BOOK).unwrap().has_it());
}

#[test]
fn two_who_looked_before_sell_one_too_many() {
    let (dir, mut one) = shelf(1);
    let mut two = Shelf::open(dir.path()).unwrap();
    assert_eq!((one.left(BOOK).unwrap(), two.left(BOOK).unwrap()), (1, 1));
    one.take_blindly(order(1), BOOK).unwrap();
    two.take_blindly(order(2), BOOK).unwrap();
    assert_eq!(one.oversold().unwrap(), [(BOOK.to_owned(), -1)]);
    one.take_blindly(order(1), BOOK).unwrap();
    assert_eq!(two.trail(order(1)).unwrap(), [Step::Taken; 2]);
}

#[test]
fn many_at_once_take_what_is_there() {
    let (dir, shelf) = shelf(10);
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let mut shelf = Shelf::open(dir.path()).unwrap();
                scope.spawn(move || {
                    let orders = (thread * 5..thread * 5 + 5).map(order);
                    let take = |order| shelf.take_if_any(order, BOOK).unwrap();
                    orders.map(take).filter(|t| t.has_it()).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((taken, shelf.left(BOOK).unwrap()), (10, 0));
}

#[test]
fn a_step_noted_once_is_noted_once() {
    let (_dir, mut shelf) = shelf(0);
    let order = order(1);
    assert_eq!(shelf.take_if_any(order, BOOK).unwrap(), Taking::SoldOut);
    assert!(shelf.note_once(order, Step::Refunded).unwrap());
    assert!(!shelf.note_once(order, Step::Refunded).unwrap());
    shelf.note(order, Step::CustomerTold).unwrap();
    shelf.note(order, Step::CustomerTold).unwrap();
    let trail = shelf.trail(order).unwrap();
    let trail: Vec<_> = trail.iter().map(ToString::to_string).collect();
    let told = "customer told";
    assert_eq!(trail, ["sold out", "refunded", told, told]);
}

#[test]
fn nothing_is_taken_of_what_the_shelf_never_had() {
    let (_dir, mut shelf) = shelf(1);
    assert!(shelf.left("moon").is_err());
    assert!(shelf.take_blindly(order(1), "moon").is_err());
    assert_eq!(shelf.trail(order(1)).unwrap(), []);
}
