// What the donor's panel shows, read off the screen.

/* The gifts' bars that a chart has drawn, from the left: how high each is. */
export const bars = (panel) => panel.getByTestId('gifts').locator('canvas')
    .evaluate((canvas) => {
        const one = document.createElement('canvas').getContext('2d');
        one.fillStyle = getComputedStyle(document.documentElement)
            .getPropertyValue('--chart-1');
        one.fillRect(0, 0, 1, 1);
        const colour = one.getImageData(0, 0, 1, 1).data;
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d')
            .getImageData(0, 0, width, height);
        const drawn = (x) => {
            let n = 0;
            for (let y = 0; y < height; y += 1) {
                const at = (y * width + x) * 4;
                n += [0, 1, 2, 3].every((i) =>
                    Math.abs(data[at + i] - colour[i]) < 8);
            }
            return n;
        };
        const found = [];
        for (let x = 0, last = 0; x < width; x += 1) {
            const now = drawn(x);
            if (now && !last) {
                found.push(0);
            }
            if (now) {
                found[found.length - 1] = Math.max(found.at(-1), now);
            }
            last = now;
        }
        return found;
    });

/* 20,6 of at most 24 points: by the part of the score. */
export async function score(panel) {
    const parts = await panel.locator('.score li').evaluateAll((all) =>
        all.map((li) => [li.querySelector('.name').innerText,
            ...li.querySelector('.points').innerText.split('/')
                .map((n) => Number(n.replace(',', '.')))]));
    const all = Number(await panel.getByTestId('score').innerText());
    return { all, names: parts.map(([name]) => name),
        points: parts.map(([, points]) => points),
        most: parts.map(([, , most]) => most) };
}
