module github.com/paytend-rs/paytend-rs/crates/paytend-ffi/go

go 1.22
