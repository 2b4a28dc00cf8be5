//! Addresses of a bus (dbus specification, "Server Addresses"): `unix:path=/run/user/1000/bus,guid=…;unix:abstract=…`.

/// A unix socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Socket {
    Path(String),
    Abstract(Vec<u8>),
}

/// Those of a list that can be connected to; other transports are passed over.
pub fn sockets(list: &str) -> Vec<Socket> {
    list.split(';').filter_map(|address| socket(address.trim().strip_prefix("unix:")?)).collect()
}

fn socket(pairs: &str) -> Option<Socket> {
    pairs.split(',').filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| match key {
        "path" => String::from_utf8(unescape(value)?).ok().map(Socket::Path),
        "abstract" => unescape(value).map(Socket::Abstract),
        _ => None,
    })
}

/// `%2f`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                out.push((digit(bytes.next())? * 16 + digit(bytes.next())?) as u8);
            }
            byte => out.push(byte),
        }
    }
    Some(out)
}
