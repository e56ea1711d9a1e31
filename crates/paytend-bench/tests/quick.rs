//! Runs the benchmarks for a short time, to check that they still work.

use std::process::Command;

#[test]
fn quick_benchmarks_succeed() {
    let status = Command::new(env!("CARGO_BIN_EXE_paytend-bench")).arg("--quick").status();
    assert!(status.is_ok_and(|status| status.success()), "the output of the benchmarks shows what failed");
}
