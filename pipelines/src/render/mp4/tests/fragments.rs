//! Fragmented files made by hand.

/// A sample of a fragment made by hand: duration and size.
pub type Sample = (u32, u32);

/// A plain box.
pub fn plain(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(body);
    out
}

/// A full box of 32-bit words.
pub fn words(kind: &[u8; 4], version_and_flags: u32, words: &[u32]) -> Vec<u8> {
    let all = [&[version_and_flags], words].concat();
    let body: Vec<u8> = all.iter().flat_map(|word| word.to_be_bytes()).collect();
    plain(kind, &body)
}

/// The beginning of a file: video at 3000 ticks per second is track 1, audio at 48000 track 2.
pub fn beginning() -> Vec<u8> {
    let mut body = words(b"mvhd", 0, &[0; 24]);
    body.extend(track(1, b"vide", 3_000, (320 << 16, 240 << 16)));
    body.extend(track(2, b"soun", 48_000, (0, 0)));
    let extends = [
        words(b"trex", 0, &[1, 1, 0, 0, 0]),
        words(b"trex", 0, &[2, 1, 0, 0, 0]),
    ];
    body.extend(plain(b"mvex", &extends.concat()));
    [plain(b"ftyp", b"isom\0\0\0\0isom"), plain(b"moov", &body)].concat()
}

fn track(id: u32, handler: &[u8; 4], timescale: u32, size: (u32, u32)) -> Vec<u8> {
    let mut tkhd = [0; 20];
    tkhd[2] = id;
    (tkhd[18], tkhd[19]) = size;
    let handler = u32::from_be_bytes(*handler);
    let media_header = if size.0 > 0 { b"vmhd" } else { b"smhd" };
    let minf = [
        words(media_header, 0, &[0]),
        plain(b"dinf", &words(b"dref", 0, &[0])),
        plain(b"stbl", &words(b"stsd", 0, &[0])),
    ];
    let mdia = [
        words(b"mdhd", 0, &[0, 0, timescale, 0, 0x55c4_0000]),
        words(b"hdlr", 0, &[0, handler, 0, 0, 0]),
        plain(b"minf", &minf.concat()),
    ];
    plain(
        b"trak",
        &[words(b"tkhd", 7, &tkhd), plain(b"mdia", &mdia.concat())].concat(),
    )
}

/// `moof` and `mdat` of one track; every sample is filled with `fill`.
pub fn fragment(track: u32, time: u32, samples: &[Sample], fill: u8) -> Vec<u8> {
    let size: usize = samples.iter().map(|sample| sample.1 as usize).sum();
    [
        moof(track, time, samples),
        plain(b"mdat", &vec![fill; size]),
    ]
    .concat()
}

/// A `moof` whose data begins right after the header of the `mdat` behind it.
pub fn moof(track: u32, time: u32, samples: &[Sample]) -> Vec<u8> {
    let with_offset = |offset: u32| {
        let mut trun = vec![samples.len() as u32, offset];
        trun.extend(
            samples
                .iter()
                .flat_map(|&(duration, size)| [duration, size]),
        );
        let traf = [
            words(b"tfhd", 0, &[track]),
            words(b"tfdt", 0, &[time]),
            words(b"trun", 0x301, &trun),
        ];
        plain(
            b"moof",
            &[words(b"mfhd", 0, &[1]), plain(b"traf", &traf.concat())].concat(),
        )
    };
    let size = with_offset(0).len() as u32;
    with_offset(size + 8)
}

/// Two seconds of both tracks.
pub fn file() -> Vec<u8> {
    [
        beginning(),
        fragment(2, 0, &[(1_024, 10); 47], b'a'),
        fragment(1, 0, &[(100, 100); 30], b'V'),
        fragment(2, 47 * 1_024, &[(1_024, 11); 47], b'b'),
        fragment(1, 3_000, &[(100, 101); 30], b'W'),
        plain(b"mfra", &[0; 40]),
    ]
    .concat()
}
