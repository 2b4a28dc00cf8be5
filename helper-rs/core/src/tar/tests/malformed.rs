//! Every malformed archive is an error that says where.

use super::archive::{header, sign, Archive, Member};
use super::fault;

#[test]
fn a_wrong_checksum_is_found_at_its_header() {
    let mut bytes = Archive::new().file("a", b"1").file("b", b"2").end();
    bytes[1024] ^= 1;
    assert_eq!(fault(&bytes), (1024, "checksum"));
}

#[test]
fn an_archive_that_ends_inside_a_header_a_body_its_padding_or_an_extension_is_truncated() {
    let bytes = Archive::new().file("a", &[7; 600]).bytes;
    for length in [1, 511, 512, 513, 1111, 1112, 1535] {
        assert_eq!(fault(&bytes[..length]), (length as u64, "truncated"), "{length} bytes");
    }
    assert_eq!(fault(&Archive::new().pax(b'x', &[("path", b"p")]).bytes).1, "truncated");
    assert_eq!(fault(&Archive::new().long(b'L', b"name").end()).1, "truncated");
}

#[test]
fn a_zero_block_in_the_middle_is_neither_end_nor_header() {
    let bytes = Archive::new().file("a", b"").raw_body(&[0; 512]).file("b", b"").end();
    assert_eq!(fault(&bytes), (512, "lone-zero-block"));
}

#[test]
fn numbers_must_be_numbers_in_range() {
    for (from, to, text, field) in [
        (100, 108, &b"00008\0\0\0"[..], "number"),
        (108, 116, b"12 34\0\0\0", "number"),
        (108, 116, &[0xff; 8], "number"),
        (116, 124, &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "number"),
        (124, 136, &[0xff; 12], "number"),
        (124, 136, &[0x9f, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "number"),
        (136, 148, b"not a number", "number"),
    ] {
        let mut block = header(&Member::default());
        block[from..to].copy_from_slice(text);
        sign(&mut block);
        assert_eq!(fault(&block), (0, field), "{text:?}");
    }
}

#[test]
fn a_type_that_nothing_defines_is_refused() {
    for flag in [b'M', b'N', b'9', b'Z', 0xff] {
        assert_eq!(
            fault(&Archive::new().file("ok", b"").add(Member { flag, ..Member::default() }).end()),
            (512, "type")
        );
    }
}

#[test]
fn an_entry_must_have_a_name() {
    assert_eq!(fault(&Archive::new().add(Member { path: b"", ..Member::default() }).end()), (0, "empty-name"));
}

#[test]
fn pax_records_must_be_exactly_as_long_as_they_say() {
    for body in [
        &b"6 a=b\n7"[..],
        b"7 a=b\n",
        b"5 a=b\n",
        b"6 a=bX",
        b"6 aab\n",
        b"5 =b\n",
        b"x a=b\n",
        b"-6 a=b\n",
        b" 6 a=b\n",
        b"99999999999999999999999 a=b\n",
        b"3 a\n",
        b"0 ",
        b"13 path=a\0bc\n",
        b"9 uid=x\n\n",
        b"10 uid=-1\n",
        b"13 mtime=1e5\n",
        b"31 LIBARCHIVE.xattr.user.a=***\n",
        b"18 SCHILY.xattr.=\n",
    ] {
        let bytes =
            Archive::new().file("ok", b"").add(Member { flag: b'x', body, ..Member::default() }).file("f", b"").end();
        assert_eq!(fault(&bytes), (512, "pax"), "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_an_extension_header_may_cost_is_limited() {
    for flag in [b'x', b'g', b'L', b'K'] {
        let bytes = header(&Member { flag, size: Some((1 << 20) + 1), ..Member::default() });
        assert_eq!(fault(&bytes), (0, "header-too-large"));
        // A size that no memory has must fail before it is reserved.
        let bytes = header(&Member { flag, size: Some(1 << 62), ..Member::default() });
        assert_eq!(fault(&bytes), (0, "header-too-large"));
    }
}

#[test]
fn global_headers_cannot_pile_up_memory() {
    let value = vec![b'v'; 600_000];
    let archive = Archive::new().pax(b'g', &[("SCHILY.xattr.user.a", &value)]);
    let at = archive.bytes.len() as u64;
    let bytes = archive.pax(b'g', &[("SCHILY.xattr.user.b", &value)]).file("f", b"").end();
    assert_eq!(fault(&bytes), (at, "header-too-large"));
}
