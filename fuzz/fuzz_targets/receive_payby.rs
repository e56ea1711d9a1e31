//! Receives an arbitrary body as a notification from PayBy.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paytend_fuzz::{NoSecurity, receive_detached};
use paytend_webhook::PayByReceiver;

static RECEIVER: LazyLock<PayByReceiver> =
    LazyLock::new(|| PayByReceiver::new([NoSecurity::public()]).expect("valid key"));

fuzz_target!(|body: &[u8]| receive_detached(&*RECEIVER, body));
