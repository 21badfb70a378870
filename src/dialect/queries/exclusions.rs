//! `EXCLUDE CURRENT ROW`, `GROUP` and `TIES` in window frames, by frames without them.
//!
//! The parser does not read the clause, so its tokens become a mark in the place of the window's name
//! ([`mark`]). What is left of a frame are its parts before and behind what is excluded, where the frame
//! counts rows or groups as the exclusion does; a sum, a count and an average of any other frame are
//! those of the whole frame less what is excluded. Other functions of such frames are refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArguments, Ident, NamedWindowDefinition, NamedWindowExpr, ObjectName,
    Select, Value, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use sql_visit::visit_expressions_mut;

use super::limits::folded;
use super::sets::expression;
use super::unsupported;
use crate::error::{Error, Result};

/// What no name of a window begins with.
const MARK: char = '\u{1}';

/// What is left out of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    CurrentRow,
    Group,
    Ties,
}

impl Exclusion {
    const ALL: [(Self, &'static str); 3] = [
        (Self::CurrentRow, "current row"),
        (Self::Group, "group"),
        (Self::Ties, "ties"),
    ];
}

/// Marks the window whose tokens are the last of these, and which is still open.
pub fn mark(tokens: &mut Vec<TokenWithSpan>, exclusion: Exclusion) -> Option<()> {
    let mut depth = 0_usize;
    let open = tokens.iter().rposition(|token| match token.token {
        Token::RParen => {
            depth += 1;
            false
        }
        Token::LParen if depth == 0 => true,
        Token::LParen => {
            depth -= 1;
            false
        }
        _ => false,
    })?;
    let words = Exclusion::ALL
        .iter()
        .find(|(known, _)| *known == exclusion)?
        .1;
    let word = |name: &str| Token::make_word(&format!("{MARK}{words}{MARK}{name}"), Some('"'));
    let first = tokens.get_mut(open + 1)?;
    let parts = ["partition", "order", "rows", "range", "groups"];
    match &first.token {
        Token::Word(name)
            if name.quote_style.is_some()
                || !parts
                    .iter()
                    .any(|part| name.value.eq_ignore_ascii_case(part)) =>
        {
            let name = match name.quote_style {
                Some(_) => name.value.clone(),
                None => name.value.to_lowercase(),
            };
            first.token = word(&name);
        }
        _ => {
            let span = first.span;
            tokens.insert(open + 1, TokenWithSpan::new(word(""), span));
        }
    }
    Some(())
}

/// Takes the mark off a window: what it excludes.
fn unmarked(spec: &mut WindowSpec) -> Option<Exclusion> {
    let name = spec.window_name.as_ref()?.value.strip_prefix(MARK)?;
    let (words, name) = name.split_once(MARK)?;
    let (exclusion, _) = Exclusion::ALL.iter().find(|(_, known)| *known == words)?;
    let name = (!name.is_empty()).then(|| Ident::with_quote('"', name));
    spec.window_name = name;
    Some(*exclusion)
}

/// Writes marked windows of a `WINDOW` clause where they are used.
pub fn rewrite_named(select: &mut Select) {
    let is_marked = |window: &NamedWindowDefinition| match &window.1 {
        NamedWindowExpr::WindowSpec(spec) => spec
            .window_name
            .as_ref()
            .is_some_and(|name| name.value.starts_with(MARK)),
        NamedWindowExpr::NamedWindow(_) => false,
    };
    let marked: Vec<(String, WindowSpec)> = select
        .named_window
        .iter()
        .filter(|window| is_marked(window))
        .filter_map(|window| match &window.1 {
            NamedWindowExpr::WindowSpec(spec) => Some((folded(&window.0), spec.clone())),
            NamedWindowExpr::NamedWindow(_) => None,
        })
        .collect();
    if marked.is_empty() {
        return;
    }
    let _ = visit_expressions_mut(&mut select.projection, |expr| {
        if let Expr::Function(Function {
            over: Some(over), ..
        }) = expr
            && let WindowType::NamedWindow(name) = over
            && let Some((_, spec)) = marked.iter().find(|(known, _)| *known == folded(name))
        {
            *over = WindowType::WindowSpec(spec.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    select.named_window.retain(|window| !is_marked(window));
}

/// Functions that do not look at the frame.
const FRAMELESS: [&str; 8] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
];

/// Rewrites a function over a marked window. `room` is how many characters all that is written more
/// than once may still have.
pub fn rewrite(expr: &mut Expr, room: &mut usize) -> Result<()> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    let Some(WindowType::WindowSpec(spec)) = &mut function.over else {
        return Ok(());
    };
    let Some(exclusion) = unmarked(spec) else {
        return Ok(());
    };
    let name = function.name.to_string().to_lowercase();
    let Some(frame) = spec.window_frame.clone() else {
        return Ok(());
    };
    if FRAMELESS.contains(&name.as_str()) {
        return Ok(());
    }
    let mut frame = frame;
    let end = frame.end_bound.get_or_insert(WindowFrameBound::CurrentRow);
    for bound in [&mut frame.start_bound, end] {
        if is_no_step(bound) {
            *bound = WindowFrameBound::CurrentRow;
        }
    }
    // In groups, a frame that counts nothing is what it is in a range.
    let is_counted = |bound: &WindowFrameBound| {
        matches!(
            bound,
            WindowFrameBound::Preceding(Some(_)) | WindowFrameBound::Following(Some(_))
        )
    };
    let is_bare =
        !is_counted(&frame.start_bound) && !frame.end_bound.as_ref().is_some_and(is_counted);
    if frame.units == WindowFrameUnits::Range && is_bare {
        frame.units = WindowFrameUnits::Groups;
    }
    spec.window_frame = Some(frame.clone());
    let around = Around { function, frame };
    if !around.has_current() {
        return match (exclusion, around.frame.units) {
            (Exclusion::CurrentRow, WindowFrameUnits::Rows)
            | (_, WindowFrameUnits::Groups | WindowFrameUnits::Range) => Ok(()),
            _ => Err(refused(&name)),
        };
    }
    let text = match (exclusion, around.frame.units) {
        (Exclusion::CurrentRow, WindowFrameUnits::Rows)
        | (Exclusion::Group, WindowFrameUnits::Groups) => around.of_parts(&name),
        (_, WindowFrameUnits::Rows) => None,
        _ => around.of_rest(&name, exclusion),
    };
    let text = text.ok_or_else(|| refused(&name))?;
    *room = room
        .checked_sub(text.len())
        .ok_or_else(|| Error::session("54000", "a window is written too often"))?;
    *expr = expression(&text)?;
    Ok(())
}

/// Whether a bound is the current row in other words.
fn is_no_step(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::CurrentRow => true,
        WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
            rows.as_ref().is_some_and(|rows| rows.to_string() == "0")
        }
    }
}

fn refused(name: &str) -> Error {
    let hint = "count, sum and avg take it, and others where the frame counts what is excluded";
    unsupported(&format!("EXCLUDE in the frame of {name}"), hint)
}

/// A function over a frame from which something is excluded.
struct Around<'a> {
    function: &'a Function,
    frame: WindowFrame,
}

