//! The native half of the Java library: one function, which takes an operation and its arguments as frames of bytes,
//! and gives its results in the same way. What Java holds are numbers of things that stay here, so that nothing done
//! in Java, in whatever order and on whatever thread, reaches memory that is gone.

mod frames;
mod operations;
mod registry;

use jni::EnvUnowned;
use jni::errors::ThrowRuntimeExAndDefault;
use jni::objects::{JByteArray, JClass};
use jni::sys::jint;
use zeroize::Zeroizing;

/// `io.github.paytendrs.paytend.Native.call(int, byte[])`. A failure is a result, and so is a panic; only what JNI
/// itself refuses becomes a `RuntimeException`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_github_paytendrs_paytend_Native_call<'local>(
    mut env: EnvUnowned<'local>,
    _: JClass<'local>,
    operation: jint,
    arguments: JByteArray<'local>,
) -> JByteArray<'local> {
    let outcome = env.with_env(|env| -> Result<_, jni::errors::Error> {
        // The frames may contain keys and payloads, so they are wiped.
        let arguments = Zeroizing::new(env.convert_byte_array(&arguments)?);
        let result = Zeroizing::new(operations::perform(operation, &arguments));
        env.byte_array_from_slice(&result)
    });
    outcome.resolve::<ThrowRuntimeExAndDefault>()
}
