//! Exact conversion of numbers with an exponent to decimals, without binary floating point.

use rust_decimal::Decimal;

use super::AmountError;

/// Parses an exponent. Limits its magnitude to 999,999, far more than a [`Decimal`] can represent.
pub(super) fn exponent_of(text: &str) -> Result<i32, AmountError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AmountError::NotDecimal);
    }
    let magnitude = match digits.trim_start_matches('0') {
        "" => 0,
        digits if digits.len() > 6 => 999_999,
        digits => digits.parse().map_err(|_| AmountError::NotDecimal)?,
    };
    Ok(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Returns the number with these `digits`, multiplied by ten to the power of `exponent`. The last `decimals` digits are
/// after the decimal point. Returns [`AmountError::TooLong`] if a [`Decimal`] cannot represent the result exactly.
pub(super) fn decimal(negative: bool, digits: &str, decimals: usize, exponent: i32) -> Result<Decimal, AmountError> {
    const TOO_LONG: AmountError = AmountError::TooLong;
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(Decimal::ZERO);
    }
    let mut scale = i64::try_from(decimals).map_err(|_| TOO_LONG)? - i64::from(exponent);
    let mut digits = digits.to_owned();
    let limit = i64::from(Decimal::MAX_SCALE);
    // Trailing zeros are dropped if the number does not fit into a `Decimal` with them.
    while scale > 0 && digits.ends_with('0') && (scale > limit || digits.len() > 28) {
        digits.pop();
        scale -= 1;
    }
    if scale < 0 {
        let zeros = usize::try_from(-scale).map_err(|_| TOO_LONG)?;
        if digits.len() + zeros > 29 {
            return Err(TOO_LONG);
        }
        digits.extend(std::iter::repeat_n('0', zeros));
        scale = 0;
    }
    if digits.len() > 29 {
        return Err(TOO_LONG);
    }
    let number: i128 = digits.parse().map_err(|_| TOO_LONG)?;
    let scale = u32::try_from(scale).map_err(|_| TOO_LONG)?;
    Decimal::try_from_i128_with_scale(if negative { -number } else { number }, scale).map_err(|_| TOO_LONG)
}
