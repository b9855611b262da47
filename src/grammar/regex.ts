/** Regular expressions as data, over code points. What `pattern-parser.ts` reads and `number-regex.ts` writes. */
import { codePointsOf, type CodePoints } from './code-points.ts'

export type Regex =
  | { readonly kind: 'chars'; readonly set: CodePoints }
  | { readonly kind: 'seq'; readonly items: readonly Regex[] }
  /** Of none: what nothing matches. */
  | { readonly kind: 'choice'; readonly items: readonly Regex[] }
  /** `max` may be Infinity. */
  | { readonly kind: 'repeat'; readonly item: Regex; readonly min: number; readonly max: number }

export const chars = (set: CodePoints): Regex => ({ kind: 'chars', set })
export const seq = (...items: readonly Regex[]): Regex => ({ kind: 'seq', items })
export const choice = (...items: readonly Regex[]): Regex => ({ kind: 'choice', items })
export const repeat = (item: Regex, min: number, max: number): Regex => ({ kind: 'repeat', item, min, max }) // prettier-ignore
export const optional = (item: Regex): Regex => repeat(item, 0, 1)
export const nothing: Regex = seq()

/** Exactly this text. */
export const text = (value: string): Regex =>
  seq(...Array.from(value, (sign) => chars(codePointsOf(sign))))

export const range = (from: string, to: string): Regex =>
  chars([from.codePointAt(0)!, to.codePointAt(0)!])

export const digit = range('0', '9')
