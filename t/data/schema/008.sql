UPDATE events SET socket = '12.34' WHERE seq = 2;
