/**
 * Token-level perplexity exp(mean −log p(token | tokens before it)) with the decode graph. A text longer
 * than the context is read in windows that move on by `stride` tokens: every window counts the tokens
 * that no earlier one counted, so each but the first window's sees at least context − stride tokens.
 */
import type { ModelStep } from '../../engine/model-step.ts'
import { fail } from '../../errors.ts'

/** Tokens of one text; `counted[j]` = 1 where token j counts. Token 0 has nothing before it and never does. */
export interface PerplexityText {
  readonly tokens: readonly number[]
  readonly counted: Uint8Array
}

export interface PerplexityOptions {
  /** Tokens of a window. */
  readonly context: number
  /** By how many tokens a window moves on. */
  readonly stride: number
  readonly onProgress?: (tokens: number) => void
  /** Awaited between two pieces of work. */
  readonly pause?: () => Promise<void>
}

export interface PerplexityResult {
  readonly perplexity: number
  /** Mean −log p, in nats. */
  readonly loss: number
  /** Share of counted tokens that were the likeliest. */
  readonly accuracy: number
  readonly tokens: number
  readonly texts: number
}

interface Sums {
  loss: number
  hits: number
  tokens: number
}

/** Positions whose logits come out of one run: bounds the logits to a few dozen megabytes. */
const CHUNK = 128

/** Windows as [first token, first counted target, end]. */
export function planWindows(
  length: number,
  { context, stride }: Pick<PerplexityOptions, 'context' | 'stride'>,
): [start: number, counted: number, end: number][] {
  const windows: [number, number, number][] = []
  for (let start = 0, done = 1; done < length; start += stride) {
    const end = Math.min(start + context, length)
    windows.push([start, done, end])
    done = end
  }
  return windows
}

/** −log softmax(row)[target], and whether the target is the largest. */
function judge(row: Float32Array, target: number): { loss: number; isBest: boolean } {
  let [largest, best] = [-Infinity, 0]
  for (let i = 0; i < row.length; i++) if (row[i]! > largest) [largest, best] = [row[i]!, i]
  let sum = 0
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - largest)
  return { loss: largest + Math.log(sum) - row[target]!, isBest: best === target }
}

/** Reads tokens start … end − 2 and adds up what it says of the tokens from `counted` to end − 1. */
async function addWindow(
  step: ModelStep,
  text: PerplexityText,
  [start, counted, end]: [number, number, number],
  sums: Sums,
): Promise<void> {
  const { tokens } = text
  for (let from = start; from < end - 1; from += CHUNK) {
    const to = Math.min(from + CHUNK, end - 1)
    const positions: number[] = []
    for (let i = from; i < to; i++)
      if (i + 1 >= counted && text.counted[i + 1] === 1) positions.push(i)
    // The cache needs the tokens even where none of them is asked for.
    const logitPositions = positions.length ? positions.map((i) => i - from) : [to - from - 1]
    const input = { slot: 0, tokens: tokens.slice(from, to), start: from - start, logitPositions }
    const logits = await step.prefill(input)
    positions.forEach((position, p) => {
      const row = logits.subarray(p * step.vocabSize, (p + 1) * step.vocabSize)
      const { loss, isBest } = judge(row, tokens[position + 1]!)
      sums.loss += loss
      sums.hits += Number(isBest)
      sums.tokens += 1
    })
  }
}

function checkOptions(step: ModelStep, { context, stride }: PerplexityOptions): void {
  const { contextLength } = step
  if (!(context >= 2 && context <= contextLength))
    fail('BAD_ARGUMENT', `--context: expected 2 to ${contextLength}, got ${context}`)
  if (!(stride >= 1 && stride < context))
    fail('BAD_ARGUMENT', `--stride: expected 1 to ${context - 1}, got ${stride}`)
}

function checkTexts(step: ModelStep, texts: readonly PerplexityText[]): void {
  texts.forEach(({ tokens }, i) => {
    const wrong = tokens.find((token) => !(token >= 0 && token < step.vocabSize))
    if (wrong !== undefined)
      fail('BAD_RECORD', `text ${i + 1}: expected token ids below ${step.vocabSize}, got ${wrong}`)
  })
}

/** Uses slot 0 of the step's cache. Fails BAD_ARGUMENT, or BAD_RECORD when no token counts. */
export async function measurePerplexity(
  step: ModelStep,
  texts: readonly PerplexityText[],
  options: PerplexityOptions,
): Promise<PerplexityResult> {
  checkOptions(step, options)
  checkTexts(step, texts)
  const sums: Sums = { loss: 0, hits: 0, tokens: 0 }
  for (const text of texts) {
    for (const window of planWindows(text.tokens.length, options)) {
      await options.pause?.()
      await addWindow(step, text, window, sums)
      options.onProgress?.(sums.tokens)
    }
  }
  const { tokens } = sums
  if (tokens === 0) fail('BAD_RECORD', 'no token counts: every text has fewer than two tokens')
  const loss = sums.loss / tokens
  return {
    perplexity: Math.exp(loss),
    loss,
    accuracy: sums.hits / tokens,
    tokens,
    texts: texts.length,
  }
}
