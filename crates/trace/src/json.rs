//! Entries as lines of JSON.
use crate::{Entry, Event, How, Wire};
use std::fmt::Write as _;

fn quoted(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 || ('\u{7f}'..='\u{9f}').contains(&c) => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn classes(event: &Event) -> &'static [&'static str] {
    match event {
        Event::Sent { .. } | Event::WireSent { .. } | Event::Made { .. } => &["org.ref_send.log.Sent", "org.ref_send.log.Event"],
        Event::Got { .. } | Event::WireGot { .. } | Event::Began { .. } => &["org.ref_send.log.Got", "org.ref_send.log.Event"],
        Event::Resolved { how: How::Fulfilled, .. } => {
            &["org.ref_send.log.Fulfilled", "org.ref_send.log.Resolved", "org.ref_send.log.Event"]
        }
        Event::Resolved { how: How::Rejected, .. } => {
            &["org.ref_send.log.Rejected", "org.ref_send.log.Resolved", "org.ref_send.log.Event"]
        }
        Event::Resolved { .. } => &["org.ref_send.log.Resolved", "org.ref_send.log.Event"],
        Event::Aborted { .. } | Event::Problem { .. } => {
            &["org.ref_send.log.Problem", "org.ref_send.log.Comment", "org.ref_send.log.Event"]
        }
    }
}

fn text_field(out: &mut String, name: &str, text: &str) {
    let _ = write!(out, ",\"{name}\":");
    quoted(out, text);
}

fn wire(w: &Wire) -> String {
    let session: String = w.session.iter().map(|b| format!("{b:02x}")).collect();
    format!("w{session}.{}.{}", if w.from_lower { 'a' } else { 'b' }, w.number)
}

/// Microseconds since 1970, as a line has them.
pub fn micros(line: &serde_json::Value) -> Option<u64> {
    line.get("micros")?.as_u64()
}

/// One line, without its end. `us` is when it was written, in microseconds since 1970; `name` is the vat's name, `process` that of the
/// process that tells, which no other has.
pub fn line(e: &Entry, name: &str, process: &str, us: u64) -> String {
    let mut out = String::from("{\"class\":[");
    for (i, c) in classes(&e.event).iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        quoted(&mut out, c);
    }
    let _ = write!(out, "],\"anchor\":{{\"number\":{},\"turn\":{{\"loop\":", e.number);
    quoted(&mut out, &format!("{process}/vat-{} {name}", e.turn.vat));
    let _ = write!(out, ",\"number\":{}}}}},\"timestamp\":{},\"micros\":{us}", e.turn.number, us / 1000);
    let (mut message, mut promise) = (None, None);
    match &e.event {
        Event::Sent { message: m, text, answer } => {
            message = Some(format!("{process}/m{m}"));
            text_field(&mut out, "text", text);
            promise = answer.map(|p| ("answer", p));
        }
        Event::Got { message: m, text } | Event::Began { message: m, text } => {
            message = Some(format!("{process}/m{m}"));
            text_field(&mut out, "text", text);
        }
        Event::WireSent { wire: w, text } => {
            message = Some(wire(w));
            text_field(&mut out, "text", text);
        }
        Event::WireGot { wire: w } => message = Some(wire(w)),
        Event::Resolved { message: m, promise: p, .. } => {
            message = Some(format!("{process}/m{m}"));
            promise = Some(("condition", *p));
        }
        Event::Aborted { text } | Event::Problem { text } => text_field(&mut out, "reason", text),
        Event::Made { vat, name } => {
            message = Some(format!("{process}/vat-{vat}"));
            text_field(&mut out, "text", name);
        }
    }
    if let Some(m) = message {
        text_field(&mut out, "message", &m);
    }
    if let Some((field, (v, n))) = promise {
        text_field(&mut out, field, &format!("{process}/p{v}.{n}"));
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Turn;

    #[test]
    fn lines_are_json_whatever_the_text() {
        let turn = Turn { vat: 2, number: 7 };
        let e = Entry { turn, number: 1, event: Event::Got { message: 9, text: "a\"b\n\u{1}".into() } };
        let expected = r#"{"class":["org.ref_send.log.Got","org.ref_send.log.Event"],"anchor":{"number":1,"turn":{"loop":"x/vat-2 bob.js","number":7}},"timestamp":5,"micros":5001,"text":"a\"b\n\u0001","message":"x/m9"}"#;
        assert_eq!(line(&e, "bob.js", "x", 5001), expected);
    }

    #[test]
    fn a_message_between_hosts_is_named_by_its_session() {
        let wire = Wire { session: [1, 2, 3, 4, 5, 6, 7, 0xff], from_lower: false, number: 12 };
        let turn = Turn { vat: 2, number: 7 };
        let of = |event| line(&Entry { turn, number: 0, event }, "p", "x", 0);
        for text in [of(Event::WireSent { wire, text: "op:deliver".into() }), of(Event::WireGot { wire })] {
            assert!(text.contains(r#""message":"w01020304050607ff.b.12""#), "{text}");
        }
    }
}
