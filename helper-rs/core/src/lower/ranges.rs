//! Lists of numbers as the kernel writes them: `0-3,7` (cpuset(7), "List format").

/// The numbers, each below `most`; `None` if the list is malformed. An empty one has no numbers.
pub fn parse(list: &str, most: usize) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        if first > last || last >= most {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists_of_ranges_are_numbers() {
        assert_eq!(parse("0-2,7", 8), Some(vec![0, 1, 2, 7]));
        assert_eq!(parse("", 8), Some(vec![]));
        for wrong in ["8", "3-1", "a", "1-", "-1", "1-2-3"] {
            assert_eq!(parse(wrong, 8), None, "{wrong}");
        }
    }
}
