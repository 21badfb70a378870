//! The Gregorian calendar, as it would be had it always been: days since 1970 and their dates.
//!
//! Counted in eras of 400 years that begin in March, so that the leap day comes last. Years before
//! Christ are 0 and less.

const ERA_DAYS: i64 = 146_097;
/// From the first day of an era to 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

/// Days since 1970; `None` where there is no such date.
pub fn day_of_date(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * ERA_DAYS + day_of_era - DAYS_BEFORE_1970)
}

/// Year, month and day of a day since 1970.
pub fn date_of_day(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_BEFORE_1970;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_an_era_has_its_date() {
        let mut date = (1600, 1, 1);
        for day in -135_140..-135_140 + 2 * ERA_DAYS {
            assert_eq!(
                (date_of_day(day), day_of_date(date.0, date.1, date.2)),
                (date, Some(day))
            );
            date.2 += 1;
            if date.2 > days_in_month(date.0, date.1) {
                date = (date.0, date.1 + 1, 1);
            }
            if date.1 > 12 {
                date = (date.0 + 1, 1, 1);
            }
        }
        assert_eq!(date, (2400, 1, 1));
        assert_eq!(date_of_day(0), (1970, 1, 1));
        assert_eq!(day_of_date(0, 2, 29), Some(-719_469));
    }

    #[test]
    fn what_is_no_date_has_no_day() {
        for (year, month, day) in [
            (2025, 2, 29),
            (1900, 2, 29),
            (2025, 0, 1),
            (2025, 13, 1),
            (2025, 4, 31),
            (2025, 1, 0),
        ] {
            assert_eq!(day_of_date(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
