//! The functions whose results grow, or that take long, and what is known of each.

/// What is known of how much a function makes, or how long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// No more than its arguments together, so many times.
    Sum(usize),
    /// The first as often as the second says.
    Repeated,
    /// As many letters as the second says.
    Padded,
    /// The last wherever the second is found in the first.
    Replaced,
    /// From the first to the second by the third.
    Series,
    /// One after the other, in slices of so many rows: each may take long.
    Slow(usize),
    /// As long as the product of its texts, which are bounded.
    Distance,
    /// All but the first, with the first between them.
    Separated,
    /// The elements of the first, with the second between them and the third for the nulls.
    Joined,
    /// The first, in which each mark stands for one of the others, as wide as it says.
    Formatted,
    /// In so many times the bytes of its arguments, each of which is bounded.
    Whole(usize),
}

/// The functions that are told their rows in slices.
pub(super) const GROWING: &[(&str, Growth)] = &[
    ("repeat", Growth::Repeated),
    ("array_repeat", Growth::Repeated),
    ("list_repeat", Growth::Repeated),
    ("array_resize", Growth::Padded),
    ("list_resize", Growth::Padded),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Replaced),
    ("translate", Growth::Sum(4)),
    ("overlay", Growth::Sum(2)),
    ("concat", Growth::Sum(1)),
    ("concat_ws", Growth::Separated),
    ("format", Growth::Formatted),
    ("encode", Growth::Sum(3)),
    ("quote_literal", Growth::Sum(3)),
    ("quote_ident", Growth::Sum(3)),
    ("to_json", Growth::Sum(6)),
    ("json_of_items", Growth::Sum(4)),
    ("jsonb_of_items", Growth::Sum(50)),
    ("json_of_members", Growth::Sum(4)),
    ("jsonb_of_members", Growth::Sum(50)),
    ("to_char", Growth::Whole(60)),
    ("string_to_array", Growth::Whole(100)),
    ("regexp_split_to_array", Growth::Whole(100)),
    ("array_to_string", Growth::Joined),
    ("array_concat", Growth::Sum(1)),
    ("array_append", Growth::Sum(1)),
    ("array_prepend", Growth::Sum(1)),
    ("make_array", Growth::Sum(1)),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
    ("levenshtein", Growth::Distance),
    ("regexp_match", Growth::Slow(64)),
    ("regexp_matches", Growth::Slow(64)),
    ("regexp_like", Growth::Slow(512)),
    ("~", Growth::Slow(512)),
    ("~*", Growth::Slow(512)),
    ("regexp_count", Growth::Whole(80)),
    ("regexp_instr", Growth::Whole(80)),
    ("simulate_exit", Growth::Slow(1_024)),
    ("simulate_exits", Growth::Slow(1_024)),
];
