//! The fields of a message, from a spec file.
//!
//! Fields are read in their order, so a field can refer only to those before it. A field to which
//! something refers gets a slot at that moment.

use std::ops::Range;

use super::error::SpecFileError;
use super::model::{
    Bits, Condition, Constant, Equals, Field, Form, Length, MessageEnd, Names, PREFIX_SLOT, RUN_MAX, Run, Test,
};
use super::names::intern;
use super::source::{Parsed, Table, Value, similar};

/// The maximum number of fields of a message.
pub(super) const FIELDS_MAX: usize = 256;

/// The maximum number of names of one field.
const NAMES_MAX: usize = 1 << 12;

/// The longest delimiter, in bytes.
const DELIMITER_MAX: usize = 8;

/// The longest constant, in bytes.
const CONSTANT_MAX: usize = 64;

/// The types of fields.
const TYPES: [&str; 13] =
    ["u8", "u16", "u24", "u32", "u64", "i8", "i16", "i32", "i64", "varint", "zigzag", "bytes", "string"];

const KEYS: [&str; 16] = [
    "name", "type", "about", "order", "names", "bits", "equals", "length", "prefix", "until", "max", "when",
    "optional", "secret", "align", "skip",
];

/// The fields so far.
pub(super) struct Fields<'t> {
    pub(super) text: &'t str,
    pub(super) owner: String,
    /// Whether integers have their least significant byte first.
    little: bool,
    max: u64,
    pub(super) fields: Vec<Field>,
    spans: Vec<Range<usize>>,
    /// The names that occur in any place of the list.
    all: Vec<(&'t str, usize)>,
    slots: u8,
    /// The field that is the length of the message, and where that is written.
    end: Option<(&'t str, Value<'t>, MessageEnd)>,
    end_is_known: bool,
}

/// A field, or bits of one, by its index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) field: usize,
    pub(super) bits: Option<usize>,
}

impl<'t> Fields<'t> {
    pub(super) fn new(text: &'t str, owner: String, little: bool, max: u64) -> Self {
        Self {
            text,
            owner,
            little,
            max,
            fields: Vec::new(),
            spans: Vec::new(),
            all: Vec::new(),
            slots: 0,
            end: None,
            end_is_known: false,
        }
    }

    /// Reads the length of the message: a name, or a table.
    pub(super) fn message_length(&mut self, value: Value<'t>) -> Parsed<()> {
        let mut end = MessageEnd { times: 1, add: 0, whole: false, bits: None };
        let name = if value.is_table() {
            let table = value.table()?;
            table.allow("the length of a message", &["field", "counts", "times", "add"])?;
            end.times = table.get("times").map_or(Ok(1), |times| times.unsigned(1..=1 << 32))?;
            if let Some(add) = table.get("add") {
                end.add = i64::try_from(add.integer()?)
                    .ok()
                    .filter(|add| add.unsigned_abs() <= 1 << 32)
                    .ok_or_else(|| add.fail("the number that is added is too large"))?;
            }
            if let Some(counts) = table.get("counts") {
                end.whole = match counts.string()? {
                    "rest" => false,
                    "message" => true,
                    other => {
                        return Err(counts
                            .fail(format!("a length does not count {other:?}"))
                            .remedy("\"rest\": the bytes behind the length. \"message\": all bytes of the message"));
                    }
                };
            }
            let field = table.get("field").ok_or_else(|| {
                table.fail("the length of the message names no field").remedy("write { field = \"NAME\", ... }")
            })?;
            (field.string()?, field)
        } else {
            (value.string()?, value)
        };
        self.end = Some((name.0, name.1, end));
        Ok(())
    }

    /// Reads the list of fields.
    pub(super) fn read(&mut self, list: Value<'t>) -> Parsed<()> {
        let values = list.array()?;
        if values.is_empty() {
            return Err(list.fail("a message has at least one field"));
        }
        if values.len() > FIELDS_MAX {
            return Err(list.fail(format!("a message has at most {FIELDS_MAX} fields")));
        }
        let tables = values.iter().map(Value::table).collect::<Parsed<Vec<_>>>()?;
        for (at, table) in tables.iter().enumerate() {
            if let Some(name) = table.text_of("name")? {
                self.all.push((name, at));
            }
            if let Some(bits) = table.get("bits").filter(Value::is_table) {
                self.all.extend(bits.table()?.entries.iter().map(|entry| (entry.key, at)));
            }
        }
        for (at, table) in tables.iter().enumerate() {
            self.field(table, at == 0)?;
            self.message_end(table)?;
        }
        if let Some((name, value, _)) = self.end {
            return Err(self.unknown(name, value));
        }
        self.measure_rest()?;
        Ok(())
    }

