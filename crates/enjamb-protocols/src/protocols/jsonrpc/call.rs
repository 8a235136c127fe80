//! A message of JSON-RPC: its members.

use std::borrow::Cow;

use crate::json::{Json, JsonError};
use crate::kit::Fault;

/// The type of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocols) enum CallKind {
    Request,
    Notification,
    Response,
    Error,
    /// Several messages in one.
    Batch {
        /// Whether there are requests in it, and not answers.
        asks: bool,
    },
}

impl CallKind {
    pub(in crate::protocols) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Notification => "notification",
            Self::Response => "response",
            Self::Error => "error",
            Self::Batch { .. } => "batch",
        }
    }
}

/// A message.
#[derive(Debug)]
pub(in crate::protocols) struct Call<'a> {
    pub(in crate::protocols) kind: CallKind,
    /// The id as a number: a hash of its text. That of a batch is the sum of those in it, since its
    /// answers come in any order.
    pub(in crate::protocols) id: Option<u64>,
    pub(in crate::protocols) method: &'a [u8],
    /// The code of an error, the first one in a batch.
    pub(in crate::protocols) error: Option<Cow<'static, str>>,
}

/// The members of an object that matter, as they are written.
#[derive(Default)]
struct Members<'a> {
    id: Option<&'a [u8]>,
    method: Option<&'a [u8]>,
    error: Option<&'a [u8]>,
    has_result: bool,
}

const NOT_JSON: Fault = Fault("it is no JSON");

impl<'a> Call<'a> {
    /// Parses a message. If it is not `whole`, the members that are there decide.
    pub(in crate::protocols) fn parse(text: &'a [u8], whole: bool) -> Result<Self, Fault> {
        let mut json = Json::new(text);
        let call = match json.peek() {
            Some(b'{') => Self::object(&mut json, whole)?,
            Some(b'[') => Self::batch(&mut json, whole)?,
            _ => {
                let value = json.value();
                return Err(if value.is_ok() { Fault("it is neither an object nor a batch") } else { NOT_JSON });
            }
        };
        if whole && json.peek().is_some() { Err(NOT_JSON) } else { Ok(call) }
    }

    fn object(json: &mut Json<'a>, whole: bool) -> Result<Self, Fault> {
        let mut members = Members::default();
        let ended = json.object(|name, value| {
            let is_null = value == b"null";
            match name {
                b"id" if !is_null => members.id = Some(value),
                b"method" => members.method = text_of(value),
                b"error" if !is_null => members.error = Some(value),
                b"result" => members.has_result = true,
                _ => {}
            }
        });
        match ended {
            Err(JsonError::Short) if !whole => {}
            Err(_) => return Err(NOT_JSON),
            Ok(()) => {}
        }
        let id = members.id.map(hash);
        let kind = match (members.method, members.error, id) {
            (Some(_), _, Some(_)) => CallKind::Request,
            (Some(_), _, None) => CallKind::Notification,
            (None, Some(_), _) => CallKind::Error,
            (None, None, Some(_)) if members.has_result || !whole => CallKind::Response,
            _ if members.has_result => CallKind::Response,
            _ if !whole => CallKind::Notification,
            _ => return Err(Fault("it is neither a request nor an answer")),
        };
        let error = members.error.filter(|_| kind == CallKind::Error).map(error_code);
        Ok(Self { kind, id, method: members.method.unwrap_or_default(), error })
    }

    fn batch(json: &mut Json<'a>, whole: bool) -> Result<Self, Fault> {
        json.take(b'[');
        if json.take(b']') {
            return Err(Fault("a batch is empty"));
        }
        let mut batch = Self { kind: CallKind::Batch { asks: false }, id: None, method: b"", error: None };
        let mut asks = false;
        loop {
            if json.peek() != Some(b'{') {
                match json.value() {
                    Err(JsonError::Short) if !whole => break,
                    Err(_) => return Err(NOT_JSON),
                    Ok(_) => return Err(Fault("a batch has an element that is no object")),
                }
            }
            let call = Self::object(json, whole)?;
            if let Some(id) = call.id {
                batch.id = Some(batch.id.unwrap_or(0).wrapping_add(id));
            }
            asks |= matches!(call.kind, CallKind::Request | CallKind::Notification);
            batch.error = batch.error.or(call.error);
            if batch.method.is_empty() {
                batch.method = call.method;
            }
            if json.take(b',') {
                continue;
            }
            match json.peek() {
                Some(b']') => {
                    json.take(b']');
                    break;
                }
                None if !whole => break,
                _ => return Err(NOT_JSON),
            }
        }
        batch.kind = CallKind::Batch { asks };
        Ok(batch)
    }
}

/// Returns the text between the quotes of a string.
fn text_of(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Returns the code in an error. JSON-RPC 1.0 allows any value there.
fn error_code(error: &[u8]) -> Cow<'static, str> {
    let mut code = None;
    if error.starts_with(b"{") {
        let _ = Json::new(error).object(|name, value| {
            if name == b"code" {
                code = Some(value);
            }
        });
    }
    let number = code.and_then(|code| std::str::from_utf8(code).ok()?.parse::<i64>().ok());
    number.map_or(Cow::Borrowed("error"), |number| Cow::Owned(number.to_string()))
}

/// Returns a number for an id (FNV-1a).
fn hash(id: &[u8]) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
