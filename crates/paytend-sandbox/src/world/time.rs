//! Times and durations.

/// Milliseconds since 1970.
pub(crate) type Millis = u64;

/// The longest duration by which time can be advanced in one step: ten years. A longer duration is probably a mistake.
pub(crate) const LONGEST: Millis = 10 * 366 * 24 * 3_600_000;
