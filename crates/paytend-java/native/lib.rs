//! The native part of the Java library: one function for all operations. Arguments and results are encoded as frames.
//!
//! Java refers to native objects by ID, not by pointer, so no sequence of calls in Java can access freed memory.

mod frames;
mod operations;
mod registry;

use jni::EnvUnowned;
use jni::errors::ThrowRuntimeExAndDefault;
use jni::objects::{JByteArray, JClass};
use jni::sys::jint;
use zeroize::Zeroizing;

/// Implements `io.github.paytendrs.paytend.Native.call(int, byte[])`. Failures and panics are returned as results. Only
/// JNI errors become a `RuntimeException`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_paytendrs_paytend_Native_call<'local>(
    mut env: EnvUnowned<'local>,
    _: JClass<'local>,
    operation: jint,
    arguments: JByteArray<'local>,
) -> JByteArray<'local> {
    let outcome = env.with_env(|env| -> Result<_, jni::errors::Error> {
        // The frames can contain keys and payloads, so they are wiped.
        let arguments = Zeroizing::new(env.convert_byte_array(&arguments)?);
        let result = Zeroizing::new(operations::perform(operation, &arguments));
        env.byte_array_from_slice(&result)
    });
    outcome.resolve::<ThrowRuntimeExAndDefault>()
}
