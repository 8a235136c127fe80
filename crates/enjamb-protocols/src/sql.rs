//! The part of a SQL statement that a summary shows.

/// The longest part of a statement that is shown, in bytes.
const STATEMENT_MAX: usize = 200;

/// The words behind which a statement may contain a secret.
const SECRET_WORDS: [&[u8]; 5] = [b"password", b"identified", b"secret", b"credential", b"encrypted"];

/// The words with which most statements begin.
const VERBS: &[&[u8]] = &[
    b"select",
    b"insert",
    b"update",
    b"delete",
    b"create",
    b"drop",
    b"alter",
    b"set",
    b"show",
    b"begin",
    b"commit",
    b"rollback",
    b"start",
    b"use",
    b"describe",
    b"explain",
    b"with",
    b"truncate",
    b"grant",
    b"revoke",
    b"copy",
    b"replace",
    b"call",
    b"lock",
    b"unlock",
    b"desc",
    b"kill",
    b"flush",
    b"load",
    b"analyze",
    b"optimize",
    b"prepare",
    b"execute",
    b"exec",
    b"deallocate",
    b"declare",
    b"fetch",
    b"close",
    b"do",
    b"values",
    b"merge",
    b"if",
    b"print",
    b"listen",
    b"notify",
    b"vacuum",
    b"reset",
    b"discard",
    b"end",
    b"abort",
    b"savepoint",
    b"release",
    b"checkpoint",
    b"table",
    b"change",
    b"purge",
    b"handler",
];

/// Returns the first bytes of a statement, up to the first word behind which a secret may follow.
pub(crate) fn statement(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    let text = &text[..text.len().min(STATEMENT_MAX)];
    let secret = (0..text.len()).find_map(|at| {
        let word = SECRET_WORDS
            .iter()
            .find(|word| text[at..].get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)));
        word.map(|word| at + word.len())
    });
    &text[..secret.unwrap_or(text.len())]
}

/// Returns whether a text begins with the verb of a statement and a character behind it. `None` if
/// it is too short to decide.
pub(crate) fn begins_statement(text: &[u8]) -> Option<bool> {
    // A comment.
    match text {
        [b'/', b'*', ..] => return Some(true),
        [b'/'] => return None,
        _ => {}
    }
    let end = text.iter().position(|byte| !byte.is_ascii_alphabetic());
    let word = &text[..end.unwrap_or(text.len())];
    let fits = |verb: &&[u8]| verb.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    match end {
        Some(_) => Some(VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(word))),
        None if VERBS.iter().any(fits) => None,
        None => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::{begins_statement, statement};

    #[test]
    fn a_statement_ends_before_its_secret() {
        assert_eq!(statement(b" SELECT 1 "), b"SELECT 1");
        assert_eq!(statement(b"ALTER ROLE a PASSWORD 'x'"), b"ALTER ROLE a PASSWORD");
        assert_eq!(statement(b"create user b identified by 'x'"), b"create user b identified");
        assert_eq!(statement(&[b'a'; 1000]).len(), 200);
    }

    #[test]
    fn a_verb_begins_a_statement() {
        assert_eq!(begins_statement(b"Select 1"), Some(true));
        assert_eq!(begins_statement(b"sel"), None);
        assert_eq!(begins_statement(b"selectx "), Some(false));
        assert_eq!(begins_statement(b"\0"), Some(false));
    }
}
