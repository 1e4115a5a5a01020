//! The queue, by hand and against a naive one.

use proptest::prelude::*;

use super::*;

fn queue(per_key: usize, items: usize, bytes: usize) -> HoldQueue<u8, u32> {
    HoldQueue::new(&Limits {
        held_per_neighbour: per_key,
        held_packets: items,
        held_bytes: bytes,
        ..Limits::default()
    })
}

fn push(queue: &mut HoldQueue<u8, u32>, key: u8, bytes: usize, item: u32) -> Vec<u32> {
    let mut gone = Vec::new();
    queue.push(key, bytes, item, |item| gone.push(item));
    gone
}

// test: RFC 1122 2.3.2.2
#[test]
fn a_full_key_keeps_its_newest_in_order() {
    let mut queue = queue(2, 100, 1000);
    assert_eq!(push(&mut queue, 1, 1, 10), []);
    assert_eq!(push(&mut queue, 1, 1, 11), []);
    assert_eq!(push(&mut queue, 2, 1, 20), []);
    assert_eq!(push(&mut queue, 1, 1, 12), [10]);
    assert_eq!(queue.release(1), [11, 12]);
    assert_eq!(queue.release(1), []);
    assert_eq!(queue.release(2), [20]);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
}

#[test]
fn a_full_queue_loses_the_oldest_of_all() {
    let mut queue = queue(10, 2, 1000);
    push(&mut queue, 1, 1, 10);
    push(&mut queue, 2, 1, 20);
    assert_eq!(push(&mut queue, 3, 1, 30), [10]);
    assert!(!queue.waits(1) && queue.waits(2) && queue.waits(3));
}

#[test]
fn bytes_are_bounded_and_a_packet_beyond_the_bound_does_not_wait() {
    let mut queue = queue(10, 10, 100);
    push(&mut queue, 1, 60, 10);
    assert_eq!(push(&mut queue, 1, 60, 11), [10]);
    assert_eq!(push(&mut queue, 1, 101, 12), [11, 12]);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Push(u8, usize),
    Release(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..4, 0_usize..40).prop_map(|(key, bytes)| Step::Push(key, bytes)),
        1 => (0_u8..4).prop_map(Step::Release),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(laws::config(256))]

    /// The naive model: a list, thinned out from the front until every bound holds.
    #[test]
    fn equals_a_plain_list(steps in steps(), per_key in 1_usize..5, items in 1_usize..9) {
        let mut queue = queue(per_key, items, 100);
        let mut model: Vec<(u8, usize, u32)> = Vec::new();
        for (n, step) in (0_u32..).zip(steps) {
            match step {
                Step::Push(key, bytes) => {
                    let mut gone = Vec::new();
                    let of_key: Vec<usize> =
                        (0..model.len()).filter(|&at| model[at].0 == key).collect();
                    if of_key.len() >= per_key {
                        gone.push(model.remove(of_key[0]).2);
                    }
                    model.push((key, bytes, n));
                    while model.len() > items || model.iter().map(|m| m.1).sum::<usize>() > 100 {
                        gone.push(model.remove(0).2);
                    }
                    prop_assert_eq!(push(&mut queue, key, bytes, n), gone);
                }
                Step::Release(key) => {
                    let due: Vec<u32> =
                        model.iter().filter(|m| m.0 == key).map(|m| m.2).collect();
                    model.retain(|m| m.0 != key);
                    prop_assert_eq!(queue.release(key), due);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.bytes(), model.iter().map(|m| m.1).sum::<usize>());
        }
    }
}
