/**
 * Deterministic automata over code points: what a pattern, a format, a range of numbers and a length allow, and the
 * intersections and differences of these. Every state can still reach an end, so nothing that follows them gets stuck.
 */
import { allCodePoints, intersect, subtract, type CodePoints } from './code-points.ts'
import { limits, refuseCost } from './limits.ts'
import { buildNfa, type Nfa } from './nfa.ts'
import type { Regex } from './regex.ts'

/** State 0 is the start; without states nothing is matched. */
export interface CharDfa {
  /** Disjoint sets of code points that all states treat alike. */
  readonly classes: readonly CodePoints[]
  /** [states × classes]: the state after a code point of the class, −1 for none. */
  readonly next: Int32Array
  /** 1 where a text may end. */
  readonly accepts: Uint8Array
}

/** Fails BAD_REQUEST when it takes too many states. */
export function toCharDfa(regex: Regex): CharDfa {
  return determinise(buildNfa(regex))
}

function determinise(nfa: Nfa): CharDfa {
  const sets = [...new Set(nfa.edges.flatMap((edges) => edges.map(({ set }) => set)))]
  const { classes, classesOf } = splitIntoClasses(sets)
  const table = new StateTable(classes.length)
  const closure = createClosure(nfa)
  const subsets: number[][] = []
  const ids = new Map<string, number>()
  let work = 0
  const stateOf = (nodes: number[]): number => {
    const key = nodes.join()
    const known = ids.get(key)
    if (known !== undefined) return known
    const state = table.add(nodes.includes(nfa.final))
    ids.set(key, state)
    subsets.push(nodes)
    work += nodes.length + 1
    if (work > limits.work) refuseCost('steps to make the automaton', limits.work)
    return state
  }

  stateOf(closure([0]))
  for (let state = 0; state < subsets.length; state += 1) {
    const targets = new Map<number, number[]>()
    for (const node of subsets[state]!) {
      for (const { set, to } of nfa.edges[node]!) {
        for (const index of classesOf.get(set)!) {
          const list = targets.get(index)
          if (list) list.push(to)
          else targets.set(index, [to])
          work += 1
        }
      }
    }
    for (const [index, nodes] of targets) table.set(state, index, stateOf(closure(nodes)))
  }
  return trim({ classes, next: table.next, accepts: table.accepts })
}

/** The nodes reached without a code point, ascending. */
function createClosure(nfa: Nfa): (nodes: readonly number[]) => number[] {
  const seen = new Int32Array(nfa.empty.length)
  let round = 0
  return (nodes) => {
    round += 1
    const reached: number[] = []
    const open = [...nodes]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (seen[node] === round) continue
      seen[node] = round
      // Nodes with empty edges alone say nothing once these are followed.
      if (nfa.edges[node]!.length > 0 || node === nfa.final) reached.push(node)
      open.push(...nfa.empty[node]!)
    }
    return reached.sort((a, b) => a - b)
  }
}

/** Disjoint classes such that each of `sets` is a union of some. */
function splitIntoClasses(sets: readonly CodePoints[]): {
  classes: CodePoints[]
  classesOf: Map<CodePoints, number[]>
} {
  const cuts = new Set<number>()
  for (const set of sets) set.forEach((point, i) => cuts.add(i % 2 === 0 ? point : point + 1))
  const starts = [...cuts].sort((a, b) => a - b)
  const bySignature = new Map<string, number[]>()
  const at = sets.map(() => 0)
  for (const [i, start] of starts.slice(0, -1).entries()) {
    const members = sets.flatMap((set, index) => {
      while (at[index]! < set.length && set[at[index]! + 1]! < start) at[index]! += 2
      return set[at[index]!] !== undefined && set[at[index]!]! <= start ? [index] : []
    })
    if (members.length === 0) continue
    const signature = members.join()
    const points = bySignature.get(signature) ?? []
    points.push(start, starts[i + 1]! - 1)
    bySignature.set(signature, points)
  }
  const classesOf = new Map<CodePoints, number[]>(sets.map((set) => [set, []]))
  const classes = [...bySignature].map(([signature, points], index) => {
    for (const member of signature.split(',')) classesOf.get(sets[Number(member)]!)!.push(index)
    return points
  })
  return { classes, classesOf }
}

/** Rows of a transition table that grows. */
class StateTable {
  #next: Int32Array
  readonly #accepts: number[] = []
  readonly #width: number

  constructor(width: number) {
    this.#width = width
    this.#next = new Int32Array(64 * width).fill(-1)
  }

