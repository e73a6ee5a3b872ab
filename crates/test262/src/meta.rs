//! The head of a test: what it needs and how it must end.
//!
//! In: a test's text. Out: `Meta`. Of YAML only as much as these heads use: `key: value`, `key: [a, b]`, and lists and
//! records of one more level, by indentation.

/// The part of a test's head that decides how it is run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Meta {
    pub features: Vec<String>,
    pub includes: Vec<String>,
    pub flags: Vec<String>,
    /// (phase, name of the error)
    pub negative: Option<(String, String)>,
}

impl Meta {
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    /// Of a text without a head: nothing is needed.
    pub fn of(text: &str) -> Meta {
        let mut meta = Meta::default();
        let Some(head) = text.split_once("/*---").and_then(|t| t.1.split_once("---*/")) else { return meta };
        let (mut key, mut negative) = (String::new(), (String::new(), String::new()));
        for line in head.0.lines() {
            let inner = line.trim();
            if !line.starts_with([' ', '\t', '-']) {
                let Some((k, v)) = inner.split_once(':') else { continue };
                key = k.to_owned();
                let v = v.split('#').next().unwrap_or("").trim();
                let items = v.trim_start_matches('[').trim_end_matches(']').split(',').map(str::trim);
                items.filter(|i| !i.is_empty()).for_each(|i| meta.add(&key, i));
            } else if key == "negative" {
                match inner.split_once(':') {
                    Some(("phase", v)) => negative.0 = v.trim().to_owned(),
                    Some(("type", v)) => negative.1 = v.trim().to_owned(),
                    _ => {}
                }
            } else if let Some(item) = inner.strip_prefix("- ") {
                meta.add(&key, item.trim());
            } else {
                // a list in brackets that goes over lines
                let items = inner.trim_matches(['[', ']', ',']).split(',').map(str::trim);
                items.filter(|i| !i.is_empty()).for_each(|i| meta.add(&key, i));
            }
        }
        meta.negative = (!negative.0.is_empty()).then_some(negative);
        meta
    }

    fn add(&mut self, key: &str, item: &str) {
        match key {
            "features" => self.features.push(item.to_owned()),
            "includes" => self.includes.push(item.to_owned()),
            "flags" => self.flags.push(item.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let text = "// x\n/*---\ndescription: >\n    a: b\nflags: [onlyStrict, async]\nincludes:\n  - compareArray.js\nnegative:\n  phase: parse\n  \
                    type: SyntaxError\nfeatures: [Symbol, Reflect.construct]\n---*/\nx;\n";
        let meta = Meta::of(text);
        assert_eq!(meta.features, ["Symbol", "Reflect.construct"]);
        assert_eq!(meta.includes, ["compareArray.js"]);
        assert!(meta.is("async") && meta.is("onlyStrict") && !meta.is("module"));
        assert_eq!(meta.negative, Some(("parse".into(), "SyntaxError".into())));
        assert_eq!(Meta::of("1"), Meta::default());
    }
}
