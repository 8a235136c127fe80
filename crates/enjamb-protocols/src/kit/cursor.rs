//! The fields of a binary message, read one after another.

/// A place in the bytes of a message. Each call takes a field from the front.
///
/// ```
/// use enjamb_protocols::kit::{Cursor, Short};
///
/// let mut fields = Cursor::new(b"\x00\x03abc\x07");
/// let length = fields.u16()?;
/// assert_eq!(fields.take(length.into())?, b"abc");
/// assert_eq!(fields.u8()?, 7);
/// assert_eq!(fields.u8(), Err(Short));
/// # Ok::<(), Short>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

/// There are fewer bytes than the field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there are fewer bytes than the field has")
    }
}

impl std::error::Error for Short {}

/// Defines the methods that take an integer.
macro_rules! integers {
    ($($big:ident, $little:ident: $type:ty;)*) => {
        $(
            #[doc = concat!("Takes a `", stringify!($type), "`, the most significant byte first.")]
            ///
            /// # Errors
            /// [`Short`] if there are too few bytes. Nothing is taken then.
            pub fn $big(&mut self) -> Result<$type, Short> {
                self.array().map(<$type>::from_be_bytes)
            }

            #[doc = concat!("Takes a `", stringify!($type), "`, the least significant byte first.")]
            ///
            /// # Errors
            /// [`Short`] if there are too few bytes. Nothing is taken then.
            pub fn $little(&mut self) -> Result<$type, Short> {
                self.array().map(<$type>::from_le_bytes)
            }
        )*
    };
}

impl<'a> Cursor<'a> {
    /// Creates a cursor at the beginning of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that no field has taken.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns whether all bytes are taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `length` bytes.
    ///
    /// # Errors
    /// [`Short`] if there are too few bytes. Nothing is taken then.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes `N` bytes.
    ///
    /// # Errors
    /// [`Short`] if there are too few bytes. Nothing is taken then.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`Short`] if there is none.
    pub fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(|[byte]| byte)
    }

    integers! {
        u16, u16_le: u16;
        u32, u32_le: u32;
        u64, u64_le: u64;
        i16, i16_le: i16;
        i32, i32_le: i32;
    }

    /// Takes the bytes up to `delimiter`, and the delimiter. Returns the bytes before it.
    ///
    /// # Errors
    /// [`Short`] if the delimiter does not occur. Nothing is taken then.
    pub fn until(&mut self, delimiter: u8) -> Result<&'a [u8], Short> {
        let at = memchr::memchr(delimiter, self.rest).ok_or(Short)?;
        let taken = &self.rest[..at];
        self.rest = &self.rest[at + 1..];
        Ok(taken)
    }
}
