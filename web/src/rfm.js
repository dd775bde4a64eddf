/**
 * RFM codes as a square: recency down, frequency across.
 *
 * @param {{r, f, m, donors, amount}[]} codes
 * @returns {{r: number, cells: {f, donors, amount, heat}[]}[]} r from 5 to 1,
 *          f from 1 to 5; heat: 0 for nobody, to 4 for the fullest cells
 */
export function rfmSquare(codes) {
    const scores = [1, 2, 3, 4, 5];
    const square = [...scores].reverse().map((r) => ({
        r,
        cells: scores.map((f) => {
            const here = codes.filter((one) => one.r === r && one.f === f);
            const sum = (key) => here.reduce((all, one) => all + one[key], 0);
            return { f, donors: sum('donors'), amount: sum('amount'), heat: 0 };
        }),
    }));
    const most = Math.max(1,
        ...square.flatMap((row) => row.cells.map((cell) => cell.donors)));
    for (const cell of square.flatMap((row) => row.cells)) {
        cell.heat = Math.ceil(cell.donors / most * 4);
    }
    return square;
}
