/** Sets of Unicode code points as sorted, disjoint ranges in one flat list: [from, to, from, to, …], both ends included. */

export type CodePoints = readonly number[]

/** Everything that UTF-8 can write: no surrogates. */
export const allCodePoints: CodePoints = [0, 0xd7ff, 0xe000, 0x10ffff]

export const noCodePoints: CodePoints = []

export function codePointsOf(text: string): CodePoints {
  return unite(...Array.from(text, (sign) => [sign.codePointAt(0)!, sign.codePointAt(0)!]))
}

export function unite(...sets: readonly CodePoints[]): CodePoints {
  const pairs = sets.flatMap((set) => pairsOf(set)).sort((a, b) => a[0] - b[0])
  const united: number[] = []
  for (const [from, to] of pairs) {
    const last = united.length - 1
    if (last > 0 && from <= united[last]! + 1) united[last] = Math.max(united[last]!, to)
    else united.push(from, to)
  }
  return united
}

export function intersect(a: CodePoints, b: CodePoints): CodePoints {
  const common: number[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const from = Math.max(a[i]!, b[j]!)
    const to = Math.min(a[i + 1]!, b[j + 1]!)
    if (from <= to) common.push(from, to)
    if (a[i + 1]! < b[j + 1]!) i += 2
    else j += 2
  }
  return common
}

export function subtract(a: CodePoints, b: CodePoints): CodePoints {
  const rest: number[] = []
  for (const [from, to] of pairsOf(a)) {
    let start = from
    for (const [cutFrom, cutTo] of pairsOf(b)) {
      if (cutTo < start || cutFrom > to) continue
      if (cutFrom > start) rest.push(start, cutFrom - 1)
      start = cutTo + 1
    }
    if (start <= to) rest.push(start, to)
  }
  return rest
}

export function pairsOf(set: CodePoints): [from: number, to: number][] {
  const pairs: [number, number][] = []
  for (let i = 0; i < set.length; i += 2) pairs.push([set[i]!, set[i + 1]!])
  return pairs
}
