//! Method calls, little endian.

use super::{padding, DESTINATION, INTERFACE, MEMBER, METHOD_CALL, PATH, SIGNATURE, VERSION};
use crate::lower::scope::Value;

/// What is called.
pub struct Call<'a> {
    /// Left out where nobody is between the two ends.
    pub destination: Option<&'a str>,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
}

/// Arguments of a call, and their types.
#[derive(Default)]
pub struct Body {
    signature: String,
    bytes: Bytes,
}

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Body {
    pub fn text(mut self, text: &str) -> Body {
        self.signature.push('s');
        self.bytes.text(text);
        self
    }

    pub fn truth(mut self, value: bool) -> Body {
        self.signature.push('b');
        self.bytes.word(u32::from(value));
        self
    }

    pub fn counts(mut self, values: &[u32]) -> Body {
        self.signature.push_str("au");
        self.bytes.counts(values);
        self
    }

    /// `a(sv)`.
    pub fn properties(mut self, all: &[(String, Value)]) -> Body {
        self.signature.push_str("a(sv)");
        self.bytes.array(8, |bytes| {
            for (name, value) in all {
                bytes.align(8);
                bytes.text(name);
                bytes.variant(value);
            }
        });
        self
    }

    /// An empty `a(sa(sv))`: no units beside the one.
    pub fn no_units(mut self) -> Body {
        self.signature.push_str("a(sa(sv))");
        self.bytes.array(8, |_| {});
        self
    }
}

/// The bytes of a method call.
pub fn call(serial: u32, what: &Call<'_>, body: &Body) -> Vec<u8> {
    let mut out = Bytes(vec![b'l', METHOD_CALL, 0, VERSION]);
    out.word(body.bytes.0.len() as u32);
    out.word(serial);
    out.array(8, |out| {
        let mut field = |code: u8, kind: u8, text: &str| {
            out.align(8);
            out.0.extend([code, 1, kind, 0]);
            match kind {
                b'g' => out.signature(text),
                _ => out.text(text),
            }
        };
        field(PATH, b'o', what.path);
        field(INTERFACE, b's', what.interface);
        field(MEMBER, b's', what.member);
        what.destination.into_iter().for_each(|name| field(DESTINATION, b's', name));
        if !body.signature.is_empty() {
            field(SIGNATURE, b'g', &body.signature);
        }
    });
    out.align(8);
    out.0.extend(&body.bytes.0);
    out.0
}

impl Bytes {
    fn align(&mut self, alignment: usize) {
        self.0.resize(self.0.len() + padding(self.0.len(), alignment), 0);
    }

    fn word(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_le_bytes());
    }

    fn long(&mut self, value: u64) {
        self.align(8);
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.word(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(text.len() as u8);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// The length counts from the first element on, not the padding before it.
    fn array(&mut self, alignment: usize, fill: impl FnOnce(&mut Bytes)) {
        self.word(0);
        let length_at = self.0.len() - 4;
        self.align(alignment);
        let start = self.0.len();
        fill(self);
        let length = (self.0.len() - start) as u32;
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn counts(&mut self, values: &[u32]) {
        self.array(4, |bytes| values.iter().for_each(|value| bytes.word(*value)));
    }

    fn variant(&mut self, value: &Value) {
        match value {
            Value::Text(text) => {
                self.signature("s");
                self.text(text);
            }
            Value::Texts(texts) => {
                self.signature("as");
                self.array(4, |bytes| texts.iter().for_each(|text| bytes.text(text)));
            }
            Value::Truth(value) => {
                self.signature("b");
                self.word(u32::from(*value));
            }
            Value::Signed(value) => {
                self.signature("i");
                self.word(*value as u32);
            }
            Value::Count(value) => {
                self.signature("u");
                self.word(*value);
            }
            Value::Counts(values) => {
                self.signature("au");
                self.counts(values);
            }
            Value::Long(value) => {
                self.signature("x");
                self.long(*value as u64);
            }
            Value::Number(value) => {
                self.signature("t");
                self.long(*value);
            }
            Value::Bytes(values) => {
                self.signature("ay");
                self.array(1, |bytes| bytes.0.extend(values));
            }
        }
    }
}
