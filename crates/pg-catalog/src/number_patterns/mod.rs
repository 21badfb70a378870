//! Numbers written and read by a pattern, as `to_char` and `to_number` do.
//!
//! `9` is a digit or a blank, `0` a digit, `.` and `D` the point, `,` and `G` a separator of groups;
//! `FM` leaves blanks and trailing zeros out; `S`, `MI`, `PL`, `SG` and `PR` say where the sign is;
//! `TH` adds an ordinal, `V` shifts digits, `EEEE` is scientific, `RN` Roman. A number with too many
//! digits is shown as `#`.

mod write;

use super::time::patterns::{Case, suffix};
use write::Writer;

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Nine,
    Zero,
    Point,
    Group,
    Currency,
    Sign,
    Minus,
    Plus,
    PlusMinus,
    Brackets,
    Ordinal(Case),
    Roman(Case),
    Shift,
    Scientific,
    Blank,
    Text(String),
}

/// What a pattern asks for as a whole.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    nodes: Vec<Node>,
    pre: usize,
    post: usize,
    shift: usize,
    zero_start: usize,
    zero_end: usize,
    pre_at_sign: usize,
    has_zero: bool,
    has_point: bool,
    is_bare: bool,
    sign: Option<Side>,
    has_minus: bool,
    has_plus: bool,
    has_brackets: bool,
    is_roman: bool,
    is_scientific: bool,
    is_shifted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

/// Why a pattern is none, or a number cannot be written or read by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub &'static str);

