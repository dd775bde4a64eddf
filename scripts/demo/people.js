'use strict';
/*
 * people.js - who writes in the demo, and what they say. Invented people and
 * numbers.
 */

/* phone, name, the session they write to */
const donors = [
    ['6281290010001', 'Siti Rahmawati'], ['6281290010002', 'Budi Santoso'],
    ['6281290010003', 'Dewi Lestari'], ['6281290010004', 'Ahmad Fauzi'],
    ['6281290010005', 'Rina Wulandari'], ['6281290010006', 'Hendra Gunawan'],
    ['6281290010007', 'Nur Aisyah'], ['6281290010008', 'Agus Prasetyo'],
    ['6281290010009', 'Maria Simatupang'], ['6281290010010', 'Yusuf Hidayat'],
    ['6281290010011', 'Ratna Sari'], ['6281290010012', 'Eko Wijaya'],
    ['6281290010013', 'Hj. Fatimah Zahra'], ['6281290010014', 'Rizky Ramadhan'],
    ['6281290010015', 'Ibu Sumarni'], ['6281290010016', 'Dimas Aditya'],
    ['6281290010017', 'Kartika Putri'], ['6281290010018', 'Pak Suparman'],
    ['6281290010019', 'Intan Permatasari'], ['6281290010020', 'Fajar Nugroho'],
    ['6281290010021', 'Umi Kalsum', 'zakat'],
    ['6281290010022', 'Bayu Saputra', 'zakat'],
    ['6281290010023', 'Lestari Handayani', 'zakat'],
    ['6281290010024', 'Irfan Maulana', 'zakat'],
];

/* What has been said before the demo starts: the donor by place in the list,
 * minutes since the end, then lines; '>' is the team, '!' a picture. */
const dialogues = [
    { who: 0, ago: 4, lines: [
        'Assalamualaikum kak',
        'Saya mau tanya, kalau donasi rutin tiap bulan bisa diingatkan lewat WA?'] },
    { who: 1, ago: 11, lines: [
        'Selamat siang, transfer saya kemarin sudah masuk belum ya?',
        '>Siang Pak Budi, boleh dibantu nominal dan tanggal transfernya?',
        'Rp250.000 tanggal kemarin jam 8 malam, dari BCA a.n. Budi Santoso',
        '! Ini bukti transfernya',
        'Mohon dicek ya kak 🙏'] },
    { who: 2, ago: 26, lines: [
        'Halo, apakah program beasiswa yatim masih dibuka?',
        '>Waalaikumsalam Bu Dewi, masih dibuka sampai akhir bulan ini.',
        '>Satu paket beasiswa Rp300.000 per anak per bulan.',
        'Alhamdulillah, saya ambil dua anak ya',
        '>MasyaAllah, jazakillah khairan Bu. Kami siapkan datanya.',
        'Ditunggu kak'] },
    { who: 3, ago: 38, lines: [
        'Saya sudah transfer Rp1.000.000 untuk program sumur 🙏',
        '>Alhamdulillah sudah kami terima, Pak Ahmad. Semoga menjadi amal jariyah.',
        'Aamiin'] },
    { who: 4, ago: 55, lines: [
        'Mohon kirim laporan penyaluran bulan lalu',
        '>Baik Bu Rina, laporannya kami kirim sore ini ya.'] },
    { who: 6, ago: 71, lines: [
        'Bisa minta nomor rekening untuk zakat?',
        '>Bisa Bu. BSI 7001234567 a.n. Yayasan Peduli Sesama.',
        'Kalau zakat penghasilan hitungannya bagaimana?'] },
    { who: 5, ago: 94, lines: [
        'Kak, kwitansi donasi saya belum saya terima',
        '>Mohon maaf Pak Hendra, kami cek dulu ya.',
        '>Kwitansinya sudah kami kirim ulang ke email Bapak.',
        'Sudah masuk kak, terima kasih banyak'] },
    { who: 7, ago: 126, lines: [
        'Donasi bulanan saya sudah saya transfer ya, seperti biasa',
        '>Alhamdulillah, terima kasih Pak Agus atas konsistensinya 🤲',
        'Sama-sama, doakan usaha lancar',
        '>Aamiin ya Rabb. Semoga dilapangkan rezekinya.'] },
    { who: 8, ago: 150, lines: [
        'Selamat pagi, apakah lembaga menerima donasi pakaian layak pakai?',
        '>Pagi Bu Maria, menerima Bu. Bisa diantar ke kantor jam 08.00-16.00.'] },
    { who: 9, ago: 205, lines: [
        'Apakah bisa jemput donasi di daerah Depok?',
        '>Bisa Pak Yusuf, untuk Depok jadwalnya Selasa dan Kamis.',
        'Kamis pagi bisa?',
        '>InsyaAllah bisa, kami catat Kamis pukul 09.00.'] },
    { who: 10, ago: 260, lines: [
        'Kak saya mau ubah donasi rutin dari 100rb jadi 150rb',
        '>Baik Bu Ratna, sudah kami ubah mulai bulan depan.',
        'Terima kasih ya'] },
    { who: 11, ago: 340, lines: [
        'Saya ingin wakaf atas nama orang tua, caranya bagaimana?',
        '>Bisa Pak Eko. Mohon kirimkan nama lengkap almarhum.'] },
    { who: 12, ago: 1210, lines: [
        'Assalamualaikum, qurban tahun ini sudah dibuka?',
        '>Waalaikumsalam Bu Hajjah, pendaftaran mulai bulan depan, InsyaAllah.',
        'Tolong saya dikabari ya nak'] },
    { who: 13, ago: 1325, lines: [
        'min, donasi via QRIS minimal berapa?',
        '>Halo Kak Rizky, minimal Rp1.000 saja 😊',
        'oke siap'] },
    { who: 14, ago: 1490, lines: [
        'Anak saya sakit, bolehkah minta doa dari anak-anak panti?',
        '>Tentu Bu Sumarni. Boleh kami tahu nama putranya?',
        'Muhammad Rafi',
        '>Baik, ba\'da Maghrib nanti anak-anak doakan bersama. Syafakallah.'] },
    { who: 15, ago: 2760, lines: [
        'Kantor buka hari Sabtu?',
        '>Buka Kak Dimas, jam 08.00-12.00.'] },
    { who: 16, ago: 2915, lines: [
        'Saya dari komunitas alumni, mau salurkan paket sembako 50 paket',
        '>MasyaAllah. Boleh kami hubungkan dengan tim program?',
        'Boleh kak, hubungi nomor ini saja'] },
    { who: 17, ago: 4300, lines: [
        'Terima kasih foto penyalurannya, sangat menyentuh',
        '>Sama-sama Pak Suparman, semoga berkah.'] },
    { who: 18, ago: 5700, lines: [
        'Kak bukti potong zakat untuk pajak bisa diminta?',
        '>Bisa Bu Intan, mohon kirim NPWP dan alamat email ya.',
        'Baik besok saya kirim'] },
    { who: 19, ago: 7150, lines: [
        'Sudah saya isi formulirnya',
        '>Siap, terima kasih Kak Fajar.'] },
];

