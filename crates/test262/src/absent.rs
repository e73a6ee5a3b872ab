//! What the language of the engine does not have, as `docs/left-out.md` and `ARCHITECTURE.md` say: tests that need it are skipped.

use crate::meta::Meta;

/// Features whose tests are skipped; one that ends in `*` stands for all that begin so. What does not compile yet needs no line.
const FEATURES: &[&str] = &[
    "Array.fromAsync",
    "ArrayBuffer*",
    "Atomics*",
    "BigInt64Array",
    "DataView*",
    "Error.isError",
    "FinalizationRegistry*",
    "Float*",
    "Int*",
    "IsHTMLDDA",
    "Iterator*",
    "Math.sumPrecise",
    "Proxy*",
    "RegExp*",
    "ShadowRealm",
    "SharedArrayBuffer",
    "String.prototype.matchAll",
    "Symbol.match*",
    "Symbol.search",
    "Temporal*",
    "TypedArray*",
    "Uint*",
    "WeakRef*",
    "__getter__",
    "__setter__",
    "align-detached*",
    "arraybuffer-*",
    "await-dictionary",
    "canonical-tz",
    "cross-realm",
    "decorators",
    "dynamic-import",
    "error-stack-accessor",
    "explicit-resource-management",
    "host-gc-required",
    "immutable-arraybuffer",
    "import*",
    "iterator-*",
    "joint-iteration",
    "json-modules",
    "json-parse-with-source",
    "legacy-regexp",
    "proxy-*",
    "regexp-*",
    "resizable-arraybuffer",
    "source-phase*",
    "tail-call-optimization",
    "uint8array-*",
    "upsert",
    "nonextensible-*",
    "caller",
    "sync-iterator-*",
];

/// Names of globals that are not there.
const GLOBALS: &[&str] = &[
    "$262",
    "AbstractModuleSource",
    "Atomics",
    "ArrayBuffer",
    "DataView",
    "Date",
    "FinalizationRegistry",
    "Intl",
    "Iterator",
    "Proxy",
    "RegExp",
    "SharedArrayBuffer",
    "Temporal",
    "WeakRef",
    "TypedArray",
    "Uint8Array",
    "Uint8ClampedArray",
    "Int8Array",
    "Uint16Array",
    "Int16Array",
    "Uint32Array",
    "Int32Array",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "BigInt64Array",
    "BigUint64Array",
    "DisposableStack",
    "AsyncDisposableStack",
    "SuppressedError",
];

/// Helpers that are made of such things.
const INCLUDES: &[&str] = &[
    "testTypedArray.js",
    "testBigIntTypedArray.js",
    "testAtomics.js",
    "testIntl.js",
    "temporalHelpers.js",
    "regExpUtils.js",
    "dateConstants.js",
    "detachArrayBuffer.js",
    "resizableArrayBufferUtils.js",
    "proxyTrapsHelper.js",
    "wellKnownIntrinsicObjects.js",
    "hidden-constructors.js",
    "nativeFunctionMatcher.js",
    "iteratorZipUtils.js",
    "sm/*",
];

fn listed(list: &[&str], item: &str) -> bool {
    list.iter().any(|l| l.strip_suffix('*').map_or(*l == item, |start| item.starts_with(start)))
}

/// Why a test is not run, if so.
pub fn why_skipped(meta: &Meta, text: &str) -> Option<String> {
    if let Some(flag) = ["noStrict", "raw", "CanBlockIsFalse", "CanBlockIsTrue"].iter().find(|f| meta.is(f)) {
        return Some(format!("flag {flag}"));
    }
    if let Some(f) = meta.features.iter().find(|f| listed(FEATURES, f)) {
        return Some(format!("feature {f}"));
    }
    if let Some(i) = meta.includes.iter().find(|i| listed(INCLUDES, i)) {
        return Some(format!("include {i}"));
    }
    let body = text.split_once("---*/").map_or(text, |t| t.1);
    words(body).find(|w| GLOBALS.contains(w)).map(|w| format!("global {w}"))
}

/// The words of a program, comments to the end of a line left out.
fn words(body: &str) -> impl Iterator<Item = &str> {
    let code = body.lines().map(|l| l.split_once("//").map_or(l, |c| c.0));
    code.flat_map(|l| l.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))).filter(|w| !w.is_empty())
}

/// Does an error say no more than that something is not there?
pub fn is_absence(message: &str) -> bool {
    let named = |w: &&str| message.contains(&format!("{w} is not defined"));
    message.contains("not supported yet") || message.contains("which are not there yet") || GLOBALS.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_skipped_and_the_rest_is_not() {
        let of = |text: &str| why_skipped(&Meta::of(text), text);
        assert_eq!(of("/*---\nflags: [noStrict]\n---*/"), Some("flag noStrict".into()));
        assert_eq!(of("/*---\nfeatures: [regexp-lookbehind]\n---*/"), Some("feature regexp-lookbehind".into()));
        assert_eq!(of("new Proxy({}, {})"), Some("global Proxy".into()));
        assert_eq!(of("// Proxy\nProxyless; [].map"), None);
        assert!(is_absence("ReferenceError: Date is not defined") && !is_absence("ReferenceError: x is not defined"));
    }
}
