//! Receives an arbitrary body as a notification from PayerMax.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paytend_fuzz::{NoSecurity, receive_detached};
use paytend_webhook::PayerMaxReceiver;

static RECEIVER: LazyLock<PayerMaxReceiver> =
    LazyLock::new(|| PayerMaxReceiver::new([("P01010113842047", NoSecurity::public())]).expect("valid key"));

fuzz_target!(|body: &[u8]| receive_detached(&*RECEIVER, body));
