//! Each wrong spec has its own message, with the place and a way out.

use enjamb_protocols::SpecFile;

/// Returns the error of a protocol with one message, of these lines.
fn error(lines: &str) -> (usize, usize, String) {
    let text = format!("name = \"p\"\n[messages.m]\n{lines}\n");
    let error = SpecFile::parse(&text).expect_err(lines);
    let shown = error.to_string();
    assert!(shown.contains('^'), "{shown}");
    (error.line(), error.column(), shown)
}

fn field(field: &str) -> String {
    let (line, _, text) = error(&format!("fields = [\n{{ name = \"n\", type = \"u8\" }},\n{field},\n]"));
    assert_eq!(line, 5, "{text}");
    text
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn the_error_shows_the_place_the_reason_and_a_remedy() {
    let (line, column, text) = error("fields = [{ name = \"a\", type = \"u61\" }]");
    assert_eq!((line, column), (3, 32));
    assert_eq!(
        text,
        "3:32: there is no type \"u61\"\n  fields = [{ name = \"a\", type = \"u61\" }]\n                                 ^^^^^\n\
         did you mean \"u16\"?"
    );
}

#[test]
fn toml_errors_have_their_place() {
    let error = SpecFile::parse("name = \"p\"\n[messages\n").unwrap_err();
    assert_eq!(error.line(), 2);
    has(&error.to_string(), &["TOML"]);
    for text in [
        "\u{0}",
        "name",
        "name = ",
        "[",
        "\u{feff}name = 1",
        "name = \"\u{e9}",
        "a.b.c = [[[",
        "x = 99999999999999999999999",
    ] {
        let error = SpecFile::parse(text).expect_err(text);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn unknown_keys_get_the_similar_one() {
    has(&field("{ name = \"a\", typ = \"u8\" }"), &["no key \"typ\"", "\"type\""]);
    has(&field("{ name = \"a\", type = \"u8\", zzzzzz = 1 }"), &["no key \"zzzzzz\"", "the keys are name, type"]);
    has(&error("felds = []").2, &["no key \"felds\"", "\"fields\""]);
    has(&SpecFile::parse("nam = \"p\"").unwrap_err().to_string(), &["no key \"nam\"", "\"name\""]);
    has(&SpecFile::parse("").unwrap_err().to_string(), &["has no name"]);
    has(&SpecFile::parse("name = \"p\"").unwrap_err().to_string(), &["no messages"]);
    has(&SpecFile::parse("name = \"A b\"").unwrap_err().to_string(), &["lower case"]);
    has(&SpecFile::parse("name = \"auto\"").unwrap_err().to_string(), &["something else"]);
}

#[test]
fn references_are_checked() {
    has(&field("{ name = \"a\", type = \"bytes\", length = \"m\" }"), &["no field \"m\"", "its fields are n, a"]);
    has(&field("{ name = \"a\", type = \"bytes\", length = \"a\" }"), &["comes behind", "move it to the front"]);
    has(&field("{ name = \"a\", type = \"bytes\", length = \"n ^ 2\" }"), &["is no length", "FIELD - 4"]);
    has(&field("{ name = \"n\", type = \"u8\" }"), &["two fields \"n\""]);
    has(&field("{ name = \"a\", type = \"u8\", when = { x = 1 } }"), &["no field \"x\""]);
    has(&field("{ name = \"a\", type = \"u8\", when = { n = 256 } }"), &["cannot have the value 256"]);
    has(&field("{ name = \"a\", type = \"u8\", when = { n = \"LOGIN\" } }"), &["no value \"LOGIN\"", "names ="]);
    let (line, _, text) = error(
        "length = \"size\"\nfields = [\n{ name = \"n\", type = \"u8\", names = { 1 = \"LOGIN\" } },\n\
         { name = \"a\", type = \"u8\", when = { n = \"LOGON\" } },\n{ name = \"size\", type = \"u8\" },\n]",
    );
    assert_eq!(line, 6);
    has(&text, &["did you mean \"LOGIN\"?"]);
    has(&error("length = \"size\"\nfields = [{ name = \"a\", type = \"u8\" }]").2, &["no field \"size\""]);
    has(&error("length = \"a\"\nfields = [{ name = \"a\", type = \"i8\" }]").2, &["may be negative"]);
    has(&error("length = \"a\"\nfields = [{ name = \"a\", type = \"string\", length = 2 }]").2, &["is no integer"]);
    has(
        &error("fields = [\n{ name = \"n\", type = \"u8\" }, { name = \"b\", type = \"u8\", when = { n = 1 } },\n{ name = \"a\", type = \"bytes\", length = \"b\" },\n]").2,
        &["is not in every message", "same \"when\""],
    );
}

#[test]
fn impossible_combinations_are_refused() {
    has(&field("{ name = \"a\", type = \"bytes\" }"), &["nothing ends the field", "prefix"]);
    has(&field("{ name = \"a\", type = \"bytes\", length = 1, until = \"x\" }"), &["two ends"]);
    has(&field("{ name = \"a\", type = \"u8\", length = 1 }"), &["an integer has no \"length\""]);
    has(&field("{ name = \"a\", type = \"u8\", bits = { x = 3 } }"), &["the bits are 3", "the other 5"]);
    has(&field("{ name = \"a\", type = \"u8\", bits = { x = 3, y = 6 } }"), &["more than the integer has"]);
    has(&field("{ name = \"a\", type = \"i8\", bits = { x = 8 } }"), &["only u8"]);
    has(&field("{ name = \"a\", type = \"u8\", optional = true }"), &["end is known"]);
    has(&field("{ align = 3 }"), &["power of two"]);
    has(&field("{ align = 4, name = \"x\" }"), &["padding has no \"name\""]);
    has(&field("{ name = \"a\", type = \"u8\", equals = 300 }"), &["cannot have the value 300"]);
    has(&field("{ name = \"a\", type = \"u8\", names = { x = \"Y\" } }"), &["is no value"]);
    has(&field("{ name = \"a\", type = \"string\", equals = \"\" }"), &["1 to 64 bytes"]);
    has(&field("{ name = \"a\", type = \"string\", until = \"123456789\" }"), &["1 to 8 bytes"]);
    has(&field("{ name = \"a b\", type = \"u8\" }"), &["ASCII letters"]);
    has(&field("{ name = \"a\" }"), &["has no type", "varint"]);
    has(&field("7"), &["expected a table"]);
    has(&error("fields = []").2, &["at least one field"]);
    has(&error("fields = [{ name = \"a\", type = \"u8\", when = { a = 1 } }]").2, &["always there"]);
    has(&error("fields = [{ align = 4 }]").2, &["does not begin"]);
    has(
        &error("length = \"n\"\nfields = [{ name = \"n\", type = \"u8\" }, { name = \"a\", type = \"bytes\" },\n{ name = \"b\", type = \"bytes\" }]").2,
        &["\"a\" is the rest", "others follow"],
    );
}

#[test]
fn the_meaning_is_checked() {
    let m = "fields = [{ name = \"n\", type = \"u8\", names = { 1 = \"ASK\", 2 = \"TELL\" } }, { name = \"s\", type = \"u8\", secret = true }]";
    let meaning = |lines: &str| error(&format!("{m}\n{lines}")).2;
    has(&meaning("kind = \"s\""), &["is a secret"]);
    has(&error("fields = [{ name = \"n\", type = \"u8\" }]\nkind = \"n\"").2, &["have no names"]);
    has(&meaning("kind = \"x\""), &["no field \"x\""]);
    has(&meaning("kind = \"n\"\nrequest = [\"AKS\"]"), &["no kind \"AKS\"", "\"ASK\""]);
    has(&meaning("kind = \"n\"\nrequest = [\"ASK\"]\nanswer = [\"ASK\"]"), &["is a request and an answer"]);
    has(&meaning("kind = \"n\"\nmore = [\"ASK\"]"), &["no answers"]);
    has(&meaning("id = \"n\""), &["means nothing"]);
    has(&meaning("subject = \"s\""), &["is a secret"]);
    has(&meaning("code = \"s\""), &["is a secret"]);
    has(&meaning("continues = { when = { n = 1 }, with = \"other\" }"), &["no message \"other\""]);
    has(&meaning("continues = { with = \"m\" }"), &["when the message continues"]);
    has(&meaning("on = 1"), &["no key \"on\""]);
}

#[test]
fn states_are_checked() {
    let m = "fields = [{ name = \"n\", type = \"u8\", names = { 1 = \"ASK\" } }]\nkind = \"n\"\n";
    let states = |lines: &str| error(&format!("{m}{lines}")).2;
    has(&states("[states.a]\non = [{ kind = \"ASK\", go = \"b\" }]"), &["no state \"b\"", "the states are a"]);
    has(&states("[states.a]\non = [{ kind = \"AKS\", go = \"a\" }]"), &["no kind \"AKS\""]);
    has(&states("[states.a]\non = [{ kind = \"ASK\" }]"), &["no target"]);
    has(&states("[states.a]\non = [{ go = \"a\" }]"), &["behind every message"]);
    has(&states("[states.a]\non = [{ kind = \"ASK\", switch = \"nothing\" }]"), &["no protocol \"nothing\""]);
    has(&states("[states.a]\non = [{ kind = \"ASK\", from = \"me\", go = \"a\" }]"), &["no side \"me\""]);
    has(&states("[states.a]\nclient = \"x\""), &["no message \"x\""]);
    has(&states("[messages.o]\nfields = \"m\"\n[states.a]\nclient = \"m\""), &["which messages the server sends"]);
    has(
        &SpecFile::parse(&format!("name = \"p\"\njoined = \"x\"\n[messages.m]\n{m}")).unwrap_err().to_string(),
        &["no state"],
    );
}
