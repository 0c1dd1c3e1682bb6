//! Dates of the Gregorian calendar, before and after it was made (ISO 8601, "proleptic").

const SECONDS_OF_DAY: u64 = 86_400;

/// A year in four digits or more: `0044`, `-0044`.
pub fn year(year: i128) -> String {
    match year < 0 {
        true => format!("-{:04}", year.unsigned_abs()),
        false => format!("{year:04}"),
    }
}

/// The date of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`.
pub fn date(days: i128) -> String {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year_number = of_era + era * 400 + i128::from(month <= 2);
    format!("{}-{month:02}-{day:02}", year(year_number))
}

/// A moment counted in seconds from 1970 on: `2026-11-21 20:05:17 UTC`.
pub fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / SECONDS_OF_DAY, seconds % SECONDS_OF_DAY);
    format!(
        "{} {:02}:{:02}:{:02} UTC",
        date(days.into()),
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_868_799), "2000-02-29 23:59:59 UTC");
        assert!(utc(u64::MAX).ends_with(" UTC"));
        assert_eq!(date(-719_529), "-0001-12-31");
    }
}
