//! Finds the end and the members of an object at the start of arbitrary bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use paytend_json::{Flaw, members, object_end};
use paytend_model::iban::IbanTransaction;
use paytend_model::payby::TransferToBankNotification;
use paytend_model::{Content, Payload};
use serde_json::value::RawValue;

fuzz_target!(|text: &[u8]| {
    if let Ok(end) = object_end(text) {
        // Without the data after the object, `object_end` finds the same end, and `members` lists the members. Both can
        // also report that the object is ambiguous.
        let alone = object_end(&text[..end]);
        assert!(alone == Ok(end) || alone == Err(Flaw::Ambiguous), "{alone:?}");
        assert!(matches!(members(&text[..end]), Ok(_) | Err(Flaw::Ambiguous)));
    }
    // For an object that a strict parser accepts, `object_end` finds the same end.
    if let Ok(raw) = serde_json::from_slice::<&RawValue>(text)
        && raw.get().starts_with('{')
    {
        assert_eq!(object_end(text), Ok(text.len()));
        assert!(members(text).is_ok());
    }
    if let Ok(deposit) = IbanTransaction::read_lenient(text) {
        let written = serde_json::to_vec(&deposit).expect("cannot write a payload that was read");
        let again = IbanTransaction::read_lenient(&written).expect("cannot read the written payload");
        assert_eq!((again.order_no, again.amount), (deposit.order_no, deposit.amount));
    }
    if let Content::Unreadable(raw) | Content::Unknown(raw) = TransferToBankNotification::read(text) {
        assert_eq!(raw.content, text);
    }
});