impl Around<'_> {
    /// Whether the current row is within the frame.
    fn has_current(&self) -> bool {
        let begins = matches!(
            self.frame.start_bound,
            WindowFrameBound::Preceding(_) | WindowFrameBound::CurrentRow
        );
        let ends = matches!(
            self.frame.end_bound,
            None | Some(WindowFrameBound::CurrentRow | WindowFrameBound::Following(_))
        );
        begins && ends
    }

    /// The frame before what is excluded, and that behind it.
    fn parts(&self) -> Vec<WindowFrame> {
        let one = || {
            Some(Box::new(Expr::Value(
                Value::Number("1".into(), false).with_empty_span(),
            )))
        };
        let is_current = |bound: &WindowFrameBound| *bound == WindowFrameBound::CurrentRow;
        let part = |start_bound: WindowFrameBound, end_bound: WindowFrameBound| WindowFrame {
            units: self.frame.units,
            start_bound,
            end_bound: Some(end_bound),
        };
        let mut parts = Vec::with_capacity(2);
        if !is_current(&self.frame.start_bound) {
            let end = WindowFrameBound::Preceding(one());
            parts.push(part(self.frame.start_bound.clone(), end));
        }
        if let Some(end) = self.frame.end_bound.clone().filter(|end| !is_current(end)) {
            parts.push(part(WindowFrameBound::Following(one()), end));
        }
        parts
    }

    /// Another function of the same arguments over a frame.
    fn over(&self, name: &str, frame: &WindowFrame) -> String {
        let mut function = self.function.clone();
        function.name = ObjectName::from(vec![Ident::new(name)]);
        if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
            spec.window_frame = Some(frame.clone());
        }
        function.to_string()
    }

    /// How many rows a part has.
    fn rows(&self, frame: &WindowFrame) -> String {
        let mut function = self.function.clone();
        function.filter = None;
        function.args = FunctionArguments::None;
        function.name = ObjectName::from(vec![Ident::new("count")]);
        if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
            spec.window_frame = Some(frame.clone());
        }
        function.to_string().replacen("count", "count(*)", 1)
    }

    /// The function of the parts of the frame, one joined to the other.
    fn of_parts(&self, name: &str) -> Option<String> {
        let parts = self.parts();
        let (before, behind) = match parts.as_slice() {
            [] => return self.of_nothing(name),
            [only] => return Some(self.over(name, only)),
            [before, behind] => (before, behind),
            _ => return None,
        };
        let both = |name: &str| (self.over(name, before), self.over(name, behind));
        let sum = |name: &str| {
            let (one, other) = both(name);
            format!("coalesce({one} + {other}, {one}, {other})")
        };
        Some(match name {
            "count" => {
                let (one, other) = both("count");
                format!("({one} + {other})")
            }
            "sum" => sum("sum"),
            "avg" => {
                let (one, other) = both("count");
                format!("({} / nullif({one} + {other}, 0)::numeric)", sum("sum"))
            }
            "min" | "max" => {
                let (one, other) = both(name);
                let of = if name == "min" { "least" } else { "greatest" };
                format!("{of}({one}, {other})")
            }
            "bool_and" | "every" | "bool_or" => {
                let (one, other) = both(name);
                let by = if name == "bool_or" { "or" } else { "and" };
                format!("coalesce({one} {by} {other}, {one}, {other})")
            }
            "array_agg" => {
                let (one, other) = both(name);
                format!("coalesce({one} || {other}, {one}, {other})")
            }
            "first_value" => {
                let (one, other) = both(name);
                format!(
                    "case when {} > 0 then {one} else {other} end",
                    self.rows(before)
                )
            }
            "last_value" => {
                let (one, other) = both(name);
                format!(
                    "case when {} > 0 then {other} else {one} end",
                    self.rows(behind)
                )
            }
            _ => return None,
        })
    }

    /// The function of no row.
    fn of_nothing(&self, name: &str) -> Option<String> {
        let own = self.over(name, &self.frame);
        Some(match name {
            "count" => format!("({own} - {own})"),
            _ => format!("nullif({own}, {own})"),
        })
    }

    /// The function of the frame less what is excluded.
    fn of_rest(&self, name: &str, exclusion: Exclusion) -> Option<String> {
        let current = |units| WindowFrame {
            units,
            start_bound: WindowFrameBound::CurrentRow,
            end_bound: Some(WindowFrameBound::CurrentRow),
        };
        let rest = |name: &str| {
            let whole = self.over(name, &self.frame);
            let own = || {
                format!(
                    "coalesce({}, 0)",
                    self.over(name, &current(WindowFrameUnits::Rows))
                )
            };
            let group = || {
                format!(
                    "coalesce({}, 0)",
                    self.over(name, &current(WindowFrameUnits::Groups))
                )
            };
            match exclusion {
                Exclusion::CurrentRow => format!("({whole} - {})", own()),
                Exclusion::Group => format!("({whole} - {})", group()),
                Exclusion::Ties => format!("({whole} - {} + {})", group(), own()),
            }
        };
        Some(match name {
            "count" => rest("count"),
            "sum" => format!("case when {} > 0 then {} end", rest("count"), rest("sum")),
            "avg" => format!("({} / nullif({}, 0)::numeric)", rest("sum"), rest("count")),
            _ => return None,
        })
    }
}
