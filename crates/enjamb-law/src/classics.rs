//! Bytes and tokens that are special in many protocols. They are tried without being named.

/// Single bytes that are special somewhere, the most common first: escapes, quotes, line ends,
/// separators, brackets, frame markers, and bytes of characters that are not ASCII.
pub(crate) const BYTES: &[u8] = b"\\\"\n\r\0'%=&:;, \t#{}[]<>()-+./~*$@!?|^_`\x7d\x7e\xc0\xdb\xdc\xdd\xff\xfe\xfb\xfa\xf0\x80\xc3\xa9\xe2\xf0\xef\xbb\xbf\x1b\x10\x01\x02\x03\x04\x1a\x1c\x0b\x0c\x05\x06\x0709azAZ";

/// Tokens of several bytes that are special somewhere.
pub(crate) const TOKENS: &[&[u8]] = &[
    // The byte-order mark, and characters of two, three and four bytes.
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"\xe2\x82\xac",
    b"\xf0\x9f\x98\x80",
    b"\xe2\x80\xa8",
    b"\xff\xfe",
    // Line ends and empty lines.
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\r\r",
    b"\r\r\n",
    b"\n\r\n",
    // Escapes of text.
    b"\\n",
    b"\\\\",
    b"\\\"",
    b"\\r\\n",
    b"\\u0041",
    b"\\x41",
    b"%41",
    b"%0a",
    b"=41",
    b"=\r\n",
    b"=\n",
    b"&amp;",
    b"\"\"",
    b"''",
    b"\"a\"",
    b"\"a\nb\"",
    b"a\\\nb",
    // Escapes of binary frames: byte stuffing, telnet, terminals, a doubled frame marker.
    b"\x7d\x5d",
    b"\x7d\x5e",
    b"\x7e\x7e",
    b"\xdb\xdc",
    b"\xdb\xdd",
    b"\xc0\xc0",
    b"\x10\x10",
    b"\x10\x03",
    b"\x1b[1m",
    b"\x1b\x1b",
    b"\xff\xff",
    b"\xff\xfb\x01",
    b"\xff\xfa\x18\xff\xf0",
    b"\0\0",
    b"\0\0\0\0",
    // Comments, ends and empty values.
    b"//a\n",
    b"/*a*/",
    b"<!--a-->",
    b"<![CDATA[a]]>",
    b"#a\n",
    b";a\n",
    b":a\n",
    b": a\n\n",
    b"--a\n",
    b".\r\n",
    b"..\r\n",
    b"{}",
    b"[]",
    b"null",
    b"()",
    b"0\r\n\r\n",
    b"*0\r\n",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    // Fields of common text protocols.
    b"id: 1\n",
    b"id\n",
    b"event: a\n",
    b"data:\n",
    b"data\n",
    b"retry: 1\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b" a\r\n",
    b"\r\n a",
];

/// Returns all bytes, the special ones and those of the `messages` first.
pub(crate) fn alphabet(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut seen = [false; 256];
    let own = messages.iter().flatten().filter(|byte| !byte.is_ascii_alphanumeric()).copied();
    let all = own.chain(BYTES.iter().copied()).chain(messages.iter().flatten().copied()).chain(0..=255);
    all.filter(|byte| !std::mem::replace(&mut seen[usize::from(*byte)], true)).collect()
}
