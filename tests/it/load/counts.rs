//! Losses, repeats, order and latency are counted as they are.

use std::time::Duration;

use super::program::{
    tally::{Numbers, Tally, Times},
    wire::Stamp,
};

const RUN: u64 = 2;

const fn stamp(channel: u64, number: u64) -> Stamp {
    Stamp { sent_ns: 1_000_000, number, channel, run: RUN }
}

/// Two viewers of channel 0 and one of channel 1, all up.
fn tally() -> Tally {
    let mut tally = Tally::default();
    for channel in [0, 0, 1] {
        let viewer = tally.add_viewer(channel);
        tally.came_up(viewer, 0);
    }
    tally.begin(RUN);
    tally
}

#[test]
fn an_event_is_owed_to_every_viewer_of_its_channel_and_to_no_other() {
    let mut tally = tally();
    for number in [0, 1, 130] {
        tally.take(stamp(0, number));
    }
    assert_eq!(tally.lost(), 6);

    for number in [0, 1, 130] {
        tally.deliver(0, stamp(0, number), 2_000_000);
    }
    tally.deliver(1, stamp(0, 1), 2_000_000);

    assert_eq!((tally.lost(), tally.deliveries), (2, 4));
    assert_eq!((tally.duplicates, tally.out_of_order, tally.strays), (0, 0, 0));
}

#[test]
fn repeats_late_ones_strays_and_other_runs_are_told_apart() {
    let mut tally = tally();
    for number in [0, 2, 1, 1] {
        tally.deliver(0, stamp(0, number), 2_000_000);
    }
    tally.deliver(2, stamp(0, 3), 2_000_000);
    tally.deliver(2, Stamp { run: 1, ..stamp(1, 0) }, 2_000_000);

    assert_eq!((tally.deliveries, tally.duplicates, tally.out_of_order, tally.strays), (3, 1, 1, 1));
    assert_eq!(tally.lost(), 0, "nothing was taken");
}

#[test]
fn an_event_taken_after_its_delivery_is_not_lost() {
    let mut tally = tally();
    tally.deliver(2, stamp(1, 0), 2_000_000);
    tally.take(stamp(1, 0));

    assert_eq!(tally.lost(), 0);
}

#[test]
fn a_new_run_forgets_what_was_seen_and_keeps_who_is_there() {
    let mut tally = tally();
    tally.take(stamp(0, 0));
    tally.deliver(0, stamp(0, 0), 2_000_000);
    tally.went_down(2);
    tally.went_down(2);

    tally.begin(RUN + 1);
    tally.deliver(0, stamp(0, 0), 2_000_000);

    assert_eq!((tally.up, tally.viewers.len(), tally.deliveries, tally.lost()), (2, 3, 0, 0));
}

#[test]
fn a_set_of_numbers_knows_what_another_lacks() {
    let (mut one, mut other) = (Numbers::default(), Numbers::default());
    for number in [0, 63, 64, 500] {
        assert!(one.insert(number));
        assert!(!one.insert(number));
    }
    other.insert(63);

    assert_eq!((one.missing_in(&other), other.missing_in(&one)), (3, 0));
}

#[test]
fn times_are_kept_to_three_digits_from_a_microsecond_to_ten_minutes() {
    let mut times = Times::default();
    assert_eq!(times.at(0.5).to_bits(), 0.0_f64.to_bits(), "of none");
    (1..=1_000).for_each(|micros| times.record(Duration::from_micros(micros)));

    assert!((times.at(0.5) - 0.5).abs() < 0.001, "{}", times.at(0.5));
    assert!((times.at(0.99) - 0.99).abs() < 0.001, "{}", times.at(0.99));
    times.record(Duration::from_secs(3_600));
    assert!((599_000.0..602_000.0).contains(&times.at(1.0)), "{}", times.at(1.0));
}
