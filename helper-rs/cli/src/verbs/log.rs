//! `log`: prints a container's log, whatever driver wrote it, also of a container or monitor that is gone.

use crate::args::{self, Argument, Global, Options};
use crate::clock;
use crate::failure::{During, Failure, Step};
use crate::log::read::follow::{Watch, Woken};
use crate::log::read::{self, Wish};
use crate::log::LogOptions;
use crate::sys::process;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The part of monitor.json that counts here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    log: LogOptions,
}

pub fn log(global: Global) -> Step<u8> {
    let mut wish = Wish::default();
    let mut monitor: Option<PathBuf> = None;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
            Argument::Option(name) => match name.as_str() {
                "monitor" => monitor = Some(given.value()?.into()),
                "follow" => wish.follow = true,
                "since" => wish.since = Some(time(&given.text()?)?),
                "until" => wish.until = Some(time(&given.text()?)?),
                "tail" => wish.tail = Some(given.number()?),
                "timestamps" => wish.timestamps = true,
                "details" => wish.details = true,
                "prefix" => wish.prefix = given.text()?,
                other => return Err(args::unknown(other)),
            },
        }
    }
    let monitor = args::required(monitor, "--monitor")?;
    if wish.follow {
        // Nobody would end it if the one who asked was killed.
        process::die_with_parent().during("log", "pdeathsig")?;
    }
    let folder = monitor.parent().unwrap_or(Path::new("."));
    // The folder of a container is named by its id.
    let id = folder.file_name().unwrap_or_default().to_string_lossy();
    match written(&monitor, folder, wish.follow)? {
        Some(options) => read::print(&options, folder, &id, &wish),
        None => Ok(0),
    }
}

/// A container that is followed before its first start has no monitor.json yet. `None`: it was removed instead.
fn written(monitor: &Path, folder: &Path, wait: bool) -> Step<Option<LogOptions>> {
    let watch = if wait { Some(Watch::of_folder(folder)?) } else { None };
    loop {
        match (options(monitor), &watch) {
            (Err(_), Some(watch)) if folder.exists() => match watch.wait(None, None, rustix::stdio::stdout())? {
                Woken::Closed => return Ok(None),
                _ => continue,
            },
            (Err(_), Some(_)) => return Ok(None),
            (result, _) => return result.map(Some),
        }
    }
}

fn options(monitor: &Path) -> Step<LogOptions> {
    let text = std::fs::read(monitor).during("log", monitor.display())?;
    let asked: Asked = serde_json::from_slice(&text)
        .map_err(|error| Failure::because("log", error.to_string()).on(monitor.display()))?;
    Ok(asked.log)
}

/// RFC 3339, or seconds since 1970 with a fraction of up to nine digits.
fn time(text: &str) -> Step<i128> {
    clock::parse(text.as_bytes())
        .or_else(|| seconds(text))
        .ok_or_else(|| Failure::because("args", "not a time").on(text))
}

fn seconds(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole.strip_prefix('-').unwrap_or(whole)) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let nanos = format!("{fraction:0<9}").parse::<i128>().ok()?;
    Some(i128::from(whole.parse::<i64>().ok()?) * 1_000_000_000 + sign * nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(time("0"), Ok(0));
        assert_eq!(time("1136073845.000000001"), Ok(1_136_073_845_000_000_001));
        assert_eq!(time("12.5"), Ok(12_500_000_000));
        assert_eq!(time("-1.5"), Ok(-1_500_000_000));
        assert_eq!(time("2006-01-02T15:04:05Z"), Ok(1_136_214_245_000_000_000));
        for wrong in ["", "x", "1.", ".5", "1.0000000001", "1h", "--1"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
