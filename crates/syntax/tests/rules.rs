//! Every rule of the ladder by its own examples, and the invariant that a smaller level is a subset of strict ECMAScript.
use syntax::ast::Goal;
use syntax::diagnostic::{Level, Severity};
use syntax::{Options, Parsed, parse, rules};

fn at(source: &str, goal: Goal, level: Level) -> Parsed {
    parse(source, &Options { goal, level, dialect_2013: false })
}

fn errors(parsed: &Parsed) -> Vec<String> {
    let errors = parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    errors.map(|d| format!("{} at {}: {}", d.code, d.span.start, d.message)).collect()
}

#[test]
fn every_accept_example_is_accepted() {
    let mut bad = Vec::new();
    for rule in rules().iter().filter(|r| !r.accept.is_empty()) {
        let (source, goal, level) = rule.source(rule.accept);
        let found = errors(&at(&source, goal, level));
        if !found.is_empty() {
            bad.push(format!("{}: {source}\n    {found:?}", rule.code));
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn every_reject_example_is_rejected_by_its_rule() {
    let mut bad = Vec::new();
    for rule in rules().iter().filter(|r| r.checked && !r.reject.is_empty()) {
        let (source, goal, level) = rule.source(rule.reject);
        let parsed = at(&source, goal, level);
        if !parsed.diagnostics.iter().any(|d| d.code == rule.reported_as()) {
            bad.push(format!("{}: {source}\n    {:?}", rule.code, errors(&parsed)));
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn each_checked_rule_has_examples_and_each_code_is_there_once() {
    let mut codes: Vec<&str> = rules().iter().map(|r| r.code).collect();
    codes.sort_unstable();
    let count = codes.len();
    codes.dedup();
    assert_eq!(codes.len(), count);
    for rule in rules() {
        assert!(!rule.checked || !rule.accept.is_empty(), "{}", rule.code);
        assert!(!rule.message.is_empty(), "{}", rule.code);
    }
}

/// What Jessie accepts, strict ECMAScript reads as the same tree.
#[test]
fn accepted_examples_mean_the_same_in_strict_code() {
    for rule in rules().iter().filter(|r| r.form == syntax::rules::Form::Module || r.form == syntax::rules::Form::Body) {
        for example in [rule.accept, rule.reject] {
            let (source, goal, level) = rule.source(example);
            let small = at(&source, goal, level);
            if errors(&small).is_empty() {
                let strict = at(&source, Goal::Module, Level::Strict);
                assert_eq!(errors(&strict), Vec::<String>::new(), "{source}");
                assert_eq!(format!("{:?}", small.tree), format!("{:?}", strict.tree), "{source}");
            }
        }
    }
}

/// A larger level accepts what a smaller one accepts.
#[test]
fn the_ladder_only_grows() {
    let ladder = [Level::Jessie, Level::Jessie2026, Level::TinySes, Level::Ses, Level::Strict];
    for rule in rules().iter().filter(|r| r.form == syntax::rules::Form::Module || r.form == syntax::rules::Form::Body) {
        for example in [rule.accept, rule.reject] {
            let (source, goal, _) = rule.source(example);
            let accepted: Vec<bool> = ladder.iter().map(|&l| errors(&at(&source, goal, l)).is_empty()).collect();
            assert!(accepted.windows(2).all(|w| !w[0] || w[1]), "{source}: {accepted:?}");
        }
    }
}

/// The examples, cut up and put together anew: the same two invariants.
#[test]
fn damaged_examples_keep_the_ladder() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    };
    let texts: Vec<&str> = rules().iter().flat_map(|r| [r.accept, r.reject]).filter(|t| !t.is_empty()).collect();
    let statement = rules().iter().find(|r| r.code == "JS-110").expect("a rule");
    let mut accepted = 0;
    for _ in 0..4_000 {
        let words = |text: &str| text.split_inclusive(|c: char| !c.is_alphanumeric()).map(String::from).collect::<Vec<_>>();
        let (mut one, two) = (words(texts[below(texts.len())]), words(texts[below(texts.len())]));
        let at = below(one.len());
        match below(3) {
            0 => one.insert(at, two[below(two.len())].clone()),
            1 => one[at] = two[below(two.len())].clone(),
            _ => drop(one.remove(at)),
        }
        let text = one.concat();
        let source = if below(4) == 0 { text } else { statement.source(&text).0 };
        let small = at_level(&source, Level::Jessie);
        if !errors(&small).is_empty() {
            continue;
        }
        accepted += 1;
        for level in [Level::Jessie2026, Level::TinySes, Level::Ses] {
            assert_eq!(errors(&at_level(&source, level)), Vec::<String>::new(), "{} {source}", level.name());
        }
        assert_eq!(format!("{:?}", small.tree), format!("{:?}", at_level(&source, Level::Strict).tree), "{source}");
    }
    assert!(accepted > 200, "{accepted}");
}

/// A module.
fn at_level(source: &str, level: Level) -> Parsed {
    at(source, Goal::Module, level)
}