const KEYS: &[(&str, Node)] = &[
    ("EEEE", Node::Scientific),
    ("FM", Node::Blank),
    ("MI", Node::Minus),
    ("PL", Node::Plus),
    ("PR", Node::Brackets),
    ("RN", Node::Roman(Case::Upper)),
    ("SG", Node::PlusMinus),
    ("TH", Node::Ordinal(Case::Upper)),
    (",", Node::Group),
    (".", Node::Point),
    ("0", Node::Zero),
    ("9", Node::Nine),
    ("B", Node::Blank),
    ("D", Node::Point),
    ("G", Node::Group),
    ("L", Node::Currency),
    ("S", Node::Sign),
    ("V", Node::Shift),
];

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            if letter == '"' {
                let (quoted, after) = super::time::patterns::quoted(rest.get(1..).unwrap_or(""));
                pattern.nodes.push(Node::Text(quoted));
                rest = after;
                continue;
            }
            let found = KEYS.iter().find(|(name, _)| {
                let start = rest.get(..name.len());
                start.is_some_and(|start| start == *name || start == name.to_ascii_lowercase())
            });
            match found {
                Some((name, node)) => {
                    let is_lower = letter.is_ascii_lowercase();
                    let node = match node {
                        Node::Ordinal(_) if is_lower => Node::Ordinal(Case::Lower),
                        Node::Roman(_) if is_lower => Node::Roman(Case::Lower),
                        node => node.clone(),
                    };
                    if matches!(*name, "FM") {
                        pattern.is_bare = true;
                    } else {
                        pattern.add(&node)?;
                        pattern.nodes.push(node);
                    }
                    rest = rest.get(name.len()..).unwrap_or("");
                }
                None => {
                    let letter = match letter {
                        '\\' => rest.get(1..).and_then(|r| r.chars().next()).unwrap_or('\\'),
                        letter => letter,
                    };
                    if rest.starts_with('\\') && rest.len() > 1 {
                        rest = rest.get(1..).unwrap_or("");
                    }
                    pattern.nodes.push(Node::Text(letter.into()));
                    rest = rest.get(letter.len_utf8()..).unwrap_or("");
                }
            }
        }
        Ok(pattern)
    }

    fn add(&mut self, node: &Node) -> Result<(), Problem> {
        if self.is_scientific {
            return Err(Problem("\"EEEE\" must be the last pattern used"));
        }
        match node {
            Node::Nine if self.has_brackets => {
                return Err(Problem("\"9\" must be ahead of \"PR\""));
            }
            Node::Nine if self.is_shifted => self.shift += 1,
            Node::Nine if self.has_point => self.post += 1,
            Node::Nine => self.pre += 1,
            Node::Zero if self.has_brackets => {
                return Err(Problem("\"0\" must be ahead of \"PR\""));
            }
            Node::Zero => {
                if !self.has_zero && !self.has_point {
                    self.has_zero = true;
                    self.zero_start = self.pre + 1;
                }
                match self.has_point {
                    true => self.post += 1,
                    false => self.pre += 1,
                }
                self.zero_end = self.pre + self.post;
            }
            Node::Point if self.has_point => return Err(Problem("multiple decimal points")),
            Node::Point if self.is_shifted => {
                return Err(Problem("cannot use \"V\" and decimal point together"));
            }
            Node::Point => self.has_point = true,
            Node::Sign if self.sign.is_some() => return Err(Problem("cannot use \"S\" twice")),
            Node::Sign if self.has_plus || self.has_minus || self.has_brackets => {
                return Err(Problem(
                    "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together",
                ));
            }
            Node::Sign if self.has_point => self.sign = Some(Side::Behind),
            Node::Sign => {
                self.sign = Some(Side::Before);
                self.pre_at_sign = self.pre;
            }
            Node::Minus | Node::Plus | Node::PlusMinus | Node::Brackets if self.sign.is_some() => {
                return Err(Problem("cannot use \"S\" and \"MI\" together"));
            }
            Node::Minus => self.has_minus = true,
            Node::Plus => self.has_plus = true,
            Node::PlusMinus => {
                self.has_minus = true;
                self.has_plus = true;
            }
            Node::Brackets => self.has_brackets = true,
            Node::Roman(_) => self.is_roman = true,
            Node::Shift if self.has_point => {
                return Err(Problem("cannot use \"V\" and decimal point together"));
            }
            Node::Shift => self.is_shifted = true,
            Node::Scientific => self.is_scientific = true,
            _ => {}
        }
        Ok(())
    }

    /// Decimal places that a number is rounded to before it is written.
    pub fn places(&self) -> usize {
        self.post
    }

    /// Digits before the point.
    pub fn whole(&self) -> usize {
        self.pre
    }

    /// How many places a number is shifted to the left before it is written.
    pub fn shift(&self) -> usize {
        self.shift
    }

    pub fn is_scientific(&self) -> bool {
        self.is_scientific
    }

    /// A number of a double's fifteen digits has no more of them behind the point.
    pub fn limit_places(&mut self, most: usize) {
        self.post = self.post.min(most);
    }

    /// Writes a number that is rounded to [`Self::places`], in plain decimal digits.
    pub fn write(&self, number: &str) -> String {
        if self.is_scientific {
            return match number.starts_with('-') {
                true => number.to_owned(),
                false => format!(" {number}"),
            };
        }
        let (is_negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        if self.is_roman {
            return self.roman(is_negative, digits);
        }
        let pre = self.pre + self.shift;
        let length = digits.find('.').unwrap_or(digits.len());
        let overflow;
        let (digits, blanks) = match length > pre {
            true => {
                overflow = format!("{}.{}", "#".repeat(pre), "#".repeat(self.post));
                (overflow.as_str(), 0)
            }
            false => (digits, pre - length),
        };
        Writer::new(self, is_negative, digits, blanks, pre).run()
    }

    fn roman(&self, is_negative: bool, digits: &str) -> String {
        let number: i64 = digits.split('.').next().unwrap_or("").parse().unwrap_or(0);
        let is_lower = self.nodes.contains(&Node::Roman(Case::Lower));
        if is_negative || !(1..=3999).contains(&number) {
            return "#".repeat(15);
        }
        const PARTS: [(i64, &str); 13] = [
            (1000, "M"),
            (900, "CM"),
            (500, "D"),
            (400, "CD"),
            (100, "C"),
            (90, "XC"),
            (50, "L"),
            (40, "XL"),
            (10, "X"),
            (9, "IX"),
            (5, "V"),
            (4, "IV"),
            (1, "I"),
        ];
        let (mut rest, mut text) = (number, String::new());
        for (value, letters) in PARTS {
            while rest >= value {
                text.push_str(letters);
                rest -= value;
            }
        }
        if is_lower {
            text = text.to_ascii_lowercase();
        }
        if self.is_bare {
            text
        } else {
            format!("{text:>15}")
        }
    }

    /// The number in a text, as plain decimal digits.
    pub fn read(&self, text: &str) -> Result<String, Problem> {
        let mut rest = text.trim_start().chars().peekable();
        let (mut digits, mut is_negative, mut had_point) = (String::new(), false, false);
        let mut take_sign = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            while rest.next_if(|c| c.is_whitespace()).is_some() {}
            match rest.peek() {
                Some('-' | '<') => {
                    is_negative = true;
                    rest.next();
                }
                Some('+') => {
                    rest.next();
                }
                _ => {}
            }
        };
        let signs_inside = !(self.has_minus || self.has_plus) || self.has_brackets;
        for node in &self.nodes {
            match node {
                Node::Nine | Node::Zero => {
                    if signs_inside && digits.is_empty() {
                        take_sign(&mut rest);
                    }
                    if let Some(digit) = rest.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    } else if !had_point && self.has_point && rest.peek() == Some(&'.') {
                        // Fewer digits than places for them.
                    } else if rest.peek().is_some_and(|c| !c.is_ascii_digit())
                        && !had_point
                        && rest.peek() == Some(&',')
                    {
                        continue;
                    }
                }
                Node::Point => {
                    if rest.next_if_eq(&'.').is_some() {
                        had_point = true;
                        digits.push('.');
                    } else if rest.peek().is_none() {
                        had_point = true;
                    }
                }
                Node::Group => {
                    rest.next_if_eq(&',');
                }
                Node::Sign | Node::Minus | Node::Plus | Node::PlusMinus => take_sign(&mut rest),
                Node::Brackets => {
                    rest.next_if_eq(&'>');
                }
                Node::Currency => {
                    rest.next_if(|c| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | ','));
                }
                Node::Text(literal) => {
                    for _ in literal.chars() {
                        rest.next_if(|c| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.'));
                    }
                }
                Node::Ordinal(_) => {
                    rest.next();
                    rest.next();
                }
                Node::Scientific => return Err(Problem("\"EEEE\" not supported for input")),
                Node::Roman(_) => return Err(Problem("\"RN\" not supported for input")),
                Node::Shift | Node::Blank => {}
            }
        }
        if !digits.contains(|c: char| c.is_ascii_digit()) {
            return Err(Problem("invalid input syntax for type numeric: \" \""));
        }
        let digits = digits.trim_end_matches('.');
        let sign = if is_negative { "-" } else { "" };
        let zero = if digits.starts_with('.') { "0" } else { "" };
        Ok(format!("{sign}{zero}{digits}"))
    }
}

#[cfg(test)]
mod tests;
