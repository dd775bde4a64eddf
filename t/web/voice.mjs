// A voice note as WhatsApp sends it: silence in Opus, packed in Ogg
// (RFC 3533, RFC 6716, RFC 7845).

const RATE = 48000; // what Ogg counts Opus in
const FRAME = 960; // samples: 20 ms
const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]); // a frame of it
const SKIP = 312; // samples before the sound begins

/* The sum of an Ogg page: CRC-32 without reflection. */
function sum(bytes) {
    let crc = 0;
    for (const byte of bytes) {
        crc ^= byte << 24;
        for (let i = 0; i < 8; i += 1) {
            crc = crc << 1 ^ (crc < 0 ? 0x04c11db7 : 0);
        }
    }
    return crc >>> 0;
}

/* flags: 2 for the first page, 4 for the last. */
function page(number, flags, granule, packets) {
    const head = Buffer.alloc(27);
    head.write('OggS');
    head[5] = flags;
    head.writeBigUInt64LE(BigInt(granule), 6);
    head.writeUInt32LE(1, 14);
    head.writeUInt32LE(number, 18);
    head[26] = packets.length;
    const bytes = Buffer.concat([head,
        Buffer.from(packets.map((packet) => packet.length)), ...packets]);
    bytes.writeUInt32LE(sum(bytes), 22);
    return bytes;
}

function opusHead() {
    const head = Buffer.alloc(19);
    head.write('OpusHead');
    head[8] = 1; // version
    head[9] = 1; // channel
    head.writeUInt16LE(SKIP, 10);
    head.writeUInt32LE(RATE, 12);
    return head;
}

function opusTags() {
    const tags = Buffer.alloc(16);
    tags.write('OpusTags');
    return tags;
}

/** @param {number} seconds at most 5, which one page holds */
export function voiceNote(seconds) {
    const frames = Math.ceil(seconds * RATE / FRAME) + 1;
    return Buffer.concat([page(0, 2, 0, [opusHead()]),
        page(1, 0, 0, [opusTags()]),
        page(2, 4, SKIP + seconds * RATE, Array(frames).fill(SILENCE))]);
}
