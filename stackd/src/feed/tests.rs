//! Who hears what, and what happens to who does not listen.

use core::time::Duration;

use layer::Reason;

use super::*;

const NOW: Duration = Duration::ZERO;

fn note(feed: &Feed) {
    feed.note("toy", &Note::Dropped(Reason::LinkRunt));
}

/// A stage that remembers whether its notes are wanted.
#[derive(Default)]
struct Toy(AtomicUsize);

impl Noting for Toy {
    fn listen(&self, on: bool) {
        self.0.store(usize::from(on), Ordering::Relaxed);
    }

    fn name(&self) -> &'static str {
        "toy"
    }
}

#[test]
fn notes_are_made_only_while_somebody_wants_them() {
    let (feed, stage) = (Feed::new(), Arc::new(Toy::default()));
    let noting: Arc<dyn Noting> = stage.clone();
    feed.add(&noting);
    let wanted = || stage.0.load(Ordering::Relaxed) == 1;
    assert!(!wanted());
    let first = feed.subscribe(Interest::Notes).unwrap();
    let second = feed.subscribe(Interest::Frames(Filter::default())).unwrap();
    assert!(wanted());
    drop(first);
    assert!(wanted());
    drop(second);
    assert!(!wanted());
}

#[test]
fn everybody_hears_everything_once() {
    let feed = Feed::new();
    note(&feed);
    let (first, second) =
        (feed.subscribe(Interest::Notes).unwrap(), feed.subscribe(Interest::Notes).unwrap());
    note(&feed);
    for subscription in [first, second] {
        assert!(matches!(subscription.next(NOW), Some(Seen::Note { stage: "toy", .. })));
        assert!(subscription.next(NOW).is_none());
    }
}

#[test]
fn who_does_not_listen_loses_and_is_told_how_much() {
    let feed = Feed::new();
    let mut slow = feed.subscribe(Interest::Notes).unwrap();
    for _ in 0..QUEUE + 5 {
        note(&feed);
    }
    assert_eq!((slow.lost(), slow.lost()), (5, 0));
    assert!(slow.next(NOW).is_some());
    note(&feed);
    assert_eq!(slow.lost(), 0);
}

#[test]
fn frames_are_bounded_by_their_bytes_too() {
    let feed = Feed::new();
    let mut slow = feed.subscribe(Interest::Frames(Filter::default())).unwrap();
    let frame = |bytes: usize| {
        let packet = PacketBuf::copy_from(&vec![0; bytes]);
        let (interface, direction) = (InterfaceId(0), Direction::In);
        Seen::Frame(Box::new(SeenFrame { unix_ns: 0, interface, direction, packet }))
    };
    let half = BYTES / 2;
    for _ in 0..3 {
        slow.subscriber.offer(frame(half));
    }
    assert_eq!(slow.lost(), 1);
    assert!(slow.next(NOW).is_some());
    slow.subscriber.offer(frame(half));
    assert_eq!(slow.lost(), 0);
}

#[test]
fn there_are_so_many_subscribers_and_no_more() {
    let feed = Feed::new();
    let mut all: Vec<Subscription> =
        (0..SUBSCRIBERS).map(|_| feed.subscribe(Interest::Notes).unwrap()).collect();
    assert!(feed.subscribe(Interest::Notes).is_none());
    all.pop();
    assert!(feed.subscribe(Interest::Notes).is_some());
}
