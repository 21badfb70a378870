//! Writing of digits into a pattern.

use super::*;

/// The digits on their way into the pattern.
pub(super) struct Writer<'p> {
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
    pub(super) fn new(
        of: &'p Pattern,
        is_negative: bool,
        digits: &str,
        blanks: usize,
        pre: usize,
    ) -> Self {
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

    pub(super) fn run(mut self) -> String {
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
