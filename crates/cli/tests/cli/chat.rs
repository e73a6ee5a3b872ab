//! The example `chat`: four hosts over Noise, of which each dies once.
use crate::kit::{Folder, Started};
use std::path::Path;

struct Chat {
    f: Folder,
    port: String,
    seats: Vec<(&'static str, String)>,
}

fn example(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/chat").join(file).display().to_string()
}

impl Chat {
    fn room(&self) -> Started {
        let url = format!("noise://127.0.0.1:{}", self.port);
        self.f.serve(&["serve", "--state", "room", "--listen", &url, &example("")])
    }
    fn person(&self, name: &str) -> Started {
        let seat = &self.seats.iter().find(|s| s.0 == name).expect("he is invited").1;
        self.f.serve(&["serve", "--state", name, &example("person.js"), seat])
    }
    fn call(&self, state: &str, method: &str, text: &str) -> String {
        let ran = self.f.run(&["vat", "call", "--state", state, "1", method, text]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out.trim().trim_matches('"').to_owned()
    }
    fn say(&self, name: &str, text: &str) {
        self.call(name, "say", text);
    }
}

/// The numbers of what a process printed of the room; lines may come again after a death, and never out of order.
fn numbers(lines: &[String]) -> Vec<u64> {
    lines.iter().filter_map(|l| l.split_once(". ")?.0.parse().ok()).collect()
}

#[test]
fn who_was_away_hears_what_he_missed_in_order() {
    let mut chat = Chat { f: Folder::new(&[]), port: "0".into(), seats: Vec::new() };
    let mut room = chat.room();
    let uri = room.line(|l| l.starts_with("ocapn://"));
    chat.port = uri.rsplit_once("port=").expect("a port").1.to_owned();
    for name in ["Ada", "Bob", "Cleo"] {
        let seat = chat.call("room", "invite", name);
        chat.seats.push((name, seat));
    }
    let (mut ada, mut bob, mut cleo) = (chat.person("Ada"), chat.person("Bob"), chat.person("Cleo"));
    chat.say("Ada", "hello");
    for host in [&mut ada, &mut bob, &mut cleo] {
        host.wait_for("1. Ada: hello");
    }
    // Cleo is away
    let before = cleo.kill9();
    chat.say("Bob", "hi");
    bob.wait_for("2. Bob: hi");
    chat.say("Ada", "where is Cleo?");
    bob.wait_for("3. Ada: where is Cleo?");
    let mut cleo = chat.person("Cleo");
    cleo.wait_for("3. Ada: where is Cleo?");
    let heard = numbers(&[before, cleo.out.clone()].concat());
    let mut once = heard.clone();
    once.dedup();
    assert_eq!(once, [1, 2, 3], "{heard:?}");
    // the room is away: what is said waits with whom says it
    drop(room.kill9());
    chat.say("Cleo", "here");
    chat.say("Cleo", "again");
    let bob_before = bob.kill9();
    let _room = chat.room();
    let mut bob = chat.person("Bob");
    for host in [&mut ada, &mut bob, &mut cleo] {
        host.wait_for("5. Cleo: again");
    }
    let mut all = numbers(&[bob_before, bob.out.clone()].concat());
    all.dedup();
    assert_eq!(all, [1, 2, 3, 4, 5]);
    assert_eq!(numbers(&ada.out), [1, 2, 3, 4, 5]);
    assert_eq!(chat.f.json(&["vat", "call", "--state", "room", "1", "said"])["value"].as_array().map(Vec::len), Some(5));
}
