//! The parser of filters. Every text gives an expression, or an error with a place.

use chrono::{DateTime, NaiveTime, Timelike, Utc};
use enjamb::units::{self, DurationError, SizeError};
use enjamb::{ArgumentType, Attribute, AttributeSet, AttributeType, Time};
use regex::RegexBuilder;

use crate::field::{Field, FieldType};
use crate::filter::error::FilterError;
use crate::filter::expression::{AttributeName, AttributeTest, Expression, Order, OwnedArgument, TextTest};

/// The maximum nesting of an expression.
const DEPTH_MAX: usize = 64;

/// The maximum size of a compiled regular expression, in bytes.
const REGEX_SIZE_MAX: usize = 1 << 20;

/// The maximum nesting of a regular expression.
const REGEX_DEPTH_MAX: u32 = 64;

/// Parses the text of a filter.
pub(super) fn parse(text: &str, protocols: &[AttributeSet<'_>]) -> Result<Expression, FilterError> {
    let mut parser = Parser { text, at: 0, protocols };
    let expression = parser.any(0)?;
    parser.spaces();
    if parser.rest().is_empty() { Ok(expression) } else { Err(parser.fail("expected &&, || or the end")) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// The protocols whose attributes a filter may name.
    protocols: &'a [AttributeSet<'a>],
}

/// A string as it is written, without its quotes, and the place where it begins.
struct Quoted<'a> {
    raw: &'a str,
    at: usize,
}

/// The operator between a field and a value.
enum Comparison {
    Order(Order),
    Matches,
    Contains,
}

