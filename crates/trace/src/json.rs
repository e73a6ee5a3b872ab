//! Entries as lines of JSON.
use crate::{Entry, Event, How};
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
        Event::Sent { .. } | Event::Made { .. } => &["org.ref_send.log.Sent", "org.ref_send.log.Event"],
        Event::Got { .. } | Event::Began { .. } => &["org.ref_send.log.Got", "org.ref_send.log.Event"],
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

/// One line, without its end. `ms` is when it was written, in milliseconds since 1970; `name` is the vat's name.
pub fn line(e: &Entry, name: &str, ms: u64) -> String {
    let mut out = String::from("{\"class\":[");
    for (i, c) in classes(&e.event).iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        quoted(&mut out, c);
    }
    let _ = write!(out, "],\"anchor\":{{\"number\":{},\"turn\":{{\"loop\":", e.number);
    quoted(&mut out, &format!("vat-{} {name}", e.turn.vat));
    let _ = write!(out, ",\"number\":{}}}}},\"timestamp\":{ms}", e.turn.number);
    match &e.event {
        Event::Sent { message, text, answer } => {
            text_field(&mut out, "message", &format!("m{message}"));
            text_field(&mut out, "text", text);
            if let Some((v, n)) = answer {
                text_field(&mut out, "answer", &format!("p{v}.{n}"));
            }
        }
        Event::Got { message, text } | Event::Began { message, text } => {
            text_field(&mut out, "message", &format!("m{message}"));
            text_field(&mut out, "text", text);
        }
        Event::Resolved { message, promise: (v, n), .. } => {
            text_field(&mut out, "condition", &format!("p{v}.{n}"));
            text_field(&mut out, "message", &format!("m{message}"));
        }
        Event::Aborted { text } | Event::Problem { text } => text_field(&mut out, "reason", text),
        Event::Made { vat, name } => {
            text_field(&mut out, "message", &format!("vat-{vat}"));
            text_field(&mut out, "text", name);
        }
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
        let expected = r#"{"class":["org.ref_send.log.Got","org.ref_send.log.Event"],"anchor":{"number":1,"turn":{"loop":"vat-2 bob.js","number":7}},"timestamp":5,"message":"m9","text":"a\"b\n\u0001"}"#;
        assert_eq!(line(&e, "bob.js", 5), expected);
    }
}
