//! Tells the linker what a Node addon wants.

fn main() {
    napi_build::setup();
}
