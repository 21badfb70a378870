//! Tests of the module beside.

use super::*;

#[test]
fn names_are_quoted_where_they_must() {
    assert_eq!(quote_ident("signals"), "signals");
    assert_eq!(quote_ident("Signals"), "\"Signals\"");
    assert_eq!(quote_ident("select"), "\"select\"");
    assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
    assert_eq!(quote_literal("it's"), "'it''s'");
    assert_eq!(quote_literal("a\\b"), "E'a\\\\b'");
}
