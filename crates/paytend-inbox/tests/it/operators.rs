//! Checks which operator actions are recorded, and by whom.

use std::collections::BTreeSet;

/// Operator actions that the caller records with `StoreAdmin::record`. The tests of `paytend inbox` check that the
/// commands record them.
const RECORDED_BY_CALLER: [&str; 3] = ["redrive", "bury", "erase"];
/// Operator actions that the store records. The conformance suite checks that stores do so.
const RECORDED_BY_STORE: [&str; 1] = ["show"];
/// Methods that show no content and remove nothing, and `drop_payloads`, which the service calls after the retention.
const UNRECORDED: [&str; 8] = ["list", "stats", "check", "clock", "drop_payloads", "record", "audit", "probe"];

/// A new method must be added to one of the lists.
#[test]
fn every_method_of_the_operator_interface_is_in_one_of_the_lists() {
    let source = include_str!("../../src/store.rs").split("pub trait StoreAdmin").nth(1).unwrap();
    let methods = source.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split(['(', '<']).next());
    let listed = RECORDED_BY_CALLER.into_iter().chain(RECORDED_BY_STORE).chain(UNRECORDED);
    assert_eq!(methods.collect::<BTreeSet<_>>(), listed.collect::<BTreeSet<_>>());
}
