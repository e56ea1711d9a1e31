//! The registry of native objects, which Java refers to by ID.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use paytend_bindings::{Code, Failure, Keyring, PrivateKey, PublicKey, Receiver};

pub(crate) enum Object {
    Private(PrivateKey),
    Public(PublicKey),
    Keyring(Keyring),
    Receiver(Receiver),
}

static OBJECTS: LazyLock<RwLock<HashMap<i64, Arc<Object>>>> = LazyLock::new(RwLock::default);
static NEXT: AtomicI64 = AtomicI64::new(1);

pub(crate) fn register(object: Object) -> i64 {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    OBJECTS.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(object));
    number
}

pub(crate) fn remove(number: i64) {
    OBJECTS.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
}

/// Returns the object with this ID. If the object is closed during a call that uses it, it is freed after the call.
pub(crate) fn get(number: i64) -> Result<Arc<Object>, Failure> {
    let objects = OBJECTS.read().unwrap_or_else(PoisonError::into_inner);
    objects.get(&number).cloned().ok_or_else(|| Failure::new(Code::Usage, "the key, keyring or receiver is closed"))
}

fn wrong_type() -> Failure {
    Failure::new(Code::Internal, "the object has the wrong type")
}

impl Object {
    pub(crate) fn private(&self) -> Result<&PrivateKey, Failure> {
        if let Self::Private(key) = self { Ok(key) } else { Err(wrong_type()) }
    }

    pub(crate) fn public(&self) -> Result<&PublicKey, Failure> {
        if let Self::Public(key) = self { Ok(key) } else { Err(wrong_type()) }
    }

    pub(crate) fn keyring(&self) -> Result<&Keyring, Failure> {
        if let Self::Keyring(keyring) = self { Ok(keyring) } else { Err(wrong_type()) }
    }

    pub(crate) fn receiver(&self) -> Result<&Receiver, Failure> {
        if let Self::Receiver(receiver) = self { Ok(receiver) } else { Err(wrong_type()) }
    }
}
