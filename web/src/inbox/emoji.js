/*
 * The emoji that a desk writes, with the words they are found by, Indonesian
 * and English. Others come by the keyboard of the device.
 */
const LINES = `
🙏 doa mohon terima kasih pray thanks please
🤲 doa berdoa pray
😊 senyum smile
🙂 senyum smile
😀 gembira happy
😄 tertawa laugh
😁 nyengir grin
😂 tertawa laugh tears
🤣 tertawa laugh
😍 suka love
🥰 sayang love
😘 cium kiss
😉 kedip wink
😇 malaikat angel
🤗 peluk hug
🤔 pikir think
😅 lega sweat
😌 lega relieved
😢 sedih sad
😭 menangis cry
🥺 mohon plead
😔 sedih sad
😞 kecewa disappointed
😟 khawatir worried
😮 kaget surprised
😯 kaget surprised
😴 tidur sleep
🤒 sakit sick
🤕 luka hurt
😷 masker mask
👍 bagus oke setuju yes good
👎 tidak no
👌 oke ok
👏 tepuk tangan clap
🙌 hore praise
🤝 salam sepakat deal
👋 halo hai hello
💪 semangat kuat strong
☝️ satu one
👇 bawah below
👉 kanan right
✌️ damai peace
🤞 semoga luck
✍️ tulis write
❤️ cinta hati merah love heart
🧡 hati heart
💛 hati heart
💚 hati hijau heart
💙 hati biru heart
💜 hati heart
🤍 hati putih heart
💖 hati heart
💐 bunga flowers
🌹 mawar rose
🌸 bunga flower
🌻 bunga sunflower
🌱 tumbuh grow
🌳 pohon tree
🌙 bulan sabit ramadan moon
🌟 bintang star
⭐ bintang star
✨ kilau sparkle
☀️ matahari sun
🌧️ hujan rain
🔥 api fire
💧 air water
🕌 masjid mosque
🕋 kabah kaaba
📿 tasbih beads
📖 quran buku book
🐄 sapi qurban cow
🐐 kambing qurban goat
🐑 domba qurban sheep
🍚 nasi makan rice food
🍱 makanan food
🍞 roti bread
🥛 susu milk
☕ kopi coffee
🎂 ulang tahun birthday
🎁 hadiah gift
🎉 selamat party congratulations
🎈 balon balloon
🎓 lulus sekolah graduate
🎒 sekolah tas school
🏫 sekolah school
🏥 rumah sakit hospital
🏠 rumah home
🚰 air bersih water tap
💊 obat medicine
🚑 ambulans ambulance
👶 bayi baby
👦 anak boy
👧 anak girl
👨‍👩‍👧‍👦 keluarga family
👵 nenek lansia grandmother
👴 kakek lansia grandfather
🧕 hijab woman
👳 pria man
💰 uang donasi money
💵 uang money
💳 kartu card
🏦 bank
🧾 kwitansi struk receipt
📄 dokumen document
📎 lampiran attachment
📷 foto photo
📸 foto photo
🎥 video
🎙️ suara voice
📞 telepon phone
📱 ponsel phone
💬 pesan chat message
✉️ surat mail
📢 umumkan announce
📅 tanggal kalender date
⏰ ingat alarm reminder
⏳ tunggu wait
📍 lokasi location
🗺️ peta map
🚚 kirim truck
📦 paket package
✅ sudah selesai done yes
☑️ sudah check
❌ tidak batal no
❗ penting important
❓ tanya question
ℹ️ info
⚠️ awas warning
🔗 tautan link
➡️ kanan next
🔴 merah red
🟢 hijau green
🇮🇩 indonesia
🇵🇸 palestina palestine
`;

export const EMOJI = LINES.trim().split('\n').map((line) => {
    const space = line.indexOf(' ');
    return { emoji: line.slice(0, space), words: line.slice(space + 1) };
});

/** Those that every word of `text` finds; all of them for nothing. */
export function findEmoji(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return EMOJI.filter((entry) => words.every((word) =>
        entry.words.split(' ').some((known) => known.startsWith(word))));
}
