//! The values that a parameter may have, and how far a configuration may widen them.

use std::borrow::Cow;
use std::sync::OnceLock;

use hindsight_udfs::decimal;

use super::{PARAMETERS, Parameter, position};

/// The values a parameter may have, as text; `None` where there is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub minimum: Option<Cow<'static, str>>,
    pub maximum: Option<Cow<'static, str>>,
}

/// How far the range of a parameter can be widened: where the rules still mean something.
const WIDEST: [(&str, &str, &str); 13] = [
    ("stop_loss_percent", "0.0001", "99.9999"),
    ("take_profit_percent", "0.0001", "99999"),
    ("trailing_stop_percent", "0.0001", "99.9999"),
    ("max_hold_minutes", "1", "525600"),
    ("slippage_percent", "0", "100"),
    ("confidence_multiplier", "0", "99999"),
    ("trailing_activation_percent", "0", "99999"),
    ("break_even_percent", "0.0001", "99999"),
    ("stagnation_minutes", "1", "525600"),
    ("moonbag_max_hold_minutes", "1", "525600"),
    ("exit_slippage_percent", "0", "100"),
    ("platform_fee_percent", "0", "100"),
    ("failed_transaction_percent", "0", "99.9999"),
];

/// The ranges that a configuration has widened, in the order of [`PARAMETERS`].
static WIDENED: OnceLock<Vec<Option<Range>>> = OnceLock::new();

/// Widens ranges for the rest of the process; the first configuration stays in force.
pub fn widen(ranges: Vec<(usize, Range)>) {
    let mut widened = vec![None; PARAMETERS.len()];
    for (position, range) in ranges {
        widened[position] = Some(range);
    }
    WIDENED.get_or_init(|| widened);
}

/// The range of a parameter that a configuration has widened.
pub fn in_force(parameter: &Parameter) -> Option<&'static Range> {
    let widened = WIDENED.get()?;
    widened.get(position(parameter.name)?)?.as_ref()
}

impl Range {
    /// The range of a parameter with other bounds, or what is wrong with them.
    pub fn widened(
        position: usize,
        minimum: Option<String>,
        maximum: Option<String>,
    ) -> std::result::Result<Self, String> {
        let parameter = &PARAMETERS[position];
        let name = parameter.name;
        let Some((_, least, most)) = WIDEST.iter().find(|(widest, _, _)| *widest == name) else {
            return Err(format!("widens {name}, which has no range to widen"));
        };
        let number = |text: &str| {
            let (mantissa, digits) = decimal::parse(text)?;
            decimal::rescale_exact(mantissa, digits, 9)
        };
        let is_before = |a: &str, b: &str| number(a).zip(number(b)).is_some_and(|(a, b)| a < b);
        let own = [parameter.minimum, parameter.maximum].map(|bound| bound.map(Cow::Borrowed));
        let [own_minimum, own_maximum] = own;
        let minimum = minimum.map(Cow::Owned).or(own_minimum.clone());
        let maximum = maximum.map(Cow::Owned).or(own_maximum.clone());
        let narrows =
            |own: &Option<Cow<'_, str>>, new: &Option<Cow<'_, str>>, is_least: bool| match (
                own, new,
            ) {
                (Some(own), Some(new)) if is_least => is_before(own, new),
                (Some(own), Some(new)) => is_before(new, own),
                (None, Some(_)) => true,
                _ => false,
            };
        if narrows(&own_minimum, &minimum, true) || narrows(&own_maximum, &maximum, false) {
            let problem = parameter.expectation_in(parameter.minimum, parameter.maximum);
            return Err(format!("narrows {name}, which is {problem}"));
        }
        let is_past = minimum
            .as_ref()
            .is_some_and(|minimum| is_before(minimum, least))
            || maximum
                .as_ref()
                .is_some_and(|maximum| is_before(most, maximum));
        match is_past {
            true => Err(format!("widens {name} past {least} to {most}")),
            false => Ok(Self { minimum, maximum }),
        }
    }
}
