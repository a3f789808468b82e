//! The lines of a file in which its keys have their values.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// By dotted names, from line 1. A text that is no TOML has none.
pub fn of(text: &str) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        walk("", table.get_ref(), text, &mut lines);
    }
    lines
}

fn walk(prefix: &str, table: &DeTable<'_>, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table.iter() {
        let dotted =
            if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => walk(&dotted, inner, text, lines),
            _ => {
                let before = text.get(..name.span().start).unwrap_or_default();
                lines.insert(dotted, before.matches('\n').count() + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_line_of_its_name() {
        let text =
            "# Ü\ndata.dir = \"x\"\n\n[cluster]\nshards = 5\njoin = [\n  \"a:1\",\n]\n[compat.cim]\nenabled = true\n";
        let lines = of(text);
        let of = |name: &str| lines.get(name).copied();
        assert_eq!(of("data.dir"), Some(2));
        assert_eq!((of("cluster.shards"), of("cluster.join")), (Some(5), Some(6)));
        assert_eq!((of("compat.cim.enabled"), of("cluster")), (Some(10), None));
        assert!(super::of("no = ").is_empty());
    }
}