    /// Refuses a name that no earlier field has.
    fn unknown(&self, name: &str, value: Value<'_>) -> SpecFileError {
        if self.all.iter().any(|known| known.0 == name) {
            return value
                .fail(format!("{name:?} comes behind the field that needs it"))
                .remedy("a field can refer only to those before it: move it to the front");
        }
        let error = value.fail(format!("{} has no field {name:?}", self.owner));
        let known = self.all.iter().map(|known| known.0);
        match similar(name, known.clone()) {
            Some(similar) => error.remedy(format!("did you mean {similar:?}?")),
            None => error.remedy(format!("its fields are {}", known.collect::<Vec<_>>().join(", "))),
        }
    }

    /// Returns the place of a field, or of bits, by its name.
    pub(super) fn find(&self, name: &str, value: Value<'_>) -> Parsed<Place> {
        self.place(name).ok_or_else(|| self.unknown(name, value))
    }

    pub(super) fn place(&self, name: &str) -> Option<Place> {
        self.fields.iter().enumerate().find_map(|(field, known)| {
            if known.name == name && !name.is_empty() {
                return Some(Place { field, bits: None });
            }
            let bits = known.bits.iter().position(|bits| bits.name == name)?;
            Some(Place { field, bits: Some(bits) })
        })
    }

    /// Returns the slot of a field, and gives it one if it has none.
    pub(super) fn slot(&mut self, place: Place, value: Value<'_>) -> Parsed<u8> {
        let field = &mut self.fields[place.field];
        let slot = match place.bits {
            None => &mut field.slot,
            Some(bits) => &mut field.bits[bits].slot,
        };
        if let Some(slot) = *slot {
            return Ok(slot);
        }
        if self.slots >= PREFIX_SLOT {
            return Err(value
                .fail(format!("more than {PREFIX_SLOT} fields of the message are referred to"))
                .remedy("split the message into two with different layouts"));
        }
        *slot = Some(self.slots);
        self.slots += 1;
        Ok(self.slots - 1)
    }

    /// Returns the place of an integer. `wanted` says what it is needed for.
    pub(super) fn integer(&self, name: &str, value: Value<'_>, wanted: &str) -> Parsed<Place> {
        let place = self.find(name, value)?;
        match self.fields[place.field].form {
            Form::Integer { .. } | Form::Varint { .. } => Ok(place),
            _ => Err(value
                .fail(format!("{name:?} is no integer"))
                .remedy(format!("{wanted} is an integer: u8 to u64, i8 to i64, varint, or bits"))),
        }
    }

    pub(super) fn names(&self, place: Place) -> Names {
        let field = &self.fields[place.field];
        match place.bits {
            Some(bits) => field.bits[bits].names.clone(),
            None if !field.words.is_empty() => {
                Names(field.words.iter().enumerate().map(|(value, word)| (value as u64, *word)).collect())
            }
            None => field.names.clone(),
        }
    }

    pub(super) fn is_signed(&self, place: Place) -> bool {
        place.bits.is_none() && self.fields[place.field].form.is_signed()
    }

    /// Reads a condition on fields: a table of their values.
    pub(super) fn condition(&mut self, value: Value<'t>) -> Parsed<Condition> {
        let table = value.table()?;
        if table.entries.is_empty() {
            return Err(value.fail("a condition names at least one field"));
        }
        let mut tests = Vec::new();
        for entry in &table.entries {
            let Some(place) = self.place(entry.key) else {
                return Err(self.unknown(entry.key, entry.value).at(self.text, entry.span.clone()));
            };
            let slot = self.slot(place, entry.value)?;
            let (values, negated) = match entry.value.is_table() {
                false => (entry.value, false),
                true => {
                    let not = entry.value.table()?;
                    not.allow("a condition on a field", &["not"])?;
                    let value = not
                        .get("not")
                        .ok_or_else(|| entry.value.fail("the condition is empty").remedy("write { not = VALUE }"))?;
                    (value, true)
                }
            };
            let values = if values.is_array() { values.array()? } else { vec![values] };
            let values = values.iter().map(|value| self.value(place, *value)).collect::<Parsed<Vec<_>>>()?;
            tests.push(Test { slot, values, negated });
        }
        Ok(Condition::Values(tests))
    }

