//! What is printed of a log.

use super::*;

/// A log with these records, one second apart.
fn with(folder: &Folder, records: &[(&str, &str)]) {
    let text: String = records
        .iter()
        .enumerate()
        .map(|(second, (stream, text))| {
            let text = text.replace('\n', "\\n");
            format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-01-01T00:00:{second:02}.5Z\"}}\n")
        })
        .collect();
    std::fs::write(folder.0.join("log"), text).unwrap();
}

const FIRST: i128 = 1_767_225_600_500_000_000;

#[test]
fn the_last_lines_are_found_in_logs_of_any_length() {
    for options in [json(), plain()] {
        let folder = Folder::new("tail");
        let mut log = folder.open(&options);
        say(&mut log, 0..5000);
        for count in [0, 1, 2, 10, 4999, 5000, 5001, u64::MAX] {
            let from = 5000_u32.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            assert_eq!(folder.lines(&options, &tail(count)), said(from..5000), "{count}");
        }
    }
}

#[test]
fn a_line_of_several_records_counts_once_and_one_without_end_too() {
    let folder = Folder::new("parts");
    with(&folder, &[("stdout", "a\n"), ("stdout", "b"), ("stdout", "c\n"), ("stdout", "d")]);
    for (count, wanted) in [(0, ""), (1, "d"), (2, "bc\nd"), (3, "a\nbc\nd"), (9, "a\nbc\nd")] {
        assert_eq!(folder.printed(&json(), &tail(count)).0, wanted, "{count}");
    }
}

#[test]
fn lines_longer_than_a_block_are_found_from_the_end() {
    let folder = Folder::new("wide");
    let options = plain();
    let mut log = folder.open(&options);
    for letter in *b"abc" {
        log.write(Stream::Stdout, &[letter; 300_000]).unwrap();
        log.write(Stream::Stdout, b"\n").unwrap();
    }
    log.close().unwrap();
    let wanted: Vec<String> = ["b", "c"].iter().map(|letter| letter.repeat(300_000)).collect();
    assert!(folder.lines(&options, &tail(2)) == wanted);
}

#[test]
fn times_choose_and_are_shown() {
    let folder = Folder::new("since");
    with(&folder, &[("stdout", "a\n"), ("stderr", "b\n"), ("stdout", "c\n"), ("stdout", "d\n")]);
    let second = 1_000_000_000;
    let wish =
        Wish { since: Some(FIRST + second), until: Some(FIRST + 2 * second), timestamps: true, ..Wish::default() };
    let (out, err) = folder.printed(&json(), &wish);
    assert_eq!(out, "2026-01-01T00:00:02.500000000Z c\n");
    assert_eq!(err, "2026-01-01T00:00:01.500000000Z b\n");
}

#[test]
fn a_time_stands_only_where_a_line_begins() {
    let folder = Folder::new("begin");
    with(&folder, &[("stdout", "a"), ("stdout", "b\n"), ("stdout", "c")]);
    let wish = Wish { timestamps: true, prefix: "p ".to_string(), ..Wish::default() };
    let wanted = "p 2026-01-01T00:00:00.500000000Z ab\np 2026-01-01T00:00:02.500000000Z c";
    assert_eq!(folder.printed(&json(), &wish).0, wanted);
}

#[test]
fn details_are_what_the_options_gave() {
    let folder = Folder::new("details");
    let attributes = [("b".to_string(), "2".to_string()), ("a".to_string(), "1".to_string())].into();
    let options = LogOptions { tag: Some("web".to_string()), attributes, ..LogOptions::default() };
    let mut log = folder.open(&options);
    log.write(Stream::Stdout, b"hi\n").unwrap();
    log.close().unwrap();
    let wish = Wish { details: true, ..Wish::default() };
    assert_eq!(folder.printed(&options, &wish).0, "a=1,b=2,tag=web hi\n");
    assert_eq!(folder.printed(&options, &Wish::default()).0, "hi\n");
}

#[test]
fn records_of_other_programs_are_read() {
    let folder = Folder::new("foreign");
    let text = concat!(
        r#"{"time":"2026-01-01T00:00:00Z","stream":"stdout","log":"a\u00e4\ud834\udd1e\/\b\n"}"#,
        "\n",
        r#"{"log":"x\ud800y\n","stream":"stderr","attrs":{"tag":"t"},"time":"2026-01-01T00:00:00Z"}"#,
        "\n",
        "2026-01-01T00:00:00.000000001+02:00 stdout F b\n",
        "2026-01-01T00:00:00.000000001+02:00 stdout F\n",
        "2026-01-01T00:00:00.000000001+02:00 stderr P c\n",
    );
    std::fs::write(folder.0.join("log"), text).unwrap();
    assert_eq!(folder.printed(&json(), &Wish::default()), ("aä𝄞/\u{8}\nb\n\n".into(), "x\u{fffd}y\nc".into()));
}

#[test]
fn what_is_no_record_is_passed_over() {
    let folder = Folder::new("garbage");
    let good = r#"{"log":"good\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#;
    let lines = [
        "",
        "{",
        "garbage",
        "\u{0}\u{0}\u{0}",
        "{\"log\":\"cut",
        r#"{"log":"x\n","stream":"stdin","time":"2026-01-01T00:00:00Z"}"#,
        r#"{"log":"x\q\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#,
        r#"{"log":1,"stream":"stdout","time":"2026-01-01T00:00:00Z"}"#,
        "2026-01-01T00:00:00Z stdout X text",
        "2026-01-01 stdout F text",
        "2026-01-01T00:00:00Z stdin F text",
    ];
    for line in lines {
        std::fs::write(folder.0.join("log"), format!("{line}\n{good}\n{line}\n{good}\n{line}")).unwrap();
        assert_eq!(folder.lines(&json(), &Wish::default()), ["good", "good"], "{line:?}");
        assert_eq!(folder.lines(&json(), &tail(1)), ["good"], "{line:?}");
    }
}
