//! The values of XML-RPC, to and from XML.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

const DEPTH_MAX: usize = 64;

/// A value of XML-RPC. The tag of a value that is no list is kept, so that it is sent back as it
/// came.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(String, String),
    Array(Vec<Value>),
    Struct(Vec<(String, Value)>),
}

impl Value {
    pub(crate) fn scalar(tag: &str, text: &(impl ToString + ?Sized)) -> Self {
        Self::Scalar(tag.to_owned(), text.to_string())
    }

    pub(crate) fn number(&self) -> Result<f64, String> {
        match self {
            Self::Scalar(tag, text) if matches!(tag.as_str(), "int" | "i4" | "i8" | "double") => {
                text.trim().parse().map_err(|_| format!("not a number: {text}"))
            }
            _ => Err("expected a number".to_owned()),
        }
    }

    pub(crate) fn to_xml(&self) -> String {
        match self {
            Self::Scalar(tag, text) => format!("<value><{tag}>{}</{tag}></value>", escape(text)),
            Self::Array(values) => {
                let values: String = values.iter().map(Self::to_xml).collect();
                format!("<value><array><data>{values}</data></array></value>")
            }
            Self::Struct(members) => {
                let member = |(name, value): &(String, Self)| {
                    format!("<member><name>{}</name>{}</member>", escape(name), value.to_xml())
                };
                format!("<value><struct>{}</struct></value>", members.iter().map(member).collect::<String>())
            }
        }
    }
}

/// An element: its name, its text and its children.
#[derive(Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// Parses a document into the children of its root.
pub(crate) fn parse(body: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(body);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let last = open.len() - 1;
        match event {
            Event::Start(_) if open.len() == DEPTH_MAX => return Err("too deep".to_owned()),
            Event::Start(tag) => open.push(element(tag.name().as_ref())),
            Event::Empty(tag) => open[last].children.push(element(tag.name().as_ref())),
            Event::Text(text) => open[last].text.push_str(&text.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| error.to_string())?;
                let text =
                    quick_xml::escape::unescape(&format!("&{name};")).map_err(|error| error.to_string())?.into_owned();
                open[last].text.push_str(&text);
            }
            Event::CData(text) => open[last].text.push_str(&String::from_utf8_lossy(&text)),
            Event::End(_) => match (open.pop(), open.last_mut()) {
                (Some(child), Some(parent)) => parent.children.push(child),
                _ => return Err("an end without a beginning".to_owned()),
            },
            Event::Eof if last == 0 => return open.pop().ok_or_else(String::new),
            Event::Eof => return Err(format!("<{}> has no end", open[last].name)),
            _ => {}
        }
    }
}

fn element(name: &[u8]) -> Element {
    Element { name: String::from_utf8_lossy(name).into_owned(), ..Element::default() }
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Result<&Self, String> {
        self.children.iter().find(|child| child.name == name).ok_or_else(|| format!("expected <{name}>"))
    }

    pub(crate) fn value(&self) -> Result<Value, String> {
        let Some(inner) = self.children.first() else { return Ok(Value::scalar("string", &self.text)) };
        match inner.name.as_str() {
            "array" => {
                inner.child("data")?.children.iter().map(Self::value).collect::<Result<_, _>>().map(Value::Array)
            }
            "struct" => {
                let member = |it: &Self| Ok((it.child("name")?.text.clone(), it.child("value")?.value()?));
                inner.children.iter().map(member).collect::<Result<_, String>>().map(Value::Struct)
            }
            tag => Ok(Value::scalar(tag, &inner.text)),
        }
    }
}