    /// Reads a value of a field: a number, a name, or true and false for a single bit.
    fn value(&self, place: Place, value: Value<'_>) -> Parsed<u64> {
        let field = &self.fields[place.field];
        let names = self.names(place);
        if let Some(name) = value.as_str() {
            return names.0.iter().find(|known| known.1 == name).map(|known| known.0).ok_or_else(|| {
                let error = value.fail(format!("the field has no value {name:?}"));
                let known = names.0.iter().map(|known| known.1);
                if names.is_empty() {
                    return error.remedy("give the field names = { 1 = \"NAME\" }, or write the number");
                }
                match similar(name, known.clone()) {
                    Some(similar) => error.remedy(format!("did you mean {similar:?}?")),
                    None => error.remedy(format!("its names are {}", known.collect::<Vec<_>>().join(", "))),
                }
            });
        }
        match (place.bits, &field.form) {
            (Some(bits), _) if field.bits[bits].width == 1 && value.as_bool().is_some() => Ok(value.bool()?.into()),
            (Some(bits), _) => value.unsigned(0..=u64::MAX >> (64 - field.bits[bits].width)),
            (None, form) => integer_of(form, value),
        }
    }

    /// Reads the next field.
    fn field(&mut self, table: &Table<'t>, is_first: bool) -> Parsed<()> {
        table.allow("a field", &KEYS)?;
        for (padding, others) in [("align", &KEYS[..14]), ("skip", &KEYS[..14])] {
            if let Some(value) = table.get(padding) {
                if let Some(entry) =
                    table.entries.iter().find(|entry| others.contains(&entry.key) && entry.key != "when")
                {
                    return Err(entry
                        .fail(format!("padding has no {:?}", entry.key))
                        .remedy(format!("{{ {padding} = N }} is a field of its own, with nothing but \"when\"")));
                }
                return self.padding(table, padding, value, is_first);
            }
        }
        let name = table.get("name").ok_or_else(|| {
            table.fail("the field has no name").remedy("only { skip = N } and { align = N } have none")
        })?;
        let text = check_field_name(name)?;
        if self.place(text).is_some() {
            return Err(name.fail(format!("the message has two fields {text:?}")));
        }
        let mut field = Field {
            name: intern(text),
            about: intern(table.about()?),
            form: Form::Align(1),
            when: Condition::Always,
            optional: table.flag("optional")?,
            secret: table.flag("secret")?,
            slot: None,
            bits: Vec::new(),
            names: Names::default(),
            words: Vec::new(),
            equals: None,
            end: None,
        };
        self.conditions(table, &mut field, is_first)?;
        let kind = table.get("type").ok_or_else(|| {
            table.fail(format!("the field {text:?} has no type")).remedy(format!("the types are {}", TYPES.join(", ")))
        })?;
        match self.number(table, kind)? {
            Some(form) => self.integer_field(table, &mut field, form)?,
            None => self.bytes_field(table, &mut field, kind.string()? == "string")?,
        }
        self.push(field, name.span());
        Ok(())
    }

    fn push(&mut self, field: Field, span: Range<usize>) {
        self.fields.push(field);
        self.spans.push(span);
    }

