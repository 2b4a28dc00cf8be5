//! Frames of an attached client: kind, three zero bytes, length (32 bits, big endian), payload.

pub const STDIN: u8 = 0;
pub const STDOUT: u8 = 1;
pub const STDERR: u8 = 2;
pub const END: u8 = 3;
pub const RESIZE: u8 = 4;
pub const END_OF_INPUT: u8 = 5;

const HEADER: usize = 8;
/// No frame is longer: more means that this is no frame at all.
const MOST: usize = 16 << 20;

pub fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
}

/// Takes the whole frames off the front of what was read. An error: these are no frames.
pub fn take(read: &mut Vec<u8>, mut each: impl FnMut(u8, &[u8])) -> Result<(), ()> {
    let mut at = 0;
    while let Some(header) = read.get(at..at + HEADER) {
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if header[1..4] != [0; 3] || length > MOST {
            return Err(());
        }
        let Some(payload) = read.get(at + HEADER..at + HEADER + length) else { break };
        each(header[0], payload);
        at += HEADER + length;
    }
    read.drain(..at);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut bytes = Vec::new();
        put(&mut bytes, STDOUT, b"hello");
        put(&mut bytes, STDERR, b"");
        put(&mut bytes, END, b"{\"code\":1}");
        for cut in 0..=bytes.len() {
            let (mut read, mut frames) = (Vec::new(), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                read.extend_from_slice(part);
                take(&mut read, |kind, payload| frames.push((kind, payload.to_vec()))).unwrap();
            }
            assert_eq!(frames, [(1, b"hello".to_vec()), (2, vec![]), (3, b"{\"code\":1}".to_vec())]);
            assert!(read.is_empty());
        }
    }

    #[test]
    fn other_bytes_are_no_frames() {
        for wrong in [b"{\"ok\":true}".to_vec(), vec![1, 0, 0, 0, 255, 0, 0, 0]] {
            assert!(take(&mut wrong.clone(), |_, _| panic!("a frame")).is_err());
        }
    }
}
