//! Blocks of docs/benchmarks.md that runs write anew: everything between `<!-- name -->` and `<!-- /name -->`.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

/// Replaces the block of that name.
///
/// # Errors
/// If the page cannot be read or written, or has no such block.
pub(crate) fn write(page: &Path, name: &str, block: &str) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let text = replaced(&text, name, block)
        .with_context(|| format!("cannot update {}", page.display()))?;
    fs::write(page, text).with_context(|| format!("cannot write {}", page.display()))
}

fn replaced(text: &str, name: &str, block: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let from = text
        .find(&begin)
        .with_context(|| format!("there is no {begin}"))?;
    let to = text
        .find(&end)
        .with_context(|| format!("there is no {end}"))?;
    ensure!(from < to, "{end} comes before {begin}");
    Ok(format!("{}{begin}\n{block}{}", &text[..from], &text[to..]))
}

/// How this program was built, and so what it runs.
pub(crate) fn build() -> &'static str {
    match cfg!(debug_assertions) {
        true => "Debug build",
        false => "Release build",
    }
}

/// Processors and memory of this machine, as the system calls them.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name"));
    let models: Vec<&str> = models
        .map(|model| model.trim_start_matches([' ', '\t', ':']))
        .collect();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = kilobytes.and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
    let gigabytes = kilobytes.unwrap_or_default() / f64::from(1 << 20);
    format!(
        "{} x {}, {gigabytes:.0} GiB",
        models.len(),
        models.first().unwrap_or(&"?")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_of_that_name_is_replaced_and_nothing_else() {
        let page = "before\n<!-- a -->\nold\n<!-- /a -->\n<!-- b -->\nkept\n<!-- /b -->\nafter\n";
        let new = replaced(page, "a", "new\n").unwrap();
        assert_eq!(new, page.replace("old", "new"));
        assert!(replaced(page, "c", "new\n").is_err());
        assert!(replaced("<!-- /a --><!-- a -->", "a", "").is_err());
    }
}
