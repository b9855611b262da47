/**
 * JSON numbers within a range, as automata over their digits. Decimals only, no exponents: at most 15 digits before the
 * point (15 digits are exact in a double) and 6 after it, more only where a bound needs them, so that every number ends.
 * Reading a decimal as a double keeps the order, so a range of decimals is a range of doubles.
 */
import { fail } from '../errors.ts'
import { intersectDfas, toCharDfa, type CharDfa } from './char-dfa.ts'
import { choice, digit, nothing, optional, range, repeat, seq, text, type Regex } from './regex.ts'

export interface NumberRange {
  readonly isInteger: boolean
  readonly min?: number
  readonly max?: number
  /** The bound itself is out. */
  readonly withoutMin?: boolean
  readonly withoutMax?: boolean
}

const wholeDigits = 15
const fractionDigits = 6

/** Fails BAD_REQUEST for bounds that are too far from 0. Without states when the range is empty. */
export function numberDfa(range: NumberRange): CharDfa {
  const { min = -Infinity, max = Infinity, withoutMin = false, withoutMax = false } = range
  for (const bound of [min, max]) {
    if (Number.isFinite(bound) && Math.abs(bound) >= 1e15) {
      fail('BAD_REQUEST', `the bound ${bound}: expected a number nearer to 0 than 1e15`)
    }
  }
  const make = range.isInteger ? integerMagnitudes : decimalMagnitudes
  const positive = make({ from: { value: Math.max(min, 0), out: min >= 0 && withoutMin }, to: { value: max, out: withoutMax } }) // prettier-ignore
  // Never −0: it is not below 0.
  const negative = make({ from: { value: Math.max(-max, 0), out: max >= 0 || withoutMax }, to: { value: -min, out: withoutMin } }) // prettier-ignore
  return joined([
    ...(positive ? [{ sign: nothing, dfa: positive }] : []),
    ...(negative ? [{ sign: text('-'), dfa: negative }] : []),
  ])
}

interface Bound {
  readonly value: number
  readonly out: boolean
}

interface Magnitudes {
  readonly from: Bound
  readonly to: Bound
}

/** A range of magnitudes as two conditions that must both hold; null when it is empty. */
interface Conditions {
  readonly atLeast: Regex
  readonly atMost: Regex | null
}

function joined(parts: readonly { sign: Regex; dfa: Conditions }[]): CharDfa {
  const lower = parts.map(({ sign, dfa }) => seq(sign, dfa.atLeast))
  const upper = parts.map(({ sign, dfa }) => seq(sign, dfa.atMost ?? anyMagnitude))
  return intersectDfas(toCharDfa(choice(...lower)), toCharDfa(choice(...upper)))
}

const anyMagnitude = seq(repeat(digit, 1, 400), optional(seq(text('.'), repeat(digit, 1, 400))))
const nonZero = range('1', '9')
const whole = (least: number, most: number): Regex =>
  choice(
    ...(least <= 1 ? [digit] : []),
    ...(most >= 2 ? [seq(nonZero, repeat(digit, Math.max(1, least - 1), most - 1))] : []),
  )

function integerMagnitudes({ from, to }: Magnitudes): Conditions | null {
  const least = Math.ceil(from.value) + (from.out && Number.isInteger(from.value) ? 1 : 0)
  const most = Math.floor(to.value) - (to.out && Number.isInteger(to.value) ? 1 : 0)
  if (least > most) return null
  return {
    atLeast: wholeAtLeast(String(least), nothing, nothing),
    atMost: most === Infinity ? null : wholeAtMost(String(most), nothing, nothing),
  }
}

function decimalMagnitudes({ from, to }: Magnitudes): Conditions | null {
  if (from.value > to.value || (from.value === to.value && (from.out || to.out))) return null
  const low = decimalOf(from.value)
  const high = to.value === Infinity ? null : decimalOf(to.value)
  const wanted = Math.max(fractionDigits, low.fraction.length, high?.fraction.length ?? 0)
  // With 15 digits in all, decimals that differ are doubles that differ.
  const most = Math.min(wanted, wholeDigits - Math.max(low.whole.length, high?.whole.length ?? 0))
  const anyFraction = most === 0 ? nothing : optional(seq(text('.'), repeat(digit, 1, most)))
  const atLeast = { ...shorten(low.fraction, most, from.out, true), most }
  const atMost = high && { ...shorten(high.fraction, most, to.out, false), most }
  return {
    atLeast: wholeAtLeast(low.whole, fractionAtLeast(atLeast), anyFraction),
    atMost: high && wholeAtMost(high.whole, fractionAtMost(atMost!), anyFraction),
  }
}