/// Returns whether a name of a field or an attribute may contain the character.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the attribute as a filter names it, with a placeholder for its argument.
fn call_form(attribute: &Attribute) -> String {
    match attribute.argument {
        ArgumentType::None => attribute.name.to_owned(),
        ArgumentType::Text => format!("{}(\"NAME\")", attribute.name),
        ArgumentType::Number => format!("{}(NUMBER)", attribute.name),
    }
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn take_while(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn fail(&self, reason: impl Into<String>) -> FilterError {
        self.fail_at(self.at, reason)
    }

    fn fail_at(&self, at: usize, reason: impl Into<String>) -> FilterError {
        FilterError::new(self.text, at, reason)
    }

    fn no_field(&self, at: usize, reason: impl Into<String>) -> FilterError {
        self.fail_at(at, reason).listing_fields()
    }

    fn any(&mut self, depth: usize) -> Result<Expression, FilterError> {
        self.chain("||", Expression::Any, |parser| parser.chain("&&", Expression::All, |parser| parser.term(depth)))
    }

    fn chain(
        &mut self,
        operator: &str,
        joined: fn(Vec<Expression>) -> Expression,
        mut term: impl FnMut(&mut Self) -> Result<Expression, FilterError>,
    ) -> Result<Expression, FilterError> {
        let first = term(self)?;
        let mut terms = vec![first];
        loop {
            self.spaces();
            if !self.take(operator) {
                break;
            }
            terms.push(term(self)?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { joined(terms) })
    }

    fn term(&mut self, depth: usize) -> Result<Expression, FilterError> {
        self.spaces();
        let at = self.at;
        if depth > DEPTH_MAX {
            return Err(self.fail(format!("nested more than {DEPTH_MAX} deep")));
        }
        if self.take("!") {
            return Ok(Expression::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            self.spaces();
            return if self.take(")") { Ok(inner) } else { Err(self.fail("expected \")\", or && or ||")) };
        }
        let longest = self.rest().find(|c: char| !(is_of_name(c) || c == '-')).unwrap_or(self.rest().len());
        if longest > 0 && self.rest()[longest..].starts_with('.') {
            let protocol = &self.rest()[..longest];
            return self.attribute(protocol);
        }
        let name = self.take_while(is_of_name);
        let field = Field::named(name).filter(|field| field.is_filterable());
        match field {
            Some(field) => self.comparison(field),
            None if name.is_empty() => Err(self.no_field(at, "expected a field, \"!\" or \"(\"")),
            None => Err(self.no_field(at, "no field has this name")),
        }
    }

    fn comparison(&mut self, field: Field) -> Result<Expression, FilterError> {
        let Some((comparison, at)) = self.operator()? else { return Ok(Expression::Has(field)) };
        match comparison {
            Comparison::Matches => {
                self.only_text(field, at, "=~")?;
                Ok(Expression::Text(field, self.pattern()?))
            }
            Comparison::Contains => {
                self.only_text(field, at, "contains")?;
                let part = self.string()?;
                Ok(Expression::Text(field, TextTest::Contains(part)))
            }
            Comparison::Order(order) => self.order(field, order, at),
        }
    }

    /// Takes an operator, and returns it with its place. `None` if the field stands alone.
    fn operator(&mut self) -> Result<Option<(Comparison, usize)>, FilterError> {
        self.spaces();
        let at = self.at;
        let comparison = if self.take("==") {
            Comparison::Order(Order::Equal)
        } else if self.take("!=") {
            Comparison::Order(Order::Unequal)
        } else if self.take("<=") {
            Comparison::Order(Order::LessOrEqual)
        } else if self.take(">=") {
            Comparison::Order(Order::GreaterOrEqual)
        } else if self.take("<") {
            Comparison::Order(Order::Less)
        } else if self.take(">") {
            Comparison::Order(Order::Greater)
        } else if self.take("=~") {
            Comparison::Matches
        } else if self.take("contains") {
            Comparison::Contains
        } else if ["", "&", "|", ")"].contains(&self.rest().get(..1).unwrap_or_default()) {
            return Ok(None);
        } else {
            return Err(self.fail("expected ==, !=, <, <=, >, >=, =~, contains, &&, || or the end"));
        };
        self.spaces();
        Ok(Some((comparison, at)))
    }

    /// Parses an attribute from the name of its protocol on.
    fn attribute(&mut self, protocol: &str) -> Result<Expression, FilterError> {
        let protocols = self.protocols;
        let known = |set: &&AttributeSet<'_>| {
            set.protocol == protocol || set.aliases.iter().any(|alias| alias.as_str() == protocol)
        };
        let Some(set) = protocols.iter().find(known) else {
            let error = self.fail("no protocol with attributes has this name");
            let names = protocols.iter().map(|set| set.protocol).collect::<Vec<_>>().join(", ");
            return Err(if names.is_empty() { error } else { error.listing(format!("The protocols are: {names}")) });
        };
        self.at += protocol.len() + 1;
        let at = self.at;
        let name = self.take_while(is_of_name);
        let Some(attribute) = set.attributes.iter().find(|attribute| attribute.name == name) else {
            let names = set.attributes.iter().map(call_form).collect::<Vec<_>>().join(", ");
            let error = self.fail_at(at, format!("no attribute of {} has this name", set.protocol));
            return Err(error.listing(format!("The attributes are: {names}")));
        };
        let argument = self.argument(attribute)?;
        let name = AttributeName { protocol: set.protocol.to_owned(), name: attribute.name, argument };
        let test = self.attribute_test(attribute)?;
        Ok(Expression::Attribute(name, test))
    }

    fn argument(&mut self, attribute: &Attribute) -> Result<OwnedArgument, FilterError> {
        let opens = self.rest().starts_with('(');
        match (attribute.argument, opens) {
            (ArgumentType::None, false) => return Ok(OwnedArgument::None),
            (ArgumentType::None, true) => return Err(self.fail(format!("{} has no argument", attribute.name))),
            (_, false) => return Err(self.fail(format!("expected an argument: {}", call_form(attribute)))),
            (_, true) => self.at += 1,
        }
        self.spaces();
        let argument = if attribute.argument == ArgumentType::Text {
            OwnedArgument::Text(self.string()?)
        } else {
            let at = self.at;
            let digits = self.take_while(|c| c.is_ascii_digit());
            if digits.is_empty() {
                return Err(self.fail("expected a number"));
            }
            OwnedArgument::Number(digits.parse().map_err(|_| self.fail_at(at, "the number is too large"))?)
        };
        self.spaces();
        if self.take(")") { Ok(argument) } else { Err(self.fail("expected \")\"")) }
    }

    fn attribute_test(&mut self, attribute: &Attribute) -> Result<AttributeTest, FilterError> {
        let Some((comparison, at)) = self.operator()? else { return Ok(AttributeTest::Has) };
        let name = attribute.name;
        let number_type = match attribute.value {
            AttributeType::Number => Some(FieldType::Count),
            AttributeType::Bytes => Some(FieldType::Bytes),
            _ => None,
        };
        match (comparison, number_type) {
            (Comparison::Matches, Some(_)) => Err(self.fail_at(at, format!("=~ is for text, and {name} is a number"))),
            (Comparison::Contains, Some(_)) => {
                Err(self.fail_at(at, format!("contains is for text, and {name} is a number")))
            }
            (Comparison::Order(order), Some(of_type)) => {
                Ok(AttributeTest::Number(order, self.number_of(of_type, name)?))
            }
            (Comparison::Matches, None) => Ok(AttributeTest::Text(self.pattern()?)),
            (Comparison::Contains, None) => Ok(AttributeTest::Text(TextTest::Contains(self.string()?))),
            (Comparison::Order(order), None) if self.rest().starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(AttributeTest::Number(order, self.number_of(FieldType::Count, name)?))
            }
            (Comparison::Order(Order::Equal), None) => Ok(AttributeTest::Text(TextTest::Equal(self.string()?))),
            (Comparison::Order(Order::Unequal), None) => Ok(AttributeTest::Text(TextTest::Unequal(self.string()?))),
            (Comparison::Order(_), None) => {
                Err(self.fail(format!("expected a number: {name} is text, which is ordered only as a number")))
            }
        }
    }

    /// A regular expression.
    fn pattern(&mut self) -> Result<TextTest, FilterError> {
        let quoted = self.quoted()?;
        Ok(TextTest::Matches(self.regex(&quoted)?))
    }

    fn only_text(&self, field: Field, at: usize, operator: &str) -> Result<(), FilterError> {
        match field.value_type() {
            FieldType::Word
            | FieldType::Text
            | FieldType::Code
            | FieldType::Flags
            | FieldType::Address
            | FieldType::Line
            | FieldType::Payload => Ok(()),
            FieldType::Time => Err(self.fail_at(at, format!("{operator} is for text, and {} is a time", field.name()))),
            FieldType::Count | FieldType::Bytes | FieldType::Micros => {
                Err(self.fail_at(at, format!("{operator} is for text, and {} is a number", field.name())))
            }
        }
    }

    fn order(&mut self, field: Field, order: Order, at: usize) -> Result<Expression, FilterError> {
        let number = self.rest().starts_with(|c: char| c.is_ascii_digit());
        match field.value_type() {
            FieldType::Time => self.time(order),
            FieldType::Count | FieldType::Bytes | FieldType::Micros => {
                Ok(Expression::Number(field, order, self.number(field)?))
            }
            FieldType::Code if number => Ok(Expression::Number(field, order, self.number(field)?)),
            FieldType::Code
            | FieldType::Word
            | FieldType::Text
            | FieldType::Flags
            | FieldType::Address
            | FieldType::Line
            | FieldType::Payload => {
                let test = match order {
                    Order::Equal => TextTest::Equal,
                    Order::Unequal => TextTest::Unequal,
                    _ if field == Field::Code => {
                        return Err(self.fail("expected a number: a code is ordered only as a number"));
                    }
                    _ => {
                        let reason = format!("{} is text: use ==, !=, =~ or contains", field.name());
                        return Err(self.fail_at(at, reason));
                    }
                };
                Ok(Expression::Text(field, test(self.string()?)))
            }
        }
    }

    /// A number in the unit of `field`: bytes or microseconds, or a count.
    fn number(&mut self, field: Field) -> Result<u64, FilterError> {
        self.number_of(field.value_type(), field.name())
    }

    fn number_of(&mut self, value_type: FieldType, name: &str) -> Result<u64, FilterError> {
        let at = self.at;
        if !self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.fail(format!("expected a number to compare {name} with")));
        }
        let text = self.take_while(|c| c.is_alphanumeric() || c == '.');
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        match value_type {
            FieldType::Bytes => match units::parse_size(text) {
                Ok(size) => Ok(size),
                Err(SizeError::Fraction { .. }) => self.fraction_of_size(text, at),
                Err(error) => Err(self.fail_at(at + error.at(), error.to_string())),
            },
            FieldType::Micros if digits < text.len() => {
                let duration = units::parse_duration(text).map_err(|error| {
                    let place = if let DurationError::UnknownUnit { at } = error { at } else { 0 };
                    self.fail_at(at + place, error.to_string())
                })?;
                let nanos = duration.as_nanos();
                if !text.ends_with(char::is_alphabetic) || nanos % 1000 != 0 {
                    return Err(self.fail_at(at, "this is not a whole number of microseconds"));
                }
                u64::try_from(nanos / 1000).map_err(|_| self.fail_at(at, "the number is too large"))
            }
            _ if text[digits..].starts_with('.') => Err(self.fail_at(at, "expected a whole number")),
            _ if digits < text.len() => Err(self.fail_at(at + digits, format!("{name} has no unit"))),
            _ => text.parse().map_err(|_| self.fail_at(at, "the number is too large")),
        }
    }

    /// A size such as `1.5k`, which is a whole number of bytes.
    fn fraction_of_size(&self, text: &str, at: usize) -> Result<u64, FilterError> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (decimals, unit) = rest.split_at(length);
        if decimals.is_empty() {
            return Err(self.fail_at(at + whole.len() + 1, "expected a digit"));
        }
        let size = |digits: &str| {
            let unit_at = text.len() - unit.len();
            units::parse_size(&format!("{digits}{unit}")).map_err(|error| {
                let place = if let SizeError::UnknownUnit { .. } = error { unit_at } else { 0 };
                self.fail_at(at + place, error.to_string())
            })
        };
        let (whole, factor) = (size(whole)?, size("1")?);
        let too_long = || self.fail_at(at, "the number has too many decimals");
        let scale = u32::try_from(length).ok().and_then(|length| 10_u128.checked_pow(length)).ok_or_else(too_long)?;
        let decimals = decimals.parse::<u128>().ok().and_then(|decimals| decimals.checked_mul(factor.into()));
        let decimals = decimals.ok_or_else(too_long)?;
        if decimals % scale != 0 {
            return Err(self.fail_at(at, "this is not a whole number of bytes"));
        }
        let part = u64::try_from(decimals / scale).ok();
        part.and_then(|part| whole.checked_add(part)).ok_or_else(|| self.fail_at(at, "the number is too large"))
    }

    fn time(&mut self, order: Order) -> Result<Expression, FilterError> {
        let at = self.at;
        let text = self.string()?;
        if let Ok(time) = text.parse::<DateTime<Utc>>() {
            let seconds = u64::try_from(time.timestamp()).ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
            let nanos = seconds.and_then(|nanos| nanos.checked_add(time.timestamp_subsec_nanos().into()));
            let nanos = nanos.ok_or_else(|| self.fail_at(at, "times lie between 1970 and 2554"))?;
            return Ok(Expression::Time(order, Time::from_nanos(nanos)));
        }
        let Ok(time) = text.parse::<NaiveTime>() else {
            let reason =
                "expected a time such as \"2026-11-23T23:30:51.5Z\", or a time of day in UTC such as \"23:30:51.5\"";
            return Err(self.fail_at(at, reason));
        };
        let nanos = u64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + u64::from(time.nanosecond());
        Ok(Expression::TimeOfDay(order, nanos))
    }

    fn quoted(&mut self) -> Result<Quoted<'a>, FilterError> {
        let opened = self.at;
        if !self.take("\"") {
            return Err(self.fail("expected text in double quotes"));
        }
        let at = self.at;
        let mut escaped = false;
        for (i, c) in self.rest().char_indices() {
            match c {
                '"' if !escaped => {
                    let raw = &self.rest()[..i];
                    self.at += i + 1;
                    return Ok(Quoted { raw, at });
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        Err(self.fail_at(opened, "these quotes are not closed"))
    }

    /// A string with its escapes resolved.
    fn string(&mut self) -> Result<String, FilterError> {
        let Quoted { raw, at } = self.quoted()?;
        let mut text = String::with_capacity(raw.len());
        let mut chars = raw.char_indices();
        while let Some((i, c)) = chars.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some((_, c @ ('"' | '\\'))) => text.push(c),
                Some((_, 'n')) => text.push('\n'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, 't')) => text.push('\t'),
                Some((x, 'x')) => {
                    let digits = raw.get(x + 1..x + 3).filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
                    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    let byte = byte.filter(u8::is_ascii);
                    let byte = byte.ok_or_else(|| self.fail_at(at + i, "expected \\x00 to \\x7f"))?;
                    text.push(char::from(byte));
                    chars.nth(1);
                }
                _ => return Err(self.fail_at(at + i, "an escape is one of \\\" \\\\ \\n \\r \\t \\xNN")),
            }
        }
        Ok(text)
    }

    fn regex(&self, quoted: &Quoted<'_>) -> Result<regex::Regex, FilterError> {
        let Quoted { raw, at } = quoted;
        let mut syntax = regex_syntax::ParserBuilder::new();
        if let Err(error) = syntax.nest_limit(REGEX_DEPTH_MAX).build().parse(raw) {
            let (reason, offset) = match &error {
                regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
                regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
                _ => ("this is not a regular expression".to_owned(), 0),
            };
            return Err(self.fail_at(at + offset.min(raw.len()), reason));
        }
        let regex = RegexBuilder::new(raw).size_limit(REGEX_SIZE_MAX).nest_limit(REGEX_DEPTH_MAX).build();
        regex.map_err(|_| {
            self.fail_at(*at, format!("this expression takes more than {REGEX_SIZE_MAX} bytes when compiled"))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROTOCOLS: [AttributeSet<'_>; 1] = [AttributeSet {
        protocol: "my-web",
        aliases: &[],
        attributes: &[
            Attribute::new("path", AttributeType::Text, ""),
            Attribute::new("header", AttributeType::Text, "").with(ArgumentType::Text),
            Attribute::new("word", AttributeType::Text, "").with(ArgumentType::Number),
            Attribute::new("status", AttributeType::Number, ""),
            Attribute::new("size", AttributeType::Bytes, ""),
        ],
    }];

    #[test]
    fn attributes_are_parsed_with_their_arguments() {
        for text in [
            "my-web.path",
            "!my-web.path && (my-web.status)",
            "my-web.path == \"/\" || my-web.path =~ \"^/a\" || my-web.path contains \"b\"",
            "my-web.header(\"a\") != \"b\" && my-web.header( \"a\" )",
            "my-web.word(3) > 5 && my-web.word( 3 ) == \"x\"",
            "my-web.status >= 400 && my-web.size > 1.5k",
        ] {
            assert!(parse(text, &PROTOCOLS).unwrap_or_else(|error| panic!("{error}")).has_attributes(), "{text}");
        }
        assert!(!parse("kind == \"my-web.path\"", &PROTOCOLS).unwrap().has_attributes());
    }

    #[test]
    fn a_wrong_attribute_is_refused_with_its_place_and_the_right_names() {
        for (text, caret, listed) in [
            ("web.path == \"/\"", 0, "The protocols are: my-web"),
            ("kind && my.path", 8, "The protocols are: my-web"),
            ("my-web.paths == \"/\"", 7, "path, header(\"NAME\"), word(NUMBER), status, size"),
            ("my-web.", 7, "The attributes are: path"),
            ("my-web.path(\"a\")", 11, "path has no argument"),
            ("my-web.header == \"a\"", 13, "header(\"NAME\")"),
            ("my-web.header(5)", 14, "double quotes"),
            ("my-web.header(\"a\"", 17, "expected \")\""),
            ("my-web.header(\"a)", 14, "not closed"),
            ("my-web.word(\"a\")", 12, "expected a number"),
            ("my-web.word(99999999999999999999)", 12, "too large"),
            ("my-web.status =~ \"4\"", 14, "status is a number"),
            ("my-web.status contains \"4\"", 14, "status is a number"),
            ("my-web.status == \"4\"", 17, "expected a number"),
            ("my-web.status > 4k", 17, "no unit"),
            ("my-web.size > 4q", 15, ""),
            ("my-web.path < \"a\"", 14, "ordered only as a number"),
            ("my-web.path = \"a\"", 12, "expected =="),
            ("my-web.path kind", 12, "expected =="),
            (".path", 0, "expected a field"),
        ] {
            let error = parse(text, &PROTOCOLS).expect_err(text);
            assert_eq!(error.at(), caret, "{text}: {error}");
            assert!(error.to_string().contains(listed), "{text}: {error}");
        }
        let none = parse("http.path", &[]).unwrap_err().to_string();
        assert!(none.starts_with("no protocol with attributes has this name"), "{none}");
    }

    #[test]
    fn times_are_read_in_every_form_of_rfc_3339_and_as_times_of_day() {
        let of = |nanos| Expression::Time(Order::Less, Time::from_nanos(nanos));
        let of_day = |nanos| Expression::TimeOfDay(Order::Less, nanos);
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", of(0)),
            ("1970-01-01t00:00:00z", of(0)),
            ("1970-01-01 00:00:01Z", of(1_000_000_000)),
            ("1970-01-01T01:00:00.000000001+01:00", of(1)),
            ("1969-12-31T23:30:00-00:30", of(0)),
            ("2554-07-21T23:34:33.709551615Z", of(u64::MAX)),
            ("23:30:51.5", of_day(84_651_500_000_000)),
            ("00:01", of_day(60_000_000_000)),
        ] {
            let filter = format!("time < \"{text}\"");
            let parsed = parse(&filter, &[]).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(format!("{parsed:?}"), format!("{expected:?}"), "{text}");
        }
    }

    #[test]
    fn a_wrong_filter_is_refused_with_a_caret_under_the_error() {
        for (text, caret) in [
            ("", 0),
            ("  ", 2),
            ("kinds == \"GET\"", 0),
            ("kind == GET", 8),
            ("kind = \"GET\"", 5),
            ("kind == \"GET", 8),
            ("kind == \"G\\ET\"", 10),
            ("kind == \"\\x8\"", 9),
            ("kind == \"\\x80\"", 9),
            ("kind < \"GET\"", 5),
            ("kind == \"GET\" &", 14),
            ("kind == \"GET\" &&", 16),
            ("kind == \"GET\" && latency > 5", 17),
            ("(kind == \"GET\"", 14),
            ("kind == \"GET\")", 13),
            ("kind =~ \"a(b\"", 10),
            ("kind =~ \"\\p{Nowhere}\"", 9),
            ("kind =~ \"[a-z]{1000}{1000}\"", 9),
            ("length =~ \"5\"", 7),
            ("length contains \"5\"", 7),
            ("length == \"5\"", 10),
            ("length > 5q", 10),
            ("length > 5ms", 10),
            ("length > 0.3k", 9),
            ("length > 1.", 11),
            ("length > 1.k", 11),
            ("length > 1.5q", 12),
            ("length > 99999999999999999999", 9),
            ("length > 18446744073709551615G", 9),
            ("conn == 5k", 9),
            ("conn == 1.5", 8),
            ("latency_us > 1.5us", 13),
            ("latency_us > -5", 13),
            ("cuts > 5 conn", 9),
            ("code >= \"400\"", 8),
            ("time > 5", 7),
            ("time > \"yesterday\"", 7),
            ("time > \"1969-12-31T00:00:00Z\"", 7),
            ("time > \"2555-01-01T00:00:00Z\"", 7),
            ("time > \"2026-02-29T00:00:00Z\"", 7),
            ("time > \"2026-11-23T23:30:51\"", 7),
            ("time > \"24:00\"", 7),
            ("time =~ \"5\"", 5),
            ("payload", 0),
            ("kind == \"\u{e9}\" or", 13),
        ] {
            let error = parse(text, &[]).expect_err(text);
            assert_eq!(error.at(), caret, "{text}: {error}");
            let shown = error.to_string();
            let mut lines = shown.lines().skip(1);
            assert_eq!(lines.next().unwrap().trim(), text.trim());
            let column = lines.next().unwrap().chars().position(|c| c == '^').unwrap();
            assert_eq!(column, 2 + text[..caret].chars().count());
        }
        let unknown = parse("kinds == \"GET\"", &[]).unwrap_err().to_string();
        assert!(unknown.contains("kind, offset, length"), "the fields are listed: {unknown}");
    }

    #[test]
    fn nesting_is_limited_and_chains_are_not_nested() {
        for (open, close) in [("(", ")"), ("!", "")] {
            let nested = |depth: usize| open.repeat(depth) + "reason" + &close.repeat(depth);
            assert!(parse(&nested(64), &[]).is_ok());
            assert_eq!(parse(&nested(65), &[]).unwrap_err().at(), 65);
            assert_eq!(parse(&nested(1_000_000), &[]).unwrap_err().at(), 65);
        }
        let chain = vec!["reason"; 100_000].join(" && ");
        assert!(parse(&chain, &[]).is_ok(), "a chain is not nested");
    }

    proptest! {
        #[test]
        fn every_text_is_a_filter_or_an_error_with_a_place(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "kind", "length", "code", "time", "latency_us", "==", "!=", "<", ">=", "=~", "contains", "&&", "||", "!", "(",
                    ")", "\"GET\"", "\"[a-\"", "\"\\", "5", "1.5", "k", "ms", "\u{e9}", " ", "\"", "\"12:00:00\"", "my-web.", "path", "header", "word", ".",
                ]),
                0..12,
            ),
            noise in ".{0,8}",
        ) {
            let text = words.concat() + &noise;
            if let Err(error) = parse(&text, &PROTOCOLS) {
                prop_assert!(text.is_char_boundary(error.at()));
                prop_assert!(error.to_string().contains('^'));
            }
        }
    }
}
