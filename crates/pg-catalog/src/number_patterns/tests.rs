//! Tests of the module beside.

use super::*;

#[test]
fn numbers_are_written_as_postgresql_writes_them() {
    // The number, rounded as the pattern asks, and what becomes of it.
    for (number, pattern, expected) in [
        ("1234.50", "FM9,999.00", "1,234.50"),
        ("-0.0241", "FM990.0000", "-0.0241"),
        ("485", "999", " 485"),
        ("-485", "999", "-485"),
        ("485", "9999", "  485"),
        ("12345", "999", " ###"),
        ("0.10", "99.99", "   .10"),
        ("0.10", "0.99", " 0.10"),
        ("-0.10", "FM9.99", "-.1"),
        ("0.1", "FM0.9", "0.1"),
        ("12.0", "FM9990999.9", "0012."),
        ("148.500", "999.999", " 148.500"),
        ("148.500", "FM999.999", "148.5"),
        ("148.500", "FM999.990", "148.500"),
        ("-485", "999S", "485-"),
        ("-485", "999MI", "485-"),
        ("485", "999MI", "485 "),
        ("-485", "999PR", "<485>"),
        ("485", "SG999", "+485"),
        ("482", "999th", " 482nd"),
        ("485", "RN", "        CDLXXXV"),
        ("1485", "9G999", " 1,485"),
        ("485", "\"Good number:\"999", "Good number: 485"),
        ("1234567", "9,999,999", " 1,234,567"),
        ("5", "000", " 005"),
        ("0", "FM999", "0"),
    ] {
        let written = Pattern::parse(pattern).map(|pattern| pattern.write(number));
        assert_eq!(written.as_deref(), Ok(expected), "{number} {pattern}");
    }
}

#[test]
fn numbers_are_read() {
    for (text, pattern, expected) in [
        ("1,234.50", "9,999.99", "1234.50"),
        ("-12,345.6", "99G999D9", "-12345.6"),
        ("12.4-", "99D9S", "-12.4"),
        ("$5.25", "L9.99", "5.25"),
        ("100", "999999", "100"),
        ("<485>", "999PR", "-485"),
    ] {
        let read = Pattern::parse(pattern).and_then(|pattern| pattern.read(text));
        assert_eq!(read.as_deref(), Ok(expected), "{text} {pattern}");
    }
}
