/**
 * What the prefix cache is worth: time to the first token of a turn after `historyTokens` of conversation.
 *   prefix-cold  nothing is cached
 *   prefix-slot  the next turn with other attribute values: the label line and the new turn are computed
 *   prefix-tree  the same after other conversations took every slot: the prefix is copied back
 * tokens_per_s counts the prompt's tokens; the latencies are times to the first token.
 */
import { fail } from '../src/errors.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { createEngine, type Engine } from '../src/engine/index.ts'
import { percentile, printRow, randomPrompts, rounded, modelName, type BenchOptions, type BenchRow } from './measure.ts' // prettier-ignore

export interface PrefixBenchOptions extends BenchOptions {
  /** By default 1,000, or what the context holds. */
  historyTokens?: number
}

const SLOTS = 2
/** Room for the conversations that lose their slots. */
const PREFIX_BYTES = 512 * 2 ** 20
const REPLY_TOKENS = 32
const TURN_TOKENS = 16
const LABEL_TOKENS = 8
/** A reader's pause, in which the reply is computed again as a prompt. */
const PAUSE_MS = 1000

type Kind = 'prefix-cold' | 'prefix-slot' | 'prefix-tree'
type Samples = Record<Kind, { ms: number; tokens: number }[]>

/** Measures; reports a row for each of the three and returns them. */
export async function runPrefixBench(options: PrefixBenchOptions): Promise<BenchRow[]> {
  const { modelDir, threads, device = 'cpu', rounds = 5, seed = 1 } = options
  if (device !== 'cpu') fail('BAD_ARGUMENT', 'bench prefix: the cache beside the slots is the processor’s') // prettier-ignore
  const engine = await createEngine({ modelDir, threads, slots: SLOTS, prefixBytes: PREFIX_BYTES })
  try {
    const rest = 3 * (REPLY_TOKENS + TURN_TOKENS + LABEL_TOKENS)
    const historyTokens = options.historyTokens ?? Math.min(1000, engine.contextLength - rest)
    const samples: Samples = { 'prefix-cold': [], 'prefix-slot': [], 'prefix-tree': [] }
    for (let round = 0; round <= rounds; round += 1) {
      const measured = await converse(engine, historyTokens, seed + round)
      if (round === 0) continue // warm-up
      for (const [kind, sample] of Object.entries(measured)) samples[kind as Kind].push(sample)
    }
    return Object.entries(samples).map(([bench, found]) => reportRow(bench, options, found))
  } finally {
    await engine.dispose()
  }
}

async function converse(engine: Engine, historyTokens: number, seed: number) {
  const parts = (count: number, tokens: number, part: number): number[][] =>
    randomPrompts(engine, { count, tokens, seed: seed * 10 + part })
  const [history, ...others] = parts(1 + SLOTS, historyTokens, 0) as [number[], ...number[][]]
  const turns = parts(2, TURN_TOKENS, 1)
  const labels = parts(3, LABEL_TOKENS, 2)
  const first = await ask(engine, [...history, ...labels[0]!])
  // The label line of a past turn is not part of the conversation.
  const second = [...history, ...first.reply, ...turns[0]!]
  await sleep(PAUSE_MS)
  const inSlot = await ask(engine, [...second, ...labels[1]!])
  const third = [...second, ...inSlot.reply, ...turns[1]!]
  await sleep(PAUSE_MS)
  for (const other of others) await ask(engine, other)
  const inTree = await ask(engine, [...third, ...labels[2]!])
  return { 'prefix-cold': first, 'prefix-slot': inSlot, 'prefix-tree': inTree }
}

async function ask(engine: Engine, tokens: number[]) {
  const started = performance.now()
  let ms = 0
  const reply: number[] = []
  const request = { tokens, maxTokens: REPLY_TOKENS, temperature: 0, stopTokens: [] }
  for await (const event of engine.generate(request)) {
    if (event.type !== 'token') continue
    ms ||= performance.now() - started
    reply.push(event.token)
  }
  return { ms, tokens: tokens.length, reply }
}

function reportRow(
  bench: string,
  options: BenchOptions,
  samples: readonly { ms: number; tokens: number }[],
): BenchRow {
  const times = samples.map(({ ms }) => ms)
  const rates = samples.map(({ ms, tokens }) => (tokens * 1000) / ms)
  const row: BenchRow = {
    bench,
    model: modelName(options.modelDir),
    batch: 1,
    tokens_per_s: rounded(percentile(rates, 0.5)),
    p50_ms: rounded(percentile(times, 0.5)),
    p95_ms: rounded(percentile(times, 0.95)),
  }
  ;(options.report ?? printRow)(row)
  return row
}