const openings = [
    'Assalamualaikum, saya mau tanya cara donasi rutin',
    'Selamat siang, transfer saya kemarin sudah masuk belum ya?',
    'Halo, apakah program beasiswa masih dibuka?',
    'Saya sudah transfer Rp250.000 untuk program sumur 🙏',
    'Mohon kirim laporan penyaluran bulan lalu',
    'Bisa minta nomor rekening untuk zakat?',
    'Kak, kwitansi donasi saya belum saya terima',
    'Apakah bisa jemput donasi di daerah Depok?',
    'Zakat penghasilan dihitung dari gaji kotor atau bersih ya kak?',
    'Saya mau donasi atas nama almarhum ayah, bisa?',
    'Jumat berkah minggu ini di mana kak?',
    'Kalau mau berkunjung ke panti, hari apa yang boleh?',
];

/* An answer by what the team has said; the last one fits always. */
const answers = [
    [/rekening|BSI|BCA|transfer ke/i, ['Baik kak, saya transfer sekarang ya',
        'Siap, nanti sore saya transfer'], 'receipt'],
    [/bukti|dicek|nominal/i, ['Sebentar saya kirim fotonya'], 'receipt'],
    [/terima kasih|jazak|alhamdulillah/i, ['Sama-sama kak 🙏',
        'Aamiin, semoga berkah untuk semua', 'Semoga bermanfaat ya']],
    [/nama|alamat|email|npwp/i, ['Baik, saya kirim lewat chat ini ya',
        'Atas nama saya sendiri kak']],
    [/jadwal|jam|hari|pukul/i, ['Oke, hari itu saya bisa',
        'Siap, saya catat jadwalnya']],
    [/\?\s*$/, ['Iya kak, betul', 'Boleh kak', 'Untuk bulan ini saja dulu']],
    [/./, ['Baik kak, terima kasih banyak 🙏', 'Oke, saya tunggu infonya ya',
        'Terima kasih atas penjelasannya', 'Alhamdulillah, semoga berkah']],
];

module.exports = { donors, dialogues, openings, answers };