/** A bound of more digits than may be written lies between two that may. */
function shorten(fraction: string, most: number, out: boolean, isLower: boolean) {
  if (fraction.length <= most) return { fraction, out }
  return { fraction: fraction.slice(0, most).replace(/0+$/, ''), out: isLower }
}

/** The shortest decimal of a double, without an exponent. */
function decimalOf(value: number): { whole: string; fraction: string } {
  const [digits, exponent = '0'] = String(value).split('e')
  const [whole = '', fraction = ''] = digits!.split('.')
  const shift = Number(exponent)
  if (shift >= 0) return { whole, fraction }
  const all = '0'.repeat(-shift) + whole
  const at = all.length + shift
  const kept = (all.slice(at) + fraction).slice(0, 400)
  return { whole: all.slice(0, at).replace(/^0+(?=\d)/, ''), fraction: kept.replace(/0+$/, '') }
}

const digitsAbove = (sign: string): Regex[] =>
  sign === '9' ? [] : [range(String(Number(sign) + 1), '9')]
const digitsBelow = (sign: string): Regex[] =>
  sign === '0' ? [] : [range('0', String(Number(sign) - 1))]

/** `equal` follows where the whole digits are those of the bound, `beyond` where they are beyond it. */
function wholeAtLeast(bound: string, equal: Regex, beyond: Regex): Regex {
  const sameLength = Array.from(bound, (sign, i) =>
    digitsAbove(sign).map(
      (above) =>
      seq(text(bound.slice(0, i)), above, repeat(digit, bound.length - i - 1, bound.length - i - 1), beyond), // prettier-ignore
    ),
  ).flat()
  const longer = Math.max(wholeDigits, bound.length)
  return choice(
    ...sameLength,
    seq(text(bound), equal),
    ...(longer > bound.length ? [seq(whole(bound.length + 1, longer), beyond)] : []),
  )
}

function wholeAtMost(bound: string, equal: Regex, beyond: Regex): Regex {
  const sameLength = Array.from(bound, (sign, i) =>
    digitsBelow(sign)
      .filter(() => i > 0 || bound.length === 1 || sign !== '1')
      .map((below) => {
        const first = i === 0 && bound.length > 1 ? range('1', String(Number(sign) - 1)) : below
        return seq(text(bound.slice(0, i)), first, repeat(digit, bound.length - i - 1, bound.length - i - 1), beyond) // prettier-ignore
      }),
  ).flat()
  return choice(
    ...sameLength,
    seq(text(bound), equal),
    ...(bound.length > 1 ? [seq(whole(1, bound.length - 1), beyond)] : []),
  )
}

interface FractionBound {
  readonly fraction: string
  readonly out: boolean
  /** Digits that may be written. */
  readonly most: number
}

/** What may stand after the whole digits of the bound; `fraction` does not end in 0. */
function fractionAtLeast({ fraction, out, most }: FractionBound): Regex {
  const any = (count: number): Regex => repeat(digit, 0, count)
  const above = Array.from(fraction, (sign, i) =>
    digitsAbove(sign).map((larger) => seq(text(fraction.slice(0, i)), larger, any(most - i - 1))),
  ).flat()
  const left = most - fraction.length
  const positive = (count: number): Regex[] =>
    Array.from({ length: count }, (_, zeros) =>
      seq(text('0'.repeat(zeros)), nonZero, any(count - zeros - 1)),
    )
  const equal = out ? positive(left) : [any(left)]
  const after = equal.map((rest) => seq(text(fraction), rest))
  if (fraction === '' && !out) {
    return most === 0 ? nothing : optional(seq(text('.'), repeat(digit, 1, most)))
  }
  return seq(text('.'), choice(...above, ...after))
}

function fractionAtMost({ fraction, out, most }: FractionBound): Regex {
  const below = Array.from(fraction, (sign, i) => [
    ...digitsBelow(sign).map((smaller) =>
      seq(text(fraction.slice(0, i)), smaller, repeat(digit, 0, most - i - 1)),
    ),
    // A beginning of the bound is less than the bound.
    ...(i > 0 ? [text(fraction.slice(0, i))] : []),
  ]).flat()
  const zeros = seq(text(fraction), repeat(text('0'), 0, most - fraction.length))
  const equal = out ? [] : [fraction === '' ? repeat(text('0'), 1, Math.max(1, most)) : zeros]
  const some = seq(text('.'), choice(...below, ...equal))
  return fraction === '' && out ? choice() : optional(some)
}
