import t from 'tap'
import { roundHalfEven } from '../../src/labels/round-half-even.ts'

t.test("ties go to the even integer, as with Python's round", async (t) => {
  // Values of CPython 3.11: [round(x) for x in …].
  const pairs = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [3.5, 4],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [2.4999999999999996, 2],
    [2.5000000000000004, 3],
    [3, 3],
    [-0.2, 0],
  ] as const
  for (const [value, expected] of pairs) t.equal(roundHalfEven(value), expected, String(value))
  t.ok(Object.is(roundHalfEven(-0.2), 0), 'never minus zero')
})
