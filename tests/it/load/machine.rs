//! What the kernel tells is read as it is written.

use std::time::Duration;

use super::program::machine::{
    Dropped, Memory,
    kernel::parse_busy,
    process::{parse_stat, used_by},
};

#[test]
fn dropped_connections_are_found_by_their_names() {
    let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPAbort\n\
                   TcpExt: 1 27 31 4\n\
                   IpExt: InNoRoutes ListenDrops\nIpExt: 5 6\n";

    let dropped = Dropped::parse(netstat);

    assert_eq!(dropped, Dropped { overflows: 27, drops: 31 });
    assert_eq!(dropped.since(Dropped { overflows: 20, drops: 30 }), Dropped { overflows: 7, drops: 1 });
    assert_eq!(Dropped::parse(""), Dropped::default());
}

#[test]
fn processor_time_is_found_behind_any_name_of_a_program() {
    let stat = "4242 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4";

    assert_eq!(parse_stat(stat), Duration::from_secs(2));
    assert_eq!(parse_stat(""), Duration::ZERO);
}

#[test]
fn idle_time_is_not_busy_and_guests_are_counted_once() {
    let stat = "cpu  100 10 50 9000 500 5 15 20 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";

    assert_eq!(parse_busy(stat), Duration::from_secs(2));
}

#[test]
fn memory_is_what_is_resident_its_share_and_its_own() {
    let rollup = "55-7f ---p 00000000 00:00 0    [rollup]\nRss:    1640 kB\nPss:     238 kB\nPss_Anon:  112 kB\n\
                  Private_Clean:        40 kB\nPrivate_Dirty:       112 kB\n";

    let memory = Memory::parse(rollup);

    assert_eq!(memory, Memory { resident: 1_640.0, proportional: 238.0, private: 152.0 });
    let each = memory.per_each(Memory { resident: 640.0, proportional: 38.0, private: 52.0 }, 100);
    assert_eq!(each, Memory { resident: 10.0, proportional: 2.0, private: 1.0 });
}

#[test]
fn this_process_uses_time_and_memory() {
    let own = std::process::id();
    // Until the kernel's coarse count moves.
    while used_by(own).is_zero() {
        std::hint::black_box((0..1_000_000_u64).sum::<u64>());
    }

    assert!(Memory::of(own).resident > 1_000.0);
}
