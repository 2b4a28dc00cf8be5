//! Writes archives for tests, well-formed or not. Used by the tests of both crates.

/// One header and its body, every field as the test wants it.
pub struct Member<'a> {
    pub path: &'a [u8],
    pub flag: u8,
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    /// What the size field says, if not the length of the body.
    pub size: Option<u64>,
    pub mtime: u64,
    pub link: &'a [u8],
    pub body: &'a [u8],
    pub magic: &'a [u8; 8],
    pub prefix: &'a [u8],
    pub device: (u64, u64),
}

impl Default for Member<'_> {
    fn default() -> Self {
        Member {
            path: b"file",
            flag: b'0',
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: None,
            mtime: 1_000_000_000,
            link: b"",
            body: b"",
            magic: b"ustar\x0000",
            prefix: b"",
            device: (0, 0),
        }
    }
}

#[derive(Default, Clone)]
pub struct Archive {
    pub bytes: Vec<u8>,
    /// Owner of what the short forms add.
    pub uid: u64,
    pub gid: u64,
}

#[allow(dead_code)] // Each crate uses its part.
impl Archive {
    pub fn new() -> Archive {
        Archive::default()
    }

    pub fn owned_by(uid: u32, gid: u32) -> Archive {
        Archive { bytes: Vec::new(), uid: uid.into(), gid: gid.into() }
    }

    pub fn file(self, path: &str, body: &[u8]) -> Archive {
        self.short(b'0', path, 0o644, "", body)
    }

    pub fn folder(self, path: &str) -> Archive {
        self.short(b'5', path, 0o755, "", b"")
    }

    pub fn symlink(self, path: &str, target: &str) -> Archive {
        self.short(b'2', path, 0o777, target, b"")
    }

    pub fn hardlink(self, path: &str, target: &str) -> Archive {
        self.short(b'1', path, 0o644, target, b"")
    }

    pub fn short(self, flag: u8, path: &str, mode: u64, link: &str, body: &[u8]) -> Archive {
        let (uid, gid) = (self.uid, self.gid);
        self.add(Member {
            path: path.as_bytes(),
            flag,
            mode,
            uid,
            gid,
            link: link.as_bytes(),
            body,
            ..Member::default()
        })
    }

    pub fn add(mut self, member: Member<'_>) -> Archive {
        self.bytes.extend_from_slice(&header(&member));
        self.raw_body(member.body)
    }

    /// A pax header for the next member (`x`) or all that follow (`g`).
    pub fn pax(self, flag: u8, records: &[(&str, &[u8])]) -> Archive {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.add(Member { path: b"pax", flag, body: &body, ..Member::default() })
    }

    /// GNU's way to a long name (`L`) or link target (`K`).
    pub fn long(self, flag: u8, name: &[u8]) -> Archive {
        let body = [name, b"\0"].concat();
        self.add(Member { path: b"././@LongLink", flag, magic: b"ustar  \0", body: &body, ..Member::default() })
    }

    /// Bytes, and zeros up to the next block.
    pub fn raw_body(mut self, body: &[u8]) -> Archive {
        self.bytes.extend_from_slice(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// With its end mark.
    pub fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }
}

pub fn header(member: &Member<'_>) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, member.path);
    put(100, format!("{:07o}\0", member.mode).as_bytes());
    put(108, &number::<8>(member.uid));
    put(116, &number::<8>(member.gid));
    put(124, &number::<12>(member.size.unwrap_or(member.body.len() as u64)));
    put(136, &number::<12>(member.mtime));
    put(156, &[member.flag]);
    put(157, member.link);
    put(257, member.magic);
    put(329, &number::<8>(member.device.0));
    put(337, &number::<8>(member.device.1));
    put(345, member.prefix);
    sign(&mut block);
    block
}

/// Octal if it fits, else base-256.
pub fn number<const N: usize>(value: u64) -> [u8; N] {
    let mut field = [0; N];
    if value < 8u64.saturating_pow(N as u32 - 1) {
        field[..N - 1].copy_from_slice(format!("{value:0width$o}", width = N - 1).as_bytes());
        return field;
    }
    for (at, byte) in value.to_be_bytes().iter().rev().enumerate().take(N - 1) {
        field[N - 1 - at] = *byte;
    }
    field[0] |= 0x80;
    field
}

/// Writes the checksum.
pub fn sign(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// `LENGTH KEY=VALUE\n`, the length counting itself.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    [length.to_string().into_bytes(), rest].concat()
}
