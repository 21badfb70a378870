//! What speaks against applying the settings of a run, as it is stored: a difference that may be chance,
//! and a choice among many that nothing but luck may have made. Neither keeps anybody from it.

use hindsight_udfs::decimal;

use super::runs::Texts;

/// A sentence for each, from the columns that a run adds to its parameters.
pub fn objections(results: &Texts) -> Vec<String> {
    [of_chance(results), of_choice(results)]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether there may be no difference at all.
pub fn holds_zero(lower: &str, upper: &str) -> bool {
    let sign = |bound: &str| decimal::parse(bound).map_or(0, |(mantissa, _)| mantissa.signum());
    sign(lower) <= 0 && sign(upper) >= 0
}

fn of_chance(results: &Texts) -> Option<String> {
    let bound = |name: &str| results.get(name).map(String::as_str);
    let lower = bound("interval_lower_sol")?;
    let upper = bound("interval_upper_sol")?;
    holds_zero(lower, upper).then(|| {
        format!(
            "the difference that this run found may be chance: its 95 % interval is {} to {} SOL",
            signed(lower),
            signed(upper)
        )
    })
}

fn of_choice(results: &Texts) -> Option<String> {
    let tried: u64 = results.get("combinations_tried")?.parse().ok()?;
    let efficiency = results.get("walk_forward_efficiency");
    match efficiency.and_then(|efficiency| efficiency.parse::<f64>().ok()) {
        _ if tried < 2 => None,
        None => Some(format!(
            "these settings are the best of {tried} combinations, which is mostly luck, and no \
             walk-forward says what choosing so is worth: hindsight walk-forward, with the same --set"
        )),
        Some(efficiency) if efficiency <= 0.0 => Some(format!(
            "these settings are the best of {tried} combinations, and walked forward, choosing so \
             earned nothing"
        )),
        Some(_) => None,
    }
}

/// Four digits, with a plus where it is more than nothing.
fn signed(amount: &str) -> String {
    let digits = |(mantissa, scale)| decimal::rescale_half_even(mantissa, scale, 4);
    let Some(rounded) = decimal::parse(amount).and_then(digits) else {
        return amount.to_owned();
    };
    let sign = match rounded.signum() {
        1 => "+",
        0 => "",
        _ => "-",
    };
    let (whole, fraction) = (rounded.abs() / 10_000, rounded.abs() % 10_000);
    format!("{sign}{whole}.{fraction:04}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(results: &[(&str, &str)]) -> Vec<String> {
        let results = results.iter();
        objections(&results.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    #[test]
    fn what_holds_zero_may_be_chance() {
        assert!(holds_zero("-1.5", "0.0001"));
        assert!(holds_zero("0.0000", "2"));
        assert!(!holds_zero("0.0001", "2"));
        assert!(!holds_zero("-2", "-0.0001"));
        let bounds = |lower, upper| [("interval_lower_sol", lower), ("interval_upper_sol", upper)];
        let said = told(&bounds("-1.500000000", "12.25"));
        assert!(
            said[0].ends_with("interval is -1.5000 to +12.2500 SOL"),
            "{said:?}"
        );
        assert_eq!(told(&bounds("0.1", "0.2")), Vec::<String>::new());
        assert_eq!(told(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_choice_among_many_is_to_be_walked_forward() {
        let of = |tried, efficiency: Option<&str>| {
            let mut results = vec![("combinations_tried", tried)];
            results.extend(efficiency.map(|efficiency| ("walk_forward_efficiency", efficiency)));
            told(&results).pop().unwrap_or_default()
        };
        assert_eq!(of("1", None), "");
        assert!(of("72", None).contains("best of 72 combinations, which is mostly luck"));
        assert!(of("72", Some("-0.1")).contains("earned nothing"));
        assert_eq!(of("72", Some("0.4")), "");
    }
}
