INSERT INTO media (id, public_id, hash, size, mime, filename, user_id, used,
    created_at) VALUES (1, '00112233445566778899aabbccddeeff',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0,
    'image/png', 'struk.png', 2, 1, {ms});
UPDATE message_media SET media_id = 1 WHERE message_id = 2;
