//! XML.

use enjamb_law::{Blocking, DebugText, Kind, Pushing, Reading, Subject as _};
use rxml::Parse as _;

use super::{ASYNC, BLOCKING, PUSH};
use crate::entry::Entry;
use crate::subject::any;

/// Markup that is complete by itself.
const MARKUP: [&[u8]; 6] =
    [b"<a b=\"c\">text</a>", b"<![CDATA[x]]y]]>", b"<!-- c - d -->", b"<?pi d?>", b"<e/>", b"<a>t&amp;u</a>"];

macro_rules! quick_xml {
    ($name:literal, $quick_xml:ident) => {
        Entry::new($name, "XML", BLOCKING, || {
            any(Blocking::with($quick_xml::Reader::from_reader, |reader| {
                match reader.read_event_into(&mut Vec::new())? {
                    $quick_xml::events::Event::Eof => Ok::<_, $quick_xml::Error>(None),
                    event => Ok(Some(DebugText(format!("{event:?}")))),
                }
            }))
        })
        .messages(MARKUP)
        .tokens([&b"<!DOCTYPE a>"[..], b"<!DOCTYPE >", b"]]>", b"--", b"?>", b"t&amp;u"])
    };
}

pub fn entries() -> Vec<Entry> {
    vec![
        quick_xml!("quick-xml 0.25.0", quick_xml_025),
        quick_xml!("quick-xml 0.34.0", quick_xml_034),
        quick_xml!("quick-xml 0.35.0", quick_xml_035),
        quick_xml!("quick-xml 0.39.1", quick_xml_039),
        quick_xml!("quick-xml 0.42.0", quick_xml),
        Entry::new("quick-xml 0.42.0 async", "XML", ASYNC, || {
            any(Reading::with(
                |chunks| quick_xml::Reader::from_reader(tokio::io::BufReader::new(chunks)),
                async |reader| match reader.read_event_into_async(&mut Vec::new()).await? {
                    quick_xml::events::Event::Eof => Ok::<_, quick_xml::Error>(None),
                    event => Ok(Some(DebugText(format!("{event:?}")))),
                },
            ))
        })
        .messages(MARKUP)
        .tokens([&b"<!DOCTYPE a>"[..], b"]]>", b"--", b"?>"]),
        Entry::new("xml 1.4.0", "XML", BLOCKING, || {
            any(Blocking::with(xml::reader::EventReader::new, |reader| match reader.next()? {
                xml::reader::XmlEvent::EndDocument => Ok::<_, xml::reader::Error>(None),
                event => Ok(Some(DebugText(format!("{event:?}")))),
            }))
        })
        .messages([&b"<?xml version=\"1.0\"?><a b='c' xmlns='u'>text<e/>&amp;\xc3\xa9<![CDATA[y]]></a>"[..]])
        .one_message(),
        Entry::new("rxml 0.14.0", "XML", PUSH, || {
            any(Pushing::new(Document::default, |document: &mut Document, chunk, out| document.read(chunk, false, out))
                .at_end(|document, out| document.read(b"", true, out))
                .flat_map(|events: Vec<DebugText>| events))
        })
        // A parser reads one document.
        .messages([&b"<?xml version='1.0'?><a b='c' xmlns='u'>text<e/>&amp;\xc3\xa9<![CDATA[y]]></a>"[..]])
        .dependent(),
    ]
}

/// A parser of one document, with the bytes that it has not read yet.
#[derive(Default)]
struct Document {
    parser: rxml::Parser,
    unread: Vec<u8>,
    ended: bool,
}

impl Document {
    fn read(&mut self, chunk: &[u8], at_end: bool, out: &mut dyn FnMut(Result<Vec<DebugText>, Kind>)) {
        self.unread.extend_from_slice(chunk);
        while !self.ended {
            let mut rest = &self.unread[..];
            let result = self.parser.parse(&mut rest, at_end);
            let used = self.unread.len() - rest.len();
            self.unread.drain(..used);
            match result {
                // The pieces of text follow the cuts, so they are compared character by character.
                Ok(Some(rxml::Event::Text(_, text))) => {
                    out(Ok(text.chars().map(|c| DebugText(format!("text {c:?}"))).collect()));
                }
                Ok(Some(rxml::Event::StartElement(_, name, attributes))) => {
                    out(Ok(vec![DebugText(format!("start {name:?} {attributes:?}"))]));
                }
                Ok(Some(rxml::Event::EndElement(_))) => out(Ok(vec![DebugText("end".to_owned())])),
                Ok(Some(rxml::Event::XmlDeclaration(_, version))) => {
                    out(Ok(vec![DebugText(format!("declaration {version:?}"))]));
                }
                Ok(None) => self.ended = true,
                Err(rxml::error::EndOrError::NeedMoreData) => return,
                Err(rxml::error::EndOrError::Error(error)) => {
                    self.ended = true;
                    out(Err(Kind::of(&error)));
                }
            }
        }
    }
}