    fn padding(&mut self, table: &Table<'t>, key: &str, value: Value<'t>, is_first: bool) -> Parsed<()> {
        let form = match key {
            "align" => Form::Align(
                Some(value.unsigned(2..=4096)?)
                    .filter(|size| size.is_power_of_two())
                    .ok_or_else(|| value.fail("an alignment is a power of two"))?,
            ),
            _ => Form::Bytes { length: Length::Fixed(value.unsigned(1..=1 << 20)?), max: self.max, text: false },
        };
        if is_first && key == "align" {
            return Err(value.fail("a message does not begin with an alignment").remedy("leave it out"));
        }
        let mut field = Field {
            name: "",
            about: "",
            form,
            when: Condition::Always,
            optional: false,
            secret: false,
            slot: None,
            bits: Vec::new(),
            names: Names::default(),
            words: Vec::new(),
            equals: None,
            end: None,
        };
        self.conditions(table, &mut field, is_first)?;
        self.push(field, value.span());
        Ok(())
    }

    /// Reads when the field is there.
    fn conditions(&mut self, table: &Table<'t>, field: &mut Field, is_first: bool) -> Parsed<()> {
        if let Some(when) = table.get("when") {
            if is_first {
                return Err(when.fail("the first field of a message is always there").remedy("leave \"when\" out"));
            }
            field.when = self.condition(when)?;
        }
        if let (true, Some(optional)) = (field.optional && !self.end_is_known, table.get("optional")) {
            return Err(optional
                .fail("an optional field needs a message whose end is known before it")
                .remedy("give the message a length, or use when = { FIELD = VALUE }"));
        }
        Ok(())
    }

    /// Returns the form of an integer type. `None` for bytes and strings.
    fn number(&self, table: &Table<'t>, kind: Value<'t>) -> Parsed<Option<Form>> {
        let text = kind.string()?;
        let order = match table.get("order") {
            None => None,
            Some(order) => Some(is_little(order)?),
        };
        let (plain, suffix) = match text {
            _ if text.len() > 2 && text.ends_with("le") => (&text[..text.len() - 2], Some(true)),
            _ if text.len() > 2 && text.ends_with("be") => (&text[..text.len() - 2], Some(false)),
            _ => (text, None),
        };
        let little = suffix.or(order).unwrap_or(self.little);
        let signed = plain.starts_with('i');
        let width = match plain {
            "u8" | "i8" => 1,
            "u16" | "i16" => 2,
            "u24" => 3,
            "u32" | "i32" => 4,
            "u64" | "i64" => 8,
            "varint" if suffix.is_none() => return Ok(Some(Form::Varint { zigzag: false })),
            "zigzag" if suffix.is_none() => return Ok(Some(Form::Varint { zigzag: true })),
            "bytes" | "string" if suffix.is_none() => return Ok(None),
            _ => {
                let error = kind.fail(format!("there is no type {text:?}"));
                return Err(match similar(plain, TYPES.into_iter()) {
                    Some(name) => error.remedy(format!("did you mean {name:?}?")),
                    None => error.remedy(format!("the types are {}; integers may end in le or be", TYPES.join(", "))),
                });
            }
        };
        Ok(Some(Form::Integer { width, little, signed }))
    }

    fn integer_field(&mut self, table: &Table<'t>, field: &mut Field, form: Form) -> Parsed<()> {
        for key in ["length", "prefix", "until", "max"] {
            if let Some(entry) = table.entry(key) {
                return Err(entry
                    .fail(format!("an integer has no {key:?}"))
                    .remedy("its type is its size; only bytes and strings have a length"));
            }
        }
        if let Some(bits) = table.get("bits") {
            let Form::Integer { width, signed: false, .. } = form else {
                return Err(bits.fail("only u8, u16, u24, u32 and u64 have bits"));
            };
            field.bits = self.bits(bits, u32::from(width) * 8)?;
        }
        if let Some(names) = table.get("names") {
            field.names = read_names(names, |key| {
                let value = key.parse::<i128>().ok().or_else(|| {
                    let hex = key.strip_prefix("0x").or_else(|| key.strip_prefix("0X"))?;
                    i128::from_str_radix(hex, 16).ok()
                })?;
                encode(&form, value)
            })?;
        }
        if let Some(equals) = table.get("equals") {
            let value = integer_of(&form, equals)?;
            let fault = intern(&format!("the field {} is not {}", field.name, equals.integer()?));
            field.equals = Some(Equals { value: Constant::Integer(value), fault });
        }
        field.form = form;
        Ok(())
    }

