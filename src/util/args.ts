/** Declared command line flags over `node:util` parseArgs: typed values, ranges, `--help`. */
import { parseArgs } from 'node:util'
import { fail } from '../errors.ts'

export interface FlagSpec {
  readonly type: 'string' | 'number' | 'integer' | 'boolean'
  readonly default?: string | number | boolean
  readonly choices?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** May be given several times; the value is a list. */
  readonly multiple?: true
  readonly required?: true
  readonly help: string
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>

type Base<T extends FlagSpec['type']> = T extends 'boolean'
  ? boolean
  : T extends 'string'
    ? string
    : number

type ValueOf<S extends FlagSpec> = S extends { multiple: true }
  ? Base<S['type']>[]
  : S extends { required: true } | { default: string | number | boolean }
    ? Base<S['type']>
    : Base<S['type']> | undefined

export type FlagValues<S extends FlagSpecs> = { -readonly [K in keyof S]: ValueOf<S[K]> }

export interface ParsedFlags<S extends FlagSpecs> {
  readonly values: FlagValues<S>
  /** Arguments that are no flags. */
  readonly positionals: string[]
  /** `--help` was given; the values are not checked then. */
  readonly help: boolean
}

const bad = (name: string, detail: string) =>
  fail('BAD_ARGUMENT', `--${name}: ${detail}`, { param: name })

function checkNumber(name: string, spec: FlagSpec, text: string): number {
  const value = Number(text)
  const kind = spec.type === 'integer' ? 'a whole number' : 'a number'
  const fits =
    text.trim() !== '' &&
    Number.isFinite(value) &&
    (spec.type === 'number' || Number.isInteger(value))
  if (!fits) bad(name, `expected ${kind}, got "${text}"`)
  if (spec.min !== undefined && value < spec.min)
    bad(name, `expected at least ${spec.min}, got ${text}`)
  if (spec.max !== undefined && value > spec.max)
    bad(name, `expected at most ${spec.max}, got ${text}`)
  return value
}

function convert(name: string, spec: FlagSpec, raw: string | boolean): string | number | boolean {
  if (typeof raw === 'boolean') return raw
  if (spec.type !== 'string') return checkNumber(name, spec, raw)
  if (spec.choices && !spec.choices.includes(raw))
    bad(name, `expected one of ${spec.choices.join(', ')}, got "${raw}"`)
  return raw
}

/** What Node's parser complains of, without the advice below it. */
function firstSentence(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  const sentence = text.split(/\.\s|\.$/)[0]!
  return sentence.endsWith('is ambiguous')
    ? `${sentence}: a value that starts with a dash needs "="`
    : sentence
}

function splitArgs(argv: readonly string[], specs: FlagSpecs) {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple }]) => [
      name,
      {
        type: type === 'boolean' ? ('boolean' as const) : ('string' as const),
        multiple: multiple ?? false,
      },
    ]),
  )
  try {
    return parseArgs({
      args: [...argv],
      options: { ...options, help: { type: 'boolean' } },
      allowPositionals: true,
      strict: true,
    })
  } catch (cause) {
    return fail('BAD_ARGUMENT', `${firstSentence(cause)}; --help lists the flags`, { cause })
  }
}

/** Fails BAD_ARGUMENT with the flag, what was expected and what came. */
export function parseFlags<const S extends FlagSpecs>(
  argv: readonly string[],
  specs: S,
): ParsedFlags<S> {
  const { values, positionals } = splitArgs(argv, specs)
  const raw: Record<string, string | boolean | (string | boolean)[] | undefined> = values
  const help = raw.help === true
  const typed: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(specs)) {
    const given = raw[name]
    if (spec.multiple) typed[name] = [given ?? []].flat().map((item) => convert(name, spec, item))
    else if (given !== undefined) typed[name] = convert(name, spec, given as string | boolean)
    else typed[name] = spec.default
    if (spec.required && given === undefined && !help) bad(name, `is needed: ${spec.help}`)
  }
  return { values: typed as FlagValues<S>, positionals, help }
}

/** The text of `--help`. */
export function helpText(usage: string, specs: FlagSpecs): string {
  const width = Math.max(...Object.keys(specs).map((name) => name.length)) + 2
  const lines = Object.entries(specs).map(([name, spec]) => {
    const fallback = spec.default === undefined ? '' : ` (default ${spec.default})`
    const choices = spec.choices ? `: ${spec.choices.join(' | ')}` : ''
    return `  --${name.padEnd(width)}${spec.help}${choices}${fallback}`
  })
  return `usage: ${usage}\n${lines.join('\n')}`
}
