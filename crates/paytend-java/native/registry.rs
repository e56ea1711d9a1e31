//! The registry of objects to which Java refers by number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use paytend_bindings::{Code, Failure, Keyring, PrivateKey, PublicKey, Receiver};

pub(crate) enum Thing {
    Private(PrivateKey),
    Public(PublicKey),
    Keyring(Keyring),
    Receiver(Receiver),
}

static THINGS: LazyLock<RwLock<HashMap<i64, Arc<Thing>>>> = LazyLock::new(RwLock::default);
static NEXT: AtomicI64 = AtomicI64::new(1);

pub(crate) fn keep(thing: Thing) -> i64 {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    THINGS.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(thing));
    number
}

pub(crate) fn drop(number: i64) {
    THINGS.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
}

/// Returns the object with a number. An object that is closed during a call is freed after the call.
pub(crate) fn get(number: i64) -> Result<Arc<Thing>, Failure> {
    let things = THINGS.read().unwrap_or_else(PoisonError::into_inner);
    things.get(&number).cloned().ok_or_else(|| Failure::new(Code::Usage, "the key, keyring or receiver is closed"))
}

fn other() -> Failure {
    Failure::new(Code::Internal, "the object has the wrong type")
}

impl Thing {
    pub(crate) fn private(&self) -> Result<&PrivateKey, Failure> {
        if let Self::Private(key) = self { Ok(key) } else { Err(other()) }
    }

    pub(crate) fn public(&self) -> Result<&PublicKey, Failure> {
        if let Self::Public(key) = self { Ok(key) } else { Err(other()) }
    }

    pub(crate) fn keyring(&self) -> Result<&Keyring, Failure> {
        if let Self::Keyring(keyring) = self { Ok(keyring) } else { Err(other()) }
    }

    pub(crate) fn receiver(&self) -> Result<&Receiver, Failure> {
        if let Self::Receiver(receiver) = self { Ok(receiver) } else { Err(other()) }
    }
}