    /// Reads the parts of an integer, the most significant first.
    fn bits(&self, value: Value<'t>, width: u32) -> Parsed<Vec<Bits>> {
        let table = value.table()?;
        let mut bits: Vec<Bits> = Vec::new();
        let mut left = width;
        for entry in &table.entries {
            if !is_field_name(entry.key) {
                return Err(entry.fail("bits have a name of letters, digits and _"));
            }
            if self.place(entry.key).is_some() {
                return Err(entry.fail(format!("the message has two fields {:?}", entry.key)));
            }
            let (size, names) = match entry.value.is_table() {
                false => (entry.value, Names::default()),
                true => {
                    let table = entry.value.table()?;
                    table.allow("bits", &["width", "names"])?;
                    let width = table.get("width").ok_or_else(|| table.fail("the bits have no width"))?;
                    let size = width.unsigned(1..=64)?;
                    let names = table.get("names").map(|names| {
                        read_names(names, |key| {
                            key.parse().ok().filter(|value: &u64| *value <= u64::MAX >> (64 - size))
                        })
                    });
                    (width, names.transpose()?.unwrap_or_default())
                }
            };
            let size = size.unsigned(1..=64)? as u32;
            left = left.checked_sub(size).ok_or_else(|| {
                entry.fail("the bits are more than the integer has").remedy(format!("it has {width} of them"))
            })?;
            bits.push(Bits { name: intern(entry.key), shift: left, width: size, slot: None, names });
        }
        if left > 0 {
            return Err(value
                .fail(format!("the bits are {} and the integer has {width}", width - left))
                .remedy(format!("name the other {left}, such as reserved = {left}")));
        }
        Ok(bits)
    }

    fn bytes_field(&mut self, table: &Table<'t>, field: &mut Field, text: bool) -> Parsed<()> {
        if let Some(entry) =
            table.entry("bits").or_else(|| table.entry("order").filter(|_| table.get("prefix").is_none()))
        {
            return Err(entry.fail(format!("bytes and strings have no {:?}", entry.key)));
        }
        let max = table.get("max").map_or(Ok(self.max), |max| max.size())?;
        let ways: Vec<_> = ["equals", "length", "prefix", "until"].iter().filter_map(|key| table.entry(key)).collect();
        if let [_, second, ..] = ways[..] {
            return Err(second
                .fail(format!("the field has two ends: {:?} and {:?}", ways[0].key, second.key))
                .remedy("give one of equals, length, prefix and until"));
        }
        let length = match ways.first().map(|entry| (entry.key, entry.value)) {
            Some(("equals", value)) => {
                let bytes = value.bytes()?;
                if bytes.is_empty() || bytes.len() > CONSTANT_MAX {
                    return Err(value.fail(format!("a constant has 1 to {CONSTANT_MAX} bytes")));
                }
                let length = Length::Fixed(bytes.len() as u64);
                let shown = String::from_utf8_lossy(&bytes).escape_debug().to_string();
                let fault = intern(&format!("the field {} is not \"{shown}\"", field.name));
                field.equals = Some(Equals { value: Constant::Bytes(bytes), fault });
                length
            }
            Some(("prefix", value)) => self.prefix(table, field, value)?,
            Some(("until", value)) => {
                let bytes = value.bytes()?;
                if bytes.is_empty() || bytes.len() > DELIMITER_MAX {
                    return Err(value.fail(format!("a delimiter has 1 to {DELIMITER_MAX} bytes")));
                }
                Length::Until(bytes)
            }
            Some((_, value)) => self.length(field, value)?,
            None if self.end_is_known => Length::Rest { behind: 0 },
            None => {
                return Err(table.fail(format!("nothing ends the field {:?}", field.name)).remedy(
                    "give it length = N, length = \"FIELD\", prefix = \"u16\", until = \"\\n\" or equals, or give \
                     the message a length: the field is then the rest of it",
                ));
            }
        };
        if let Some(names) = table.get("names") {
            for word in names.array()? {
                let word = word.name()?;
                if field.words.contains(&word) {
                    return Err(names.fail(format!("the name {word:?} occurs twice")));
                }
                field.words.push(intern(word));
            }
            if field.words.is_empty() || field.words.len() > NAMES_MAX {
                return Err(names.fail(format!("a field has 1 to {NAMES_MAX} names")));
            }
        }
        field.form = Form::Bytes { length, max, text };
        Ok(())
    }

