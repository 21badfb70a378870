//! Numbers written and read by a pattern, as `to_char` and `to_number` do.
//!
//! `9` is a digit or a blank, `0` a digit, `.` and `D` the point, `,` and `G` a separator of groups;
//! `FM` leaves blanks and trailing zeros out; `S`, `MI`, `PL`, `SG` and `PR` say where the sign is;
//! `TH` adds an ordinal, `V` shifts digits, `EEEE` is scientific, `RN` Roman. A number with too many
//! digits is shown as `#`.

use super::time::patterns::{Case, suffix};

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

/// The digits on their way into the pattern.
struct Writer<'p> {
    pattern: &'p Pattern,
    is_negative: bool,
    digits: Vec<char>,
    at: usize,
    blanks: usize,
    /// The last digit behind the point that is not a zero, where zeros are left out.
    last_relevant: Option<usize>,
    brackets: bool,
    side: Option<Side>,
    sign_written: bool,
    place: usize,
    count: usize,
    has_begun: bool,
    text: String,
    zero_start: usize,
}

impl<'p> Writer<'p> {
    fn new(of: &'p Pattern, is_negative: bool, digits: &str, blanks: usize, pre: usize) -> Self {
        let digits: Vec<char> = digits.chars().collect();
        let mut side = of.sign;
        let mut brackets = of.has_brackets;
        let sign_written = if of.has_plus || of.has_minus {
            !of.has_plus || of.has_minus
        } else {
            if !is_negative && brackets && of.is_bare {
                brackets = false;
            }
            let written = !is_negative && of.is_bare && side.is_none();
            if side == Some(Side::Before) && of.pre == of.pre_at_sign {
                side = Some(Side::Behind);
            }
            written
        };
        let mut last_relevant = None;
        if of.is_bare && of.has_point {
            let point = digits.iter().position(|c| *c == '.');
            last_relevant = point.map(|point| {
                let last = digits.iter().rposition(|c| *c != '0').unwrap_or(point);
                last.max(point)
            });
            if let Some(last) = &mut last_relevant
                && of.zero_end > blanks
            {
                let kept = (digits.len() - 1).min(of.zero_end - blanks);
                *last = (*last).max(kept);
            }
        }
        let mut count = (of.post + pre).saturating_sub(1);
        if !sign_written && blanks == 0 {
            count += 1;
        }
        Self {
            pattern: of,
            is_negative,
            digits,
            at: 0,
            blanks,
            last_relevant,
            brackets,
            side,
            sign_written,
            place: 0,
            count,
            has_begun: false,
            text: String::new(),
            zero_start: of.zero_start.saturating_sub(1),
        }
    }

    fn run(mut self) -> String {
        let is_bare = self.pattern.is_bare;
        for node in &self.pattern.nodes {
            match node {
                Node::Nine | Node::Zero | Node::Point => self.digit(node),
                Node::Group if self.has_begun => self.text.push(','),
                Node::Currency if !is_bare => self.text.push(' '),
                Node::Minus if self.is_negative => self.text.push('-'),
                Node::Plus if !self.is_negative => self.text.push('+'),
                Node::Group | Node::Minus | Node::Plus if !is_bare => self.text.push(' '),
                Node::PlusMinus => self.text.push(if self.is_negative { '-' } else { '+' }),
                Node::Ordinal(case) => {
                    let is_plain = self.digits.first() != Some(&'#')
                        && !self.is_negative
                        && !self.pattern.has_point;
                    if is_plain {
                        let number: String = self.digits.iter().collect();
                        self.text.push_str(suffix(&number, *case));
                    }
                }
                Node::Text(literal) => self.text.push_str(literal),
                _ => {}
            }
        }
        self.text
    }

    fn current(&self) -> Option<char> {
        self.digits.get(self.at).copied()
    }

    fn ends_at_point(&self) -> bool {
        let last = self.last_relevant.and_then(|last| self.digits.get(last));
        last == Some(&'.')
    }

    /// A lone zero before the point, which is left out.
    fn hides_zero(&self) -> bool {
        !self.pattern.has_zero
            && self.at == 0
            && self.current() == Some('0')
            && self.pattern.post != 0
    }

    fn digit(&mut self, node: &Node) {
        let (has_zero, is_bare) = (self.pattern.has_zero, self.pattern.is_bare);
        let begins = self.place >= self.blanks || has_zero && self.zero_start == self.place;
        if !self.sign_written && begins && (!self.hides_zero() || self.ends_at_point()) {
            match self.side {
                Some(Side::Before) => {
                    self.text.push(if self.is_negative { '-' } else { '+' });
                    self.sign_written = true;
                }
                Some(Side::Behind) => {}
                None if self.brackets => {
                    self.text.push(if self.is_negative { '<' } else { ' ' });
                    self.sign_written = true;
                }
                None => {
                    if self.is_negative {
                        self.text.push('-');
                    } else if !is_bare {
                        self.text.push(' ');
                    }
                    self.sign_written = true;
                }
            }
        }
        if self.place < self.blanks && (self.zero_start > self.place || !has_zero) {
            if !is_bare {
                self.text.push(' ');
            }
        } else if has_zero && self.place < self.blanks && self.zero_start <= self.place {
            self.text.push('0');
            self.has_begun = true;
        } else {
            match self.current() {
                Some('.') if (!self.ends_at_point() || is_bare) => {
                    self.text.push('.');
                }
                Some(digit) => {
                    let is_cut = self.last_relevant.is_some_and(|last| self.at > last);
                    if is_cut && *node != Node::Zero {
                    } else if self.hides_zero() {
                        if !is_bare {
                            self.text.push(' ');
                        } else if self.ends_at_point() {
                            self.text.push('0');
                        }
                    } else {
                        self.text.push(digit);
                        self.has_begun = true;
                    }
                }
                None => {}
            }
            if self.at < self.digits.len() {
                self.at += 1;
            }
        }
        let mut end =
            self.count + usize::from(self.blanks > 0) + usize::from(self.pattern.has_point);
        if self.last_relevant == Some(self.at) {
            end = self.place;
        }
        if self.place + 1 == end {
            if self.sign_written && self.brackets {
                self.text.push(if self.is_negative { '>' } else { ' ' });
            } else if self.side == Some(Side::Behind) {
                self.text.push(if self.is_negative { '-' } else { '+' });
            }
        }
        self.place += 1;
    }
}

#[cfg(test)]
mod tests {
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
}
