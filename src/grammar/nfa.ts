/** Thompson's construction: a regular expression as nodes with edges over sets of code points and empty edges. */
import type { CodePoints } from './code-points.ts'
import { limits, refuseCost } from './limits.ts'
import type { Regex } from './regex.ts'

export interface NfaEdge {
  readonly set: CodePoints
  readonly to: number
}

/** Node 0 is the start. */
export interface Nfa {
  readonly empty: readonly (readonly number[])[]
  readonly edges: readonly (readonly NfaEdge[])[]
  readonly final: number
}

/** Fails BAD_REQUEST when repetitions make it too large. */
export function buildNfa(regex: Regex): Nfa {
  const empty: number[][] = []
  const edges: NfaEdge[][] = []
  const addNode = (): number => {
    if (empty.length >= limits.patternNodes) refuseCost('nodes of the pattern', limits.patternNodes)
    edges.push([])
    return empty.push([]) - 1
  }

  /** Appends what `part` matches after node `from`; returns where it ends. */
  const append = (part: Regex, from: number): number => {
    if (part.kind === 'chars') {
      const to = addNode()
      edges[from]!.push({ set: part.set, to })
      return to
    }
    if (part.kind === 'seq') return part.items.reduce((at, item) => append(item, at), from)
    if (part.kind === 'choice') {
      const end = addNode()
      for (const item of part.items) {
        const begin = addNode()
        empty[from]!.push(begin)
        empty[append(item, begin)]!.push(end)
      }
      return end
    }
    return appendRepeat(part, from)
  }

  const appendRepeat = ({ item, min, max }: Regex & { kind: 'repeat' }, from: number): number => {
    let at = from
    for (let i = 0; i < min; i += 1) at = append(item, at)
    const end = addNode()
    if (max === Infinity) {
      empty[at]!.push(end)
      empty[append(item, end)]!.push(end)
      return end
    }
    empty[at]!.push(end)
    for (let i = min; i < max; i += 1) {
      // A node of its own: the item may itself lead back to where it began.
      const begin = addNode()
      empty[at]!.push(begin)
      at = append(item, begin)
      empty[at]!.push(end)
    }
    return end
  }

  const start = addNode()
  return { empty, edges, final: append(regex, start) }
}