    /// Adds the length in front of a string, as a field without a name.
    fn prefix(&mut self, table: &Table<'t>, field: &Field, value: Value<'t>) -> Parsed<Length> {
        let form = match self.number(table, value)? {
            Some(form) if !form.is_signed() => form,
            _ => return Err(value.fail("a prefix is an unsigned integer or a varint")),
        };
        let prefix = Field {
            name: "",
            about: "",
            form,
            when: field.when.clone(),
            optional: field.optional,
            secret: false,
            slot: Some(PREFIX_SLOT),
            bits: Vec::new(),
            names: Names::default(),
            words: Vec::new(),
            equals: None,
            end: None,
        };
        self.push(prefix, value.span());
        Ok(Length::Value { slot: PREFIX_SLOT, times: 1, add: 0 })
    }

    /// Reads a length: a number, or `FIELD`, `FIELD - 4`, `FIELD * 8 + 2`.
    fn length(&mut self, field: &Field, value: Value<'t>) -> Parsed<Length> {
        let Some(text) = value.as_str() else {
            return Ok(Length::Fixed(value.unsigned(1..=1 << 30)?));
        };
        let refuse = || {
            value
                .fail(format!("{text:?} is no length"))
                .remedy("a length is a number, or the name of a field, or such as \"FIELD - 4\" or \"FIELD * 8 + 2\"")
        };
        let mut words = text.split_whitespace();
        let name = words.next().ok_or_else(refuse)?;
        let (mut times, mut add) = (1, None);
        while let Some(operator) = words.next() {
            let number: u32 = words.next().and_then(|number| number.parse().ok()).ok_or_else(refuse)?;
            match operator {
                "*" if times == 1 && add.is_none() && number > 0 => times = u64::from(number),
                "+" if add.is_none() => add = Some(i64::from(number)),
                "-" if add.is_none() => add = Some(-i64::from(number)),
                _ => return Err(refuse()),
            }
        }
        if !is_field_name(name) {
            return Err(refuse());
        }
        let place = self.integer(name, value, "a length")?;
        if self.is_signed(place) {
            return Err(value.fail(format!("{name:?} may be negative, so it is no length")).remedy("use u8 to u64"));
        }
        let when = &self.fields[place.field].when;
        let optional = self.fields[place.field].optional;
        if (*when != Condition::Always && *when != field.when) || (optional && !field.optional) {
            return Err(value
                .fail(format!("{name:?} is not in every message that has the field {:?}", field.name))
                .remedy("give both fields the same \"when\" and \"optional\""));
        }
        let slot = self.slot(place, value)?;
        Ok(Length::Value { slot, times, add: add.unwrap_or(0) })
    }

    /// Marks the last field as the length of the message, if it is.
    fn message_end(&mut self, table: &Table<'t>) -> Parsed<()> {
        let Some((name, value, mut end)) = self.end else { return Ok(()) };
        let Some(place) = self.place(name) else { return Ok(()) };
        let place = Place { bits: place.bits, ..self.integer(name, value, "the length of a message")? };
        let field = &self.fields[place.field];
        if self.is_signed(place) {
            return Err(value.fail(format!("{name:?} may be negative, so it is no length")).remedy("use u8 to u64"));
        }
        if field.when != Condition::Always {
            return Err(value
                .fail(format!("{name:?} is not in every message, so it is not the length of the message"))
                .remedy("leave out its \"when\""));
        }
        if table.get("equals").is_some() {
            return Err(value.fail(format!("{name:?} always has the same value, so it is no length")));
        }
        end.bits = place.bits.map(|bits| bits as u8);
        self.fields[place.field].end = Some(end);
        self.end = None;
        self.end_is_known = true;
        Ok(())
    }

