//! Columns that line up, for terminals.

/// A table in which every column is as wide as its widest cell; columns whose header starts with `>` are set to the
/// right. The last column is not padded.
pub(super) fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let right: Vec<bool> = headers.iter().map(|text| text.starts_with('>')).collect();
    let headers: Vec<String> = headers
        .iter()
        .map(|text| text.trim_start_matches('>').to_owned())
        .collect();
    let mut widths: Vec<usize> = headers.iter().map(|text| text.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&headers).chain(rows) {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
            line.push_str(&match right {
                true => format!("{cell:>width$}  "),
                false => format!("{cell:<width$}  "),
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["фильмы".into(), "5".into()],
            vec!["b".into(), "12.5".into()],
        ];
        assert_eq!(
            table(&["NAME", ">N"], &rows),
            "NAME       N\nфильмы     5\nb       12.5\n"
        );
    }
}
