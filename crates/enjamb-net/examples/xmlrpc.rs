//! An XML-RPC server, which answers Python's `xmlrpc.client`.
//!
//! ```sh
//! cargo run --release --example xmlrpc -- 127.0.0.1:8000
//! python3 -c 'import xmlrpc.client; print(xmlrpc.client.ServerProxy("http://127.0.0.1:8000").add(2, 3))'
//! ```
//!
//! Methods: `add(number, ...)`, `echo(value)`, `upper(text)`, `sleep(seconds)`, which is answered
//! by a task, and `system.listMethods()`.

#[path = "common/http.rs"]
mod http;
#[path = "common/xml.rs"]
mod xml;

use std::time::Duration;

use anyhow::Context as _;
use enjamb::{FrameError, Framer, WholeFrames};
use enjamb_net::{Peer, Service, listen, serve};
use http::{Head, Malformed, Messages, Part};
use xml::{Value, parse};

const BODY_MAX: usize = 1 << 20;
async fn call(body: Vec<u8>) -> Result<Value, String> {
    let document = parse(&String::from_utf8_lossy(&body))?;
    let call = document.child("methodCall")?;
    let parameters = call.child("params").map_or(&[][..], |params| &params.children);
    let parameters = parameters.iter().map(|param| param.child("value")?.value()).collect::<Result<Vec<_>, _>>()?;
    match (call.child("methodName")?.text.as_str(), parameters.as_slice()) {
        ("add", numbers) => {
            let sum = numbers.iter().map(Value::number).sum::<Result<f64, _>>()?;
            let is_int = sum.fract() == 0.0 && sum.abs() < f64::from(i32::MAX);
            Ok(Value::scalar(if is_int { "int" } else { "double" }, &sum))
        }
        ("echo", [value]) => Ok(value.clone()),
        ("upper", [Value::Scalar(tag, text)]) if tag == "string" => Ok(Value::scalar("string", &text.to_uppercase())),
        ("sleep", [seconds]) => {
            let seconds = seconds.number()?;
            tokio::time::sleep(Duration::try_from_secs_f64(seconds.min(10.0)).map_err(|error| error.to_string())?)
                .await;
            Ok(Value::scalar("double", &seconds))
        }
        ("system.listMethods", []) => {
            let names = ["add", "echo", "sleep", "system.listMethods", "upper"];
            Ok(Value::Array(names.iter().map(|name| Value::scalar("string", *name)).collect()))
        }
        (name, parameters) => Err(format!("no method {name} of {} parameters", parameters.len())),
    }
}

struct Rpc {
    requests: Framer<WholeFrames<Messages>>,
    request: Option<(Head, Vec<u8>)>,
}

impl Service for Rpc {
    type Machine = Framer<WholeFrames<Messages>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.requests
    }

    fn event(&mut self, parts: Vec<Part>, peer: &mut Peer<'_>) {
        for part in parts {
            match (part, &mut self.request) {
                (Part::Head(head), _) => self.request = Some((head, Vec::new())),
                (Part::Data(bytes), Some((_, body))) if body.len() + bytes.len() <= BODY_MAX => body.extend(bytes),
                (Part::Data(_), _) => return fail(413, "Content Too Large", peer),
                (Part::End, request) => match request.take() {
                    Some((head, _)) if head.method != "POST" => return fail(405, "Method Not Allowed", peer),
                    Some((head, body)) => {
                        peer.push_later(async move { answer(call(body).await) });
                        if !head.keeps_alive() {
                            peer.close_when_done();
                        }
                    }
                    None => {}
                },
            }
        }
    }

    fn malformed(&mut self, _: FrameError<Malformed>, peer: &mut Peer<'_>) {
        fail(400, "Bad Request", peer);
    }
}

fn fail(status: u16, reason: &str, peer: &mut Peer<'_>) {
    peer.push(format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    peer.close_when_done();
}

fn answer(result: Result<Value, String>) -> String {
    let content = match result {
        Ok(value) => format!("<params><param>{}</param></params>", value.to_xml()),
        Err(reason) => {
            let members = [("faultCode", Value::scalar("int", &1)), ("faultString", Value::scalar("string", &reason))];
            let fault = Value::Struct(members.map(|(name, value)| (name.to_owned(), value)).into());
            format!("<fault>{}</fault>", fault.to_xml())
        }
    };
    let body = format!("<?xml version=\"1.0\"?>\n<methodResponse>{content}</methodResponse>\n");
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = listen(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("XML-RPC on http://{}/", listener.local_addr()?);
    serve(listener, |_| Rpc { requests: Framer::whole(Messages::requests()), request: None }).await;
    Ok(())
}