    /// Measures the fields behind the rest of a message.
    fn measure_rest(&mut self) -> Parsed<()> {
        let mut behind = Some(0_u64);
        for at in (0..self.fields.len()).rev() {
            if let Form::Bytes { length: Length::Rest { behind: size }, .. } = &mut self.fields[at].form {
                if let Some(fixed) = behind {
                    *size = fixed;
                    behind = None;
                    continue;
                }
                let reason =
                    format!("the field {:?} is the rest of the message, but others follow it", self.fields[at].name);
                return Err(SpecFileError::new(self.text, self.spans[at].clone(), reason).remedy(
                    "behind the rest, fields have a fixed size and no \"when\"; or give it a length of its own",
                ));
            }
            let field = &self.fields[at];
            let is_always = field.when == Condition::Always && !field.optional;
            behind = behind.zip(field.form.size().filter(|_| is_always)).map(|(sum, size)| sum + size);
        }
        Ok(())
    }

    /// Returns the fields, and the runs of fields of fixed size.
    pub(super) fn finish(self) -> (Vec<Field>, Vec<Run>) {
        let mut runs = Vec::new();
        for start in 0..self.fields.len() {
            let mut run = Run::default();
            for field in &self.fields[start..] {
                let is_joined = run.fields == 0 || (field.when == Condition::Always && !field.optional);
                // A large field is a run of its own.
                let fits = |size: &u64| is_joined && (run.fields == 0 || run.size + size <= RUN_MAX);
                let Some(size) = field.form.size().filter(fits) else { break };
                run.fields += 1;
                run.size += size;
                run.needed |= field.slot.is_some()
                    || field.equals.is_some()
                    || field.end.is_some()
                    || !field.words.is_empty()
                    || field.bits.iter().any(|bits| bits.slot.is_some());
                // The end of the message is checked before more of it is read.
                if field.end.is_some() || field.optional || size > RUN_MAX {
                    break;
                }
            }
            run.needed &= run.size <= 2 * RUN_MAX;
            runs.push(run);
        }
        (self.fields, runs)
    }
}

/// Reads a byte order. Returns whether it is the little one.
pub(super) fn is_little(value: Value<'_>) -> Parsed<bool> {
    match value.string()? {
        "big" => Ok(false),
        "little" => Ok(true),
        other => Err(value.fail(format!("there is no byte order {other:?}")).remedy("it is \"big\" or \"little\"")),
    }
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_field_name<'t>(value: Value<'t>) -> Parsed<&'t str> {
    let name = value.string()?;
    if is_field_name(name) {
        return Ok(name);
    }
    Err(value.fail("a field has a name of ASCII letters, digits and _").remedy("it does not begin with a digit"))
}

/// Reads a value of an integer of this form.
fn integer_of(form: &Form, value: Value<'_>) -> Parsed<u64> {
    let integer = value.integer()?;
    encode(form, integer).ok_or_else(|| match form {
        Form::Bytes { .. } | Form::Align(_) => value.fail("a string is compared with one of its names"),
        _ => value.fail(format!("the field cannot have the value {integer}")).remedy("it is too large, or negative"),
    })
}

/// Returns the bits of a value, if an integer of this form can have it.
fn encode(form: &Form, value: i128) -> Option<u64> {
    let (bits, signed) = match form {
        Form::Integer { width, signed, .. } => (u32::from(*width) * 8, *signed),
        Form::Varint { zigzag } => (64, *zigzag),
        _ => return None,
    };
    if signed {
        let limit = 1_i128 << (bits - 1);
        (-limit..limit).contains(&value).then_some(value as i64 as u64)
    } else {
        (0..1_i128 << bits).contains(&value).then_some(value as u64)
    }
}

/// Reads names of values. `parse` returns the value of a key.
fn read_names(value: Value<'_>, parse: impl Fn(&str) -> Option<u64>) -> Parsed<Names> {
    let table = value.table()?;
    if table.entries.is_empty() || table.entries.len() > NAMES_MAX {
        return Err(value.fail(format!("a field has 1 to {NAMES_MAX} names")));
    }
    let mut names: Vec<(u64, &'static str)> = Vec::new();
    for entry in &table.entries {
        let number = parse(entry.key).ok_or_else(|| {
            entry
                .fail(format!("{:?} is no value of the field", entry.key))
                .remedy("names are written as NUMBER = \"NAME\", and the number fits the field")
        })?;
        if names.iter().any(|known| known.0 == number) {
            return Err(entry.fail("the value has two names"));
        }
        names.push((number, intern(entry.value.name()?)));
    }
    names.sort_unstable();
    Ok(Names(names))
}