  add(accepts: boolean): number {
    const state = this.#accepts.push(accepts ? 1 : 0) - 1
    if (state >= limits.states) refuseCost('states of the automaton', limits.states)
    if ((state + 1) * this.#width > this.#next.length) {
      const larger = new Int32Array(this.#next.length * 2).fill(-1)
      larger.set(this.#next)
      this.#next = larger
    }
    return state
  }

  set(state: number, index: number, to: number): void {
    this.#next[state * this.#width + index] = to
  }

  get next(): Int32Array {
    return this.#next.slice(0, this.#accepts.length * this.#width)
  }

  get accepts(): Uint8Array {
    return Uint8Array.from(this.#accepts)
  }
}

/** Without states that lead nowhere. */
export function trim({ classes, next, accepts }: CharDfa): CharDfa {
  const width = classes.length
  const before: number[][] = Array.from(accepts, () => [])
  next.forEach((to, i) => to >= 0 && before[to]!.push(Math.floor(i / width)))
  const alive = new Uint8Array(accepts)
  const open = Array.from(accepts.keys()).filter((state) => accepts[state] === 1)
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const earlier of before[state]!) {
      if (alive[earlier] === 1) continue
      alive[earlier] = 1
      open.push(earlier)
    }
  }
  if (alive.length === 0 || alive[0] === 0) return emptyDfa
  const kept = Array.from(alive.keys()).filter((state) => alive[state] === 1)
  const renamed = new Int32Array(alive.length).fill(-1)
  kept.forEach((state, index) => (renamed[state] = index))
  const trimmed = new Int32Array(kept.length * width)
  kept.forEach((state, row) => {
    for (let c = 0; c < width; c += 1) {
      const to = next[state * width + c]!
      trimmed[row * width + c] = to < 0 ? -1 : renamed[to]!
    }
  })
  return { classes, next: trimmed, accepts: Uint8Array.from(kept, (state) => accepts[state]!) }
}

const emptyDfa: CharDfa = { classes: [], next: new Int32Array(0), accepts: new Uint8Array(0) }

/** The texts that both match. */
export function intersectDfas(a: CharDfa, b: CharDfa): CharDfa {
  return product(a, b, { needsB: true, accepts: (inA, inB) => inA && inB })
}

/** The texts of `a` that `b` does not match. */
export function subtractDfa(a: CharDfa, b: CharDfa): CharDfa {
  return product(a, b, { needsB: false, accepts: (inA, inB) => inA && !inB })
}

interface ProductRule {
  /** A state without its half of `b` leads nowhere. */
  needsB: boolean
  accepts(inA: boolean, inB: boolean): boolean
}

/** Pairs of states; −1 as the half of `b` that has left it. */
function product(a: CharDfa, b: CharDfa, rule: ProductRule): CharDfa {
  if (a.accepts.length === 0 || (rule.needsB && b.accepts.length === 0)) return emptyDfa
  const pairs = classPairs(a, b, rule.needsB)
  const table = new StateTable(pairs.length)
  const states: [number, number][] = []
  const ids = new Map<number, number>()
  const stateOf = (left: number, right: number): number => {
    const key = left * (b.accepts.length + 1) + right + 1
    const known = ids.get(key)
    if (known !== undefined) return known
    const state = table.add(rule.accepts(a.accepts[left] === 1, b.accepts[right] === 1))
    ids.set(key, state)
    states.push([left, right])
    return state
  }
  stateOf(0, b.accepts.length === 0 ? -1 : 0)
  for (let state = 0; state < states.length; state += 1) {
    const [left, right] = states[state]!
    pairs.forEach(({ inA, inB }, index) => {
      const to = a.next[left * a.classes.length + inA]!
      const other = right < 0 || inB < 0 ? -1 : b.next[right * b.classes.length + inB]!
      if (to < 0 || (rule.needsB && other < 0)) return
      table.set(state, index, stateOf(to, other))
    })
  }
  const classes = pairs.map(({ points }) => points)
  return trim({ classes, next: table.next, accepts: table.accepts })
}

function classPairs(a: CharDfa, b: CharDfa, needsB: boolean) {
  return a.classes.flatMap((setA, inA) => {
    const shared = b.classes.flatMap((setB, inB) => {
      const points = intersect(setA, setB)
      return points.length > 0 ? [{ points, inA, inB }] : []
    })
    const rest = needsB ? [] : shared.reduce((left, { points }) => subtract(left, points), setA)
    return rest.length > 0 ? [...shared, { points: rest, inA, inB: -1 }] : shared
  })
}

/** The texts of min to max code points; `max` may be Infinity. */
export function lengthDfa(min: number, max: number): CharDfa {
  const count = (max === Infinity ? min : max) + 1
  if (count > limits.states) refuseCost('states of the automaton', limits.states)
  const next = Int32Array.from({ length: count }, (_, state) => {
    if (state < count - 1) return state + 1
    return max === Infinity ? state : -1
  })
  const accepts = Uint8Array.from({ length: count }, (_, state) => (state >= min ? 1 : 0))
  return { classes: [allCodePoints], next, accepts }
}

export function matches(dfa: CharDfa, text: string): boolean {
  let state = dfa.accepts.length === 0 ? -1 : 0
  for (const sign of text) {
    if (state < 0) return false
    const index = classOf(dfa, sign.codePointAt(0)!)
    state = index < 0 ? -1 : dfa.next[state * dfa.classes.length + index]!
  }
  return state >= 0 && dfa.accepts[state] === 1
}

function classOf(dfa: CharDfa, point: number): number {
  return dfa.classes.findIndex((set) => intersect(set, [point, point]).length > 0)
}
