//! Encodes arguments and results as frames. A frame is a four-byte big-endian length, followed by that many bytes. A
//! length of −1 means null.

use paytend_bindings::{Code, Failure};

/// Reads arguments in order.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn optional(&mut self) -> Result<Option<&'a [u8]>, Failure> {
        let broken = || Failure::new(Code::Internal, "an argument is missing or truncated");
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or_else(broken)?;
        self.0 = rest;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(None) };
        let (bytes, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
        self.0 = rest;
        Ok(Some(bytes))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Failure> {
        self.optional()?.ok_or_else(|| Failure::new(Code::Usage, "a required argument is null"))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Failure::new(Code::Usage, "an argument is not valid UTF-8"))
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<&'a str>, Failure> {
        let text = self.optional()?.map(std::str::from_utf8).transpose();
        text.map_err(|_| Failure::new(Code::Usage, "an argument is not valid UTF-8"))
    }

    pub(crate) fn optional_number(&mut self) -> Result<Option<i64>, Failure> {
        let number = self.optional()?.map(<[u8; 8]>::try_from).transpose();
        Ok(number.map_err(|_| Failure::new(Code::Internal, "a number must be 8 bytes long"))?.map(i64::from_be_bytes))
    }

    pub(crate) fn number(&mut self) -> Result<i64, Failure> {
        self.optional_number()?.ok_or_else(|| Failure::new(Code::Usage, "a required argument is null"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Failure> {
        Ok(self.bytes()? == [1])
    }
}

/// Writes results in order.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn optional(mut self, bytes: Option<&[u8]>) -> Self {
        // The length always fits into four bytes: a result is derived from arguments that fit into a Java array, so it
        // never reaches 2 GiB.
        let length = bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(-1));
        self.0.extend(length.to_be_bytes());
        if length >= 0 {
            self.0.extend(bytes.unwrap_or_default());
        }
        self
    }

    pub(crate) fn bytes(self, bytes: impl AsRef<[u8]>) -> Self {
        self.optional(Some(bytes.as_ref()))
    }

    pub(crate) fn optional_text(self, text: Option<&str>) -> Self {
        self.optional(text.map(str::as_bytes))
    }

    pub(crate) fn number(self, number: i64) -> Self {
        self.bytes(number.to_be_bytes())
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}
