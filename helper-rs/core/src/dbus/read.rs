//! What the other end says, in either byte order; nothing in it is believed.

use super::{padding, ERROR_NAME, MEMBER, PATH, REPLY_SERIAL};

/// No answer that is waited for here is near this size.
const LARGEST: usize = 1 << 20;
const FIXED: usize = 16;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub reply_to: Option<u32>,
    pub path: String,
    pub member: String,
    pub error: String,
    pub body: Vec<u8>,
    big: bool,
}

/// The first message in `bytes` and how many of them it took; `None` if more are needed.
pub fn message(bytes: &[u8]) -> Result<Option<(Message, usize)>, &'static str> {
    let Some(fixed) = bytes.get(..FIXED) else { return Ok(None) };
    let big = match fixed[0] {
        b'l' => false,
        b'B' => true,
        _ => return Err("not a message of D-Bus"),
    };
    let mut reader = Reader { bytes: fixed, at: 4, big };
    let (body, _, fields) = (reader.length()?, reader.word()?, reader.length()?);
    let header = (FIXED + fields).next_multiple_of(8);
    let Some(whole) = bytes.get(..header + body) else { return Ok(None) };
    let mut message = Message { kind: fixed[1], body: whole[header..].to_vec(), big, ..Message::default() };
    let mut reader = Reader { bytes: &whole[..FIXED + fields], at: FIXED, big };
    while reader.at < reader.bytes.len() {
        reader.align(8)?;
        let code = reader.byte()?;
        let signature = reader.signature()?;
        match (code, signature.as_str()) {
            (PATH, "o") => message.path = reader.text()?,
            (MEMBER, "s") => message.member = reader.text()?,
            (ERROR_NAME, "s") => message.error = reader.text()?,
            (REPLY_SERIAL, "u") => message.reply_to = Some(reader.word()?),
            (_, "s" | "o") => drop(reader.text()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.word()?),
            _ => return Err("a header field of an unknown type"),
        }
    }
    Ok(Some((message, header + body)))
}

impl Message {
    pub fn reader(&self) -> Reader<'_> {
        Reader { bytes: &self.body, at: 0, big: self.big }
    }
}

/// Values one after another.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
}

impl Reader<'_> {
    pub fn word(&mut self) -> Result<u32, &'static str> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().unwrap_or_default();
        Ok(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Of `s` and `o`.
    pub fn text(&mut self) -> Result<String, &'static str> {
        let length = self.length()?;
        let text = self.take(length + 1)?[..length].to_vec();
        String::from_utf8(text).map_err(|_| "not UTF-8")
    }

    fn signature(&mut self) -> Result<String, &'static str> {
        let length = usize::from(self.byte()?);
        let text = self.take(length + 1)?[..length].to_vec();
        String::from_utf8(text).map_err(|_| "not UTF-8")
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    fn length(&mut self) -> Result<usize, &'static str> {
        match self.word()? as usize {
            length if length > LARGEST => Err("a message too long"),
            length => Ok(length),
        }
    }

    fn align(&mut self, alignment: usize) -> Result<(), &'static str> {
        self.take(padding(self.at, alignment)).map(drop)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], &'static str> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or("a message cut short")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}
