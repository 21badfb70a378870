//! The name that somebody may have meant.

/// How alike two names are at least, of 1.
const ALIKE: f64 = 0.8;

/// The one of these names that is most like what was typed, if any is much like it.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&typed, &name.to_lowercase());
    names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_alike_are_found() {
        let near = |typed| nearest(typed, ["data", "state", "listen"].into_iter());
        assert_eq!(near("dat"), Some("data"));
        assert_eq!(near("LISTEN"), Some("listen"));
        assert_eq!(near("stata"), Some("state"));
        assert_eq!(near("password"), None);
    }
}
