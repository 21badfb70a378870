//! Values of settings as people write them, and as they are shown.

/// A date style with `ISO`, the only form that dates have here, and an order of day and month.
pub fn date_style(value: &str) -> Option<String> {
    let mut order = "MDY";
    for part in value.split(',') {
        order = match part.trim().to_uppercase().as_str() {
            "ISO" | "DEFAULT" => order,
            "MDY" | "US" | "NONEURO" | "NONEUROPEAN" => "MDY",
            "DMY" | "EURO" | "EUROPEAN" => "DMY",
            "YMD" => "YMD",
            _ => return None,
        };
    }
    Some(format!("ISO, {order}"))
}

/// Whether this is a size of memory, with or without a unit.
pub fn memory(value: &str) -> bool {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = value.split_at(end.unwrap_or(value.len()));
    number.parse::<f64>().is_ok() && ["", "B", "kB", "MB", "GB", "TB"].contains(&unit.trim())
}

/// A number of milliseconds, given with or without a unit.
pub fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let end = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    let number: f64 = value[..end].parse().ok()?;
    let factor = match value[end..].trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let total = (number * factor).round();
    (0.0..=2_147_483_647.0)
        .contains(&total)
        .then_some(total as u64)
}

/// A number of milliseconds in the largest unit that it is a multiple of.
pub fn shown_milliseconds(number: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1_000, "s"),
    ];
    let unit = units
        .iter()
        .find(|(size, _)| number > 0 && number.is_multiple_of(*size));
    match (number, unit) {
        (0, _) => "0".into(),
        (_, Some((size, name))) => format!("{}{name}", number / size),
        (_, None) => format!("{number}ms"),
    }
}
