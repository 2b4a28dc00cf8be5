//! `archive get|put|stat`: files out of and into a container, or this machine.

use crate::archive::{self, stand, Wish, STEP};
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::layers::unpack::Owner;
use crate::userns::IdMap;
use crate::verbs::state::print_json;
use std::fs::File;
use std::path::PathBuf;

#[derive(Default)]
struct Given {
    what: String,
    words: Vec<String>,
    bundle: Option<PathBuf>,
    local: bool,
    wish: Wish,
    owner: Option<(u32, u32)>,
    harmless: bool,
}

/// `archive get|put|stat [--bundle DIR ID | --local] … PATH…`
pub fn archive(global: Global) -> Step<u8> {
    let mut given = parse(&global)?;
    let id = match given.local || given.words.is_empty() {
        true => String::new(),
        false => given.words.remove(0),
    };
    if given.words.is_empty() || (given.what != "stat" && given.words.len() > 1) {
        return Err(Failure::because("args", "archive get|put|stat [--bundle DIR ID | --local] PATH"));
    }
    // Before the mapping and any change of folder.
    let output = || rustix::stdio::stdout().try_clone_to_owned().during(STEP, "stdout").map(File::from);
    let input = || rustix::stdio::stdin().try_clone_to_owned().during(STEP, "stdin").map(File::from);
    let stand = match given.local {
        true => stand::local()?,
        false => {
            let bundle = args::required(given.bundle.take(), "--bundle")?;
            stand::container(&global.root, &id, &bundle, !given.wish.one_filesystem)?
        }
    };
    let first = &given.words[0];
    match given.what.as_str() {
        "get" => archive::get(&stand, first, &given.wish, output()?)?,
        "put" => print_json(&archive::put(&stand, first, owner(&given, &stand), given.harmless, input()?)?)?,
        "stat" => {
            let told = given.words.iter().map(|path| archive::stat(&stand, path)).collect::<Step<Vec<_>>>()?;
            print_json(&told)?;
        }
        other => return Err(Failure::because("args", "unknown word").on(other)),
    }
    Ok(0)
}

/// On this machine what is copied belongs to the caller.
fn owner(given: &Given, stand: &stand::Stand) -> Owner {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    match (given.owner, &given.wish.ids) {
        (Some((uid, gid)), _) => Owner::One(uid, gid),
        // Only the host's root may give files away.
        (None, Some(map)) if stand.local && uid == 0 => Owner::ToHost(map.clone()),
        (None, _) if stand.local => Owner::One(uid, gid),
        (None, _) => Owner::AsArchived,
    }
}

fn parse(global: &Global) -> Step<Given> {
    let mut given = Given { wish: Wish { name: ".".into(), ..Wish::default() }, ..Given::default() };
    let mut options = Options::new(&global.rest);
    while let Some(argument) = options.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "bundle" => given.bundle = Some(PathBuf::from(options.value()?)),
                "local" => given.local = true,
                "as" => given.wish.name = options.text()?,
                "one-filesystem" => given.wish.one_filesystem = true,
                "sparse" => given.wish.sparse = true,
                "owner" => given.owner = Some(ids(&options.text()?)?),
                "idmap" => given.wish.ids = Some(IdMap::parse(&options.text()?)?),
                "harmless" => given.harmless = true,
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(word) if given.what.is_empty() => given.what = word.to_string_lossy().into_owned(),
            Argument::Operand(word) => {
                let word = word.into_string().map_err(|_| Failure::because("args", "not UTF-8"))?;
                given.words.push(word);
            }
        }
    }
    Ok(given)
}

fn ids(text: &str) -> Step<(u32, u32)> {
    let wrong = || Failure::because("args", "--owner UID:GID").on(text);
    let (uid, gid) = text.split_once(':').ok_or_else(wrong)?;
    Ok((uid.parse().map_err(|_| wrong())?, gid.parse().map_err(|_| wrong())?))
}
